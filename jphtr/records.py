"""The plain frozen types that move between stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Direction = Literal["horizontal", "vertical"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Glyph:
    """A picture of one character.

    Attributes
    ----------
    gray : (H, W) uint8, 255 is paper.
    char : one NFC code point.
    writer : who made it: a person, a font face or a stroke hand; the key that a split never divides.
    source : name of the data set.
    index : position inside the source, so that a glyph can be found again.
    meta : what else the source knows; the store keeps `form`, `em`, `advance` and `style`.
    """

    gray: Gray
    char: str
    writer: str
    source: str
    index: int
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class GlyphBlock:
    """Many glyphs of one source as columns: what archives of a million records are read into.

    Attributes
    ----------
    gray : (N, H, W) uint8, 255 is paper.
    chars : (N,) uint32 code points; 0 where the source names no character.
    writer : (N,) int32 places in `writers`.
    writers : the keys that a split never divides.
    source : name of the data set.
    index : (N,) int64 positions inside the source.
    meta : (N,) columns of what else the source knows, such as sheet, code, quality or age.
    """

    gray: NDArray[np.uint8]
    chars: NDArray[np.uint32]
    writer: NDArray[np.int32]
    writers: tuple[str, ...]
    source: str
    index: NDArray[np.int64]
    meta: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.gray)


@dataclass(frozen=True, slots=True)
class CharSpan:
    """One character and where it stands: `box` is (x0, y0, x1, y1) in float pixels of the caller's picture."""

    char: str
    box: Box
    confidence: float = 1.0
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A picture of one text line with its text; `spans` are exact when the line was composed, else empty."""

    gray: Gray
    text: str
    writer: str = ""
    source: str = ""
    direction: Direction = "horizontal"
    spans: tuple[CharSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was read: `text` is always the join of the spans' characters.

    `nbest` holds the most probable texts, best first, each with its share of all that a beam weighed; empty unless
    asked for.
    """

    text: str
    confidence: float
    spans: tuple[CharSpan, ...]
    direction: Direction
    path: str | None = None
    nbest: tuple[tuple[str, float], ...] = ()

    def _repr_html_(self) -> str:
        """What a notebook shows; `jphtr.show` shows pictures that have no path too."""
        from jphtr import show  # records know nothing of pictures

        return show(self)._repr_html_()


Point = tuple[float, float]
LineKind = Literal["text", "ruby"]


@dataclass(frozen=True, slots=True)
class LineRegion:
    """Where a line of text stands on a page.

    Attributes
    ----------
    quad : four corners (x, y) in float pixels of the caller's page, clockwise as the text is read upright, from the top
        left of its first character.
    direction : of the text.
    block : place, in reading order, of the column, paragraph or cell that the line belongs to.
    kind : "ruby" for small kana beside a word that they spell, else "text".
    confidence : 0 to 1, of there being a line.
    """

    quad: tuple[Point, Point, Point, Point]
    direction: Direction = "horizontal"
    block: int = 0
    kind: LineKind = "text"
    confidence: float = 1.0

    @property
    def box(self) -> Box:
        """The upright rectangle (x0, y0, x1, y1) around the quad."""
        xs, ys = zip(*self.quad, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class PageLine:
    """A line on a page with what was read there; the boxes of its spans are in the page's pixels."""

    region: LineRegion
    recognition: Recognition


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read.

    Attributes
    ----------
    width, height : of the caller's picture, in pixels, upright as a viewer shows it.
    lines : in reading order.
    path : the file it came from, if any.
    number : of the page in its file, from 1.
    dpi : dots per inch of the picture, where the file says; None where it does not.
    """

    width: int
    height: int
    lines: tuple[PageLine, ...]
    path: str | None = None
    number: int = 1
    dpi: float | None = None

    def _repr_html_(self) -> str:
        """What a notebook shows; `jphtr.show` shows pictures that have no path too."""
        from jphtr import show  # records know nothing of pictures

        return show(self)._repr_html_()
