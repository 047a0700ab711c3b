"""A person's hand as numbers, and a character written with it.

A hand is made of habits, which hold for everything that it writes (slant, proportions, how a stroke of a
certain shape is bent, how components are divided, which pen), and of unsteadiness, new in every character.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import require
from jphtr.records import Gray
from jphtr.sources.strokes_paths import DOT, HOOK, POINTS, STOP, SWEEP_LEFT, SWEEP_RIGHT, Drawing, Points

Pen = Literal["pen", "ballpoint", "pencil", "marker", "brush"]

_SIDE, _EM, _LEFT = 256, 192, 32  # fine canvas: four times the stored one
_KINDS = 8 * 3  # stroke shapes that a habit tells apart: eight directions, three lengths
_TIMES = np.linspace(0, 1, POINTS)
_LINK = 7  # points of the connecting line between two joined strokes
_STEP = 0.012  # em between the points of a smoothed path


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One synthetic writer. Lengths are in em, angles in radians; what says "sd" is new in each character.

    Attributes
    ----------
    pen, width, contrast : the tool, its line width, and how much the line swells and thins.
    nib : flatness of the tip, 0 round; nib_angle : its slope.
    ink, grain : 0..1 darkness of the line, and how much the paper's tooth shows in it.
    scale, aspect, slant, rise : size, width by height, lean of verticals, climb of horizontals.
    warp : (2, 6) low-order bending of the em square.
    bend, turn, stretch : (24,) habits by shape of stroke. shift : (24, 2).
    divide : shrink and offset of the second component, side by side and one above the other (2, 3).
    straighten : 0 as in the model .. 0.6 nearly ruled; round : corner rounding in points along the stroke.
    overshoot : how far ends go past their mark (sd). taper : the share of a sweep that thins out.
    join : chance that two strokes near each other are joined. link : width of the joining line, relative.
    entry : size of the dab with which a brush lands. tremor : amplitude of shaking.
    wander, sway, swell : sd of a stroke's place, angle, and length (relative).
    kaisho : whether the hand writes Kaisho forms where they are known.
    reach : how far apart joined strokes may be. ways : (24,) habits of joining by the shape of the way, 1 as `join` says.
    flick : chance that a stroke which is not joined ends in a hook towards the next.
    flow : sd of the smoothing along a joined path, by which corners become bends and short strokes waves.
    """

    name: str
    pen: Pen
    width: float
    contrast: float
    nib: float
    nib_angle: float
    ink: float
    grain: float
    scale: float
    aspect: float
    slant: float
    rise: float
    straighten: float
    round: float
    overshoot: float
    taper: float
    join: float
    link: float
    entry: float
    tremor: float
    wander: float
    sway: float
    swell: float
    kaisho: bool
    warp: Points = field(repr=False)
    bend: NDArray[np.float64] = field(repr=False)
    turn: NDArray[np.float64] = field(repr=False)
    stretch: NDArray[np.float64] = field(repr=False)
    shift: Points = field(repr=False)
    divide: Points = field(repr=False)
    reach: float = 0.42
    ways: NDArray[np.float64] = field(default_factory=lambda: np.ones(_KINDS), repr=False)
    flick: float = 0.0
    flow: float = 0.0


def write(drawing: Drawing, hand: Hand, rng: np.random.Generator) -> Gray:
    """Write one character: (64, 64) uint8, 255 is paper, the em square at [8, 8, 56, 56]."""
    strokes = _shape(drawing, hand, rng)
    paths = _chains(strokes, drawing, hand, rng)
    return _ink(paths, hand, rng)


