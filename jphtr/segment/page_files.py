"""Pages as JSON: where lines stand and what they say, for the truth beside a picture and for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jphtr.errors import DataError
from jphtr.records import CharSpan, LineRegion, Page, PageLine, Recognition

FORMAT = 1


def page_json(page: Page, *, chars: bool = True) -> dict[str, Any]:
    """A page as a JSON object; lengths are pixels of its picture, to a tenth.

    Parameters
    ----------
    chars : whether every character is listed with its box.
    """
    lines = []
    for line in page.lines:
        region, read = line.region, line.recognition
        entry: dict[str, Any] = {
            "quad": [[round(x, 1), round(y, 1)] for x, y in region.quad],
            "direction": region.direction, "block": region.block, "kind": region.kind,
            "confidence": round(region.confidence, 4), "text": read.text,
        }  # fmt: skip
        if chars and read.spans:
            entry["chars"] = [{"char": s.char, "bbox": [round(v, 1) for v in s.box]} for s in read.spans]
        lines.append(entry)
    found: dict[str, Any] = {"format": FORMAT, "width": page.width, "height": page.height, "lines": lines}
    return found if page.path is None else {"path": page.path, **found}


def page_from(values: Mapping[str, Any], name: str) -> Page:
    """The page in an object that `page_json` made.

    Raises
    ------
    DataError
        If it is no such object; `name` opens the message.
    """
    try:
        lines = []
        for entry in values["lines"]:
            a, b, c, d = ((float(x), float(y)) for x, y in entry["quad"])
            region = LineRegion(
                (a, b, c, d), entry["direction"], int(entry["block"]), entry["kind"], float(entry["confidence"])
            )
            spans = []
            for s in entry.get("chars", ()):
                x0, y0, x1, y1 = (float(v) for v in s["bbox"])
                spans.append(CharSpan(str(s["char"]), (x0, y0, x1, y1)))
            read = Recognition(str(entry["text"]), region.confidence, tuple(spans), region.direction)
            lines.append(PageLine(region, read))
        path = values.get("path")
        return Page(int(values["width"]), int(values["height"]), tuple(lines), None if path is None else str(path))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name}: not a page of jphtr ({error!r}); write it again with jphtr segment -f json") from None


def read_pages(path: Path) -> list[Page]:
    """The pages of a file with one JSON object a line.

    Raises
    ------
    DataError
        If the file cannot be read, or a line of it is no page; the message names the line.
    """
    try:
        rows = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); name a pages.jsonl") from None
    found = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            values = json.loads(row)
        except ValueError:
            raise DataError(f"{path}, line {number}: not JSON; write the file again") from None
        found.append(page_from(values, f"{path}, line {number}"))
    return found
