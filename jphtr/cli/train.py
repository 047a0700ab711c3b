"""jphtr train-line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.run_options import FILE, given, refuse_with_resume, run_folder, run_options


@click.command("train-line")
@click.option("--lines", type=FILE, multiple=True, metavar="SOURCE", help="Own lines with their text (data.lines).")
@run_options("configs/line.yaml")
def train_line(
    lines: tuple[Path, ...],
    config: Path | None,
    overrides: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    load: Path | None,
    resize: Any,
    template: bool,
    **flags: Any,
) -> None:
    """Train a line model on lines composed from glyph files and text, on own lines, or on both.

    Own lines are line files of jphtr pack, or anything that it packs; -s data.lines_share=1 takes nothing else.
    With --load, where - is a model in the package, and without --config they are learned in a hundred short steps
    that forget little of what the model knew; name glyph files to compose lines from, so that it keeps even more. The
    package has a model for each direction: - is that of the own lines.

    A run ends when its steps or its time are over. Ctrl-C saves it; --resume goes on, also after a crash.
    """
    from jphtr.errors import SettingsError, require

    for module in ("pydantic", "yaml", "torch", "safetensors.torch", "cv2"):
        require(module)

    from jphtr import settings as setting
    from jphtr.settings.line import FINE_TUNING

    refuse_with_resume(resume, {"--config": config, "--output": output, "--load": load, "--lines": lines})
    path = resume / "config.yaml" if resume is not None else config
    settings = setting.load(setting.TrainLineSettings, path)
    if path is None and load is not None and (lines or any(text.startswith("data.lines=") for text in overrides)):
        settings = setting.assign(settings, FINE_TUNING)
    for override in overrides:
        settings = setting.replace(settings, override)
    settings = setting.assign(settings, given(flags | {"lines": lines}, {"lines": "data.lines"}), "command line")
    if template:
        click.echo(setting.to_yaml(settings), nl=False)
        return

    from jphtr.bundle import find_model
    from jphtr.training.loop import train_line as train
    from jphtr.training.own_lines import IN_PACKAGE, prepare, sources

    if not settings.data.glyphs and not settings.data.lines:
        raise SettingsError(
            "data.glyphs: empty; name glyph files, which jphtr render-fonts and render-strokes make, or own lines (--lines)"
        )
    if load is not None and load != IN_PACKAGE:
        load = find_model(load)
    folder = run_folder(resume, output, config.stem if config is not None else "line")
    ready = prepare(settings, folder, load=load, resize=resize, resume=resume is not None)
    for note in ready.notes:
        click.echo(note, err=True)
    open_source, open_valid = sources(ready.settings)
    outcome = train(
        ready.settings,
        folder,
        open_source=open_source,
        open_valid=open_valid,
        load=ready.load,
        resize=resize,
        resume=resume is not None,
    )
    click.echo(f"{outcome.folder}")