def _shape(drawing: Drawing, hand: Hand, rng: np.random.Generator) -> Points:
    """The strokes bent, moved and sized as the hand does: (strokes, POINTS, 2)."""
    points, length = drawing.points, drawing.length
    count = len(points)
    # a dense character leaves a person less room to go astray
    room = 1.0 / (1.0 + 0.06 * max(count - 4, 0))
    kind = _kind(drawing.angle, length)
    noise = rng.standard_normal((5, count))

    middle = points.mean(axis=1, keepdims=True)
    chord = points[:, :1] + (points[:, -1:] - points[:, :1]) * _TIMES[:, None]
    straight = hand.straighten * ((drawing.end != HOOK) & _square(drawing.char))[:, None, None]
    points = points + (chord - points) * straight
    angle = (hand.turn[kind] + hand.sway * noise[0]) * (0.5 + 0.5 * room)
    # a dot turns freely; a frame's long stroke hardly turns, or it would fall out of its place
    angle = angle * np.where(length > 0.1, 1 / (1 + 1.5 * np.maximum(length - 0.6, 0)), 2.0)
    grow = 1 + (hand.stretch[kind] + hand.swell * noise[1]) * (0.4 + 0.6 * room)
    cos, sin = (np.cos(angle) * grow)[:, None], (np.sin(angle) * grow)[:, None]
    x, y = np.moveaxis(points - middle, 2, 0)
    points = np.stack([cos * x - sin * y, sin * x + cos * y], axis=2) + middle
    normal = np.stack([-np.sin(drawing.angle), np.cos(drawing.angle)], axis=1)
    bow = (hand.bend[kind] + 0.02 * noise[2] * hand.sway / 0.05) * length
    points = points + (bow[:, None] * np.sin(np.pi * _TIMES))[:, :, None] * normal[:, None]
    place = (hand.shift[kind] + hand.wander * noise[3:5].T) * room
    points = points + place[:, None]

    tips = (points[:, 1] - points[:, 0], points[:, -1] - points[:, -2])
    reach = hand.overshoot * rng.standard_normal((2, count)) * (length > 0.2) * room
    for tip, past, sign, ramp in zip(tips, reach, (-1, 1), (1 - _TIMES, _TIMES), strict=True):
        unit = tip / (np.hypot(*tip.T)[:, None] + 1e-6)
        points = points + sign * past[:, None, None] * unit[:, None] * np.clip(ramp * 4 - 3, 0, 1)[:, None]

    if drawing.split >= 0:
        points = _divide(points, drawing, hand, rng)
    if hand.tremor:
        steps = rng.standard_normal((count, 5, 2)) * hand.tremor
        waves = np.sin(np.pi * np.outer(np.arange(2, 7), _TIMES) + 0.7)
        points = points + np.einsum("skd,kt->std", steps * np.minimum(1, length * 2)[:, None, None], waves)
    return _frame(points, hand, rng)


def _kind(angle: NDArray[np.float64], length: NDArray[np.float64]) -> NDArray[np.intp]:
    """The shape of a stroke as habits tell them apart, 0 to 23."""
    kind: NDArray[np.intp] = (np.round(angle / (np.pi / 4)).astype(int) % 8) * 3 + np.digitize(length, (0.25, 0.6))
    return kind


def _square(char: str) -> bool:
    """Whether a character is built of lines that may be ruled straight: katakana and kanji."""
    return "ァ" <= char <= "ヺ" or "㐀" <= char < "豈" or char > "\U00020000"


def _divide(points: Points, drawing: Drawing, hand: Hand, rng: np.random.Generator) -> Points:
    """Size and place the second component (by habit, and a little anew in every character)."""
    second = drawing.part == 1
    shrink, along, across = hand.divide[drawing.split] + rng.normal(0, (0.03, 0.01, 0.015))
    part = points[second]
    anchor = part.reshape(-1, 2).mean(axis=0)
    offset = (along, across) if drawing.split == 0 else (across, along)
    points = points.copy()
    points[second] = (part - anchor) * (1 + shrink) + anchor + np.array(offset)
    return points


def _frame(points: Points, hand: Hand, rng: np.random.Generator) -> Points:
    """The whole character: warp of the square, size, proportion, lean and climb about its middle."""
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    middle = (low + high) / 2
    x, y = np.moveaxis(points - 0.5, 2, 0)
    basis = np.stack([x * y, x * x, y * y, x**2 * y, x * y**2, np.sin(2 * np.pi * y) * 0.1])
    points = points + np.einsum("dk,kst->std", hand.warp + rng.normal(0, 0.02, (2, 6)), basis)
    size = hand.scale * np.exp(rng.normal(0, 0.03, 2)) * np.sqrt([hand.aspect, 1 / hand.aspect])
    slant, rise = hand.slant + rng.normal(0, 0.025), hand.rise + rng.normal(0, 0.02)
    frame = np.array([[1, -rise], [-slant, 1]]) * size[:, None]
    # a mark in a corner of the square (a comma, a small kana) stays in its corner
    center = middle if float((high - low).max()) < 0.62 else 0.5 + (middle - 0.5) * min(hand.scale, 1.0)
    moved: Points = (points - middle) @ frame + center + rng.normal(0, 0.012, 2)
    return moved


