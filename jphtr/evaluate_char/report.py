"""An evaluation as JSON, text, Markdown, HTML and a table of every picture."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from jphtr.accuracy import Accuracy, ece, reliability
from jphtr.evaluate_char import Report
from jphtr.evaluate_char.sections import headline, pairs, sections, worst_mistakes, writers
from jphtr.records import Gray


def summary(report: Report, confused: int = 50, worst: int = 50) -> dict[str, Any]:
    """The report as plain values for JSON; `confused` and `worst` are how many confusions and mistakes it holds."""
    found, chars = report.answers, report.chars
    right = found.hits()
    fit = report.fit
    return {
        "model": report.model,
        "name": report.header.name,
        "data": [str(pictures.path) for pictures in report.data],
        "glyphs": len(found),
        "failed": len(report.failed),
        "left_out": dict(report.left_out),
        "lacking": {"glyphs": report.lacking.total(), "characters": dict(report.lacking.most_common())},
        "seconds": round(report.seconds, 3),
        "strict": _rates(report.accuracy()),
        "folded": _rates(report.accuracy(folded=True)),
        "groups": [
            {
                "column": column,
                "value": value,
                "strict": _rates(report.accuracy(mine)),
                "folded": _rates(report.accuracy(mine, folded=True)),
            }
            for column, value, mine in report.groups()
        ],
        "writers": [{"writer": name, "glyphs": n, "top1": rate} for name, n, rate in writers(report)],
        "calibration": {
            "temperature": report.header.temperature,
            "ece": ece(found.confidence, right),
            "confidence": float(found.confidence.mean()),
            "bins": [asdict(one) for one in reliability(found.confidence, right)],
            **({} if fit is None else {"fitted_temperature": report.fitted, "fitted_ece": fit.ece(fit.temperature)}),
        },
        "confusions": [
            {"truth": chars[truth], "answer": chars[answer], "count": n, "of": of, "look_alike": same}
            for truth, answer, n, of, same in pairs(report, confused)
        ],
        "worst": [
            {
                "place": report.place(number),
                "truth": chars[found.truth[number]],
                "answer": chars[found.best[number, 0]],
                "confidence": float(found.confidence[number]),
                "of_truth": float(found.given[number]),
            }
            for number in worst_mistakes(report, worst)
        ],
    }


def per_glyph(report: Report) -> str:
    """A tab-separated table, one picture a row, with its five best answers."""
    found, chars = report.answers, report.chars
    rows = ["place\tset\tstyle\twriter\ttruth\tanswer\tright\tconfidence\tof_truth\tbest"]
    right, folded = found.hits(), found.hits(report.alike)
    columns = (report.set, report.style, report.writer)
    for number in range(len(found)):
        best = [chars[label] for label in found.best[number].tolist()]
        verdict = "yes" if right[number] else "look-alike" if folded[number] else "no"
        cells = (
            report.place(number), *(column.names[column.place[number]] for column in columns),
            chars[found.truth[number]], best[0], verdict, f"{found.confidence[number]:.4f}",
            f"{found.given[number]:.4f}", "".join(best),
        )  # fmt: skip
        rows.append("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells))
    return "\n".join(rows) + "\n"


def table(report: Report, confused: int = 20) -> str:
    """The report as text for a terminal, how often the first answer is right first."""
    out = headline(report)
    for section in sections(report, confused, 0):
        out += ["", *_aligned(section.head, section.rows)] if section.rows else []
    return "\n".join(out)


def markdown(report: Report, folder: str, confused: int = 50, worst: int = 50) -> tuple[str, dict[str, bytes]]:
    """The report as Markdown, and the PNG files that it shows by their names, which are to lie in `folder` beside it."""
    files: dict[str, bytes] = {}

    def cell(value: object) -> str:
        if not isinstance(value, np.ndarray):
            return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+-!|~" else char for char in str(value))
        name = f"{len(files) + 1:03d}.png"
        files[name] = _png(value)
        return f"![]({folder}/{name})"

    out = [f"# {cell(_title(report))}", "", *(f"- {cell(line)}" for line in headline(report))]
    for section in sections(report, confused, worst):
        if section.rows:
            out += ["", f"## {section.title}", "", f"| {' | '.join(section.head)} |", "|---" * len(section.head) + "|"]
            out += [f"| {' | '.join(map(cell, row))} |" for row in section.rows]
    return "\n".join(out) + "\n", files


def html(report: Report, confused: int = 50, worst: int = 50) -> str:
    """The report as one HTML file.

    Raises
    ------
    MissingExtraError
        If the package that writes it is not installed.
    """
    from jphtr import html  # needs a package that classifying does not

    def cells(row: Sequence[object]) -> list[object]:
        return [html.picture(value) if isinstance(value, np.ndarray) else value for value in row]

    parts = [html.paragraph(line) for line in headline(report)]
    for section in sections(report, confused, worst):
        if section.rows:
            parts += [html.heading(section.title), html.table(section.head, map(cells, section.rows))]
    return html.page(_title(report), parts)


def _title(report: Report) -> str:
    return f"{report.header.name} on {', '.join(pictures.path.name for pictures in report.data)}"


def _rates(counted: Accuracy) -> dict[str, Any]:
    plain = asdict(counted)
    low, high = plain.pop("low"), plain.pop("high")
    return {**plain, "interval95": [low, high], "over": counted.over}


def _png(gray: Gray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "png")
    return file.getvalue()


def _aligned(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table whose numbers, but in its first column, stand right."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    right = [i > 0 and all(row[i][:1].isdigit() for row in cells[1:]) for i in range(len(head))]
    lines = []
    for row in cells:
        parts = [
            " " * (width - _width(cell)) + cell if number else cell + " " * (width - _width(cell))
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def _width(text: str) -> int:
    """Cells of a terminal: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
