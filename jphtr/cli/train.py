"""jphtr train-line, jphtr export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_FILE = click.Path(path_type=Path)


@click.command("train-line")
@click.option("--config", type=_FILE, help="Settings, a YAML file such as configs/line.yaml.")
@click.option(
    "-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as optim.lr=1e-3."
)
@click.option("-o", "--output", type=_FILE, help="Run folder to write.  [default: runs/NAME-DATE]")
@click.option("--max-minutes", type=float, help="Time of the whole schedule (run.max_minutes).")
@click.option("--resume", type=_FILE, metavar="RUN", help="Run folder to go on with.")
@click.option("--load", type=_FILE, metavar="MODEL", help="Start from this model, .safetensors or .onnx.")
@click.option(
    "--resize",
    type=click.Choice(["fail", "union", "new"]),
    default="fail",
    show_default=True,
    help="When the loaded model has another charset: stop, keep its characters and add, or take the new charset.",
)
@click.option("--seed", type=int, help="run.seed")
@click.option("--workers", type=int, help="run.workers")
@click.option("--threads", type=int, help="run.threads")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="run.device")
@click.option("--precision", type=click.Choice(["auto", "fp32", "bf16", "fp16"]), help="run.precision")
@click.option("--template", is_flag=True, help="Print the settings as a commented YAML file, and train nothing.")
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
    import datetime

    from jphtr.errors import SettingsError, require

    for module in ("pydantic", "yaml", "torch", "safetensors.torch", "cv2"):
        require(module)

    from jphtr import settings as setting

    if resume is not None and (config or output or load):
        raise SettingsError("--resume goes on with a run as it is; leave out --config, --output and --load")
    path = resume / "config.yaml" if resume is not None else config
    settings = setting.load(setting.TrainLineSettings, path, overrides)
    given = {f"run.{name}": value for name, value in flags.items() if value is not None}
    settings = setting.assign(settings, given, "command line")
    if template:
        click.echo(setting.to_yaml(settings), nl=False)
        return

    from jphtr.charset import Charset
    from jphtr.compose import Composer
    from jphtr.training.loop import train_line as train

    data, compose = settings.data, settings.compose
    if not data.glyphs:
        raise SettingsError("data.glyphs: empty; name glyph files, which jphtr render-fonts and render-strokes make")
    name = config.stem if config is not None else "line"
    folder = resume or output or Path("runs") / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"

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
@click.argument("weights", type=_FILE)
@click.argument("output", type=_FILE, required=False)
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
