"""`jphtr eval-line`: how well a model reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.read import decoding_options


@click.command("eval-line")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--direction",
    type=click.Choice(["auto", "given", "horizontal", "vertical"]),
    default="auto",
    show_default=True,
    help="How lines run; auto finds out as jphtr read does, given trusts the table.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--per-file", type=click.Path(path_type=Path), metavar="TSV", help="Write a row for every line: errors, texts."
)
@click.option("--confusions", default=20, show_default=True, type=click.IntRange(0), help="Confusions to list.")
@click.option("-B", "--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Lines read together.")
@click.option("--threads", type=click.IntRange(1), help="Threads of one batch; by default all cores.")
@decoding_options
def eval_line(
    model: Path,
    data: tuple[Path, ...],
    direction: Any,
    as_json: bool,
    per_file: Path | None,
    confusions: int,
    batch_size: int,
    threads: int | None,
    **decoding: Any,
) -> None:
    """Measure MODEL, an .onnx file or - for the one in the package, on lines with known text.

    DATA are tables (a picture's path, a tab, its text; with a header also kind and direction), or folders with a
    truth.tsv or a .txt beside every picture. Exit code 1 says that some pictures could not be read.
    """
    import json

    from jphtr import evaluate
    from jphtr.cli import complain
    from jphtr.errors import DataError
    from jphtr.reader import Reader

    reader = Reader(None if str(model) == "-" else model, threads=threads, **decoding)
    truth = [line for path in data for line in evaluate.read_truth(path)]
    report = evaluate.evaluate(reader, truth, direction=direction, batch_size=batch_size)
    if per_file is not None:
        try:
            per_file.write_text(evaluate.per_file(report), "utf-8")
        except OSError as error:
            raise DataError(f"{per_file}: {error.strerror}; choose a file that can be written") from None
    if as_json:
        click.echo(json.dumps(evaluate.summary(report, confusions), ensure_ascii=False, indent=2))
    else:
        click.echo(evaluate.table(report, confusions))
    for line in report.failed:
        complain(line.error)
    if report.failed:
        raise SystemExit(1)
