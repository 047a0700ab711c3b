"""jphtr train-page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.run_options import given, refuse_with_resume, run_folder, run_options


@click.command("train-page")
@run_options("configs/page.yaml")
def train_page(
    config: Path | None,
    overrides: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    load: Path | None,
    resize: Any,
    template: bool,
    **flags: Any,
) -> None:
    """Train a detector of lines on pages composed from glyph files and text.

    A run ends when its steps or its time are over. Ctrl-C saves it; --resume goes on, also after a crash.
    """
    from jphtr.errors import SettingsError, require

    for module in ("pydantic", "yaml", "torch", "safetensors.torch", "cv2"):
        require(module)

    from jphtr import settings as setting
    from jphtr.settings import TrainPageSettings

    refuse_with_resume(resume, {"--config": config, "--output": output, "--load": load})
    if resize != "fail":
        raise SettingsError("--resize: a page model has no charset; leave it out")
    path = resume / "config.yaml" if resume is not None else config
    settings = setting.load(TrainPageSettings, path, overrides)
    settings = setting.assign(settings, given(flags, {}), "command line")
    if template:
        click.echo(setting.to_yaml(settings), nl=False)
        return

    from jphtr.charset import default
    from jphtr.compose import Composer
    from jphtr.compose.page import PageComposer
    from jphtr.training.page import train_page as train

    data, compose = settings.data, settings.compose
    if not data.glyphs:
        raise SettingsError("data.glyphs: empty; name glyph files, which jphtr render-fonts and render-strokes make")
    folder = run_folder(resume, output, config.stem if config is not None else "page")
    glyphs, texts = data.valid_glyphs or data.glyphs, data.valid_texts or data.texts
    outcome = train(
        settings,
        folder,
        open_pages=lambda: PageComposer(Composer(compose, default(), data.glyphs, data.texts), settings.page),
        open_valid=lambda: PageComposer(Composer(compose, default(), glyphs, texts), settings.page),
        load=load,
        resume=resume is not None,
    )
    click.echo(f"{outcome.folder}")
