"""Font files -> faces ready to draw: character map, vertical forms, and where the em square stands."""

from __future__ import annotations

import hashlib
import io
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jphtr.errors import DataError, require

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2")
NOTDEF = 0xF0000  # private code points under which the remapped face shows .notdef and the vertical forms
_VERTICAL = 0xF0100


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file, ready to draw.

    `upright` maps characters to code points of `data`, a copy of the face whose cmap also reaches its
    vertical forms (`vertical`); `ascent` is the em square's top above the baseline, in em.
    """

    path: Path
    name: str
    family: str
    licence: str
    data: bytes = field(repr=False)
    sha256: str
    upright: dict[str, int] = field(repr=False)
    vertical: dict[str, int] = field(repr=False)
    ascent: float


def find(paths: list[Path]) -> list[Path]:
    """The font files among `paths`, folders searched through, sorted.

    Raises
    ------
    DataError
        If a path does not exist or no font file is found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"{path}: no such file or folder")
    if not found:
        names = ", ".join(str(path) for path in paths)
        raise DataError(f"{names}: no font file here; jphtr draws {' '.join(SUFFIXES)}")
    return list(dict.fromkeys(found))


def faces(path: Path) -> Iterator[Face]:
    """The faces of a font file; of a collection that has Japanese faces, only those that are not monospaced.

    Raises
    ------
    DataError
        If the file is not a font that can be drawn.
    """
    ttlib = require("fontTools.ttLib")
    require("brotli")  # WOFF2
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it remarks on time stamps and odd names of every old font
    try:
        data = path.read_bytes()
        collection = data[:4] == b"ttcf"
        count = struct.unpack(">L", data[8:12])[0] if collection else 1
        fonts = [ttlib.TTFont(io.BytesIO(data), fontNumber=number if collection else -1) for number in range(count)]
        japanese = [f for f in fonts if " JP" in _name(f, 1) and "Mono" not in _name(f, 1)]
        digest = hashlib.sha256(data).hexdigest()
        made = [_face(path, font, digest) for font in (japanese or fonts)]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (
        ttlib.TTLibError,
        struct.error,
        KeyError,
        AssertionError,
        ValueError,
        IndexError,
        AttributeError,
    ) as error:
        raise DataError(f"{path}: not a font file that can be drawn ({error or type(error).__name__})") from error
    yield from made


def _name(font: Any, number: int) -> str:
    return str(font["name"].getDebugName(number) or "")


def _face(path: Path, font: Any, digest: str) -> Face:
    cmap: dict[int, str] | None = font.getBestCmap()
    if not cmap:
        raise DataError(f"{path}: the face {_name(font, 4)} has no Unicode character map; it cannot be drawn")
    vertical = _vertical_forms(font)
    number = {code: font.getGlyphID(glyph) for code, glyph in cmap.items()}
    turned = {code: font.getGlyphID(vertical[glyph]) for code, glyph in cmap.items() if glyph in vertical}
    places = {code: _VERTICAL + place for place, code in enumerate(sorted(turned))}
    groups = number | {NOTDEF: 0} | {places[code]: glyph for code, glyph in turned.items()}
    return Face(
        path,
        _name(font, 6) or path.stem,
        _name(font, 16) or _name(font, 1) or path.stem,
        (_name(font, 13) or _name(font, 14)).strip().split("\n")[0][:200],
        _remapped(font, groups),
        digest,
        {chr(code): code for code in number},
        {chr(code): place for code, place in places.items()},
        _ascent(font),
    )


def _ascent(font: Any) -> float:
    """The top of the ideographic em square above the baseline, in em (0.88 in most Japanese fonts)."""
    em = int(font["head"].unitsPerEm)
    os2 = font.get("OS/2")
    pairs = [(os2.sTypoAscender, os2.sTypoDescender)] if os2 else []
    pairs.append((font["hhea"].ascent, font["hhea"].descent))
    for ascent, descent in pairs:
        if ascent - descent == em:
            return float(ascent) / em
    return 0.88


def _vertical_forms(font: Any) -> dict[str, str]:
    """Glyph name -> name of its form in vertical lines, from the GSUB features vert and vrt2."""
    if "GSUB" not in font or font["GSUB"].table.FeatureList is None:
        return {}
    table = font["GSUB"].table
    forms: dict[str, str] = {}
    for tag in ("vrt2", "vert"):
        for record in table.FeatureList.FeatureRecord:
            if record.FeatureTag != tag:
                continue
            for number in record.Feature.LookupListIndex:
                for part in table.LookupList.Lookup[number].SubTable:
                    part = getattr(part, "ExtSubTable", part)
                    if part.LookupType == 1:
                        forms.update(part.mapping)
    return forms


def _remapped(font: Any, glyphs: dict[int, int]) -> bytes:
    """The face as a plain SFNT file whose cmap is `glyphs` (code point -> glyph number)."""
    sfnt = require("fontTools.ttLib.sfnt")
    rows = b"".join(struct.pack(">LLL", code, code, glyph) for code, glyph in sorted(glyphs.items()))
    subtable = struct.pack(">HHLLL", 12, 0, 16 + len(rows), 0, len(glyphs)) + rows
    tables = {"cmap": struct.pack(">HHHHL", 0, 1, 3, 10, 12) + subtable}
    layout = {
        "cmap",
        "GSUB",
        "GPOS",
        "GDEF",
        "BASE",
        "DSIG",
        "kern",
        "morx",
        "mort",
        "feat",
        "EBDT",
        "EBLC",
        "GlyphOrder",
    }
    for tag in font.reader.keys():  # noqa: SIM118 (no mapping)
        if tag not in layout:
            tables[tag] = font.reader[tag]
    file = io.BytesIO()
    writer = sfnt.SFNTWriter(file, len(tables), font.sfntVersion)
    for tag in sorted(tables):
        writer[tag] = tables[tag]
    writer.close()
    return file.getvalue()
