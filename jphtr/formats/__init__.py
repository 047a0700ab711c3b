"""Recognition -> text, json, jsonl, tsv: one table, from which `--format` takes its choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jphtr.errors import SettingsError
from jphtr.formats.json_lines import document, json_lines
from jphtr.formats.plain import text, tsv
from jphtr.formats.style import Style
from jphtr.records import Recognition

__all__ = ["FORMATS", "Format", "Style", "of_file"]


@dataclass(frozen=True, slots=True)
class Format:
    """How results are written: a stream of text pieces, and the file suffixes that ask for it."""

    write: Callable[[Iterable[Recognition], Style], Iterator[str]]
    suffixes: tuple[str, ...]


def of_file(path: Path | str) -> str:
    """The name of the format that a file's suffix asks for.

    Raises
    ------
    SettingsError
        If no format has this suffix.
    """
    suffix = Path(path).suffix.lower()
    for name, format in FORMATS.items():
        if suffix in format.suffixes:
            return name
    known = " ".join(suffix for format in FORMATS.values() for suffix in format.suffixes)
    raise SettingsError(f"{path}: the suffix names no format; use one of {known}, or say --format")


FORMATS: dict[str, Format] = {
    "text": Format(text, (".txt",)),
    "json": Format(document, (".json",)),
    "jsonl": Format(json_lines, (".jsonl", ".ndjson")),
    "tsv": Format(tsv, (".tsv",)),
}
