"""A net, its optimizer and its running average: gradients in, a step taken, everything in one file to go on from."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from jphtr.errors import ModelError, SettingsError, require
from jphtr.settings import OptimSettings, RunSettings
from jphtr.training.checkpoint import load_state, save_state
from jphtr.training.hardware import Hardware

N = TypeVar("N", bound=nn.Module)


@dataclass(slots=True)
class State:
    """Where a run stands, apart from its tensors; it is JSON in the checkpoint.

    `elapsed` counts seconds of training in all sittings; `best` is the lowest score of a validation; `scale` is the
    loss scale of fp16; `sums` are those of the row of metrics that is under way.
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
    sums: dict[str, float] = field(default_factory=dict)


def learning_rate(settings: OptimSettings, step: int, progress: float) -> float:
    """The learning rate of a step, 0 the first, at this part of the schedule: warm-up, then a fall to zero."""
    left = max(0.0, 1 - progress)
    if settings.decay == "cosine":
        left = (1 + math.cos(math.pi * min(1.0, progress))) / 2
    elif settings.decay == "constant":
        left = 1.0
    return settings.lr * min(1.0, (step + 1) / max(1, settings.warmup)) * left


def judge_head(settings: OptimSettings, *, known: bool) -> None:
    """Refuse to begin a run whose output layer would stay as chance made it; `known` says that a model gives all of it.

    Raises
    ------
    SettingsError
        If the layer shall stay as it is, and is new.
    """
    if not settings.head_lr and not known:
        said = "0 leaves the output layer as it is, but no model gives all of its characters"
        raise SettingsError(f"optim.head_lr: {said}; start with --load from one that does, or give a rate above 0")


def optimizer_of(net: nn.Module, settings: OptimSettings) -> torch.optim.Optimizer:
    """The optimizer of all parameters that are trained; matrices and kernels alone have weight decay.

    A net may name exceptions in `no_weight_decay()`, as those of timm do. Optimizers of the Muon family, which turn a
    matrix in all its directions at once, leave the output layer to AdamW: a step knows little of most of its rows.
    That layer, `head` in every net, has groups of its own, whose `"share"` of the learning rate is `head_lr`.

    Raises
    ------
    SettingsError
        If no optimizer has the name.
    """
    exceptions: set[str] = getattr(net, "no_weight_decay", set)()
    trained = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = []
    for head in (False, True):
        mine = [(name, p) for name, p in trained if name.startswith("head.") == head]
        matrices = [p for name, p in mine if p.ndim > 1 and name not in exceptions]
        others = [p for name, p in mine if p.ndim <= 1 or name in exceptions]
        for parameters, decay in ((matrices, settings.weight_decay), (others, 0.0)):
            group = {"params": parameters, "weight_decay": decay, "share": settings.head_lr if head else 1.0}
            if head and "muon" in settings.name:
                group["use_fallback"] = True
            groups += [group] if parameters else []
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
    optim = require("timm.optim")
    names = optim.list_optimizers()
    if settings.name not in names:
        near = ", ".join(get_close_matches(settings.name, names, 4, 0.4)) or "adamw"
        raise SettingsError(f"optim.name: timm has no optimizer {settings.name!r}; near it: {near}")
    options: dict[str, Any] = {"lr": settings.lr, "momentum": settings.momentum}
    if optim.get_optimizer_info(settings.name).num_betas == 2:
        options["betas"] = settings.betas
    try:
        made: torch.optim.Optimizer = optim.create_optimizer_v2(groups, settings.name, **options)
    except (TypeError, ValueError, ImportError, AssertionError) as error:
        raise SettingsError(f"optim.name: {settings.name} cannot be used ({error}); try adamw, lamb or sgd") from None
    return made


