"""What one training step does: a net, its optimizer, its running average, and where the run stands."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jphtr.charset import BLANK, Charset
from jphtr.errors import ModelError
from jphtr.nets.line import LineNet, frames
from jphtr.settings import OptimSettings, TrainLineSettings
from jphtr.training.checkpoint import fill, load_state, save_state
from jphtr.training.hardware import Hardware
from jphtr.training.loader import IGNORE, Sample, collate, split
from jphtr.training.losses import choose_columns, line_losses, targets, weights

SUMS = ("lines", "chars", "frames", "used", "ctc", "ce", "ce_weight", "norm")


@dataclass(slots=True)
class State:
    """Where a run stands, apart from its tensors; it is JSON in the checkpoint.

    `elapsed` counts seconds of training in all sittings; `scale` is the loss scale of fp16; `sums` are those of the
    row of metrics that is under way.
    """

    step: int = 0
    elapsed: float = 0.0
    best: float = math.inf
    best_step: int = 0
    worse: int = 0
    skipped: int = 0
    dropped: int = 0
    scale: float = 65536.0
    good: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))


def learning_rate(settings: OptimSettings, step: int, progress: float) -> float:
    """The learning rate of a step, 0 the first, at this part of the schedule: warm-up, then a fall to zero."""
    left = max(0.0, 1 - progress)
    if settings.decay == "cosine":
        left = (1 + math.cos(math.pi * min(1.0, progress))) / 2
    return settings.lr * min(1.0, (step + 1) / max(1, settings.warmup)) * left


class Trainer:
    """A net, its optimizer and its running average, and what one step does to them."""

    def __init__(self, settings: TrainLineSettings, charset: Charset, hardware: Hardware) -> None:
        torch.manual_seed(settings.run.seed)
        self.settings, self.charset, self.hardware = settings, charset, hardware
        net = LineNet(len(charset), **settings.net.model_dump())
        self.net = net.to(hardware.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        matrices = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        decay = settings.optim.weight_decay
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}],
            lr=settings.optim.lr, betas=settings.optim.betas, fused=True,
        )  # fmt: skip
        self.state = State()

    def start_from(self, path: Path, given: dict[str, Tensor], old: Charset) -> int:
        """Take the weights of a model; returns how many characters are new to it."""
        new = fill(self.net, given, old, self.charset, path)
        self.average.load_state_dict(self.net.state_dict())
        return new

    @property
    def progress(self) -> float:
        """The part of the schedule that lies behind, by steps or by time, whichever is further."""
        run = self.settings.run
        by_time = self.state.elapsed / 60 / run.max_minutes if run.max_minutes else 0.0
        return min(1.0, max(self.state.step / run.steps, by_time))

    def step(self, samples: list[Sample], began: float, stop: bool) -> bool:
        """Learn from one step's lines; returns whether any process wants to stop.

        Parameters
        ----------
        samples : the lines of this process.
        began : the clock (`time.perf_counter`) at which `state.elapsed` was 0.
        stop : whether this process wants to stop after the step.
        """
        settings, state, hardware = self.settings, self.state, self.hardware
        progress = self.progress
        ctc_weight, ce_weight = weights(settings.loss, progress)
        sampled = settings.loss.sampled if progress < settings.loss.full_softmax_from else 0
        rng = np.random.default_rng([settings.run.seed, state.step, 2, hardware.rank])
        torch.manual_seed(int(rng.integers(2**31)))  # a net with dropout would draw from here
        batches = [collate(part) for part in split(samples, settings.data.max_frames)]
        chars = max(1, sum(len(b.labels) for b in batches))
        blanks = sum(int((b.frames == BLANK).sum()) for b in batches)
        told = sum(int((b.frames != IGNORE).sum()) for b in batches)
        ce_sum = max(1.0, told - blanks + settings.loss.blank * blanks)
        scale = state.scale if hardware.half == torch.float16 else 1.0
        for batch in batches:
            columns = choose_columns(batch.labels, len(self.charset), sampled, rng)
            widths = torch.from_numpy(batch.widths)
            target = targets(
                batch.labels, batch.lengths, batch.frames, frames(widths).numpy(), columns, hardware.device
            )
            gray = torch.from_numpy(batch.gray).to(hardware.device)
            with hardware.autocast():
                features = self.net.features(gray, widths.to(hardware.device))
            head = self.net.head
            if target.columns is None:
                logits = head(features)
            else:
                logits = F.linear(features, head.weight[target.columns], head.bias[target.columns])
            losses = line_losses(logits.float(), target, settings.loss.blank)
            loss = ctc_weight / chars * losses.ctc + ce_weight / ce_sum * losses.ce
            (loss * scale).backward()  # type: ignore[no-untyped-call]
            state.sums["ctc"] += float(losses.ctc.detach())
            state.sums["ce"] += float(losses.ce.detach())
        state.elapsed = time.perf_counter() - began
        # one rate and one end for all processes: they share the clock, and stop together
        state.elapsed, asked = hardware.average(self.net, state.elapsed, float(stop))
        norm = self._update(learning_rate(settings.optim, state.step, progress), scale)
        state.step += 1
        for name, value in (
            ("lines", len(samples)), ("chars", chars), ("ce_weight", ce_sum), ("norm", norm),
            ("frames", sum(b.frames.size for b in batches)), ("used", sum(len(s.frames) for s in samples)),
        ):  # fmt: skip
            state.sums[name] += value
        return asked > 0

    def _update(self, rate: float, scale: float) -> float:
        """Apply the gradients, unless they are not finite; returns their norm, 0 if they were not."""
        state, optim = self.state, self.settings.optim
        parameters = [p for p in self.net.parameters() if p.grad is not None]
        if scale != 1.0:
            torch._foreach_mul_([p.grad for p in parameters], 1 / scale)
        norm = float(nn.utils.clip_grad_norm_(parameters, optim.clip, foreach=True))
        if math.isfinite(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            self._follow()
            state.good += 1
            if state.good % 2000 == 0:
                state.scale = min(state.scale * 2, 2.0**24)
        else:
            norm = 0.0
            state.skipped += 1
            state.good = 0
            state.scale = max(state.scale / 2, 1.0)
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the running average; it forgets its start early by averaging over few steps at first."""
        decay = min(self.settings.optim.ema, (1 + self.state.step) / (10 + self.state.step))
        mine, theirs = self.average.state_dict(), self.net.state_dict()
        floats = [name for name, t in mine.items() if t.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [theirs[n] for n in floats], 1 - decay)
        for name, t in mine.items():
            if not t.is_floating_point():
                t.copy_(theirs[name])

    def save(self, path: Path) -> None:
        """Write everything that `load` needs to go on."""
        tensors = {f"net.{n}": t for n, t in self.net.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.state_dict().items()}
        names = {p: n for n, p in self.net.named_parameters()}
        for p, moments in self.optimizer.state.items():
            tensors |= {f"adam.{kind}.{names[p]}": t for kind, t in moments.items()}
        save_state(path, tensors, asdict(self.state))

    def load(self, path: Path) -> None:
        """Go back to where `save` was called.

        Raises
        ------
        ModelError
            If the file is no training state, or one of another net.
        """
        tensors, state = load_state(path)

        def under(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

        try:
            self.net.load_state_dict(under("net."))
            self.average.load_state_dict(under("average."))
            parameters = dict(self.net.named_parameters())
            for name, t in under("adam.").items():
                kind, _, parameter = name.partition(".")
                p = parameters[parameter]
                # AdamW keeps its step counts where the weights are when it is fused; moments lie in memory like weights
                moment = t.to(p.device) if kind == "step" else torch.empty_like(p).copy_(t)
                self.optimizer.state[p][kind] = moment
            self.state = State(**state)
        except (RuntimeError, KeyError, TypeError):
            raise ModelError(f"{path}: is the state of another net; resume with the settings of its run") from None
