"""How often a classifier of single characters is right, how sure it says it is, and what it takes for what.

Answers travel as columns of labels, some forty bytes a picture, so that a million pictures fit in memory whatever the
charset's size; probabilities are looked at batch by batch and forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK
from jphtr.lookalikes import fold_lookalikes
from jphtr.metrics import Errors, interval

TOP = 5  # answers that are kept of each picture
WRITERS = 5  # fewer say nothing of how writers differ
BINS = 15  # of confidence, as Guo et al. (2017, arXiv 1706.04599) take them

_OCTAVES, _STEPS = 3, 8  # temperatures that are tried: 2 to the power of -3 to 3, in eighths
_LEAST = 1e-30  # a probability that is taken for 0

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was answered to N pictures whose characters are known.

    Attributes
    ----------
    truth : (N,) int32 labels.
    best : (N, K) int32 labels of the most probable characters, the most probable first; K is TOP, or what there is.
    confidence : (N,) float32 probability of the first of them, 0 to 1.
    given : (N,) float32 probability of the truth.
    """

    truth: Labels
    best: Labels
    confidence: Floats
    given: Floats

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Answers:
        """The answers at some places, or where a mask is true."""
        return Answers(self.truth[places], self.best[places], self.confidence[places], self.given[places])

    def hits(self, alike: Labels | None = None, among: int = 1) -> NDArray[np.bool_]:
        """Whether the truth is among the first so many answers (N,).

        Parameters
        ----------
        alike : as `alike` gives it, so that another character of the same shape is right as well; None is strict.
        among : how many answers count, up to TOP.
        """
        truth, best = self.truth, self.best[:, :among]
        if alike is not None:
            truth, best = alike[truth], alike[best]
        right: NDArray[np.bool_] = (best == truth[:, None]).any(axis=1)
        return right


def answers(probabilities: Floats, truth: Labels) -> Answers:
    """The answers in a batch of probabilities.

    Parameters
    ----------
    probabilities : (N, C) float32; label 0 is never an answer.
    truth : (N,) int32, what the pictures show.
    """
    count = min(TOP, probabilities.shape[1] - 1)
    characters = probabilities[:, BLANK + 1 :]
    some = np.argpartition(-characters, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(characters, some, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(some, order, axis=1) + BLANK + 1
    rows = np.arange(len(truth))
    return Answers(
        truth.astype(np.int32),
        best.astype(np.int32),
        probabilities[rows, best[:, 0]].astype(np.float32),
        probabilities[rows, truth].astype(np.float32),
    )


def joined(parts: Sequence[Answers]) -> Answers:
    """Answers of several batches behind each other."""
    return Answers(
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.best for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.given for part in parts]),
    )


def alike(chars: Sequence[str]) -> Labels:
    """For each label of a charset, the first label whose character has the same shape (`lookalikes`): (C,) int32."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(fold_lookalikes(char), label) for label, char in enumerate(chars)], np.int32)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often answers are right.

    Attributes
    ----------
    glyphs, classes, writers : how many pictures, different characters and writers were counted.
    top1, top5 : part of the pictures whose character is the first answer, or among the first five.
    balanced : mean over the characters of the part of their pictures that is right at once.
    low, high : 95 % bootstrap interval of `top1`: over writers where there are at least WRITERS, else over pictures,
        which says nothing of how another writer would fare.
    """

    glyphs: int
    classes: int
    writers: int
    top1: float
    top5: float
    balanced: float
    low: float
    high: float

    @property
    def over(self) -> str:
        """What the interval was drawn over."""
        return "writers" if self.writers >= WRITERS else "pictures"


def accuracy(found: Answers, writer: NDArray[np.int32], alike: Labels | None = None) -> Accuracy:
    """Count right answers.

    Parameters
    ----------
    found : at least one answer.
    writer : (N,) who made each picture, as any numbers from 0 on.
    alike : look-alikes that count as right, see `Answers.hits`.
    """
    right = found.hits(alike)
    seen, correct = np.bincount(found.truth), np.bincount(found.truth, right)
    there = seen > 0
    low, high = writer_interval(right, writer)
    return Accuracy(
        glyphs=len(found),
        classes=int(there.sum()),
        writers=len(np.unique(writer)),
        top1=float(right.mean()),
        top5=float(found.hits(alike, TOP).mean()),
        balanced=float((correct[there] / seen[there]).mean()),
        low=low,
        high=high,
    )


