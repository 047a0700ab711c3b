"""What one training step of a line net does."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jphtr.charset import BLANK, Charset
from jphtr.nets.line import LineNet, frames
from jphtr.settings import TrainLineSettings
from jphtr.training.checkpoint import fill
from jphtr.training.hardware import Hardware
from jphtr.training.learner import Learner, State
from jphtr.training.loader import IGNORE, Sample, collate, split
from jphtr.training.losses import choose_columns, line_losses, targets, trust, weights
from jphtr.training.paint import Painter

_SUMS = ("lines", "chars", "frames", "used", "ctc", "ce", "ce_weight")


class Trainer:
    """A line net in training, and how lines teach it; `painter` draws those that come as plans."""

    def __init__(self, settings: TrainLineSettings, charset: Charset, hardware: Hardware) -> None:
        torch.manual_seed(settings.run.seed)
        self.settings, self.charset, self.hardware = settings, charset, hardware
        net = LineNet(len(charset), **settings.net.model_dump(exclude={"freeze_norm", "remember"}))
        self.learner = Learner(net, settings.optim, settings.run, hardware, _SUMS)
        self.net = self.learner.net
        self.painter: Painter | None = None  # where lines come as plans
        if settings.net.freeze_norm:  # those of a few own lines are not those of all the rest
            for part in self.net.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.eval()

    @property
    def state(self) -> State:
        """Where the run stands."""
        return self.learner.state

    def start_from(self, path: Path, given: dict[str, Tensor], old: Charset) -> int:
        """Take the weights of a model; returns how many characters are new to it."""
        new = fill(self.net, given, old, self.charset, path, deepened=True)
        self.learner.restart_average()
        return new

    def step(self, samples: list[Sample], began: float, stop: bool) -> bool:
        """Learn from one step's lines; returns whether any process wants to stop.

        Parameters
        ----------
        samples : the lines of this process.
        began : the clock (`time.perf_counter`) at which `state.elapsed` was 0.
        stop : whether this process wants to stop after the step.
        """
        settings, learner, hardware = self.settings, self.learner, self.hardware
        progress = learner.progress
        ctc_weight, ce_weight = weights(settings.loss, progress)
        sampled = settings.loss.sampled if progress < settings.loss.full_softmax_from else 0
        rng = learner.draws()
        batches = [collate(part, self.painter) for part in split(samples, settings.data.max_frames)]
        chars = max(1, sum(len(b.labels) for b in batches))
        blanks = sum(int((b.frames == BLANK).sum()) for b in batches)
        told = sum(int((b.frames != IGNORE).sum()) for b in batches)
        ce_sum = max(1.0, told - blanks + settings.loss.blank * blanks)
        sums = self.state.sums
        for batch in batches:
            columns = choose_columns(batch.labels, len(self.charset), sampled, rng)
            widths = torch.from_numpy(batch.widths)
            target = targets(
                batch.labels, batch.lengths, batch.frames, frames(widths).numpy(), columns, hardware.device
            )
            gray = batch.gray.to(hardware.device)
            with hardware.autocast():
                features = self.net.features(gray, widths.to(hardware.device))
            head = self.net.head
            if target.columns is None:
                logits = head(features)
            else:
                logits = F.linear(features, head.weight[target.columns], head.bias[target.columns])
            losses = line_losses(logits.float(), target, settings.loss.blank)
            each = ctc_weight / chars * losses.ctc + ce_weight / ce_sum * losses.ce
            loss = (trust(losses.ctc, target.lengths, settings.loss.trust) * each).sum()
            (loss * learner.scale).backward()  # type: ignore[no-untyped-call]
            sums["ctc"] += float(losses.ctc.detach().sum())
            sums["ce"] += float(losses.ce.detach().sum())
        for name, value in (
            ("lines", len(samples)), ("chars", chars), ("ce_weight", ce_sum),
            ("frames", sum(b.frames.size for b in batches)), ("used", sum(len(s.frames) for s in samples)),
        ):  # fmt: skip
            sums[name] += value
        share = settings.net.remember
        before = [t.clone() for t in self._averaged()] if share else []
        asked = learner.take(progress, began, stop)
        if share:
            self._remember(before, share ** (learner.progress - progress))
        return asked

    def _averaged(self) -> list[Tensor]:
        """The weights of the running average."""
        return [t for t in self.learner.average.state_dict().values() if t.is_floating_point()]

    @torch.no_grad()
    def _remember(self, before: list[Tensor], kept: float) -> None:
        """Let the running average keep so much of what it was; what it began with then fades as slowly as was asked for."""
        net = [t for t in self.net.state_dict().values() if t.is_floating_point()]
        for mine, was, now in zip(self._averaged(), before, net, strict=True):
            torch.lerp(now, was, kept, out=mine)
