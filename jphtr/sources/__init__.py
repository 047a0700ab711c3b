"""Raw archives -> Glyph: one generator a data set, listed in SOURCES."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jphtr.records import Glyph
from jphtr.sources import fonts, strokes

# name -> generator; each takes (path, charset) and options of its own
SOURCES: dict[str, Callable[..., Iterator[Glyph]]] = {"fonts": fonts.read, "strokes": strokes.read}
