"""Chosen glyphs -> batches of squares. Sample i is a pure function of (seed, i), and a batch of (seed, its index)."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jphtr.cell import to_input
from jphtr.charset import SMALL_KANA, Charset, script_of
from jphtr.records import Gray
from jphtr.settings import AugmentSettings, TrainCharSettings
from jphtr.training.augment import augmented, check
from jphtr.training.glyphs import GlyphSet, Order
from jphtr.training.workers import made

_LEAST_SIDE = 16  # pixels of the smallest picture that is cut out
_CHUNK = 512  # validation glyphs read at a time

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Batch:
    """Squares `gray` (N, S, S) uint8, 255 for paper, and what they show: `label` (N,) int64."""

    gray: NDArray[np.uint8]
    label: NDArray[np.int64]


def needs_cell(charset: Charset) -> NDArray[np.bool_]:
    """Which labels cannot be told without their cell: small kana and signs."""
    return np.array([c == "" or c in SMALL_KANA or script_of(c) == "punctuation" for c in charset.chars])


def window(gray: Gray, box: tuple[float, float, float, float]) -> Gray:
    """The whole pixels (h, w) that a box (x0, y0, x1, y1) takes in, at least 16 each way; beyond the picture is paper."""
    x0, y0 = round(box[0]), round(box[1])
    x1, y1 = max(round(box[2]), x0 + _LEAST_SIDE), max(round(box[3]), y0 + _LEAST_SIDE)
    height, width = gray.shape
    out = np.full((y1 - y0, x1 - x0), 255, np.uint8)
    ax, ay, bx, by = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if ax < bx and ay < by:
        out[ay - y0 : by - y0, ax - x0 : bx - x0] = gray[ay:by, ax:bx]
    return out


def cell_of(gray: Gray, em: NDArray[np.float32], margin: float, shift: tuple[float, float] = (0.0, 0.0)) -> Gray:
    """The cell of a glyph: its em square, or the whole scan where none is known, with paper around.

    Parameters
    ----------
    gray : (H, W) uint8.
    em : (4,) x0, y0, x1, y1 in pixels, or NaN.
    margin : paper on all sides together, as a part of the cell's side.
    shift : how far the glyph stands off the middle, as parts of the side.
    """
    height, width = gray.shape
    x0, y0, x1, y1 = em.tolist() if em[0] == em[0] else (0.0, 0.0, float(width), float(height))
    side = max(x1 - x0, y1 - y0)
    middle = ((x0 + x1) / 2 - shift[0] * side, (y0 + y1) / 2 - shift[1] * side)
    half = side * (1 + margin) / 2
    return window(gray, (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half))


def tight(gray: Gray, rng: Rng) -> Gray:
    """A glyph cut out close to its ink, with up to a sixth of its size as paper on each side."""
    ink = gray < 160
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    if not len(columns):
        return gray
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    room = rng.uniform(0, 1 / 6, 4) * max(box[2] - box[0], box[3] - box[1])
    x0, y0, x1, y1 = (box + room * (-1, -1, 1, 1)).tolist()
    return window(gray, (x0, y0, x1, y1))


def picture(gray: Gray, em: NDArray[np.float32], whole: bool, rng: Rng, settings: AugmentSettings) -> Gray:
    """A glyph as somebody may hand it over: cut out in some way, and worn.

    Parameters
    ----------
    gray, em : as in `cell_of`.
    whole : whether it needs its cell and is never cut out tightly.
    rng : all that is drawn is drawn from here.
    settings : what may happen.
    """
    loose = rng.random() >= settings.tight
    least, most = settings.margin
    margin = least + (most - least) * float(rng.random()) ** 2  # mostly little
    dx, dy = rng.uniform(-settings.shift, settings.shift, 2).tolist()
    cut = cell_of(gray, em, margin, (dx, dy)) if loose or whole else tight(gray, rng)
    return augmented(cut, rng, settings.chances, settings.strength)


class Mixed(NamedTuple):
    """Pictures of a batch, what each shows, what else it shows, and the share of the first: 1.0 where nothing is mixed."""

    gray: NDArray[np.uint8]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: float


def mix(batch: Batch, settings: AugmentSettings, rng: Rng) -> Mixed:
    """A batch whose pictures are blended, or patched, with others of it; sometimes left as it is.

    Parameters
    ----------
    batch : the batch.
    settings : `mixup` and `cutmix`, of which one is drawn where both are above 0, and the chance `mixed`.
    rng : all that is drawn is drawn from here.
    """
    mixup, cutmix = settings.mixup, settings.cutmix
    if not (mixup or cutmix) or rng.random() >= settings.mixed:
        return Mixed(batch.gray, batch.label, batch.label, 1.0)
    patch = bool(cutmix) and (not mixup or rng.random() < 0.5)
    share = float(rng.beta(cutmix, cutmix) if patch else rng.beta(mixup, mixup))
    other = rng.permutation(len(batch.label))
    size = batch.gray.shape[1]
    if patch:
        side = round(size * (1 - share) ** 0.5)
        top, left = rng.integers(0, size - side + 1, 2).tolist()
        gray = batch.gray.copy()
        gray[:, top : top + side, left : left + side] = batch.gray[other, top : top + side, left : left + side]
        share = 1 - side * side / (size * size)
    else:
        blend = batch.gray.astype(np.float32) * share + batch.gray[other].astype(np.float32) * (1 - share)
        gray = (blend + 0.5).astype(np.uint8)
    return Mixed(gray, batch.label, batch.label[other], share)


class GlyphStream:
    """The batches of one training process, from any index on.

    Attributes
    ----------
    waited : seconds spent waiting for batches so far.
    """

    def __init__(
        self, glyphs: GlyphSet, charset: Charset, settings: TrainCharSettings, *, rank: int = 0, ranks: int = 1
    ) -> None:
        check(settings.augment.chances)
        self._glyphs, self._settings = glyphs, settings
        self._order = Order(glyphs, settings.run.seed)
        self._whole = needs_cell(charset)
        self._to_input = partial(
            to_input, size=settings.net.image_size, fill=settings.net.fill, least=settings.net.least
        )
        self._rank, self._ranks = rank, ranks
        self.waited = 0.0

    def batch(self, index: int) -> Batch:
        """Batch `index` of this process."""
        settings = self._settings
        count = settings.data.batch
        numbers = [(index * count + i) * self._ranks + self._rank for i in range(count)]
        return self._squares(self._glyphs, self._order.at(numbers), numbers, settings.augment, settings.run.seed)

    def validation(self, glyphs: GlyphSet) -> Batch:
        """All glyphs of a validation set, the same each time: in their cells, and worn as `data.valid_worn` says."""
        settings = self._settings
        margin, worn = settings.augment.margin[0], settings.data.valid_worn
        plain = settings.augment.model_copy(
            update={"margin": (margin, margin), "shift": 0.0, "tight": 0.0, "strength": worn}
        )
        every = np.arange(len(glyphs))
        parts = [
            self._squares(glyphs, some, some.tolist(), plain, 0)
            for some in np.split(every, range(_CHUNK, len(every), _CHUNK))
        ]
        return Batch(np.concatenate([part.gray for part in parts]), np.concatenate([part.label for part in parts]))

    def _squares(
        self, glyphs: GlyphSet, places: NDArray[np.intp], numbers: Sequence[int], augment: AugmentSettings, seed: int
    ) -> Batch:
        """The squares of the glyphs at some places of a set; each one's number leads to what happens to it."""
        chosen = glyphs.take(places)
        size = self._settings.net.image_size
        squares = np.empty((len(places), size, size), np.uint8)
        for file in np.unique(chosen.file).tolist():
            mine = np.flatnonzero(chosen.file == file)
            rows = chosen.row[mine]
            grays, ems = glyphs.files[file].grays(rows), glyphs.files[file].em[rows]
            for at, gray, em in zip(mine.tolist(), grays, ems, strict=True):
                rng = np.random.default_rng([seed, numbers[at], 3])
                whole = bool(self._whole[chosen.label[at]])
                squares[at] = self._to_input(picture(gray, em, whole, rng, augment))
        return Batch(squares, chosen.label.astype(np.int64))

    def batches(self, start: int = 0) -> Generator[Batch, None, None]:
        """Batches `start`, `start + 1`, ... without end."""
        stream = made(self.batch, start, self._settings.run.workers, 8)
        while True:
            began = time.perf_counter()
            batch = next(stream)
            self.waited += time.perf_counter() - began
            yield batch
