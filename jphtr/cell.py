"""A gray picture of one character -> the square that a classifier sees: one function for training and reading.

People hand over characters in two ways: as a cell (a square of manuscript paper, an archive's scan, a font's em
square), where size and place tell っ from つ and 、 from 。, or cut out anyhow, from tight around the ink to a word of
space on every side. `to_input` keeps a cell and frames the rest:

- A picture whose ink reaches over at least `least` of its longer side counts as a cell. Its ink keeps its size and its
  place, but for two bounds that undo tight cuts: its longer side takes at most `fill` of the square, and half of what
  is left of the square stays free on every side.
- Where ink is smaller than that, the picture says nothing about the character's own size: the square is laid around
  the ink, whose longer side then takes `fill`.

So the net sees the size where there is one to see, and a small kana that was cut out tightly is read as its large
twin, which is how such pairs are scored (folded). `least` 1 cuts every character to its ink: the finest resolution for
kanji, which have no small twins. `least` 0 and `fill` 1 keep every picture whole, as archives are unpacked.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jphtr.records import Box, Gray

FILL, LEAST = 0.9, 0.35

_LOOK = 64  # pixels of the longer side at which a picture is looked at before it is cut
_FAINT = 18.0  # levels of gray below which nothing counts as ink
_DARKEST = 0.005  # part of the pixels whose mean is called the ink
_TRIM = 0.003  # part of the ink that may lie outside its box on each side: dust, and the fringe of a blur
_BLOCKS = 4  # the paper is measured in a grid of this many blocks each way
_PAPER = 0.85  # quantile of a block that is called its paper
_FINE = 4  # source pixels for one of the square beyond which a large picture is reduced first

Float = NDArray[np.float32]


def to_input(gray: Gray, size: int, *, fill: float = FILL, least: float = LEAST) -> Gray:
    """The square that a classifier sees of a picture of one character.

    Parameters
    ----------
    gray : (H, W) uint8 of any size, dark on light or light on dark.
    size : side of the square in pixels.
    fill : part of the square that the longer side of the ink takes at most, above 0 to 1.
    least : part of the picture's longer side that its ink must reach over for the picture to count as a cell; 0 to 1.

    Returns
    -------
    (size, size) uint8: paper 255, ink near 0, uneven light levelled; pure 255 where nothing stands out from the paper.
    """
    height, width = gray.shape
    look = _reduced(gray, _LOOK / max(width, height)).astype(np.float32)
    inverted = _light_on_dark(look)
    if inverted:
        look = 255 - look
    plane = _paper(look)
    ink = _level(plane, look.shape) - look
    soft = _mean3(ink)
    count = max(1, round(soft.size * _DARKEST))
    depth, seen = (float(np.sort(of, axis=None)[-count:].mean()) for of in (ink, soft))
    if seen < _FAINT or depth < _FAINT:
        return np.full((size, size), 255, np.uint8)
    to_picture = (width / look.shape[1], height / look.shape[0])
    x0, y0, x1, y1 = _ink_box(np.where(soft > seen / 4, ink, np.float32(0)))
    box = (x0 * to_picture[0], y0 * to_picture[1], x1 * to_picture[0], y1 * to_picture[1])
    extent, longest = max(x1 - x0, y1 - y0), max(look.shape)
    if extent < least * longest and extent < longest / 3:  # seen too coarsely to be framed: look again, and closer
        room = max(box[2] - box[0], box[3] - box[1]) / 4
        part = gray[
            max(0, int(box[1] - room)) : int(box[3] + room) + 1, max(0, int(box[0] - room)) : int(box[2] + room) + 1
        ]
        if part.size < gray.size:
            return to_input(255 - part if inverted else part, size, fill=fill, least=1.0)
    left, top, side = _frame(box, width, height, fill, least)

    whole = _reduced(gray, _FINE * size / side)
    if whole is not gray:
        left, top, side = left * whole.shape[1] / width, top * whole.shape[0] / height, side * whole.shape[1] / width
    if inverted:
        whole = 255 - whole
    # what the frame takes in, levelled, on paper that reaches a pixel beyond it
    ax, ay, bx, by = int(np.floor(left)) - 1, int(np.floor(top)) - 1, int(left + side) + 2, int(top + side) + 2
    inner = (max(ax, 0), max(ay, 0), min(bx, whole.shape[1]), min(by, whole.shape[0]))
    rows, columns = slice(inner[1], inner[3]), slice(inner[0], inner[2])
    paper = _level(plane, whole.shape)[rows, columns]
    levelled = np.full((by - ay, bx - ax), 255, np.uint8)
    levelled[inner[1] - ay : inner[3] - ay, inner[0] - ax : inner[2] - ax] = np.clip(
        255.5 - (paper - whole[rows, columns]) * (255 / depth), 0, 255
    )
    square = Image.fromarray(levelled).resize(
        (size, size), Image.Resampling.BICUBIC, box=(left - ax, top - ay, left - ax + side, top - ay + side)
    )
    return np.asarray(square)


def _reduced(gray: Gray, scale: float) -> Gray:
    """A picture shrunk by averaging areas, or itself where `scale` is not below 1."""
    if scale >= 1:
        return gray
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))


def _frame(box: Box, width: int, height: int, fill: float, least: float) -> tuple[float, float, float]:
    """Left, top and side of the square that is cut out of a picture for ink in `box`; it may reach beyond it."""
    x0, y0, x1, y1 = box
    extent, cell = max(x1 - x0, y1 - y0), float(max(width, height))
    if extent < least * cell:
        side = extent / fill
        return (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side
    side = max(cell, extent / fill)
    free = side * (1 - fill) / 2
    # the picture's own cell is the square around it; the ink stays where it is in there, as far as it is free
    starts = []
    for low, high, length in ((x0, x1, width), (y0, y1, height)):
        start = (low + high) / 2 - side * ((low + high - length + cell) / 2 / cell)
        starts.append(min(max(start, high + free - side), low - free))
    return starts[0], starts[1], side


def _light_on_dark(look: Float) -> bool:
    """Whether the ink is the lighter part: by the larger share of the picture, and by what its rim consists of.

    A bold character may cover half of a tight picture, and a cell's printed frame may cover its rim: only both
    together, the picture counting twice, say that the paper is dark.
    """
    order = np.sort(look, axis=None)
    edge = min(2, len(order) - 1)  # the very darkest and lightest may be dust
    light = look >= (order[edge] + order[-1 - edge]) / 2
    rim = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    return bool(2 * np.count_nonzero(light) / light.size + np.count_nonzero(rim) / rim.size < 1.25)


@cache
def _grid(height: int, width: int) -> tuple[Float, Float]:
    """Where the middles of pixels or blocks lie between -1 and 1: columns (W,) and rows (H, 1)."""
    x, y = (((np.arange(n) + 0.5) * (2 / n) - 1).astype(np.float32) for n in (width, height))
    return x, y[:, None]


def _level(plane: tuple[float, float, float], shape: tuple[int, ...]) -> Float:
    """The gray (H, W) of paper that is lit as `plane` says."""
    x, y = _grid(shape[0], shape[1])
    level: Float = (np.float32(plane[1]) * x + np.float32(plane[2]) * y) + np.float32(plane[0])
    return level


def _paper(look: Float) -> tuple[float, float, float]:
    """The light of the paper as a plane: level in the middle, slope to the right, slope downwards."""
    height, width = look.shape[0] // _BLOCKS, look.shape[1] // _BLOCKS
    if not height or not width:
        return float(np.quantile(look, _PAPER)), 0.0, 0.0
    blocks = look[: height * _BLOCKS, : width * _BLOCKS].reshape(_BLOCKS, height, _BLOCKS, width).swapaxes(1, 2)
    rank = int(_PAPER * (height * width - 1))
    levels = np.sort(blocks.reshape(_BLOCKS * _BLOCKS, -1), axis=1)[:, rank]
    columns, fit = _plane_fit()
    plane = fit @ levels
    over = columns @ plane - levels
    paper = over < max(6.0, 0.15 * float(look.max() - look.min()))
    if len(levels) > np.count_nonzero(paper) >= len(levels) // 2:  # blocks that are mostly ink must not tilt the paper
        plane = np.linalg.lstsq(columns[paper], levels[paper], rcond=None)[0]
    return float(plane[0]), float(plane[1]), float(plane[2])


@cache
def _plane_fit() -> tuple[Float, Float]:
    """The columns 1, x, y of all blocks, and the matrix that fits them to the blocks' levels."""
    x, y = (np.broadcast_to(at, (_BLOCKS, _BLOCKS)).ravel() for at in _grid(_BLOCKS, _BLOCKS))
    columns = np.stack([np.ones_like(x), x, y], axis=1)
    return columns, np.linalg.pinv(columns)


def _mean3(ink: Float) -> Float:
    """The mean over 3 x 3 pixels, beyond the picture 0."""
    down = ink.copy()
    down[1:] += ink[:-1]
    down[:-1] += ink[1:]
    out = down.copy()
    out[:, 1:] += down[:, :-1]
    out[:, :-1] += down[:, 1:]
    out /= 9
    return out


def _ink_box(ink: Float) -> Box:
    """The box of the ink in pixels, but for a trace outside."""
    edges = []
    for axis in (0, 1):
        total = np.cumsum(ink.sum(axis=axis, dtype=np.float64))
        edges.append(np.searchsorted(total, (total[-1] * _TRIM, total[-1] * (1 - _TRIM))))
    (x0, x1), (y0, y1) = edges
    return float(x0), float(y0), float(x1 + 1), float(y1 + 1)
