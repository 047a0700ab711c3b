"""JSON as `formats.json_lines` writes it -> pages: a caller sends back what was read, corrected."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any, cast

from jphtr.errors import DataError
from jphtr.records import Box, CharSpan, Direction, LineKind, LineRegion, Page, PageLine, Point, Recognition

_MOST_LINES, _MOST_CHARS = 5_000, 200_000


def pages(text: str, path: str) -> list[Page]:
    """The pages of a reading, corrected or not.

    Parameters
    ----------
    text : an array of pages. A line may come with a text that its chars do not spell, or without chars: then its
        characters stand evenly along it.
    path : that the pages are given; what the JSON says of files is not looked at.

    Raises
    ------
    DataError
        One line that names the place.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError("reading: is not JSON; send what /read answers as json") from None
    if not isinstance(given, list) or not given:
        raise DataError("reading: is not a list of pages; send what /read answers as json")
    found = [_page(one, f"reading[{i}]", path) for i, one in enumerate(given)]
    if len({page.number for page in found}) < len(found):
        raise DataError("reading: has a page twice; send each once")
    if sum(len(page.lines) for page in found) > _MOST_LINES:
        raise DataError(f"reading: more than {_MOST_LINES:,} lines; send fewer pages at a time")
    if sum(len(line.recognition.spans) for page in found for line in page.lines) > _MOST_CHARS:
        raise DataError(f"reading: more than {_MOST_CHARS:,} characters; send fewer pages at a time")
    return found


def _page(given: Any, at: str, path: str) -> Page:
    one = _dict(given, at)
    width, height = (round(_number(one.get(side), f"{at}.{side}", 1, 1_000_000)) for side in ("width", "height"))
    dpi = one.get("dpi")
    lines = [_line(line, f"{at}.lines[{i}]", width, height) for i, line in enumerate(_list(one, "lines", at))]
    return Page(
        width, height, tuple(lines), path, round(_number(one.get("page", 1), f"{at}.page", 1, 1_000_000)),
        None if dpi is None else _number(dpi, f"{at}.dpi", 1, 100_000),
    )  # fmt: skip


def _line(given: Any, at: str, width: int, height: int) -> PageLine:
    one = _dict(given, at)
    direction = cast("Direction", _choice(one, "direction", ("horizontal", "vertical"), at))
    kind = cast("LineKind", _choice(one, "kind", ("text", "ruby"), at))
    quad = [_point(point, f"{at}.quad[{i}]", width, height) for i, point in enumerate(_list(one, "quad", at))]
    if len(quad) != 4:
        raise DataError(f"{at}.quad: has {len(quad)} points; send the four corners of the line")
    block = round(_number(one.get("block", 1), f"{at}.block", 1, _MOST_LINES)) - 1
    sure = _number(one.get("region_confidence", 1), f"{at}.region_confidence", 0, 1)
    region = LineRegion((quad[0], quad[1], quad[2], quad[3]), direction, block, kind, sure)
    chars = _list(one, "chars", at) if "chars" in one else []
    spans = [_span(char, f"{at}.chars[{i}]", width, height) for i, char in enumerate(chars)]
    spelt = "".join(span.char for span in spans)
    text = _text(one.get("text", spelt), f"{at}.text")
    if text != spelt:
        spans = _spread(text, region)
    confidence = _number(one.get("confidence", 1), f"{at}.confidence", 0, 1)
    return PageLine(region, Recognition(text, confidence, tuple(spans), direction))


def _span(given: Any, at: str, width: int, height: int) -> CharSpan:
    one = _dict(given, at)
    edges = _list(one, "bbox", at)
    if len(edges) != 4:
        raise DataError(f"{at}.bbox: has {len(edges)} numbers; send x0, y0, x1, y1")
    (x0, y0), (x1, y1) = _point(edges[:2], f"{at}.bbox", width, height), _point(edges[2:], f"{at}.bbox", width, height)
    others = []
    for i, other in enumerate(_list(one, "alternatives", at) if "alternatives" in one else []):
        place = f"{at}.alternatives[{i}]"
        held = _dict(other, place)
        others.append((_text(held.get("char"), f"{place}.char"), _number(held.get("confidence"), place, 0, 1)))
    confidence = _number(one.get("confidence", 1), f"{at}.confidence", 0, 1)
    box = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
    return CharSpan(_text(one.get("char"), f"{at}.char"), box, confidence, tuple(others))


def _spread(text: str, region: LineRegion) -> list[CharSpan]:
    """Characters that stand evenly along a line."""
    x0, y0, x1, y1 = region.box
    spans = []
    for i, char in enumerate(text):
        low, high = i / len(text), (i + 1) / len(text)
        box: Box = (x0 + (x1 - x0) * low, y0, x0 + (x1 - x0) * high, y1)
        if region.direction == "vertical":
            box = (x0, y0 + (y1 - y0) * low, x1, y0 + (y1 - y0) * high)
        spans.append(CharSpan(char, box))
    return spans


def _dict(given: Any, at: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise DataError(f"{at}: is not an object; send what /read answers as json")
    return given


def _list(given: dict[str, Any], key: str, at: str) -> list[Any]:
    found = given.get(key)
    if not isinstance(found, list):
        raise DataError(f"{at}.{key}: is not a list; send what /read answers as json")
    return found


def _choice(given: dict[str, Any], key: str, choices: Sequence[str], at: str) -> str:
    found = given.get(key, choices[0])
    if found not in choices:
        raise DataError(f"{at}.{key}: is not one of {', '.join(choices)}")
    return str(found)


def _number(given: Any, at: str, low: float, high: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise DataError(f"{at}: is not a number from {low:g} to {high:g}")
    return float(given)


def _point(given: Any, at: str, width: int, height: int) -> Point:
    """A point on the page; a little beyond its edge is its edge."""
    if not isinstance(given, list) or len(given) != 2:
        raise DataError(f"{at}: is not a point; send x and y in pixels")
    x, y = (_number(value, at, -1e6, 1e6) for value in given)
    return min(max(x, 0.0), width), min(max(y, 0.0), height)


def _text(given: Any, at: str) -> str:
    """One line of text, NFC; what XML cannot hold is refused with it."""
    if not isinstance(given, str) or not all(char.isprintable() or char == "\u3000" for char in given):
        raise DataError(f"{at}: is not a text of printable characters on one line")
    if len(given) > _MOST_CHARS:
        raise DataError(f"{at}: is more than {_MOST_CHARS:,} characters")
    return unicodedata.normalize("NFC", given)
