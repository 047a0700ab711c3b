"""Every line of an evaluation as it was read, and what can be counted over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import Script, script_of
from jphtr.evaluate.truth import Truth
from jphtr.metrics import FOLDINGS, Errors, Scores, align, count, counted, interval, paired
from jphtr.records import Box, CharSpan, Direction

FEW = 5  # writers or documents below which an interval over them would say little


@dataclass(frozen=True, slots=True)
class Scored:
    """A line as it was read, or `error` with the reason why it could not be."""

    truth: Truth
    text: str
    confidence: float
    direction: str
    error: str = ""
    spans: tuple[CharSpan, ...] = ()


class Interval(NamedTuple):
    """From where to where an error rate lies, and what was drawn to find out: "writers", "documents" or "lines", so
    many."""

    low: float
    high: float
    over: str
    number: int


class Judged(NamedTuple):
    """A character that was read: what the folded truth has there ("" if nothing), and whether it is that."""

    span: CharSpan
    truth: str
    right: bool


@dataclass(frozen=True, slots=True)
class Displaced:
    """How far the box of a character that was read right lies from the true one.

    Attributes
    ----------
    char, script : what it is.
    direction : of its line.
    centre : distance of the boxes' centres along the reading axis, in lengths of the true box along it.
    overlap : of the boxes: their common area by their joint one.
    """

    char: str
    script: Script
    direction: Direction
    centre: float
    overlap: float


Where = Callable[[Scored], bool]


@dataclass(frozen=True)
class Report:
    """All lines of an evaluation, and how long reading took.

    Attributes
    ----------
    model : the file.
    lines : every line, in order; those that could not be read are in no score.
    seconds : of reading, pictures decoded and all.
    decoder : with which it was read, in words.
    temperature : of the model.
    folding : a key of `FOLDINGS`, under which is counted if nothing else is said.
    """

    model: Path
    lines: tuple[Scored, ...]
    seconds: float
    decoder: str
    temperature: float = 1.0
    folding: str = "folded"
    _aligned: dict[str, list[list[tuple[str, str]]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _errors: dict[str, list[Errors]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def failed(self) -> list[Scored]:
        """The lines that could not be read."""
        return [line for line in self.lines if line.error]

    @cached_property
    def read(self) -> list[Scored]:
        """The lines that could."""
        return [line for line in self.lines if not line.error]

    @property
    def turned(self) -> list[Scored]:
        """The lines that were taken to run another way than they do."""
        return [line for line in self.read if line.truth.direction not in ("", line.direction)]

    def aligned(self, folding: str | None = None) -> list[list[tuple[str, str]]]:
        """Truth and reading of each line that was read, folded and laid beside each other."""
        name = folding or self.folding
        if name not in self._aligned:
            fold = FOLDINGS[name].fold
            self._aligned[name] = [align(fold(line.truth.text), fold(line.text)) for line in self.read]
        return self._aligned[name]

    def errors(self, folding: str | None = None, where: Where | None = None) -> list[Errors]:
        """Edits of each line that was read, or of those of them that `where` picks."""
        name = folding or self.folding
        if name not in self._errors:
            self._errors[name] = [count(aligned) for aligned in self.aligned(name)]
        both = zip(self.read, self._errors[name], strict=True)
        return [errors for line, errors in both if where is None or where(line)]

    def rate(self, folding: str | None = None, where: Where | None = None) -> float:
        """The CER of these lines."""
        return sum(self.errors(folding, where), Errors()).rate

    def scores(self, folding: str | None = None, where: Where | None = None) -> Scores:
        """Counts over the lines that were read, or over those of them that `where` picks."""
        both = zip(self.read, self.aligned(folding), strict=True)
        return counted(aligned for line, aligned in both if where is None or where(line))

    def groups(self) -> list[tuple[str, str, Where]]:
        """Column, value and test of every group that is not simply everything."""
        found: list[tuple[str, str, Where]] = []
        columns: dict[str, Callable[[Scored], str]] = {
            "kind": lambda line: line.truth.kind,
            "direction": lambda line: line.truth.direction,
        }
        for column, value_of in columns.items():
            values = sorted({value_of(line) for line in self.lines} - {""})
            if len(values) > 1:
                found += [(column, value, _is(value_of, value)) for value in values]
        return found

    def interval(self, folding: str | None = None, where: Where | None = None) -> Interval:
        """Bootstrap 95 % interval of the CER, over writers or documents where the truth names enough, else over lines."""
        lines = [line.truth for line in self.read if where is None or where(line)]
        errors = self.errors(folding, where)
        for over, keys in (("writers", [x.writer for x in lines]), ("documents", [x.document for x in lines])):
            if all(keys) and len(set(keys)) >= FEW:
                return Interval(*interval(errors, keys), over, len(set(keys)))
        return Interval(*interval(errors), "lines", len(lines))

    @cached_property
    def judged(self) -> list[list[Judged]]:
        """The characters that were read in each line, but for spaces, beside what the truth has in their places."""
        return [self._judge(line) for line in self.read]

    def _judge(self, line: Scored) -> list[Judged]:
        fold = FOLDINGS[self.folding].fold
        pieces = [fold(span.char) for span in line.spans]
        truths = paired(fold(line.truth.text), pieces)
        both = zip(line.spans, pieces, truths, strict=True)
        return [Judged(span, truth, truth == piece) for span, piece, (_, truth) in both if piece]

    def sureness(self, where: Where | None = None) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Confidence (N,) of every character that was read, or of those in lines that `where` picks, and whether it is
        right (N,)."""
        both = zip(self.read, self.judged, strict=True)
        found = [one for line, judged in both if where is None or where(line) for one in judged]
        confidence = np.array([one.span.confidence for one in found], np.float32)
        return confidence, np.array([one.right for one in found], np.bool_)

    @cached_property
    def displaced(self) -> list[Displaced]:
        """Every character that was read right and whose place is known."""
        return [one for line in self.read for one in self.displace(line)]

    def displace(self, line: Scored) -> Iterator[Displaced]:
        """The characters of one line, as in `displaced`."""
        if not line.truth.spans:
            return
        fold = FOLDINGS[self.folding].fold
        pieces = [fold(span.char) for span in line.spans]
        truths = paired([fold(span.char) for span in line.truth.spans], pieces)
        vertical = line.direction == "vertical"
        for span, piece, (place, truth) in zip(line.spans, pieces, truths, strict=True):
            if not piece or truth != piece:
                continue
            true = line.truth.spans[place]
            start, end, middle = _along(true.box, vertical)
            if end > start:  # else it lies outside the picture
                centre = abs(_along(span.box, vertical)[2] - middle) / (end - start)
                way: Direction = "vertical" if vertical else "horizontal"
                yield Displaced(true.char, script_of(true.char), way, centre, _overlap(span.box, true.box))


def _is(value_of: Callable[[Scored], str], value: str) -> Where:
    return lambda line: value_of(line) == value


def _along(box: Box, vertical: bool) -> tuple[float, float, float]:
    """Start, end and middle of a box along the reading axis."""
    start, end = (box[1], box[3]) if vertical else (box[0], box[2])
    return start, end, (start + end) / 2


def _overlap(a: Box, b: Box) -> float:
    """Common area of two boxes by their joint one."""
    common = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    joint = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - common
    return common / joint if joint else 0.0
