"""How well lines were found: counts that add up, on pages whose lines are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jphtr.records import LineRegion
from jphtr.segment.quads import corners, overlap

ENOUGH = 0.5  # intersection over union from which a line counts as found


@dataclass(frozen=True, slots=True)
class Found:
    """Counts over pages; they add up with `+`.

    Attributes
    ----------
    hits, said, there : lines that were found rightly, that were found, and that there are.
    ordered, pages : pages whose found lines stand in the right order, and all of them.
    turned : hits whose direction is wrong.
    """

    hits: int = 0
    said: int = 0
    there: int = 0
    ordered: int = 0
    pages: int = 0
    turned: int = 0

    @property
    def precision(self) -> float:
        return self.hits / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        return self.hits / self.there if self.there else 1.0

    @property
    def f1(self) -> float:
        both = self.said + self.there
        return 2 * self.hits / both if both else 1.0

    @property
    def in_order(self) -> float:
        """Part of the pages that are read in the right order."""
        return self.ordered / self.pages if self.pages else 1.0

    def __add__(self, other: Found) -> Found:
        return Found(
            self.hits + other.hits, self.said + other.said, self.there + other.there,
            self.ordered + other.ordered, self.pages + other.pages, self.turned + other.turned,
        )  # fmt: skip


def matched(truth: Sequence[LineRegion], found: Sequence[LineRegion]) -> list[tuple[int, int]]:
    """Pairs (place in truth, place in found) of lines that overlap enough, each line in one pair, the closest first."""
    if not truth or not found:
        return []
    a, b = corners(truth), corners(found)
    low, high = (
        np.maximum(a.min(axis=1)[:, None], b.min(axis=1)[None]),
        np.minimum(a.max(axis=1)[:, None], b.max(axis=1)[None]),
    )
    near = (high > low).all(axis=2)
    pairs = [(overlap(a[i], b[j]), i, j) for i, j in np.argwhere(near).tolist()]
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    kept = []
    for share, i, j in sorted(pairs, key=lambda p: -p[0]):
        if share >= ENOUGH and i not in taken_a and j not in taken_b:
            taken_a.add(i)
            taken_b.add(j)
            kept.append((i, j))
    return sorted(kept)


def score(truth: Sequence[LineRegion], found: Sequence[LineRegion]) -> Found:
    """Counts for one page; both in reading order."""
    pairs = matched(truth, found)
    order = [j for _, j in pairs]
    turned = sum(truth[i].direction != found[j].direction for i, j in pairs)
    return Found(len(pairs), len(found), len(truth), int(order == sorted(order)), 1, turned)
