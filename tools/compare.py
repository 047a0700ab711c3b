"""jphtr beside its peers on the same pictures in the same run: CER by kind of line, and milliseconds a line.

    python tools/compare.py TRUTH.tsv… [--every 6] [--peer rapidocr=PYTHON] [--peer tesseract]

Everything runs on one thread, from file to text. A peer is started as `PYTHON tools/peers.py NAME`; without a PYTHON,
by this one. CER is folded (NFKC, without spaces), micro average; old kanji forms count as their new ones with --fold-old,
for a peer that has learned only those. A table in Markdown comes out.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from jphtr.evaluate import Truth, read_truth
from jphtr.lookalikes import fold_forms
from jphtr.metrics import Errors, cer, folded
from jphtr.reader import Reader


def own(rows: Sequence[Truth], decoder: str) -> Iterator[tuple[str, float]]:
    """What jphtr reads, and in how many ms."""
    reader = Reader(threads=1, decoder=decoder)
    reader.read(rows[0].path)
    for row in rows:
        began = time.perf_counter()
        text = reader.read(row.path).text
        yield text, (time.perf_counter() - began) * 1000


def peer(rows: Sequence[Truth], name: str, python: str) -> Iterator[tuple[str, float]]:
    """What a peer reads; it is told the direction, which jphtr has to find."""
    requests = "".join(json.dumps({"path": str(row.path), "direction": row.direction}) + "\n" for row in rows)
    done = subprocess.run(
        [python, str(Path(__file__).with_name("peers.py")), name], input=requests, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        yield answer["text"], answer["ms"]


@click.command()
@click.argument("truth", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--every", default=1, show_default=True, help="Take every so many lines of each kind.")
@click.option("--peer", "peers", multiple=True, help="rapidocr or tesseract, with =PYTHON where it lives elsewhere.")
@click.option("--fold-old", is_flag=True, help="Old kanji forms count as their new ones.")
def main(truth: tuple[Path, ...], every: int, peers: tuple[str, ...], fold_old: bool) -> None:
    """Compare on the lines of TRUTH."""
    kinds: dict[str, list[Truth]] = defaultdict(list)
    for path in truth:
        for row in read_truth(path):
            kinds[f"{row.kind} {row.direction}"].append(row)
    kinds = {kind: rows[::every] for kind, rows in sorted(kinds.items())}
    rows = [row for of_kind in kinds.values() for row in of_kind]
    fold: Callable[[str], str] = (lambda text: fold_forms(folded(text))) if fold_old else folded
    systems = {"jphtr greedy": lambda: own(rows, "greedy"), "jphtr": lambda: own(rows, "beam")}
    for name, _, python in (one.partition("=") for one in peers):
        systems[name] = lambda name=name, python=python: peer(rows, name, python or sys.executable)
    cells: dict[str, dict[str, str]] = {}
    for system, read in systems.items():
        counts: dict[str, Errors] = defaultdict(Errors)
        times = []
        for row, (text, milliseconds) in zip(rows, read(), strict=True):
            counts[f"{row.kind} {row.direction}"] += cer(row.text, text, fold)
            times.append(milliseconds)
        cells[system] = {kind: f"{counts[kind].rate:.2%}" for kind in kinds} | {
            "median ms a line": f"{statistics.median(times):.1f}",
            "mean ms a line": f"{statistics.mean(times):.1f}",
        }
    chars = sum(len(row.text) for row in rows) / len(rows)
    print(f"machine: {platform.processor() or platform.machine()}; one thread; {chars:.1f} characters a line\n")
    print(f"| lines | n | {' | '.join(systems)} |\n|---|---|{'---|' * len(systems)}")
    for kind in (*kinds, "median ms a line", "mean ms a line"):
        count = len(kinds[kind]) if kind in kinds else len(rows)
        print(f"| {kind} | {count} | {' | '.join(cells[system][kind] for system in systems)} |")


if __name__ == "__main__":
    main()
