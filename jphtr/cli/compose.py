"""`jphtr compose`: look at what a line net is trained on."""

from __future__ import annotations

from pathlib import Path

import click

from jphtr.errors import DataError, require


@click.command()
@click.option(
    "-g", "--glyphs", "glyphs", multiple=True, type=click.Path(path_type=Path), help="A glyph file; repeatable."
)
@click.option(
    "-t",
    "--text",
    "texts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file of sentences, plain or .xz; repeatable.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Take glyphs, texts and looks from a training YAML.")
@click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one setting, such as compose.vertical=1.",
)
@click.option("-n", "--count", default=100, show_default=True, type=click.IntRange(1), help="How many lines.")
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="The same seed gives the same lines."
)
@click.option("--style", help="Only writers of this style: print, hand, brush, pen, marker, ...")
@click.option("--direction", type=click.Choice(["horizontal", "vertical"]), help="Only lines that run this way.")
@click.option("--valid", is_flag=True, help="Use the validation glyphs and texts of the YAML.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="A new folder for pictures, truth.tsv, spans.jsonl (boxes) and sheet.png.",
)
def compose(
    glyphs: tuple[Path, ...], texts: tuple[Path, ...], config: Path | None, overrides: tuple[str, ...], count: int,
    seed: int, style: str | None, direction: str | None, valid: bool, output: Path,
) -> None:  # fmt: skip
    """Write composed lines as pictures, with their texts, boxes and a contact sheet."""
    for module in ("cv2", "pydantic", "yaml"):
        require(module)
    from jphtr import settings
    from jphtr.charset import default
    from jphtr.compose import Composer
    from jphtr.compose.samples import contact_sheet, write_samples

    chosen = settings.load(settings.TrainLineSettings, config, overrides)
    data = chosen.data
    glyphs = glyphs or (data.valid_glyphs if valid else data.glyphs)
    texts = texts or (data.valid_texts if valid else data.texts)
    if not glyphs:
        raise DataError("compose: no glyph files; give them with -g (jphtr render-fonts writes them) or in --config")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DataError(f"{output}: exists and is not empty; choose a new folder")
    composer = Composer(chosen.compose, default(), glyphs, texts)
    if style is not None and style not in composer.styles:
        raise DataError(f"--style {style}: no writer has it; there are {', '.join(composer.styles)}")
    way = None if direction is None else "vertical" if direction == "vertical" else "horizontal"
    lines = write_samples(composer, output, count, seed, style=style, direction=way)  # type: ignore[arg-type]
    contact_sheet(lines[:120]).save(output / "sheet.png")
    click.echo(f"{output}: {len(lines)} lines, {sum(len(line.text) for line in lines)} characters", err=True)
