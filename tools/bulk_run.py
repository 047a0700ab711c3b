"""Bulk reading killed and resumed: what memory it takes, and whether every picture is read exactly once.

    python tools/bulk_run.py [PICTURES...] [-n 10000] [-j 2] [-o FOLDER] [-- --decoder greedy ...]

Makes a folder of n line pictures, copies of PICTURES (files, folders, patterns; by default `samples/`), and reads it with
`jphtr read -j 2 pictures/ -o out.jsonl`. After a third the whole process tree is killed (SIGKILL), after two thirds it
gets Ctrl-C (SIGINT, as a terminal sends it), and both times `--resume` goes on. Every second the resident memory of the
tree is summed from /proc, so this is for Linux; pages that processes share count for each. What follows -- goes to
`jphtr read`. Exit code 1 says that a line was lost or doubled, or that copies of one picture were read differently.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from jphtr.image import expand

_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6 if hasattr(os, "sysconf") else 0.0
_WARM = 2000  # lines after which a run has met most widths and n-grams, and its memory should stay
_PATIENCE = 120  # seconds that Ctrl-C may take


@dataclass(slots=True)
class Run:
    """One start of the command: `samples` are (seconds, lines in the file, MB of the process tree)."""

    ended: str = ""
    first: int = 0
    samples: list[tuple[float, int, float]] = field(default_factory=list)
    seconds: float = 0.0
    last: int = 0
    left: int = 0
    said: str = ""

    def warm(self) -> np.ndarray:
        """Thousands of lines and MB, (2, k), without those of the first lines."""
        kept = [(at / 1000, mb) for _, at, mb in self.samples if at - self.first >= _WARM]
        return np.array(kept, float).reshape(-1, 2).T


class Growing:
    """Counts the whole lines of a file that grows, under either of its names."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")

    def __call__(self) -> int:
        for path in (self._part, self._path):
            try:
                with open(path, "rb") as file:
                    return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
            except FileNotFoundError:
                continue
        return 0


