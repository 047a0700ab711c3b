"""`jphtr eval-line`: how well a model reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.read import decoding_options

_FILE = click.Path(path_type=Path)


@click.command("eval-line")
@click.argument("model", type=_FILE)
@click.argument("data", nargs=-1, required=True, type=_FILE)
@click.option(
    "--direction",
    type=click.Choice(["auto", "given", "horizontal", "vertical"]),
    default="auto",
    show_default=True,
    help="How lines run; auto finds out as jphtr read does, given trusts the table.",
)
@click.option(
    "--fold",
    type=click.Choice(["strict", "folded", "forms", "loose"]),
    default="folded",
    show_default=True,
    help="What counts as the same: strict nothing, folded other widths, forms old kanji as well, loose look-alikes too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--per-file", type=_FILE, metavar="TSV", help="Write a row for every line: errors, texts.")
@click.option("--html", type=_FILE, metavar="HTML", help="Write a page with the worst lines as pictures.")
@click.option("--confusions", default=20, show_default=True, type=click.IntRange(0), help="Confusions to list.")
@click.option("--worst", default=50, show_default=True, type=click.IntRange(0), help="Lines to show on the page.")
@click.option(
    "--fit-temperature",
    is_flag=True,
    help="Find the temperature that makes confidence right on DATA, for jphtr export; needs --decoder greedy.",
)
@click.option("-B", "--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Lines read together.")
@click.option("--threads", type=click.IntRange(1), help="Threads of one batch; by default all cores.")
@decoding_options
def eval_line(
    model: Path,
    data: tuple[Path, ...],
    direction: Any,
    fold: str,
    as_json: bool,
    per_file: Path | None,
    html: Path | None,
    confusions: int,
    worst: int,
    fit_temperature: bool,
    batch_size: int,
    threads: int | None,
    **decoding: Any,
) -> None:
    """Measure MODEL, an .onnx file or - for the one in the package, on lines with known text.

    DATA is a table (a picture's path, a tab, its text; with a header also kind, direction, writer and document), a
    folder with a truth.tsv or with a text beside every picture, or whatever else jphtr pack takes. A spans.jsonl beside
    the table, as jphtr compose writes it, has the boxes of characters measured as well.

    Intervals are drawn over writers or documents where at least five are named, else over lines. Exit code 1 says that
    some pictures could not be read.
    """
    import json

    from jphtr import evaluate
    from jphtr.cli import complain
    from jphtr.errors import DataError, require
    from jphtr.reader import Reader
    from jphtr.whole import write_whole

    if fit_temperature and decoding["decoder"] != "greedy":
        raise click.UsageError(
            "--fit-temperature: a language model's part in confidence knows no temperature; add --decoder greedy"
        )
    if html is not None:
        require("jphtr.html")
    for path in filter(None, (per_file, html)):
        if not path.parent.is_dir():  # said before anything is measured
            raise DataError(f"{path}: there is no folder {path.parent}; make it first")
    reader = Reader(None if str(model) == "-" else model, threads=threads, **decoding)
    truth = [line for path in data for line in evaluate.read_truth(path)]
    report = evaluate.evaluate(reader, truth, direction=direction, batch_size=batch_size, folding=fold)
    scored = [line for line in report.lines if not line.error]
    if not any(line.truth.text for line in scored):
        for line in report.failed:
            complain(line.error)
        names = ", ".join(map(str, data))
        why = (
            "no line that was read has a text; write down what the pictures say" if scored else "no line could be read"
        )
        raise DataError(f"{names}: {why}, so nothing was measured")
    fitted = evaluate.fit_temperature(report) if fit_temperature else None
    if per_file is not None:
        write_whole(per_file, evaluate.per_file(report).encode("utf-8", "surrogateescape"))
    if html is not None:
        from jphtr.evaluate.page import page

        write_whole(html, page(report, max(confusions, worst), worst, fitted).encode("utf-8", "surrogateescape"))
    if as_json:
        click.echo(json.dumps(evaluate.summary(report, confusions, fitted), ensure_ascii=False, indent=2))
    else:
        click.echo(evaluate.table(report, confusions, fitted))
    for line in report.failed:
        complain(line.error)
    if report.failed:
        raise SystemExit(1)
