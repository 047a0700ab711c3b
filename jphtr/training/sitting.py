"""The one training loop: batches in, a run folder out, whatever is trained.

Everything that a step does follows from the settings, the seed and the number of the step, so a run that was killed
and resumed ends with the same weights as one that was not (on a CPU, with a schedule by steps, to the last bit).
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from jphtr.bundle import Header
from jphtr.settings import RunSettings
from jphtr.training.checkpoint import save_weights
from jphtr.training.learner import Learner
from jphtr.training.run_folder import BEST, LAST, RunFolder

_SAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: `finished` is False when a signal cut it short; `best` is its lowest score in a validation."""

    folder: Path
    step: int
    best: float
    finished: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation found: `score`, the lower the better; `row` for the metrics; `scores` for the header."""

    score: float
    row: dict[str, float]
    scores: dict[str, Any]


class Task(Protocol):
    """What is trained: which batches teach what to a `Learner`, and how well it knows it.

    `command` is how it is resumed, `counted` the entry of the sums that counts samples, `score` what is validated.
    """

    command: str
    counted: str
    score: str
    learner: Learner[Any]

    @property
    def waited(self) -> float:
        """Seconds spent waiting for batches so far."""

    def about(self) -> str:
        """What this run is made of, for its first line."""

    def batches(self, start: int) -> Generator[Any, None, None]:
        """Batches from one on, without end."""

    def step(self, batches: Sequence[Any], began: float, stop: bool) -> bool:
        """Take one step, as `Learner.take` says."""

    def row(self, sums: dict[str, float], speed: float) -> dict[str, Any]:
        """What a row of metrics says of its sums, at this many samples a second."""

    def text(self, row: dict[str, Any]) -> str:
        """The gist of a row for a person."""

    def validate(self) -> Validation:
        """Score the averaged weights."""

    def header(self, scores: dict[str, Any]) -> Header:
        """What the model file says of the averaged weights."""


class Sitting:
    """One sitting of a run: from its start or where it was left, to its end or a signal."""

    def __init__(self, task: Task, folder: RunFolder, run: RunSettings, accumulate: int) -> None:
        self.task, self.folder, self.run, self.accumulate = task, folder, run, accumulate
        self.learner, self.state = task.learner, task.learner.state
        self.noted = self.said = self.saved = time.perf_counter()
        self.waited = 0.0
        self.counted_before = self.state.sums[task.counted]  # of this row, in a sitting before this one
        self.last_row: dict[str, Any] = {}
        self.validated = self.state.step  # the step of the last validation

    def go(self) -> Outcome:
        """Train until the schedule ends, a signal comes, or nothing gets better."""
        state, task, run, hardware = self.state, self.task, self.run, self.learner.hardware
        half = {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[hardware.half]
        threads = f", {torch.get_num_threads()} threads" if hardware.device.type == "cpu" else ""
        self.folder.say(
            f"{self.folder.path}: {sum(p.numel() for p in self.learner.net.parameters()) / 1e6:.2f} M parameters, "
            f"{hardware.device.type} {half}{threads}, {hardware.ranks} x {run.workers} worker processes, {task.about()}"
        )
        batches = task.batches(state.step * self.accumulate)
        began = time.perf_counter() - state.elapsed
        tired = False
        with _signals() as caught:
            while self.learner.progress < 1:
                taken = list(itertools.islice(batches, self.accumulate))
                asked = task.step(taken, began, tired or bool(caught))
                if state.step % run.log_every == 0:
                    self._note()
                now = time.perf_counter()
                self.folder.progress(self.learner.progress, self._text())
                if now - self.said > _SAY_SECONDS and self.last_row:
                    self.said = now
                    if not self.folder.watched:
                        self.folder.say(self._text())
                if state.step % run.valid_every == 0:
                    tired = self._validate()
                elif now - self.saved > run.save_minutes * 60:
                    self._save()
                if asked:
                    break
        batches.close()
        if not caught and self.validated != state.step:
            self._validate()
        else:
            self._save()
        if caught:
            self.folder.say(
                f"stopped by {signal.Signals(caught[0]).name} at step {state.step}; "
                f"go on with: jphtr {task.command} --resume {self.folder.path}"
            )
        else:
            self.folder.say(f"ended at step {state.step} after {state.elapsed / 60:.1f} min, {self._best()}")
        return Outcome(self.folder.path, state.step, state.best, not caught)

    def _best(self) -> str:
        state = self.state
        if not state.best_step:
            return "no validation"
        return f"best valid {self.task.score} {state.best:.2%} at step {state.best_step}"

    def _text(self) -> str:
        state, row = self.state, self.last_row
        parts = [f"step {state.step} {self.learner.progress:.1%}"]
        if row:
            parts.append(f"{self.task.text(row)}, waiting {row['wait']:.0%}")
        if state.best_step:
            parts.append(self._best())
        return ", ".join(parts)

    def _note(self) -> None:
        """Write the row of metrics that is complete, and begin the next one."""
        state, sums, now = self.state, self.state.sums, time.perf_counter()
        seconds = now - self.noted
        speed = (sums[self.task.counted] - self.counted_before) * self.learner.hardware.ranks / seconds
        self.last_row = {
            "step": state.step,
            "minutes": round(state.elapsed / 60, 3),
            "progress": round(self.learner.progress, 6),
            "lr": self.learner.optimizer.param_groups[0]["lr"],
            **self.task.row(sums, round(speed, 2)),
            "norm": sums["norm"] / self.run.log_every,
            "wait": round((self.task.waited - self.waited) / seconds, 4),
            "skipped": state.skipped,
        }
        self.folder.note(self.last_row)
        self.noted, self.waited, self.counted_before = now, self.task.waited, 0.0
        self.learner.clear_sums()

    def _save(self) -> None:
        if not self.folder.silent:
            self.learner.save(self.folder.path / LAST)
        self.saved = time.perf_counter()

    def _validate(self) -> bool:
        """Score the averaged weights, keep them if they are the best, save; returns whether patience is at its end."""
        state, run = self.state, self.run
        self.validated = state.step
        if self.folder.silent:
            return False
        began = time.perf_counter()
        found = self.task.validate()
        if found.score < state.best:
            state.best, state.best_step, state.worse = found.score, state.step, 0
            save_weights(self.folder.path / BEST, self.learner.average.state_dict(), self.task.header(found.scores))
        else:
            state.worse += 1
        self.folder.note({"step": state.step, "minutes": round(state.elapsed / 60, 3), **found.row})
        seconds = time.perf_counter() - began
        self.folder.say(
            f"step {state.step}: valid {self.task.score} {found.score:.2%} in {seconds:.1f} s, {self._best()}"
        )
        self._save()
        self.said = time.perf_counter()
        return bool(run.patience) and state.worse >= run.patience


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that asked for an end; a second one of them ends the process as usual."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def catch(number: int, _: Any) -> None:
        caught.append(number)
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, catch)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
