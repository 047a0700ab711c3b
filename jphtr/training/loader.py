"""Composed lines -> batches. Sample i of a stream is a pure function of (seed, i), and a batch of (seed, its index).

So neither the number of worker processes nor an interruption changes what a net sees. Lines are composed in chunks of
one batch each; a pool of chunks is sorted by width, cut into batches of nearly equal lines, and the order of these is
shuffled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from jphtr.charset import BLANK, Charset
from jphtr.compose.plan import Plan
from jphtr.errors import DataError
from jphtr.geometry import HEIGHT, STRIDE, prepare
from jphtr.records import Gray, Line
from jphtr.training.workers import made

IGNORE = -100  # a frame about which the boxes say nothing
_TRIES = 50  # lines drawn for one sample before the stream is called unusable


class LineSource(Protocol):
    """What composes lines: `jphtr.compose.Composer`, or anything else with this method."""

    def line(self, rng: np.random.Generator) -> Line | Plan:
        """The line that this generator leads to, or the plan of one that is drawn where the net is."""


OpenSource = Callable[[], LineSource]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line as a net learns it: `gray` (48, W) uint8, `labels` (L,) int32, `frames` (T,) int32 frame targets.

    Of a line that is drawn later `gray` is its plan.
    """

    gray: Gray | Plan
    labels: NDArray[np.int32]
    frames: NDArray[np.int32]

    @property
    def width(self) -> int:
        """Pixels of the strip along the line."""
        return self.gray.width if isinstance(self.gray, Plan) else self.gray.shape[1]


class Paints(Protocol):
    """What draws plans: `jphtr.training.paint.Painter`."""

    def paint(self, plans: Sequence[Plan], width: int) -> torch.Tensor:
        """(N, 48, width) uint8 strips."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines side by side.

    Attributes
    ----------
    gray : (N, 48, W) uint8, padded on the right with 255; W is a multiple of 8; on the device that its plans were drawn on.
    widths : (N,) int64 true widths in pixels.
    labels : flat int32 labels of all lines; `lengths` (N,) int64 says how many belong to each.
    frames : (N, W / 8) int32 label of each frame where the boxes tell, else -100.
    """

    gray: torch.Tensor
    widths: NDArray[np.int64]
    labels: NDArray[np.int32]
    lengths: NDArray[np.int64]
    frames: NDArray[np.int32]


