"""An evaluation as text for a terminal, as JSON, and as a table of its lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from jphtr.accuracy import ece, reliability
from jphtr.charset import Script
from jphtr.evaluate.report import Displaced, Report, Scored, Where
from jphtr.evaluate.temperature import Fitted
from jphtr.lookalikes import fold_forms, fold_lookalikes
from jphtr.metrics import FOLDINGS, MARKS, Errors, Scores

_CLASSES = {"hiragana": "kana", "katakana": "kana", "level1": "kanji", "level2": "kanji", "kanji": "kanji"}


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a report; its first `left` columns are text."""

    title: str
    head: list[str]
    rows: list[list[object]]
    left: int = 1


def summary(report: Report, confusions: int = 20, fitted: Fitted | None = None) -> dict[str, Any]:
    """The report as plain values for JSON: rates, counts, groups, scripts, confusions, and every line.

    Parameters
    ----------
    confusions : how many, the most frequent first.
    fitted : a better temperature, if one was looked for.
    """
    scores = report.scores()
    low, high, over, number = report.interval()
    confidence, right = report.sureness()
    return {
        "model": str(report.model),
        "decoder": report.decoder,
        "lines": len(scores.lines),
        "failed": len(report.failed),
        "turned": len(report.turned),
        "seconds": round(report.seconds, 3),
        **{
            name: {"said": folding.said, **_rates(report.scores(name)), "interval95": list(report.interval(name)[:2])}
            for name, folding in FOLDINGS.items()
        },
        "folding": report.folding,
        "interval": {"low": low, "high": high, "over": over, "number": number},
        "groups": [
            {
                "column": column,
                "value": value,
                **_rates(report.scores(None, where)),
                "interval95": list(report.interval(None, where)[:2]),
                **{name: report.rate(name, where) for name in FOLDINGS},
                "ece": ece(*report.sureness(where)),
            }
            for column, value, where in report.groups()
        ],
        "scripts": {script: {"cer": errors.rate, **asdict(errors)} for script, errors in _scripts(scores)},
        "small_kana_recall": scores.small_kana.rate,
        "punctuation_recall": scores.punctuation.rate,
        "marks": [
            {"mark": mark, "direction": direction, "recall": found.rate, **asdict(found)}
            for direction, some in _by_direction(report)
            for mark, of in MARKS.items()
            for found in (some.recall(of),)
        ],
        "calibration": {
            "temperature": report.temperature,
            "ece": ece(confidence, right),
            "confidence": float(confidence.mean()) if len(right) else None,
            "right": float(right.mean()) if len(right) else None,
            "chars": len(right),
            "bins": [
                {"chars": one.glyphs, "confidence": one.confidence, "right": one.right}
                for one in reliability(confidence, right)
            ],
            **({} if fitted is None else {"fitted": asdict(fitted)}),
        },
        "boxes": [
            {"of": name, "direction": direction, **_distances(some)} for name, direction, some in _displaced(report)
        ],
        "confusions": [
            {"truth": ref, "read": hyp, "count": n, "of": support}
            for ref, hyp, n, support in scores.confusions(confusions)
        ],
        "files": [_file(report, line, errors) for line, errors in _with_errors(report)],
    }


def _rates(scores: Scores) -> dict[str, Any]:
    errors = scores.errors
    return {
        "cer": errors.rate,
        "line_accuracy": scores.line_accuracy,
        "lines": len(scores.lines),
        **asdict(errors),
    }


def table(report: Report, confusions: int = 20, fitted: Fitted | None = None) -> str:
    """The report as text for a terminal, the character error rate first; the parameters are those of `summary`."""
    out = headline(report, fitted)
    for section in sections(report, confusions):
        out += ["", *_columns(section)]
    return "\n".join(out)


