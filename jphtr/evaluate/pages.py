"""Pages with known lines -> how many lines are found, in which order, and what that costs the reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jphtr.errors import DataError
from jphtr.image import load_gray
from jphtr.metrics import Errors, cer
from jphtr.page_reader import read_page
from jphtr.reader import Reader
from jphtr.records import Page
from jphtr.segment import segment
from jphtr.segment.detector import Detector
from jphtr.segment.page_files import read_pages
from jphtr.segment.scores import Found, score

TABLE = "pages.jsonl"


@dataclass(frozen=True, slots=True)
class ScoredPage:
    """What was found on one page, and how it reads.

    Attributes
    ----------
    path : of the picture.
    text, ruby : counts of the lines of text, and of ruby.
    read : edits between the whole page's text and what was read of the lines that were found.
    given : the same with the lines given.
    """

    path: Path
    text: Found
    ruby: Found
    read: Errors = field(default_factory=Errors)
    given: Errors = field(default_factory=Errors)


def known_pages(path: Path) -> list[Page]:
    """The pages that a `pages.jsonl`, or a folder that holds one, tells of; their paths lead to the pictures.

    Raises
    ------
    DataError
        If it cannot be read, or names no picture.
    """
    table = path / TABLE if path.is_dir() else path
    found = []
    for page in read_pages(table):
        if page.path is None:
            raise DataError(f"{table}: a page without a path; add the file of its picture")
        found.append(replace(page, path=str(table.parent / page.path)))
    if not found:
        raise DataError(f"{table}: holds no page")
    return found


def score_pages(pages: Iterable[Page], detector: Detector | None, reader: Reader | None = None) -> Iterator[ScoredPage]:
    """Score page after page.

    Parameters
    ----------
    pages : their lines are the truth, in reading order.
    detector : what finds lines; see `segment`.
    reader : reads them, twice: as they were found, and as they are; None leaves reading out.

    Raises
    ------
    ImageError
        If a picture cannot be read.
    ModelError
        If a model fails.
    """
    for page in pages:
        gray = load_gray(str(page.path))
        regions = segment(gray, detector)
        kinds: dict[str, Found] = {}
        for kind in ("text", "ruby"):
            truth = [line.region for line in page.lines if line.region.kind == kind]
            kinds[kind] = score(truth, [region for region in regions if region.kind == kind])
        scored = ScoredPage(Path(str(page.path)), kinds["text"], kinds["ruby"])
        if reader is not None:
            lines = [line for line in page.lines if line.region.kind == "text"]
            text = "".join(line.recognition.text for line in lines)
            edits = []
            for where in (regions, [line.region for line in lines]):
                read = read_page(reader, gray, regions=where, ruby="drop")
                edits.append(cer(text, "".join(line.recognition.text for line in read.lines)))
            scored = replace(scored, read=edits[0], given=edits[1])
        yield scored


def totals(pages: Iterable[ScoredPage]) -> dict[str, Any]:
    """The sums over pages as plain values; error rates are None where nothing was read."""
    text, ruby, read, given = Found(), Found(), Errors(), Errors()
    for page in pages:
        text, ruby, read, given = text + page.text, ruby + page.ruby, read + page.read, given + page.given
    return {
        "pages": text.pages, "lines": text.there, "found": text.said, "right": text.hits,
        "precision": text.precision, "recall": text.recall, "f1": text.f1, "in_order": text.in_order,
        "turned": text.turned, "ruby_lines": ruby.there, "ruby_f1": ruby.f1, "chars": given.chars,
        "cer": read.rate if read.chars else None, "cer_given": given.rate if given.chars else None,
    }  # fmt: skip
