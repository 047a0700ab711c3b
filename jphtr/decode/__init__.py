"""CTC frames -> characters with their frames, confidences and alternatives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jphtr.decode.beam import Search, beam
from jphtr.decode.greedy import greedy
from jphtr.decode.spans import FrameSpan

__all__ = ["DECODERS", "Decoder", "FrameSpan", "Search", "beam", "greedy"]


class Decoder(Protocol):
    """Labels and log-probabilities (T, K) of a line's frames, best first, to its characters in reading order."""

    def __call__(
        self, labels: NDArray[np.int64], log_probs: NDArray[np.float32], search: Search | None = None, /
    ) -> list[FrameSpan]: ...


DECODERS: dict[str, Decoder] = {
    "greedy": lambda labels, log_probs, search=None, /: greedy(labels, log_probs),  # the best path has no choices
    "beam": beam,
}
