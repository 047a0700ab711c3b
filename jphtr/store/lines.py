"""A line file: pictures of lines with their texts in one HDF5 file, written whole or not at all.

Layout (N lines, one after the other in the order of writing):

    /gray (P,) u1          the pixels of all lines, row by row, 255 is paper; chunks of 64 KiB, deflated
    /shape (N, 2) i4       height and width of each; a line's pixels begin where those before it end
    /direction (N,) u1     0 not said, 1 horizontal, 2 vertical
    /split (N,) u1         1 train, 2 valid, 3 test; 0 none
    /writer, /source, /kind (N,) i4    places in the names below
    /letters (L,) u1       the texts, utf-8, NFC, one after the other, and /letters_end (N,) i8 where each ends
    /text/writers, sources, kinds, notes    JSON: names, sources with licences, how the file was made

Attributes: holds ("lines"), format, jphtr, digest. A writer's name is the key that a split never divides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from jphtr.errors import DataError
from jphtr.geometry import guess_direction
from jphtr.records import Direction, Gray, Line
from jphtr.store.columns import Source, _sha256, get_text
from jphtr.store.handle import OpenFile

FORMAT = 1
HOLDS = "lines"
DIRECTIONS: tuple[Direction | Literal[""], ...] = ("", "horizontal", "vertical")  # by the value of /direction
_HELD = 1 << 22  # bytes of pixels read at a time on the way through a file
_COLUMNS = ("shape", "direction", "split", "writer", "source", "kind", "letters", "letters_end")
_TEXTS = ("writers", "sources", "kinds", "notes")


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line on its way into a file; `direction` is "" where nobody says it, `split` the value that its source gives."""

    gray: Gray
    text: str
    writer: str
    source: str
    direction: Direction | Literal[""] = ""
    kind: str = ""
    split: int = 0


@dataclass(frozen=True, slots=True)
class WrittenLines:
    """What a line file holds: lines, writers and characters counted, and the content digest."""

    lines: int
    writers: int
    chars: int
    digest: str


def _content(file: h5py.File, gray: str) -> str:
    """sha256 over all pixels (`gray`, hexadecimal), every column and the texts, whatever the compression."""
    whole = hashlib.sha256(f"gray {gray}\n".encode())
    for name in _COLUMNS:
        whole.update(f"{name} {_sha256(file[name])}\n".encode())
    for name in _TEXTS:
        whole.update(f"{name} {get_text(file, name)}\n".encode())
    return whole.hexdigest()


class LineFile(OpenFile):
    """An open line file.

    Attributes
    ----------
    shape : (N, 2) int32 height and width. direction, split : (N,) uint8, see the layout.
    writer, source, kind : (N,) int32 places in `writers`, `sources`, `kinds`.
    digest, notes : what the file says about itself.
    """

    _called = "line file"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        file = self._open()
        try:
            if file.attrs.get("holds") != HOLDS:
                raise DataError(f"{path}: HDF5, but no line file; make one with jphtr pack")
            if int(file.attrs["format"]) != FORMAT:
                raise DataError(f"{path}: line file format {file.attrs['format']}, not {FORMAT}; pack it again")
            self.digest = str(file.attrs["digest"])
            self.version = str(file.attrs["jphtr"])
            self.writers: tuple[str, ...] = tuple(json.loads(get_text(file, "writers")))
            self.kinds: tuple[str, ...] = tuple(json.loads(get_text(file, "kinds")))
            self.sources = tuple(Source(**row) for row in json.loads(get_text(file, "sources")))
            self.notes: dict[str, Any] = json.loads(get_text(file, "notes"))
            self.shape: NDArray[np.int32] = file["shape"][()]
            self.direction: NDArray[np.uint8] = file["direction"][()]
            self.split: NDArray[np.uint8] = file["split"][()]
            self.writer: NDArray[np.int32] = file["writer"][()]
            self.source: NDArray[np.int32] = file["source"][()]
            self.kind: NDArray[np.int32] = file["kind"][()]
            self._letters = bytes(file["letters"][()])
            self._letters_end: NDArray[np.int64] = file["letters_end"][()]
            sizes = self.shape.astype(np.int64).prod(axis=1)
            self._ends = np.cumsum(sizes)
            if not len(sizes) or file["gray"].shape != (int(self._ends[-1]),):
                raise ValueError("its pixels do not fill its shapes")
        except (KeyError, ValueError, TypeError, OSError) as error:
            self.close()
            raise DataError(f"{path}: not a whole line file ({error}); pack it again") from error
        except DataError:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self.shape)

    def text(self, row: int) -> str:
        """The text of a line."""
        start = int(self._letters_end[row - 1]) if row else 0
        return self._letters[start : int(self._letters_end[row])].decode()

    def gray(self, row: int) -> Gray:
        """The pixels (H, W) uint8 of a line, 255 is paper.

        Raises
        ------
        DataError
            If the file is damaged there.
        """
        height, width = self.shape[row].tolist()
        end = int(self._ends[row])
        try:
            flat: Gray = self._open()["gray"][end - height * width : end]
        except OSError as error:
            raise DataError(f"{self.path}: line {row} is damaged ({error}); pack it again") from None
        return flat.reshape(height, width)

    def runs(self, row: int) -> Direction:
        """How the line of a row runs; where nobody said it, that follows from its picture, as for a reader."""
        return DIRECTIONS[self.direction[row]] or guess_direction(self.gray(row))[0]

    def line(self, row: int) -> Line:
        """The line of a row."""
        gray = self.gray(row)
        direction = DIRECTIONS[self.direction[row]] or guess_direction(gray)[0]
        source = self.sources[self.source[row]].name
        return Line(gray, self.text(row), self.writers[self.writer[row]], source, direction)

    def __iter__(self) -> Iterator[Line]:
        return (self.line(row) for row in range(len(self)))


def open_lines(path: Path) -> LineFile:
    """Open a line file for reading.

    Raises
    ------
    DataError
        If it is missing, cut short, no line file, or of a newer format.
    """
    return LineFile(path)


def is_line_file(path: Path) -> bool:
    """Whether a file is a line file, by what it says of itself; one that is damaged may still be."""
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("holds") == HOLDS)
    except OSError:
        return False


def line_sources(paths: Iterable[Path]) -> list[dict[str, str]]:
    """Name and licence of everything that the lines of some files came from, each once."""
    found: dict[str, str] = {}
    for path in paths:
        with open_lines(path) as file:
            found |= {source.name: source.licence for source in file.sources}
    return [{"name": name, "licence": licence} for name, licence in found.items()]


def verify_lines(path: Path) -> WrittenLines:
    """Read every byte of a line file and compare with its digest.

    Raises
    ------
    DataError
        If the content is not what was written.
    """
    with open_lines(path) as lines:
        gray, pixels = hashlib.sha256(), lines._open()["gray"]
        try:
            for start in range(0, len(pixels), _HELD):
                gray.update(np.ascontiguousarray(pixels[start : start + _HELD]).data)
            found = _content(lines._open(), gray.hexdigest())
        except OSError as error:
            raise DataError(f"{path}: damaged: {error}; pack it again") from error
        if found != lines.digest:
            raise DataError(f"{path}: content digest is {found[:12]}, the file says {lines.digest[:12]}; pack it again")
        return WrittenLines(len(lines), len(lines.writers), sum(map(len, map(lines.text, range(len(lines))))), found)
