"""The one training loop: batches of composed lines in, a run folder out.

Everything that a step does follows from the settings, the seed and the number of the step, so a run that was killed
and resumed ends with the same weights as one that was not (on a CPU, with a schedule by steps, to the last bit).
"""

from __future__ import annotations

import datetime
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jphtr import __version__
from jphtr.bundle import Header
from jphtr.charset import Charset, default, jouyou_by_grade, kana
from jphtr.decode import greedy
from jphtr.decode.doublets import full_width, merge_doublets
from jphtr.errors import SettingsError
from jphtr.metrics import Errors, cer
from jphtr.nets.line import LineNet, frames
from jphtr.settings import TrainLineSettings, assign
from jphtr.store import open_glyphs
from jphtr.training.checkpoint import Resize, load_weights, resized, save_weights
from jphtr.training.hardware import settle
from jphtr.training.loader import LineSource, LineStream, Sample, collate, draw, split
from jphtr.training.run_folder import BEST, CHARSET, LAST, RunFolder
from jphtr.training.trainer import SUMS, Trainer

_SAY_SECONDS = 30.0

Open = Callable[[Charset], LineSource]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: `finished` is False when a signal cut it short; `cer` is the best on the validation set."""

    folder: Path
    step: int
    cer: float
    finished: bool


def train_line(
    settings: TrainLineSettings,
    folder: Path,
    *,
    open_source: Open,
    open_valid: Open | None = None,
    load: Path | None = None,
    resize: Resize = "fail",
    resume: bool = False,
) -> Outcome:
    """Train a line net.

    Parameters
    ----------
    settings : everything that can be told.
    folder : the run folder to write, or with `resume` the one to go on with.
    open_source, open_valid : make the composers of training and validation lines; without the latter, validation
        lines come from the former, with other seeds.
    load : a model (`.safetensors` or `.onnx`) to start from; its shape replaces `settings.net`.
    resize : what to do when its charset is not `settings.data.charset`.
    resume : go on with the run in `folder`.

    Raises
    ------
    JphtrError
        If settings, data or files are not what they should be.
    """
    hardware = settle(settings.run)
    given = load_weights(load) if load is not None and not resume else None
    charset = read_charset(str(folder / CHARSET) if resume else settings.data.charset)
    if given is not None and load is not None:
        charset = resized(given[0].characters, charset, resize, load)
        arch = {f"net.{name}": value for name, value in given[0].arch.items() if name != "classes"}
        settings = assign(settings, arch, str(load))
    silent = hardware.rank > 0
    try:
        with RunFolder(folder, resume=resume, silent=silent, tensorboard=settings.run.tensorboard) as run:
            trainer = Trainer(settings, charset, hardware)
            if resume:
                trainer.load(folder / LAST)
                run.forget_after(trainer.state.step)
                run.say(f"resumed at step {trainer.state.step}")
            elif given is not None and load is not None:
                new = trainer.start_from(load, given[1], given[0].characters)
                run.say(f"started from {load}: {len(charset) - 1} characters, {new} of them new")
            run.describe(settings, charset)
            source = open_source(charset)
            valid: list[Sample] = []
            if not silent:
                valid_source = open_valid(charset) if open_valid is not None else source
                data = settings.data
                valid = [draw(valid_source, charset, data.valid_seed, i)[0] for i in range(data.valid_lines)]
                del valid_source
            return _Run(trainer, run, source, valid).go()
    finally:
        hardware.leave()


class _Run:
    """One sitting of a run."""

    def __init__(self, trainer: Trainer, folder: RunFolder, source: LineSource, valid: list[Sample]) -> None:
        self.trainer, self.folder, self.valid = trainer, folder, valid
        settings, hardware = trainer.settings, trainer.hardware
        self.settings, self.state = settings, trainer.state
        self.stream = LineStream(
            lambda: source,
            trainer.charset,
            seed=settings.run.seed,
            batch=settings.data.batch,
            pool=settings.data.pool,
            workers=settings.run.workers,
            rank=hardware.rank,
            ranks=hardware.ranks,
        )
        self.dropped_before = self.state.dropped
        self.noted = self.said = self.saved = time.perf_counter()
        self.waited = 0.0
        self.lines_before = self.state.sums["lines"]  # of this row, in a sitting before this one
        self.last_row: dict[str, Any] = {}
        self.validated = self.state.step  # the step of the last validation

    def go(self) -> Outcome:
        """Train until the schedule ends, a signal comes, or nothing gets better."""
        state, trainer, run = self.state, self.trainer, self.settings.run
        hardware = trainer.hardware
        half = {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[hardware.half]
        threads = f", {torch.get_num_threads()} threads" if hardware.device.type == "cpu" else ""
        self.folder.say(
            f"{self.folder.path}: {len(trainer.charset) - 1} characters, "
            f"{sum(p.numel() for p in trainer.net.parameters()) / 1e6:.2f} M parameters, {hardware.device.type} {half}"
            f"{threads}, {hardware.ranks} x {run.workers} composing processes, {len(self.valid)} validation lines"
        )
        accumulate = self.settings.optim.accumulate
        batches = self.stream.batches(state.step * accumulate)
        began = time.perf_counter() - state.elapsed
        tired = False
        with _signals() as caught:
            while trainer.progress < 1:
                samples = list(itertools.chain.from_iterable(itertools.islice(batches, accumulate)))
                asked = trainer.step(samples, began, tired or bool(caught))
                state.dropped = self.dropped_before + self.stream.dropped
                if state.step % run.log_every == 0:
                    self._note()
                now = time.perf_counter()
                self.folder.progress(trainer.progress, self._text())
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
                f"go on with: jphtr train-line --resume {self.folder.path}"
            )
        else:
            self.folder.say(f"ended at step {state.step} after {state.elapsed / 60:.1f} min, {self._best()}")
        return Outcome(self.folder.path, state.step, state.best, not caught)

    def _best(self) -> str:
        return (
            f"best valid CER {state.best:.2%} at step {state.best_step}"
            if (state := self.state).best_step
            else "no validation"
        )

    def _text(self) -> str:
        state, row = self.state, self.last_row
        parts = [f"step {state.step} {self.trainer.progress:.1%}"]
        if row:
            parts.append(
                f"ctc {row['ctc']:.3f} ce {row['ce']:.3f} norm {row['norm']:.2f} lr {row['lr']:.2e} "
                f"{row['lines_per_s']:.1f} lines/s, waiting {row['wait']:.0%}"
            )
        if state.best_step:
            parts.append(self._best())
        return ", ".join(parts)

    def _note(self) -> None:
        """Write the row of metrics that is complete, and begin the next one."""
        state, sums, now = self.state, self.state.sums, time.perf_counter()
        seconds = now - self.noted
        self.last_row = {
            "step": state.step,
            "minutes": round(state.elapsed / 60, 3),
            "progress": round(self.trainer.progress, 6),
            "lr": self.trainer.optimizer.param_groups[0]["lr"],
            "ctc": sums["ctc"] / max(1.0, sums["chars"]),
            "ce": sums["ce"] / max(1.0, sums["ce_weight"]),
            "norm": sums["norm"] / self.settings.run.log_every,
            "lines_per_s": round((sums["lines"] - self.lines_before) * self.trainer.hardware.ranks / seconds, 2),
            "wait": round((self.stream.waited - self.waited) / seconds, 4),
            "compose_ms": round(1000 * self.stream.composed / max(1, self.stream.drawn), 2),
            "padding": round(1 - sums["used"] / max(1.0, sums["frames"]), 4),
            "dropped": state.dropped,
            "skipped": state.skipped,
        }
        self.folder.note(self.last_row)
        self.noted, self.waited, self.lines_before = now, self.stream.waited, 0.0
        state.sums = dict.fromkeys(SUMS, 0.0)

    def _save(self) -> None:
        if not self.folder.silent:
            self.trainer.save(self.folder.path / LAST)
        self.saved = time.perf_counter()

    def _validate(self) -> bool:
        """Score the averaged weights, keep them if they are the best, save; returns whether patience is at its end."""
        state, run = self.state, self.settings.run
        self.validated = state.step
        if self.folder.silent:
            return False
        began = time.perf_counter()
        errors = validate(self.trainer.average, self.valid, self.trainer.charset, self.settings.data.max_frames)
        if errors.rate < state.best:
            state.best, state.best_step, state.worse = errors.rate, state.step, 0
            save_weights(self.folder.path / BEST, self.trainer.average.state_dict(), self._header(errors))
        else:
            state.worse += 1
        self.folder.note({"step": state.step, "minutes": round(state.elapsed / 60, 3), "valid_cer": errors.rate})
        seconds = time.perf_counter() - began
        self.folder.say(f"step {state.step}: valid CER {errors.rate:.2%} in {seconds:.1f} s, {self._best()}")
        self._save()
        self.said = time.perf_counter()
        return bool(run.patience) and state.worse >= run.patience

    def _header(self, errors: Errors) -> Header:
        settings, state = self.settings, self.state
        return Header(
            name=self.folder.path.name,
            charset=self.trainer.charset.to_text(),
            version=__version__,
            arch=self.trainer.net.arch,
            scores={"valid_cer": round(errors.rate, 6), "valid_chars": errors.chars},
            training={
                "steps": state.step,
                "lines": state.step * settings.data.batch * settings.optim.accumulate * self.trainer.hardware.ranks,
                "minutes": round(state.elapsed / 60, 1),
                "seed": settings.run.seed,
            },
            data=_provenance(settings),
            created=datetime.date.today().isoformat(),
        )


def _provenance(settings: TrainLineSettings) -> list[dict[str, Any]]:
    """Name and licence of everything that glyphs and texts came from."""
    found: dict[str, str] = {}
    for path in settings.data.glyphs:
        with open_glyphs(path) as file:
            found |= {source.name: source.licence for source in file.sources}
    found |= {path.name: "" for path in settings.data.texts}
    return [{"name": name, "licence": licence} for name, licence in found.items()]


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


def validate(net: LineNet, samples: list[Sample], charset: Charset, max_frames: int) -> Errors:
    """Character errors of a net on lines, read greedily in float32."""
    device = net.head.weight.device
    errors = Errors()
    wide = full_width(charset.chars)
    for part in split(samples, max_frames):
        batch = collate(part)
        widths = torch.from_numpy(batch.widths)
        with torch.inference_mode():
            log_probs = net(torch.from_numpy(batch.gray).to(device), widths.to(device))
            best = log_probs.max(2, keepdim=True)
        counts = frames(widths).tolist()
        labels, probs = best.indices.cpu().numpy(), best.values.cpu().numpy()
        for sample, count, row, row_probs in zip(part, counts, labels, probs, strict=True):
            spans = merge_doublets(greedy(row[:count], row_probs[:count]), wide)
            errors += cer(charset.decode(sample.labels), charset.decode(s.label for s in spans))
    return errors


def read_charset(name: str) -> Charset:
    """The charset that `data.charset` names.

    Raises
    ------
    SettingsError
        If it is a file that cannot be read.
    CharsetError
        If the file holds a character twice, or a decomposed one.
    """
    if name == "default":
        return default()
    if name == "grade1":  # what children read after their first year at school
        kana_chars = (char for chars in kana().values() for char in chars)
        return Charset(dict.fromkeys([*"0123456789 、。「」", *kana_chars, *jouyou_by_grade()[1]]))
    try:
        return Charset.from_text(Path(name).read_text("utf-8").removeprefix("\ufeff").replace("\n", ""))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"data.charset: {name} cannot be read ({error}); name a UTF-8 text file") from None
