"""A sheet of paper on which lines of text are set one after the other, each with its exact place.

Lines are set in the order in which they are read; so the order of `Sheet.lines` is the truth of the reading order.
Until the camera looks at it (`page_camera`) a sheet is flat and straight: ink on nothing, 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.compose import Composer
from jphtr.compose.ink import INKS, Boxes, Ink, draw, warp
from jphtr.compose.layout import Hand, Placed, lay_out
from jphtr.records import Direction, LineKind

Rng = np.random.Generator

_EM = 48  # pixels of an em in a glyph's canvas; lines are drawn at this size, then scaled
_MARGIN = 44  # pixels around a line that is drawn
_MILD = ("thicken", "spread", "ragged", "faint", "outline")  # what a whole page suffers and stays legible
_NO_START = frozenset("、。，．,.」』）］】〕〉》！？!?)]ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々")


@dataclass(frozen=True, slots=True)
class Pen:
    """What writes: a writer and a hand, who helps out with missing characters, and how the ink lies.

    `effects` are keys of `INKS` that every line suffers, `rough` the strength of its waves and slopes, `dark` the
    share of full black.
    """

    writer: int
    hand: Hand
    fallback: int
    effects: tuple[str, ...] = ()
    rough: float = 0.0
    dark: float = 1.0


@dataclass(frozen=True, slots=True)
class SetLine:
    """A line on the sheet: `quad` (4, 2) is its body, `boxes` (n, 4) the ink of its characters, in pixels."""

    text: str
    direction: Direction
    block: int
    kind: LineKind
    quad: NDArray[np.float64]
    boxes: NDArray[np.float64]


class Sheet:
    """Paper under the pen.

    Parameters
    ----------
    composer : gives glyphs, writers and texts.
    size : (width, height) in pixels.
    rng : the only source of chance.
    """

    def __init__(self, composer: Composer, size: tuple[int, int], rng: Rng) -> None:
        self.composer, self.rng = composer, rng
        self.width, self.height = size
        self.ink: Ink = np.zeros((size[1], size[0]), np.uint8)
        self.lines: list[SetLine] = []
        self.block = -1
        self._prose: list[str] = []

    def pen(self, style: str, *, calm: bool = False) -> Pen:
        """A pen of a style; a `calm` one keeps to its line and to ordinary spacing."""
        composer, rng = self.composer, self.rng
        sample = self.sentence()[:60]
        writer = composer.writer(style, sample, rng)
        other = composer.writer(style, sample, rng, writer)
        hand = composer.hand(writer, style, rng)
        rough = style not in ("print", "display")
        hand = replace(hand, tracking=float(np.clip(hand.tracking, -0.06, 0.12 if calm else 0.25)))
        kinds = list(INKS if rng.random() < 0.1 else _MILD)
        effects = (kinds[int(rng.integers(len(kinds)))],) if rng.random() < (0.35 if rough else 0.25) else ()
        dark = float(rng.uniform(0.55, 1.0)) if rng.random() < 0.4 else 1.0
        wave = float(rng.uniform(0.3, 1.0)) if rough else 0.3 if rng.random() < 0.15 else 0.0
        return Pen(writer, hand, other, effects, 0.4 * wave if calm else wave, dark)

    def new_block(self) -> int:
        """Begin a block: what is written from now on belongs to it."""
        self.block += 1
        return self.block

    def sentence(self) -> str:
        """A sentence from the texts."""
        texts = self.composer.texts
        sentences = texts.corpus.sentences
        if not sentences or self.rng.random() < 0.05:
            return texts.draw(self.rng)
        chosen = sentences[int(self.rng.integers(len(sentences)))]
        covers = self.composer.charset.covers
        return "".join(c for c in chosen if covers(c) and c != " ") or texts.draw(self.rng)

    def phrase(self, least: int, most: int) -> str:
        """A short text of at most `most` characters, such as a heading or the entry of a form."""
        length = int(self.rng.integers(least, most + 1))
        return self.composer.texts.draw(self.rng)[:length].strip() or "題"

    def prose(self, length: float) -> str:
        """The coming piece of running text, some `length` characters; shorter where a paragraph ends."""
        if not self._prose:
            self._prose = [self.sentence() for _ in range(int(self.rng.integers(1, 7)))]
            self._prose = ["　" + "".join(self._prose)] if self.rng.random() < 0.75 else ["".join(self._prose)]
        text = self._prose.pop()
        count = max(1, int(length))
        while count < len(text) and text[count] in _NO_START and count > 1:
            count -= 1
        if text[count:]:
            self._prose.append(text[count:])
        return text[:count]

    def line(
        self, text: str, x: float, y: float, em: float, direction: Direction, pen: Pen, *,
        limit: float = np.inf, fill: bool = False, cell: float = 0.0, ruby: float = 0.0, kind: LineKind = "text",
    ) -> float:  # fmt: skip
        """Write a line whose body begins with its top left corner at (x, y).

        Parameters
        ----------
        em : size of the characters in pixels.
        limit : pixels along the line at which it has to end; characters beyond are left out.
        fill : spread the characters so that the line ends at its limit, if it nearly does.
        cell : em that every character has to itself, as on manuscript paper; 0 for running text.
        ruby : chance that a run of kanji has small kana beside it.

        Returns
        -------
        The pixels along the line that it takes, 0 if nothing could be written.
        """
        indent = len(text) - len(text.lstrip("　 "))
        text = "".join(c for c in text if c == "　" or self.composer.charset.covers(c))
        placed = self._placed(text.strip("　 "), pen, direction, limit / em - indent, fill, cell)
        if not placed:
            return 0.0
        start = indent * em
        ink, boxes, body = self._drawn(placed, pen, em)
        scale = em / _EM
        high, wide = ink.shape
        size = (max(2, round(wide * scale)), max(2, round(high * scale)))
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if pen.dark < 1:
            ink = (ink * np.float32(pen.dark)).astype(np.uint8)
        step_x, step_y = size[0] / wide, size[1] / high  # rounded sizes move a long line's end by a pixel
        # where the plane of the line lies on the sheet
        corner = np.array([x + start, y] if direction == "horizontal" else [x, y + start])
        margin = _MARGIN * scale
        if direction == "vertical":
            ink = np.ascontiguousarray(np.rot90(ink, -1))
        left, top = round(float(corner[0]) - margin), round(float(corner[1]) - margin)
        self._paste(ink, left, top)

        def on_sheet(points: NDArray[np.float64]) -> NDArray[np.float64]:
            """Points (n, 2) of the drawn line in pixels of the sheet."""
            px, py = points[:, 0] * step_x, points[:, 1] * step_y
            if direction == "vertical":
                px, py = size[1] - py, px
            return np.stack([px + left, py + top], axis=1)

        flat = boxes.astype(np.float64)
        ends = on_sheet(flat[:, :2]), on_sheet(flat[:, 2:])
        on = np.concatenate([np.minimum(*ends), np.maximum(*ends)], axis=1)
        # a quad starts at the top left of the first character as one reads it
        quad = on_sheet(body[[3, 0, 1, 2]] if direction == "vertical" else body)
        self.lines.append(SetLine("".join(p.char for p in placed), direction, self.block, kind, quad, on))
        length = start + placed[-1].end * em
        if ruby:
            self._ruby(placed, flat[:, [0, 2]] * scale - margin, corner, em, direction, pen, ruby)
        return float(length)

    def _placed(self, text: str, pen: Pen, direction: Direction, limit: float, fill: bool, cell: float) -> list[Placed]:
        """The characters that fit into `limit` em, spread if the line is to be filled."""
        placed = lay_out(text, self.composer.atlas, pen.hand, direction, self.rng, pen.fallback)
        if cell:
            placed = [p for i, p in enumerate(placed) if (i + 1) * cell <= limit + 0.35]
        else:
            placed = [p for p in placed if p.end <= limit + 0.35]
        while placed and placed[0].patch is None:
            placed = placed[1:]
        while placed and placed[-1].patch is None:
            placed = placed[:-1]
        if not placed:
            return []
        shift = np.full(len(placed), -placed[0].start)
        slack = limit - placed[-1].end - float(shift[0])
        if cell:
            shift = np.array([(i + 0.5) * cell - (p.start + p.end) / 2 for i, p in enumerate(placed)])
        elif fill and len(placed) > 3 and -0.4 < slack < 1.6:
            shift += np.linspace(0, slack, len(placed))
        moved = []
        for p, by in zip(placed, shift.tolist(), strict=True):
            matrix = p.matrix.copy()
            matrix[0, -1] += by * (p.patch is not None)
            moved.append(Placed(p.char, p.patch, matrix, p.start + by, p.end + by))
        return moved

    def _drawn(self, placed: list[Placed], pen: Pen, em: float) -> tuple[Ink, Boxes, NDArray[np.float64]]:
        """Ink and boxes of a line at 48 pixels an em, and the corners (4, 2) of its body."""
        rng = self.rng
        ink, boxes = draw(placed, _EM, _MARGIN)
        for name in pen.effects:
            ink = INKS[name](ink, rng)
        middle = (boxes[:, 0] + boxes[:, 2]) / 2
        before = boxes[:, 1].copy()
        if pen.rough:
            strength = pen.rough
            ink, boxes = warp(
                ink, boxes, rng,
                tilt=float(rng.normal(0, 0.009)) * strength * min(1.0, 900 / ink.shape[1]),
                drift=abs(float(rng.normal(0, 2.4))) * strength,
                wave=abs(float(rng.normal(0, 1.1))) * strength,
            )  # fmt: skip
        moved = (boxes[:, 1] - before).astype(np.float64)
        slope, level = np.polyfit(middle, moved, 1) if len(placed) > 4 else (0.0, float(moved.mean()))
        inked = boxes[[p.patch is not None for p in placed]]
        x0, x1 = float(inked[:, 0].min()), float(inked[:, 2].max())
        # a line of signs alone is as high as its cells; one that leaves them is as high as its ink
        high = min(0.0, float(np.percentile(inked[:, 1] - _MARGIN, 25)) - level)
        low = max(float(_EM), float(np.percentile(inked[:, 3] - _MARGIN, 75)) - level)
        body = np.array([[x0, high], [x1, high], [x1, low], [x0, low]], np.float64)
        body[:, 1] += _MARGIN + level + slope * body[:, 0]
        return ink, boxes, body

    def _paste(self, ink: Ink, left: int, top: int) -> None:
        """Lay ink over the sheet; what lies beyond its edges is lost."""
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self.width, left + ink.shape[1]), min(self.height, top + ink.shape[0])
        if x1 > x0 and y1 > y0:
            under = self.ink[y0:y1, x0:x1]
            np.maximum(under, ink[y0 - top : y1 - top, x0 - left : x1 - left], out=under)

    def _ruby(
        self, placed: list[Placed], extents: NDArray[np.float64], corner: NDArray[np.float64], em: float,
        direction: Direction, pen: Pen, chance: float,
    ) -> None:  # fmt: skip
        """Small kana beside runs of kanji, each run a line of its own; extents (n, 2) are along the line."""
        rng = self.rng
        size = em * float(rng.uniform(0.44, 0.54))
        away = em * float(rng.uniform(0.0, 0.08))
        hand = replace(pen.hand, kana=1.0, tracking=0.0, jitter=min(pen.hand.jitter, 0.03), aspect=1.0)
        small = replace(pen, hand=hand, rough=0.0, effects=())
        free, index = -np.inf, 0
        while index < len(placed):
            stop = index
            while stop < len(placed) and "一" <= placed[stop].char <= "鿿" and stop - index < 4:
                stop += 1
            if stop == index or rng.random() >= chance:
                index = max(stop, index + 1)
                continue
            count = max(1, round((stop - index) * float(rng.uniform(1.0, 2.3))))
            middle = float(extents[index, 0] + extents[stop - 1, 1]) / 2
            begin = middle - count * size / 2
            if begin >= free:
                kana = "".join(chr(int(rng.integers(ord("あ"), ord("ん") + 1))) for _ in range(count))
                if direction == "horizontal":
                    x, y = float(corner[0]) + begin, float(corner[1]) - size - away
                else:
                    x, y = float(corner[0]) + em + away, float(corner[1]) + begin
                self.line(kana, x, y, size, direction, small, kind="ruby")
                free = begin + (count + 0.7) * size
            index = stop
