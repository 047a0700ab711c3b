"""KanjiVG's stroke table -> polylines: what a pen follows, before anybody's hand is in it.

The table (gzip or plain TSV) has the columns char, variant, file and strokes: SVG path data in a 109 x 109
box, separated by "|", in stroke order. The data are KanjiVG's, https://kanjivg.tagaini.net, CC BY-SA 3.0.
"""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import DataError

BOX = 109.0
POINTS = 24  # points of a stroke, evenly spaced along it

Points = NDArray[np.float64]

STOP, SWEEP_LEFT, SWEEP_RIGHT, HOOK, DOT = range(5)  # how a stroke ends: tome, left and right harai, hane, ten

_TOKEN = re.compile(r"[MmLlHhVvCcSsZz]|-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Z": 0}


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """The strokes of one character.

    Attributes
    ----------
    points : (strokes, POINTS, 2) float64, x and y in em, the em square being 0..1.
    length : (strokes,) em along the path. angle : (strokes,) radians of the chord, 0 to the right, pi/2 down.
    end : (strokes,) int, one of STOP, SWEEP_LEFT, SWEEP_RIGHT, HOOK, DOT.
    part : (strokes,) int, 0 or 1: the first and second component where the character falls in two.
    split : which way it falls: 0 left and right, 1 top and bottom, -1 not at all.
    """

    char: str
    variant: str
    points: Points
    length: NDArray[np.float64]
    angle: NDArray[np.float64]
    end: NDArray[np.intp]
    part: NDArray[np.intp]
    split: Literal[-1, 0, 1]


def drawings(path: Path, wanted: frozenset[str]) -> dict[tuple[str, str], Drawing]:
    """The ordinary and Kaisho forms of the wanted characters, by (char, variant), in file order.

    Raises
    ------
    DataError
        If the table cannot be read or a path in it cannot be understood; the message names the line.
    """
    found: dict[tuple[str, str], Drawing] = {}
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a stroke table that can be read: {error}") from error
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE), 1):
        if number == 1 and row and row[0] == "char":
            continue
        if len(row) != 4:
            raise DataError(f"{path}:{number}: {len(row)} columns instead of char, variant, file and strokes")
        char, variant = row[0], row[1]
        if char not in wanted or variant not in ("", "Kaisho"):
            continue
        try:
            found[char, variant] = drawing(char, variant, row[3])
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}:{number}: the strokes of {char!r} cannot be understood: {error}") from error
    return found


def polyline(d: str) -> Points:
    """SVG path data -> (K, 2) points in the units of the path, curves in eight steps.

    Raises
    ------
    ValueError
        If the data does not begin with a move, or numbers are missing or left over.
    """
    tokens = _TOKEN.findall(d)
    if re.sub(r"[\s,]", "", _TOKEN.sub("", d)).strip("+"):
        raise ValueError(f"unknown command in {d!r}")
    if not tokens or tokens[0] not in "Mm":
        raise ValueError(f"no move at the start of {d!r}")
    steps = np.linspace(0, 1, 9)[1:, None]
    here = start = control = np.zeros(2)
    pieces: list[Points] = []
    command, place = "", 0
    while place < len(tokens):
        if tokens[place].isalpha():
            command = tokens[place]
            place += 1
        kind = command.upper()
        count = _NUMBERS[kind]
        if len(tokens) < place + count or (not count and place < len(tokens) and not tokens[place].isalpha()):
            raise ValueError(f"numbers missing or left over in {d!r}")
        values = np.array([float(token) for token in tokens[place : place + count]])
        place += count
        origin = here if command.islower() else np.zeros(2)
        if kind in "HV":
            to = here.copy()
            to["HV".index(kind)] = values[0] + origin["HV".index(kind)]
        elif kind == "Z":
            to = start
        else:
            values = values.reshape(-1, 2) + origin
            to = values[-1]
        if kind in "CS":
            first = values[0] if kind == "C" else 2 * here - control
            second = values[-2]
            back = 1 - steps
            pieces.append(back**3 * here + 3 * back**2 * steps * first + 3 * back * steps**2 * second + steps**3 * to)
            control = second
        else:
            pieces.append(to[None])
            control = to
        if kind == "M":
            start = to
            command = "l" if command == "m" else "L"
        here = to
    return np.concatenate(pieces)


def evenly(points: Points, count: int = POINTS) -> tuple[Points, float]:
    """`count` points evenly spaced along a polyline, and its length."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    if along[-1] <= 0:
        return np.repeat(points[:1], count, axis=0), 0.0
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1), float(along[-1])


def drawing(char: str, variant: str, paths: str) -> Drawing:
    """A character from its SVG paths, separated by "|".

    Raises
    ------
    ValueError
        If a path cannot be understood.
    """
    even = [evenly(polyline(d) / BOX) for d in paths.split("|") if d]
    if not even:
        raise ValueError("no strokes")
    points = np.stack([stroke for stroke, _ in even])
    length = np.array([long for _, long in even])
    chord = points[:, -1] - points[:, 0]
    split, part = _parts(points)
    return Drawing(
        char,
        variant,
        points,
        length,
        np.arctan2(chord[:, 1], chord[:, 0]),
        _ends(points, length),
        part,
        split,
    )


def _ends(points: Points, length: NDArray[np.float64]) -> NDArray[np.intp]:
    """How each stroke ends, told from its shape."""
    body = points[:, POINTS * 3 // 4] - points[:, POINTS // 3]
    tip = points[:, -1] - points[:, -3]
    body_angle, tip_angle = np.arctan2(body[:, 1], body[:, 0]), np.arctan2(tip[:, 1], tip[:, 0])
    turn = np.abs((tip_angle - body_angle + np.pi) % (2 * np.pi) - np.pi)
    end = np.full(len(points), STOP)
    down, across = tip[:, 1], tip[:, 0]
    end[(down > 0) & (across < -0.3 * down) & (length > 0.15)] = SWEEP_LEFT
    end[(down > 0.35 * across) & (across > 0.45 * down) & (length > 0.3)] = SWEEP_RIGHT
    end[(turn > 1.2) & (length > 0.25)] = HOOK
    end[length < 0.16] = DOT
    return end


def _parts(points: Points) -> tuple[Literal[-1, 0, 1], NDArray[np.intp]]:
    """Where in the stroke order the character falls in two parts, side by side or one above the other."""
    count = len(points)
    part = np.zeros(count, np.intp)
    if count < 4:
        return -1, part
    low, high = points.min(axis=1), points.max(axis=1)
    gaps = np.stack([np.minimum.accumulate(low[::-1])[::-1][1:] - np.maximum.accumulate(high)[:-1]])[0]
    gaps[[0, -1]] = -1  # a single stroke is no component
    place, axis = np.unravel_index(int(gaps.argmax()), gaps.shape)
    if gaps[place, axis] < -0.04:
        return -1, part
    part[place + 1 :] = 1
    return (0 if axis == 0 else 1), part
