"""A model and lines with known text -> scores, through the very reader that people use: scoring is reading.

Truth is a table, tab-separated: the path of a picture and its text, and if a header says so kind, direction and
writer; paths are relative to the table. A folder holds such a table as truth.tsv, or a .txt beside every picture.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from jphtr.errors import DataError, JphtrError
from jphtr.image import pictures_in
from jphtr.metrics import NORMALISERS, Errors, Scores, cer, interval, score
from jphtr.reader import BATCH, Reader
from jphtr.records import Direction, Recognition

TRUTH = "truth.tsv"
_NAMES = {"file": "path", "path": "path", "image": "path", "text": "text", "kind": "kind", "group": "kind",
          "style": "kind", "direction": "direction", "writer": "writer"}  # fmt: skip
_DIRECTIONS: tuple[Direction, ...] = ("horizontal", "vertical")


@dataclass(frozen=True, slots=True)
class Truth:
    """A picture of a line and its text; `kind`, `direction` and `writer` are "" where the table does not say."""

    path: Path
    text: str
    kind: str = ""
    direction: str = ""
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """A line as it was read, or `error` with the reason why it could not be."""

    truth: Truth
    text: str
    confidence: float
    direction: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All lines of an evaluation, and how long reading took.

    Attributes
    ----------
    model : the file.
    lines : every line, in order; those that could not be read are in no score.
    seconds : of reading, pictures decoded and all.
    decoder : with which it was read, in words.
    """

    model: Path
    lines: tuple[Scored, ...]
    seconds: float
    decoder: str

    @property
    def failed(self) -> list[Scored]:
        """The lines that could not be read."""
        return [line for line in self.lines if line.error]

    def scores(self, normaliser: str = "folded", where: Callable[[Scored], bool] | None = None) -> Scores:
        """Counts over the lines that were read, or over those of them that `where` picks."""
        pairs = [
            (line.truth.text, line.text) for line in self.lines if not line.error and (where is None or where(line))
        ]
        return score(pairs, NORMALISERS[normaliser])

    def groups(self) -> list[tuple[str, str, Callable[[Scored], bool]]]:
        """Column, value and test of every group that is not simply everything."""
        found: list[tuple[str, str, Callable[[Scored], bool]]] = []
        columns: dict[str, Callable[[Scored], str]] = {
            "kind": lambda line: line.truth.kind,
            "direction": lambda line: line.truth.direction,
        }
        for column, value_of in columns.items():
            values = sorted({value_of(line) for line in self.lines} - {""})
            if len(values) > 1:
                found += [(column, value, _is(value_of, value)) for value in values]
        return found

    def interval(self, normaliser: str = "folded") -> tuple[float, float]:
        """Bootstrap interval of the CER, over writers where the truth knows them, else over lines."""
        read = [line for line in self.lines if not line.error]
        known = all(line.truth.writer for line in read)
        return interval(self.scores(normaliser).lines, [line.truth.writer for line in read] if known else None)


def _is(value_of: Callable[[Scored], str], value: str) -> Callable[[Scored], bool]:
    return lambda line: value_of(line) == value


def read_truth(path: Path) -> list[Truth]:
    """Lines with known text from a table or a folder.

    Raises
    ------
    DataError
        If there is none, or the table is not one.
    """
    if path.is_dir():
        if (path / TRUTH).is_file():
            return read_truth(path / TRUTH)
        sidecars = [(Path(p), Path(p).with_suffix(".txt")) for p in pictures_in(path)]
        lines = [Truth(p, _text(t).strip("\r\n")) for p, t in sidecars if t.is_file()]
        if not lines:
            raise DataError(f"{path}: holds neither {TRUTH} nor a .txt beside a picture; give a table of path and text")
        return lines
    rows = [row.split("\t") for row in _text(path).removeprefix("\ufeff").splitlines()]
    columns = ["path", "text"]
    if rows and {_NAMES.get(name.strip().lower()) for name in rows[0]} >= {"path", "text"}:
        columns = [_NAMES.get(name.strip().lower(), "") for name in rows.pop(0)]
        first = 2
    else:
        first = 1
    found: list[Truth] = []
    for number, row in enumerate(rows, first):
        if row == [""]:
            continue
        if len(row) < 2:
            raise DataError(f"{path}, line {number}: no tab; write the picture's path, a tab, and its text")
        values = {name: value for name, value in zip(columns, row, strict=False) if name}
        if values.get("direction", "") not in ("", *_DIRECTIONS):
            raise DataError(f"{path}, line {number}: direction {values['direction']!r}; write horizontal or vertical")
        if not values.get("path") or "text" not in values:
            raise DataError(f"{path}, line {number}: lacks a path or a text; fill both columns")
        found.append(Truth(**(values | {"path": path.parent / values["path"]})))  # type: ignore[arg-type]
    if not found:
        raise DataError(f"{path}: holds no line; write a picture's path, a tab, and its text")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a table of path and text, or a folder") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; save it as UTF-8") from None


