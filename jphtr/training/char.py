"""Training of character classifiers: glyph files in, a run folder out."""

from __future__ import annotations

import datetime
import math
import os
import shutil
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from jphtr import __version__
from jphtr.bundle import Header
from jphtr.charset import Charset
from jphtr.errors import CharsetError, SettingsError
from jphtr.nets.glyph import TRUNK, GlyphNet
from jphtr.settings import CharNetSettings, TrainCharSettings, assign
from jphtr.training.checkpoint import Resize, fill, fill_trunk, glyph_sources, load_weights, resized, trunk_weights
from jphtr.training.glyph_stream import Batch, GlyphStream, mix
from jphtr.training.glyphs import SYNTHETIC, Chosen, choose, find
from jphtr.training.hardware import Hardware, settle
from jphtr.training.learner import Learner, judge_head
from jphtr.training.run_folder import CHARSET, LAST, RunFolder
from jphtr.training.sitting import Outcome, Sitting, Validation
from jphtr.training.synthetic import render

_SUMS = ("glyphs", "loss", "right")
_VALID_BATCH = 256


def train_char(
    settings: TrainCharSettings,
    folder: Path,
    *,
    load: Path | None = None,
    resize: Resize = "fail",
    resume: bool = False,
) -> Outcome:
    """Train a character classifier.

    Parameters
    ----------
    settings : everything that can be told; `data.files` may be empty, or the one name "synthetic".
    folder : the run folder to write, or with `resume` the one to go on with.
    load : a model (`.safetensors` or `.onnx`) to start from; the shape of a classifier replaces `settings.net`, of a line
        model the trunk alone is taken.
    resize : what to do when a classifier's charset is not the one that is to be learned.
    resume : go on with the run in `folder`.

    Returns
    -------
    How the run ended; its `best` is the lowest balanced error (1 - mean recall of the characters) in a validation.

    Raises
    ------
    JphtrError
        If settings, data or files are not what they should be.
    """
    given = load_weights(load) if load is not None and not resume else None
    trunk: dict[str, Tensor] | None = None
    hardware = settle(settings.run)
    try:
        settings = assign(settings, {"data.files": _files(settings, folder, hardware)})
        chosen = choose(settings.data, _charset(folder) if resume else None)
        if given is not None and load is not None:
            if given[0].kind == "glyph":
                charset = resized(given[0].characters, chosen.charset, resize, load, "the characters to learn")
                chosen = chosen if charset == chosen.charset else choose(settings.data, charset)
            else:
                trunk = trunk_weights(*given, load)
            settings = _fitting(settings, given[0], load)
        settings = _whole_schedule(settings, len(chosen.train), hardware)
        torch.manual_seed(settings.run.seed)
        net = _net(settings.net, len(chosen.charset), fetch=not resume)
        settings = assign(settings, {"net.mean": net.arch["mean"], "net.std": net.arch["std"]})
        task = Glyphs(settings, chosen, net, hardware, folder.name)
        silent = hardware.rank > 0
        taken = given[0].characters.chars if given is not None and trunk is None else ()
        judge_head(settings.optim, known=resume or set(chosen.charset.chars) <= set(taken))
        with RunFolder(folder, resume=resume, silent=silent, tensorboard=settings.run.tensorboard) as run:
            for note in chosen.notes:
                run.say(note)
            if resume:
                task.learner.load(folder / LAST)
                run.forget_after(task.learner.state.step)
                run.say(f"resumed at step {task.learner.state.step}")
            elif trunk is not None and load is not None:
                fill_trunk(net.body, trunk, load)
                run.say(f"took the trunk of {load}; the output layer is new")
            elif given is not None and load is not None:
                new = fill(net, given[1], given[0].characters, chosen.charset, load)
                run.say(f"started from {load}: {len(chosen.charset) - 1} characters, {new} of them new")
            if not resume:
                task.learner.restart_average()
            run.describe(settings, chosen.charset)
            return Sitting(task, run, settings.run, settings.optim.accumulate).go()
    finally:
        hardware.leave()


