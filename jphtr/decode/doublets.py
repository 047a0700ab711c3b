"""One glyph read twice -> read once.

Where a net wavers between two characters, the best path may name both, one frame each (来 as 柔来): CTC does not know
that two full-width characters cannot stand on one place. Distances do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jphtr.decode.spans import FrameSpan

_PITCH = 5.0  # frames from one full-width character to the next where a line is too short to tell
_NEAR = 0.45  # of that pitch; in composed lines 1 pair of neighbours in 200 stands nearer


def full_width(chars: Sequence[str]) -> NDArray[np.bool_]:
    """Which classes are kana or kanji: characters that fill a square, unlike Latin letters, digits and signs."""
    return np.array(
        [len(c) == 1 and unicodedata.east_asian_width(c) == "W" and unicodedata.category(c) == "Lo" for c in chars]
    )


def merge_doublets(spans: Sequence[FrameSpan], wide: NDArray[np.bool_]) -> list[FrameSpan]:
    """Keep the surer of two full-width characters that follow each other without a blank on the place of one.

    Parameters
    ----------
    spans : in reading order.
    wide : (classes,) from `full_width`.
    """
    centres = np.array([span.centre for span in spans])
    pitch = float(np.median(np.diff(centres))) if len(spans) > 3 else _PITCH
    merged: list[FrameSpan] = []
    for span in spans:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.stop == span.start
            and wide[last.label]
            and wide[span.label]
            and span.centre - last.centre < _NEAR * pitch
        ):
            merged[-1] = _one(last, span)
        else:
            merged.append(span)
    return merged


def _one(a: FrameSpan, b: FrameSpan) -> FrameSpan:
    """The surer of two, over the frames of both, with the other among its alternatives."""
    best, other = (a, b) if a.confidence >= b.confidence else (b, a)
    rest = dict(best.alternatives)
    rest[other.label] = max(rest.get(other.label, 0.0), min(other.confidence, 1 - best.confidence))
    rest.pop(best.label, None)
    return replace(
        best,
        start=a.start,
        stop=b.stop,
        alternatives=tuple(sorted(rest.items(), key=lambda item: -item[1])),
    )
