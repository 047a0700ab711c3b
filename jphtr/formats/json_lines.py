"""JSON: one array of objects, or one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from jphtr.formats.style import Style
from jphtr.records import Recognition


def as_dict(result: Recognition, style: Style) -> dict[str, Any]:
    """A result as plain values: path, text, confidence, direction, chars, model, version; nbest if it was asked for.

    Each of `chars` has char, confidence, bbox [x0, y0, x1, y1] in pixels of the upright picture, and
    alternatives.
    """
    return {
        "path": result.path,
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
        "model": style.model,
        "version": style.version,
    }


def json_lines(results: Iterable[Recognition], style: Style) -> Iterator[str]:
    """One object a line, each as soon as it is read."""
    for result in results:
        yield json.dumps(as_dict(result, style), ensure_ascii=False) + "\n"


def document(results: Iterable[Recognition], style: Style) -> Iterator[str]:
    """One array, an object a line in it; a whole document even of no results."""
    between = "[\n"
    for result in results:
        yield between + json.dumps(as_dict(result, style), ensure_ascii=False)
        between = ",\n"
    yield "[]\n" if between == "[\n" else "\n]\n"