def _net(settings: CharNetSettings, classes: int, *, fetch: bool) -> GlyphNet:
    """The net that settings describe, with pretrained weights if they want these and it is its first time."""
    light = {} if settings.mean is None or settings.std is None else {"mean": settings.mean, "std": settings.std}
    return GlyphNet(
        classes, settings.backbone, settings.image_size, settings.widths, **light,
        dropout=settings.dropout, drop_path=settings.drop_path, pretrained=settings.pretrained and fetch,
    )  # fmt: skip


def _fitting(settings: TrainCharSettings, header: Header, path: Path) -> TrainCharSettings:
    """Settings whose net is the one of a model, or holds its trunk.

    Raises
    ------
    SettingsError
        If another backbone was asked for.
    """
    own = header.arch["backbone"] if header.kind == "glyph" else TRUNK
    if settings.net.backbone not in (own, CharNetSettings().backbone):
        raise SettingsError(f"{path}: a {header.kind} model with the backbone {own}; leave out --backbone")
    if header.kind != "glyph":
        return assign(settings, {"net.backbone": own, "net.widths": header.arch["widths"]}, str(path))
    arch = {name: header.arch[name] for name in ("backbone", "image_size", "widths", "mean", "std")}
    framing = {name: header.input[name] for name in ("fill", "least")}
    values = {f"net.{name}": value for name, value in (arch | framing | {"pretrained": False}).items()}
    return assign(settings, values, str(path))


def _files(settings: TrainCharSettings, folder: Path, hardware: Hardware) -> tuple[Path, ...]:
    """The glyph files to learn from, made first if they are to be synthetic."""
    files = settings.data.files
    if [str(path) for path in files] != [SYNTHETIC]:
        return find(files, settings.data.script)
    path = folder / f"{SYNTHETIC}.h5"
    if hardware.rank == 0 and not path.exists():
        render(path, settings.data.script)
    hardware.meet()
    if not path.exists():  # processes that started a second apart call their folders otherwise
        raise SettingsError(f"{path}: not there; name the run folder with -o, so that all processes know of one")
    return (path,)


def _charset(folder: Path) -> Charset | None:
    """The charset of a run that goes on."""
    try:
        return Charset.from_text((folder / CHARSET).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, CharsetError) as error:
        raise SettingsError(f"{folder / CHARSET}: cannot be read ({error}); name the folder of a run") from None


def _whole_schedule(settings: TrainCharSettings, glyphs: int, hardware: Hardware) -> TrainCharSettings:
    """The settings with the steps that `run.epochs` comes to, if that ends first."""
    if settings.run.epochs is None:
        return settings
    at_once = settings.data.batch * settings.optim.accumulate * hardware.ranks
    steps = math.ceil(settings.run.epochs * glyphs / at_once)
    return assign(settings, {"run.steps": min(settings.run.steps, steps)})


