"""CTC prefix beam search over the best classes of each frame, with or without a language model.

A beam holds texts, not paths: all alignments of a text are summed (Graves and Jaitly 2014, "Towards end-to-end speech
recognition with recurrent neural networks"; Hannun et al. 2014, "First-pass large vocabulary continuous speech
recognition using bi-directional recurrent DNNs"). Where the net is certain there is nothing to search: such frames have
one class, and runs of certain blanks are one frame. That leaves a few frames of a line to doubt, and makes the search
cost less than a tenth of the net.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK
from jphtr.decode.align import posteriors
from jphtr.decode.fusion import Context, Fusion
from jphtr.decode.greedy import greedy
from jphtr.decode.spans import FrameSpan

WIDTH = 8  # texts that are kept; tuned on validation lines, as the defaults of `Search` are

_SMALL = 1e-100  # below which the beam's probabilities are scaled up again


@dataclass(frozen=True, slots=True)
class Search:
    """How the beam goes through a line.

    Attributes
    ----------
    fusion : what the language model says of the characters; None asks the net alone.
    width : texts that are kept from frame to frame.
    certain : a frame whose best class is at least so probable has no other.
    least : a class less probable in a frame is impossible there, as are those that the net does not give.
    margin : texts worse than the best by more nats are dropped.
    """

    fusion: Fusion | None = None
    width: int = WIDTH
    certain: float = 0.98
    least: float = 1e-2
    margin: float = 5.0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text that a line may hold: its labels, and the log of its probability times the model's gains."""

    labels: tuple[int, ...]
    score: float


class _Prefix:
    """A text so far. `blank` and `same` are the probabilities of its paths that end in a blank, in its last label."""

    __slots__ = ("after", "blank", "context", "gain", "label", "next_blank", "next_same", "parent", "same", "touched")

    def __init__(self, parent: _Prefix | None, label: int, context: Context | None, gain: float) -> None:
        self.parent, self.label, self.context, self.gain = parent, label, context, gain
        self.after: dict[int, _Prefix] = {}
        self.blank = self.same = self.next_blank = self.next_same = 0.0
        self.touched = False

    def labels(self) -> tuple[int, ...]:
        found = []
        prefix = self
        while prefix.parent is not None:
            found.append(prefix.label)
            prefix = prefix.parent
        return tuple(reversed(found))


def beam(labels: NDArray[np.int64], log_probs: NDArray[np.float32], search: Search | None = None) -> list[FrameSpan]:
    """Characters of one line along its most probable text.

    Parameters
    ----------
    labels : (T, K) classes of each of the line's own frames, best first.
    log_probs : (T, K) their natural log-probabilities.
    search : how to look for it; None is `Search()`, without a language model.

    Returns
    -------
    The characters in reading order, on the frames of the text's best path; none for a line of blanks.
    """
    search = search or Search()
    (best,) = hypotheses(labels, log_probs, search, 1)
    return spans(best, labels, log_probs, search)


def spans(
    found: Hypothesis, labels: NDArray[np.int64], log_probs: NDArray[np.float32], search: Search
) -> list[FrameSpan]:
    """One text that `hypotheses` found, laid on its frames: what `beam` gives for the best of them."""
    return posteriors(found.labels, labels, log_probs, greedy(labels, log_probs), search.fusion, search.certain)


def hypotheses(
    labels: NDArray[np.int64], log_probs: NDArray[np.float32], search: Search, count: int
) -> list[Hypothesis]:
    """The most probable texts of a line, best first, at most `count` and at most those that the beam held at its end.

    Parameters
    ----------
    labels, log_probs, search : as for `beam`.
    """
    root = _Prefix(None, BLANK, search.fusion.start if search.fusion else None, 0.0)
    root.blank = 1.0
    held = [root]
    for frame in _frames(labels, log_probs, search.certain, search.least):
        if len(frame) == 1 and frame[0][0] == BLANK:
            for prefix in held:
                prefix.blank, prefix.same = prefix.blank + prefix.same, 0.0
        else:
            held = _best(_stepped(held, frame, search.fusion), search.width, search.margin)
    scored = sorted(((math.log(p.blank + p.same) + p.gain, p) for p in held), key=itemgetter(0), reverse=True)
    return [Hypothesis(prefix.labels(), score) for score, prefix in scored[:count]]


def _frames(
    labels: NDArray[np.int64], log_probs: NDArray[np.float32], certain: float, least: float
) -> Iterator[list[tuple[int, float]]]:
    """The classes of each frame with their probabilities; of certain blanks in a row only the first."""
    if not len(labels):
        return
    probs = np.exp(log_probs.astype(np.float64))
    sure = probs[:, 0] >= certain
    idle = sure & (labels[:, 0] == BLANK)
    wanted = ~idle
    wanted[1:] |= ~idle[:-1]
    wanted[0] = True
    sizes = np.where(sure, 1, np.maximum((probs >= least).sum(axis=1), 1))[wanted]
    for classes, p, size in zip(labels[wanted].tolist(), probs[wanted].tolist(), sizes.tolist(), strict=True):
        yield list(zip(classes[:size], p[:size], strict=True))


def _stepped(held: Sequence[_Prefix], frame: Sequence[tuple[int, float]], fusion: Fusion | None) -> list[_Prefix]:
    """Every prefix that one more frame leads to, their new probabilities in place."""
    found: list[_Prefix] = []
    for prefix in held:
        total = prefix.blank + prefix.same
        for label, p in frame:
            if label == BLANK:
                target = prefix
                target.next_blank += total * p
            elif label != prefix.label:
                target = prefix.after.get(label) or _child(prefix, label, fusion)
                target.next_same += total * p
            else:
                if prefix.same:  # the same character goes on
                    prefix.next_same += prefix.same * p
                    if not prefix.touched:
                        prefix.touched = True
                        found.append(prefix)
                if not prefix.blank:
                    continue
                target = prefix.after.get(label) or _child(prefix, label, fusion)
                target.next_same += prefix.blank * p
            if not target.touched:
                target.touched = True
                found.append(target)
    for prefix in held:
        prefix.blank = prefix.same = 0.0
    for prefix in found:
        prefix.blank, prefix.same = prefix.next_blank, prefix.next_same
        prefix.next_blank = prefix.next_same = 0.0
        prefix.touched = False
    return found


def _child(prefix: _Prefix, label: int, fusion: Fusion | None) -> _Prefix:
    gain, context = 0.0, prefix.context
    if fusion is not None and context is not None:
        gain, context = fusion.after(context, label)
    child = prefix.after[label] = _Prefix(prefix, label, context, prefix.gain + gain)
    return child


def _best(found: list[_Prefix], width: int, margin: float) -> list[_Prefix]:
    """The prefixes that go on; the probabilities of the others are forgotten."""
    scored = sorted(((math.log(p.blank + p.same) + p.gain, p) for p in found), key=itemgetter(0), reverse=True)
    floor = scored[0][0] - margin
    held = [prefix for score, prefix in scored[:width] if score >= floor]
    for _, prefix in scored[len(held) :]:
        prefix.blank = prefix.same = 0.0
    top = max(prefix.blank + prefix.same for prefix in held)
    if top < _SMALL:
        for prefix in held:
            prefix.blank /= top
            prefix.same /= top
    return held