def headline(report: Report, fitted: Fitted | None = None) -> list[str]:
    """The report in a few lines."""
    scores = report.scores()
    errors = scores.errors
    low, high, over, number = report.interval()
    out = [
        f"CER {errors.rate:.2%} ({errors.total} of {errors.chars} characters, 95% {low:.2%} to {high:.2%} over "
        f"{number} {over}; {FOLDINGS[report.folding].said})"
    ]
    out += [f"CER {report.rate(name):.2%} {name} ({FOLDINGS[name].said})" for name in _other_foldings(report)]
    out.append(
        f"lines read right {scores.right} of {len(scores.lines)} ({scores.line_accuracy:.1%}), "
        f"substituted {errors.substitutions}, left out {errors.deletions}, invented {errors.insertions}"
    )
    if report.turned:
        out.append(f"lines taken to run the other way: {len(report.turned)}")
    confidence, right = report.sureness()
    if len(right):
        out.append(
            f"confidence: ECE {ece(confidence, right):.2%}; {confidence.mean():.2%} in the mean, "
            f"{right.mean():.2%} of {len(right)} characters right"
        )
    if fitted is not None:
        out.append(
            f"temperature {fitted.temperature:.3f} (jphtr export --temperature {fitted.temperature:.3f}): ECE "
            f"{fitted.before:.2%} to {fitted.after:.2%} over {fitted.chars} characters that it was not fitted on"
        )
    for name, direction, some in _displaced(report):
        if not direction and name == "kana and kanji":
            found = _distances(some)
            out.append(
                f"boxes: centre off by {found['centre']:.1%} of the character's length in the median, overlap "
                f"{found['overlap']:.2f} ({found['chars']} kana and kanji)"
            )
    each = 1000 * report.seconds / max(1, len(report.lines))
    return [*out, f"{report.decoder}: {report.seconds:.1f} s, {each:.1f} ms a line"]


def sections(report: Report, confusions: int = 20) -> Iterator[Section]:
    """The tables of a report, but for empty ones."""
    for section in _sections(report, confusions):
        if section.rows:
            yield section


def _sections(report: Report, confusions: int) -> Iterator[Section]:
    scores = report.scores()
    yield Section(
        "Groups",
        ["group", "CER", "95 %", *_other_foldings(report), "lines", "right", "chars", "sub", "del", "ins"],
        [_group(report, f"{column} {value}", where) for column, value, where in report.groups()],
    )
    scripts = _scripts(scores)
    yield Section(
        "Scripts",
        ["script", "CER", "chars", "sub", "del", "ins"],
        [[name, f"{e.rate:.2%}", e.chars, e.substitutions, e.deletions, e.insertions] for name, e in scripts],
    )
    some = _by_direction(report)
    recalls = {mark: [part.recall(of) for _, part in some] for mark, of in MARKS.items()}
    yield Section(
        "Small signs",
        ["small signs", "read right", "of", "left out", *(direction for direction, _ in some[1:])],
        [
            [mark, f"{first.rate:.2%}", first.chars, first.left_out, *(f"{one.rate:.2%}" for one in rest)]
            for mark, (first, *rest) in recalls.items()
            if first.chars
        ],
    )
    boxes = [(name, direction, _distances(found)) for name, direction, found in _displaced(report)]
    yield Section(
        "Boxes of characters that were read right",
        ["boxes", "centre off", "90 %", "overlap", "characters"],
        [
            [f"{name} {way}".strip(), f"{one['centre']:.1%}", f"{one['centre90']:.1%}", f"{one['overlap']:.2f}", one["chars"]]
            for name, way, one in boxes
        ],
    )  # fmt: skip
    bins = reliability(*report.sureness())
    yield Section(
        "Confidence",
        ["confidence", "right", "characters"],
        [[f"{one.confidence:.1%}", f"{one.right:.1%}", one.glyphs] for one in bins],
        0,
    )
    yield Section(
        "Confusions",
        ["is", "read as", "times", "of", ""],
        [
            [ref or "(nothing)", hyp or "(nothing)", n, support or "", _code_points(ref, hyp)]
            for ref, hyp, n, support in scores.confusions(confusions)
        ],
        2,
    )


def _group(report: Report, name: str, where: Where) -> list[object]:
    scores = report.scores(None, where)
    e = scores.errors
    low, high, *_ = report.interval(None, where)
    others = (f"{report.rate(folding, where):.2%}" for folding in _other_foldings(report))
    right = f"{scores.line_accuracy:.1%}"
    return [
        name, f"{e.rate:.2%}", f"{low:.2%} to {high:.2%}", *others, len(scores.lines), right, e.chars, e.substitutions,
        e.deletions, e.insertions,
    ]  # fmt: skip


