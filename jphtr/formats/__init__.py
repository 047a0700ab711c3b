"""What was read -> text, json, jsonl, tsv, hocr, alto, page, pdf: one table, from which `--format` takes its choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jphtr.errors import SettingsError
from jphtr.formats.alto import alto
from jphtr.formats.hocr import hocr
from jphtr.formats.json_lines import document, json_lines
from jphtr.formats.layout import Result, page_of
from jphtr.formats.page_xml import page_xml
from jphtr.formats.pdf import pdf
from jphtr.formats.plain import text, tsv
from jphtr.formats.running import running_text
from jphtr.formats.style import Style

__all__ = ["FORMATS", "Format", "Result", "Style", "of_file", "page_of", "pieces", "running_text"]


@dataclass(frozen=True, slots=True)
class Format:
    """How results, lines and pages alike, are written.

    Attributes
    ----------
    write : gives a stream of pieces, text or bytes, each as soon as its result is there.
    suffixes : of the files that ask for it, the usual one first.
    media_type : what HTTP calls it.
    page_a_file : whether a file can hold one page only.
    """

    write: Callable[[Iterable[Result], Style], Iterator[str] | Iterator[bytes]]
    suffixes: tuple[str, ...]
    media_type: str
    page_a_file: bool = False


def pieces(name: str, results: Iterable[Result], style: Style) -> Iterator[bytes]:
    """The bytes of a file, piece by piece: text as UTF-8, where a path that is not UTF-8 comes out as the bytes it is.

    Parameters
    ----------
    name : a key of `FORMATS`.
    results : lines and pages, in the order in which they are written; no more than one is held.
    """
    for piece in FORMATS[name].write(results, style):
        yield piece if isinstance(piece, bytes) else piece.encode("utf-8", "surrogateescape")


def of_file(path: Path | str) -> str:
    """The name of the format that a file's suffix asks for; of `.alto.xml` and `.xml` the longer one counts.

    Raises
    ------
    SettingsError
        If no format has this suffix.
    """
    name = Path(path).name.lower()
    suffixes = {suffix: key for key, format in FORMATS.items() for suffix in format.suffixes}
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.endswith(suffix):
            return suffixes[suffix]
    raise SettingsError(f"{path}: the suffix names no format; use one of {' '.join(suffixes)}, or say --format")


FORMATS: dict[str, Format] = {
    "text": Format(text, (".txt",), "text/plain"),
    "json": Format(document, (".json",), "application/json"),
    "jsonl": Format(json_lines, (".jsonl", ".ndjson"), "application/x-ndjson"),
    "tsv": Format(tsv, (".tsv",), "text/tab-separated-values"),
    "hocr": Format(hocr, (".hocr", ".html"), "text/html"),
    "alto": Format(alto, (".alto.xml", ".alto", ".xml"), "application/xml"),
    "page": Format(page_xml, (".page.xml", ".page"), "application/xml", page_a_file=True),
    "pdf": Format(pdf, (".pdf",), "application/pdf"),
}
