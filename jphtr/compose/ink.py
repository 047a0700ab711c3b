"""Placed glyphs -> ink on a plane, and what a hand or a press does to it.

Ink is uint8, 0 nothing, 255 full ink. The plane runs along the reading axis from left to right; boxes are
(n, 4) float32 x0, y0, x1, y1 in its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.compose.layout import Placed

Rng = np.random.Generator
Ink = NDArray[np.uint8]
Boxes = NDArray[np.float32]


def draw(placed: Sequence[Placed], em: float, margin: int) -> tuple[Ink, Boxes]:
    """Draw a line with `em` pixels an em and `margin` pixels around it; boxes hold the ink of each character."""
    length = max((p.end for p in placed), default=0.0)
    ink = np.zeros((round(em) + 2 * margin, round(length * em) + 2 * margin), np.uint8)
    boxes = np.zeros((len(placed), 4), np.float32)
    for number, p in enumerate(placed):
        if p.patch is None:
            boxes[number] = (p.start * em + margin, margin, p.end * em + margin, margin + em)
            continue
        paste(ink, p, em, margin, margin, boxes[number])
    return ink, boxes


def paste(ink: Ink, p: Placed, em: float, left: float, top: float, box: Boxes) -> None:
    """Lay one glyph over `ink`, its plane's origin at (left, top), and write the box of its ink."""
    assert p.patch is not None
    matrix = p.matrix * em
    matrix[:, 2] += (left, top)
    size = p.patch.gray.shape[0]
    corners = matrix[:, :2] @ np.array([[0, size, 0, size], [0, 0, size, size]], float) + matrix[:, 2:]
    x0, y0 = np.maximum(np.floor(corners.min(axis=1)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=1)).astype(int), (ink.shape[1], ink.shape[0]))
    if x1 <= x0 or y1 <= y0:
        box[:] = (x0, y0, x0 + 1, y0 + 1)
        return
    matrix[:, 2] -= (x0 + 0.5 - 0.5 * (matrix[0, 0] + matrix[0, 1]), y0 + 0.5 - 0.5 * (matrix[1, 0] + matrix[1, 1]))
    scale = abs(np.linalg.det(matrix[:, :2])) ** 0.5
    source = 255 - p.patch.gray
    if scale < 0.6:  # warpAffine does not filter; halve before shrinking far
        source = cv2.resize(source, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= 2
    piece = cv2.warpAffine(source, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    under = ink[y0:y1, x0:x1]
    np.maximum(under, piece, out=under)
    solid = piece > 96
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    if len(columns):
        box[:] = (x0 + columns[0], y0 + rows[0], x0 + columns[-1] + 1, y0 + rows[-1] + 1)
    else:
        box[:] = (x0, y0, x1, y1)


def warp(ink: Ink, boxes: Boxes, rng: Rng, *, tilt: float, drift: float, wave: float) -> tuple[Ink, Boxes]:
    """Bend the plane: `tilt` as a slope, `drift` of the baseline and local `wave` in pixels; boxes follow."""
    height, width = ink.shape
    nodes = max(3, width // 160 + 2)
    baseline = rng.normal(0, 1, nodes) * drift
    across = cv2.resize(baseline[None].astype(np.float32), (width, 1), interpolation=cv2.INTER_CUBIC)[0]
    across = across - across.mean() + tilt * (np.arange(width) - width / 2)
    dy = np.broadcast_to(across[None].astype(np.float32), (height, width)).copy()
    dx = np.zeros((height, width), np.float32)
    if wave:
        grid = (max(3, height // 20), max(3, width // 24))
        dx += cv2.resize(
            (rng.normal(0, 1, grid) * wave).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        dy += cv2.resize(
            (rng.normal(0, 1, grid) * wave).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
    x = np.arange(width, dtype=np.float32)[None] - dx
    y = np.arange(height, dtype=np.float32)[:, None] - dy
    out = cv2.remap(ink, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    cx = np.clip(((boxes[:, 0] + boxes[:, 2]) / 2).astype(int), 0, width - 1)
    cy = np.clip(((boxes[:, 1] + boxes[:, 3]) / 2).astype(int), 0, height - 1)
    moved = boxes + np.stack([dx[cy, cx], dy[cy, cx]] * 2, axis=1)
    return out, moved


def thicken(ink: Ink, rng: Rng) -> Ink:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3) if rng.random() < 0.6 else (2, 2))
    heavy = cv2.dilate(ink, kernel)
    share = float(rng.uniform(0.3, 1.0))
    out: Ink = cv2.addWeighted(heavy, share, ink, 1 - share, 0)
    return out


def thin(ink: Ink, rng: Rng) -> Ink:
    light = cv2.erode(ink, np.ones((2, 2), np.uint8))
    share = float(rng.uniform(0.2, 0.8))
    if int(light.sum(dtype=np.int64)) < 0.45 * int(ink.sum(dtype=np.int64)):
        share *= 0.3  # strokes of a pixel or two would vanish
    out: Ink = cv2.addWeighted(light, share, ink, 1 - share, 0)
    return out


def spread(ink: Ink, rng: Rng) -> Ink:
    """Wet ink: blurred, then cut again, so that corners round and counters fill."""
    soft = cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.8, 2.2)))
    level = float(rng.uniform(70, 130))
    out: Ink = np.clip((soft.astype(np.float32) - level) * float(rng.uniform(2.0, 4.0)) + 128, 0, 255).astype(np.uint8)
    return out


def breaks(ink: Ink, rng: Rng) -> Ink:
    """Worn type or a dry pen: patches where little ink arrived."""
    height, width = ink.shape
    grain = int(rng.integers(2, 7))
    noise = rng.random((height // grain + 2, width // grain + 2), dtype=np.float32)
    noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    threshold = float(rng.uniform(0.12, 0.35))
    keep = np.clip((noise - threshold) * 6 + 0.5, float(rng.uniform(0, 0.5)), 1)
    out: Ink = (ink * keep).astype(np.uint8)
    return out


def dry(ink: Ink, rng: Rng) -> Ink:
    """A brush or pen short of ink: strokes shrink towards their middle, and break where they were thin."""
    depth = cv2.distanceTransform((ink > 100).astype(np.uint8), cv2.DIST_L2, 3)
    if not depth.any():
        return ink
    half = 2 * float(depth[depth > 0].mean())  # half the width of an even stroke
    height, width = ink.shape
    grain = int(rng.integers(6, 28))
    noise = rng.random((height // grain + 2, width // grain + 2), dtype=np.float32)
    noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    gone = half * (float(rng.uniform(0, 0.7)) + float(rng.uniform(0.1, 0.6)) * (noise - 0.5))
    keep = cv2.GaussianBlur(np.clip(depth - gone + 0.5, 0, 1).astype(np.float32), (0, 0), 0.5)
    out: Ink = (ink * keep).astype(np.uint8)
    return out


def ragged(ink: Ink, rng: Rng) -> Ink:
    """Ink creeping along paper fibres: the edge moves by a pixel here and there."""
    height, width = ink.shape
    noise = rng.normal(0, float(rng.uniform(25, 60)), (height // 2 + 1, width // 2 + 1)).astype(np.float32)
    soft = cv2.GaussianBlur(ink, (0, 0), 1.0).astype(np.float32)
    soft += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR) * (soft > 8)
    out: Ink = np.clip((soft - 128) * 2.5 + 128, 0, 255).astype(np.uint8)
    return out


def faint(ink: Ink, rng: Rng) -> Ink:
    """Pressure that comes and goes along the line."""
    width = ink.shape[1]
    nodes = rng.uniform(0.35, 1.0, max(2, width // 60 + 2)).astype(np.float32)
    level = cv2.resize(nodes[None], (width, 1), interpolation=cv2.INTER_CUBIC)
    out: Ink = np.clip(ink * np.clip(level, 0.25, 1), 0, 255).astype(np.uint8)
    return out


def pencil(ink: Ink, rng: Rng) -> Ink:
    noise = rng.normal(1, float(rng.uniform(0.2, 0.45)), ink.shape).astype(np.float32)
    out: Ink = np.clip(ink * noise * float(rng.uniform(0.5, 0.9)), 0, 255).astype(np.uint8)
    return out


def outline(ink: Ink, rng: Rng) -> Ink:
    """Uneven print: the middle of broad strokes paler than their rim."""
    inner = cv2.GaussianBlur(cv2.erode(ink, np.ones((3, 3), np.uint8)), (0, 0), 1.0)
    out: Ink = cv2.subtract(ink, (inner * float(rng.uniform(0.2, 0.6))).astype(np.uint8))
    return out


INKS: dict[str, Callable[[Ink, Rng], Ink]] = {
    "thicken": thicken, "thin": thin, "spread": spread, "breaks": breaks, "dry": dry, "ragged": ragged,
    "faint": faint, "pencil": pencil, "outline": outline,
}  # fmt: skip