def _other_foldings(report: Report) -> list[str]:
    return [name for name in FOLDINGS if name != report.folding]


def _scripts(scores: Scores) -> list[tuple[Script, Errors]]:
    """The edits in each script that occurs, kana first."""
    return [(script, scores.scripts[script]) for script in get_args(Script) if script in scores.scripts]


def _code_points(ref: str, hyp: str) -> str:
    """The code points of two characters of one shape, which a table cannot tell apart; else ""."""
    same = ref and hyp and fold_forms(fold_lookalikes(ref)) == fold_forms(fold_lookalikes(hyp))
    return f"U+{ord(ref):04X} as U+{ord(hyp):04X}" if same else ""


def _by_direction(report: Report) -> list[tuple[str, Scores]]:
    """Scores of everything under "", and of each direction if there are two."""
    ways = [(value, where) for column, value, where in report.groups() if column == "direction"]
    return [("", report.scores()), *((value, report.scores(None, where)) for value, where in ways)]


def _displaced(report: Report) -> list[tuple[str, str, list[Displaced]]]:
    """Displaced boxes of classes of characters, "" for the direction first; empty ones are left out."""
    everything = report.displaced
    ways = sorted({one.direction for one in everything})
    found: list[tuple[str, str, list[Displaced]]] = []
    for way in ("", *ways) if len(ways) > 1 else ("",):
        mine = [one for one in everything if way in ("", one.direction)]
        found.append(("kana and kanji", way, [one for one in mine if one.script in _CLASSES]))
        for name in ("kana", "kanji", "others") if way or len(ways) == 1 else ():
            found.append((name, way, [one for one in mine if _CLASSES.get(one.script, "others") == name]))
    return [row for row in found if row[2]]


def _distances(boxes: Sequence[Displaced]) -> dict[str, Any]:
    """Medians of at least one box, and the distance of centres that nine in ten keep within."""
    centres = np.array([one.centre for one in boxes])
    return {
        "centre": float(np.median(centres)),
        "centre90": float(np.quantile(centres, 0.9)),
        "overlap": float(np.median([one.overlap for one in boxes])),
        "chars": len(boxes),
    }


def per_file(report: Report) -> str:
    """A tab-separated table, one line a row: what was counted in it, its truth, what was read, or the error."""
    columns = ("file", "errors", "chars", "sub", "del", "ins", "confidence", "direction", "centre_off", "kind", "writer",
               "text", "read", "error")  # fmt: skip
    rows = ["\t".join(columns)]
    for line, errors in _with_errors(report):
        values = _file(report, line, errors)
        cells = ("" if values[column] is None else str(values[column]) for column in columns)
        rows.append("\t".join(cell.replace("\t", " ").replace("\n", " ").replace("\r", " ") for cell in cells))
    return "\n".join(rows) + "\n"


def _with_errors(report: Report) -> Iterator[tuple[Scored, Errors]]:
    """Every line with its edits, none for those that could not be read."""
    errors = iter(report.errors())
    for line in report.lines:
        yield line, Errors() if line.error else next(errors)


def _file(report: Report, line: Scored, errors: Errors) -> dict[str, Any]:
    off = [one.centre for one in report.displace(line)]
    return {
        "file": str(line.truth),
        "errors": errors.total,
        "chars": errors.chars,
        "sub": errors.substitutions,
        "del": errors.deletions,
        "ins": errors.insertions,
        "confidence": round(line.confidence, 4),
        "direction": line.direction,
        "centre_off": round(float(np.median(off)), 4) if off else None,
        "kind": line.truth.kind,
        "writer": line.truth.writer,
        "text": line.truth.text,
        "read": line.text,
        "error": line.error,
    }


def _columns(section: Section) -> Iterator[str]:
    """A table whose first columns stand left and whose numbers stand right."""
    cells = [section.head, *([str(cell) for cell in row] for row in section.rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        parts = (
            cell + " " * (width - _width(cell)) if i < section.left else " " * (width - _width(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(parts).rstrip()


def _width(text: str) -> int:
    """Cells of a terminal: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
