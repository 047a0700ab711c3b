"""Quads of lines as numbers: their size, their angle, how far two of them overlap, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jphtr.records import LineRegion, Point

Floats = NDArray[np.float64]


def corners(regions: Sequence[LineRegion]) -> Floats:
    """The quads of regions (n, 4, 2): top left, top right, bottom right, bottom left on the page."""
    return np.array([region.quad for region in regions], np.float64).reshape(-1, 4, 2)


def as_quad(points: Floats) -> tuple[Point, Point, Point, Point]:
    """Corners (4, 2) as a region wants them."""
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d


def sizes(regions: Sequence[LineRegion]) -> tuple[Floats, Floats]:
    """Length along and height across each line (n,), in pixels."""
    quads = corners(regions)
    right = (quads[:, 1] + quads[:, 2] - quads[:, 0] - quads[:, 3]) / 2
    below = (quads[:, 3] + quads[:, 2] - quads[:, 0] - quads[:, 1]) / 2
    wide, high = np.hypot(right[:, 0], right[:, 1]), np.hypot(below[:, 0], below[:, 1])
    upright = np.array([region.direction == "vertical" for region in regions], np.bool_)
    lengths: Floats = np.where(upright, high, wide)
    heights: Floats = np.where(upright, wide, high)
    return lengths, heights


def tilt(regions: Sequence[LineRegion]) -> float:
    """The angle in radians by which a page is turned clockwise: the median over its longer lines, by their length."""
    if not regions:
        return 0.0
    quads = corners(regions)
    lengths, heights = sizes(regions)
    upright = np.array([region.direction == "vertical" for region in regions], np.bool_)
    flat = (quads[:, 1] + quads[:, 2] - quads[:, 0] - quads[:, 3]) / 2
    down = (quads[:, 3] + quads[:, 2] - quads[:, 0] - quads[:, 1]) / 2
    angles = np.where(upright, np.arctan2(-down[:, 0], down[:, 1]), np.arctan2(flat[:, 1], flat[:, 0]))
    weights = np.where(lengths > 3 * heights, lengths, 0.0)
    if not weights.any():
        return 0.0
    order = np.argsort(angles)
    reached = np.cumsum(weights[order])
    return float(angles[order][np.searchsorted(reached, reached[-1] / 2)])


def turned(points: Floats, angle: float) -> Floats:
    """Points (..., 2) after the page was turned counter-clockwise by an angle in radians about its origin."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([points[..., 0] * c + points[..., 1] * s, points[..., 1] * c - points[..., 0] * s], axis=-1)


def overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two convex quads (4, 2)."""
    piece = [(float(x), float(y)) for x, y in _clockwise(a)]
    edges = _clockwise(b)
    for (x0, y0), (x1, y1) in zip(edges.tolist(), np.roll(edges, -1, axis=0).tolist(), strict=True):
        # Sutherland and Hodgman 1974: keep what lies to the inner side of each edge
        side = [(x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) for x, y in piece]
        kept: list[tuple[float, float]] = []
        for n, ((px, py), s) in enumerate(zip(piece, side, strict=True)):
            (qx, qy), t = piece[n - 1], side[n - 1]
            if (s >= 0) != (t >= 0):
                part = t / (t - s)
                kept.append((qx + part * (px - qx), qy + part * (py - qy)))
            if s >= 0:
                kept.append((px, py))
        piece = kept
        if not piece:
            return 0.0
    common = _area(np.array(piece))
    whole = _area(a) + _area(b) - common
    return common / whole if whole > 0 else 0.0


def _area(points: Floats) -> float:
    """Of a polygon (n, 2), whichever way round it goes."""
    x, y = points[:, 0], points[:, 1]
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


def _clockwise(points: Floats) -> Floats:
    x, y = points[:, 0], points[:, 1]
    return points if (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() >= 0 else points[::-1]
