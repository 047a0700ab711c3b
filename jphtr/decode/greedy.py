"""The best class of every frame, repeats merged, blanks dropped (Graves et al. 2006, best path decoding)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK
from jphtr.decode.spans import FrameSpan


def greedy(labels: NDArray[np.int64], log_probs: NDArray[np.float32]) -> list[FrameSpan]:
    """Characters of one line along its single most probable path.

    Parameters
    ----------
    labels : (T, K) classes of each of the line's own frames, best first.
    log_probs : (T, K) their natural log-probabilities.

    Returns
    -------
    The characters in reading order; none for a line of blanks.
    """
    if not len(labels):
        return []
    best, probs = labels[:, 0], np.exp(log_probs.astype(np.float64))
    starts = np.flatnonzero(np.concatenate([[True], best[1:] != best[:-1]]))
    stops = np.append(starts[1:], len(best))
    mass = np.add.reduceat(probs[:, 0], starts)
    centres = np.add.reduceat(probs[:, 0] * (np.arange(len(best)) + 0.5), starts) / np.maximum(mass, 1e-30)
    spans = []
    for start, stop, centre in zip(starts.tolist(), stops.tolist(), centres.tolist(), strict=True):
        if best[start] == BLANK:
            continue
        peak = start + int(probs[start:stop, 0].argmax())
        others = zip(labels[peak, 1:].tolist(), probs[peak, 1:].tolist(), strict=True)
        spans.append(
            FrameSpan(
                label=int(best[start]),
                start=start,
                stop=stop,
                centre=centre,
                confidence=min(1.0, float(probs[peak, 0])),
                alternatives=tuple((label, p) for label, p in others if label != BLANK),
            )
        )
    return spans
