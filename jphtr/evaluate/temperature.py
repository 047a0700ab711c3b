"""By which temperature a net's logits are to be divided, so that a confidence of 0.9 is right nine times in ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jphtr.accuracy import ece
from jphtr.evaluate.report import Judged, Report

_TRIED = np.exp2(np.linspace(-2, 2, 129))  # a 45th apart
_LEAST = 1e-9  # a probability that is taken for none


@dataclass(frozen=True, slots=True)
class Fitted:
    """A temperature that makes confidences right.

    Attributes
    ----------
    temperature : for `jphtr export`: the model's own times the one that was found.
    before, after : expected calibration error, 0 to 1, over the lines that it was not fitted on.
    chars : how many characters these hold.
    """

    temperature: float
    before: float
    after: float
    chars: int


def fit_temperature(report: Report) -> Fitted:
    """The temperature that suits every second line best, tried on the others.

    It has the least log-loss of "this character is right" (Guo et al. 2017, arXiv 1706.04599, for one answer). What a
    frame gives to classes beyond the best eight is taken for one class.

    Parameters
    ----------
    report : of lines read along the best path: in a beam's confidences the language model has its part, which knows no
        temperature.
    """
    halves = [[one for judged in report.judged[start::2] for one in judged] for start in (0, 1)]
    fitting, trying = (_shares(half) for half in halves)
    right = np.array([one.right for one in halves[0]], np.bool_)
    losses = [_loss(tempered(fitting, t), right) for t in _TRIED.tolist()] if len(right) else [0.0]
    best = float(_TRIED[int(np.argmin(losses))]) if len(right) else 1.0
    right = np.array([one.right for one in halves[1]], np.bool_)
    before, after = (ece(tempered(trying, t).astype(np.float32), right) for t in (1.0, best))
    return Fitted(report.temperature * best, before, after, len(halves[1]))


def tempered(shares: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """What the first of probabilities (N, K), 0 for none, is when their logits are divided once more: (N,)."""
    scaled = np.where(shares > 0, np.maximum(shares, _LEAST) ** (1 / temperature), 0)
    found: NDArray[np.float64] = scaled[:, 0] / np.maximum(scaled.sum(axis=1), _LEAST)
    return found


def _shares(judged: list[Judged]) -> NDArray[np.float64]:
    """The probability of each character, of its alternatives, and of all else together (N, K)."""
    count = 2 + max((len(one.span.alternatives) for one in judged), default=0)
    shares = np.zeros((len(judged), count))
    for row, one in zip(shares, judged, strict=True):
        given = [one.span.confidence, *(p for _, p in one.span.alternatives)]
        row[: len(given)] = given
        row[-1] = max(0.0, 1 - sum(given))
    return shares


def _loss(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    return -float(np.log(np.maximum(np.where(right, confidence, 1 - confidence), _LEAST)).mean())
