"""Lines from many sources -> one line file, looked at once more on the way.

Pixels are turned so that 255 is paper, as the geometry of reading finds it. Signs that no picture can show (format
characters, variation selectors) leave the texts. A writer who is not named is the document that the line stands on,
within its source.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from jphtr.charset import Charset, default, fold
from jphtr.errors import DataError, JphtrError, SettingsError
from jphtr.geometry import HEIGHT, STRIDE, guess_direction, prepare
from jphtr.records import Direction, Gray
from jphtr.sources.lines import LineRef, Notes, name_of, read_lines
from jphtr.splits import SPLITS, part_of
from jphtr.store.columns import Source
from jphtr.store.lines import StoredLine, WrittenLines
from jphtr.store.lines_write import write_lines

Split = Literal["writer", "line", "none"]

_LONGEST = 1 << 16  # pixels of strip in one line, which a reader takes
_LEAST = 0.1  # part of the lines that is kept for validation, where it is not the writers' names that decide


@dataclass(frozen=True, slots=True)
class Packing:
    """How lines are packed.

    Attributes
    ----------
    name, licence : of the data set; by default each source is called by its own name.
    text_name : the column or attribute that holds the text.
    writer : who wrote all lines. writer_from : a regular expression; what it finds in the name of a line, its first
        group if it has one, is the writer.
    direction : of all lines whose source does not say.
    split : "writer" never divides one; "line" keeps a tenth of the lines, drawn by chance, for validation; "none" leaves
        all for training. What a source says itself holds before.
    charset : characters outside are counted; by default those of the model in the package.
    """

    name: str = ""
    licence: str = ""
    text_name: str | None = None
    writer: str = ""
    writer_from: str = ""
    direction: Direction | Literal[""] = ""
    split: Split = "writer"
    charset: Charset = field(default_factory=default)


@dataclass(slots=True)
class Packed:
    """What became of the lines of some sources.

    Attributes
    ----------
    written : what the file holds.
    left_out : lines, or files of lines, about which an error was said.
    untold : places for lines that have no text yet.
    outside : characters that the charset lacks, with how often they stand there, in `outside_lines` lines.
    dense : names of lines with more characters than frames, which no net can learn; faint : of lines in which nothing
        stands out from the paper.
    invisible : signs that left the texts.
    divided : how the lines were split, if otherwise than asked for: "some writers" or "line"; else "".
    """

    written: WrittenLines | None = None
    left_out: int = 0
    untold: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    outside_lines: int = 0
    dense: list[str] = field(default_factory=list)
    faint: list[str] = field(default_factory=list)
    invisible: int = 0
    divided: str = ""


def pack(
    paths: Sequence[Path],
    output: Path,
    packing: Packing | None = None,
    *,
    on_error: Callable[[DataError], None] | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> Packed:
    """Write the lines of all sources into one line file, whole or not at all.

    Parameters
    ----------
    paths : files and folders, see `sources.lines`.
    output : the file; an older one is replaced.
    packing : how.
    on_error : called with what is wrong with a line, which is then left out; None raises it.
    done : called with the number of lines read so far.

    Raises
    ------
    DataError
        If a path is of no format, no line is left, or the file cannot be written.
    SettingsError
        If `writer_from` is no regular expression.
    """
    packing = packing or Packing()
    packed = Packed()
    sources: list[Source] = []  # known when the last line has come

    def left_out(error: DataError) -> None:
        if on_error is None:
            raise error
        packed.left_out += 1
        on_error(error)

    def lines() -> Iterator[StoredLine]:
        writer_of, count = _writer_of(packing), 0
        licences: dict[str, dict[str, None]] = {}
        for path in paths:
            notes = Notes(packing.text_name, left_out if on_error is not None else None)
            for ref in read_lines(Path(path), notes):
                count += 1
                done(count)
                source = packing.name or ref.source or name_of(Path(path))
                licences.setdefault(source, {})[packing.licence or ref.licence] = None
                try:
                    yield _stored(ref, source, writer_of(ref, source), packing, packed)
                except JphtrError as error:
                    left_out(DataError(str(error)))
            packed.untold += notes.untold
        sources.extend(Source(name, "", "; ".join(filter(None, told))) for name, told in licences.items())

    def divide(writers: Sequence[str], told: Sequence[int]) -> list[int]:
        parts, packed.divided = divide_lines(writers, told, packing.split)
        return parts

    about = {"split": packing.split}
    packed.written = write_lines(output, lines(), sources=sources, notes=about, divide=divide)
    return packed


def divide_lines(writers: Sequence[str], told: Sequence[int], split: Split) -> tuple[list[int], str]:
    """The part (a value of SPLITS) of every line, and how they were divided, if otherwise than asked for.

    By writer, sha256 of the name decides, as for glyphs. Where that leaves nothing to train on or to validate with,
    which is likely with few writers, some of them are kept for validation ("some writers"); where there is but one,
    some of the lines are ("line"): a tenth, and nothing for a test.

    Parameters
    ----------
    writers, told : of every line; `told` is 0 where the source says no part.
    split : what is asked for.
    """
    if split == "none":
        return [part or SPLITS["train"] for part in told], ""
    lines = [f"{writer} {place}" for place, writer in enumerate(writers)]
    if split == "line":
        return _keep_some(lines, told), ""
    parts = [part or part_of(writer) for writer, part in zip(writers, told, strict=True)]
    if all(told) or {SPLITS["train"], SPLITS["valid"]} <= set(parts):
        return parts, ""
    if len({writer for writer, part in zip(writers, told, strict=True) if not part}) > 1:
        return _keep_some(writers, told), "some writers"
    return _keep_some(lines, told), "line"


def _keep_some(keys: Sequence[str], told: Sequence[int]) -> list[int]:
    """Parts of lines: some keys, in the order of their sha256, are kept for validation, until it has its tenth."""
    count = Counter(key for key, part in zip(keys, told, strict=True) if not part)
    ranked = sorted(count, key=lambda key: hashlib.sha256(key.encode()).digest())
    kept: set[str] = set()
    if SPLITS["valid"] not in told:
        for key in ranked if SPLITS["train"] in told else ranked[:-1]:
            if sum(count[one] for one in kept) >= _LEAST * len(keys):
                break
            kept.add(key)
    return [part or SPLITS["valid" if key in kept else "train"] for key, part in zip(keys, told, strict=True)]


def _writer_of(packing: Packing) -> Callable[[LineRef, str], str]:
    """The key of a line's writer, from the line and the name of its source."""
    try:
        pattern = re.compile(packing.writer_from) if packing.writer_from else None
    except re.error as error:
        raise SettingsError(f"--writer-from {packing.writer_from}: not a regular expression: {error}") from None

    def writer_of(ref: LineRef, source: str) -> str:
        if packing.writer:
            return packing.writer
        if pattern is not None:
            if found := pattern.search(ref.name):
                return found[found.re.groups > 0] or found[0]
            raise DataError(f"{ref.name}: --writer-from {packing.writer_from} finds no writer in this name")
        return ref.writer or (f"{source}:{ref.document}" if ref.document else source)

    return writer_of


