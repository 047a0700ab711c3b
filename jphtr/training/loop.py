"""Training of line nets: composed lines in, a run folder out."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jphtr import __version__
from jphtr.bundle import LINE_MODELS, Header
from jphtr.charset import Charset, default, jouyou_by_grade, kana
from jphtr.decode import greedy
from jphtr.decode.doublets import full_width, merge_doublets
from jphtr.errors import SettingsError
from jphtr.metrics import Errors, cer
from jphtr.nets.line import LineNet, frames
from jphtr.settings import TrainLineSettings, assign
from jphtr.training.checkpoint import Resize, fill_trunk, glyph_sources, load_weights, resized, trunk_weights
from jphtr.training.hardware import settle
from jphtr.training.learner import judge_head
from jphtr.training.loader import LineSource, LineStream, Sample, collate, draw, split
from jphtr.training.paint import Painter
from jphtr.training.run_folder import CHARSET, LAST, RunFolder
from jphtr.training.sitting import Sitting, Validation
from jphtr.training.trainer import Trainer

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
    load : a model (`.safetensors` or `.onnx`) to start from; its shape replaces `settings.net`, but that the net may be
        deeper. Of a character classifier with the backbone trunk only the trunk is taken.
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
    trunk: dict[str, Any] | None = None
    if given is not None and load is not None:
        arch = {f"net.{name}": value for name, value in given[0].arch.items() if name != "classes"}
        if given[0].kind == "glyph":
            trunk = trunk_weights(*given, load)
            arch = {"net.widths": given[0].arch["widths"]}
        else:
            charset = resized(given[0].characters, charset, resize, load)
            arch["net.deeper"] = max(settings.net.deeper, arch.get("net.deeper", 0))
        settings = assign(settings, arch, str(load))
    silent = hardware.rank > 0
    try:
        taken = given[0].characters.chars if given is not None and trunk is None else ()
        judge_head(settings.optim, known=resume or set(charset.chars) <= set(taken))
        with RunFolder(folder, resume=resume, silent=silent, tensorboard=settings.run.tensorboard) as run:
            trainer = Trainer(settings, charset, hardware)
            if resume:
                trainer.learner.load(folder / LAST)
                run.forget_after(trainer.state.step)
                run.say(f"resumed at step {trainer.state.step}")
            elif trunk is not None and load is not None:
                fill_trunk(trainer.net, trunk, load)
                trainer.learner.restart_average()
                run.say(f"took the trunk of {load}; everything behind it is new")
            elif given is not None and load is not None:
                new = trainer.start_from(load, given[1], given[0].characters)
                run.say(f"started from {load}: {len(charset) - 1} characters, {new} of them new")
            run.describe(settings, charset)
            source = open_source(charset)
            if grays := getattr(source, "grays", None):  # its lines are plans
                trainer.painter = Painter(grays, hardware.device)
            valid: list[Sample] = []
            if not silent:
                valid_source = open_valid(charset) if open_valid is not None else source
                data = settings.data
                valid = [draw(valid_source, charset, data.valid_seed, i)[0] for i in range(data.valid_lines)]
                del valid_source
            ended = Sitting(
                _Lines(trainer, source, valid, folder.name), run, settings.run, settings.optim.accumulate
            ).go()
            return Outcome(ended.folder, ended.step, ended.best, ended.finished)
    finally:
        hardware.leave()


class _Lines:
    """Lines as a task of the training loop."""

    command, counted, score = "train-line", "lines", "CER"

    def __init__(self, trainer: Trainer, source: LineSource, valid: list[Sample], name: str) -> None:
        self.trainer, self.valid, self.name = trainer, valid, name
        self.learner = trainer.learner
        settings, hardware = trainer.settings, trainer.hardware
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
        self.dropped_before = trainer.state.dropped

    @property
    def waited(self) -> float:
        return self.stream.waited

    def about(self) -> str:
        return f"{len(self.trainer.charset) - 1} characters, {len(self.valid)} validation lines"

    def batches(self, start: int) -> Generator[list[Sample], None, None]:
        return self.stream.batches(start)

    def step(self, batches: Sequence[list[Sample]], began: float, stop: bool) -> bool:
        asked = self.trainer.step(list(itertools.chain.from_iterable(batches)), began, stop)
        self.trainer.state.dropped = self.dropped_before + self.stream.dropped
        return asked

    def row(self, sums: dict[str, float], speed: float) -> dict[str, Any]:
        return {
            "ctc": sums["ctc"] / max(1.0, sums["chars"]),
            "ce": sums["ce"] / max(1.0, sums["ce_weight"]),
            "lines_per_s": speed,
            "compose_ms": round(1000 * self.stream.composed / max(1, self.stream.drawn), 2),
            "padding": round(1 - sums["used"] / max(1.0, sums["frames"]), 4),
            "dropped": self.trainer.state.dropped,
        }

    def text(self, row: dict[str, Any]) -> str:
        return (
            f"ctc {row['ctc']:.3f} ce {row['ce']:.3f} norm {row['norm']:.2f} lr {row['lr']:.2e} "
            f"{row['lines_per_s']:.1f} lines/s"
        )

    def validate(self) -> Validation:
        trainer = self.trainer
        most = trainer.settings.data.max_frames
        errors = validate(self.learner.average, self.valid, trainer.charset, most, trainer.painter)
        scores = {"valid_cer": round(errors.rate, 6), "valid_chars": errors.chars}
        return Validation(errors.rate, {"valid_cer": errors.rate}, scores)

    def header(self, scores: dict[str, Any]) -> Header:
        settings, state = self.trainer.settings, self.trainer.state
        return Header(
            name=self.name,
            charset=self.trainer.charset.to_text(),
            version=__version__,
            arch=self.trainer.net.arch,
            scores=scores,
            training={
                "steps": state.step,
                "lines": state.step * settings.data.batch * settings.optim.accumulate * self.trainer.hardware.ranks,
                "minutes": round(state.elapsed / 60, 1),
                "seed": settings.run.seed,
            },
            data=[
                *glyph_sources(settings.data.glyphs),
                *({"name": p.name, "licence": ""} for p in settings.data.texts),
            ],
            created=datetime.date.today().isoformat(),
            direction=settings.data.direction if settings.data.direction in LINE_MODELS else "",
        )


def validate(
    net: LineNet, samples: list[Sample], charset: Charset, max_frames: int, painter: Painter | None = None
) -> Errors:
    """Character errors of a net on lines, read greedily in float32."""
    device = net.head.weight.device
    errors = Errors()
    wide = full_width(charset.chars)
    for part in split(samples, max_frames):
        batch = collate(part, painter)
        widths = torch.from_numpy(batch.widths)
        with torch.inference_mode():
            log_probs = net(batch.gray.to(device), widths.to(device))
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
