"""Lines on a page -> what the page net should say of every place: the kind of line, and how far it reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jphtr.nets.page import FOLD
from jphtr.records import LineRegion

IGNORE = 255  # a place of which nothing is asked
CORE = 0.26  # part of a line's height to either side of its middle that is marked
INSET = 0.3  # part of its height by which the marks stop short of its ends
_LEAST_CORE = 2.3  # pixels to either side that are marked at least, so that no line falls between two places
_LEAST = 5.0  # pixels of height below which a line is not asked for


def page_targets(
    lines: Sequence[LineRegion], scale: float, origin: tuple[float, float], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Targets of a piece of a page.

    Parameters
    ----------
    lines : of the page, in its pixels.
    scale, origin : pixel p of the page is pixel (p - origin) * scale of the piece.
    shape : (H, W) of the piece in pixels, multiples of 4.

    Returns
    -------
    kinds : (H/4, W/4) places in `nets.page.KINDS`, or `IGNORE`.
    extents : (2, H/4, W/4) log2 of the pixels to both edges of the line, where there is one.
    """
    height, width = shape[0] // FOLD, shape[1] // FOLD
    kinds = np.zeros((height, width), np.uint8)
    extents = np.zeros((2, height, width), np.float32)
    for line in lines:
        quad = (np.array(line.quad) - origin) * scale
        if line.direction == "vertical":  # from the top right down the right side, so that `down` is leftwards
            quad = quad[[1, 2, 3, 0]]
        start, along = (quad[0] + quad[3]) / 2, (quad[1] + quad[2] - quad[0] - quad[3]) / 2
        length = float(np.hypot(*along))
        if length < 1:
            continue
        along = along / length
        down = np.array([-along[1], along[0]])
        tall = float((quad[3] + quad[2] - quad[0] - quad[1]) @ down / 2)
        if tall < 1:
            continue
        x0, y0 = np.floor(quad.min(axis=0) / FOLD).astype(int)
        x1, y1 = np.ceil(quad.max(axis=0) / FOLD).astype(int)
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        if x1 <= x0 or y1 <= y0:
            continue
        x = (np.arange(x0, x1) + 0.5) * FOLD - start[0]
        y = ((np.arange(y0, y1) + 0.5) * FOLD - start[1])[:, None]
        u, v = x * along[0] + y * along[1], x * down[0] + y * down[1]
        inset = max(0.0, min(INSET * tall, 0.4 * length, length / 2 - _LEAST_CORE))
        core = (np.abs(v) < max(CORE * tall, _LEAST_CORE)) & (u > inset) & (u < length - inset)
        if tall < _LEAST:
            kinds[y0:y1, x0:x1][core] = IGNORE
            continue
        kinds[y0:y1, x0:x1][core] = 1 + (line.direction == "vertical") + 2 * (line.kind == "ruby")
        reach = np.stack([tall / 2 + v, tall / 2 - v])
        np.copyto(extents[:, y0:y1, x0:x1], np.log2(np.maximum(reach, 1.0)), where=core)
    return kinds, extents
