"""Lines whose text is known, and, where they were composed, the places of their characters."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jphtr.errors import DataError
from jphtr.image import load_gray
from jphtr.records import CharSpan, Gray
from jphtr.sources import lines

SPANS = "spans.jsonl"


@dataclass(frozen=True, slots=True)
class Truth:
    """A picture of a line and its text; the rest is empty where nothing says it.

    Attributes
    ----------
    path : of the picture, or of the file that holds it.
    text : that stands in it.
    kind : of line, for groups in a report.
    direction : "horizontal" or "vertical".
    writer, document : whose hand or font it is, and on which sheet: lines that share one fail together.
    name : what to call it; "" is its path.
    load : decodes the picture: (H, W) uint8. Raises ImageError. None reads the file at `path`.
    spans : where each character of `text` stands.
    """

    path: Path
    text: str
    kind: str = ""
    direction: str = ""
    writer: str = ""
    document: str = ""
    name: str = ""
    load: Callable[[], Gray] | None = field(default=None, repr=False, compare=False)
    spans: tuple[CharSpan, ...] = ()

    def __str__(self) -> str:
        return self.name or str(self.path)

    def gray(self) -> Gray:
        """The picture.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        return load_gray(self.path) if self.load is None else self.load()


def read_truth(path: Path) -> list[Truth]:
    """Lines with known text from anything that `sources.lines` reads.

    A spans.jsonl beside a table, as `jphtr compose` writes it, says where the characters stand.

    Raises
    ------
    DataError
        If there is none, or a file is not what it should be.
    """
    found = [
        Truth(
            ref.path, ref.text, ref.kind, ref.direction, ref.writer, ref.document,
            "" if ref.name == str(ref.path) else ref.name, ref.load,
        )
        for ref in lines.read_truth(path)
    ]  # fmt: skip
    spans = (path if path.is_dir() else path.parent) / SPANS
    return _with_spans(found, spans) if spans.is_file() else found


def _with_spans(lines: Sequence[Truth], path: Path) -> list[Truth]:
    """The lines, each with the places of its characters where the file at `path` has them."""
    places: dict[str, tuple[int, tuple[CharSpan, ...]]] = {}
    try:
        rows = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); remove it, or write it with jphtr compose") from None
    for number, row in enumerate(rows, 1):
        try:
            values = json.loads(row)
            places[str(path.parent / values["file"])] = number, tuple(_span(one) for one in values["chars"])
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{path}, line {number}: not a JSON object with file and chars; write it with jphtr compose"
            ) from None
    found = []
    for line in lines:
        number, spans = places.get(str(line), (0, ()))
        if spans and "".join(span.char for span in spans) != line.text:
            raise DataError(
                f"{path}, line {number}: boxes of another text than {line.text!r}; correct one, or remove this file"
            )
        found.append(replace(line, spans=spans))
    return found


def _span(values: Any) -> CharSpan:
    x0, y0, x1, y1 = values["bbox"]
    return CharSpan(str(values["char"]), (float(x0), float(y0), float(x1), float(y1)))