def _chains(
    strokes: Points, drawing: Drawing, hand: Hand, rng: np.random.Generator
) -> list[tuple[Points, NDArray[np.float64]]]:
    """Strokes, joined where the hand does not lift the pen, as (points (K, 2), relative width (K,))."""
    chains: list[tuple[list[Points], list[NDArray[np.float64]]]] = []
    chance = rng.random(len(strokes))
    weights = _widths(drawing, hand, rng)
    join = hand.join if _square(drawing.char) or "ぁ" <= drawing.char <= "ゖ" else 0.0  # signs are not joined
    for number, (stroke, weight) in enumerate(zip(strokes, weights, strict=True)):
        if number and chains:
            before = chains[-1][0][-1]
            way = stroke[0] - before[-1]
            gap = float(np.hypot(*way))
            near = np.exp(-((gap / hand.reach) ** 2)) * (1.4 if drawing.end[number - 1] == DOT else 1.0)
            habit = hand.ways[_kind(np.arctan2(way[1:], way[:1]), np.array([gap]))[0]]
            if gap > 0.03 and chance[number] < join * near * habit:
                link = _link(before, stroke)
                thin = np.full(_LINK, hand.link) * (0.8 + 0.2 * np.abs(np.linspace(-1, 1, _LINK)))
                chains[-1][0].extend([link, stroke])
                chains[-1][1][-1] = np.maximum(chains[-1][1][-1], hand.link)
                chains[-1][1].extend([thin, np.maximum(weight, hand.link)])
                continue
            if join and gap > 0.1 and chance[number] > 1 - hand.flick:
                hook = _link(before, stroke)[: _LINK // 2]
                chains[-1][0].append(hook)
                chains[-1][1].append(np.linspace(chains[-1][1][-1][-1], 0.1, len(hook)))
        chains.append(([stroke], [weight]))
    made = [(_rounded(np.concatenate(path), hand.round), np.concatenate(width)) for path, width in chains]
    return [_flowing(path, width, hand.flow) for path, width in made] if hand.flow else made


def _link(before: Points, after: Points) -> Points:
    """A cubic from the end of one stroke into the start of the next, in the directions of both."""
    here, there = before[-1], after[0]
    gap = np.hypot(*(there - here))
    leave, land = before[-1] - before[-4], after[3] - after[0]
    leave, land = (v / (np.hypot(*v) + 1e-6) * gap * 0.35 for v in (leave, land))
    t = np.linspace(0, 1, _LINK + 2)[1:-1, None]
    s = 1 - t
    curve: Points = s**3 * here + 3 * s * s * t * (here + leave) + 3 * s * t * t * (there - land) + t**3 * there
    return curve


def _rounded(path: Points, sigma: float) -> Points:
    """Corners cut as a quick hand cuts them: a Gaussian along the path that leaves its two ends in place."""
    if sigma < 0.3:
        return path
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    # reflecting through the end points keeps them fixed and their direction alive
    padded = np.concatenate([2 * path[0] - path[1 : reach + 1][::-1], path, 2 * path[-1] - path[-reach - 1 : -1][::-1]])
    return np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)


