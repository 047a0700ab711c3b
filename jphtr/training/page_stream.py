"""Pieces of composed pages with their targets, batch after batch; batch b is a function of b and the seed.

A page takes longer to compose than to learn from, so pages are kept in a folder and shown again, cut otherwise.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.compose.page import PageComposer
from jphtr.errors import DataError
from jphtr.records import Gray, LineRegion, Page
from jphtr.segment.page_files import page_from, page_json
from jphtr.settings import PageDataSettings
from jphtr.training.page_targets import page_targets
from jphtr.training.workers import made
from jphtr.whole import write_whole

Rng = np.random.Generator
_QUALITY = 92  # of the JPEG files that pages are kept in
_AS_READ = (1000.0, 1800.0)  # pixels of a page's longer side as it is read
_TO_READ = 0.6  # share of the pieces that are of this size; others are sized by their characters


@dataclass(frozen=True, slots=True)
class PageBatch:
    """Pieces `gray` (N, S, S) uint8 with targets `kinds` (N, S/4, S/4) and `extents` (N, 2, S/4, S/4)."""

    gray: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    extents: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.gray)


class PageFolder:
    """Composed pages in a folder, each composed when it is first asked for.

    Parameters
    ----------
    folder : made when missing.
    seed : page i is `composer.page(default_rng([seed, i]))`, as a JPEG file shows it.
    open_composer : called when a page is missing, once.

    Raises
    ------
    DataError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, seed: int, open_composer: Callable[[], PageComposer]) -> None:
        self.folder, self.seed = folder, seed
        self._composer = functools.cache(open_composer)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be made ({error.strerror}); choose another data.cache") from None

    def page(self, index: int) -> tuple[Gray, Page]:
        """Page `index`: its picture, and what stands on it.

        Raises
        ------
        DataError
            If its files are broken.
        """
        name = self.folder / f"{self.seed}-{index:06d}.jpg"
        truth = name.with_suffix(".json")
        if not (truth.exists() and name.exists()):
            gray, page = self._composer().page(np.random.default_rng([self.seed, index]))
            _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            write_whole(name, data.tobytes())
            write_whole(truth, json.dumps(page_json(page), ensure_ascii=False).encode())
        picture = cv2.imread(str(name), cv2.IMREAD_GRAYSCALE)
        try:
            page = page_from(json.loads(truth.read_text("utf-8")), str(truth))
        except ValueError:
            raise DataError(f"{truth}: not JSON; delete it, and it will be made again") from None
        if picture is None:
            raise DataError(f"{name}: broken picture; delete it, and it will be made again")
        return np.asarray(picture, np.uint8), page


class PageStream:
    """Batches without end.

    Parameters
    ----------
    pages : where pages come from.
    settings : how they are cut.
    seed : of everything drawn here.
    workers : processes that cut and compose.
    rank, ranks : which of how many processes this is; each has batches of its own.
    """

    def __init__(
        self, pages: PageFolder, settings: PageDataSettings, seed: int, workers: int, rank: int = 0, ranks: int = 1
    ) -> None:
        self.pages, self.settings, self.seed, self.workers = pages, settings, seed, workers
        self.rank, self.ranks = rank, ranks
        self.waited = 0.0

    def batches(self, start: int) -> Generator[PageBatch, None, None]:
        """Batches from number `start` of this process on."""
        source = made(self.batch, start, self.workers, 4)
        while True:
            began = time.perf_counter()
            batch = next(source)
            self.waited += time.perf_counter() - began
            yield batch

    def batch(self, number: int) -> PageBatch:
        """Batch `number` of this process."""
        settings = self.settings
        rng = np.random.default_rng([self.seed, 3, self.rank, number])
        each = min(settings.crops, settings.batch)
        opened = -(-settings.batch // each)
        first = (number * self.ranks + self.rank) * opened
        parts: list[tuple[Gray, NDArray[np.uint8], NDArray[np.float32]]] = []
        for n in range(first, first + opened):
            gray, page = self.pages.page(self._index(n))
            for _ in range(min(each, settings.batch - len(parts))):
                parts.append(piece(gray, page, settings, rng))
        grays, kinds, extents = zip(*parts, strict=True)
        return PageBatch(np.stack(grays), np.stack(kinds), np.stack(extents))

    def _index(self, number: int) -> int:
        """Which page is opened as number so-and-so: in order at first, then shuffled anew each time round."""
        lap, place = divmod(number, self.settings.pages)
        if lap == 0:
            return place
        return int(np.random.default_rng([self.seed, 4, lap]).permutation(self.settings.pages)[place])


def piece(
    gray: Gray, page: Page, settings: PageDataSettings, rng: Rng
) -> tuple[Gray, NDArray[np.uint8], NDArray[np.float32]]:
    """A square piece of a page as the net may see it, and its targets."""
    regions = [line.region for line in page.lines]
    side = settings.side
    texts = [_height(r) for r in regions if r.kind == "text"]
    if texts and rng.random() >= _TO_READ:
        scale = float(np.exp(rng.uniform(*np.log(settings.em)))) / max(float(np.median(texts)), 1.0)
    else:
        scale = float(np.exp(rng.uniform(*np.log(_AS_READ)))) / max(gray.shape)
    wide = round(side / float(np.clip(scale, 0.15, 1.6)))
    if regions and rng.random() < 0.85:
        quad = np.array(regions[int(rng.integers(len(regions)))].quad)
        middle = rng.dirichlet(np.ones(4)) @ quad
    else:
        middle = rng.uniform(0, 1, 2) * gray.shape[::-1]
    origin = [0, 0]
    for axis, size in enumerate(gray.shape[::-1]):
        slack = int(0.15 * min(wide, size)) if rng.random() < 0.3 else 0
        low, high = min(0, size - wide) - slack, max(0, size - wide) + slack
        at = float(middle[axis]) - wide * float(rng.uniform(0.1, 0.9))
        origin[axis] = int(np.clip(at, low, high)) if size > wide else int(rng.integers(low, high + 1))
    cut = _cut(gray, origin[0], origin[1], wide)
    scale = side / wide
    shown: Gray = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    kinds, extents = page_targets(regions, scale, (float(origin[0]), float(origin[1])), shown.shape)
    return _light(shown, rng), kinds, extents


def _height(region: LineRegion) -> float:
    """Pixels across the line."""
    a, b, _, d = np.array(region.quad)
    return float(np.hypot(*(d - a)) if region.direction == "horizontal" else np.hypot(*(b - a)))


def _cut(gray: Gray, x: int, y: int, wide: int) -> Gray:
    """A square of a picture; beyond its edges they go on as they are."""
    rows = np.clip(np.arange(y, y + wide), 0, gray.shape[0] - 1)
    columns = np.clip(np.arange(x, x + wide), 0, gray.shape[1] - 1)
    found: Gray = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1][
        np.ix_(rows - rows[0], columns - columns[0])
    ]
    return found


def _light(gray: Gray, rng: Rng) -> Gray:
    """Another light, and seldom the negative."""
    if rng.random() < 0.3:
        span, level = float(rng.uniform(0.4, 1.1)), float(rng.uniform(-30, 30))
        gray = np.clip((gray - 127.5) * span + 127.5 + level, 0, 255).astype(np.uint8)
    return 255 - gray if rng.random() < 0.03 else gray
