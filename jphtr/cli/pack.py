"""`jphtr pack`: lines with known text, from whatever they are kept in -> one line file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jphtr.cli import complain
from jphtr.cli.output import spare
from jphtr.cli.progress import make_room

if TYPE_CHECKING:
    from jphtr.errors import DataError
    from jphtr.sources.lines_pack import Packed

_FILE = click.Path(path_type=Path)
_LISTED = 20  # lines of errors shown, and characters named
_SHOWN = 100  # lines after which a person who is watching hears of them


@click.command("pack")
@click.argument("sources", metavar="SOURCES...", nargs=-1, required=True, type=_FILE)
@click.option("-o", "--output", required=True, type=_FILE, help="The line file to write, such as lines.h5.")
@click.option("--name", default="", help="What to call the data set; by default each source by its own name.")
@click.option("--licence", default="", help="Licence and citation, kept in the file and in models trained on it.")
@click.option("--text-name", metavar="NAME", help="The column or attribute that holds the text, where it is not found.")
@click.option("--writer", default="", metavar="NAME", help="Who wrote all of the lines.")
@click.option(
    "--writer-from", default="", metavar="REGEX", help="What this finds in the name of a picture is the writer's name."
)
@click.option(
    "--direction", type=click.Choice(["horizontal", "vertical"]), help="How lines run whose source does not say it."
)
@click.option(
    "--split",
    type=click.Choice(["writer", "line", "none"]),
    default="writer",
    show_default=True,
    help="What may not be divided between training and validation; none keeps all for training.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that is not what it should be, and write nothing.")
def pack(sources: tuple[Path, ...], output: Path, strict: bool, direction: str | None, **options: Any) -> None:
    """Put lines with known text into one line file, for train-line and eval-line.

    SOURCES are tables (a picture's path, a tab, its text; with a header also kind, direction, writer, split), folders of
    x.png with x.gt.txt or x.txt, PAGE-XML and ALTO files or folders of them, VGG Image Annotator JSON or CSV, folders of
    the IAM layout, parquet files as the Hugging Face hub keeps them, and line files.

    A line that cannot be read is left out and said; the exit code is then 1.
    """
    from jphtr.sources.lines_pack import Packing
    from jphtr.sources.lines_pack import pack as write
    from jphtr.store.lines import is_line_file

    spare([output], sources, "-o")
    if output.is_file() and output.stat().st_size and not is_line_file(output):
        raise click.BadParameter(f"{output} is there already and no line file; name another", param_hint="-o")
    errors: list[DataError] = []

    def left_out(error: DataError) -> None:
        errors.append(error)
        if len(errors) <= _LISTED:
            complain(error)

    packed = write(
        sources,
        output,
        Packing(direction=direction or "", **options),  # type: ignore[arg-type]
        on_error=None if strict else left_out,
        done=_shown if sys.stderr.isatty() else lambda count: None,
    )
    make_room()
    if len(errors) > _LISTED:
        complain(f"and {len(errors) - _LISTED} more of this kind")
    click.echo("\n".join(report(output)), err=True)
    for line in remarks(packed):
        click.echo(f"jphtr: warning: {line}", err=True)
    if errors:
        click.get_current_context().exit(1)


def _shown(count: int) -> None:
    """Say now and then how far it is, to a person who is watching."""
    if count % _SHOWN == 0:
        click.echo(f"\r{count:,} lines", nl=False, err=True)


def report(path: Path) -> Iterator[str]:
    """What a line file holds, for a person to read.

    Raises
    ------
    DataError
        If it is none.
    """
    from jphtr.splits import SPLITS
    from jphtr.store.lines import DIRECTIONS, open_lines

    with open_lines(path) as lines:
        texts = [lines.text(row) for row in range(len(lines))]
        chars = sum(map(len, texts))
        yield f"{path}: {len(lines):,} lines of {len(lines.writers):,} writers, {chars:,} characters, digest {lines.digest[:12]}"
        if bare := texts.count(""):
            yield f"  without a text: {bare:,} lines, of whose pictures nets learn that there is nothing to read"
        parts = []
        for name, value in SPLITS.items():
            rows = lines.split == value
            parts.append(f"{name} {int(rows.sum()):,} lines of {len(set(lines.writer[rows].tolist())):,} writers")
        yield f"  split: {', '.join(parts)}"
        ways = Counter(DIRECTIONS[value] or "by their shape" for value in lines.direction.tolist())
        yield f"  direction: {_counts(ways)}"
        kinds = Counter(lines.kinds[place] for place in lines.kind.tolist())
        if set(kinds) != {""}:
            yield f"  kind: {_counts(Counter({kind or 'not said': count for kind, count in kinds.items()}))}"
        heights = sorted(min(shape) for shape in lines.shape.tolist())
        yield f"  pixels across: {heights[0]} to {heights[-1]}, half of them from {heights[len(heights) // 2]}"
        for source in lines.sources:
            yield f"  source: {source.name}, {source.licence or 'licence not noted'}"


def remarks(packed: Packed) -> Iterator[str]:
    """What is odd about lines that were packed, a line each."""
    if packed.left_out:
        yield f"{packed.left_out:,} lines or files were left out"
    if packed.untold:
        yield f"{packed.untold:,} places or pictures have no text yet; they were left out"
    if packed.outside:
        yield (
            f"{packed.outside_lines:,} lines hold characters outside the charset: {_counts(packed.outside)}; "
            "train-line takes them with --resize union, or leaves these lines out"
        )
    if packed.invisible:
        yield f"{packed.invisible:,} signs that nobody can see (format characters, variants) were taken out of the texts"
    if packed.faint:
        yield f"nothing stands out from the paper in {_names(packed.faint)}; look at them"
    if packed.dense:
        yield f"more characters than can be read in {_names(packed.dense)}; look whether picture and text belong together"
    if packed.divided == "some writers":
        yield "few writers: whole ones were kept for validation, as their names alone would have left none to train or validate"
    if packed.divided == "line":
        yield "one writer: a tenth of the lines was kept for validation, whose scores are then those of a known hand"


def _counts(counts: Counter[str]) -> str:
    """The most frequent with their numbers."""
    some = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(_LISTED))
    return some + (f" and {len(counts) - _LISTED:,} others" if len(counts) > _LISTED else "")


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
