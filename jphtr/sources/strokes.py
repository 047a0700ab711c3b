"""Stroke data -> Glyph: characters written by synthetic hands, each of them one writer.

A writer is a `Hand`, drawn from ranges that describe how people write with a tool (HANDS). The em square is
at [8, 8, 56, 56] of the canvas, as for fonts; forms for vertical lines follow from the strokes themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import SMALL_KANA, Charset
from jphtr.errors import DataError
from jphtr.records import Glyph
from jphtr.sources.fonts import EM
from jphtr.sources.strokes_ink import Hand, Pen, write
from jphtr.sources.strokes_paths import Drawing, Points, drawing, drawings
from jphtr.sources.strokes_signs import SIGNS

# What people write with, in proportion: twelve thin lines, five markers and seven brushes of 24.
MIX = (
    "pen", "brush", "ballpoint", "marker", "pencil", "brush", "pen", "ballpoint", "marker", "brush", "pencil",
    "pen", "brush", "ballpoint", "marker", "brush", "pen", "pencil", "marker", "brush", "ballpoint", "pen",
    "marker", "brush",
)  # fmt: skip

_TURNED = frozenset("ー―‐〜…‥「」『』（）〈〉《》【】〔〕［］＝：；−")  # lie on their side in a vertical line
_CORNER = {
    "、": (0.5, -0.52),
    "。": (0.5, -0.5),
    "，": (0.5, -0.62),
    "．": (0.56, -0.66),
}  # move to the upper right
_SMALL_SHIFT = (0.1, -0.12)


def _range(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _any_hand(rng: np.random.Generator, pen: Pen, care: float) -> Hand:
    """A hand with a pen, from hasty (care 0) to neat (care 1), before its tool is known well."""
    free = 1.0 - care
    r = _range
    return Hand(
        name="", pen=pen, width=r(rng, 0.028, 0.042), contrast=r(rng, 0.1, 0.45), nib=0.0, nib_angle=0.0,
        ink=r(rng, 0.85, 1.05), grain=0.0,
        scale=r(rng, 0.78, 0.98), aspect=r(rng, 0.86, 1.16), slant=r(rng, -0.08, 0.16) * (0.4 + free),
        rise=r(rng, -0.02, 0.13) * (0.5 + 0.6 * free),
        straighten=r(rng, 0, 0.55), round=free * r(rng, 0.4, 2.0),
        overshoot=0.01 + 0.03 * free, taper=r(rng, 0.2, 0.5), join=max(0.0, free - 0.35) * r(rng, 0.4, 1.3),
        link=r(rng, 0.35, 0.75), entry=0.0, tremor=r(rng, 0, 0.004) + 0.002 * free,
        wander=0.008 + 0.022 * free, sway=0.02 + 0.07 * free, swell=0.02 + 0.07 * free,
        kaisho=bool(rng.random() < 0.2),
        warp=rng.normal(0, 0.05 + 0.06 * free, (2, 6)), bend=rng.normal(0, 0.012 + 0.035 * free, 24),
        turn=rng.normal(0, 0.02 + 0.05 * free, 24), stretch=rng.normal(0, 0.03 + 0.07 * free, 24),
        shift=rng.normal(0, 0.006 + 0.014 * free, (24, 2)),
        divide=rng.normal((-0.02, 0.0, 0.0), (0.07, 0.02, 0.035), (2, 3)),
    )  # fmt: skip


def _pen(rng: np.random.Generator, care: float) -> Hand:
    """Fountain and gel pens: dark, the line thins in sweeps."""
    return replace(_any_hand(rng, "pen", care), contrast=_range(rng, 0.25, 0.6))


def _ballpoint(rng: np.random.Generator, care: float) -> Hand:
    """Thin and even."""
    width, ink = _range(rng, 0.022, 0.034), _range(rng, 0.75, 1.0)
    return replace(_any_hand(rng, "ballpoint", care), width=width, contrast=_range(rng, 0, 0.2), ink=ink)


def _pencil(rng: np.random.Generator, care: float) -> Hand:
    """Gray and grainy, softer leads wider."""
    soft = _range(rng, 0, 1)
    hand = _any_hand(rng, "pencil", care)
    return replace(hand, width=0.028 + 0.022 * soft, ink=0.6 + 0.25 * soft, grain=_range(rng, 0.3, 0.7), contrast=0.25)


def _marker(rng: np.random.Generator, care: float) -> Hand:
    """Felt tips: wide and even, round or cut flat."""
    flat = _range(rng, 0.25, 0.55) if rng.random() < 0.4 else 0.0
    hand = _any_hand(rng, "marker", care)
    width = _range(rng, 0.055, 0.095)
    return replace(hand, width=width, contrast=0.08, nib=flat, nib_angle=_range(rng, -1.2, 0.2), ink=1.05)


def _brush(rng: np.random.Generator, care: float) -> Hand:
    """Brushes: slanted landing, swelling and thinning, from kaisho (care 1) to semi-running (care 0)."""
    hand = _any_hand(rng, "brush", 0.35 + 0.65 * care)
    return replace(
        hand, width=_range(rng, 0.035, 0.1), contrast=_range(rng, 0.8, 1.1), nib=_range(rng, 0.1, 0.3),
        nib_angle=_range(rng, -1.0, -0.6), ink=1.05, grain=_range(rng, 0, 0.8) if rng.random() < 0.4 else 0.0,
        entry=_range(rng, 0.025, 0.05), taper=_range(rng, 0.35, 0.7), straighten=0.0, tremor=0.001,
        rise=_range(rng, 0.03, 0.13), kaisho=care > 0.4, link=_range(rng, 0.2, 0.4),
        join=max(0.0, 0.85 - care) * _range(rng, 0.8, 1.8), round=(1 - care) * _range(rng, 0.6, 1.6),
    )  # fmt: skip


def _running(hand: Hand, rng: np.random.Generator) -> Hand:
    """The same tool in running script (gyosho): the hand goes on from stroke to stroke, bends corners, and points ahead.

    Where strokes are joined is a habit of the way between them. A brush is lifted on the way, so that the joining line is
    thin; of a pen it is nearly as wide as the strokes.
    """
    r = _range
    brush = hand.pen == "brush"
    return replace(
        hand, join=r(rng, 0.7, 1.7), reach=r(rng, 0.42, 0.8), link=r(rng, 0.15, 0.5) if brush else r(rng, 0.5, 0.95),
        ways=rng.uniform(0.1, 1.6, 24), flick=r(rng, 0.1, 0.6), flow=r(rng, 0.012, 0.04), round=r(rng, 0.4, 1.2),
        entry=hand.entry * r(rng, 0.3, 1.0), straighten=0.0, kaisho=False, rise=hand.rise + r(rng, 0.0, 0.06),
        stretch=hand.stretch + rng.normal(0, 0.06, 24), turn=hand.turn + rng.normal(0, 0.05, 24),
        shift=hand.shift + rng.normal(0, 0.012, (24, 2)), divide=hand.divide + rng.normal(0, (0.06, 0.02, 0.03), (2, 3)),
    )  # fmt: skip


def hands(seed: int, count: int, pens: Sequence[str] | None = None, *, running: bool = False) -> list[Hand]:
    """`count` writers, their tools taken from `pens` (default: MIX) in turn, neat to hasty within each tool.

    With `running` they write running script.

    Raises
    ------
    DataError
        If a pen has no row in HANDS.
    """
    pens = pens or MIX
    tools = [pens[number % len(pens)] for number in range(count)]
    made = []
    for number, pen in enumerate(tools):
        if pen not in HANDS:
            raise DataError(f"{pen}: no such pen; choose from {', '.join(HANDS)}")
        rng = np.random.default_rng([seed, number])
        care = 1 - 0.95 * float((tools[:number].count(pen) + rng.random()) / tools.count(pen))
        hand = HANDS[pen](rng, care)
        if running:
            hand = _running(hand, rng)
        made.append(replace(hand, name=f"strokes-{seed}/{number:03d}-{pen}{'-running' * running}"))
    return made


def read(
    path: Path,
    charset: Charset,
    *,
    writers: Sequence[Hand] | None = None,
    seed: int = 0,
    chars: str | None = None,
) -> Iterator[Glyph]:
    """Write every character of a stroke table with every hand.

    Parameters
    ----------
    path : the KanjiVG table (see `strokes_paths`).
    charset : the characters wanted; those without strokes are left out.
    writers : the hands; by default one of each pen, from `seed`.
    seed : of the unsteadiness in every character.
    chars : write these only.

    Yields
    ------
    Glyph
        gray (64, 64) uint8; forms for vertical lines have `meta["form"]` 1; `meta["style"]` is the pen.

    Raises
    ------
    DataError
        If the table cannot be read.
    """
    wanted = frozenset(charset.chars[1:] if chars is None else [c for c in charset.chars[1:] if c in chars])
    table = drawings(path, wanted)
    table |= {(c, ""): drawing(c, "", d) for c, d in SIGNS.items() if c in wanted and (c, "") not in table}
    for number, hand in enumerate(writers if writers is not None else hands(seed, len(HANDS), tuple(HANDS))):
        for char in (c for c, variant in table if not variant):
            plain = (table.get((char, "Kaisho")) if hand.kaisho else None) or table[char, ""]
            for form, one in ((0, plain), (1, vertical(plain))):
                if one is not None:
                    rng = np.random.default_rng([seed, number, ord(char), form])
                    yield _glyph(one, hand, rng, form, path.name)


def _glyph(one: Drawing, hand: Hand, rng: np.random.Generator, form: int, source: str) -> Glyph:
    advance = 1.0
    if one.char < "\u0250":  # Latin is set by its own width, a little smaller than kanji
        one, advance = _proportional(one)
    meta = {"form": form, "em": EM, "advance": advance, "style": hand.pen}
    return Glyph(write(one, hand, rng), one.char, hand.name, source, ord(one.char), meta)


def _proportional(one: Drawing) -> tuple[Drawing, float]:
    """The character moved to the left edge of the em square, and its advance in em."""
    low, high = float(one.points[..., 0].min()), float(one.points[..., 0].max())
    bearing = 0.07
    return replace(one, points=one.points - np.array([low - bearing, 0.0])), high - low + 2 * bearing


def vertical(one: Drawing) -> Drawing | None:
    """The form of a character in a vertical line, None where it is the ordinary one."""
    points: Points | None = None
    if one.char in _TURNED:
        points = np.stack([1 - one.points[..., 1], one.points[..., 0]], axis=2)
    elif one.char in _CORNER or one.char in SMALL_KANA:
        points = one.points + np.array(_CORNER.get(one.char, _SMALL_SHIFT))
    if points is None:
        return None
    turn: NDArray[np.float64] = one.angle + (np.pi / 2 if one.char in _TURNED else 0.0)
    return replace(one, points=points, angle=turn)


HANDS: dict[str, Callable[[np.random.Generator, float], Hand]] = {
    "pen": _pen,
    "ballpoint": _ballpoint,
    "pencil": _pencil,
    "marker": _marker,
    "brush": _brush,
}
