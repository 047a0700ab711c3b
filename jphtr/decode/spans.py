"""Decoded frames -> the box of every character in the strip.

A CTC net says when it has seen a character, not how wide the character was. The box starts from the frames:
a cell around the character's centre that ends between it and its neighbours. It ends at the ink: the cell
shrinks to the pixels that are really there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jphtr.geometry import HEIGHT, STRIDE
from jphtr.records import Box, Gray

INK = 160  # a strip's pixels below this are ink; geometry levels paper to 255 and ink to about 0
_WIDEST = 1.2  # of a cell, in text heights
_WANDER = 0.3  # how far from the middle of two centres their border may lie, in distances of the centres


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """One character in the frames of a line.

    Attributes
    ----------
    label : of the character.
    start, stop : its frames, `stop` not included.
    centre : of these frames weighted by the character's probability, in frames; 0.5 is the middle of frame 0.
    confidence : its highest probability in them.
    alternatives : (label, probability) of the other classes in that frame, blank left out, best first.
    """

    label: int
    start: int
    stop: int
    centre: float
    confidence: float
    alternatives: tuple[tuple[int, float], ...] = ()


def boxes(spans: Sequence[FrameSpan], gray: Gray) -> list[Box]:
    """Boxes in strip pixels, one a span.

    Parameters
    ----------
    spans : in reading order.
    gray : (48, W) uint8 strip, 255 is paper.

    Returns
    -------
    (x0, y0, x1, y1) float, inside the strip, x0 < x1 and y0 < y1; a cell without ink, a space say, stays
    whole.
    """
    if not spans:
        return []
    ink = gray < INK
    width = ink.shape[1]
    centres = np.clip([span.centre * STRIDE for span in spans], 0, width)
    top, bottom = _text_rows(ink)
    reach = _WIDEST / 2 * (bottom - top)
    borders = [0.0, *_borders(centres, ink.sum(axis=0)), float(width)]
    found: list[Box] = []
    for i, centre in enumerate(centres.tolist()):
        left = max(borders[i], centre - reach)
        right = min(borders[i + 1], centre + reach)
        # two spikes closer than a pixel leave no cell between their borders
        x0 = int(min(max(np.floor(left), 0), width - 1))
        x1 = int(min(max(np.ceil(right), x0 + 1), width))
        found.append(_tightened(ink, x0, x1, top, bottom))
    return found


def _text_rows(ink: NDArray[np.bool_]) -> tuple[int, int]:
    """Rows (top, bottom) between which the ink lies, at least half the strip for a lone dash or dot."""
    rows = np.flatnonzero(ink.any(axis=1))
    if not len(rows):
        return 0, HEIGHT
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    lack = max(0, HEIGHT // 2 - (bottom - top))
    top = max(0, top - (lack + 1) // 2)
    return top, min(HEIGHT, max(bottom, top + HEIGHT // 2))


def _borders(centres: NDArray[np.float64], ink_in_column: NDArray[np.int64]) -> list[float]:
    """Where each character ends and the next begins: the emptiest column near the middle of their centres."""
    apart = np.diff(centres)
    middle = (centres[:-1] + centres[1:]) / 2
    first, last = (
        np.ceil(middle - apart * _WANDER).astype(np.int64),
        np.floor(middle + apart * _WANDER).astype(np.int64),
    )
    choice = last > first
    if not choice.any():
        return [float(x) for x in middle]
    # a border at x lies between the columns x - 1 and x; of equally empty ones the nearest to the middle wins
    width = len(ink_in_column)
    columns = first[:, None] + np.arange(int((last - first).max()) + 1)
    near = np.clip(columns, 1, width - 1)
    astray = np.abs(columns - middle[:, None]) / np.where(choice, apart, 1)[:, None]
    cost = np.where(columns <= last[:, None], ink_in_column[near] + ink_in_column[near - 1] + astray, np.inf)
    found: list[float] = np.where(choice, first + cost.argmin(axis=1), middle).tolist()
    return found


def _tightened(ink: NDArray[np.bool_], x0: int, x1: int, top: int, bottom: int) -> Box:
    """The cell cut down to its ink, or the whole cell where there is none."""
    cell = ink[:, x0:x1]
    columns = np.flatnonzero(cell.any(axis=0))
    if not len(columns):
        return float(x0), float(top), float(x1), float(bottom)
    rows = np.flatnonzero(cell.any(axis=1))
    return float(x0 + columns[0]), float(rows[0]), float(x0 + columns[-1] + 1), float(rows[-1] + 1)
