"""KMNIST's ten thousand test images as a small task of their own: a fixed split, two baselines, and a trained run beside.

    jphtr unpack-kuzushiji t10k-images-idx3-ubyte.gz -o kmnist.h5 --size native
    python tools/kmnist.py split kmnist.h5 -o kmnist-split.h5
    jphtr train-char --config configs/char-kuzushiji.yaml --data kmnist-split.h5 -o runs/kuzushiji
    python tools/kmnist.py score kmnist-split.h5 --run runs/kuzushiji

7,000 of the images are learned, 1,000 validate and 2,000 test, drawn by seed 20261121. This is not the official protocol,
which learns from 60,000 other images and tests on these (configs/char-kmnist-official.yaml): scores here are lower.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jphtr.cell import to_input
from jphtr.charset import Charset
from jphtr.errors import DataError, JphtrError
from jphtr.nets.glyph import GlyphNet
from jphtr.records import GlyphBlock
from jphtr.splits import SPLITS
from jphtr.store import open_glyphs, write_blocks
from jphtr.training.checkpoint import load_weights

SEED = 20261121
PARTS = {"train": 7000, "valid": 1000, "test": 2000}


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@click.argument("glyphs", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def split(glyphs: Path, output: Path) -> None:
    """Write GLYPHS again, with the fixed split as its column `split`."""
    with open_glyphs(glyphs) as file:
        if len(file) != sum(PARTS.values()):
            raise DataError(f"{glyphs}: {len(file):,} glyphs, not the {sum(PARTS.values()):,} of KMNIST's test images")
        part = np.repeat([SPLITS[name] for name in PARTS], list(PARTS.values())).astype(np.uint8)
        part = part[np.argsort(np.random.default_rng(SEED).permutation(len(part)))]

        def blocks() -> Iterator[GlyphBlock]:
            for block in file.blocks():
                yield replace(block, meta={**block.meta, "split": part[block.index]})

        notes = {**file.normalisation, "split": f"7,000 : 1,000 : 2,000, seed {SEED}"}
        written = write_blocks(
            output, blocks(), file.charset, sources=file.sources, inputs=file.inputs, normalisation=notes
        )
    click.echo(f"{output}: {written.glyphs:,} glyphs, digest {written.digest[:12]}")


def nearest(
    train: NDArray[np.uint8], label: NDArray[np.int32], test: NDArray[np.uint8], k: int = 4
) -> NDArray[np.int32]:
    """The label that most of the k nearest training pictures have, by the distance of their pixels; the nearest of a draw."""
    a, b = (x.reshape(len(x), -1).astype(np.float32) for x in (train, test))
    order = ((a**2).sum(1)[None] - 2 * b @ a.T).argsort(1)[:, :k]
    votes = label[order]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(2)
    found: NDArray[np.int32] = votes[np.arange(len(votes)), counts.argmax(1)]
    return found


def plain_cnn(
    train: NDArray[np.uint8], label: NDArray[np.int32], test: NDArray[np.uint8], epochs: int = 12
) -> NDArray[np.int32]:
    """What a net of two convolutions learns from the same pictures: the usual first one of every course."""
    torch.manual_seed(0)
    classes, target = np.unique(label, return_inverse=True)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, len(classes)),
    )  # fmt: skip

    def pixels(gray: NDArray[np.uint8]) -> Tensor:
        return (255 - torch.from_numpy(gray).float()[:, None]) / 255

    x, y = pixels(train), torch.from_numpy(target)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    net.eval()
    with torch.inference_mode():
        best = torch.cat([net(some).argmax(1) for some in pixels(test).split(256)])
    found: NDArray[np.int32] = classes[best.numpy()]
    return found


def trained(run: Path, charset: Charset, test: NDArray[np.uint8]) -> NDArray[np.int32]:
    """What the best net of a run folder says, in labels of `charset`."""
    header, tensors = load_weights(run / "best.safetensors")
    net = GlyphNet(**header.arch)
    net.load_state_dict(tensors)
    net.eval()
    inputs = torch.from_numpy(np.stack([to_input(gray, **header.input) for gray in test]))
    with torch.inference_mode():
        best = torch.cat([net(some).argmax(1) for some in inputs.split(256)])
    chars = header.characters.chars
    return np.array([charset.label(chars[label]) for label in best.tolist()], np.int32)


@main.command()
@click.argument("glyphs", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--run", type=click.Path(exists=True, file_okay=False, path_type=Path), help="A run folder of train-char."
)
def score(glyphs: Path, run: Path | None) -> None:
    """Accuracy on the 2,000 test images, of the baselines and of a run."""
    with open_glyphs(glyphs) as file:
        part = file.column("split")
        gray, label = file.grays(np.arange(len(file))), file.label
        charset = file.charset
    learn, test = part == SPLITS["train"], part == SPLITS["test"]
    answers = {
        "4 nearest neighbours": nearest(gray[learn], label[learn], gray[test]),
        "two convolutions, 12 epochs": plain_cnn(gray[learn], label[learn], gray[test]),
    }
    if run is not None:
        answers[f"jphtr, {run.name}"] = trained(run, charset, gray[test])
    for name, answer in answers.items():
        right = answer == label[test]
        rng = np.random.default_rng(0)
        low, high = np.percentile(rng.choice(right, (2000, len(right))).mean(1), (2.5, 97.5))
        click.echo(f"{name}: {right.mean():.2%} of {len(right):,} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        raise SystemExit(f"kmnist: error: {error}") from None
