"""Counts of a glyph file, or of some of its glyphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK
from jphtr.inventory.keys import NONE, Rows, check, explained, grouping, keys, script_number
from jphtr.inventory.published import Published, compare
from jphtr.sources.etl_codes import SCRIPTS
from jphtr.splits import SPLITS
from jphtr.store import GlyphFile, Input, Source

FEW = 5  # a class with fewer glyphs is counted apart: too few to learn it and to test it


@dataclass(frozen=True, slots=True)
class Spread:
    """How glyphs are spread over the classes or writers that have at least one.

    Attributes
    ----------
    number : of classes or writers.
    fewest, median, most : glyphs of one; 0 where there is none.
    few : how many have fewer than FEW glyphs.
    """

    number: int
    fewest: int
    median: float
    most: int
    few: int


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of a set, or of everything.

    Attributes
    ----------
    name : of the set.
    glyphs : pictures, those without a known character among them.
    unknown : pictures without a known character, label 0; they are no class.
    models : pictures of printed model letters, which nobody wrote.
    classes, writers : how many, and how glyphs are spread over them.
    splits : glyphs in train, valid, test and `none` of them; None where the set is not split.
    published : None where nothing is known, or the counts are of a selection.
    """

    name: str
    glyphs: int
    unknown: int
    models: int
    classes: Spread
    writers: Spread
    splits: dict[str, int] | None
    published: Published | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Glyphs counted by a key, as columns: there may be millions of values.

    Attributes
    ----------
    key : what they are counted by.
    names : the values that have a glyph, as texts, in the order of labels, of the file's names or of numbers.
    columns : (n,) int64 each: `glyphs`, `classes`, `writers` and, if the file is split, `train`, `valid` and `test`;
        no `classes` by class and no `writers` by writer.
    """

    key: str
    names: tuple[str, ...]
    columns: dict[str, NDArray[np.int64]]

    @property
    def heads(self) -> list[str]:
        """Names of what a row holds."""
        return [self.key, *(["code", "script"] if self.key == "class" else []), *self.columns]

    def rows(self) -> Iterator[list[str | int]]:
        """A row for each value; that of a class has its code point and its script behind the character."""
        for at, name in enumerate(self.names):
            yield [
                name,
                *(_of_class(name) if self.key == "class" else ()),
                *(int(c[at]) for c in self.columns.values()),
            ]

    def plain(self) -> list[dict[str, str | int]]:
        """The rows with their heads, for JSON."""
        return [dict(zip(self.heads, row, strict=True)) for row in self.rows()]


def _of_class(name: str) -> tuple[str, str]:
    return (NONE, NONE) if name == NONE else (f"U+{ord(name):04X}", [*SCRIPTS][script_number(name)])


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a glyph file, or a selection of its glyphs, holds.

    Attributes
    ----------
    path, format, version, digest, normalisation, sources, inputs : as the file says; `version` is of the jphtr that
        wrote it, "" if it does not say.
    glyphs_in_file, height, width : of the file, whatever is selected.
    file_bytes, pixel_bytes, raw_pixel_bytes : on disk all and pixels only, and what the pixels take unpacked.
    compression : of the pixels, as HDF5 calls it; None if they lie as they are.
    total, sets : the counts; sets in the order of the file, those without a selected glyph left out.
    divided_writers : writers with glyphs in more than one part of the split; None without a split.
    scripts, styles : glyphs by script and by style; None where no writer has a style.
    chars : every character that has a glyph, in label order.
    keys : what the file can be counted by.
    """

    path: str
    format: int
    version: str
    digest: str
    glyphs_in_file: int
    height: int
    width: int
    file_bytes: int
    pixel_bytes: int
    raw_pixel_bytes: int
    compression: str | None
    normalisation: dict[str, Any]
    total: Tally
    sets: tuple[Tally, ...]
    divided_writers: int | None
    scripts: Counts
    styles: Counts | None
    chars: str
    keys: tuple[str, ...]
    sources: tuple[Source, ...]
    inputs: tuple[Input, ...]

    def plain(self) -> dict[str, Any]:
        """Everything as JSON knows it."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **kept,
            "total": asdict(self.total),
            "sets": [asdict(tally) for tally in self.sets],
            "scripts": self.scripts.plain(),
            "styles": self.styles.plain() if self.styles else [],
            "sources": [asdict(source) for source in self.sources],
            "inputs": [asdict(one) for one in self.inputs],
        }


def take_inventory(glyphs: GlyphFile, rows: Rows | None = None) -> Inventory:
    """Count what a glyph file holds.

    Parameters
    ----------
    glyphs : an open file.
    rows : count these glyphs only, as `select` gives them; None counts all and compares with what was published.

    Raises
    ------
    DataError
        If columns of the file are damaged.
    """
    check(glyphs)
    with explained(glyphs):
        attributes = glyphs.gray.file.attrs
        split = _split(glyphs, rows)
        label = _of(glyphs.label, rows)
        present = np.bincount(label, minlength=len(glyphs.charset)) > 0
        return Inventory(
            path=str(glyphs.path),
            format=int(attributes["format"]),
            version=str(attributes.get("jphtr", "")),
            digest=glyphs.digest,
            glyphs_in_file=len(glyphs),
            height=glyphs.shape[0],
            width=glyphs.shape[1],
            file_bytes=glyphs.path.stat().st_size,
            pixel_bytes=glyphs.gray.id.get_storage_size(),
            raw_pixel_bytes=glyphs.gray.size,
            compression=glyphs.gray.compression,
            normalisation=glyphs.normalisation,
            total=next(_tallies(glyphs, rows, np.zeros(len(label), np.int64), ["all"], split)),
            sets=tuple(_sets(glyphs, rows, split)),
            divided_writers=None if split is None else _divided(_of(glyphs.writer, rows), split),
            scripts=count(glyphs, "script", rows),
            styles=count(glyphs, "style", rows) if "style" in keys(glyphs) else None,
            chars="".join(char for char, there in zip(glyphs.charset.chars, present, strict=True) if there),
            keys=keys(glyphs),
            sources=glyphs.sources,
            inputs=glyphs.inputs,
        )


def count(glyphs: GlyphFile, key: str, rows: Rows | None = None) -> Counts:
    """Count glyphs by a key.

    Parameters
    ----------
    glyphs : an open file.
    key : one of `keys`.
    rows : count these glyphs only; None counts all.

    Raises
    ------
    DataError
        If the file has no such key; the message names those that it has. If columns of it are damaged.
    """
    check(glyphs)
    group = grouping(glyphs, key)
    place, label, number = _of(group.place, rows), _of(glyphs.label, rows), len(group.names)
    columns = {"glyphs": np.bincount(place, minlength=number)}
    if key != "class":
        known = label != BLANK
        columns["classes"] = _distinct(place[known], label[known], number)
    if key != "writer":
        columns["writers"] = _distinct(place, _of(glyphs.writer, rows), number)
    if key != "split" and (split := _split(glyphs, rows)) is not None:
        columns |= {part: np.bincount(place[split == value], minlength=number) for part, value in SPLITS.items()}
    used = np.flatnonzero(columns["glyphs"])
    names = tuple(group.names[at] for at in used.tolist())
    return Counts(key, names, {name: column[used] for name, column in columns.items()})


def _of(column: NDArray[Any], rows: Rows | None) -> NDArray[Any]:
    return column if rows is None else column[rows]


def _split(glyphs: GlyphFile, rows: Rows | None) -> NDArray[np.int64] | None:
    """Values of SPLITS, 0 being none; None if no set of the file is split."""
    return _of(grouping(glyphs, "split").place, rows) if "split" in keys(glyphs) else None


def _tallies(
    glyphs: GlyphFile,
    rows: Rows | None,
    place: NDArray[np.int64],
    names: Sequence[str],
    split: NDArray[np.int64] | None,
) -> Iterator[Tally]:
    """Counts of the groups that have glyphs; `place` into names and `split` are those of the rows."""
    label, number, parts = _of(glyphs.label, rows), len(names), [*SPLITS, NONE]
    known = label != BLANK
    every = np.bincount(place, minlength=number)
    unknown = np.bincount(place[~known], minlength=number)
    models = np.zeros(number, np.int64)
    if "model" in keys(glyphs):
        models = np.bincount(place[_of(glyphs.column("model"), rows) != 0], minlength=number)
    classes = _spreads(place[known], label[known], number)
    writers = _spreads(place, _of(glyphs.writer, rows), number)
    values = [*SPLITS.values(), 0]
    splits = split if split is None else [np.bincount(place[split == value], minlength=number) for value in values]
    for at in np.flatnonzero(every).tolist():
        yield Tally(
            names[at], int(every[at]), int(unknown[at]), int(models[at]), classes[at], writers[at],
            None if splits is None else {part: int(own[at]) for part, own in zip(parts, splits, strict=True)},
        )  # fmt: skip


def _sets(glyphs: GlyphFile, rows: Rows | None, split: NDArray[np.int64] | None) -> Iterator[Tally]:
    names = [source.name for source in glyphs.sources]
    for tally in _tallies(glyphs, rows, _of(glyphs.source, rows).astype(np.int64), names, split):
        is_split = "split" in glyphs.columns.get(tally.name, ())
        published = compare(glyphs, tally.name) if rows is None else None
        yield replace(tally, splits=tally.splits if is_split else None, published=published)


def _pairs(place: NDArray[np.int64], other: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The group of each different pair of a group and something else, in rising order, and how often it occurs."""
    width = int(other.max()) + 1 if len(other) else 1
    pairs, often = np.unique(place * width + other, return_counts=True)
    return pairs // width, often


def _distinct(place: NDArray[np.int64], other: NDArray[Any], number: int) -> NDArray[np.int64]:
    """How many different others every group has."""
    found: NDArray[np.int64] = np.bincount(_pairs(place, other)[0], minlength=number)
    return found


def _spreads(place: NDArray[np.int64], other: NDArray[Any], number: int) -> list[Spread]:
    """How the glyphs of every group are spread over others."""
    group, often = _pairs(place, other)
    spreads = []
    for own in np.split(often, np.searchsorted(group, np.arange(1, number))):
        few = int(np.count_nonzero(own < FEW))
        ends = (int(own.min()), float(np.median(own)), int(own.max())) if len(own) else (0, 0.0, 0)
        spreads.append(Spread(len(own), *ends, few))
    return spreads


def _divided(writer: NDArray[np.int32], split: NDArray[np.int64]) -> int:
    """Writers with glyphs in more than one part; what is in no part does not count."""
    own = split > 0
    parts = _distinct(writer[own].astype(np.int64), split[own], 0)
    return int(np.count_nonzero(parts > 1))
