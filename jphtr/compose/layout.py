"""Where the characters of a line stand: cells along the reading axis, in em, for both directions.

The unit is the em of the line; `x` runs along the reading axis, `y` across it (down when the line is horizontal,
leftwards when it is vertical), 0 to 1 inside the line's body.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from jphtr.charset import SMALL_KANA
from jphtr.compose.atlas import Atlas, Patch
from jphtr.records import Direction

Rng = np.random.Generator

# signs that lie along the line: without a vertical form of their own they are turned with it
TURNED = frozenset("ー〜―…‥（）()「」『』【】〔〕［］[]｛｝{}〈〉《》＝=−-‐:：;；→←〝〟")
HANGING = frozenset("、。，．,.")
OPENING, CLOSING = frozenset("（「『【〔［｛〈《〝"), frozenset("）」』】〕］｝〉》〟、。，．・")


@dataclass(frozen=True, slots=True)
class Hand:
    """What stays the same along one line.

    `kana` and `latin` scale those scripts against kanji; `jitter` is the spread of size, place and angle from
    character to character; `tracking` the space between characters, `gap` that between scripts, `word` that of a
    space, all in em; `slant` shears, `aspect` stretches along the line; `roman` is the writer of letters and digits, where
    they come from another face.
    """

    writer: int
    kana: float = 1.0
    latin: float = 1.0
    jitter: float = 0.0
    tracking: float = 0.0
    gap: float = 0.0
    word: float = 0.5
    slant: float = 0.0
    aspect: float = 1.0
    tight_signs: bool = False
    upright_latin: bool = True
    pairs: bool = False
    roman: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A glyph with the affine map (2, 3) from its canvas to the line's plane, in em; None for a space."""

    char: str
    patch: Patch | None
    matrix: np.ndarray
    start: float
    end: float


def is_latin(char: str) -> bool:
    """Whether a character is set as Latin ones are: letters, digits and signs of ASCII."""
    return char.isascii() and char != " "


def _is_kana(char: str) -> bool:
    return "ぁ" <= char <= "ヺ"


def lay_out(
    text: str, atlas: Atlas, hand: Hand, direction: Direction, rng: Rng, fallback: int | None = None
) -> list[Placed]:
    """Place every character of `text`; characters that neither writer has are left out of the line.

    Parameters
    ----------
    fallback : a second writer for what the hand's own lacks.
    """
    placed: list[Placed] = []
    vertical = direction == "vertical"
    x, last = 0.0, ""
    index = 0
    sideways = vertical and not hand.upright_latin
    while index < len(text):
        char = text[index]
        if char == " ":
            placed.append(Placed(" ", None, np.zeros((2, 3)), x, x + hand.word))
            x, last = x + hand.word, char
            index += 1
            continue
        if last and is_latin(char) != is_latin(last) and last != " ":
            x += hand.gap
        if vertical and hand.pairs and _pair(text, index):
            pair = _place_pair(text[index : index + 2], atlas, hand, x, rng, fallback)
            placed += pair
            x, last = x + (1.0 + hand.tracking if pair else 0.0), text[index + 1]
            index += 2
            continue
        one = _place(char, last, atlas, hand, x, vertical, sideways and is_latin(char), rng, fallback)
        if one is not None:
            placed.append(one)
            x = one.end + (hand.tracking if not is_latin(char) or not is_latin(last) else hand.tracking * 0.3)
            last = char
        index += 1
    return placed


def _pair(text: str, index: int) -> bool:
    two = text[index : index + 2]
    around = text[max(0, index - 1) : index] + text[index + 2 : index + 3]
    return len(two) == 2 and two.isascii() and two.isdigit() and not any(c.isascii() and c.isdigit() for c in around)


def _find(char: str, atlas: Atlas, hand: Hand, form: int, rng: Rng, fallback: int | None) -> Patch | None:
    label = atlas.charset.label(char)
    writer = hand.writer if hand.roman is None or not is_latin(char) else hand.roman
    patch = atlas.patch(writer, label, form, rng)
    if patch is None and fallback is not None:
        patch = atlas.patch(fallback, label, form, rng)
    return patch


