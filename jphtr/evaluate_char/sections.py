"""What a report on a classifier says: some lines, and tables whose cells may be pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from jphtr.accuracy import confusions, ece, reliability
from jphtr.cell import to_input
from jphtr.errors import ImageError
from jphtr.evaluate_char import Report, listed
from jphtr.records import Gray

FEW = 10  # pictures of a writer below which a share says nothing
_WRITERS = 10  # worst writers that are shown
_EACH = 8  # pictures of one confusion
_HEIGHT, _GAP = 64, 6  # px, as pictures are shown


@dataclass(frozen=True, slots=True)
class Section:
    """A table: `head` over rows of texts, numbers and pictures (H, W) uint8; none without rows."""

    title: str
    head: list[str]
    rows: list[list[object]]


def sections(report: Report, confused: int, worst: int) -> list[Section]:
    """The tables of a report.

    Parameters
    ----------
    confused : most confusions to list.
    worst : most mistakes to show; 0 makes tables without pictures, for a terminal.
    """
    shown = [_groups(report), _writers(report), _confusions(report, confused, pictures=worst > 0)]
    return [*shown, _mistakes(report, worst), _calibration(report)] if worst else shown


def _groups(report: Report) -> Section:
    rows: list[list[object]] = []
    for column, value, mine in report.groups():
        strict, folded = report.accuracy(mine), report.accuracy(mine, folded=True)
        rows.append([
            f"{column} {value}", f"{strict.top1:.2%}", f"{strict.top5:.2%}", f"{strict.balanced:.2%}",
            f"{folded.top1:.2%}", f"{folded.low:.2%}-{folded.high:.2%}", strict.glyphs, strict.classes, strict.writers,
        ])  # fmt: skip
    head = ["group", "top-1", "top-5", "balanced", "folded", "its 95 %", "pictures", "characters", "writers"]
    return Section("Groups", head, rows)


def _writers(report: Report) -> Section:
    many = [row for row in writers(report) if row[1] >= FEW]
    rows: list[list[object]] = []
    if len(many) > 2:
        middle = float(np.median([rate for *_, rate in many]))
        rows = [["(median)", f"{middle:.2%}", sum(n for _, n, _ in many)]]
        rows += [[name, f"{rate:.2%}", n] for name, n, rate in many[:_WRITERS]]
    return Section(f"Writers of at least {FEW} pictures, worst first", ["writer", "top-1", "pictures"], rows)


def _calibration(report: Report) -> Section:
    bins = reliability(report.answers.confidence, report.answers.hits())
    rows: list[list[object]] = [[f"{b.confidence:.1%}", f"{b.right:.1%}", b.glyphs] for b in bins]
    return Section("Calibration", ["confidence", "right", "pictures"], rows)


def _confusions(report: Report, most: int, *, pictures: bool) -> Section:
    rows: list[list[object]] = []
    for truth, answer, n, of, same in pairs(report, most):
        row: list[object] = [report.chars[truth], report.chars[answer], n, of, "yes" if same else ""]
        if pictures:
            row.append(_strip([_shown(report, number) for number in _of_pair(report, truth, answer)]))
        rows.append(row)
    head = ["is", "read as", "times", "of", "look-alike", *(["pictures"] if pictures else [])]
    return Section("Confusions", head, rows)


def _mistakes(report: Report, most: int) -> Section:
    rows = [_mistake(report, number) for number in worst_mistakes(report, most)]
    head = ["picture", "as the net sees it", "is", "read as", "confidence", "of the truth", "where"]
    return Section("Surest mistakes", head, rows)


def _mistake(report: Report, number: int) -> list[object]:
    found, chars = report.answers, report.chars
    gray = _shown(report, number)
    seen = to_input(gray, **report.header.input) if report.header.input else gray
    return [
        _strip([gray]), _strip([seen]), chars[found.truth[number]], chars[found.best[number, 0]],
        f"{found.confidence[number]:.1%}", f"{found.given[number]:.1%}", report.place(number),
    ]  # fmt: skip


def headline(report: Report) -> list[str]:
    """The report in a few lines."""
    strict, folded = report.accuracy(), report.accuracy(folded=True)
    by = f"{strict.writers:,} writer" + "s" * (strict.writers > 1)
    out = [
        f"top-1 {strict.top1:.2%} of {strict.glyphs:,} pictures of {strict.classes:,} characters "
        f"by {by} (95% {strict.low:.2%} to {strict.high:.2%}, over {strict.over})",
        f"top-5 {strict.top5:.2%}, balanced over characters {strict.balanced:.2%}",
        f"look-alikes folded: top-1 {folded.top1:.2%} (95% {folded.low:.2%} to {folded.high:.2%}), "
        f"top-5 {folded.top5:.2%}, balanced {folded.balanced:.2%}",
        f"calibration: ECE {ece(report.answers.confidence, report.answers.hits()):.2%}, mean confidence "
        f"{report.answers.confidence.mean():.2%}, at temperature {report.header.temperature:.3g}",
    ]
    if report.fit is not None and report.fitted is not None:
        out.append(
            f"temperature fitted on these pictures: {report.fitted:.3f} (ECE there {report.fit.ece(report.fit.temperature):.2%}, "
            f"loss {report.fit.loss(report.fit.temperature):.4f}, now {report.fit.loss():.4f})"
        )
    if report.lacking:
        out.append(
            f"in no score: {report.lacking.total():,} pictures of {len(report.lacking):,} characters that the model "
            f"lacks: {listed(report.lacking)}"
        )
    out += [f"in no score: {number:,} {reason}" for reason, number in report.left_out.items()]
    if report.failed:
        out.append(f"in no score: {len(report.failed):,} pictures that could not be read")
    each = 1000 * report.seconds / max(1, len(report.answers))
    return [*out, f"{report.model}: {report.seconds:.1f} s, {each:.2f} ms a picture with reading it"]


def worst_mistakes(report: Report, most: int) -> list[int]:
    """Numbers of the pictures with a wrong answer, no look-alike, that is surest; the surest first."""
    wrong = np.flatnonzero(~report.answers.hits(report.alike))
    order = np.argsort(-report.answers.confidence[wrong], kind="stable")
    found: list[int] = wrong[order][:most].tolist()
    return found


def writers(report: Report) -> list[tuple[str, int, float]]:
    """Every writer with the number of pictures and the part of them that is right, the worst first."""
    place, names = report.writer.place, report.writer.names
    seen, right = np.bincount(place), np.bincount(place, report.answers.hits())
    rows = [(name, int(n), float(r / n)) for name, n, r in zip(names, seen, right, strict=True)]
    return sorted(rows, key=lambda row: (row[2], row[0]))


def pairs(report: Report, most: int) -> list[tuple[int, int, int, int, bool]]:
    """As `accuracy.confusions`, and whether folding forgives it."""
    same = report.alike
    return [(*row, bool(same[row[0]] == same[row[1]])) for row in confusions(report.answers, most)]


def _of_pair(report: Report, truth: int, answer: int) -> list[int]:
    """Numbers of some pictures of one confusion, spread over all of them."""
    found = report.answers
    numbers = np.flatnonzero((found.truth == truth) & (found.best[:, 0] == answer))
    picked: list[int] = numbers[np.linspace(0, len(numbers) - 1, min(_EACH, len(numbers))).astype(int)].tolist()
    return picked


def _shown(report: Report, number: int) -> Gray:
    try:
        return report.picture(number)
    except ImageError:  # gone since it was classified
        return np.full((_HEIGHT, _HEIGHT), 255, np.uint8)


def _strip(grays: Sequence[Gray]) -> Gray:
    """Pictures side by side, each as high as the others."""
    gap = np.full((_HEIGHT, _GAP), 255, np.uint8)
    parts: list[Gray] = []
    for gray in grays:
        width = max(1, min(8 * _HEIGHT, round(gray.shape[1] * _HEIGHT / gray.shape[0])))
        parts += [gap, np.asarray(Image.fromarray(gray).resize((width, _HEIGHT), Image.Resampling.BICUBIC))]
    return np.concatenate(parts[1:], axis=1)
