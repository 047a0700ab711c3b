"""The mean of two nets' weights, one trained on from the other: it reads better than either (docs/notebook.md).

    python tools/average.py before.safetensors runs/further -o mean.safetensors --share 0.6 --head 0.3

Nets that share the greater part of their training lie in one basin, and the middle of it is flatter than its sides
(Wortsman et al. 2022, "Model soups"). The output layer can have a share of its own: Adam takes full steps however faint a
gradient is, and moves the rows of characters that are seldom seen away from where they were. Of a run folder the running
average at the run's end is taken. A character that only the second net has keeps that net's row of the output layer; one that only the first has is dropped.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor

from jphtr.bundle import Header
from jphtr.errors import JphtrError, ModelError
from jphtr.training.checkpoint import load_state, load_weights, save_weights
from jphtr.training.run_folder import BEST, LAST


def weights_of(path: Path) -> tuple[Header, dict[str, Tensor]]:
    """Header and weights of a model file, or of the end of a run folder."""
    if not path.is_dir():
        return load_weights(path)
    header, _ = load_weights(path / BEST)
    state, _ = load_state(path / LAST)
    return header, {name.removeprefix("average."): t for name, t in state.items() if name.startswith("average.")}


def mean(
    first: tuple[Header, dict[str, Tensor]], second: tuple[Header, dict[str, Tensor]], share: float, head: float
) -> dict[str, Tensor]:
    """The weights of the second net, times `share`, or in the output layer `head`, and those of the first.

    They have the shape and the charset of the second.

    Raises
    ------
    ModelError
        If the nets differ in more than their charsets.
    """
    before = {char: label for label, char in enumerate(first[0].characters.chars)}
    pairs = [(row, before[char]) for row, char in enumerate(second[0].characters.chars) if char in before]
    mine, theirs = torch.tensor(pairs).T
    found = {}
    for name, new in second[1].items():
        if not new.is_floating_point():  # counts steps, and models leave it out
            found[name] = new
            continue
        if name not in first[1]:
            raise ModelError(f"the first net has no {name}")
        old = first[1][name]
        if name.startswith("head."):
            rows = new.clone()
            rows[mine] = old[theirs].to(new.dtype)
            old = rows
        if old.shape != new.shape:
            raise ModelError(f"{name} is {tuple(old.shape)} in the first net and {tuple(new.shape)} in the second")
        found[name] = torch.lerp(old.to(new.dtype), new, head if name.startswith("head.") else share)
    if missing := sorted(first[1].keys() - found.keys()):
        raise ModelError(f"the second net has no {missing[0]}")
    return found


@click.command()
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
@click.option("--share", type=click.FloatRange(0, 1), default=0.6, show_default=True, help="Of AFTER in the mean.")
@click.option("--head", type=click.FloatRange(0, 1), help="The same of the output layer.  [default: --share]")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .safetensors file.")
def main(before: Path, after: Path, share: float, head: float | None, output: Path) -> None:
    """Take the mean of the net in BEFORE and the net in AFTER, a model file or a run folder."""
    first, second = weights_of(before), weights_of(after)
    save_weights(
        output,
        mean(first, second, share, share if head is None else head),
        replace(second[0], name=output.stem, scores={}),
    )


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        sys.exit(f"average: error: {error}")