def _flowing(path: Points, width: NDArray[np.float64], sigma: float) -> tuple[Points, NDArray[np.float64]]:
    """A path smoothed by a Gaussian of `sigma` em along it, whatever its strokes' lengths, and its widths there."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    count = max(8, round(along[-1] / _STEP) + 1)
    at = np.linspace(0, along[-1], count)
    even = np.stack([np.interp(at, along, path[:, axis]) for axis in (0, 1)], axis=1)
    return _rounded(even, min(sigma / _STEP, (count - 3) / 4)), np.interp(at, along, width)


def _widths(drawing: Drawing, hand: Hand, rng: np.random.Generator) -> NDArray[np.float64]:
    """Relative line width along every stroke (strokes, POINTS): pressure, swelling and thinning ends."""
    t = _TIMES
    tail = np.clip((1 - t) / max(hand.taper, 0.02), 0, 1)
    stop = 1 + 0.25 * np.exp(-((t / 0.12) ** 2)) + 0.3 * np.exp(-(((1 - t) / 0.1) ** 2)) - 0.25 * np.sin(np.pi * t)
    left = (1.15 - 0.25 * t) * (0.12 + 0.88 * tail**0.8)
    swell = 0.55 + 0.85 * np.exp(-(((t - 0.78) / 0.22) ** 2))
    right = swell * np.clip((1 - t) / 0.16, 0.1, 1)
    hook = (1.1 - 0.15 * np.sin(np.pi * t)) * np.clip((1 - t) / 0.12, 0.15, 1)
    dot = 0.55 + 0.75 * np.sin(np.pi * np.clip(t * 0.75 + 0.1, 0, 1))
    shapes = np.empty((5, POINTS))
    shapes[[STOP, SWEEP_LEFT, SWEEP_RIGHT, HOOK, DOT]] = stop, left, right, hook, dot
    ends = shapes[drawing.end]
    chord = np.hypot(*(drawing.points[:, -1] - drawing.points[:, 0]).T)
    curved = ((chord < 0.85 * drawing.length) & (drawing.length > 0.35) & (drawing.end != HOOK))[:, None]
    ends = np.where(curved, (1.1 - 0.3 * np.sin(np.pi * t) + 0.25 * np.sin(2 * np.pi * t)) * (0.25 + 0.75 * tail), ends)
    profile = 1 + (ends - 1) * hand.contrast
    heavy = 0.4 * np.abs(np.sin(drawing.angle)) - 0.25 + 0.14 * rng.standard_normal(len(profile))
    pressure = np.clip(1 + hand.contrast * heavy, 0.5, 1.5)
    # many strokes in one square are written finer
    crowd = 1.0 / (1.0 + (0.05 if hand.width > 0.05 else 0.015) * max(len(profile) - 4, 0))
    result: NDArray[np.float64] = profile * pressure[:, None] * crowd
    return result


def _ink(paths: list[tuple[Points, NDArray[np.float64]]], hand: Hand, rng: np.random.Generator) -> Gray:
    """Lay the paths down with the hand's tool."""
    cv2 = require("cv2")
    canvas = np.zeros((_SIDE, _SIDE), np.uint8)
    # a flat tip is a round one on a squeezed sheet: squeeze the paths, stretch the ink back
    cos, sin = np.cos(hand.nib_angle), np.sin(hand.nib_angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    flat = 1.0 - hand.nib
    squeeze = turn.T @ np.diag([flat, 1.0]) @ turn if hand.nib else np.eye(2)
    half = _SIDE / 2
    for path, weight in paths:
        points = _landing(path, hand) if hand.entry else path
        fine = (points * _EM + _LEFT - half) @ squeeze + half
        _line(cv2, canvas, fine, np.maximum(weight * hand.width * _EM * (0.5 + 0.5 * flat), 1.4))
    if hand.nib:
        back = np.linalg.inv(squeeze)
        matrix = np.column_stack([back.T, half - back.T @ np.array([half, half])])
        canvas = cv2.warpAffine(canvas, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
    if hand.grain:
        canvas = _toothed(cv2, canvas, hand, rng)
    small = cv2.resize(canvas, (64, 64), interpolation=cv2.INTER_AREA)
    # how much ink flows changes slowly across the character
    flow = cv2.resize(rng.uniform(0.85, 1.05, (3, 3)).astype(np.float32), (64, 64), interpolation=cv2.INTER_LINEAR)
    gray: Gray = (255 - np.minimum(small * np.minimum(flow * hand.ink, 1.0), 255)).astype(np.uint8)
    return gray


def _landing(path: Points, hand: Hand) -> Points:
    """A brush lands slantwise from the upper left and comes to rest the same way."""
    t = np.linspace(0, 1, len(path))[:, None]
    dab = np.array([-0.6, -0.5]) * hand.entry
    return (
        path + dab * np.clip(1 - t * len(path) / 3.0, 0, 1) - 0.5 * dab * np.clip(1 - (1 - t) * len(path) / 2.5, 0, 1)
    )


def _line(cv2: Any, canvas: NDArray[np.uint8], points: Points, width: NDArray[np.float64]) -> None:
    """One path; pieces of equal width in one call, since calls cost more than pixels."""
    fixed = np.round(points * 8).astype(np.int32)
    thick = np.maximum(np.round((width[1:] + width[:-1]) / 2), 1).astype(int)
    edges = np.flatnonzero(np.diff(thick)) + 1
    for start, stop in zip([0, *edges], [*edges, len(thick)], strict=True):
        cv2.polylines(canvas, [fixed[start : stop + 1]], False, 255, int(thick[start]), cv2.LINE_8, 3)


def _toothed(cv2: Any, canvas: NDArray[np.uint8], hand: Hand, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Ink that skips the valleys of the paper: graphite everywhere, a brush mostly along its dry streaks."""
    if hand.pen == "brush":
        streaks = cv2.resize(rng.random((96, 20), np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
        dry = cv2.resize(rng.random((4, 4), np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
        cover = 1 - np.clip((dry - 0.5) * 4, 0, 1) * np.clip((streaks + 0.5 * hand.grain - 0.65) * 8, 0, hand.grain)
    else:
        noise = cv2.resize(rng.random((128, 128), np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
        cover = 1 - hand.grain * noise
    toothed: NDArray[np.uint8] = (canvas * cover).astype(np.uint8)
    return toothed
