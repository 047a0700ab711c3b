"""Text -> layout -> ink -> paper: synthetic lines with an exact box for every character, on the fly."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from jphtr.charset import Charset
from jphtr.compose.atlas import Atlas
from jphtr.compose.crop import crop
from jphtr.compose.ink import INKS, Boxes, Ink, draw, paste, warp
from jphtr.compose.layout import Hand, Placed, is_latin, lay_out
from jphtr.compose.paper import PAPERS
from jphtr.compose.text import TextSource, load_corpus
from jphtr.records import CharSpan, Direction, Gray, Line
from jphtr.settings import ComposeSettings

Rng = np.random.Generator
ROMAN = "roman"  # the style of faces that hold letters and digits alone, and lend them to others
_ROMAN = 0.6  # share of the lines with letters from elsewhere that take them from such a face, where there are some
_DRY_BRUSH = 4.5  # how much more often a brush than another tool runs short of ink
_EM = 48  # pixels of an em in a glyph's canvas; lines are drawn at this size, then scaled
_MARGIN = 44  # pixels around a line that is drawn, for what hangs out of its body


@dataclass(frozen=True, slots=True)
class Setting:
    """A line before it is drawn.

    Attributes
    ----------
    placed : its characters and where they stand; the first and the last are no spaces.
    writer, style : whose glyphs they are: a number of the atlas, and its style.
    direction : how it runs.
    empty : whether they only give a picture its size, in which nothing is drawn.
    """

    placed: list[Placed]
    writer: int
    style: str
    direction: Direction
    empty: bool


class Composer:
    """Composes lines of text from glyph files; line i of a stream is `line(default_rng([seed, i]))`.

    Parameters
    ----------
    settings : how lines look.
    charset : the characters that may appear.
    glyphs : glyph files; each writer's style (print, hand, brush, ...) stands in them. Writers of the style `roman` write
        no line of their own, but the letters and digits of others.
    texts : sentence files, plain or .xz.

    Attributes
    ----------
    atlas : all glyphs.
    styles : the styles in which lines can be written.
    texts : what lines say.

    Raises
    ------
    DataError
        If a file is missing or holds nothing of the charset.
    """

    def __init__(
        self, settings: ComposeSettings, charset: Charset, glyphs: Sequence[Path], texts: Sequence[Path]
    ) -> None:
        cv2.setNumThreads(1)
        self.charset = charset
        self.atlas = Atlas(glyphs, charset)
        self._corpus = load_corpus(charset, texts, settings.addresses, settings.words, settings.confusions)
        self._apply(settings)

    def with_settings(self, settings: ComposeSettings) -> Composer:
        """A composer of the same glyphs and texts under other settings (their files are not read again)."""
        other = copy.copy(self)
        other._apply(settings)
        return other

    def _apply(self, settings: ComposeSettings) -> None:
        self.settings = settings
        self.texts = TextSource(
            self.charset, self._corpus, settings.mix, (settings.min_chars, settings.max_chars), settings.commas
        )
        self._kana = np.array(
            [label for label, char in enumerate(self.charset.chars) if "ぁ" <= char <= "ヿ"], np.int64
        )
        shares = {s: settings.styles.get(s, 0.0) for s in self.atlas.by_style if s != ROMAN}
        if not sum(shares.values()):
            shares = dict.fromkeys(shares, 1.0)
        self.styles = list(shares)
        self._style_p = np.array(list(shares.values())) / sum(shares.values())

    def line(
        self, rng: Rng, *, style: str | None = None, direction: Direction | None = None, text: str | None = None
    ) -> Line:
        """Compose one line.

        Parameters
        ----------
        rng : the only source of chance.
        style, direction, text : fix one of these instead of drawing it.

        Returns
        -------
        Line
            Its spans hold the box of each character's ink in pixels of the picture (cells, for spaces).
            A line without text is a picture of paper, rules and dirt.
        """
        settings = self.settings
        setting = self.arrange(rng, style=style, direction=direction, text=text)
        placed, writer, style, direction = setting.placed, setting.writer, setting.style, setting.direction
        empty = setting.empty
        ink, boxes = draw(placed, _EM, _MARGIN)
        if empty:
            ink[:] = 0
        rough = style not in ("print", "display")
        degraded = rng.random() < settings.degraded
        for name in INKS:
            if rng.random() < self.ink_chance(name, style, degraded):
                ink = INKS[name](ink, rng)
        if not empty and rng.random() < 0.07 and style == "print":
            for kana in self.ruby(placed, ((boxes[:, 0] - _MARGIN) / _EM).tolist(), writer, rng):
                paste(ink, kana, _EM, _MARGIN, _MARGIN, np.zeros(4, np.float32))
        if rng.random() < (0.8 if rough else 0.55 if degraded else 0.2):
            strength = 1.0 if rough else 0.35
            ink, boxes = warp(
                ink, boxes, rng,
                tilt=float(rng.normal(0, 0.009)) * min(1.0, 900 / ink.shape[1]),
                drift=abs(float(rng.normal(0, 2.4))) * strength,
                wave=abs(float(rng.normal(0, 1.1 * settings.bend if rough else 0.4))),
            )  # fmt: skip
        if rng.random() < settings.neighbours:
            ink = _neighbours(ink, rng)
        gray, boxes = self._picture(ink, boxes, degraded, empty, rng)
        if direction == "vertical":
            gray = np.ascontiguousarray(np.rot90(gray, -1))
            width = gray.shape[1]
            boxes = np.stack([width - boxes[:, 3], boxes[:, 0], width - boxes[:, 1], boxes[:, 2]], axis=1)
        kept = [] if empty else list(zip(placed, boxes.tolist(), strict=True))
        spans = tuple(CharSpan(p.char, (b[0], b[1], b[2], b[3])) for p, b in kept)
        return Line(gray, "".join(s.char for s in spans), self.atlas.writers[writer], "composed", direction, spans)

    def arrange(
        self, rng: Rng, *, style: str | None = None, direction: Direction | None = None, text: str | None = None
    ) -> Setting:
        """Choose the text and the hand of a line and place its characters: what `line` draws.

        Parameters
        ----------
        rng : the only source of chance.
        style, direction, text : fix one of these instead of drawing it.
        """
        settings = self.settings
        direction = direction or ("vertical" if rng.random() < settings.vertical else "horizontal")
        style = style or self.styles[int(rng.choice(len(self.styles), p=self._style_p))]
        empty = text is None and rng.random() < settings.empty
        wanted = self.charset.chars[1] if empty else text if text is not None else self.texts.draw(rng)
        writer = self.writer(style, wanted, rng)
        hand = self.hand(writer, style, rng)
        if settings.roman and style in ("print", "display") and rng.random() < settings.roman:
            faces = ROMAN if ROMAN in self.atlas.by_style and rng.random() < _ROMAN else style
            hand = replace(hand, roman=self.writer(faces, "".join(filter(is_latin, wanted)) or wanted, rng))
        lacks = "".join(c for c in wanted if not self.atlas.has[writer, self.charset.label(c)]) or wanted
        placed = lay_out(wanted, self.atlas, hand, direction, rng, self.writer(style, lacks, rng, writer))
        while placed and placed[0].patch is None:
            placed = placed[1:]
        while placed and placed[-1].patch is None:
            placed = placed[:-1]
        if placed and placed[0].start:
            offset = placed[0].start
            for p in placed:
                p.matrix[0, -1] -= offset * (p.patch is not None)
            placed = [Placed(p.char, p.patch, p.matrix, p.start - offset, p.end - offset) for p in placed]
        return Setting(placed, writer, style, direction, empty)

    def writer(self, style: str, text: str, rng: Rng, other_than: int | None = None) -> int:
        """A writer of the style who has the text's characters: the best of three drawn ones.

        A writer without any kana, a Chinese font say, is judged by the rest: somebody else writes the kana.
        """
        pool = self.atlas.by_style[style]
        labels = np.array(self.charset.encode(text.replace(" ", "") or text))
        best, most = -1, -1.0
        for _ in range(3):
            writer = int(pool[int(rng.integers(len(pool)))])
            asked = labels if self.atlas.has[writer, self._kana].any() else labels[~np.isin(labels, self._kana)]
            share = float(self.atlas.has[writer, asked].mean()) if len(asked) else 0.0
            if share > most and (writer != other_than or len(pool) == 1 or best < 0):
                best, most = writer, share
            if most > 0.98:
                break
        return best

    def hand(self, writer: int, style: str, rng: Rng) -> Hand:
        """How a writer sets or writes one line: print is even, a person is not."""
        r = rng.random()
        wide = float(rng.uniform(0.15, 1.2)) if r < 0.07 else 0.0
        word, upright, pairs = float(rng.uniform(0.25, 1.1)), rng.random() < 0.6, rng.random() < 0.35
        if style in ("print", "display"):
            return Hand(
                writer, kana=1.0 if rng.random() < 0.75 else float(rng.uniform(0.88, 1.0)),
                jitter=0.0 if rng.random() < 0.8 else float(rng.uniform(0, 0.025)),
                tracking=wide or (0.0 if r < 0.5 else float(rng.uniform(-0.07, 0.13))),
                gap=float(rng.choice([0.0, 0.0, 0.12, 0.25])), slant=0.0 if rng.random() < 0.93 else float(rng.normal(0, 0.15)),
                aspect=1.0 if rng.random() < 0.7 else float(rng.uniform(0.72, 1.2)), tight_signs=rng.random() < 0.35,
                word=word, upright_latin=upright, pairs=pairs,
            )  # fmt: skip
        return Hand(
            writer, kana=float(rng.uniform(0.68, 1.0)), jitter=float(rng.uniform(0.01, 0.09)),
            tracking=wide or float(rng.uniform(-0.1, 0.22)), gap=float(rng.uniform(0, 0.2)),
            slant=float(rng.normal(0, 0.09)), aspect=float(rng.uniform(0.75, 1.15)), tight_signs=rng.random() < 0.2,
            latin=float(rng.uniform(0.75, 1.05)), word=word, upright_latin=upright, pairs=pairs,
        )  # fmt: skip

    def ink_chance(self, name: str, style: str, degraded: bool) -> float:
        """The chance that a line's ink suffers one of `ink.INKS`."""
        chance = self.settings.worn_ink * (1.0 if degraded or style not in ("print", "display") else 0.5)
        return chance * _DRY_BRUSH if name == "dry" and style == "brush" else chance

    def ruby(self, placed: Sequence[Placed], starts: Sequence[float], writer: int, rng: Rng) -> list[Placed]:
        """Small kana beside some kanji: there for people, not part of the text.

        Parameters
        ----------
        starts : where the ink of each character begins along the line, in em.
        """
        found = []
        size = float(rng.uniform(0.38, 0.5))
        for p, start in zip(placed, starts, strict=True):
            if p.patch is None or not "一" <= p.char <= "鿿" or rng.random() < 0.5:
                continue
            count = int(rng.integers(1, 4))
            for place in range(count):
                kana = chr(int(rng.integers(ord("あ"), ord("ん") + 1)))
                patch = (
                    self.atlas.patch(writer, self.charset.label(kana), 0, rng) if self.charset.covers(kana) else None
                )
                if patch is None or np.isnan(patch.em[0]):
                    continue
                x = start + place * size
                turn = np.sign(p.matrix[0, 0]) == 0 or abs(p.matrix[0, 0]) < abs(p.matrix[0, 1])
                matrix = np.array([[0, 1], [-1, 0]]) if turn else np.eye(2)
                matrix = matrix * size / (patch.em[2] - patch.em[0])
                centre = np.array([[(patch.em[0] + patch.em[2]) / 2], [(patch.em[1] + patch.em[3]) / 2]])
                matrix = np.concatenate([matrix, -matrix @ centre], axis=1)
                matrix[:, 2] += (x + size / 2, -size * 0.5 - float(rng.uniform(0, 0.06)))
                found.append(Placed(kana, patch, matrix, 0, 0))
        return found

    def _picture(self, ink: Ink, boxes: Boxes, degraded: bool, empty: bool, rng: Rng) -> tuple[Gray, Boxes]:
        """Crop, scale to the picture's resolution, and let paper, light and scanner at it."""
        height, width = ink.shape
        part = crop(boxes, (0.0, _MARGIN, width, height - _MARGIN), _EM, self.settings, rng)
        x0, y0, x1, y1 = (round(edge) for edge in (part.left, part.top, part.right, part.bottom))
        out = cv2.copyMakeBorder(
            ink[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)],
            max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width), cv2.BORDER_CONSTANT, value=0,
        )  # fmt: skip
        boxes = boxes - np.array([x0, y0, x0, y0], np.float32)
        em = part.em
        scale = em / _EM
        size = (max(4, round(out.shape[1] * scale)), max(4, round(out.shape[0] * scale)))
        out = cv2.resize(out, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        boxes = boxes * scale
        boxes[:, 0::2] = np.clip(boxes[:, 0::2], 0, size[0])
        boxes[:, 1::2] = np.clip(boxes[:, 1::2], 0, size[1])
        gray: Gray = 255 - out
        if degraded:
            drawn = rng.random(len(PAPERS))
            power = float(rng.uniform(0.3, 1.25))  # some pictures suffer little, some a lot
            for (function, share), r in zip(PAPERS.values(), drawn, strict=True):
                if r < share * power:
                    gray = function(gray, em, rng)
        elif empty or rng.random() < 0.3:
            gray = PAPERS["low_contrast"][0](gray, em, rng)
        return gray, boxes


def _neighbours(ink: Ink, rng: Rng) -> Ink:
    """Parts of the lines before and after, where the crop took too much: this line again, moved along and aside."""
    out = ink.copy()
    for side in (-1, 1):
        if rng.random() < 0.6:
            shift = side * round(_EM * float(rng.uniform(1.12, 1.75)))
            other = np.roll(ink, int(rng.integers(_EM, max(_EM + 1, ink.shape[1]))), axis=1)
            if shift > 0:
                np.maximum(out[shift:], other[:-shift], out=out[shift:])
            else:
                np.maximum(out[:shift], other[-shift:], out=out[:shift])
    return out
