"""Whether backbones train, export and read: a short run of each on ten kana, through the doors that everybody takes.

    python tools/try_backbones.py [NAME[@PX]...] [--steps 120] [--glyphs FILE.h5]

Each is trained by `train_char` and exported by `export_model`, which compares the graph with torch picture by picture and
refuses what differs; then ONNX Runtime reads all pictures of the toy set. The table says what share of them the net in
torch and the exported graph (float16 weights) get right after so few steps, and what one picture costs the graph on one
thread; or the line of the error. The smallest member of each family stands for it. Nets with batch norm need some hundred
steps until its running statistics are those of the data: after fewer they answer by chance, however well they learn.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from jphtr.charset import default
from jphtr.export import export_model
from jphtr.nets.glyph import TRUNK
from jphtr.records import Glyph
from jphtr.session import open_session
from jphtr.settings import TrainCharSettings, assign
from jphtr.store import open_glyphs, write_glyphs
from jphtr.training.char import train_char
from jphtr.training.checkpoint import load_weights
from jphtr.training.run_folder import BEST
from jphtr.training.synthetic import render

KANA = "あおかきさたなぬはを"
EACH = 12  # pictures of each
# name -> side of the square; first those that configs name
BACKBONES: dict[str, int] = {
    TRUNK: 48, "mobilenetv4_conv_small": 64, "convnextv2_nano": 96,
    "resnet10t": 64, "convnext_atto": 64, "efficientnet_b0": 64, "mobilenetv3_small_050": 64, "regnetx_002": 64,
    "ghostnet_050": 64, "edgenext_xx_small": 64, "repvit_m0_9": 64, "densenet121": 64, "vit_tiny_patch16_224": 64,
    "levit_128s": 64, "inception_resnet_v2": 96,
}  # fmt: skip
SETTINGS: dict[str, object] = {
    "data.script": "kuzushiji", "data.batch": 20, "augment.strength": 0.0, "augment.tight": 0.0, "optim.lr": 1e-3,
    "optim.warmup": 5, "optim.ema": 0.8, "loss.smoothing": 0.0, "run.epochs": None, "run.workers": 0, "run.threads": 1,
    "run.device": "cpu", "run.tensorboard": False,
}  # fmt: skip
ROW = "{:<26} {:>8} {:>5} {:>6} {:>7} {:>7} {:>9}"


def toy(path: Path, glyphs: Path | None) -> None:
    """Write the toy set: ten kana from a glyph file, or in the faces of this machine's fonts."""
    if glyphs is None:
        glyphs = path.with_name("fonts.h5")
        render(glyphs, "hiragana")

    def some() -> Iterator[Glyph]:
        seen: Counter[str] = Counter()
        with open_glyphs(glyphs) as file:
            rows = np.flatnonzero(np.isin(file.label, [file.charset.label(char) for char in KANA]) & (file.form == 0))
            for row in rows.tolist():
                glyph = file.glyph(row)
                seen[glyph.char] += 1
                if seen[glyph.char] <= EACH:
                    yield glyph

    write_glyphs(path, some(), default())


def tried(name: str, size: int, steps: int, pictures: Path, folder: Path) -> str:
    """The row of one backbone."""
    values = {"data.files": [pictures], "net.backbone": name, "net.image_size": size, "run.steps": steps,
              "run.valid_every": steps}  # fmt: skip
    train_char(assign(TrainCharSettings(), SETTINGS | values), folder)
    _, weights = load_weights(folder / BEST)
    parameters = sum(t.numel() for n, t in weights.items() if "running_" not in n and "num_batches" not in n)
    done = export_model(folder / BEST, folder / "best.onnx", valid=[pictures])
    session = open_session(done.path, "glyph", ("gray", "logits"), 1)
    gray = np.random.default_rng(0).integers(0, 256, (1, size, size), dtype=np.uint8)
    times = []
    for _ in range(21):
        began = time.perf_counter()
        session.run(["logits"], {"gray": gray})
        times.append(time.perf_counter() - began)
    scores = (f"{done.scores[kind]:.1%}" for kind in ("float32", "float16"))
    return ROW.format(
        name, f"{parameters / 1e6:.2f} M", size, steps, *scores, f"{statistics.median(times) * 1e3:.2f} ms"
    )


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME[@PX]]...")
@click.option("--steps", default=120, show_default=True, help="Steps of 20 glyphs.")
@click.option(
    "--glyphs",
    type=click.Path(exists=True, path_type=Path),
    help="Glyph file with hiragana; else this machine's fonts.",
)
def main(names: tuple[str, ...], steps: int, glyphs: Path | None) -> None:
    """Try timm backbones, by default one of each family."""
    wanted = [name.partition("@") for name in names] or [(name, "@", "") for name in BACKBONES]
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        pictures = Path(home) / "toy.h5"
        toy(pictures, glyphs)
        print(ROW.format("backbone", "params", "px", "steps", "torch", "onnx", "a glyph"), flush=True)
        for name, _, size in wanted:
            try:
                row = tried(name, int(size or BACKBONES.get(name, 64)), steps, pictures, Path(home) / name)
            except Exception as error:  # whatever is wrong with one, the others are tried
                failed += 1
                row = f"{name:<26} {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            print(row, flush=True)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
