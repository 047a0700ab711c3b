"""`jphtr read-ray`: pictures in, parquet out, on one machine or on all those of a Ray cluster."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click

from jphtr.cli import complain
from jphtr.cli.read import read

_DECODING = ("decoder", "lm", "lm_weight", "beam_width", "allow", "block")
# what `jphtr read` asks too, and means the same
_SHARED = ("model", "layout", "direction", "detector", "ruby", "min_confidence", "unsure", "batch_size", *_DECODING)


@click.command("read-ray", params=[option for option in read.params if option.name in _SHARED])
@click.argument("pictures", nargs=-1, required=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER",
    help="A new folder for parquet files, which on a cluster all machines share.",
)  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(1), help="Processes that read; by default one for each CPU.")
@click.option(
    "--address", metavar="auto|ray://HOST:PORT",
    help="A Ray cluster; by default $RAY_ADDRESS, without it this machine alone.",
)  # fmt: skip
@click.option(
    "--picture-name", metavar="NAME", help="The column of a table that holds pictures, where it is not found."
)
@click.option(
    "--id-name", metavar="NAME", help="The column that tells one picture from another; by default id, or their paths."
)
def read_ray(
    pictures: tuple[str, ...],
    output: Path,
    jobs: int | None,
    address: str | None,
    picture_name: str | None,
    id_name: str | None,
    **how: Any,
) -> None:
    """Read PICTURES of lines and pages into parquet, through Ray Data.

    PICTURES are what jphtr read takes, or parquet files, patterns of them and folders of them, with a column of
    pictures as the Hugging Face hub has it. A row of the result is a line or a page: path (or the id in its table),
    page, text, confidence, lines with their places; or the error of what could not be read, which is also said on
    standard error, and makes the exit code 1.
    """
    from jphtr.bulk import Reading
    from jphtr.errors import require
    from jphtr.ray_read import read_to_parquet

    context = require("ray.data", "ray").DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = sys.stderr.isatty()
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it tells of every step
    decoding = {name: how.pop(name) for name in _DECODING}
    written = read_to_parquet(
        pictures, output, Reading(decoding=decoding, **how),
        jobs=jobs, address=address, picture_name=picture_name, id_name=id_name,
    )  # fmt: skip
    for name, reason in written.errors:
        complain(reason if reason.startswith(name) else f"{name}: {reason}")  # a page names its file too
    if written.errors:
        paths = len({name for name, _ in written.errors})
        click.echo(f"jphtr: {paths:,} of {written.pictures:,} could not be read; their rows say why", err=True)
        raise click.exceptions.Exit(1)
