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
    """What was read: `text` is always the join of the spans' characters."""

    text: str
    confidence: float
    spans: tuple[CharSpan, ...]
    direction: Direction
    path: str | None = None