class Glyphs:
    """Glyphs as a task of the training loop.

    Parameters
    ----------
    settings : with all of the schedule in `run.steps` and `run.max_minutes`.
    chosen : what is learned.
    net : what learns it.
    hardware : where.
    name : of the model that comes of it.
    """

    command, counted, score = "train-char", "glyphs", "error"

    def __init__(
        self, settings: TrainCharSettings, chosen: Chosen, net: GlyphNet, hardware: Hardware, name: str
    ) -> None:
        self.settings, self.chosen, self.hardware, self.name = settings, chosen, hardware, name
        self.charset = chosen.charset
        if settings.optim.freeze_backbone:
            net.body.requires_grad_(False)
        self.learner: Learner[GlyphNet] = Learner(net, settings.optim, settings.run, hardware, _SUMS)
        if settings.optim.freeze_backbone:
            net.body.eval()  # its batch norm must not move either
        self.stream = GlyphStream(chosen.train, self.charset, settings, rank=hardware.rank, ranks=hardware.ranks)
        self.valid = self.stream.validation(chosen.valid) if hardware.rank == 0 else None
        self.features: Callable[[Tensor], Tensor] = net.features
        if settings.run.compile:
            if hardware.device.type == "cpu" and not any(
                map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))
            ):
                raise SettingsError(
                    "run.compile: no C++ compiler is found; install g++ or clang++, or leave out --compile"
                )
            self.features = torch.compile(net.features)

    @property
    def waited(self) -> float:
        return self.stream.waited

    def about(self) -> str:
        chosen = self.chosen
        return f"{len(self.charset) - 1} characters, {len(chosen.train)} glyphs, {len(chosen.valid)} to validate"

    def batches(self, start: int) -> Generator[Batch, None, None]:
        return self.stream.batches(start)

    def step(self, batches: Sequence[Batch], began: float, stop: bool) -> bool:
        learner, hardware, sums = self.learner, self.hardware, self.learner.state.sums
        progress = learner.progress
        rng = learner.draws()
        for batch in batches:
            mixed = mix(batch, self.settings.augment, rng)
            gray, first, second = (torch.from_numpy(a).to(hardware.device) for a in mixed[:3])
            share = mixed.share
            with hardware.autocast():
                logits = learner.net.logits(self.features(gray)).float()
            loss = share * self._loss(logits, first)
            if share < 1:
                loss = loss + (1 - share) * self._loss(logits, second)
            (loss / len(batches) * learner.scale).backward()  # type: ignore[no-untyped-call]
            best = logits.detach().argmax(1)
            sums["loss"] += float(loss.detach()) * len(first)
            sums["right"] += float((share * (best == first) + (1 - share) * (best == second)).sum())
            sums["glyphs"] += len(first)
        return learner.take(progress, began, stop)

    def _loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(logits, label, label_smoothing=self.settings.loss.smoothing)

    def row(self, sums: dict[str, float], speed: float) -> dict[str, Any]:
        count = max(1.0, sums["glyphs"])
        return {"loss": sums["loss"] / count, "accuracy": sums["right"] / count, "glyphs_per_s": speed}

    def text(self, row: dict[str, Any]) -> str:
        return f"loss {row['loss']:.3f} accuracy {row['accuracy']:.2%} lr {row['lr']:.2e} {row['glyphs_per_s']:.0f} glyphs/s"

    def validate(self) -> Validation:
        assert self.valid is not None
        found = validate(self.learner.average, self.valid)
        row = {f"valid_{name}": value for name, value in found.items()}
        return Validation(1 - found["balanced"], row, {**{k: round(v, 6) for k, v in row.items()},
                                                       "valid_glyphs": len(self.valid.label)})  # fmt: skip

    def header(self, scores: dict[str, Any]) -> Header:
        settings, state = self.settings, self.learner.state
        shown = state.step * settings.data.batch * settings.optim.accumulate * self.hardware.ranks
        return Header(
            name=self.name,
            charset=self.charset.to_text(),
            kind="glyph",
            version=__version__,
            arch=self.learner.net.arch,
            input={"size": settings.net.image_size, "fill": settings.net.fill, "least": settings.net.least},
            scores=scores,
            training={
                "script": settings.data.script,
                "steps": state.step,
                "glyphs": shown,
                "minutes": round(state.elapsed / 60, 1),
                "seed": settings.run.seed,
            },
            data=glyph_sources(settings.data.files),
            created=datetime.date.today().isoformat(),
        )


def validate(net: GlyphNet, batch: Batch) -> dict[str, float]:
    """Part of the pictures read right at once (`top1`), among the best five (`top5`), and the mean over characters
    of the first (`balanced`), in float32."""
    device = net.head.weight.device
    ranks: list[Tensor] = []
    for start in range(0, len(batch.label), _VALID_BATCH):
        part = slice(start, start + _VALID_BATCH)
        with torch.inference_mode():
            best = net(torch.from_numpy(batch.gray[part]).to(device)).topk(min(5, net.arch["classes"]), dim=1).indices
        ranks.append((best.cpu() == torch.from_numpy(batch.label[part])[:, None]).float())
    hits = torch.cat(ranks).numpy()
    count = np.bincount(batch.label)
    right = np.bincount(batch.label, hits[:, 0])
    there = count > 0
    return {
        "top1": float(hits[:, 0].mean()),
        "top5": float(hits.sum(axis=1).mean()),
        "balanced": float((right[there] / count[there]).mean()),
    }
