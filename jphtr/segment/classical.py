"""Lines of a page without a model: ink smeared along the writing, as in run-length smoothing (Wong, Casey, Wahl 1982).

It serves clean pages that are written in one direction; a trained detector is better at everything else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jphtr.records import Direction, Gray, LineRegion
from jphtr.segment.components import components, joined
from jphtr.segment.quads import as_quad, turned

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LONG_SIDE = 1200  # pixels of a page's longer side as it is looked at
_ANGLES = np.deg2rad(np.arange(-3.5, 3.51, 0.25))
_CONTRAST = 24.0  # levels of gray by which ink is darker than the paper around it
_RULE = 7.0  # sizes of a character from which a straight run of ink is a rule
_CLOSE = 1.2  # sizes of a character over which ink is smeared along the line
_RUBY = 0.62  # of the usual height of a line, below which one is ruby
_MOST = 1200  # pieces of lines that are put together
_LEAST = 5  # pixels of a character, as the page is looked at


def classical(gray: Gray) -> list[LineRegion]:
    """The lines of a page (H, W), in no order, in its pixels."""
    scale = min(1.0, _LONG_SIDE / max(gray.shape))
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    ink = _ink(np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX), np.float32))
    em = _character(ink)
    if em is None:
        return []
    ink = _without_rules(ink, em)
    em = _character(ink)
    if em is None:
        return []
    ink = _without_specks(ink, 0.3 * em)
    angle = _tilt(ink)
    if angle:
        picture = Image.fromarray((ink * 255).astype(np.uint8))
        ink = np.asarray(picture.rotate(float(np.rad2deg(angle)), Image.Resampling.NEAREST, expand=False)) > 127
    upright = _runs_down(ink, em)
    boxes = _smeared(ink.T if upright else ink, em)
    if upright:
        boxes = boxes[:, [1, 0, 3, 2]]
    direction: Direction = "vertical" if upright else "horizontal"
    thick = boxes[:, 2] - boxes[:, 0] if upright else boxes[:, 3] - boxes[:, 1]
    small = thick < _RUBY * np.median(thick) if len(boxes) else thick
    middle = np.array(size) / 2
    found = []
    for (x0, y0, x1, y1), ruby in zip(boxes.tolist(), small.tolist(), strict=True):
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
        on_page = (turned(points - middle, -angle) + middle) / scale
        found.append(LineRegion(as_quad(on_page), direction, 0, "ruby" if ruby else "text", 0.5))
    return found


def _ink(look: NDArray[np.float32]) -> Mask:
    """Where a page is clearly darker than the paper around, whatever the light; the smaller part of it is ink."""
    side = max(15, round(max(look.shape) / 12)) | 1
    around = _mean(look, side)
    depth = around - look if np.median(look) >= 110 or (look < around - 40).mean() > 0.04 else look - around
    # the level between paper and ink goes by the strongest ink, so that grain and show-through stay paper
    ink: Mask = depth > max(_CONTRAST, 0.4 * float(np.percentile(depth, 99.5)))
    return ink


def _mean(look: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The mean of the square of odd `side` around every pixel."""
    for axis in (0, 1):
        half = side // 2
        pad = [(0, 0), (0, 0)]
        pad[axis] = (half + 1, half)
        total = np.cumsum(np.pad(look, pad, mode="edge"), axis=axis, dtype=np.float64)
        ends = [np.take(total, np.arange(at, at + look.shape[axis]), axis) for at in (side, 0)]
        look = ((ends[0] - ends[1]) / side).astype(np.float32)
    return look


