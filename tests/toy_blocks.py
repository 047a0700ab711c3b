"""A composer of solid blocks: where each stands in a picture can be counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jphtr.charset import Charset
from jphtr.compose import Composer
from jphtr.records import Glyph
from jphtr.settings import ComposeSettings
from jphtr.store import write_glyphs

CHARS = Charset("日本語漢字かなをっ、。ーABC0123456789 ")
CLEAN = {"degraded": 0.0, "worn_ink": 0.0, "neighbours": 0.0, "empty": 0.0, "em_px": (40.0, 48.0)}
PRINT = {"styles": {"print": 1.0}, "mix": {"sentence": 1.0}}


def glyphs() -> Iterator[Glyph]:
    """Solid blocks: full-width signs fill the em but for a rim, 、。 sit in their corner, letters are half as wide."""
    for index, char in enumerate(CHARS.chars[1:]):
        if char == " ":
            continue
        narrow = char.isascii()
        gray = np.full((64, 64), 255, np.uint8)
        if char in "、。":
            gray[44:54, 10:20] = 0
        elif char == "ー":
            gray[28:36, 12:52] = 0
        elif char == "っ":
            gray[28:52, 16:44] = 0
        else:
            gray[12:52, 12 : 28 if narrow else 52] = 0
        meta = {"form": 0, "em": (8.0, 8.0, 56.0, 56.0), "advance": 0.5 if narrow else 1.0, "style": "print"}
        yield Glyph(gray, char, "block", "toy", index, meta)


def composer(folder: Path) -> Composer:
    """Writes its glyphs and texts into a folder."""
    write_glyphs(folder / "toy.h5", glyphs(), CHARS)
    (folder / "text.txt").write_text("日本語をかなと漢字\nかな、漢字。日本ーっ\n日本ABC012語\n", "utf-8")
    settings = ComposeSettings(**CLEAN, **PRINT, min_chars=2, max_chars=12)  # type: ignore[arg-type]
    return Composer(settings, CHARS, [folder / "toy.h5"], [folder / "text.txt"])
