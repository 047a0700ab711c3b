"""Pictures of characters of any size -> one fixed square, the same to the byte on every machine.

The whole scan is placed in the square with its aspect kept: where the ink stands in its cell, and how large it is,
tells a small kana from a large one and a comma from a dot, so nothing is cropped or blown up to its ink.

    scan -> (level, stretch: one table of 256 grays a glyph) -> placed in the square -> (moved by whole pixels)

Shrinking averages areas: every pixel of the scan counts for what it covers, so a thin stroke turns paler but never
falls between two samples. Enlarging interpolates linearly: cubic and Lanczos kernels look sharper on photographs,
but their negative lobes draw pale rings around ink that clip at white paper, and the 1-bit scans would show them
most. Weights of both are never negative and sum to one: paper stays paper and gray stays within its range.

Weights are multiples of 1/256 on either axis. All sums are then whole numbers below 2^24, which float32 holds
exactly, so that a matrix product gives the same bytes whatever library, order of sums or vector width computes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import SettingsError

Level = Literal["none", "background"]
Centre = Literal["none", "box", "mass"]
GrayBlock = NDArray[np.uint8]

ARITHMETIC = 1  # goes up when the same parameters give other bytes
FAINT = 32  # levels between paper and the darkest pixel below which a glyph counts as blank and keeps its grays

_PIXELS = 1 << 19  # of scans in one step: its float32 matrices fit the cache of a core
_ONE = 256  # the weights of one output pixel sum to this on either axis: 255 * 256 * 256 < 2^24
_WHOLE = 16  # shrinking by a whole number up to this is summed in uint16: 16 * 16 * 255 < 2^16


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How pictures of characters are brought to one form.

    Attributes
    ----------
    size : side of the square in pixels; None keeps every scan at its own size.
    level : "background" maps the paper of each glyph, as `apply` estimates it, to 255 and scales its grays along.
    stretch : map the darkest gray of each glyph to 0 and its lightest to 255.
    centre : "box" moves the middle of the ink's box to the middle of the square, "mass" the ink's centre of
        gravity, by whole pixels and never so far that ink would leave.
    margin : pixels of paper to keep around the scan on each side of the square.

    Raises
    ------
    SettingsError
        If a value is impossible.
    """

    size: int | None = 64
    level: Level = "none"
    stretch: bool = False
    centre: Centre = "none"
    margin: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("level", get_args(Level)), ("centre", get_args(Centre))):
            if getattr(self, name) not in choices:
                raise SettingsError(f"normalisation: {name} is {getattr(self, name)!r}; use one of {choices}")
        if self.size is not None and not (_is_count(self.size) and 1 <= self.size <= 4096):
            raise SettingsError(f"normalisation: size is {self.size!r}; use 1 to 4096, or None for native")
        most = (self.size - 1) // 2 if self.size else 0
        if not (_is_count(self.margin) and 0 <= self.margin <= most):
            raise SettingsError(f"normalisation: margin is {self.margin!r}; at size {self.size} use 0 to {most}")
        if not isinstance(self.stretch, bool):
            raise SettingsError(f"normalisation: stretch is {self.stretch!r}; use true or false")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `store.write_glyphs`; `size` is "native" instead of None."""
        return {**asdict(self), "size": self.size or "native", "arithmetic": ARITHMETIC}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Normalisation:
        """The inverse of `to_dict`.

        Raises
        ------
        SettingsError
            If a name is unknown, a value impossible, or the pictures were made by other arithmetic.
        """
        known = {**values}
        if known.pop("arithmetic", ARITHMETIC) != ARITHMETIC:
            raise SettingsError(f"normalisation: arithmetic {values['arithmetic']}, not {ARITHMETIC}; unpack again")
        if unknown := sorted(set(known) - {field.name for field in fields(cls)}):
            raise SettingsError(f"normalisation: unknown parameter {unknown[0]!r}")
        return cls(**{**known, "size": None if known.get("size", 64) == "native" else known.get("size", 64)})


def apply(gray: GrayBlock, n: Normalisation) -> GrayBlock:
    """Bring glyphs to one form.

    Paper is the median of the pixels lighter than half way between the darkest and the lightest gray, which holds
    for glyphs that are mostly ink; the darkest and lightest are taken after the outermost 0.1 % and 1 % of the
    pixels, so that a speck does not set them. Ink is what is darker than paper by more than a quarter of the way to
    the darkest pixel of the placed glyph. A blank glyph is neither stretched nor moved: its noise must not become
    ink.

    Parameters
    ----------
    gray : (N, H, W) uint8, 255 is paper.
    n : the parameters.

    Returns
    -------
    (N, S, S) uint8 with S the `size`, or (N, H, W) for the native size: a new array. Where paper must be divided
    unevenly, its odd pixel lies below and to the right.

    Raises
    ------
    ValueError
        If `gray` is not (N, H, W) uint8 with pixels.
    """
    if gray.ndim != 3 or gray.dtype != np.uint8 or 0 in gray.shape[1:]:
        raise ValueError(f"glyphs are (N, H, W) uint8 with H and W at least 1, not {gray.shape} {gray.dtype}")
    count, height, width = gray.shape
    out = np.full((count, n.size or height, n.size or width), 255, np.uint8)
    place = _placing(height, width, n)
    step = max(1, _PIXELS // (height * width))
    for start in range(0, count, step):
        part, square = gray[start : start + step], out[start : start + step]
        paper = None
        if n.level != "none" or n.stretch or n.centre != "none":
            part, paper = _toned(part, n)
        place(part, square)
        if n.centre != "none" and paper is not None:
            _move(square, paper, n)
    return out


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# ---- grays ----


def _toned(gray: GrayBlock, n: Normalisation) -> tuple[GrayBlock, NDArray[np.int64]]:
    """Glyphs levelled and stretched, and the gray (N,) of their paper."""
    count, pixels = len(gray), gray[0].size
    place = gray.reshape(count, pixels).astype(np.intp)
    place += np.arange(count)[:, None] * 256
    counted = np.bincount(place.ravel(), minlength=count * 256).astype(np.int32)
    up_to = counted.reshape(count, 256).cumsum(axis=1, dtype=np.int32)
    every = np.arange(count)

    def ranked(rank: int | NDArray[np.int32]) -> NDArray[np.int64]:
        """The gray (N,) of the pixel with `rank` pixels before it in the order from dark to light."""
        return np.asarray((up_to > np.reshape(rank, (-1, 1))).argmax(axis=1), np.int64)

    darkest, lightest = ranked(pixels // 1024), ranked(pixels - 1 - pixels // 100)
    darker_half = up_to[every, (darkest + lightest) // 2]
    paper = ranked(np.minimum(darker_half + (pixels - darker_half) // 2, pixels - 1))
    if n.level == "none" and not n.stretch:
        return gray, paper
    table = np.tile(np.arange(256, dtype=np.int32), (count, 1))
    if n.level == "background":
        scale = np.maximum(paper, 1).astype(np.int32)[:, None]
        table = np.minimum((table * 255 + scale // 2) // scale, 255)
    if n.stretch:
        low, high = table[every, darkest][:, None], table[every, lightest][:, None]
        reach = np.maximum(high - low, 1)
        stretched = np.clip(((table - low) * 255 + reach // 2) // reach, 0, 255)
        table = np.where(high - low < FAINT, table, stretched)
    toned = table.astype(np.uint8).take(place).reshape(gray.shape)
    return toned, table[every, paper].astype(np.int64)


# ---- placing ----


def _placing(height: int, width: int, n: Normalisation) -> Callable[[GrayBlock, GrayBlock], None]:
    """What writes scans (N, height, width) into squares of paper."""
    side = max(height, width)
    inner = n.size - 2 * n.margin if n.size else side
    top, left = (side - height) // 2, (side - width) // 2

    def copy(gray: GrayBlock, square: GrayBlock) -> None:
        y, x = (n.margin + top, n.margin + left) if n.size else (0, 0)
        square[:, y : y + height, x : x + width] = gray

    def average(gray: GrayBlock, square: GrayBlock) -> None:
        scan = gray
        if height != width:
            scan = np.full((len(gray), side, side), 255, np.uint8)
            scan[:, top : top + height, left : left + width] = gray
        inside = square[:, n.margin : n.margin + inner, n.margin : n.margin + inner]
        _mean(scan, side // inner, inside)

    def weigh(gray: GrayBlock, square: GrayBlock) -> None:
        inside = square[:, n.margin : n.margin + inner, n.margin : n.margin + inner]
        down = _weights(side, inner)[:, top : top + height]
        across = _weights(side, inner)[:, left : left + width]
        _product(gray, down, across, inside)

    if inner == side:
        return copy
    return average if side % inner == 0 and side // inner <= _WHOLE else weigh


def _mean(scan: GrayBlock, factor: int, out: GrayBlock) -> None:
    """Means of squares of `factor` pixels, exact and rounded."""
    rows = scan[:, 0::factor].astype(np.uint16)
    for line in range(1, factor):
        rows += scan[:, line::factor]
    sums = rows[:, :, 0::factor].copy()
    for column in range(1, factor):
        sums += rows[:, :, column::factor]
    area = factor * factor
    sums += area // 2
    if area & (area - 1):
        sums //= area
    else:
        sums >>= area.bit_length() - 1
    out[...] = sums


def _product(gray: GrayBlock, down: NDArray[np.float32], across: NDArray[np.float32], out: GrayBlock) -> None:
    """out = down @ gray @ across.T for whole-number weights, exact and rounded.

    It is ink that is weighed, not gray: weights that fall on no pixel of the scan then add paper by themselves. With
    the glyphs in the middle axis both steps are one large product each, which is faster than one for each glyph.
    """
    count, height, width = gray.shape
    size = len(down)
    ink = np.empty((height, count, width), np.float32)
    np.subtract(255, gray.transpose(1, 0, 2), out=ink, dtype=np.float32)
    tall = down @ ink.reshape(height, count * width)
    square = tall.reshape(size * count, width) @ across.T
    square *= -1 / (_ONE * _ONE)  # a power of two: no digit is lost
    square += 255.5  # and the cast below cuts, which rounds
    np.copyto(out.transpose(1, 0, 2), square.reshape(size, count, size), casting="unsafe")


@cache
def _weights(side: int, size: int) -> NDArray[np.float32]:
    """(size, side) whole-number weights that bring `side` pixels to `size`; every row sums to 256.

    Everything is computed in integers. Rounding the running sum, not each weight, keeps the sum of a row exact and
    the error of any edge below half of 1/256, however many pixels a row takes in.
    """
    out, edge = np.arange(size)[:, None], np.arange(side + 1)[None, :]
    if side > size:  # pixel o covers [o, o + 1) * side of a line whose pixel edges lie at multiples of size
        covered = np.clip(edge * size - out * side, 0, side)
        weights = np.diff((2 * _ONE * covered + side) // (2 * side), axis=1)
    else:  # the middle of pixel o lies at (o + 1/2) * side / size - 1/2, here in units of 1 / (2 * size)
        middle = np.clip((2 * out + 1) * side - size, 0, 2 * size * (side - 1))
        first = middle // (2 * size)
        second = (_ONE * (middle % (2 * size)) + size) // (2 * size)
        weights = (edge[:, :-1] == first) * (_ONE - second) + (edge[:, :-1] == first + 1) * second
    found: NDArray[np.float32] = weights.astype(np.float32)
    found.flags.writeable = False
    return found


# ---- centring ----


def _move(square: GrayBlock, paper: NDArray[np.int64], n: Normalisation) -> None:
    """Centre the ink of every glyph in place."""
    darkest = square.min(axis=(1, 2)).astype(np.int64)
    limit = np.where(paper - darkest < FAINT, 0, (3 * paper + darkest + 3) // 4).astype(np.uint8)
    ink: NDArray[np.bool_] = square < limit[:, None, None]
    mass = np.where(ink, paper.astype(np.uint8)[:, None, None] - square, 0) if n.centre == "mass" else None
    down = _shift(np.any(ink, axis=2), None if mass is None else mass.sum(axis=2, dtype=np.uint32), n.margin)
    across = _shift(np.any(ink, axis=1), None if mass is None else mass.sum(axis=1, dtype=np.uint32), n.margin)
    for index in np.flatnonzero((down != 0) | (across != 0)):
        old = square[index].copy()
        (y0, y1), (x0, x1) = _kept(int(down[index]), len(old)), _kept(int(across[index]), old.shape[1])
        dy, dx = int(down[index]), int(across[index])
        square[index] = 255
        square[index, y0 + dy : y1 + dy, x0 + dx : x1 + dx] = old[y0:y1, x0:x1]


def _shift(there: NDArray[np.bool_], mass: NDArray[np.uint32] | None, margin: int) -> NDArray[np.int64]:
    """Pixels (N,) to move along one axis, from where ink is (N, L) and, to centre by it, its mass (N, L)."""
    length = there.shape[1]
    first, last = there.argmax(axis=1), length - 1 - there[:, ::-1].argmax(axis=1)
    if mass is None:
        move = (length - 1 - first - last) // 2
    else:
        total = np.maximum(mass.sum(axis=1, dtype=np.int64), 1)
        move = (length * total - 2 * (mass.astype(np.int64) @ np.arange(length))) // (2 * total)
    # the half tones that resampling leaves beside ink stay in as well
    fringe_first, fringe_last = np.maximum(first - 1, 0), np.minimum(last + 1, length - 1)
    low, high = np.minimum(margin - fringe_first, 0), np.maximum(length - 1 - margin - fringe_last, 0)
    return np.where(there.any(axis=1), np.clip(move, low, high), 0)


def _kept(move: int, length: int) -> tuple[int, int]:
    """The part of an axis that is still inside after a move."""
    return max(0, -move), length - max(0, move)
