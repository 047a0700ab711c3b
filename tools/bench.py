"""What reading costs, beside Tesseract in the same run.

    python tools/bench.py LINES.tsv [-n 40] [--model model.onnx]

LINES.tsv has the columns file and text (and direction), as `jphtr compose` writes it. Everything runs on one thread:
the net alone on a strip of 512 x 48, whole pictures from file to text, and Tesseract's `jpn` / `jpn_vert` on the same
pictures, its start-up taken off by timing an empty picture. Start-up and peak memory are those of the command.
"""

from __future__ import annotations

import csv
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

from jphtr.bundle import SHIPPED
from jphtr.reader import Reader

ONE = {"OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}


def milliseconds(call, repeats: int) -> float:
    """Median wall time of a call in ms, after one that does not count."""
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def net_alone(model: Path) -> float:
    """One line of 512 x 48 through the graph, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    gray = np.random.default_rng(0).integers(0, 256, (1, 48, 512), dtype=np.uint8)
    feed = {"gray": gray, "widths": np.array([512], np.int64)}
    return milliseconds(lambda: session.run(None, feed), 40)


def command(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak MB of a command in a process of its own, the best of three."""
    best, memory = 1e9, 0.0
    for _ in range(3):
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - began)
        memory = max(memory, int(done.stdout.split()[-1]) / 1024)
    return best, memory


def tesseract(path: Path, vertical: bool) -> float:
    began = time.perf_counter()
    language, mode = ("jpn_vert", "5") if vertical else ("jpn", "7")
    subprocess.run(
        ["tesseract", str(path), "-", "-l", language, "--psm", mode],
        capture_output=True, env=os.environ | ONE, check=False,
    )  # fmt: skip
    return (time.perf_counter() - began) * 1000


@click.command()
@click.argument("lines", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-n", "--count", default=40, show_default=True)
@click.option("--model", type=click.Path(exists=True, path_type=Path), default=SHIPPED)
def main(lines: Path, count: int, model: Path) -> None:
    """Measure on the pictures of LINES."""
    with open(lines, encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = rows[:: max(1, len(rows) // count)][:count]
    paths = [lines.parent / row["file"] for row in rows]
    chars = sum(len(row["text"]) for row in rows) / len(rows)
    print(
        f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores; {len(rows)} lines of {chars:.1f} characters"
    )
    print(f"model file: {model.stat().st_size / 1e6:.1f} MB")
    print(f"net alone, 512 x 48, 1 thread: {net_alone(model):.1f} ms")
    reader = Reader(model, threads=1)
    each = [milliseconds(lambda p=p: reader.read(p), 3) for p in paths]
    print(
        f"jphtr, file to text, 1 thread: median {statistics.median(each):.1f} ms, mean {statistics.mean(each):.1f} ms a line"
    )
    many = Reader(model)
    began = time.perf_counter()
    pictures = [p for _ in range(max(1, 200 // len(paths))) for p in paths]
    for _ in many.read_many(pictures):
        pass
    print(f"jphtr, in bulk, all cores: {len(pictures) / (time.perf_counter() - began):.0f} lines/s")
    seconds, memory = command([sys.executable, "-m", "jphtr", "read", str(paths[0])])
    print(f"jphtr read, one line, start included: {seconds:.2f} s, peak {memory:.0f} MB")
    seconds, _ = command([sys.executable, "-m", "jphtr", "--help"])
    print(f"jphtr --help: {seconds:.2f} s")
    print(f"this process, at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    if shutil.which("tesseract") is None:
        print("tesseract: not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.png"
        Image.new("L", (32, 32), 255).save(empty)
        idle = {v: statistics.median(tesseract(empty, v) for _ in range(5)) for v in (False, True)}
        vertical = [row.get("direction") == "vertical" for row in rows]
        times = [tesseract(p, v) - idle[v] for p, v in zip(paths, vertical, strict=True)]
    print(
        f"tesseract, 1 thread, start-up ({idle[False]:.0f} ms) taken off: median {statistics.median(times):.1f} ms a line"
    )


if __name__ == "__main__":
    main()
