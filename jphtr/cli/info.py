"""`jphtr info`: what a model file is."""

from __future__ import annotations

import click


@click.command()
@click.argument("model", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the whole header as JSON.")
def info(model: str | None, as_json: bool) -> None:
    """Show what MODEL is: an .onnx or .safetensors file, or a model in the package by its name, such as hiragana.

    By default line-horizontal, the model of horizontal lines; that of vertical ones is called line-vertical.
    """
    import json
    from collections import Counter
    from dataclasses import asdict

    from jphtr.bundle import LINE_MODELS, find_model, read_header

    path = LINE_MODELS["horizontal"] if model is None else find_model(model)
    header = read_header(path)
    if as_json:
        click.echo(json.dumps(asdict(header), ensure_ascii=False, indent=2))
        return
    rows = {
        "file": f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        "name": header.name,
        "kind": header.kind,
        "made by": f"jphtr {header.version}" + (f" on {header.created}" if header.created else ""),
        "characters": f"{len(header.characters) - 1:,}",
        "direction": header.direction or "both" if header.kind == "line" else "",
        "geometry": f"strips {header.height} px high, frames of {header.stride} px"
        if header.kind == "line"
        else _words(header.input),
        "net": _words(header.arch),
        "weights": header.storage,
        "temperature": f"{header.temperature:g}",
        "scores": _words(header.scores),
        "training": _words(header.training),
    }
    for key, value in rows.items():
        click.echo(f"{key:<12} {value or '-'}")
    licences = Counter(source.get("licence") or "licence not noted" for source in header.data)
    if licences:
        click.echo(f"{'data':<12} {len(header.data)} sources, which --json names")
    for licence, count in licences.most_common():
        click.echo(f"{'':<12} {count:>3} {licence}")


def _words(values: dict[str, object]) -> str:
    """key value, key value …"""
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()
    )
