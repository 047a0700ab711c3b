"""jphtr train-char."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jphtr.cli.run_options import FILE, given, refuse_with_resume, run_folder, run_options

# option -> the setting that it is
_PLACES = {
    "script": "data.script", "files": "data.files", "valid": "data.valid", "backbone": "net.backbone",
    "image_size": "net.image_size", "pretrained": "net.pretrained", "freeze_backbone": "optim.freeze_backbone",
    "batch": "data.batch", "epochs": "run.epochs", "lag": "run.patience", "compile": "run.compile",
}  # fmt: skip


@click.command("train-char")
@click.option("--script", metavar="SCRIPT", help="hiragana, katakana, kanji, kuzushiji, all, or several joined by +.")
@click.option("--data", type=FILE, multiple=True, metavar="FILE.h5...",
              help="Glyph files; synthetic draws one from this machine's fonts.  [default: those in datasets/]")  # fmt: skip
@click.argument("more", type=FILE, nargs=-1, metavar="[MORE.h5]...")
@click.option(
    "--valid", type=FILE, multiple=True, metavar="FILE.h5", help="Glyph file to validate on; may be repeated."
)
@click.option("--backbone", metavar="NAME", help="Any timm model, or trunk, the convolutions of the line net.")
@click.option("--image-size", type=int, metavar="PX", help="Side of the square that the net sees.")
@click.option("--pretrained/--no-pretrained", default=None, help="Start from timm's weights, or not.")
@click.option("--freeze-backbone", is_flag=True, default=None, help="Train the output layer alone.")
@click.option("--batch", type=int, metavar="N", help="Glyphs in a batch.")
@click.option("--epochs", type=float, metavar="N", help="Passes over the glyphs, if time does not end the run first.")
@click.option("--lag", type=int, metavar="N", help="Stop after N validations that were no better; 0 never stops.")
@click.option("--compile", "compile", is_flag=True, default=None, help="Use torch.compile, which wants a C++ compiler.")
@run_options("configs/char-kanji.yaml")
def train_char(
    data: tuple[Path, ...],
    more: tuple[Path, ...],
    config: Path | None,
    overrides: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    load: Path | None,
    resize: Any,
    template: bool,
    **flags: Any,
) -> None:
    """Train a classifier of single characters on glyph files.

    A run ends when its epochs, steps or time are over. Ctrl-C saves it; --resume goes on, also after a crash.
    """
    from jphtr.errors import require

    for module in ("pydantic", "yaml", "torch", "safetensors.torch", "cv2", "timm"):
        require(module)

    from jphtr import settings as setting

    flags["files"] = (*data, *more)
    refuse_with_resume(resume, {"--config": config, "--output": output, "--load": load, "--data": flags["files"],
                                "--script": flags["script"], "--backbone": flags["backbone"]})  # fmt: skip
    path = resume / "config.yaml" if resume is not None else config
    settings = setting.load(setting.TrainCharSettings, path, overrides)
    settings = setting.assign(settings, given(flags, _PLACES), "command line")
    if template:
        click.echo(setting.to_yaml(settings), nl=False)
        return

    from jphtr.training.char import train_char as train

    name = config.stem if config is not None else f"char-{settings.data.script or 'none'}"
    folder = run_folder(resume, output, name)
    outcome = train(settings, folder, load=load, resize=resize, resume=resume is not None)
    click.echo(f"{outcome.folder}")
