"""A text and the frames that it was read from -> where each of its characters stands, and how sure each is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK
from jphtr.decode.fusion import Context, Fusion
from jphtr.decode.spans import FrameSpan

_ABSENT = -30.0  # log-probability of a class that a frame does not give


def posteriors(
    text: Sequence[int],
    labels: NDArray[np.int64],
    log_probs: NDArray[np.float32],
    best_path: Sequence[FrameSpan],
    fusion: Fusion | None,
    certain: float,
) -> list[FrameSpan]:
    """The characters of `text` on their frames.

    A character's confidence, and those of its alternatives, are what Bayes' rule makes of the net's probabilities in
    the frame where the character is most probable and of what the language model says of each with the text before
    and behind it as it is. Without a model, and where the net is certain, they are the net's.

    Parameters
    ----------
    text : labels of a text that the line may hold.
    labels, log_probs : (T, K) classes of each frame, best first, and their natural log-probabilities.
    best_path : what `greedy` gives; its frames are taken where it reads the same.
    fusion : what the language model says of the characters, or None.
    certain : from which probability on the net is not doubted.
    """
    if [span.label for span in best_path] == list(text):
        found = list(best_path)
    else:
        runs = align(text, labels, log_probs)
        found = [_span(label, *run, labels, log_probs) for label, run in zip(text, runs, strict=True)]
    if fusion is None:
        return found
    contexts = [fusion.start]
    for label in text:
        contexts.append(fusion.after(contexts[-1], label)[1])
    return [
        span if span.confidence >= certain else _judged(span, text, place, contexts[place], fusion)
        for place, span in enumerate(found)
    ]


def align(text: Sequence[int], labels: NDArray[np.int64], log_probs: NDArray[np.float32]) -> list[tuple[int, int]]:
    """The frames (start, stop) of each character along the most probable path of a text.

    Classes that a frame does not give have a log-probability of -30 there.

    Raises
    ------
    ValueError
        If there are fewer frames than the text needs.
    """
    if not len(text):
        return []
    target = np.array(text)
    scores = np.full((len(labels), 2 * len(target) + 1), _ABSENT)
    given = np.where(labels[:, :, None] == target, log_probs[:, :, None], _ABSENT)
    scores[:, 1::2] = given.max(axis=1)
    scores[:, ::2] = np.where(labels == BLANK, log_probs, _ABSENT).max(axis=1)[:, None]
    states = scores.shape[1]
    skips = np.zeros(states, np.bool_)  # a blank may be left out between two different characters
    skips[3::2] = target[1:] != target[:-1]
    came = np.zeros((len(labels), states), np.int8)
    reached = np.full(states, -np.inf)
    reached[:2] = scores[0, :2]
    ways = np.full((3, states), -np.inf)
    for t in range(1, len(labels)):
        ways[0] = reached
        ways[1, 1:] = reached[:-1]
        ways[2, 2:] = np.where(skips[2:], reached[:-2], -np.inf)
        came[t] = ways.argmax(axis=0)
        reached = ways.max(axis=0) + scores[t]
    state = states - 1 if states < 2 or reached[-1] >= reached[-2] else states - 2
    if not np.isfinite(reached[state]):
        raise ValueError(f"{len(text)} characters do not fit into {len(labels)} frames")
    runs = [[len(labels), 0] for _ in text]
    for t in range(len(labels) - 1, -1, -1):
        if state % 2:
            run = runs[state // 2]
            run[0], run[1] = t, max(run[1], t + 1)
        state -= int(came[t, state])
    return [(start, stop) for start, stop in runs]


def _span(label: int, start: int, stop: int, labels: NDArray[np.int64], log_probs: NDArray[np.float32]) -> FrameSpan:
    """A character on its frames, as the net alone sees it."""
    given = labels[start:stop] == label
    probs = np.where(given, np.exp(log_probs[start:stop].astype(np.float64)), 0).max(axis=1)
    peak = start + int(probs.argmax())
    mass = max(float(probs.sum()), 1e-30)
    centre = float((probs * (np.arange(start, stop) + 0.5)).sum()) / mass
    others = zip(labels[peak].tolist(), np.exp(log_probs[peak].astype(np.float64)).tolist(), strict=True)
    return FrameSpan(
        label=label,
        start=start,
        stop=stop,
        centre=min(max(centre, start), stop),
        confidence=min(1.0, max(float(probs.max()), 1e-12)),
        alternatives=tuple((other, p) for other, p in others if other not in (BLANK, label)),
    )


def _judged(span: FrameSpan, text: Sequence[int], place: int, context: Context, fusion: Fusion) -> FrameSpan:
    """A span whose probabilities have been weighed by the language model."""
    behind = text[place + 1 : place + 1 + fusion.reach]

    def gain(*start: int) -> float:
        total, at = 0.0, context
        for label in (*start, *behind):
            more, at = fusion.after(at, label)
            total += more
        return total

    candidates = ((span.label, span.confidence), *span.alternatives)
    gains = [gain(label) for label, _ in candidates]
    rest = max(0.0, 1 - sum(p for _, p in candidates))  # the blank, and classes that the net did not give
    without = gain()
    top = max(*gains, without)
    weights = [max(p, 1e-12) * math.exp(g - top) for (_, p), g in zip(candidates, gains, strict=True)]
    total = sum(weights) + rest * math.exp(without - top)
    others = [(label, w / total) for (label, _), w in zip(candidates[1:], weights[1:], strict=True)]
    return replace(
        span,
        confidence=max(weights[0] / total, 1e-12),
        alternatives=tuple(sorted(others, key=lambda item: -item[1])),
    )
