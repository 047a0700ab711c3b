"""CTC frames -> characters with their frames, confidences and alternatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jphtr.decode.greedy import greedy
from jphtr.decode.spans import FrameSpan

__all__ = ["DECODERS", "Decoder", "FrameSpan", "greedy"]

Decoder = Callable[[NDArray[np.int64], NDArray[np.float32]], list[FrameSpan]]

DECODERS: dict[str, Decoder] = {"greedy": greedy}
