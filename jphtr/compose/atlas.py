"""Glyphs in memory, found by writer and label: what lines are composed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import Charset
from jphtr.errors import DataError
from jphtr.records import Gray
from jphtr.store import open_glyphs

CANVAS = 64


@dataclass(frozen=True, slots=True)
class Patch:
    """One glyph: `gray` (64, 64) uint8; `em` (4,) float px, NaN for a tightly cut glyph; `advance` in em or NaN.

    `row` is where it stands among all glyphs of its atlas, in the order of `Atlas.grays`.
    """

    gray: Gray
    em: NDArray[np.float32]
    advance: float
    form: int
    row: int


class Atlas:
    """All glyphs of some glyph files, in the labels of `charset`.

    A writer whom another file has too, in the same style, is one person, whose glyphs are chosen from both. A file that is
    named again holds other people: so its writers come more often.

    Pixels are held as one array a file, so that forked workers share them.

    Raises
    ------
    DataError
        If the files hold no glyph of the charset.
    """

    def __init__(self, paths: Sequence[Path], charset: Charset, styles: dict[str, str] | None = None) -> None:
        self.charset = charset
        self._gray: list[Gray] = []
        self._em: list[NDArray[np.float32]] = []
        self._advance: list[NDArray[np.float32]] = []
        rows: list[NDArray[np.int64]] = []
        known: dict[tuple[int, str, str], int] = {}
        for number, path in enumerate(paths):
            with open_glyphs(path) as file:
                if file.shape != (CANVAS, CANVAS):
                    raise DataError(f"{path}: glyphs of {file.shape}, composing needs 64 x 64; render again")
                to_label = np.array(
                    [charset.label(c) if c and charset.covers(c) else -1 for c in file.charset.chars], np.int64
                )
                label = to_label[file.label]
                own = [(styles or {}).get(w, file.styles.get(w, "print")) for w in file.writers]
                again = list(paths[:number]).count(path)
                writer = np.array(
                    [known.setdefault((again, *who), len(known)) for who in zip(own, file.writers, strict=True)],
                    np.int64,
                )
                keep = label >= 0
                table = np.stack(
                    [np.full(len(file), number), np.arange(len(file)), writer[file.writer], label, file.form], 1
                )  # fmt: skip
                rows.append(table[keep])
                self._gray.append(file.grays(np.arange(len(file))))
                self._em.append(file.em)
                self._advance.append(file.advance)
        self.styles = [style for _, style, _ in known]
        self.writers = [name for _, _, name in known]
        if not rows or not sum(map(len, rows)):
            raise DataError(f"{', '.join(map(str, paths)) or 'atlas'}: no glyph of the charset; give glyph files")
        self._before = [sum(map(len, self._gray[:number])) for number in range(len(paths))]  # glyphs before a file's
        everything = np.concatenate(rows)
        # (writer, form, label) -> row of `everything`, or -1: several glyphs of one writer stand one after the other
        order = np.lexsort((everything[:, 3], everything[:, 4], everything[:, 2]))
        self._rows = everything[order]
        shape = (len(self.writers), 2, len(charset))
        key = np.ravel_multi_index((self._rows[:, 2], self._rows[:, 4], self._rows[:, 3]), shape)
        self._first = np.full(int(np.prod(shape)), -1, np.int32)
        self._count = np.zeros(int(np.prod(shape)), np.int32)
        unique, first, count = np.unique(key, return_index=True, return_counts=True)
        self._first[unique], self._count[unique] = first, count
        self._first, self._count = self._first.reshape(shape), self._count.reshape(shape)
        self.has = self._count[:, 0] > 0  # (writers, classes)
        self.by_style: dict[str, NDArray[np.int64]] = {
            style: np.flatnonzero([s == style for s in self.styles]) for style in dict.fromkeys(self.styles)
        }

    def patch(self, writer: int, label: int, form: int, rng: np.random.Generator) -> Patch | None:
        """A glyph of this writer, the vertical form if asked for and there, else the upright one, else None."""
        if form and self._count[writer, 1, label] == 0:
            form = 0
        count = int(self._count[writer, form, label])
        if count == 0:
            return None
        place = int(self._first[writer, form, label]) + (int(rng.integers(count)) if count > 1 else 0)
        number, row = int(self._rows[place, 0]), int(self._rows[place, 1])
        return Patch(
            self._gray[number][row], self._em[number][row], float(self._advance[number][row]), form, self._before[number] + row
        )  # fmt: skip

    @property
    def grays(self) -> Sequence[Gray]:
        """The glyphs of each file (n, 64, 64), one file after the other."""
        return self._gray