def _stored(ref: LineRef, source: str, writer: str, packing: Packing, packed: Packed) -> StoredLine:
    """A line as it is stored, and what is odd about it counted.

    Raises
    ------
    JphtrError
        If its picture cannot be read, or not be that of a line.
    """
    gray = ref.load()
    shorter, longer = sorted(gray.shape)
    if longer * HEIGHT > shorter * 2 * _LONGEST:
        raise DataError(
            f"{ref.name}: {gray.shape[1]} x {gray.shape[0]} pixels is too long for one line; cut it into parts"
        )
    text = "".join(c for c in ref.text if not _is_invisible(c))
    packed.invisible += len(ref.text) - len(text)
    direction: Direction | Literal[""] = ref.direction or packing.direction
    strip = prepare(gray, direction or guess_direction(gray)[0])
    if packing.charset.missing(text):
        packed.outside_lines += 1
        packed.outside.update(c for c in text if not packing.charset.covers(c))
    frames = -(-strip.gray.shape[1] // STRIDE)
    if text and not strip.has_ink:
        packed.faint.append(ref.name)
    elif len(folded := fold(text)) + sum(a == b for a, b in pairwise(folded)) > frames:
        packed.dense.append(ref.name)
    paper: Gray = np.subtract(255, gray, dtype=np.uint8) if strip.inverted and strip.has_ink else gray
    return StoredLine(paper, text, writer, source, direction, ref.kind, SPLITS.get(ref.split, 0))


def _is_invisible(char: str) -> bool:
    """Whether a sign only tells a program something: format characters, variation selectors."""
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
