"""Lines of a page -> the order in which a person reads them, and the blocks that they form.

White space cuts the page (the recursive X-Y cut of Nagy and Seth 1984), each direction in its own way: vertical writing
runs in bands from top to bottom, inside a band in columns from right to left; horizontal writing in columns from left to
right, inside a column from top to bottom. Where no white space goes through, because a heading spans the columns, the
page is cut across first, at the place that frees most of it. Tables are read by rows. Ruby follows its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from jphtr.records import LineRegion
from jphtr.segment.quads import corners, sizes, tilt, turned

Floats = NDArray[np.float64]
Places = list[int]

_GAP = 0.6  # heights of a line that the white space between columns, or bands, measures at least
_SHRINK = 0.15  # heights by which lines are made thinner before white space is looked for
_FURNITURE = 0.4  # part of the width that a page number or a running head takes at most
_FILLED = 0.3  # part of a column's height that its lines take at least
_BESIDE = 0.9  # heights of a line between its edge and the middle of its ruby


def in_order(regions: Sequence[LineRegion]) -> tuple[LineRegion, ...]:
    """The regions in reading order, their blocks numbered from 0."""
    if not regions:
        return ()
    layout = _Layout.of(regions)
    ruby = layout.ruby()
    texts = [n for n in range(len(regions)) if n not in ruby]
    found: list[LineRegion] = []
    block = -1
    for group in layout.whole(texts):
        block += 1
        for place in group:
            found.append(replace(regions[place], block=block))
            beside = [n for n, parent in ruby.items() if parent == place]
            found += [replace(regions[n], block=block) for n in sorted(beside, key=lambda n: layout.start(n))]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Lines as upright boxes (n, 4) of a page turned straight, their heights, lengths and directions."""

    boxes: Floats
    heights: Floats
    lengths: Floats
    upright: NDArray[np.bool_]
    small: NDArray[np.bool_]

    @classmethod
    def of(cls, regions: Sequence[LineRegion]) -> _Layout:
        middle = turned(corners(regions).mean(axis=1), tilt([r for r in regions if r.kind == "text"] or regions))
        lengths, heights = sizes(regions)
        upright = np.array([r.direction == "vertical" for r in regions], np.bool_)
        # each line laid straight about its middle: its own slope must not make it fat
        half = np.stack([np.where(upright, heights, lengths), np.where(upright, lengths, heights)], axis=1) / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        return cls(boxes, heights, lengths, upright, np.array([r.kind == "ruby" for r in regions], np.bool_))

    def start(self, place: int) -> float:
        """Where a line begins along its direction."""
        return float(self.boxes[place, 1 if self.upright[place] else 0])

    def ruby(self) -> dict[int, int]:
        """The line that each ruby belongs to; ruby that stands alone is left out, and read as a line."""
        found: dict[int, int] = {}
        texts = np.flatnonzero(~self.small)
        if not len(texts):
            return found
        lines = self.boxes[texts]
        for n in np.flatnonzero(self.small).tolist():
            x0, y0, x1, y1 = self.boxes[n]
            if self.upright[n]:
                common = np.minimum(y1, lines[:, 3]) - np.maximum(y0, lines[:, 1])
                away, size = (x0 + x1) / 2 - lines[:, 2], y1 - y0
            else:
                common = np.minimum(x1, lines[:, 2]) - np.maximum(x0, lines[:, 0])
                away, size = lines[:, 1] - (y0 + y1) / 2, x1 - x0
            away = away / self.heights[texts]
            fits = (common > 0.4 * size) & (away > -0.45) & (away < _BESIDE) & (self.upright[texts] == self.upright[n])
            if fits.any():
                best = np.flatnonzero(fits)[np.abs(away[fits] - 0.25).argmin()]
                found[n] = int(texts[best])
        return found

    def whole(self, places: Places) -> list[Places]:
        """Blocks of the page in order, page numbers and running heads at its ends."""
        head, rest, foot = self._peeled(places, both=True)
        return [*head, *self._cut(rest), *foot]

    def _peeled(self, places: Places, *, both: bool) -> tuple[list[Places], Places, list[Places]]:
        """Rows at the top, and at the bottom, that stand apart from horizontal writing: headings, page numbers.

        Such a row is larger than the rest, or small and short; and it is further away than lines are from each other.
        """
        head: list[Places] = []
        foot: list[Places] = []
        while len(places) > 2 and not self._vertical(places):
            rows = self._parts(places, 1, 0.02)
            if len(rows) < 2:
                break
            em = float(np.median(self.heights[places]))
            usual = self._usual_gap(places)
            wide = float(np.ptp(self.boxes[places][:, [0, 2]]))
            before = len(places)
            for ends, row, gap in (
                (head, rows[0], self._top(rows[1]) - self._bottom(rows[0])),
                (foot, rows[-1], self._top(rows[-1]) - self._bottom(rows[-2])),
            ):
                if (ends is foot and not both) or len(row) > 1:
                    continue
                leads = self._leads(row, places)
                large = ends is head and leads and self.heights[row].max() > 1.2 * em
                short = float(self.lengths[row].sum()) < _FURNITURE * wide
                # what heads a column of its own is told from a running head by the line under it
                alone = gap if leads else self._gap_along(row[0], places)
                far = alone > max(1.6 * usual, usual + (0.8 if leads else 1.6) * em)
                if (far and short) or (large and gap > 0.8 * usual):
                    ends.append(row)
                    places = [n for n in places if n not in row]
            if len(places) == before or len(foot) > 2:
                break
        return head, places, foot[::-1]

    def _leads(self, row: Places, places: Places) -> bool:
        """Whether a row begins in the left half, or reaches over the middle, of the lines that it stands over."""
        left, right = float(self.boxes[places, 0].min()), float(self.boxes[places, 2].max())
        return bool(float(self.boxes[row, 0].min()) < (left + right) / 2)

    def _gap_along(self, place: int, places: Places) -> float:
        """White space between a row and the nearest line over or under it; 0 if it has none."""
        box, others = self.boxes[place], self.boxes[[n for n in places if n != place]]
        share = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
        away = np.maximum(others[:, 1] - box[3], box[1] - others[:, 3])[share > 0]
        return float(away.min()) if len(away) else 0.0

    def _usual_gap(self, places: Places) -> float:
        """White space between a line and the next one below it."""
        boxes = self.boxes[places]
        share = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
        below = boxes[None, :, 1] - boxes[:, None, 3]
        em = float(np.median(self.heights[places]))
        below[(share < em) | (below < -0.5 * em)] = np.inf
        nearest = below.min(axis=1)
        return float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else em

    def _top(self, places: Places) -> float:
        return float(self.boxes[places, 1].min())

    def _bottom(self, places: Places) -> float:
        return float(self.boxes[places, 3].max())

    def _vertical(self, places: Places) -> bool:
        """Whether most of the writing runs from top to bottom."""
        upright = self.upright[places]
        return bool(self.lengths[places][upright].sum() > self.lengths[places][~upright].sum())

    def _parts(self, places: Places, axis: int, least: float = _GAP) -> list[Places]:
        """Lines parted by white space across an axis (0: from left to right, 1: from top to bottom)."""
        heights = self.heights[places]
        low = self.boxes[places, axis] + _SHRINK * heights
        high = self.boxes[places, axis + 2] - _SHRINK * heights
        order = np.argsort(low, kind="stable")
        reach = np.maximum.accumulate(high[order])
        wanted = least * float(np.median(heights))
        cuts = np.flatnonzero(low[order][1:] - reach[:-1] > wanted) + 1
        return [[places[n] for n in part.tolist()] for part in np.split(order, cuts)]

    def _beside(self, parts: Sequence[Places], vertical: bool) -> bool:
        """Whether parts are columns beside each other, or bands of vertical lines one over the other.

        Two of them share a stretch; and columns are filled with lines, while what is strewn over a card is not.
        """
        em = float(np.median(self.heights[[n for p in parts for n in p]]))
        if vertical:
            return any(self._over(a, b) for a, b in pairwise(parts))
        spans = [(float(self.boxes[p, 1].min()), float(self.boxes[p, 3].max())) for p in parts]
        filled = [
            float(self.heights[p].sum()) / max(1.0, stop - start) for p, (start, stop) in zip(parts, spans, strict=True)
        ]
        shared = any(min(a[1], b[1]) - max(a[0], b[0]) > 0.5 * em for n, a in enumerate(spans) for b in spans[:n])
        return shared and all(len(p) > 1 and share > _FILLED for p, share in zip(parts, filled, strict=True))

    def _over(self, upper: Places, lower: Places) -> bool:
        """Whether columns stand over columns: most lines of the smaller group have one of the other in their way."""
        a, b = self.boxes[upper], self.boxes[lower]
        if min(len(upper), len(lower)) > 2:
            spans = (float(a[:, 0].min()), float(a[:, 2].max())), (float(b[:, 0].min()), float(b[:, 2].max()))
            common = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
            return common > 0.5 * min(spans[0][1] - spans[0][0], spans[1][1] - spans[1][0])
        share = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
        em = float(np.median(self.heights[[*upper, *lower]]))
        meets = (share > 0.25 * em).any(axis=1 if len(upper) <= len(lower) else 0)
        return len(upper) + len(lower) > 2 and float(meets.mean()) >= 0.5

    def _cut(self, places: Places) -> list[Places]:
        """Blocks in order."""
        if len(places) < 2:
            return [places] if places else []
        vertical = self._vertical(places)
        if vertical and (title := self._title(places)):
            return [title, *self._cut([n for n in places if n not in title])]
        parts = self._first_parts(places, vertical)
        if len(parts) > 1:
            if vertical:
                return [block for part in parts for block in self._cut(part)]
            if self._is_table(parts):
                return [[n] for row in self._rows(places) for n in row]
            head, rest, _ = self._peeled(places, both=False)
            parts = self._first_parts(rest, vertical) if head else parts
            return [*head, *(block for part in parts for block in self._cut(part))]
        parts = self._freeing(places, vertical)
        if len(parts) > 1:
            return [block for part in parts for block in self._cut(part)]
        if self.upright[places].any() and not self.upright[places].all():
            parts = self._parts(places, 0 if vertical else 1, 0.2)
            if len(parts) > 1:
                return [block for part in (parts[::-1] if vertical else parts) for block in self._cut(part)]
        return self._blocks(places, vertical)

    def _title(self, places: Places) -> Places:
        """The one large line to the right of all vertical lines, if there is one: it stands before all bands."""
        strips = self._parts(places, 0, 0.02)
        last = strips[-1]
        em = float(np.median(self.heights[places]))
        upper = self._parts(places, 1, 0.02)[0]  # a row on top of all comes before
        alone = len(strips) > 1 and len(last) == 1 and bool(self.upright[last[0]] and self.upright[upper].any())
        return last if alone and self.heights[last[0]] > 1.2 * em else []

    def _first_parts(self, places: Places, vertical: bool) -> list[Places]:
        """Bands of vertical writing from the top, columns of horizontal writing from the left."""
        if not vertical:
            parts = self._parts(places, 0)
            return parts if len(parts) > 1 and (self._is_table(parts) or self._beside(parts, False)) else [places]
        strips = self._parts(places, 1, 0.02)
        parts = [strips[0]]
        em = float(np.median(self.heights[places]))
        for strip in strips[1:]:
            kinds = bool(self.upright[strip].any()), bool(self.upright[parts[-1]].any())
            if self._top(strip) - self._bottom(parts[-1]) > _GAP * em or kinds[0] != kinds[1]:
                parts.append(strip)  # a row over or under the columns needs no space to be told
            else:
                parts[-1] = [*parts[-1], *strip]
        rows = any(not self.upright[part].any() for part in parts)
        return parts if len(parts) > 1 and (rows or self._beside(parts, True)) else [places]

    def _freeing(self, places: Places, vertical: bool) -> list[Places]:
        """Two parts, cut across so that most of the lines come to stand in bands or columns; one if none would."""
        strips = self._parts(places, 0 if vertical else 1, 0.02)
        if vertical:
            strips = strips[::-1]
        best, most = [places], 0
        for at in range(1, len(strips)):
            two = [[n for strip in strips[:at] for n in strip], [n for strip in strips[at:] for n in strip]]
            freed = sum(len(part) for part in two if len(self._first_parts(part, vertical)) > 1)
            if freed > most:
                best, most = two, freed
        return best

    def _is_table(self, parts: Sequence[Places]) -> bool:
        """Whether columns hold the entries of rows: short ones that stand level with each other."""
        everything = [n for part in parts for n in part]
        column = {n: place for place, part in enumerate(parts) for n in part}
        rows = self._rows(everything)
        level = sum(len(row) for row in rows if len({column[n] for n in row}) > 1)
        if level < 0.6 * len(everything):
            return False
        em = float(np.median(self.heights[everything]))
        length = float(np.median(self.lengths[everything])) / em
        filled = [
            float(np.median(self.lengths[p])) / max(1.0, float(np.ptp(self.boxes[p][:, [0, 2]]))) for p in parts
        ]  # fmt: skip
        if len(parts) > 2:
            return length < 12
        return length < 10 and min(filled) < 0.72

    def _rows(self, places: Places) -> list[Places]:
        """Lines that stand level with each other, from the left, row by row."""
        middle = (self.boxes[:, 1] + self.boxes[:, 3]) / 2
        rows: list[Places] = []
        for n in sorted(places, key=lambda n: float(middle[n])):
            if rows:
                last = rows[-1]
                near = abs(middle[n] - middle[last].mean()) < 0.45 * min(self.heights[n], self.heights[last].min())
                apart = all(self.boxes[n, 0] >= self.boxes[m, 2] or self.boxes[n, 2] <= self.boxes[m, 0] for m in last)
                if near and apart:
                    last.append(n)
                    continue
            rows.append([n])
        return [sorted(row, key=lambda n: float(self.boxes[n, 0])) for row in rows]

    def _blocks(self, places: Places, vertical: bool) -> list[Places]:
        """One column, or one band, parted where lines change their size or the space between them grows."""
        if vertical:
            right = self.boxes[:, 2]
            lines = [
                [n]
                for n in sorted(places, key=lambda n: (-float(right[n] + self.boxes[n, 0]), float(self.boxes[n, 1])))
            ]
            at = np.array([-float(right[line].max()) for line in lines])
        else:
            lines = self._rows(places)
            at = np.array([self._top(line) for line in lines])
        tall = np.array([float(self.heights[line].max()) for line in lines])
        gaps = np.diff(at) - tall[:-1]
        usual = float(np.median(gaps)) if len(gaps) else 0.0
        found: list[Places] = [[]]
        for place, line in enumerate(lines):
            if place:
                ratio = max(tall[place], tall[place - 1]) / min(tall[place], tall[place - 1])
                if ratio > 1.25 or gaps[place - 1] > usual + 0.5 * tall[place]:
                    found.append([])
            found[-1] += line
        return found
