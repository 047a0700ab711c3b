"""JSON: one array of objects, or one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from jphtr.formats.layout import Result
from jphtr.formats.running import running_text
from jphtr.formats.style import Style
from jphtr.records import Page, Recognition


def as_dict(result: Result, style: Style) -> dict[str, Any]:
    """A result as plain values.

    Of a line: path, text, confidence, direction, chars, model, version; nbest if it was asked for. Each of `chars` has
    char, confidence, bbox [x0, y0, x1, y1] in pixels of the upright picture, and alternatives.

    Of a page: path, page (its number, from 1), width, height, dpi (null if unknown), text, lines, model, version. Each
    of `lines` has text, confidence, direction, chars and nbest as above, in pixels of the page, and bbox, quad (four
    corners), block (its number, from 1), kind ("text" or "ruby") and region_confidence (of there being a line).
    """
    names = {"model": style.model, "version": style.version}
    if isinstance(result, Recognition):
        return {"path": result.path, **_line(result, style), **names}
    return {"path": result.path, **_page(result, style), **names}


def _line(result: Recognition, style: Style) -> dict[str, Any]:
    return {
        "text": result.text,
        "confidence": round(result.confidence, 4),
        "direction": result.direction,
        "chars": [
            {
                "char": span.char,
                "confidence": round(span.confidence, 4),
                "bbox": [round(edge, 2) for edge in span.box],
                "alternatives": [
                    {"char": char, "confidence": round(p, 4)} for char, p in span.alternatives[: style.top_k]
                ],
            }
            for span in result.spans
        ],
        **({"nbest": [{"text": text, "share": round(p, 4)} for text, p in result.nbest]} if result.nbest else {}),
    }


def _page(page: Page, style: Style) -> dict[str, Any]:
    return {
        "page": page.number,
        "width": page.width,
        "height": page.height,
        "dpi": page.dpi,
        "text": running_text(page, keep_lines=style.keep_lines),
        "lines": [
            {
                **_line(line.recognition, style),
                "bbox": [round(edge, 2) for edge in line.region.box],
                "quad": [[round(x, 2), round(y, 2)] for x, y in line.region.quad],
                "block": line.region.block + 1,
                "kind": line.region.kind,
                "region_confidence": round(line.region.confidence, 4),
            }
            for line in page.lines
        ],
    }


def json_lines(results: Iterable[Result], style: Style) -> Iterator[str]:
    """One object a line, each as soon as it is read."""
    for result in results:
        yield json.dumps(as_dict(result, style), ensure_ascii=False) + "\n"


def document(results: Iterable[Result], style: Style) -> Iterator[str]:
    """One array, an object a line in it; a whole document even of no results."""
    between = "[\n"
    for result in results:
        yield between + json.dumps(as_dict(result, style), ensure_ascii=False)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"
