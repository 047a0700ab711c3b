"""Bare text, and tab-separated values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jphtr.formats.style import Style
from jphtr.records import Recognition

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def text(results: Iterable[Recognition], style: Style) -> Iterator[str]:
    """The bare text of one picture, or a `path: text` line for each of many."""
    for result in results:
        yield f"{result.path}: {result.text}\n" if style.many else f"{result.text}\n"


def tsv(results: Iterable[Recognition], style: Style) -> Iterator[str]:
    r"""Lines of path, text, confidence, direction; \t, \n, \r and \ in them are written as two signs."""
    for result in results:
        cells = (result.path or "", result.text, f"{result.confidence:.4f}", result.direction)
        yield "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"
