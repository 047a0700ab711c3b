"""A font made of boxes, so that tests know every pixel that must appear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jphtr.charset import Charset

builder = pytest.importorskip("fontTools.fontBuilder")
pens = pytest.importorskip("fontTools.pens.ttGlyphPen")

# char -> ink box in em (x0, y0, x1, y1 from the top left of the em square), advance in em
BOXES = {
    "国": ((0.1, 0.1, 0.9, 0.9), 1.0),
    "永": ((0.05, 0.1, 0.95, 0.9), 1.0),
    "ー": ((0.1, 0.45, 0.9, 0.55), 1.0),
    "、": ((0.05, 0.75, 0.25, 0.95), 1.0),
    "A": ((0.05, 0.2, 0.5, 0.88), 0.55),
    "Ａ": ((0.2, 0.2, 0.8, 0.88), 1.0),
}
TOFU = "鬱齢議様"
TOFU_BOX = ((0.2, 0.0, 0.8, 0.8), 1.0)
CHARS = Charset("国永ー、A齢議様鬱風機B畳")


def box_glyph(box: tuple[float, float, float, float], ascent: int) -> Any:
    pen = pens.TTGlyphPen(None)
    x0, x1 = round(box[0] * 1000), round(box[2] * 1000)
    y0, y1 = ascent - round(box[3] * 1000), ascent - round(box[1] * 1000)
    for move, point in ((pen.moveTo, (x0, y0)), *((pen.lineTo, p) for p in ((x0, y1), (x1, y1), (x1, y0)))):
        move(point)
    pen.closePath()
    return pen.glyph()


def build(
    path: Path, *, flavor: str | None = None, ascent: int = 880, named_ascent: int = 880, name: str = "Toy"
) -> Path:
    """A font of boxes; 鬱齢議様 share one, 風 looks like .notdef, 機 is blank, 畳 is huge, B is missing."""
    glyphs = {".notdef": box_glyph((0.3, 0.3, 0.7, 0.7), ascent), "empty": pens.TTGlyphPen(None).glyph()}
    widths = {".notdef": 1000, "empty": 1000, "tofu": 1000, "dash.vert": 1000, "replaced": 1000, "huge": 2000}
    cmap = {ord("風"): "replaced", ord("機"): "empty", ord("畳"): "huge"} | {ord(c): "tofu" for c in TOFU}
    glyphs["tofu"] = box_glyph(TOFU_BOX[0], ascent)
    glyphs["replaced"] = box_glyph((0.3, 0.3, 0.7, 0.7), ascent)
    glyphs["huge"] = box_glyph((0.1, 0.1, 1.9, 0.9), ascent)
    glyphs["dash.vert"] = box_glyph((0.45, 0.1, 0.55, 0.9), ascent)
    for char, (box, advance) in BOXES.items():
        label = f"u{ord(char):04X}"
        glyphs[label], widths[label], cmap[ord(char)] = box_glyph(box, ascent), round(advance * 1000), label
    font = builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(list(glyphs))
    font.setupCharacterMap(cmap)
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics(
        {label: (width, font.font["glyf"][label].xMin if label != "empty" else 0) for label, width in widths.items()}
    )
    font.setupHorizontalHeader(ascent=named_ascent, descent=named_ascent - 1000)
    names = {"familyName": name, "styleName": "Bold", "psName": f"{name}-Bold", "licenseDescription": "CC0"}
    font.setupNameTable(names)
    font.setupOS2(sTypoAscender=named_ascent, sTypoDescender=named_ascent - 1000)
    font.setupPost()
    font.addOpenTypeFeatures(f"feature vert {{ sub u{ord('ー'):04X} by dash.vert; }} vert;")
    font.font.flavor = flavor
    font.save(str(path))
    return path