def _place(
    char: str, last: str, atlas: Atlas, hand: Hand, x: float, vertical: bool, sideways: bool, rng: Rng, fallback: int | None
) -> Placed | None:  # fmt: skip
    patch = _find(char, atlas, hand, 1 if vertical and not sideways else 0, rng, fallback)
    if patch is None:
        return None
    em = np.array([8, 8, 56, 56], np.float32) if np.isnan(patch.em[0]) else patch.em
    tight = bool(np.isnan(patch.em[0]))
    advance = 1.0 if np.isnan(patch.advance) else patch.advance
    proportional = advance < 0.95
    size = hand.kana if _is_kana(char) else hand.latin if is_latin(char) else 1.0
    dx = dy = 0.0
    if tight:  # a glyph cut to its ink has lost its place in the cell
        factor, dx, dy = _cell_of(char)
        size *= factor
    jitter = hand.jitter
    if jitter:
        size *= float(np.clip(1 + rng.normal(0, 0.9 * jitter), 0.7, 1.3))
    turn = float(rng.normal(0, 35 * jitter)) if jitter else 0.0
    along = 1.0 if not proportional or (vertical and not sideways) else advance
    if hand.tight_signs and not proportional and (char in CLOSING or char in OPENING):
        along = 0.5 if char not in "・" else 0.6
    elif hand.jitter and char in HANGING:
        along = float(rng.uniform(0.4, 0.9))
        if last:  # often right under the end of the character before
            x -= max(0.0, float(rng.uniform(-0.2, 0.24)))
    cell = along * (size if _is_kana(char) or is_latin(char) else 1.0) * hand.aspect
    cx, cy = x + cell / 2, 0.5
    if jitter:
        cx += float(rng.normal(0, 0.6 * jitter))
        cy += float(rng.normal(0, 0.7 * jitter))
    # the middle of the drawn cell in canvas px
    unit = float(em[2] - em[0])
    mx = float(em[0]) + unit * (advance if proportional else 1.0) / 2
    my = float(em[1] + em[3]) / 2
    if along < 1.0 and not proportional and char != "・":
        # the ink of these signs stands at the end of its cell for opening ones, else at the start
        shift = (0.5 if char in OPENING else -0.5) * (1.0 - along) * unit
        if vertical:
            my += shift
        else:
            mx += shift
    if vertical and patch.form == 0 and not sideways:
        if char in TURNED:
            turn += 90.0
        elif char in HANGING:
            dx, dy = dx + 0.58, dy - 0.58
        elif char in SMALL_KANA:
            dx, dy = dx + 0.12, dy - 0.12
    matrix = _affine(size / unit, turn, hand, mx, my)
    if vertical and not sideways:  # upright characters lie on their side in the plane of the line
        matrix = np.array([[0.0, 1.0], [-1.0, 0.0]]) @ matrix
        dx, dy = dy, -dx
    matrix = np.concatenate([matrix, matrix @ np.array([[-mx], [-my]])], axis=1)
    matrix[:, 2] += (cx + dx * size, cy + dy * size)
    return Placed(char, patch, matrix, x, x + cell)


def _affine(scale: float, turn: float, hand: Hand, mx: float, my: float) -> np.ndarray:
    a = np.deg2rad(turn)
    rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    shear = np.array([[hand.aspect, -hand.slant], [0.0, 1.0]])
    matrix: np.ndarray = rotation @ shear * scale
    return matrix


def _place_pair(two: str, atlas: Atlas, hand: Hand, x: float, rng: Rng, fallback: int | None) -> list[Placed]:
    """Two digits side by side in one cell of a vertical line (縦中横)."""
    placed = []
    for place, char in enumerate(two):
        patch = _find(char, atlas, hand, 0, rng, fallback)
        if patch is None:
            continue
        em = np.array([8, 8, 56, 56], np.float32) if np.isnan(patch.em[0]) else patch.em
        unit = float(em[2] - em[0])
        width = 0.55 if np.isnan(patch.advance) else min(patch.advance, 0.6)
        mx, my = float(em[0]) + unit * (width if patch.advance < 0.95 else 1.0) / 2, float(em[1] + em[3]) / 2
        squeeze = min(1.0, 0.5 / width) if patch.advance < 0.95 else 0.5
        matrix = np.array([[0.0, 1.0], [-1.0, 0.0]]) @ np.array([[squeeze, 0.0], [0.0, 1.0]]) / unit
        matrix = np.concatenate([matrix, matrix @ np.array([[-mx], [-my]])], axis=1)
        # in the plane of a vertical line `y` runs leftwards from the right edge, so the left digit lies deeper
        matrix[:, 2] += (x + 0.5, 0.5 + (0.25 if place == 0 else -0.25))
        # the pair is read left to right; along the line the first takes the first half of the cell
        placed.append(Placed(char, patch, matrix, x + 0.5 * place, x + 0.5 * place + 0.5))
    return placed


def _cell_of(char: str) -> tuple[float, float, float]:
    """Size and offset in em of a glyph whose place in its cell is not known."""
    if char in HANGING:
        return 0.3, -0.32, 0.32
    if char in SMALL_KANA:
        return 0.62, 0.0, 0.14
    if char == "・":
        return 0.25, 0.0, 0.0
    if _is_kana(char):
        return 0.9, 0.0, 0.0
    if unicodedata.category(char).startswith("P"):
        return 0.8, 0.0, 0.0
    return 1.0, 0.0, 0.0