def frame_targets(labels: NDArray[np.int32], boxes: NDArray[np.float64], width: int) -> NDArray[np.int32]:
    """What each frame of a line should say (ceil(width / 8),) int32.

    A character's label stands in the frames whose centre lies in the middle half of its box, and at least in the one
    nearest to its middle; blank stands where no box reaches; everything between is left open (-100).

    Parameters
    ----------
    labels : (L,) labels of the characters.
    boxes : (L, 2) their first and last pixel along the strip.
    width : width of the strip.
    """
    count = -(-width // STRIDE)
    centres = (np.arange(count) + 0.5) * STRIDE
    targets = np.full(count, BLANK, np.int32)
    if not len(labels):
        return targets
    start, end = boxes[:, 0], boxes[:, 1]
    middle, size = (start + end) / 2, end - start
    away = np.abs(centres[None] - middle[:, None])  # (L, T)
    targets[(away <= size[:, None] / 2 + 1).any(axis=0)] = IGNORE
    owner = away.argmin(axis=0)
    inner = away[owner, np.arange(count)] <= size[owner] / 4
    targets[inner] = labels[owner[inner]]
    nearest = np.clip((middle // STRIDE).astype(int), 0, count - 1)
    targets[nearest] = labels
    return targets


def sample(line: Line | Plan, charset: Charset) -> Sample | None:
    """A line or a plan as a net learns it, or None if its frames are too few for its text.

    Raises
    ------
    DataError
        If the line's spans do not stand for its text, character by character.
    CharsetError
        If the text has characters without a label.
    """
    labels = charset.encode(line.text)
    least = len(labels) + int((labels[1:] == labels[:-1]).sum())
    if isinstance(line, Plan):
        if least > -(-line.width // STRIDE):
            return None
        return Sample(line, labels, frame_targets(labels, line.along(), line.width))
    strip = prepare(line.gray, line.direction)
    width = strip.gray.shape[1]
    count = -(-width // STRIDE)
    if least > count or (len(labels) and not strip.has_ink):
        return None
    if line.spans:
        if len(line.spans) != len(labels):
            raise DataError(f"{line.source}: {len(line.spans)} boxes for the {len(labels)} characters of {line.text!r}")
        boxes = np.array([strip.from_source(span.box) for span in line.spans])[:, [0, 2]]
        frames = frame_targets(labels, boxes, width)
    else:
        frames = np.full(count, IGNORE if len(labels) else BLANK, np.int32)
    return Sample(strip.gray, labels, frames)


def draw(source: LineSource, charset: Charset, seed: int, index: int) -> tuple[Sample, int]:
    """Sample `index` of the stream `seed`, and how many lines were passed over because they were too dense to read.

    Raises
    ------
    DataError
        If hardly any line of the source can be used.
    """
    rng = np.random.default_rng([seed, index])
    for tries in range(_TRIES):
        found = sample(source.line(rng), charset)
        if found is not None:
            return found, tries
    raise DataError(f"lines: none of {_TRIES} has as many frames as characters; compose them larger")


def collate(samples: Sequence[Sample], painter: Paints | None = None) -> Batch:
    """Samples side by side, padded to the widest; those that are plans are drawn by `painter`."""
    widths = np.array([s.width for s in samples], np.int64)
    count = -(-int(widths.max()) // STRIDE)
    gray = np.full((len(samples), HEIGHT, count * STRIDE), 255, np.uint8)
    frames = np.full((len(samples), count), IGNORE, np.int32)
    plans: dict[int, Plan] = {}
    for i, s in enumerate(samples):
        frames[i, : len(s.frames)] = s.frames
        if isinstance(s.gray, Plan):
            plans[i] = s.gray
        else:
            gray[i, :, : s.width] = s.gray
    strips = torch.from_numpy(gray)
    if plans:
        if painter is None:
            raise ValueError("plans need a painter")
        painted = painter.paint(list(plans.values()), count * STRIDE)
        strips = strips.to(painted.device)
        strips[torch.tensor(list(plans), device=painted.device)] = painted
    lengths = np.array([len(s.labels) for s in samples], np.int64)
    return Batch(strips, widths, np.concatenate([s.labels for s in samples]), lengths, frames)


def split(batch: Sequence[Sample], max_frames: int) -> list[list[Sample]]:
    """A batch sorted by width cut into parts that hold at most `max_frames` frames, padding included."""
    parts: list[list[Sample]] = []
    for s in sorted(batch, key=lambda s: s.width):
        count = -(-s.width // STRIDE)
        if parts and (len(parts[-1]) + 1) * count <= max_frames:
            parts[-1].append(s)
        else:
            parts.append([s])
    return parts


class _Chunks:
    """Chunk k holds samples k * size ... of one process's share of the stream."""

    def __init__(self, open_source: OpenSource, charset: Charset, seed: int, size: int, rank: int, ranks: int) -> None:
        self.open_source, self.charset, self.seed, self.size = open_source, charset, seed, size
        self.rank, self.ranks = rank, ranks
        self.source: LineSource | None = None

    def __call__(self, chunk: int) -> tuple[list[Sample], int, float]:
        """The samples of a chunk, how many lines were passed over for them, and the seconds it took."""
        if self.source is None:  # opened in the process that uses it: HDF5 handles must not cross a fork
            self.source = self.open_source()
        began = time.perf_counter()
        first = chunk * self.size
        drawn = [
            draw(self.source, self.charset, self.seed, i * self.ranks + self.rank)
            for i in range(first, first + self.size)
        ]
        return [s for s, _ in drawn], sum(tries for _, tries in drawn), time.perf_counter() - began


class LineStream:
    """The batches of one training process, from any index on.

    Parameters
    ----------
    open_source : makes the composer; called once in every process that composes.
    charset : gives the labels.
    seed : names the stream.
    batch, pool : lines in a batch; batches in a pool.
    workers : composing processes; 0 composes when a batch is asked for.
    rank, ranks : which of how many training processes this is; each takes its own samples.

    Attributes
    ----------
    waited : seconds spent waiting for the composer so far.
    drawn : lines composed so far, and `composed` the seconds that took, in all workers.
    dropped : lines passed over so far because they have fewer frames than characters.
    """

    def __init__(
        self,
        open_source: OpenSource,
        charset: Charset,
        *,
        seed: int,
        batch: int,
        pool: int,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._chunks = _Chunks(open_source, charset, seed, batch, rank, ranks)
        self._seed, self._batch, self._pool, self._workers = seed, batch, pool, workers
        self.waited = self.composed = 0.0
        self.dropped = self.drawn = 0

    def batches(self, start: int = 0) -> Generator[list[Sample], None, None]:
        """Batches `start`, `start + 1`, ... without end, each a list of samples sorted by width."""
        pool_index, skip = divmod(start, self._pool)
        ahead = 2 * self._pool // self._workers if self._workers else 0
        chunks = made(self._chunks, pool_index * self._pool, self._workers, ahead)
        while True:
            began = time.perf_counter()
            pool: list[Sample] = []
            for _ in range(self._pool):
                samples, dropped, seconds = next(chunks)
                pool += samples
                self.dropped += dropped
                self.composed += seconds
                self.drawn += len(samples)
            self.waited += time.perf_counter() - began
            pool.sort(key=lambda s: s.width)  # stable: equal widths keep the order of the stream
            order = np.random.default_rng([self._seed, pool_index, 1]).permutation(self._pool)
            for b in order[skip:]:
                yield pool[b * self._batch : (b + 1) * self._batch]
            pool_index, skip = pool_index + 1, 0
