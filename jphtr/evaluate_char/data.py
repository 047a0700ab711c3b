"""Pictures of known characters, from glyph files, folders and lists, a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK, fold
from jphtr.errors import DataError
from jphtr.image import load_gray
from jphtr.inventory import select
from jphtr.inventory.keys import Rows
from jphtr.records import Gray
from jphtr.sources import folder
from jphtr.store import GlyphFile, open_glyphs

SUFFIXES = (".h5", ".hdf5")
_UPRIGHT = 0  # value of a glyph's form


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pictures with what is known of each; `rows` lead back to them."""

    grays: list[Gray]
    chars: list[str]
    writers: list[str]
    sets: list[str]
    styles: list[str]
    rows: list[int]


class Pictures(Protocol):
    """Pictures that can be gone through once, and found again.

    Attributes
    ----------
    path : where they lie.
    left_out : how many are not gone through, by the reason.
    failed : what could not be read, known when all batches have gone by.
    """

    path: Path
    left_out: Counter[str]
    failed: list[DataError]

    def __len__(self) -> int: ...

    def batches(self, size: int) -> Iterator[Batch]:
        """All of them, at most `size` at a time."""

    def picture(self, row: int) -> Gray:
        """One of them again."""

    def place(self, row: int) -> str:
        """Where one of them lies, in words."""


def open_pictures(path: Path, where: Sequence[tuple[str, str]] = (), chars: str | None = None) -> Pictures:
    """The pictures of a glyph file (.h5), a folder with a folder for each character, or a list of pictures.

    Parameters
    ----------
    path : the file or folder; the two latter as in `sources.folder`.
    where : keys and values that a glyph must have, as `inventory.select` takes them; for glyph files only.
    chars : these characters only.

    Raises
    ------
    DataError
        If nothing is there, it is damaged, or no glyph is all that.
    """
    if path.suffix.lower() in SUFFIXES:
        return _Stored(path, where, chars)
    if where:
        key = where[0][0]
        raise DataError(f"{path}: no glyph file, so nothing in it can be chosen by {key}; leave that out")
    return _Loose(path, chars)


class _Stored:
    """The upright glyphs of known characters in a glyph file, each in its em square where that is known."""

    def __init__(self, path: Path, where: Sequence[tuple[str, str]], chars: str | None) -> None:
        self.path = path
        self.failed: list[DataError] = []
        self._file: GlyphFile = open_glyphs(path)
        rows = select(self._file, where, chars)
        known, upright = self._file.label[rows] != BLANK, self._file.form[rows] == _UPRIGHT
        self._rows: Rows = rows[known & upright]
        self.left_out = Counter(
            {
                "pictures of no known character": int(np.count_nonzero(~known)),
                "forms for vertical lines": int(np.count_nonzero(known & ~upright)),
            }
        )

    def __len__(self) -> int:
        return len(self._rows)

    def batches(self, size: int) -> Iterator[Batch]:
        file = self._file
        for start in range(0, len(self._rows), size):
            rows = self._rows[start : start + size]
            writers = [file.writers[at] for at in file.writer[rows].tolist()]
            yield Batch(
                [em_square(gray, em) for gray, em in zip(file.grays(rows), file.em[rows], strict=True)],
                [file.charset.chars[label] for label in file.label[rows].tolist()],
                writers,
                [file.sources[at].name for at in file.source[rows].tolist()],
                [file.styles.get(writer, "") for writer in writers],
                rows.tolist(),
            )

    def picture(self, row: int) -> Gray:
        return em_square(self._file.grays([row])[0], self._file.em[row])

    def place(self, row: int) -> str:
        return f"{self.path}:{row}"


class _Loose:
    """The pictures of a folder or a list."""

    def __init__(self, path: Path, chars: str | None) -> None:
        self.path = path
        self.failed: list[DataError] = []
        self.left_out: Counter[str] = Counter()
        self._wanted = None if chars is None else frozenset(chars) | frozenset(fold(chars))
        self._count = len(folder.pictures(path))
        self._root = path if path.is_dir() else path.parent
        self._paths: dict[int, str] = {}

    def __len__(self) -> int:
        return self._count

    def batches(self, size: int) -> Iterator[Batch]:
        # as they are: whether the ink is the lighter part is for the model to find out, as for people
        found = folder.read(self.path, ink="dark", on_error=self.failed.append)
        glyphs = (glyph for glyph in found if self._wanted is None or fold(glyph.char) in self._wanted)
        while some := list(islice(glyphs, size)):
            self._paths |= {glyph.index: glyph.meta["path"] for glyph in some}
            yield Batch(
                [glyph.gray for glyph in some],
                [glyph.char for glyph in some],
                [glyph.writer for glyph in some],
                [glyph.source for glyph in some],
                [""] * len(some),
                [glyph.index for glyph in some],
            )

    def picture(self, row: int) -> Gray:
        return load_gray(self._root / self._paths[row])

    def place(self, row: int) -> str:
        return str(self._root / self._paths[row])


def em_square(gray: Gray, em: NDArray[np.float32]) -> Gray:
    """A glyph (H, W) cut to its em square (4,) x0, y0, x1, y1 px; the whole picture where that is not known (NaN).

    What lies beyond the picture is paper.
    """
    if np.isnan(em).any():
        return gray
    x0, y0, x1, y1 = np.round(em).astype(int).tolist()
    room = max(0, -x0, -y0, x1 - gray.shape[1], y1 - gray.shape[0])
    if room:
        gray = np.pad(gray, room, constant_values=255)
    return gray[y0 + room : y1 + room, x0 + room : x1 + room]
