"""What a picture shows of the plane on which a line was drawn, and how large: the crop that somebody else made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jphtr.settings import ComposeSettings

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a plane that becomes a picture, in the plane's unit, and the `em` of that picture in pixels."""

    left: float
    top: float
    right: float
    bottom: float
    em: float


def crop(
    boxes: NDArray[np.float32], bare: Box, unit: float, settings: ComposeSettings, rng: np.random.Generator
) -> Crop:
    """Choose a crop.

    Parameters
    ----------
    boxes : (N, 4) ink of each character, left, top, right, bottom.
    bare : what stands for them where there is none; its middle is that of the line's body.
    unit : how many of the plane's units an em is.
    rng : the only source of chance.
    """
    left, low, right, high = bare
    centre = (low + high) / 2
    if len(boxes):
        left, low = boxes[:, :2].min(axis=0).tolist()
        right, high = boxes[:, 2:].max(axis=0).tolist()
    if high - low < 0.7 * unit:  # a line of signs alone keeps the height of its paper
        middle = (low + high) / 2 if rng.random() < 0.3 else centre
        low, high = min(low, middle - 0.4 * unit), max(high, middle + 0.4 * unit)
    loose = rng.random()
    above, below = rng.uniform(*((-0.05, 0.03) if loose < 0.2 else (0.02, 0.3) if loose < 0.8 else (0.1, 0.85)), 2)
    before, behind = rng.uniform(0, 0.5, 2) if rng.random() < 0.8 else rng.uniform(0.3, 2.5, 2)
    least, most = settings.em_px
    em = float(np.exp(rng.uniform(np.log(least), np.log(most))))
    if rng.random() < 0.4:
        em = float(np.clip(rng.normal(20, 4), least, most))
    return Crop(left - before * unit, low - above * unit, right + behind * unit, high + below * unit, em)
