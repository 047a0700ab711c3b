"""Chosen glyphs of a glyph file as one picture to look at.

Captions use Pillow's built-in font, which has no Japanese: characters are named by code point and need no font.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from jphtr.errors import DataError
from jphtr.image import MAX_PIXELS
from jphtr.inventory.keys import explained
from jphtr.store import GlyphFile
from jphtr.whole import write_whole

ACROSS = 20  # glyphs in a line of the sheet
_SIDE = 64  # px: smaller glyphs are enlarged by a whole number, as near to this as it gets
_GAP = 4
_MARGIN = 12
_DESK, _INK, _PALE = 214, 0, 80  # gray of what lies around the glyphs, and of the captions
_LETTERS, _LEADING = 15, 20  # px: size of captions, and from line to line


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Glyphs that stand together: their rows (n,) int64 in the glyph file, and lines of caption in ASCII."""

    rows: NDArray[np.int64]
    caption: tuple[str, ...] = ()


def shelf_of_all(rows: NDArray[np.int64], count: int, seed: int) -> Shelf:
    """At most `count` of the rows at random, in the order of the file; the same seed draws the same."""
    return Shelf(_drawn(rows, count, [seed]))


def shelf_of_class(glyphs: GlyphFile, rows: NDArray[np.int64], label: int, count: int, seed: int) -> Shelf:
    """At most `count` of the rows with a label, captioned; what is drawn does not depend on other classes."""
    own = rows[glyphs.label[rows] == label]
    drawn = _drawn(own, count, [seed, label])
    char = glyphs.charset.chars[label]
    name = f"U+{ord(char):04X}" + (f"  {char}" if "!" <= char <= "~" else "")
    return Shelf(drawn, (name, f"{len(drawn):,} of {len(own):,}"))


def _drawn(rows: NDArray[np.int64], count: int, seed: list[int]) -> NDArray[np.int64]:
    if len(rows) <= count:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, count, replace=False))


def contact_sheet(glyphs: GlyphFile, shelves: Sequence[Shelf], *, across: int = ACROSS) -> Image.Image:
    """Shelves below each other, each with its caption to the left and its glyphs in lines of `across`.

    Parameters
    ----------
    glyphs : the file; of its pixels only those on the sheet are read. Small glyphs are enlarged by a whole number.
    shelves : at least one, none of them empty.

    Returns
    -------
    A gray picture (mode L).

    Raises
    ------
    DataError
        If the sheet would have more than MAX_PIXELS pixels, or the file is damaged.
    """
    times = max(1, round(_SIDE / max(glyphs.shape)))
    height, width = glyphs.shape[0] * times, glyphs.shape[1] * times
    font = ImageFont.load_default(_LETTERS)
    captions = [line for shelf in shelves for line in shelf.caption]
    left = _MARGIN + (int(max(map(font.getlength, captions))) + _MARGIN if captions else 0)
    across = min(across, max(len(shelf.rows) for shelf in shelves))
    parting = 2 * _GAP if captions else 0  # more air between classes than between the lines of one
    tops = [_MARGIN]
    for shelf in shelves:
        lines = -(-len(shelf.rows) // across)
        tops.append(tops[-1] + parting + max(lines * (height + _GAP), len(shelf.caption) * _LEADING))
    size = (left + across * (width + _GAP) - _GAP + _MARGIN, tops.pop() - parting - _GAP + _MARGIN)
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(f"{glyphs.path}: a sheet of {size[0]:,} x {size[1]:,} px is too large; choose fewer glyphs")
    sheet = np.full(size[::-1], _DESK, np.uint8)
    for shelf, top in zip(shelves, tops, strict=True):
        with explained(glyphs):
            pictures = glyphs.grays(shelf.rows)
        for number, gray in enumerate(pictures):
            y, x = top + number // across * (height + _GAP), left + number % across * (width + _GAP)
            sheet[y : y + height, x : x + width] = gray.repeat(times, axis=0).repeat(times, axis=1)
    image = Image.fromarray(sheet)
    pen = ImageDraw.Draw(image)
    for shelf, top in zip(shelves, tops, strict=True):
        for number, line in enumerate(shelf.caption):
            pen.text((_MARGIN, top + number * _LEADING), line, fill=_PALE if number else _INK, font=font)
    return image


def save(image: Image.Image, path: Path) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    data = io.BytesIO()
    image.save(data, "PNG")
    write_whole(path, data.getvalue())
