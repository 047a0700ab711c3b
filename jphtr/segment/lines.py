"""Maps of a page net -> lines: marked places that hang together are a line, which tells itself how far it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jphtr.records import Direction, LineKind, LineRegion
from jphtr.segment.components import components, joined
from jphtr.segment.quads import as_quad

Floats = NDArray[np.float64]

FOLD = 4  # pixels that the net sees in one place of its maps
INSET = 0.3  # part of a line's height by which its marks stop short of its ends
_MARKED = 0.5  # probability from which a place belongs to a line
# Mean probability that a line must have: the longer it is, the more places agree on it if it is there.
_SURE, _SURER, _SUREST = 0.65, 0.05, 0.75  # as long as high; for each doubling; at most
_LEAST_HEIGHT = 3.0  # pixels that the net sees of a line
_STRAY = 0.3  # heights by which the middles that a line's places tell may stray before it counts as two lines
_APART = 0.55  # heights between the middles of two lines
_SPLIT_GAP = 1.6  # heights without a mark after which one of two torn lines is another
_JOIN_GAP = 0.7  # heights between two pieces of one line
_JOIN_HINT = 1.1  # the same where the net half believes that there is text
_HINT = 0.25  # probability of such half belief
_SLOPES = sorted(np.linspace(-0.15, 0.15, 61).tolist(), key=abs)  # that lines which hang together may have


@dataclass(frozen=True, slots=True)
class Maps:
    """What a page net says.

    Attributes
    ----------
    kinds : (5, h, w) probabilities of nothing, horizontal text, vertical text, horizontal ruby, vertical ruby.
    extents : (2, h, w) pixels, as the net sees them, to the upper (right, if vertical) and lower (left) edge.
    scale : (x, y) by which the page was scaled before the net saw it.
    """

    kinds: NDArray[np.float32]
    extents: NDArray[np.float32]
    scale: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A piece of a line in axes along (u) and across (v) it: its places, and the middle and the height they tell."""

    upright: bool
    u: Floats
    middle: Floats
    height: Floats
    sure: Floats

    def joined(self, other: _Stroke) -> _Stroke:
        parts = [np.concatenate(p) for p in zip(self.parts(), other.parts(), strict=True)]
        return _Stroke(self.upright, *parts)

    def parts(self) -> tuple[Floats, Floats, Floats, Floats]:
        return self.u, self.middle, self.height, self.sure

    def where(self, keep: NDArray[np.bool_]) -> _Stroke:
        return _Stroke(self.upright, *(part[keep] for part in self.parts()))

    @property
    def tall(self) -> float:
        """The height of the line."""
        return float(np.median(self.height))

    def slope(self) -> float | None:
        """Rise of the middle along the line; None if the piece is too short to tell."""
        if np.ptp(self.u) < 3.5 * self.tall:
            return None
        u = self.u - self.u.mean()
        rise = float(u @ self.middle / (u @ u))
        rest = np.abs(self.middle - self.middle.mean() - rise * u)
        if np.percentile(rest, 80) > 2 * self.tall:
            return self._common_slope()
        keep = rest <= np.percentile(rest, 85)
        u = self.u[keep] - self.u[keep].mean()
        return float(u @ self.middle[keep] / max(u @ u, 1e-9))

    def _common_slope(self) -> float:
        """The slope of lines that hang together: the one along which the middles that their places tell gather best."""
        width = max(0.2 * self.tall, 0.5)

        def gathered(slope: float) -> int:
            level = self.middle - slope * (self.u - self.u.mean())
            counts = np.bincount(((level - level.min()) / width).astype(np.int64))
            return int(counts @ counts)

        return float(max(_SLOPES, key=gathered))


