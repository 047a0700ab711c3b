"""`jphtr render-fonts` and `render-strokes`: glyph files from fonts and strokes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jphtr.cli import complain
from jphtr.errors import DataError, require

if TYPE_CHECKING:
    from jphtr.records import Glyph

_FILE = click.Path(path_type=Path)
_PENS = "pen,ballpoint,pencil,marker,brush"


@click.command("render-fonts")
@click.argument("paths", metavar="FONTS...", nargs=-1, required=True, type=_FILE)
@click.option("-o", "--output", required=True, type=_FILE, help="The glyph file to write, such as glyphs.h5.")
@click.option("--family", help="Family of all the faces: the key that a split never divides. Default: each font's own.")
@click.option(
    "--style",
    default="print",
    show_default=True,
    type=click.Choice(["print", "hand", "brush", "display"]),
    help="What the faces look like; the composer chooses lines by it.",
)
@click.option("--chars", type=_FILE, help="Draw only the characters of this UTF-8 text file.")
@click.option("--licence", default="", help="Licence to note for the fonts. Default: what each font says.")
def render_fonts(
    paths: tuple[Path, ...], output: Path, family: str | None, style: str, chars: Path | None, licence: str
) -> None:
    """Draw the characters of font files (TTF, OTF, TTC, WOFF2) or folders of them into a glyph file.

    Characters that a font lacks, leaves blank or shows as a box are left out.
    """
    require("fontTools")
    from jphtr.charset import default
    from jphtr.sources.fonts import EM, draw
    from jphtr.sources.fonts_faces import faces, find
    from jphtr.store import Source, write_glyphs

    files, wanted = find(list(paths)), _wanted(chars)
    sources: list[Source] = []
    failed: list[Path] = []

    def glyphs() -> Iterator[Glyph]:
        for file in files:
            try:
                found = list(faces(file))
                sources.append(Source(file.name, found[0].sha256, licence or found[0].licence))
                for face in found:
                    yield from draw(face, default(), family=family, style=style, chars=wanted)
            except DataError as error:  # the other fonts are still drawn; the exit code tells
                failed.append(file)
                complain(error)

    notes = {"canvas": 64, "em": EM, "scale": "em square to 48 px, not fitted to the ink"}
    written = write_glyphs(output, glyphs(), default(), sources=sources, normalisation=notes)
    click.echo(
        f"{output}: {written.glyphs} glyphs of {written.writers} faces, digest {written.digest[:12]}",
        err=True,
    )
    if failed:
        click.get_current_context().exit(1)


@click.command("render-strokes")
@click.argument("table", type=_FILE)
@click.option("-o", "--output", required=True, type=_FILE, help="The glyph file to write, such as glyphs.h5.")
@click.option("--writers", default=24, show_default=True, type=click.IntRange(1), help="How many hands write it all.")
@click.option(
    "--pens",
    help=f"Tools that the hands take in turn, with commas: {_PENS}. Default: a mix of all.",
)
@click.option(
    "--running", is_flag=True, help="Hands that write running script (gyosho), strokes joined and corners bent."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Another seed, other people.")
@click.option("--chars", type=_FILE, help="Write only the characters of this UTF-8 text file.")
def render_strokes(
    table: Path, output: Path, writers: int, pens: str | None, running: bool, seed: int, chars: Path | None
) -> None:
    """Write the characters of TABLE, KanjiVG's strokes as TSV, with synthetic hands into a glyph file."""
    require("cv2")
    import hashlib

    from jphtr.charset import default
    from jphtr.sources import strokes
    from jphtr.sources.fonts import EM
    from jphtr.store import Source, write_glyphs

    try:
        digest = hashlib.sha256(table.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{table}: cannot be read: {error.strerror or error}") from error
    people = strokes.hands(seed, writers, pens.split(",") if pens else None, running=running)
    glyphs = strokes.read(table, default(), writers=people, seed=seed, chars=_wanted(chars))
    written = write_glyphs(
        output,
        glyphs,
        default(),
        sources=[Source(table.name, digest, "CC BY-SA 3.0, Ulrich Apel (KanjiVG)")],
        normalisation={"canvas": 64, "em": EM, "seed": seed, "pens": [hand.pen for hand in people], "running": running},
    )
    click.echo(
        f"{output}: {written.glyphs} glyphs of {written.writers} hands, digest {written.digest[:12]}",
        err=True,
    )


def _wanted(chars: Path | None) -> str | None:
    if chars is None:
        return None
    try:
        text = chars.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{chars}: not a UTF-8 text file that can be read: {error}") from error
    if not text.strip():
        raise DataError(f"{chars}: holds no character; list those to draw")
    return "".join(text.split())
