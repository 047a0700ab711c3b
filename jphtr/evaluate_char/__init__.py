"""A classifier and pictures of known characters -> scores, through the very model that people use: scoring is reading."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jphtr.accuracy import Accuracy, Answers, TemperatureFit, accuracy, alike, answers, joined
from jphtr.bundle import Header
from jphtr.charset import BLANK, fold, script_of
from jphtr.errors import DataError
from jphtr.evaluate_char.data import Pictures
from jphtr.records import Gray

BATCH = 256  # pictures: their probabilities over 7,000 characters take 7 MB

_LISTED = 20  # characters that a message names


class Classifies(Protocol):
    """What is scored: `jphtr.classifier.Classifier`, or anything else that gives probabilities."""

    @property
    def header(self) -> Header: ...

    def probabilities(self, grays: Sequence[Gray]) -> NDArray[np.float32]:
        """Probabilities (N, C) float32, columns in the order of the header's charset."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """What pictures are told apart by: `place` (N,) int32 into `names`."""

    place: NDArray[np.int32]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """All answers of an evaluation, and of which picture each is.

    Attributes
    ----------
    model : its name or path.
    header : of the model.
    answers : to every picture whose character the model knows, in order.
    writer, set, style : of each picture.
    data : where the pictures came from; `source` (N,) int16 into it, `row` (N,) int64 inside it.
    lacking : how often each character came that the model does not know; these pictures are in no score.
    seconds : that it took, with reading of the pictures.
    fit : the search for a better temperature, if it was asked for.
    """

    model: str
    header: Header
    answers: Answers
    writer: Column
    set: Column
    style: Column
    data: tuple[Pictures, ...]
    source: NDArray[np.int16]
    row: NDArray[np.int64]
    lacking: Counter[str]
    seconds: float
    fit: TemperatureFit | None

    @cached_property
    def chars(self) -> tuple[str, ...]:
        """The characters of the model by label."""
        return self.header.characters.chars

    @cached_property
    def alike(self) -> NDArray[np.int32]:
        """The model's look-alikes, see `accuracy.alike`."""
        return alike(self.chars)

    @property
    def failed(self) -> list[DataError]:
        """What is wrong with the pictures that could not be read."""
        return [error for pictures in self.data for error in pictures.failed]

    @property
    def left_out(self) -> Counter[str]:
        """Pictures that nobody asks a classifier of single characters for, by the reason."""
        return sum((pictures.left_out for pictures in self.data), Counter())

    @property
    def fitted(self) -> float | None:
        """The temperature that a model whose outputs are right would have, None if it was not looked for."""
        return None if self.fit is None else self.header.temperature * self.fit.temperature

    def accuracy(self, mine: NDArray[np.bool_] | None = None, *, folded: bool = False) -> Accuracy:
        """Counts over all answers or some of them; `folded` takes look-alikes for right."""
        found, writer = self.answers, self.writer.place
        if mine is not None:
            found, writer = found.take(mine), writer[mine]
        return accuracy(found, writer, self.alike if folded else None)

    def groups(self) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
        """Column, value and mask (N,) of every group that is not simply everything."""
        scripts = [script_of(char) if char else "" for char in self.chars]
        names = tuple(dict.fromkeys(scripts))
        script = np.array([names.index(name) for name in scripts], np.int32)[self.answers.truth]
        columns = {"script": Column(script, names), "set": self.set, "style": self.style}
        for key, column in columns.items():
            there = np.unique(column.place).tolist()
            if len(there) > 1:
                yield from ((key, column.names[value] or "-", column.place == value) for value in there)

    def place(self, number: int) -> str:
        """Where picture `number` lies."""
        return self.data[int(self.source[number])].place(int(self.row[number]))

    def picture(self, number: int) -> Gray:
        """Picture `number`, read again."""
        return self.data[int(self.source[number])].picture(int(self.row[number]))


class _Names:
    """A column in the making."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._places = array("i")

    def extend(self, names: Sequence[str]) -> None:
        self._places.extend(self._names.setdefault(name, len(self._names)) for name in names)

    def column(self) -> Column:
        return Column(np.frombuffer(self._places, np.int32), tuple(self._names))


def evaluate(
    model: Classifies,
    name: str,
    data: Sequence[Pictures],
    *,
    fit: bool = False,
    batch_size: int = BATCH,
    done: Callable[[str, int], None] = lambda name, count: None,
) -> Report:
    """Classify pictures and lay the answers beside what they show.

    Memory does not grow by more than some sixty bytes a picture.

    Parameters
    ----------
    model : what is scored.
    name : what it is called in the report.
    data : the pictures, as `open_pictures` gives them.
    fit : look for the temperature that suits these pictures best, which should be none that the net was trained on.
    batch_size : pictures classified together, which changes no answer.
    done : told of each batch.

    Raises
    ------
    DataError
        If no picture shows a character that the model knows.
    """
    labels = {char: label for label, char in enumerate(model.header.characters.chars) if char}
    found: list[Answers] = []
    writer, set_, style, source, rows = _Names(), _Names(), _Names(), array("h"), array("q")
    lacking: Counter[str] = Counter()
    search = TemperatureFit() if fit else None
    began = time.perf_counter()
    for number, pictures in enumerate(data):
        for batch in pictures.batches(batch_size):
            truth = [labels.get(fold(char), BLANK) for char in batch.chars]
            known = [at for at, label in enumerate(truth) if label]
            lacking.update(batch.chars[at] for at, label in enumerate(truth) if not label)
            done(pictures.path.name, len(truth))
            if not known:
                continue
            probabilities = model.probabilities([batch.grays[at] for at in known])
            shown = np.array([truth[at] for at in known], np.int32)
            found.append(answers(probabilities, shown))
            if search is not None:
                search.add_probabilities(probabilities, shown)
            writer.extend([batch.writers[at] for at in known])
            set_.extend([batch.sets[at] for at in known])
            style.extend([batch.styles[at] for at in known])
            source.extend([number] * len(known))
            rows.extend(batch.rows[at] for at in known)
    seconds = time.perf_counter() - began
    if not found:
        paths = ", ".join(str(pictures.path) for pictures in data)
        raise DataError(f"{paths}: {_nothing(data, lacking)}")
    return Report(
        name, model.header, joined(found), writer.column(), set_.column(), style.column(), tuple(data),
        np.frombuffer(source, np.int16), np.frombuffer(rows, np.int64), lacking, seconds, search,
    )  # fmt: skip


def _nothing(data: Sequence[Pictures], lacking: Counter[str]) -> str:
    if lacking:
        return f"no picture of a character that the model knows, only of {listed(lacking)}; take another model or data"
    failed = sum(len(pictures.failed) for pictures in data)
    why = f": {failed} could not be read, such as {next(p.failed[0] for p in data if p.failed)}" if failed else ""
    return f"no upright picture of a known character to score{why}; take other data"


def listed(chars: Counter[str]) -> str:
    """Characters in the order of how often they came, not too many to read."""
    names = [char for char, _ in chars.most_common(_LISTED)]
    return "".join(names) + (f" and {len(chars) - _LISTED} more" if len(chars) > _LISTED else "")