def tree(root: int) -> list[int]:
    """A process and all that descend from it, and those of its session whose parents are gone."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:  # what stands behind the name of the program, which may hold anything
            state, parent, _, session = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue  # it has ended meanwhile
        if state == "Z":
            continue
        parents[int(entry.name)] = int(parent)
        if int(session) == root or int(entry.name) == root:
            found.add(int(entry.name))
    more = found
    while more:
        more = {one for one, parent in parents.items() if parent in more} - found
        found |= more
    return sorted(found)


def resident(processes: list[int]) -> float:
    """MB of memory that processes hold."""
    pages = 0
    for process in processes:
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return pages * _PAGE_MB


def run(command: list[str], count: Growing, stop: int | None, how: signal.Signals | None) -> Run:
    """Start the command, watch it, and end it in its way when `stop` lines are there."""
    result = Run(first=count())
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        result.ended = "itself"
        while process.poll() is None:
            time.sleep(1)
            lines, memory = count(), resident(tree(process.pid))
            if process.poll() is None:
                result.samples.append((time.perf_counter() - began, lines, memory))
            if stop is not None and how is not None and lines >= stop and process.poll() is None:
                result.ended = how.name
                os.killpg(process.pid, how)
                try:
                    process.wait(_PATIENCE)
                except subprocess.TimeoutExpired:
                    result.ended = f"{how.name}, then SIGKILL"
                    os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        result.seconds, result.last = time.perf_counter() - began, count()
        time.sleep(0.5)
        result.left = len(tree(process.pid))
        said.seek(0)
        result.said = said.read().decode("utf-8", "replace").strip()
        result.ended += f" (exit code {process.returncode})"
    return result


def make(folder: Path, sources: list[str], count: int) -> dict[str, str]:
    """Copies of the sources, one after the other; which path is a copy of which."""
    folder.mkdir(parents=True)
    copies = {}
    for number in range(count):
        source = sources[number % len(sources)]
        copy = folder / f"{number:07d}{Path(source).suffix}"
        try:
            os.link(source, copy)
        except OSError:  # another disk
            shutil.copyfile(source, copy)
        copies[str(copy)] = source
    return copies


def slope(runs: list[Run]) -> float:
    """MB that memory grows by in a thousand pictures: least squares, each run with a level of its own; nan of few."""
    over = under = 0.0
    for one in runs:
        at, memory = one.warm()
        if at.size > 1:
            over += float(((at - at.mean()) * (memory - memory.mean())).sum())
            under += float(((at - at.mean()) ** 2).sum())
    return over / under if under else float("nan")


@click.command()
@click.argument("pictures", nargs=-1)
@click.option("-n", "--count", default=10_000, show_default=True, type=click.IntRange(30))
@click.option("-j", "--jobs", default=2, show_default=True, type=click.IntRange(1))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new folder for it all; by default a temporary one.")  # fmt: skip
@click.pass_obj
def main(extra: list[str], pictures: tuple[str, ...], count: int, jobs: int, output: Path | None) -> None:
    """Kill bulk reading twice, resume it, and look at what it wrote. What follows -- goes to jphtr read."""
    sources = list(expand(pictures or [str(Path(__file__).parent.parent / "samples")]))
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job ignores it, and so would its own
    home = Path(tempfile.mkdtemp(prefix="bulk-run-")) if output is None else output
    copies = make(home / "pictures", sources, count)
    out = home / "out.jsonl"
    command = [sys.executable, "-m", "jphtr", "read", "-j", str(jobs), str(home / "pictures"), "-o", str(out), *extra]
    growing = Growing(out)
    runs = [
        run(command, growing, count // 3, signal.SIGKILL),
        run([*command, "--resume"], growing, count * 2 // 3, signal.SIGINT),
        run([*command, "--resume"], growing, None, None),
    ]

    click.echo(f"{'ended by':<32} {'lines':>17} {'seconds':>8} {'lines/s':>8} {'peak MB':>8} {'left running':>13}")
    for one in runs:
        lines, peak = f"{one.first:,} to {one.last:,}", max((mb for _, _, mb in one.samples), default=0.0)
        rate = (one.last - one.first) / one.seconds
        click.echo(f"{one.ended:<32} {lines:>17} {one.seconds:>8.1f} {rate:>8.2f} {peak:>8.0f} {one.left:>13}")
    for one in runs:
        for line in one.said.splitlines()[-3:]:
            click.echo(f"  said: {line}")

    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()] if out.exists() else []
    seen = Counter(row["path"] for row in rows)
    failed = Path(f"{out}.failed.tsv")
    errors = {line.split("\t")[0] for line in failed.read_text("utf-8").splitlines()} if failed.exists() else set()
    texts: dict[str, set[str]] = {}
    for row in rows:
        texts.setdefault(copies.get(row["path"], ""), set()).add(row["text"])
    lost = copies.keys() - seen.keys() - errors
    doubled = sum(number > 1 for number in seen.values())
    foreign = len(seen.keys() - copies.keys())
    differ = sum(len(found) > 1 for found in texts.values())
    peak = max((mb for one in runs for _, _, mb in one.samples), default=0.0)
    click.echo(
        f"n {count:,}  pictures {len(sources):,}  seconds {sum(one.seconds for one in runs):.1f}"
        f"  RSS peak {peak:.0f} MB  slope {slope(runs):+.2f} MB per 1,000 pictures"
        f"  kills {sum(not one.ended.startswith('itself') for one in runs)}"
    )
    click.echo(
        f"once {sum(number == 1 for number in seen.values()):,}  doubled {doubled}  lost {len(lost)}  unreadable {len(errors)}"
        f"  not asked for {foreign}  copies read differently {differ}"
    )
    if output is None:
        shutil.rmtree(home)
    if lost or doubled or foreign or differ or len(rows) + len(errors) != count or any(one.left for one in runs):
        raise SystemExit(1)


if __name__ == "__main__":
    dashes = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    main(sys.argv[1:dashes], obj=sys.argv[dashes + 1 :])