def lines_from(maps: Maps) -> list[LineRegion]:
    """The lines in some maps, in no order, in pixels of the page."""
    nothing, *there = maps.kinds
    text, ruby = there[0] + there[1], there[2] + there[3]
    marked = nothing < 1 - _MARKED
    found: list[LineRegion] = []
    for kind, mask, belief, sides in (
        ("text", marked & (text >= ruby), text, (there[0], there[1])),
        ("ruby", marked & (text < ruby), ruby, (there[2], there[3])),
    ):
        strokes = _strokes(mask, maps, belief + 0.5 * (ruby if kind == "text" else text), sides)
        slope = _page_slope(strokes)
        strokes = [part for stroke in strokes for part in _split(stroke, slope)]
        strokes = _merged(strokes, slope, maps, belief)
        name: LineKind = "text" if kind == "text" else "ruby"
        found += [_region(s, slope, maps.scale, name) for s in strokes if _is_line(s)]
    return found


def _strokes(
    mask: NDArray[np.bool_], maps: Maps, belief: NDArray[np.float32], sides: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> list[_Stroke]:  # fmt: skip
    """One stroke for each piece of a mask."""
    labels, count = components(mask)
    if not count:
        return []
    at = np.flatnonzero(labels)
    at = at[np.argsort(labels.ravel()[at], kind="stable")]
    y, x = np.divmod(at, mask.shape[1])
    cuts = np.flatnonzero(np.diff(labels.ravel()[at])) + 1
    px, py = (x + 0.5) * FOLD, (y + 0.5) * FOLD
    upper, lower = (e.ravel()[at].astype(np.float64) for e in maps.extents)
    flat, up = (s.ravel()[at] for s in sides)
    sure = belief.ravel()[at].astype(np.float64)
    found = []
    for part in np.split(np.arange(len(at)), cuts):
        upright = bool(up[part].sum() > flat[part].sum())
        u, v = (py[part], -px[part]) if upright else (px[part], py[part])
        middle, height = v + (lower[part] - upper[part]) / 2, upper[part] + lower[part]
        found.append(_Stroke(upright, u, middle, height, sure[part]))
    return found


def _page_slope(strokes: Sequence[_Stroke]) -> float:
    """The slope of the page: the median of its lines' own, by length."""
    known = [(slope, float(np.ptp(s.u))) for s in strokes if (slope := s.slope()) is not None and abs(slope) < 0.3]
    if not known:
        return 0.0
    slopes, lengths = (np.array(values) for values in zip(*known, strict=True))
    order = np.argsort(slopes)
    reached = np.cumsum(lengths[order])
    return float(slopes[order][np.searchsorted(reached, reached[-1] / 2)])


def _split(stroke: _Stroke, slope: float) -> list[_Stroke]:
    """A piece as the lines that its places vote for, if they disagree on where the middle is."""
    tall = stroke.tall
    level = stroke.middle - slope * stroke.u
    spread = float(np.percentile(level, 95) - np.percentile(level, 5))
    if spread < 2 * _STRAY * tall:
        return [stroke]
    found: list[_Stroke] = []
    left = np.ones(len(level), np.bool_)
    lines = max(1, round(spread / (1.5 * tall)))
    least = max(4, round(0.12 / (1 + lines) * len(level)))
    bins = np.floor((level - level.min()) / max(0.1 * tall, 0.5)).astype(np.int64)
    while left.sum() >= least and len(found) < 12 + 2 * lines:
        votes = np.convolve(np.bincount(bins[left], minlength=int(bins.max()) + 1), np.ones(3), "same")
        peak = (int(votes.argmax()) + 0.5) * max(0.1 * tall, 0.5) + level.min()
        near = left & (np.abs(level - peak) < _APART * tall)
        if not near.any():
            break
        found += [stroke.where(near & part) for part in _runs(stroke.u, near, _SPLIT_GAP * tall)]
        left &= ~near
    own = [part for part in found if len(part.u) >= least]
    return own if len(own) > 1 else [stroke]


def _runs(u: Floats, keep: NDArray[np.bool_], gap: float) -> list[NDArray[np.bool_]]:
    """Masks of the stretches along u, among the kept, that lie further apart than a gap."""
    order = np.flatnonzero(keep)[np.argsort(u[keep], kind="stable")]
    cuts = np.flatnonzero(np.diff(u[order]) > gap) + 1
    found = []
    for part in np.split(order, cuts):
        mask = np.zeros(len(u), np.bool_)
        mask[part] = True
        found.append(mask)
    return found


def _merged(strokes: list[_Stroke], slope: float, maps: Maps, belief: NDArray[np.float32]) -> list[_Stroke]:
    """The strokes, those that follow each other on one line as one."""
    count = len(strokes)
    if count < 2:
        return strokes
    start = np.array([s.u.min() for s in strokes]) - FOLD / 2
    stop = np.array([s.u.max() for s in strokes]) + FOLD / 2
    tall = np.array([s.tall for s in strokes])
    rise = np.array([own if (own := s.slope()) is not None else slope for s in strokes])
    at = np.array([s.u.mean() for s in strokes])
    level = np.array([float(np.median(s.middle)) for s in strokes])
    upright = np.array([s.upright for s in strokes])
    high = np.maximum(tall[:, None], tall[None])
    # the marks of each stop short of its ends by an inset
    gap = start[None] - stop[:, None] - INSET * (tall[:, None] + tall[None])
    joint = (start[None] + stop[:, None]) / 2
    here = level[:, None] + rise[:, None] * (joint - at[:, None])
    there = level[None] + rise[None] * (joint - at[None])
    alike = (upright[:, None] == upright[None]) & (high < 1.4 * np.minimum(tall[:, None], tall[None]))
    alike &= np.abs(here - there) < 0.3 * high
    behind = (at[None] > at[:, None]) & (gap > -0.9 * high)
    close = alike & behind & (gap < _JOIN_GAP * high)
    for i, j in np.argwhere(alike & behind & (gap >= _JOIN_GAP * high) & (gap < _JOIN_HINT * high)).tolist():
        between = np.linspace(stop[i], start[j], 9)[1:-1]
        across = here[i, j] + rise[i] * (between - joint[i, j])
        x, y = (-across, between) if upright[i] else (between, across)
        column = np.clip((x / FOLD).astype(int), 0, belief.shape[1] - 1)
        row = np.clip((y / FOLD).astype(int), 0, belief.shape[0] - 1)
        close[i, j] = float(belief[row, column].mean()) > _HINT
    first, second = np.nonzero(close)
    roots = joined(count, first, second)
    found: dict[int, _Stroke] = {}
    for place, root in enumerate(roots.tolist()):
        found[root] = found[root].joined(strokes[place]) if root in found else strokes[place]
    return list(found.values())


def _is_line(stroke: _Stroke) -> bool:
    enough = len(stroke.u) >= max(2.0, 0.04 * (stroke.tall / FOLD) ** 2)
    if not enough or stroke.tall < _LEAST_HEIGHT:
        return False
    longer = max(1.0, 2 * INSET + (float(np.ptp(stroke.u)) + FOLD) / stroke.tall)
    return bool(stroke.sure.mean() >= min(_SURE + _SURER * np.log2(longer), _SUREST))


def _region(stroke: _Stroke, slope: float, scale: tuple[float, float], kind: LineKind) -> LineRegion:
    """The rectangle around a stroke, in pixels of the page."""
    own = stroke.slope()
    rise = slope if own is None else own
    tall = stroke.tall
    centre = float(np.median(stroke.middle - rise * stroke.u))
    u0 = float(stroke.u.min()) - FOLD / 2 - INSET * tall
    u1 = float(stroke.u.max()) + FOLD / 2 + INSET * tall
    along = np.array([1.0, rise]) / np.hypot(1.0, rise)
    across = np.array([-along[1], along[0]]) * tall / 2
    first, last = np.array([u0, centre + rise * u0]), np.array([u1, centre + rise * u1])
    points = np.array([first - across, last - across, last + across, first + across])
    if stroke.upright:  # u runs down the page, v to the left
        points = np.stack([-points[:, 1], points[:, 0]], axis=1)[[3, 0, 1, 2]]
    direction: Direction = "vertical" if stroke.upright else "horizontal"
    sure = float(np.clip(stroke.sure.mean(), 0, 1))
    return LineRegion(as_quad(points / np.array(scale)), direction, 0, kind, sure)
