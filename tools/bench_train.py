"""What training a classifier costs: glyphs a second, the part of the time outside of the net, and memory.

    python tools/bench.py train-char [--config configs/char-hiragana.yaml] [--glyphs FILE.h5] [--seconds 60]

The training loop itself runs for so long after a warm-up that does not count, with the recipe's batches, wear, optimizer
and averaging. In the net is what a step takes: forward, backward, optimizer, average, and the mixing of pictures where a
recipe mixes; outside of it are waiting for batches, metrics and checkpoints. Then another process reads every glyph of
the file once, in random batches as training does, to see whether memory grows.

Without --glyphs a file is made, --count glyphs of pen strokes by 200 writers, compressed as those of an archive, in a
temporary folder. Each part runs in a process of its own; peak memory sums up the resident pages of the trainer and its
workers at their highest, those that they share counted for each (Linux).
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from bench_unpack import strokes

from jphtr.charset import Charset
from jphtr.records import GlyphBlock
from jphtr.store import open_glyphs, write_blocks

RECIPE = Path(__file__).parents[1] / "configs" / "char-hiragana.yaml"
WRITERS = 200
SIDE = 64  # pixels, as archives are unpacked
_VARIETY = 2000  # different pictures in a made file
_BLOCK = 4000
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost.

    Attributes
    ----------
    about : what was run.
    steps, glyphs : in the time that counts, which is `seconds`.
    net, waited : seconds of these in the net, and waiting for batches.
    peak : highest resident MB of the trainer and its workers.
    """

    about: str
    steps: int
    glyphs: int
    seconds: float
    net: float
    waited: float
    peak: float


