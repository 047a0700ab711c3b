"""Connected components of a mask, by runs of its rows: no loop over pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Label the pieces of a mask that hang together by sides or corners.

    Parameters
    ----------
    mask : (H, W).

    Returns
    -------
    labels (H, W), 0 outside, and how many pieces there are; they are numbered from 1 in the order of their first pixel.
    """
    height, width = mask.shape
    wide = np.zeros((height, width + 2), np.int8)
    wide[:, 1:-1] = mask
    edges = np.diff(wide, axis=1).ravel()  # (H * (W + 1),): 1 where a run starts, -1 behind its end
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    labels = np.zeros((height, width), np.int32)
    if not len(starts):
        return labels, 0
    rows = starts // (width + 1)
    step = width + 1
    # a run touches those of the next row that begin at or before its end and end at or behind its start
    first = np.searchsorted(stops, starts + step, "left")
    last = np.searchsorted(starts, stops + step, "right")
    inside = rows + 1
    first = np.maximum(first, np.searchsorted(rows, inside, "left"))
    last = np.minimum(last, np.searchsorted(rows, inside, "right"))
    counts = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(starts)), counts)
    below = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    roots = joined(len(starts), above, below)
    _, number = np.unique(roots, return_inverse=True)
    lengths = stops - starts
    values = np.repeat((number + 1).astype(np.int32), lengths)
    labels[mask] = values
    return labels, int(number.max()) + 1


def joined(count: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of `count` things the least one that it hangs together with, by the pairs (a, b) that touch."""
    root = np.arange(count)
    while True:
        low = np.minimum(root[a], root[b])
        before = root.copy()
        np.minimum.at(root, root[a], low)
        np.minimum.at(root, root[b], low)
        root = root[root]
        if np.array_equal(root, before):
            return root
