"""What unpacking costs, beside the plain copy of the same bytes in the same run.

    python tools/bench_unpack.py FOLDER [--records 607200] [--gray-records 109296]

FOLDER takes archives of real size and what is made of them, 8 GB in all; archives that lie there are used again. The
made records hold pen strokes on paper: blank or random pixels would flatter or shame the compression. Every figure is
of a process of its own; peak memory is that of the process and of those that it started.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw

from jphtr.sources.etl import LAYOUTS, PUBLISHED
from jphtr.sources.etl_codes import code_points
from jphtr.store import open_glyphs

_VARIETY = 2000  # different pictures in an archive


def strokes(width: int, height: int, depth: int, rng: np.random.Generator) -> np.ndarray:
    """Levels (height, width) of a made-up character: paper 0 with a little noise, ink near the highest level."""
    picture = Image.new("L", (width * 2, height * 2))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(3, 14))):
        points = [tuple(p) for p in (rng.uniform(0.15, 0.85, (3, 2)) * (width * 2, height * 2)).tolist()]
        draw.line(points, fill=255, width=int(rng.integers(3, 7) * width / 64), joint="curve")
    ink = np.asarray(picture.resize((width, height)), np.float32) / 255
    if depth == 1:
        return (ink > 0.5).astype(np.uint8)
    top = 2**depth - 1
    level = ink * rng.uniform(0.6, 1.0) * top + rng.choice([0, 0, 0, 0, 1, 1, 2], ink.shape)
    return np.clip(level, 0, top).astype(np.uint8)


def make(folder: Path, source: str, records: int) -> int:
    """Write the files of a set until there are enough records; returns the samples in them."""
    layout, rng = LAYOUTS[source], np.random.default_rng(1)
    pictures = np.stack([strokes(layout.width, layout.height, layout.depth, rng) for _ in range(_VARIETY)])
    bits = np.unpackbits(pictures[..., None], axis=3)[..., 8 - layout.depth :]
    packed = np.packbits(bits.reshape(_VARIETY, -1), axis=1)
    codes = np.flatnonzero(code_points(source)[: 1 << 16])
    codes = codes[codes >= 0x2421][:3036].astype(">u2").view(np.uint8).reshape(-1, 2)
    folder.mkdir(parents=True, exist_ok=True)
    made = 0
    for file in PUBLISHED[source]:
        if made >= records:
            break
        made += file.samples
        path = folder / file.name
        if path.exists() and path.stat().st_size == file.size:
            continue
        raw = np.zeros((file.records, layout.size), np.uint8)
        which = rng.integers(0, _VARIETY, file.records)
        for start in range(0, file.records, 10_000):
            raw[start : start + 10_000, layout.packed] = packed[which[start : start + 10_000]]
        raw[:, 2:4] = codes[np.arange(file.records) % len(codes)]
        raw[:, 1] = np.arange(file.records) // len(codes) % 200 + 1  # sheet
        raw[: int(layout.dummy)] = 0
        raw.tofile(path)
    return made


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MB of a command."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], stdout=subprocess.PIPE, text=True, check=True)
    return time.perf_counter() - began, int(done.stdout.split()[-1]) / 1024


def copy(folder: Path, to: Path) -> float:
    """Seconds that a plain copy of a folder's files into one takes, down to the disk."""
    began = time.perf_counter()
    with open(to, "wb") as out:
        for path in sorted(folder.iterdir()):
            with open(path, "rb") as file:
                while piece := file.read(1 << 22):
                    out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    seconds = time.perf_counter() - began
    to.unlink()
    return seconds


def random_batches(path: Path, batch: int, seconds: float) -> float:
    """Glyphs a second in batches of random rows, in this process alone."""
    with open_glyphs(path) as glyphs:
        rng, read = np.random.default_rng(0), 0
        glyphs.grays(rng.integers(0, len(glyphs), batch))
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            glyphs.grays(rng.integers(0, len(glyphs), batch))
            read += batch
        return read / (time.perf_counter() - began)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--records", default=607_200, show_default=True, help="Samples of ETL9B to make, at least.")
@click.option("--gray-records", default=109_296, show_default=True, help="Samples of ETL9G to make, at least.")
def main(folder: Path, records: int, gray_records: int) -> None:
    """Measure in FOLDER."""
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    for source, count in (("ETL9B", records), ("ETL9G", gray_records)):
        home, out = folder / source, folder / "out.h5"
        made = make(home, source, count)
        size = sum(path.stat().st_size for path in home.iterdir())
        print(f"{source}: {made:,} samples, {size / 1e6:,.0f} MB")
        seconds = copy(home, out)
        print(f"  plain copy: {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s")
        for name, options in {
            "native, uncompressed": ["--size", "native", "--raw"],
            "native, compressed": ["--size", "native"],
            "64 px, uncompressed": ["--raw"],
            "64 px, compressed (default)": [],
        }.items():
            seconds, memory = run([sys.executable, "-m", "jphtr", "unpack-etl", str(home), "-o", str(out), *options])
            print(
                f"  {name}: {seconds:.1f} s, {made / seconds:,.0f} records/s, {size / 1e6 / seconds:.0f} MB/s read, "
                f"{out.stat().st_size / 1e6:,.0f} MB written, peak {memory:.0f} MB"
            )
        print(f"  random batches of 256 from the last: {random_batches(out, 256, 5.0):,.0f} glyphs/s")
        out.unlink()


if __name__ == "__main__":
    main()
