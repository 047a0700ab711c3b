"""What reading costs, beside other readers in the same run; and what training a classifier costs.

    python tools/bench.py read LINES.tsv [-n 40] [--model model.onnx] [--peer rapidocr=PYTHON] [--peer tesseract]
    python tools/bench.py train-char [--config configs/char-hiragana.yaml] [--glyphs FILE.h5] [--seconds 60]

LINES.tsv has the columns file and text (and direction), as `jphtr compose` writes it. The net alone on a strip of 512 x
48, whole pictures from file to text and the peers (`tools/peers.py`) run on one thread; bulk reading is `jphtr read -j`
of a thousand pictures with a process for each core. Start-up and peak memory are those of the command.

Training is measured by `tools/bench_train.py`; unpacking has a tool of its own, `tools/bench_unpack.py`.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from bench_train import train_char
from compare import peer

from jphtr.bundle import LINE_MODELS
from jphtr.evaluate import read_truth
from jphtr.reader import Reader

BULK = 1000


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
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    gray = np.random.default_rng(0).integers(0, 256, (1, 48, 512), dtype=np.uint8)
    feed = {"gray": gray, "widths": np.array([512], np.int64)}
    return milliseconds(lambda: session.run(None, feed), 40)


def command(arguments: list[str], repeats: int = 3) -> tuple[float, float]:
    """Seconds and peak MB of a command in a process of its own, the best of some."""
    best, memory = 1e9, 0.0
    for _ in range(repeats):
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - began)
        memory = max(memory, int(done.stdout.split()[-1]) / 1024)
    return best, memory


@click.group()
def main() -> None:
    """What things cost on this machine."""


main.add_command(train_char)


@main.command()
@click.argument("lines", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-n", "--count", default=40, show_default=True)
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="Instead of those in the package.")
@click.option("--peer", "peers", multiple=True, help="rapidocr or tesseract, with =PYTHON where it lives elsewhere.")
def read(lines: Path, count: int, model: Path | None, peers: tuple[str, ...]) -> None:
    """Reading the pictures of LINES."""
    every = list(read_truth(lines))
    rows = every[:: max(1, len(every) // count)][:count]
    paths = [row.path for row in rows]
    chars = sum(len(row.text) for row in rows) / len(rows)
    print(
        f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores; {len(rows)} lines of {chars:.1f} characters"
    )
    for one in LINE_MODELS.values() if model is None else [model]:
        print(f"{one.name}: {one.stat().st_size / 1e6:.1f} MB, alone on 512 x 48, 1 thread: {net_alone(one):.1f} ms")
    for decoder in ("greedy", "beam"):
        reader = Reader(model, threads=1, decoder=decoder)
        each = [milliseconds(lambda p=p, r=reader: r.read(p), 3) for p in paths]
        print(
            f"jphtr {decoder}, file to text, 1 thread: median {statistics.median(each):.1f} ms, "
            f"mean {statistics.mean(each):.1f} ms a line"
        )
    for one in peers:
        name, _, python = one.partition("=")
        times = [milliseconds for _, milliseconds in peer(rows, name, python or sys.executable)]
        print(
            f"{name}, 1 thread: median {statistics.median(times):.1f} ms, mean {statistics.mean(times):.1f} ms a line"
        )
    reading = [sys.executable, "-m", "jphtr", "read", *([] if model is None else ["-m", str(model)])]
    seconds, memory = command([*reading, str(paths[0])])
    print(f"jphtr read, one line, start included: {seconds:.2f} s, peak {memory:.0f} MB")
    seconds, _ = command([sys.executable, "-m", "jphtr", "--help"])
    print(f"jphtr --help: {seconds:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        sources = [row.path for row in every[:: max(1, len(every) // BULK)][:BULK]]
        for number in range(BULK):
            (Path(folder) / f"{number:04}.png").symlink_to(sources[number % len(sources)].resolve())
        out = Path(folder) / "out.jsonl"
        seconds, memory = command([*reading, "-j", str(os.cpu_count()), folder, "-o", str(out), "--line"], repeats=1)
        print(
            f"jphtr read -j {os.cpu_count()} of {BULK} lines: {BULK / seconds:.0f} lines/s, start included, peak {memory:.0f} MB"
        )


if __name__ == "__main__":
    main()