def _extents(labels: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Boxes (n, 4) x0, y0, x1, y1 of labelled pieces."""
    y, x = np.nonzero(labels)
    number = labels[y, x] - 1
    boxes = np.empty((count, 4), np.int64)
    for place, (values, worst, keep) in enumerate(
        ((x, labels.size, np.minimum), (y, labels.size, np.minimum), (x, 0, np.maximum), (y, 0, np.maximum))
    ):
        out = np.full(count, worst)
        keep.at(out, number, values)
        boxes[:, place] = out
    boxes[:, 2:] += 1
    return boxes


def _character(ink: Mask) -> float | None:
    """The size of a character: what pieces of ink that are neither specks nor pictures mostly measure."""
    labels, count = components(ink)
    if not count:
        return None
    boxes = _extents(labels, count)
    longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    likely = longer[(longer >= _LEAST) & (longer < max(ink.shape) / 6)]
    # kanji fall apart into pieces: their size lies above the middle
    return float(np.percentile(likely, 80)) if len(likely) else None


def _without_rules(ink: Mask, em: float) -> Mask:
    """The ink without straight lines, frames and the edges of the sheet."""
    least = max(12, round(_RULE * em))
    return np.asarray(ink & ~_long_runs(ink, least) & ~_long_runs(ink.T, least).T, np.bool_)


def _without_specks(ink: Mask, least: float) -> Mask:
    """The ink without small pieces that have nothing large beside them, the points of a character aside."""
    labels, count = components(ink)
    boxes = _extents(labels, count)
    small = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) < least
    large = np.concatenate([[False], ~small])[labels]
    near = _mean(large.astype(np.float32), 2 * round(4 * least) + 1) > 0.02
    kept: Mask = large | (ink & near)
    return kept


def _long_runs(ink: Mask, least: int) -> Mask:
    """The pixels in runs along rows that are at least so long."""
    wide = np.zeros((ink.shape[0], ink.shape[1] + 2), np.int8)
    wide[:, 1:-1] = ink
    edges = np.diff(wide, axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    long = stops - starts >= least
    marks = np.zeros((ink.shape[0], ink.shape[1] + 1), np.int32)
    np.add.at(marks, (rows[long], starts[long]), 1)
    np.add.at(marks, (rows[long], stops[long]), -1)
    return np.asarray(np.cumsum(marks, axis=1)[:, :-1] > 0, np.bool_)


def _tilt(ink: Mask) -> float:
    """The angle in radians at which rows, or columns, of ink are told apart best."""
    y, x = np.nonzero(ink)
    if len(x) > 60_000:
        keep = np.arange(0, len(x), len(x) // 60_000 + 1)
        y, x = y[keep], x[keep]
    best, most = 0.0, -1.0
    for angle in _ANGLES.tolist():
        sharp = 0.0
        for along, across in ((x, y), (y, -x)):
            at = np.round(across - np.tan(angle) * along).astype(np.int64)
            profile = np.bincount(at - at.min()).astype(np.float64)
            sharp = max(sharp, float((np.diff(profile) ** 2).sum()))
        if sharp > most * (1.02 if angle > 0 else 1.0):
            best, most = angle, sharp
    return best if abs(best) > 0.003 else 0.0


def _runs_down(ink: Mask, em: float) -> bool:
    """Whether lines run from top to bottom: white space between them is where rows or columns of the page are empty."""
    smear = max(1, round(0.5 * em))
    empty = []
    for mask in (ink, ink.T):  # rows of horizontal lines are close in x, and apart in y
        filled = _closed(mask, smear)
        empty.append(float(components(filled)[1]))
    # smeared along the writing, characters join into few pieces; across it, they stay many
    return empty[1] < empty[0]


def _closed(ink: Mask, gap: int) -> Mask:
    """The ink with gaps along rows of at most so many pixels filled."""
    paper = ~ink
    paper[:, 0] = paper[:, -1] = True
    wide = np.zeros((ink.shape[0], ink.shape[1] + 2), np.int8)
    wide[:, 1:-1] = paper
    edges = np.diff(wide, axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    short = (stops - starts <= gap) & (starts > 0) & (stops < ink.shape[1])
    marks = np.zeros((ink.shape[0], ink.shape[1] + 1), np.int32)
    np.add.at(marks, (rows[short], starts[short]), 1)
    np.add.at(marks, (rows[short], stops[short]), -1)
    return np.asarray(ink | (np.cumsum(marks, axis=1)[:, :-1] > 0), np.bool_)


def _smeared(ink: Mask, em: float) -> Floats:
    """Boxes (n, 4) of lines that run along rows."""
    labels, count = components(_closed(ink, max(1, round(_CLOSE * em))))
    if not count:
        return np.empty((0, 4))
    boxes = _joined(_extents(labels, count).astype(np.float64), em)
    high, wide = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    keep = (high > 0.45 * em) & (high < 2.5 * em) & (wide > 0.6 * em)
    return boxes[keep]


def _joined(boxes: Floats, em: float) -> Floats:
    """Boxes, those that share most of their rows and touch or nearly do as one, until none do."""
    high, wide = boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
    boxes = boxes[(high < 4 * em) & (np.maximum(high, wide) > 0.25 * em)]
    if len(boxes) > _MOST:  # specks of a dirty page; all pairs of them would not fit into memory
        boxes = boxes[np.argsort(np.ptp(boxes[:, [0, 2]], axis=1), kind="stable")[-_MOST:]]
    for _ in range(4):
        high = boxes[:, 3] - boxes[:, 1]
        common = np.minimum(boxes[:, None, 3], boxes[None, :, 3]) - np.maximum(boxes[:, None, 1], boxes[None, :, 1])
        gap = np.maximum(boxes[:, None, 0], boxes[None, :, 0]) - np.minimum(boxes[:, None, 2], boxes[None, :, 2])
        tall = np.maximum(high[:, None], high[None])
        close = (common > 0.6 * np.minimum(high[:, None], high[None])) & (gap < _CLOSE * em) & (tall < 2.2 * em)
        # strokes one over the other, as of 二, are one line as long as they are no higher together than one
        wide = boxes[:, 2] - boxes[:, 0]
        whole = np.maximum(boxes[:, None, 3], boxes[None, :, 3]) - np.minimum(boxes[:, None, 1], boxes[None, :, 1])
        close |= (-gap > 0.6 * np.minimum(wide[:, None], wide[None])) & (common > -0.35 * em) & (whole < 1.3 * em)
        labels, count = _groups(close)
        if count == len(boxes):
            break
        merged = np.empty((count, 4))
        for place, keep in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
            out = np.full(count, np.inf if place < 2 else -np.inf)
            keep.at(out, labels, boxes[:, place])
            merged[:, place] = out
        boxes = merged
    return boxes


def _groups(close: Mask) -> tuple[NDArray[np.int64], int]:
    """Which group each thing is in, given which pairs hang together."""
    a, b = np.nonzero(close)
    _, labels = np.unique(joined(len(close), a, b), return_inverse=True)
    return labels.astype(np.int64), int(labels.max(initial=-1)) + 1
