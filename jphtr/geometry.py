"""A gray picture of a line -> the strip that a net sees, and the way back: one geometry for training and reading.

A strip is 48 pixels high with the text band in its middle 40, paper 255 and ink near 0, the reading axis from left to
right. Vertical lines are turned 90 degrees counter-clockwise, so that the top of the column is at the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jphtr.records import Box, Direction, Gray

HEIGHT = 48  # pixels of a strip across the reading axis
STRIDE = 8  # pixels of a strip along the reading axis in one frame
BODY = 40  # pixels of the strip's height that the text band takes
_LOOK = 48  # the height at which a picture is looked at before it is cut
_COARSE = 32  # the height below which a picture is too coarse for its noise to be smoothed
_EMPTY = 0.06  # of the ink in a full row, below which a row parts two lines
_APART = 0.03  # of the picture's height that such rows take at least
LEAST_BAND = 0.4  # of the picture's height
_FAINT = 18.0  # levels of gray below which nothing counts as ink
MIN_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Strip:
    """What a net sees of a line, and where it came from.

    Attributes
    ----------
    gray : (48, W) uint8, 255 is paper; W >= 16.
    direction : how the line was taken to run.
    source_size : (width, height) of the caller's picture.
    inverted : whether the picture was light on dark.
    has_ink : False for a picture in which nothing stands out from the paper; such a strip is pure 255.
    origin, scale : strip pixel (x, y) is pixel origin + (x, y) / scale of the picture along its reading axis.
    """

    gray: Gray
    direction: Direction
    source_size: tuple[int, int]
    inverted: bool
    has_ink: bool
    origin: tuple[float, float]
    scale: float

    def to_source(self, x0: float, x1: float, y0: float = 0.0, y1: float = float(HEIGHT)) -> Box:
        """The box of a piece of the strip in float pixels of the caller's picture, clipped to it."""
        ox, oy = self.origin
        a0, a1 = x0 / self.scale + ox, x1 / self.scale + ox
        b0, b1 = y0 / self.scale + oy, y1 / self.scale + oy
        width, height = self.source_size
        if self.direction == "vertical":
            a0, b0, a1, b1 = width - b1, a0, width - b0, a1
        return (
            min(max(a0, 0.0), width), min(max(b0, 0.0), height), min(max(a1, 0.0), width), min(max(b1, 0.0), height)
        )  # fmt: skip

    def from_source(self, box: Box) -> Box:
        """The box (x0, y0, x1, y1) in strip pixels of a box in the caller's picture; it may reach beyond the strip."""
        x0, y0, x1, y1 = box
        if self.direction == "vertical":
            width = self.source_size[0]
            x0, y0, x1, y1 = y0, width - x1, y1, width - x0
        ox, oy = self.origin
        return ((x0 - ox) * self.scale, (y0 - oy) * self.scale, (x1 - ox) * self.scale, (y1 - oy) * self.scale)


def guess_direction(gray: Gray) -> tuple[Direction, bool]:
    """How a line picture (H, W) runs, from its shape alone, and whether the shape settles it."""
    height, width = gray.shape
    longer = max(height, width) / max(1, min(height, width))
    return ("vertical" if height > width else "horizontal"), longer >= 1.8


def prepare(gray: Gray, direction: Direction | Literal["auto"] = "auto", *, invert: bool | None = None) -> Strip:
    """Cut the text band out of a line picture, level its light, and scale it to a strip.

    Parameters
    ----------
    gray : (H, W) uint8 picture of one line, dark on light or light on dark.
    direction : how the line runs; "auto" takes the longer side.
    invert : whether the picture is light on dark; None finds out.
    """
    chosen: Direction = guess_direction(gray)[0] if direction == "auto" else direction
    size = (gray.shape[1], gray.shape[0])
    turned = np.ascontiguousarray(np.rot90(gray)) if chosen == "vertical" else gray
    picture = Image.fromarray(turned)
    look_scale = min(1.0, _LOOK / turned.shape[0])
    look = np.asarray(
        picture.resize((max(4, round(turned.shape[1] * look_scale)), max(4, round(turned.shape[0] * look_scale))), Image.Resampling.BOX),
        np.float32,
    )  # fmt: skip
    inverted = _light_on_dark(look) if invert is None else invert
    if inverted:
        look = 255 - look
    paper, depth = _light(look)
    darkness = (paper[None] - look) / depth if depth else np.zeros_like(look)
    ink = np.clip(darkness, 0, 1)
    if not depth or not (ink > 0.5).any():
        blank = np.full((HEIGHT, MIN_WIDTH), 255, np.uint8)
        return Strip(blank, chosen, size, inverted, False, (0.0, 0.0), HEIGHT / turned.shape[0])
    to_picture = (turned.shape[1] / look.shape[1], turned.shape[0] / look.shape[0])
    top, bottom = (y * to_picture[1] for y in _band(darkness))
    left, right = (x * to_picture[0] for x in _extent(ink, bottom - top, to_picture))
    scale = BODY / (bottom - top)
    middle = (top + bottom) / 2
    top, bottom = middle - HEIGHT / 2 / scale, middle + HEIGHT / 2 / scale
    strip = _cut(picture, (left, top, right, bottom), scale, inverted, paper, to_picture[0], depth)
    return Strip(strip, chosen, size, inverted, True, (left, top), scale)