def evaluate(
    reader: Reader,
    truth: Sequence[Truth],
    *,
    direction: Literal["auto", "given", "horizontal", "vertical"] = "auto",
    decoder: str | None = None,
    batch_size: int = BATCH,
) -> Report:
    """Read lines and lay what was read beside their texts.

    Parameters
    ----------
    reader : with the model to score.
    truth : the lines.
    direction : how they run; "auto" finds out, as for people, "given" trusts the table where it says.
    decoder : a key of `DECODERS`, if another than the reader's.
    batch_size : lines read together, which changes no result.
    """
    ways: list[Direction | Literal["auto"]] = []
    for line in truth:
        told = line.direction if direction == "given" else direction
        ways.append("horizontal" if told == "horizontal" else "vertical" if told == "vertical" else "auto")
    results: dict[int, Recognition | JphtrError] = {}
    began = time.perf_counter()
    for way in dict.fromkeys(ways):
        places = [i for i, w in enumerate(ways) if w == way]
        read = reader.read_many((truth[i].path for i in places), way, decoder=decoder, batch_size=batch_size)
        results |= zip(places, read, strict=True)
    seconds = time.perf_counter() - began
    lines = tuple(_scored(line, results[i]) for i, line in enumerate(truth))
    return Report(reader.path, lines, seconds, decoder or str(reader.decoder))


def _scored(truth: Truth, result: Recognition | JphtrError) -> Scored:
    if isinstance(result, JphtrError):
        return Scored(truth, "", 0.0, "", str(result))
    return Scored(truth, result.text, result.confidence, result.direction)


def summary(report: Report, confusions: int = 20) -> dict[str, Any]:
    """The report as plain values for JSON: rates, counts, groups, scripts and the most frequent confusions."""
    folded, strict = report.scores("folded"), report.scores("strict")
    low, high = report.interval()
    return {
        "model": str(report.model),
        "decoder": report.decoder,
        "lines": len(folded.lines),
        "failed": len(report.failed),
        "seconds": round(report.seconds, 3),
        "folded": {**_rates(folded), "interval95": [low, high]},
        "strict": _rates(strict),
        "groups": [
            {"column": column, "value": value, **_rates(report.scores("folded", where))}
            for column, value, where in report.groups()
        ],
        "scripts": {script: {"cer": errors.rate, **asdict(errors)} for script, errors in folded.scripts.items()},
        "small_kana_recall": folded.small_kana.rate,
        "punctuation_recall": folded.punctuation.rate,
        "confusions": [
            {"truth": ref, "read": hyp, "count": n, "of": support}
            for ref, hyp, n, support in folded.confusions(confusions)
        ],
    }


def _rates(scores: Scores) -> dict[str, Any]:
    errors = scores.errors
    return {
        "cer": errors.rate,
        "line_accuracy": scores.line_accuracy,
        "lines": len(scores.lines),
        **asdict(errors),
    }


def table(report: Report, confusions: int = 20) -> str:
    """The report as text for a terminal, the character error rate first."""
    folded, strict = report.scores("folded"), report.scores("strict")
    errors = folded.errors
    low, high = report.interval()
    out = [
        f"CER {errors.rate:.2%} ({errors.total} of {errors.chars} characters, 95% {low:.2%} to {high:.2%}; "
        "NFKC, without spaces)",
        f"CER {strict.errors.rate:.2%} strict (NFC, without spaces)",
        f"lines read right {folded.right} of {len(folded.lines)} ({folded.line_accuracy:.1%}), "
        f"substituted {errors.substitutions}, left out {errors.deletions}, invented {errors.insertions}",
        f"{report.decoder}: {report.seconds:.1f} s, {1000 * report.seconds / max(1, len(report.lines)):.1f} ms a line",
    ]
    rows = [(f"{column} {value}", report.scores("folded", where)) for column, value, where in report.groups()]
    if rows:
        out += ["", *_columns(["group", "CER", "lines", "right", "chars", "sub", "del", "ins"], map(_row, rows))]
    if folded.scripts:
        scripts = (
            [script, f"{e.rate:.2%}", e.chars, e.substitutions, e.deletions, e.insertions]
            for script, e in folded.scripts.items()
        )
        out += ["", *_columns(["script", "CER", "chars", "sub", "del", "ins"], scripts)]
    mistakes = folded.confusions(confusions)
    if mistakes:
        pairs = ([ref or "(nothing)", hyp or "(nothing)", n, support or ""] for ref, hyp, n, support in mistakes)
        out += ["", *_columns(["is", "read as", "times", "of"], pairs)]
    return "\n".join(out)


def per_file(report: Report) -> str:
    """A tab-separated table, one line a row: path, errors, characters, confidence, truth, text, error."""
    rows = ["file\terrors\tchars\tconfidence\ttext\tread\terror"]
    for line in report.lines:
        errors = Errors() if line.error else cer(line.truth.text, line.text, NORMALISERS["folded"])
        confidence = f"{line.confidence:.4f}"
        cells = (line.truth.path, errors.total, errors.chars, confidence, line.truth.text, line.text, line.error)
        rows.append("\t".join(str(cell).replace("\t", " ").replace("\n", " ") for cell in cells))
    return "\n".join(rows) + "\n"


def _row(group: tuple[str, Scores]) -> list[object]:
    name, scores = group
    e = scores.errors
    right = f"{scores.line_accuracy:.1%}"
    return [name, f"{e.rate:.2%}", len(scores.lines), right, e.chars, e.substitutions, e.deletions, e.insertions]


def _columns(head: list[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table whose first columns stand left and whose numbers stand right."""
    cells = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    left = 2 if head[1] == "read as" else 1
    lines = []
    for row in cells:
        parts = [
            cell + " " * (width - _width(cell)) if i < left else " " * (width - _width(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def _width(text: str) -> int:
    """Cells of a terminal: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
