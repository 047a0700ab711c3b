"""`jphtr eval-page`: how well lines are found on pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.read import decoding_options


@click.command("eval-page")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--detector", metavar="FILE|classical", help="A page model, or none; by default the one in the package.")
@click.option("--read/--no-read", default=True, show_default=True, help="Read the pages, as found and with the lines given.")  # fmt: skip
@click.option("-m", "--model", type=click.Path(path_type=Path), help="The line model that reads; by default the one in the package.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--per-page", type=click.Path(path_type=Path), metavar="TSV", help="Write a row for every page.")
@click.option("--most", type=click.IntRange(1), help="Pages to look at, from the first.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the nets; by default all cores.")
@decoding_options
def eval_page(
    data: tuple[Path, ...],
    detector: str | None,
    read: bool,
    model: Path | None,
    as_json: bool,
    per_page: Path | None,
    most: int | None,
    threads: int | None,
    **decoding: Any,
) -> None:
    """Measure how lines are found, ordered and read on pages whose lines are known.

    DATA are folders with a pages.jsonl, or such files. A line is found if its quad and the true one share half of what
    they cover together. A page is in order if the lines that were found follow each other as they should.
    """
    import json

    from jphtr.cli.progress import watched
    from jphtr.evaluate.pages import known_pages, score_pages, totals
    from jphtr.reader import Reader
    from jphtr.segment import open_detector
    from jphtr.whole import write_whole

    finder = open_detector(detector, threads=threads)
    reader = Reader(model, threads=threads, **decoding) if read else None
    pages = [page for path in data for page in known_pages(path)][:most]
    scored = []
    with watched(len(pages)) as advance:
        for one in score_pages(pages, finder, reader):
            scored.append(one)
            advance(one.path.name, 1)
    if per_page is not None:
        head = "file\tlines\tfound\tright\tin order\truby\truby right\tcharacters\terrors\terrors given"
        rows = [
            f"{p.path}\t{p.text.there}\t{p.text.said}\t{p.text.hits}\t{p.text.ordered}\t{p.ruby.there}\t{p.ruby.hits}\t"
            f"{p.given.chars}\t{p.read.total}\t{p.given.total}"
            for p in scored
        ]
        write_whole(per_page, ("\n".join([head, *rows]) + "\n").encode())
    found = totals(scored)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(
        f"{found['pages']} pages, {found['lines']} lines, {found['found']} found, {found['right']} of them right"
    )
    click.echo(
        f"lines    F1 {found['f1']:.2%}  precision {found['precision']:.2%}  recall {found['recall']:.2%}  "
        f"other direction {found['turned']}"
    )
    click.echo(f"ruby     F1 {found['ruby_f1']:.2%} of {found['ruby_lines']}")
    click.echo(f"order    right on {found['in_order']:.2%} of the pages")
    if found["cer"] is not None:
        apart = found["cer"] - found["cer_given"]
        click.echo(
            f"reading  CER {found['cer']:.2%}, with the lines given {found['cer_given']:.2%} ({apart:+.2%}), "
            f"{found['chars']} characters"
        )