def writer_interval(right: NDArray[np.bool_], writer: NDArray[np.int32], *, samples: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the part that is right: whole writers are drawn, or pictures of fewer than WRITERS.

    Parameters
    ----------
    right, writer : (N,) each, N at least 1; writers as numbers from 0 on.
    samples : how many sets are drawn.
    """
    seen = np.bincount(writer)
    wrong = np.bincount(writer, ~right)[seen > 0].astype(int)
    seen = seen[seen > 0]
    if len(seen) >= WRITERS:
        writers = [Errors(substitutions=w, chars=n) for w, n in zip(wrong.tolist(), seen.tolist(), strict=True)]
        low, high = interval(writers, samples=samples)
        return 1 - high, 1 - low
    # so many pictures, each drawn at random, hold a binomial number of right ones
    drawn = np.random.default_rng(0).binomial(len(right), right.mean(), samples) / len(right)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def confusions(found: Answers, most: int | None = None) -> list[tuple[int, int, int, int]]:
    """(truth, answer, times, pictures of the truth) of wrong answers as labels, most frequent first, then rarest truth."""
    wrong = found.take(~found.hits())
    pairs, times = np.unique(np.stack([wrong.truth, wrong.best[:, 0]], axis=1), axis=0, return_counts=True)
    support = np.bincount(found.truth)[pairs[:, 0]]
    order = np.lexsort((support, -times))[:most]
    return [(int(pairs[i, 0]), int(pairs[i, 1]), int(times[i]), int(support[i])) for i in order]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about one confidence: how many, their mean confidence, and the part that is right."""

    glyphs: int
    confidence: float
    right: float


def reliability(confidence: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    """Answers by confidence, in BINS of one width; those without an answer are left out."""
    counts, sums, rights = _binned(confidence, right)
    return [
        Bin(int(n), float(s / n), float(r / n)) for n, s, r in zip(counts, sums, rights, strict=True) if n
    ]  # fmt: skip


def ece(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error: how far confidence is from the part that is right, in the mean over all answers.

    Naeini et al. (2015), as Guo et al. (2017) take it, with BINS bins of one width. 0 to 1; 0.0 of no answers.
    """
    return _ece(*_binned(confidence, right))


def _binned(confidence: Floats, right: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """Answers, sum of their confidences, and right ones in each bin: (BINS,) each."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    weights = np.stack([np.ones(len(place)), confidence, right])
    return tuple(np.bincount(place, weight, BINS).astype(np.float64) for weight in weights)


def _ece(counts: NDArray[np.float64], sums: NDArray[np.float64], rights: NDArray[np.float64]) -> float:
    return float(np.abs(sums - rights).sum() / max(1.0, counts.sum()))


class TemperatureFit:
    """The temperature by which logits are to be divided so that confidence is right, found while batches go by.

    The negative log-likelihood is summed up for temperatures from 1/8 to 8, each a twelfth above the one before, and its
    least value is looked for between them (Guo et al. 2017). No logits are kept, so any number of pictures will do.
    """

    def __init__(self) -> None:
        self._log2 = np.arange(-_OCTAVES * _STEPS, _OCTAVES * _STEPS + 1) / _STEPS
        self._loss = np.zeros(len(self._log2))
        self._bins = np.zeros((len(self._log2), 3, BINS))
        self._count = 0

    def add(self, logits: Floats, truth: Labels) -> None:
        """Take in a batch.

        Parameters
        ----------
        logits : (N, C) float32; log-probabilities will do as well, as they are logits less a constant.
        truth : (N,) int32 labels.
        """
        below = logits - logits.max(axis=1, keepdims=True)
        rows = np.arange(len(truth))
        right = below[rows, truth] == 0
        for place, log2 in enumerate(self._log2.tolist()):
            scaled = below * np.float32(2**-log2)
            mass = np.log(np.exp(scaled).sum(axis=1, dtype=np.float64))
            self._loss[place] += float((mass - scaled[rows, truth]).sum())
            self._bins[place] += _binned(np.exp(-mass).astype(np.float32), right)
        self._count += len(truth)

    def add_probabilities(self, probabilities: Floats, truth: Labels) -> None:
        """Take in a batch of probabilities (N, C); the temperature found is then relative to the one that made them."""
        self.add(np.log(np.maximum(probabilities, np.float32(_LEAST))), truth)

    @property
    def temperature(self) -> float:
        """The best temperature; an end of what is tried, 1/8 or 8, says that the net is far off. 1.0 of no pictures."""
        if not self._count:
            return 1.0
        at = int(self._loss.argmin())
        if at in (0, len(self._loss) - 1):
            return float(2 ** self._log2[at])
        before, least, behind = self._loss[at - 1 : at + 2]
        bend = before - 2 * least + behind
        return float(2 ** (self._log2[at] + ((before - behind) / 2 / bend if bend > 0 else 0.0) / _STEPS))

    def loss(self, temperature: float = 1.0) -> float:
        """Mean negative log-likelihood in nats, at the nearest temperature that was tried."""
        return float(self._loss[self._near(temperature)]) / max(1, self._count)

    def ece(self, temperature: float = 1.0) -> float:
        """Expected calibration error at the nearest temperature that was tried."""
        return _ece(*self._bins[self._near(temperature)])

    def _near(self, temperature: float) -> int:
        return int(np.abs(self._log2 - np.log2(temperature)).argmin())


def fit_temperature(logits: Floats, truth: Labels) -> float:
    """The temperature by which logits (N, C) of pictures that show `truth` (N,) are best divided."""
    fit = TemperatureFit()
    fit.add(logits, truth)
    return fit.temperature
