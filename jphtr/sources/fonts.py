"""Font files -> Glyph: every character of a charset that a face really draws, in its em square.

The canvas is 64 x 64 px with the em square at [8, 8, 56, 56], so that a comma stays in its corner and a small
kana stays small. A face is one writer, named family/face: the family is what a split never divides.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jphtr.charset import Charset, fold
from jphtr.errors import DataError
from jphtr.records import Glyph, Gray
from jphtr.sources.fonts_faces import NOTDEF, Face, faces

CANVAS, MARGIN = 64, 8
EM = (float(MARGIN), float(MARGIN), float(CANVAS - MARGIN), float(CANVAS - MARGIN))

_FINE = 4  # drawn at four times the size and averaged: hinting then moves an edge by a quarter pixel at most
_SIZE = (CANVAS - 2 * MARGIN) * _FINE
_FAR = 4 * _FINE  # fine px that ink may reach past the canvas before a drawing counts as cut


def read(
    path: Path, charset: Charset, *, family: str | None = None, style: str = "print", chars: str | None = None
) -> Iterator[Glyph]:
    """Draw every face of a font file.

    Parameters
    ----------
    path : a TTF, OTF, TTC, OTC, WOFF or WOFF2 file.
    charset : the characters wanted; those that the face lacks, leaves blank or shows as a box are left out.
    family : the split key; by default the family that the file names.
    style : print, hand, brush or display.
    chars : draw these only.

    Yields
    ------
    Glyph
        gray (64, 64) uint8; `index` is the code point drawn, which differs from the char's own where a
        full-width letter or half-width kana is drawn for its folded char. `meta["form"]` 1: a vertical form.

    Raises
    ------
    DataError
        If the file is not a font that can be drawn.
    """
    for face in faces(path):
        yield from draw(face, charset, family=family, style=style, chars=chars)


def draw(
    face: Face, charset: Charset, *, family: str | None = None, style: str = "print", chars: str | None = None
) -> Iterator[Glyph]:
    """Draw one face; see `read`."""
    pen = _Pen(face)
    wanted = set(fold(chars)) if chars is not None else None
    drawn: list[tuple[str, str, int, Gray, float]] = []
    for code in _codes(charset):
        char = fold(chr(code))
        if wanted is not None and char not in wanted:
            continue
        for form, table in ((0, face.upright), (1, face.vertical)):
            if form and _turns(char):
                continue
            if chr(code) in table and (picture := pen.picture(table[chr(code)])) is not None:
                drawn.append((char, chr(code), form, picture, pen.advance(table[chr(code)])))
    boxes = _boxes(drawn) | {pen.notdef}
    own: dict[tuple[str, int], bytes] = {}
    for char, shown, form, picture, advance in drawn:
        key = picture.tobytes()
        if key in boxes:
            continue
        if shown == char:
            own[char, form] = key
        if (shown != char or form) and key == own.get((char, 0)):
            continue  # an alias or vertical form that looks like the ordinary one adds nothing
        meta = {"form": form, "em": EM, "advance": advance, "style": style}
        yield Glyph(picture, char, f"{family or face.family}/{face.name}", face.path.name, ord(shown), meta)


def _codes(charset: Charset) -> list[int]:
    """Code points to draw: the charset's, then the full-width and half-width twins that fold onto them."""
    own = [ord(char) for char in charset.chars if char and not char.isspace()]
    twins = [c for c in (*range(0xFF01, 0xFFEF), 0x2014) if fold(chr(c)) != chr(c) and charset.covers(chr(c))]
    return own + [c for c in twins if len(fold(chr(c))) == 1]


def _turns(char: str) -> bool:
    """Whether vertical setting only turns the character: that is the composer's, as fonts disagree on it."""
    return char < "\u2010" or "←" <= char <= "⇿" or "━" <= char <= "╿"


def _boxes(drawn: list[tuple[str, str, int, Gray, float]]) -> set[bytes]:
    """Pictures that four or more characters share, kanji among them: what a font shows for what it lacks."""
    sharing: dict[bytes, set[str]] = defaultdict(set)
    for char, _, _, picture, _ in drawn:
        sharing[picture.tobytes()].add(char)
    return {key for key, chars in sharing.items() if len(chars) > 3 and sum("一" <= c <= "鿿" for c in chars) > 1}


class _Pen:
    """Draws code points of one face on the canvas."""

    def __init__(self, face: Face) -> None:
        try:
            self._font = ImageFont.truetype(io.BytesIO(face.data), _SIZE, layout_engine=ImageFont.Layout.BASIC)
        except OSError as error:
            raise DataError(f"{face.path}: FreeType cannot open the face {face.name}: {error}") from error
        self._path = face.path
        self._side = CANVAS * _FINE
        self._left = MARGIN * _FINE
        self._baseline = MARGIN * _FINE + round(face.ascent * _SIZE)
        self._center(face)
        box = self.picture(NOTDEF)
        self.notdef = b"" if box is None else box.tobytes()

    def _center(self, face: Face) -> None:
        """Move the baseline if the font's own numbers leave its kanji off the middle by more than a pixel."""
        sample = [c for char, c in face.upright.items() if "一" <= char <= "鿿"][::23][:150]
        boxes = [self._font.getbbox(chr(code), anchor="ls") for code in sample]
        middles = [(box[1] + box[3]) / 2 for box in boxes if box[3] > box[1]]
        if len(middles) >= 10:
            off = self._baseline + float(np.mean(middles)) - self._side / 2
            if abs(off) > _FINE:
                self._baseline -= round(off)

    def advance(self, code: int) -> float:
        """Horizontal advance in em."""
        return float(self._font.getlength(chr(code))) / _SIZE

    def picture(self, code: int) -> Gray | None:
        """The (64, 64) drawing of a code point, or None when it is blank or does not fit."""
        try:
            fine = Image.new("L", (self._side, self._side), 255)
            ImageDraw.Draw(fine).text((self._left, self._baseline), chr(code), 0, font=self._font, anchor="ls")
        except (OSError, ValueError) as error:
            raise DataError(f"{self._path}: FreeType cannot draw U+{code:04X}: {error}") from error
        pixels = np.asarray(fine.reduce(_FINE))
        if int(pixels.min()) > 200:
            return None
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        if min(int(edge.min()) for edge in edges) < 255:
            box = self._font.getbbox(chr(code), anchor="ls")
            reach = (box[0] + self._left, box[1] + self._baseline)
            past = max(-reach[0], -reach[1], box[2] + self._left - self._side, box[3] + self._baseline - self._side)
            if past > _FAR:
                return None
        return pixels
