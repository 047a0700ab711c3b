"""An evaluation as an HTML page, with its worst lines as the reader saw them."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from jphtr import html
from jphtr.errors import JphtrError
from jphtr.evaluate.report import Report, Scored
from jphtr.evaluate.tables import headline, sections
from jphtr.evaluate.temperature import Fitted
from jphtr.geometry import prepare
from jphtr.metrics import FOLDINGS, align, count
from jphtr.records import Gray

_TALLEST = 640  # px of a vertical line as it is shown


def page(report: Report, confusions: int = 50, worst: int = 50, fitted: Fitted | None = None) -> str:
    """The report as one HTML document.

    Parameters
    ----------
    confusions : how many, the most frequent first.
    worst : how many lines are shown, those with the most errors first.
    fitted : a better temperature, if one was looked for.
    """
    parts = [html.paragraph(line) for line in headline(report, fitted)]
    for section in sections(report, confusions):
        parts += [html.heading(section.title), html.table(section.head, section.rows)]
    lines = worst_lines(report, worst)
    if lines:
        parts.append(html.heading("Worst lines"))
        parts.append(
            html.paragraph(
                "Each as the reader saw it, cut out and levelled, vertical ones upright again; below it the truth, what "
                f"was read, and how sure of each character, in percent ({FOLDINGS[report.folding].said})."
            )
        )
    for line in lines:
        parts += _line(report, line)
    if report.failed:
        parts += [html.heading("Pictures that could not be read"), *(html.paragraph(x.error) for x in report.failed)]
    return html.page(f"{report.model.name}: {len(report.lines)} lines", parts)


def worst_lines(report: Report, most: int) -> list[Scored]:
    """The lines with errors, those with the most first, of equals those with the most for their length."""
    wrong = [(line, errors) for line, errors in zip(report.read, report.errors(), strict=True) if errors.total]
    wrong.sort(key=lambda pair: (-pair[1].total, -pair[1].rate))
    return [line for line, _ in wrong[:most]]


def _line(report: Report, line: Scored) -> list[Markup]:
    """Where a line is, its picture, and truth and reading character by character."""
    fold = FOLDINGS[report.folding].fold
    pairs = align(fold(line.truth.text), "".join(fold(span.char) for span in line.spans))
    sure = iter([span.confidence for span in line.spans for _ in fold(span.char)])
    is_, read_, sure_ = ["is"], ["read"], ["sure"]
    for ref, hyp in pairs:
        is_.append(ref if ref == hyp else Markup("<del>{}</del>").format(ref))
        read_.append(hyp if ref == hyp else Markup("<ins>{}</ins>").format(hyp))
        sure_.append(f"{100 * next(sure):.0f}" if hyp else "")
    errors = count(pairs)
    told = [str(line.truth), line.truth.kind, line.direction, line.truth.writer]
    return [
        html.paragraph(f"{', '.join(part for part in told if part)}: {errors.total} of {errors.chars} characters"),
        _seen(line),
        html.table(is_, [read_, sure_]),
    ]


def _seen(line: Scored) -> Markup:
    try:
        gray = line.truth.gray()
    except JphtrError as error:  # gone since it was read
        return html.paragraph(str(error))
    seen: Gray = prepare(gray, "vertical" if line.direction == "vertical" else "horizontal").gray
    if line.direction == "vertical":
        seen = np.ascontiguousarray(np.rot90(seen, -1))
    return html.picture(seen, min(1.0, _TALLEST / seen.shape[0]), alt=line.truth.text)