def make(path: Path, count: int, script: str) -> None:
    """Write a compressed glyph file of a script: pen strokes that stand for its characters in turn."""
    from jphtr.training.scripts import charset_of

    charset: Charset = charset_of(script, "おきすつなはまやれを")
    codes = np.array([ord(char) for char in charset.chars[1:]], np.uint32)
    rng = np.random.default_rng(1)
    levels = np.stack([strokes(SIDE, SIDE, 4, rng) for _ in range(_VARIETY)])
    pictures = (255 - 17 * levels).astype(np.uint8)
    writers = tuple(f"made:{number}" for number in range(WRITERS))

    def blocks() -> Iterator[GlyphBlock]:
        for start in range(0, count, _BLOCK):
            row = np.arange(start, min(start + _BLOCK, count))
            gray = pictures[rng.integers(0, _VARIETY, len(row))]
            writer = (row // len(codes) % WRITERS).astype(np.int32)
            yield GlyphBlock(gray, codes[row % len(codes)], writer, writers, "made", row)

    write_blocks(path, blocks(), charset, normalisation={"canvas": SIDE})


def measure(config: Path, overrides: Sequence[str], glyphs: Path, warm_up: float, seconds: float) -> Cost:
    """Train for some seconds."""
    import torch

    from jphtr import settings as setting
    from jphtr.nets.glyph import GlyphNet
    from jphtr.training.char import Glyphs
    from jphtr.training.glyph_stream import Batch
    from jphtr.training.glyphs import choose
    from jphtr.training.hardware import settle
    from jphtr.training.run_folder import RunFolder
    from jphtr.training.sitting import Sitting

    class Timed(Glyphs):
        """The task under a clock, which starts with the step that ends the warm-up."""

        began = start = end = 0.0
        steps = 0
        net = waited_before = peak = 0.0

        def step(self, batches: Sequence[Batch], began: float, stop: bool) -> bool:
            entered = time.perf_counter()
            self.began = self.began or entered
            asked = super().step(batches, began, stop)
            self.end = time.perf_counter()
            if self.start:
                self.net += self.end - entered
                self.steps += 1
            elif self.end - self.began > warm_up:
                self.start, self.waited_before = self.end, self.waited
            self.peak = resident()
            return asked

    settings = setting.load(setting.TrainCharSettings, config, overrides)
    settings = setting.assign(settings, {
        "data.files": [glyphs], "data.valid_glyphs": 64, "run.valid_every": 10**9, "run.steps": 10**9, "run.epochs": None,
        "run.max_minutes": (warm_up + seconds) / 60, "net.pretrained": False,
    })  # fmt: skip
    hardware, chosen, shape = settle(settings.run), choose(settings.data), settings.net
    net = GlyphNet(
        len(chosen.charset), shape.backbone, shape.image_size, shape.widths,
        dropout=shape.dropout, drop_path=shape.drop_path,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
        task = Timed(settings, chosen, net, hardware, "bench")
        Sitting(task, run, settings.run, settings.optim.accumulate).go()
    if not task.steps:
        raise click.ClickException(f"no step within {seconds:g} seconds after the warm-up; give more --seconds")
    batch, kind = settings.data.batch, hardware.device.type
    precision = "fp32" if hardware.half is None else str(hardware.half).removeprefix("torch.")
    threads = f", {torch.get_num_threads()} threads" if kind == "cpu" else ""
    about = (
        f"{config.name}: {shape.backbone} at {shape.image_size} px, {len(chosen.charset) - 1} characters, batch {batch}, "
        f"{kind} {precision}{threads}, {settings.run.workers} worker processes"
    )
    glyphs_in = task.steps * batch * settings.optim.accumulate
    return Cost(
        about, task.steps, glyphs_in, task.end - task.start, task.net, task.waited - task.waited_before, task.peak
    )


def read_all(path: Path) -> tuple[float, float]:
    """Highest resident MB before and after a process has read every glyph of a file once, in random batches."""
    with open_glyphs(path) as file:
        rows = np.random.default_rng(0).permutation(len(file))
        before = high_water("self")
        for first in range(0, len(rows), _BATCH):
            file.grays(rows[first : first + _BATCH])
    return before, high_water("self")


def resident() -> float:
    """Highest resident MB so far of this process and of its workers together."""
    return sum(high_water(str(one)) for one in (os.getpid(), *(p.pid for p in multiprocessing.active_children())))


def high_water(process: str) -> float:
    """Highest resident MB of a process so far."""
    for row in Path("/proc", process, "status").read_text().splitlines():
        if row.startswith("VmHWM:"):
            return int(row.split()[1]) / 1024
    return 0.0


def apart(function: Any, *arguments: Any) -> Any:
    """What a function returns in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@click.command("train-char")
@click.option("--config", type=click.Path(exists=True, path_type=Path), default=RECIPE, help="The recipe.")
@click.option("-s", "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Another setting of it.")
@click.option("--glyphs", type=click.Path(exists=True, path_type=Path), help="Glyph file; by default one is made.")
@click.option("--count", default=700_000, show_default=True, help="Glyphs in a made file.")
@click.option("--warm-up", default=15.0, show_default=True, help="Seconds of training that do not count.")
@click.option("--seconds", default=60.0, show_default=True, help="Seconds of training that do.")
def train_char(
    config: Path, overrides: tuple[str, ...], glyphs: Path | None, count: int, warm_up: float, seconds: float
) -> None:
    """Training of a classifier: speed, the part of the time outside of the net, memory."""
    from jphtr.settings import TrainCharSettings, load

    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        path = glyphs or Path(folder) / "made.h5"
        if glyphs is None:
            apart(make, path, count, load(TrainCharSettings, config, overrides).data.script)
        with open_glyphs(path) as file:
            whole = len(file) * file.shape[0] * file.shape[1] / 1e6
            print(
                f"{path.name}: {len(file):,} glyphs, {path.stat().st_size / 1e6:,.0f} MB, {whole:,.0f} MB decompressed"
            )
        cost: Cost = apart(measure, config, overrides, path, warm_up, seconds)
        before, after = apart(read_all, path)
    print(cost.about)
    rest = cost.seconds - cost.net
    print(
        f"{cost.glyphs / cost.seconds:,.0f} glyphs/s: {cost.steps} steps in {cost.seconds:.1f} s, {rest / cost.seconds:.1%} of them "
        f"outside of the net, {cost.waited / cost.seconds:.1%} waiting for batches"
    )
    print(f"peak memory of training, workers included: {cost.peak:,.0f} MB")
    print(f"peak memory of reading: {before:,.0f} MB once the file is open, {after:,.0f} MB after every glyph of it")


if __name__ == "__main__":
    train_char()
