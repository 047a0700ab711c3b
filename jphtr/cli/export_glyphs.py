"""`jphtr export-glyphs`: a glyph file -> folders of PNG files, or an npz, for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jphtr.cli.progress import watched
from jphtr.errors import DataError

if TYPE_CHECKING:
    from jphtr.store import GlyphFile
    from jphtr.store.pictures import Rows

_FILE = click.Path(path_type=Path)


@click.command("export-glyphs")
@click.argument("file", type=_FILE)
@click.option("-o", "--output", required=True, type=_FILE, help="The new folder, or the npz file.")
@click.option(
    "--to",
    "kind",
    type=click.Choice(["folders", "npz"]),
    help="A folder for each class, as ImageFolder reads it, or arrays. Default: npz if the output is named so.",
)
@click.option("--chars", metavar="TEXT|FILE", help="Only these characters, or those of a UTF-8 file.")
@click.option("--set", "source", metavar="NAME", help="Only this set, such as ETL8G.")
@click.option("--split", metavar="PART", help="Only train, valid or test.")
@click.option("--writer", metavar="KEY", help="Only this writer, such as ETL1:1001.")
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only glyphs with this value, such as quality=0.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N pictures of each class, in each split.")
@click.option("--no-splits", is_flag=True, help="Do not tell splits apart.")
@click.option("--invert", is_flag=True, help="Bright ink on black, as MNIST has it.")
@click.option("--with-unknown", is_flag=True, help="Take pictures of no known character too.")
def export_glyphs(
    file: Path, output: Path, kind: str | None, chars: str | None, source: str | None, split: str | None,
    writer: str | None, where: tuple[str, ...], limit: int | None, no_splits: bool, invert: bool, with_unknown: bool,
) -> None:  # fmt: skip
    """Write the pictures of the glyph file FILE for other tools.

    Folders are OUTPUT/SPLIT/U+XXXX/SOURCE-INDEX.png, or OUTPUT/U+XXXX/... for a file without splits, with a list,
    glyphs.tsv, of every picture's path, character and writer. An npz holds images, labels, chars, writers, sources,
    splits and index.
    """
    import numpy as np

    from jphtr.charset import BLANK
    from jphtr.cli.inspect import chars_of, choice
    from jphtr.inventory import select
    from jphtr.splits import SPLITS
    from jphtr.store import open_glyphs
    from jphtr.store.pictures import first_of_each, write_folders, write_npz

    names = {0: "none", **{value: name for name, value in SPLITS.items()}}
    if kind is None:
        kind = "npz" if output.suffix.lower() == ".npz" else "folders"
    choices = [(key, value) for key, value in (("set", source), ("split", split), ("writer", writer)) if value]
    choices += [choice(text) for text in where]
    with open_glyphs(file) as glyphs:
        rows = select(glyphs, choices, None if chars is None else chars_of(chars))
        known = glyphs.label[rows] != BLANK
        if not with_unknown and not known.all():
            left_out = int(np.count_nonzero(~known))
            click.echo(f"{file}: {left_out:,} pictures of no known character left out", err=True)
            rows = rows[known]
        if limit is not None:
            rows = first_of_each(glyphs, rows, limit, by_split=not no_splits)
        if not len(rows):
            raise DataError(f"{file}: only pictures of no known character are asked for; take them with --with-unknown")
        with watched(len(rows)) as step:

            def done(count: int) -> None:
                step(output.name, count)

            if kind == "npz":
                write_npz(output, glyphs, rows, names, invert=invert, done=done)
            else:
                write_folders(output, glyphs, rows, names, by_split=not no_splits, invert=invert, done=done)
        classes = len(set(glyphs.label[rows].tolist()))
        click.echo(f"{output}: {len(rows):,} pictures of {classes:,} classes", err=True)
        if kind == "folders" and not no_splits:
            _warn_of_gaps(output, glyphs, rows, names)


def _warn_of_gaps(output: Path, glyphs: GlyphFile, rows: Rows, names: dict[int, str]) -> None:
    """Tools number the classes of each split's folder by themselves: all is well only if they are the same."""
    from jphtr.store.pictures import split_of

    part = split_of(glyphs)[rows]
    labels = {int(value): set(glyphs.label[rows[part == value]].tolist()) for value in set(part.tolist())}
    every = set.union(*labels.values())
    for value, own in labels.items():
        if lacking := len(every) - len(own):
            click.echo(
                f"jphtr: warning: {output / names[value]}: lacks {lacking:,} classes that other splits have; tools that "
                "number classes by their folders will number them differently there",
                err=True,
            )
