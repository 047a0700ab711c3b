"""The loss of a line net: framewise cross-entropy from the composer's boxes beside CTC, over as few columns as allowed.

Both losses look at no other class than those of a line's own text and the blank, apart from the sum over all classes
that makes logits into probabilities. So CTC runs on the few columns of the text, and costs the same for 50 classes as
for 7,000; and that sum can be taken over a sample of the classes (sampled softmax).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from jphtr.charset import BLANK
from jphtr.settings import LineLossSettings
from jphtr.training.loader import IGNORE


class Targets(NamedTuple):
    """What a batch should say, as tensors on the net's device.

    `columns` (C,) int64 classes whose logits are computed, or None for all; `labels` (N, L) int64 places in `columns`,
    padded with the blank; `lengths` (N,); `frames` (N, T) int64 places in `columns`, or -100; `steps` (N,) frames.
    """

    columns: Tensor | None
    labels: Tensor
    lengths: Tensor
    frames: Tensor
    steps: Tensor


class Losses(NamedTuple):
    """Sums over each line (N,): its CTC loss, and its cross-entropy times the weights of its frames."""

    ctc: Tensor
    ce: Tensor


def choose_columns(
    labels: NDArray[np.int32], classes: int, wanted: int, rng: np.random.Generator
) -> NDArray[np.int64] | None:
    """The blank, every label of the batch, and random other classes up to `wanted`; sorted; None if that is all."""
    if not wanted or wanted >= classes:
        return None
    chosen = np.zeros(classes, bool)
    chosen[labels] = True
    chosen[BLANK] = True
    more = wanted - int(chosen.sum())
    if more > 0:
        chosen[rng.choice(np.flatnonzero(~chosen), more, replace=False)] = True
    return np.flatnonzero(chosen)


def targets(
    labels: NDArray[np.int32],
    lengths: NDArray[np.int64],
    frames: NDArray[np.int32],
    steps: NDArray[np.int64],
    columns: NDArray[np.int64] | None,
    device: torch.device,
) -> Targets:
    """Flat labels and frame targets of a batch, in places among the columns."""
    table = np.zeros((len(lengths), max(1, int(lengths.max(initial=0)))), np.int64)
    table[np.arange(table.shape[1])[None] < lengths[:, None]] = labels
    frame_places = frames.astype(np.int64)
    if columns is not None:
        table = np.searchsorted(columns, table)
        frame_places = np.where(frames == IGNORE, IGNORE, np.searchsorted(columns, frames))

    def to(array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(device, non_blocking=True)

    return Targets(None if columns is None else to(columns), to(table), to(lengths), to(frame_places), to(steps))


class _Ctc(torch.autograd.Function):
    """CTC losses (N,) whose gradient with respect to log-probabilities is minus the posterior.

    torch's own gradient carries the softmax with it and holds only when every class is among the columns.
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, labels: Tensor, steps: Tensor, lengths: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = log_probs.detach().transpose(0, 1).contiguous().requires_grad_()
            losses = F.ctc_loss(leaf, labels, steps, lengths, blank=0, reduction="none", zero_infinity=True)
            (grad,) = torch.autograd.grad(losses.sum(), leaf)
        inside = torch.arange(leaf.shape[0], device=leaf.device)[:, None] < steps[None]
        counted = inside & (losses > 0)[None]
        ctx.save_for_backward(torch.where(counted[..., None], grad - leaf.detach().exp(), 0).transpose(0, 1))
        return losses.detach()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (posterior,) = ctx.saved_tensors
        return posterior * grads[0][:, None, None], None, None, None


class _Picked(torch.autograd.Function):
    """Log-probabilities of a few classes of each frame: softmax and gather with one dense gradient for both."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, places: Tensor) -> Tensor:
        total = logits.logsumexp(2, keepdim=True)
        ctx.save_for_backward(logits, total, places)
        return logits.gather(2, places) - total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        logits, total, places = ctx.saved_tensors
        grad = (logits - total).exp_().mul_(-grads[0].sum(2, keepdim=True))
        return grad.scatter_add_(2, places, grads[0]), None


def line_losses(logits: Tensor, target: Targets, blank_weight: float) -> Losses:
    """CTC and framewise cross-entropy of logits (N, T, C) float32.

    Parameters
    ----------
    logits : the classes `target.columns`, the blank first.
    target : what the lines say.
    blank_weight : weight of a blank frame in the cross-entropy; the frame of a character has 1.
    """
    # each line's own columns: the blank, then its characters; equal characters share the first of their columns
    own = torch.cat([torch.zeros_like(target.labels[:, :1]), target.labels], 1)
    same = target.labels[:, :, None] == target.labels[:, None, :]
    texts = same.to(torch.uint8).argmax(2) + 1
    known = target.frames != IGNORE
    places = torch.cat([own[:, None].expand(-1, logits.shape[1], -1), target.frames.clamp(min=0)[..., None]], 2)
    log_probs = _Picked.apply(logits, places)
    ctc = _Ctc.apply(log_probs[..., :-1], texts, target.steps, target.lengths)
    weight = torch.where(target.frames == BLANK, blank_weight, 1.0) * known
    return Losses(ctc, -(log_probs[..., -1] * weight).sum(1))


def trust(ctc: Tensor, lengths: Tensor, most: float) -> Tensor:
    """Weights (N,) of lines of which some cannot be read by anybody: `most` over the loss of a character, at most 1.

    Composed wear goes now and then beyond what can be read. Of a net that reads well such lines are a tenth of all, but
    more than half of the loss; what they teach is noise. So the loss of a line grows like its logarithm from `most` on
    (a robust loss in the sense of Huber 1964). Pictures without text count in full: nothing may be read in them.

    Parameters
    ----------
    ctc : (N,) CTC losses in nats.
    lengths : (N,) characters of the lines.
    most : nats a character up to which a line counts in full; 0 for no bound.
    """
    if not most:
        return torch.ones_like(ctc)
    each = ctc.detach() / lengths.clamp(min=1)
    return torch.where(lengths > 0, most / each.clamp(min=most), 1.0)


def ramp(progress: float, start: float, end: float, until: float) -> float:
    """A value that goes evenly from `start` to `end` while the schedule goes from 0 to `until`."""
    return end if progress >= until else start + (end - start) * progress / until


def weights(settings: LineLossSettings, progress: float) -> tuple[float, float]:
    """The weights of CTC and of the cross-entropy at this part (0 to 1) of the schedule."""
    return (
        ramp(progress, settings.ctc_from, settings.ctc_to, settings.ctc_until),
        ramp(progress, settings.ce_from, settings.ce_to, settings.ce_until),
    )
