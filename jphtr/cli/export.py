"""`jphtr export`: a trained net -> a model for reading."""

from __future__ import annotations

from pathlib import Path

import click

from jphtr.cli.run_options import FILE


@click.command("export")
@click.argument("weights", type=FILE)
@click.argument("output", type=FILE, required=False)
@click.option("--name", help="What the model is called in its header.  [default: as in the weights]")
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    help="Divides the logits, so that confidences are right; jphtr eval-char finds it.  [default: as in the weights]",
)
@click.option(
    "--valid",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Glyphs or a folder of pictures for a classifier, lines with their text for a line reader, on which it is "
    "measured as it was and as it is stored.",
)
@click.option(
    "--ranges",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="With --int8: lines that show what a line reader sees.  [default: one in four of --valid]",
)
@click.option("--int8", is_flag=True, help="Store it in half the size, to run in half the time, if --valid bears it.")
def export(
    weights: Path,
    output: Path | None,
    name: str | None,
    temperature: float | None,
    valid: tuple[Path, ...],
    ranges: tuple[Path, ...],
    int8: bool,
) -> None:
    """Write WEIGHTS (.safetensors, or a run folder) as an ONNX model, checked against torch.

    OUTPUT is the .onnx file, by default beside the weights. Matrices are stored as float16, or on request
    as int8 (not of page models), where that costs at most 0.1 point of accuracy on the pictures of --valid.
    """
    if int8 and not valid:
        raise click.UsageError("--int8 has to be measured; name glyph files, or lines with their text, with --valid")

    from jphtr.errors import require

    for module in ("torch", "safetensors.torch", "onnx", "onnxruntime"):
        require(module)

    from jphtr.export import export_model

    if weights.is_dir():
        weights = weights / "best.safetensors"
    output = output or weights.with_suffix(".onnx")
    done = export_model(
        weights, output, name=name, temperature=temperature, valid=valid, ranges=ranges, eight_bits=int8
    )
    if done.scores:
        *stored, (things, count) = done.scores.items()
        shares = ", ".join(f"{storage} {right:.2%}" for storage, right in stored)
        click.echo(f"right of {count:,.0f} {things}: {shares}", err=True)
    click.echo(f"{done.path}")