class Learner(Generic[N]):
    """A net in training.

    Parameters
    ----------
    net : the net, in float32; it is moved to the device.
    optim, run : settings; the schedule ends with `run.steps` or `run.max_minutes`.
    hardware : where it runs, and with whom.
    sums : names of what the trainer adds up in `state.sums`, beside the norm of the gradient.

    Attributes
    ----------
    average : the running average of the net's weights: what is kept and scored.
    state : where the run stands.
    """

    def __init__(self, net: N, optim: OptimSettings, run: RunSettings, hardware: Hardware, sums: Iterable[str]) -> None:
        self.optim, self.run, self.hardware = optim, run, hardware
        self.net = net.to(hardware.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        if not optim.head_lr:
            net.get_submodule("head").requires_grad_(requires_grad=False)
        self.optimizer = optimizer_of(self.net, optim)
        self.state = State()
        self._sums = (*sums, "norm")
        self.clear_sums()

    def clear_sums(self) -> None:
        """Begin a new row of metrics."""
        self.state.sums = dict.fromkeys(self._sums, 0.0)

    def restart_average(self) -> None:
        """Let the running average be the net as it is: after weights were put into it."""
        self.average.load_state_dict(self.net.state_dict())

    @property
    def progress(self) -> float:
        """The part of the schedule that lies behind, by steps or by time, whichever is further."""
        by_time = self.state.elapsed / 60 / self.run.max_minutes if self.run.max_minutes else 0.0
        return min(1.0, max(self.state.step / self.run.steps, by_time))

    @property
    def scale(self) -> float:
        """What the loss is to be multiplied with before its gradient is taken."""
        return self.state.scale if self.hardware.half == torch.float16 else 1.0

    def draws(self) -> np.random.Generator:
        """The random numbers of the coming step, after torch's own have been seeded from them."""
        rng = np.random.default_rng([self.run.seed, self.state.step, 2, self.hardware.rank])
        torch.manual_seed(int(rng.integers(2**31)))  # dropout draws from here
        return rng

    def take(self, progress: float, began: float, stop: bool) -> bool:
        """Take the step to which the gradients lead; returns whether any process wants to stop.

        Parameters
        ----------
        progress : where the schedule stood when the step began.
        began : the clock (`time.perf_counter`) at which `state.elapsed` was 0.
        stop : whether this process wants to stop after the step.
        """
        state = self.state
        scale = self.scale
        state.elapsed = time.perf_counter() - began
        # one rate and one end for all processes: they share the clock, and stop together
        state.elapsed, asked = self.hardware.average(self.net, state.elapsed, float(stop))
        state.sums["norm"] += self._update(learning_rate(self.optim, state.step, progress), scale)
        state.step += 1
        return asked > 0

    def _update(self, rate: float, scale: float) -> float:
        """Apply the gradients, unless they are not finite; returns their norm, 0 if they were not."""
        state = self.state
        parameters = [p for p in self.net.parameters() if p.grad is not None]
        if scale != 1.0:
            torch._foreach_mul_([p.grad for p in parameters], 1 / scale)
        norm = float(nn.utils.clip_grad_norm_(parameters, self.optim.clip, foreach=True))
        if math.isfinite(norm):
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["share"]
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
        decay = min(self.optim.ema, (1 + self.state.step) / (10 + self.state.step))
        mine, theirs = self.average.state_dict(), self.net.state_dict()
        floats = [name for name, t in mine.items() if t.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [theirs[n] for n in floats], 1 - decay)
        for name, t in mine.items():
            if not t.is_floating_point():
                t.copy_(theirs[name])

    def save(self, path: Path) -> None:
        """Write everything that `load` needs to go on.

        Raises
        ------
        SettingsError
            If the optimizer remembers what is neither tensors nor numbers.
        """
        tensors = {f"net.{n}": t for n, t in self.net.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.state_dict().items()}
        names = {p: n for n, p in self.net.named_parameters()}
        numbers: dict[str, dict[str, float | bool]] = {}
        for p, memory in self.optimizer.state.items():
            for kind, value in memory.items():
                if isinstance(value, Tensor):
                    tensors[f"optim.{kind}.{names[p]}"] = value
                elif isinstance(value, int | float):
                    numbers.setdefault(kind, {})[names[p]] = value
                elif value is not None:
                    raise SettingsError(f"optim.name: {self.optim.name} cannot be resumed; try adamw, lamb or sgd")
        groups: list[dict[str, float]] = []  # some count their steps once for all parameters
        for place, group in enumerate(self.optimizer.param_groups):
            groups.append({k: v for k, v in group.items() if k not in ("lr", "share") and type(v) in (int, float)})
            tensors |= {f"group.{place}.{kind}": v for kind, v in group.items() if isinstance(v, Tensor)}
        save_state(path, tensors, {**asdict(self.state), "optimizer": {"numbers": numbers, "groups": groups}})

    def load(self, path: Path) -> None:
        """Go back to where `save` was called.

        Raises
        ------
        ModelError
            If the file is no training state, or one of another net.
        """
        tensors, state = load_state(path)

        def under(*prefixes: str) -> dict[str, Tensor]:
            return {n.removeprefix(p): t for n, t in tensors.items() for p in prefixes if n.startswith(p)}

        try:
            self.net.load_state_dict(under("net."))
            self.average.load_state_dict(under("average."))
            parameters = dict(self.net.named_parameters())
            for name, t in under("optim.", "adam.").items():  # "adam.": as version 0.1 wrote it
                kind, _, parameter = name.partition(".")
                p = parameters[parameter]
                # AdamW keeps its step counts where the weights are when it is fused; moments lie in memory like weights
                like = t.shape == p.shape
                self.optimizer.state[p][kind] = torch.empty_like(p).copy_(t) if like else t.to(p.device)
            memory: dict[str, Any] = state.pop("optimizer", {})
            for kind, values in memory.get("numbers", {}).items():
                for parameter, value in values.items():
                    self.optimizer.state[parameters[parameter]][kind] = value
            for group, values in zip(self.optimizer.param_groups, memory.get("groups", ()), strict=False):
                group.update(values)
            for name, t in under("group.").items():
                place, _, kind = name.partition(".")
                self.optimizer.param_groups[int(place)][kind] = t
            self.state = State(**state)
        except (RuntimeError, LookupError, TypeError, ValueError):
            raise ModelError(f"{path}: is the state of another net; resume with the settings of its run") from None
