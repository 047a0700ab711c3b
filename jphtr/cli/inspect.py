"""`jphtr inspect`: what a glyph file holds, as counts and as a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jphtr.cli import complain
from jphtr.errors import DataError, SettingsError

if TYPE_CHECKING:
    from jphtr.cli.charset import Coverage
    from jphtr.inventory import Counts, Inventory
    from jphtr.store import GlyphFile

_FILE = click.Path(path_type=Path)
_AT_ONCE = 4096  # lines of a table printed at a time


@click.command()
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=_FILE)
@click.option(
    "--by",
    metavar="KEY",
    help="Print a table (TSV) of counts by class, writer, set, script, split or a column of the file, such as quality.",
)
@click.option("--missing", is_flag=True, help="Name the characters that are missing.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@click.option("--sheet", type=_FILE, metavar="PNG", help="Write a contact sheet of chosen glyphs, and print nothing.")
@click.option(
    "--chars",
    metavar="TEXT|FILE",
    help="Choose these characters, or those of a UTF-8 file; on a sheet, each has rows of its own.",
)
@click.option("--writer", metavar="KEY", help="Choose the glyphs of this writer, such as ETL1:1001.")
@click.option("--set", "source", metavar="NAME", help="Choose the glyphs of this set, such as ETL9B.")
@click.option("--split", metavar="PART", help="Choose the glyphs of train, valid or test.")
@click.option(
    "--where",
    multiple=True,
    metavar="KEY=VALUE",
    help="Choose the glyphs with this value, such as quality=0 or script=kanji. Several must all hold.",
)
@click.option("--count", type=click.IntRange(1), help="Glyphs on the sheet.  [default: 200, or 20 of each of --chars]")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Another seed, other glyphs.")
def inspect(
    files: tuple[Path, ...],
    by: str | None,
    missing: bool,
    as_json: bool,
    sheet: Path | None,
    chars: str | None,
    writer: str | None,
    source: str | None,
    split: str | None,
    where: tuple[str, ...],
    count: int | None,
    seed: int,
) -> None:
    """Show what the glyph FILES hold: sets, scripts, classes, writers, splits, licences, and what is missing.

    --chars, --writer, --set, --split and --where choose glyphs, for the counts as for the sheet.
    """
    import json

    from jphtr import inventory
    from jphtr.cli.inspect_report import report
    from jphtr.store import open_glyphs

    if sheet is not None and (len(files) > 1 or by or as_json or missing):
        raise click.UsageError("--sheet makes a picture of one file; leave out --by, --json, --missing and other files")
    if sheet is None and count is not None:
        raise click.UsageError("--count says how many glyphs stand on the --sheet; give that too")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise click.UsageError(f"--sheet {sheet}: the sheet is a PNG; give a name that ends in .png")
    named = {"writer": writer, "set": source, "split": split}
    choices = [(key, value) for key, value in named.items() if value is not None] + [choice(text) for text in where]
    wanted = None if chars is None else chars_of(chars)
    tables: dict[Path, Counts] = {}
    objects: list[dict[str, Any]] = []
    failed = printed = 0
    for path in files:
        try:
            with open_glyphs(path) as glyphs:
                rows = inventory.select(glyphs, choices, wanted) if choices or wanted is not None else None
                if sheet is not None:
                    _write_sheet(glyphs, rows, wanted, sheet, count, seed)
                    continue
                if by:
                    tables[path] = inventory.count(glyphs, by, rows)
                    if not as_json:
                        continue
                found = inventory.take_inventory(glyphs, rows)
        except DataError as error:  # the other files are still shown; the exit code tells
            failed += 1
            complain(error)
            continue
        coverage = _coverage(found.chars)
        if as_json:
            objects.append(_object(found, coverage, missing, tables.get(path)))
        else:
            click.echo("\n" * bool(printed) + "\n".join(report(found, coverage, missing)))
            printed += 1
    if as_json:
        click.echo(json.dumps({"files": objects}, ensure_ascii=False, indent=1))
    elif tables:
        _print_tables(tables, named=len(files) > 1)
    if failed:
        click.get_current_context().exit(1)


def choice(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise SettingsError(f"--where {text}: give a column and its value, such as quality=0")
    return key, value


def chars_of(text: str) -> str:
    """The characters of an argument, or of the file that it names."""
    path = Path(text)
    try:
        if not path.is_file():
            return text
    except (OSError, ValueError):
        return text  # too long for a file's name
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text at byte {error.start}; convert it first") from error
    return "".join(text.split())


def _write_sheet(glyphs: GlyphFile, rows: Any, chars: str | None, path: Path, count: int | None, seed: int) -> None:
    import numpy as np

    from jphtr.contact_sheet import contact_sheet, save, shelf_of_all, shelf_of_class
    from jphtr.inventory import labels_of

    rows = np.arange(len(glyphs)) if rows is None else rows
    if chars is None:
        shelves = [shelf_of_all(rows, count or 200, seed)]
    else:
        labels = labels_of(glyphs, chars)
        each = {label: shelf_of_class(glyphs, rows, label, count or 20, seed) for label in labels.values() if label}
        shelves = [shelf for shelf in each.values() if len(shelf.rows)]
        if absent := [char for char, label in labels.items() if not label or not len(each[label].rows)]:
            click.echo(f"jphtr: warning: {glyphs.path}: no glyph chosen of {''.join(absent)}", err=True)
    save(contact_sheet(glyphs, shelves), path)
    click.echo(f"{path}: {sum(len(shelf.rows) for shelf in shelves):,} of {len(rows):,} glyphs", err=True)


def _print_tables(tables: dict[Path, Counts], *, named: bool) -> None:
    """Tab-separated, one line a row; tables of several files need not have the same columns."""
    heads = list(dict.fromkeys(head for table in tables.values() for head in table.heads))

    def lines() -> Iterator[str]:
        yield "\t".join([*(["file"] if named else []), *heads])
        for path, table in tables.items():
            for row in table.rows():
                cells = dict(zip(table.heads, row, strict=True))
                line = [*([str(path)] if named else []), *(str(cells.get(head, "")) for head in heads)]
                yield "\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in line)

    left = lines()
    while some := list(islice(left, _AT_ONCE)):  # each echo flushes
        click.echo("\n".join(some))


def _object(found: Inventory, coverage: Sequence[Coverage], missing: bool, table: Counts | None) -> dict[str, Any]:
    plain = {("file" if name == "path" else name): value for name, value in found.plain().items()}
    names = ["group", "covered", "total", *(["missing"] if missing else [])]
    plain["coverage"] = [{name: getattr(row, name) for name in names} for row in coverage]
    return plain if table is None else {**plain, "by": table.plain()}


def _coverage(chars: str) -> list[Coverage]:
    """How much of the groups that `jphtr charset` knows these characters are."""
    from jphtr.charset import Charset, fold
    from jphtr.cli.charset import groups

    return groups(Charset(dict.fromkeys(map(fold, chars))))
