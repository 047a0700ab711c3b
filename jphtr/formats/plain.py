"""Bare text, and tab-separated values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jphtr.formats.layout import Result
from jphtr.formats.running import running_text
from jphtr.formats.style import Style
from jphtr.records import Page, Recognition

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def text(results: Iterable[Result], style: Style) -> Iterator[str]:
    """The bare text of one picture, or for many a `path: text` line of a line and a `==> path <==` above a page.

    Pages of one file are parted by a form feed, as other programs do.
    """
    before: Page | None = None
    for result in results:
        if isinstance(result, Recognition):
            yield f"{result.path}: {result.text}\n" if style.many else f"{result.text}\n"
            continue
        page = f"{running_text(result, keep_lines=style.keep_lines)}\n"
        if before is not None and before.path == result.path and before.number != result.number:
            page = f"\f{page}"
        elif style.many:
            page = f"==> {result.path} <==\n{page}"
        yield page
        before = result


def tsv(results: Iterable[Result], style: Style) -> Iterator[str]:
    r"""Lines of path, text, confidence, direction; \t, \n, \r and \ in them are written as two signs.

    Lines of a page have more cells: page, block and line, each from 1, kind, and x0, y0, x1, y1 in pixels.
    """
    for result in results:
        if isinstance(result, Recognition):
            yield _row(_cells(result))
            continue
        for number, line in enumerate(result.lines, 1):
            region = line.region
            place = result.number, region.block + 1, number, region.kind, *(f"{edge:.1f}" for edge in region.box)
            path, *cells = _cells(line.recognition)
            yield _row([result.path or path, *cells, *map(str, place)])


def _cells(result: Recognition) -> list[str]:
    return [result.path or "", result.text, f"{result.confidence:.4f}", result.direction]


def _row(cells: Iterable[str]) -> str:
    return "\t".join(cell.translate(_ESCAPES) for cell in cells) + "\n"