def _light_on_dark(look: NDArray[np.float32]) -> bool:
    """Whether the smaller part of the pixels, the ink, is the lighter one: the skew of what stands out locally.

    What stands out is measured against the mean of a square somewhat larger than a stroke is long, so that uneven
    light, which outweighs faint ink, does not count.
    """
    side = max(9, round(look.shape[0] * 0.6)) | 1
    flat = _mean_around(look - _mean_around(look, side), 3)
    flat -= flat.mean(dtype=np.float32)
    squares = flat * flat
    spread = float(np.sqrt(squares.mean()))
    if spread < 1:
        return bool(np.median(look) < 100)
    skew = float((squares * flat).mean()) / spread**3
    if abs(skew) > 0.1:
        return skew > 0
    # as much ink as paper: the rim of the picture is paper
    rim = np.concatenate([look[0], look[-1], look[:, 0], look[:, -1]])
    return bool(np.median(rim) < (np.percentile(look, 5) + np.percentile(look, 95)) / 2)


def _mean_around(look: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The mean of the square of odd `side` around every pixel, the picture mirrored at its edges."""
    for axis in (0, 1):
        along = look.swapaxes(0, axis)
        count = len(along)
        half = min(side // 2, count - 1)
        wide = np.concatenate([along[:half][::-1], along, along[count - half :][::-1]]).swapaxes(0, axis)
        look = _sums(wide, 2 * half + 1, axis) / np.float32(2 * half + 1)
    return look


def _sums(wide: NDArray[np.float32], side: int, axis: int) -> NDArray[np.float32]:
    """The sums of every `side` neighbours along an axis, out of sums of 1, 2, 4, ... of them: whole arrays at a time."""

    def piece(array: NDArray[np.float32], start: int, count: int) -> NDArray[np.float32]:
        return array[start : start + count] if axis == 0 else array[:, start : start + count]

    count = wide.shape[axis] - side + 1
    found, taken, size = np.zeros((), np.float32), 0, 1
    powers = wide
    while True:
        if side & size:
            found, taken = found + piece(powers, taken, count), taken + size
        if 2 * size > side:
            return found
        rest = powers.shape[axis] - size
        powers, size = piece(powers, 0, rest) + piece(powers, size, rest), 2 * size


def _light(look: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The level of the paper along the line (W,), and how far below it the ink lies; 0 where there is no ink."""
    height, width = look.shape
    count = max(1, round(width / max(8, height)))
    size = -(-width // count)
    padded = np.pad(
        look, ((0, 0), (0, count * size - width)), mode="symmetric" if width >= count * size - width else "edge"
    )
    blocks = np.sort(padded.reshape(height, count, size).swapaxes(0, 1).reshape(count, -1), axis=1)
    level = blocks[:, int(0.80 * (blocks.shape[1] - 1))]
    dark = blocks[:, int(0.015 * (blocks.shape[1] - 1))]
    depths = np.sort(level - dark)
    if count > 2:  # a block that is mostly ink or stain must not pull the paper down
        beside = np.pad(level, 1, mode="edge")
        level = np.maximum(level, (beside[:-2] + beside[2:]) / 2 - 12)
    paper = np.interp(np.arange(width) + 0.5, (np.arange(count) + 0.5) * size, level).astype(np.float32)
    depth = float(depths[int(len(depths) * 0.85)])
    return paper, depth if depth >= _FAINT else 0.0


def _band(darkness: NDArray[np.float32]) -> tuple[float, float]:
    """Rows (top, bottom) of the text: the run of rows that holds the most ink above a floor, the middle favoured.

    Parameters
    ----------
    darkness : (H, W), 0 is paper and 1 is ink; noise of the paper goes below 0 as well.
    """
    height = darkness.shape[0]
    dark = darkness > 0.4
    clear = ~_wide_runs(dark.mean(axis=0) > 0.8, max(2, height // 3))
    if clear.mean() > 0.4:  # the other columns are stains and scan edges
        darkness, dark = darkness[:, clear], dark[:, clear]
    # Strong noise fills every row alike. Measured from each row's own paper, smoothed, it leaves a pedestal of about
    # half its spread, which goes; so text on bad paper is not taken to be as high as the picture.
    smoothed = height >= _COARSE
    smooth = np.clip(_mean_around(darkness, 3) if smoothed else darkness, -1, 1.2)
    quarter = smooth.shape[1] // 4
    profile = smooth.mean(axis=1) - np.sort(smooth, axis=1)[:, quarter]  # of many short rows faster than a partition
    low, median = smooth.size // 4, smooth.size // 2
    levels = np.partition(smooth, (low, median), axis=None)
    spread = 1.48 * float(levels[median] - levels[low])
    profile = np.maximum(profile - 0.5 * spread, 0)
    profile[dark.mean(axis=1) > 0.85] = 0  # a rule or a scan edge, not text
    towards_edge = np.abs((np.arange(height) + 0.5) / height * 2 - 1)
    favoured = profile * np.clip(1.9 - 1.5 * towards_edge, 0.5, 1)
    floor = 0.12 * float(favoured.max()) + 1e-6
    gain = favoured - floor
    best, best_run, run, start = -1.0, (0, height), 0.0, 0
    for y, value in enumerate(gain.tolist()):
        if run <= 0:
            run, start = 0.0, y
        run += value
        if run > best:
            best, best_run = run, (start, y + 1)
    first, last = _own_rows(profile, *best_run)
    top, bottom = float(first), float(last)
    if smoothed:  # which has spread the ink by a row
        top, bottom = top + (top > 0), bottom - (bottom < height)
    least = LEAST_BAND * height  # a lone 一 or 、 says nothing about the size of the text; the picture does
    if bottom - top < least:
        middle = min(max((top + bottom) / 2, least / 2), height - least / 2)
        top, bottom = middle - least / 2, middle + least / 2
    return top, bottom


def _own_rows(profile: NDArray[np.float32], first: int, last: int) -> tuple[int, int]:
    """Rows (first, last) of a band without what was cut off of the lines before and after it.

    That is ink which touches the picture's edge, and which empty rows part from the piece that holds the most.
    """
    height = len(profile)
    filled = profile >= _EMPTY * np.partition(profile, int(0.9 * height))[int(0.9 * height)]
    pieces: list[list[int]] = []
    for start, stop in np.flatnonzero(np.diff(filled[first:last], prepend=False, append=False)).reshape(-1, 2).tolist():
        if pieces and start + first - pieces[-1][1] < max(2, _APART * height):
            pieces[-1][1] = stop + first
        else:
            pieces.append([start + first, stop + first])
    if len(pieces) < 2:
        return first, last
    # the middle is favoured
    weights = [profile[a:b].sum() * (1.9 - 1.5 * abs((a + b) / height - 1)) for a, b in pieces]
    low = high = int(np.argmax(weights))
    while low and pieces[low - 1][0] > 1:
        low -= 1
    while high < len(pieces) - 1 and pieces[high + 1][1] < height - 1:
        high += 1
    if pieces[high][1] - pieces[low][0] < LEAST_BAND * height:  # strokes of 二, of a lone line of ：
        return first, last
    return first if low == 0 else pieces[low][0], last if high == len(pieces) - 1 else pieces[high][1]


def _wide_runs(flags: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Which flags (W,) stand in a run of at least `least`."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    found = np.zeros_like(flags)
    for start, stop in edges.reshape(-1, 2).tolist():
        found[start:stop] = stop - start >= least
    return found


def _extent(ink: NDArray[np.float32], body: float, to_picture: tuple[float, float]) -> tuple[float, float]:
    """Columns (left, right) from the first ink to the last, with a quarter of the text height as margin."""
    columns = np.flatnonzero((ink > 0.35).sum(axis=0) >= 1)
    margin = 0.25 * body / to_picture[0]
    left, right = float(columns[0]) - margin, float(columns[-1]) + 1 + margin
    return max(left, -margin), min(right, ink.shape[1] + margin)


def _cut(
    picture: Image.Image, box: Box, scale: float, inverted: bool, paper: NDArray[np.float32], step: float, depth: float
) -> Gray:
    """The strip (48, W): the box of the picture at the strip's scale, light levelled, beyond the picture paper."""
    left, top, right, bottom = box
    width = max(MIN_WIDTH, round((right - left) * scale))
    inner = (max(left, 0.0), max(top, 0.0), min(right, picture.width), min(bottom, picture.height))
    x0, x1 = round((inner[0] - left) * scale), round((inner[2] - left) * scale)
    y0, y1 = round((inner[1] - top) * scale), round((inner[3] - top) * scale)
    x1, y1 = min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), HEIGHT)
    piece = np.asarray(picture.resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC, box=inner), np.float32)
    if inverted:
        piece = 255 - piece
    at = (inner[0] + (np.arange(x1 - x0) + 0.5) / scale) / step
    level = np.interp(at, np.arange(len(paper)) + 0.5, paper).astype(np.float32)
    strip = np.full((HEIGHT, width), 255, np.uint8)
    strip[y0:y1, x0:x1] = np.clip(255.5 - (level[None] - piece) * (255 / depth), 0, 255).astype(np.uint8)
    return strip
