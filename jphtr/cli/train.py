"""jphtr train-line, jphtr export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.run_options import FILE, given, refuse_with_resume, run_folder, run_options


@click.command("train-line")
@run_options("configs/line.yaml")
def train_line(
    config: Path | None,
    overrides: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    load: Path | None,
    resize: Any,
    template: bool,
    **flags: Any,
) -> None:
    """Train a line model on lines composed from glyph files and text.

    A run ends when its steps or its time are over. Ctrl-C saves it; --resume goes on, also after a crash.
    """
    from jphtr.errors import SettingsError, require

    for module in ("pydantic", "yaml", "torch", "safetensors.torch", "cv2"):
        require(module)

    from jphtr import settings as setting

    refuse_with_resume(resume, {"--config": config, "--output": output, "--load": load})
    path = resume / "config.yaml" if resume is not None else config
    settings = setting.load(setting.TrainLineSettings, path, overrides)
    settings = setting.assign(settings, given(flags, {}), "command line")
    if template:
        click.echo(setting.to_yaml(settings), nl=False)
        return

    from jphtr.charset import Charset
    from jphtr.compose import Composer
    from jphtr.training.loop import train_line as train

    data, compose = settings.data, settings.compose
    if not data.glyphs:
        raise SettingsError("data.glyphs: empty; name glyph files, which jphtr render-fonts and render-strokes make")
    folder = run_folder(resume, output, config.stem if config is not None else "line")

    def open_valid(charset: Charset) -> Composer:
        return Composer(compose, charset, data.valid_glyphs or data.glyphs, data.valid_texts or data.texts)

    outcome = train(
        settings,
        folder,
        open_source=lambda charset: Composer(compose, charset, data.glyphs, data.texts),
        open_valid=open_valid if data.valid_glyphs or data.valid_texts else None,
        load=load,
        resize=resize,
        resume=resume is not None,
    )
    click.echo(f"{outcome.folder}")


@click.command("export")
@click.argument("weights", type=FILE)
@click.argument("output", type=FILE, required=False)
@click.option("--name", help="What the model is called in its header.  [default: as in the weights]")
def export(weights: Path, output: Path | None, name: str | None) -> None:
    """Write WEIGHTS (.safetensors, or a run folder) as an ONNX model, checked against torch.

    OUTPUT is the .onnx file, by default beside the weights.
    """
    from jphtr.errors import require

    for module in ("torch", "safetensors.torch", "onnx", "onnxruntime"):
        require(module)

    from jphtr.export import export_line

    if weights.is_dir():
        weights = weights / "best.safetensors"
    click.echo(f"{export_line(weights, output or weights.with_suffix('.onnx'), name=name)}")
