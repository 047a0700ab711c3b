"""A line as numbers: which glyphs stand where in its picture. What draws many at once, a GPU say, starts from here.

The picture's x axis is the reading axis, as in the plane of `Composer.line`; a vertical line is planned as the reader
turns it. Its hand and its wear follow the same chances as there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.compose import Composer, Rng, Setting
from jphtr.compose.crop import crop
from jphtr.compose.ink import INKS
from jphtr.compose.layout import Placed
from jphtr.compose.paper import PAPERS
from jphtr.geometry import BODY, HEIGHT, LEAST_BAND, MIN_WIDTH

NODES = 48  # places at which the bend of a baseline is given
_SOLID = 159  # gray from which on a pixel of a glyph is ink
# A reader takes rows with little ink for paper: measured on 200 composed lines, the log of how much tighter than all ink
# its band is, and by how much of an em its middle strays.
_TIGHTER, _ASIDE = (0.145, 0.115), 0.03


@dataclass(frozen=True, slots=True)
class Plan:
    """One line before anything is drawn.

    Attributes
    ----------
    glyphs : (P,) int64 rows of the atlas's glyphs, of `Atlas.grays` one after the other; those beside the text included.
    matrices : (P, 2, 3) float32 affine maps of a glyph's canvas to the picture, both in pixels.
    text : what the line says.
    boxes : (L, 4) float32 of its characters' ink (cells, for spaces) in pixels of the picture.
    size : (width, height) of the picture in pixels.
    em : pixels of a character.
    band : its first and last row of text, as a reader might find them.
    baseline : (`NODES`,) float32 pixels by which the line sags, evenly spaced along the picture.
    wave : pixels by which the hand or the paper bends it here and there.
    worn : names in `INKS` and `PAPERS` of what it suffers, in the order of these.
    beside : whether parts of other lines stand in the picture.
    seed : of the chances that are left to whoever draws it.
    """

    glyphs: NDArray[np.int64]
    matrices: NDArray[np.float32]
    text: str
    boxes: NDArray[np.float32]
    size: tuple[int, int]
    em: float
    band: tuple[float, float]
    baseline: NDArray[np.float32]
    wave: float
    worn: tuple[str, ...]
    beside: bool
    seed: int

    @property
    def scale(self) -> float:
        """Pixels of the strip to one of the picture."""
        return BODY / (self.band[1] - self.band[0])

    @property
    def origin(self) -> tuple[float, float]:
        """The pixel of the picture at the strip's upper left corner."""
        margin = 0.25 * (self.band[1] - self.band[0])
        left = float(self.boxes[:, 0].min()) if len(self.boxes) else margin
        return max(left, 0.0) - margin, sum(self.band) / 2 - HEIGHT / 2 / self.scale

    @property
    def width(self) -> int:
        """Pixels of the strip along the line."""
        margin = 0.25 * (self.band[1] - self.band[0])
        right = float(self.boxes[:, 2].max()) if len(self.boxes) else self.size[0] - margin
        return max(MIN_WIDTH, round((min(right, self.size[0]) + margin - self.origin[0]) * self.scale))

    def along(self) -> NDArray[np.float64]:
        """(L, 2) first and last pixel of each character along the strip."""
        return (self.boxes[:, [0, 2]].astype(np.float64) - self.origin[0]) * self.scale


class Planner:
    """A composer whose lines are left as plans, for whoever can draw many at once from its `grays`, the atlas's glyphs."""

    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self.grays = composer.atlas.grays

    def line(self, rng: Rng) -> Plan:
        """Plan one line."""
        return plan(self.composer, rng)


def plan(composer: Composer, rng: Rng) -> Plan:
    """Plan one line; `rng` is the only source of chance."""
    settings = composer.settings
    setting = composer.arrange(rng)
    placed, rough = setting.placed, setting.style not in ("print", "display")
    degraded = bool(rng.random() < settings.degraded)
    boxes = np.array([_ink(p) for p in placed], np.float32).reshape(-1, 4)
    drawn = [p for p in placed if p.patch is not None]
    if setting.empty:
        drawn = []
    elif setting.style == "print" and rng.random() < 0.07:
        drawn += composer.ruby(placed, boxes[:, 0].tolist(), setting.writer, rng)
    length = max((p.end for p in placed), default=1.0)
    part = crop(boxes, (0.0, 0.0, length, 1.0), 1.0, settings, rng)
    left, top, right, bottom, em = part.left, part.top, part.right, part.bottom, part.em
    size = (max(4, round((right - left) * em)), max(4, round((bottom - top) * em)))
    matrices = np.array([p.matrix for p in drawn], np.float32).reshape(-1, 2, 3)
    matrices[:, :, 2] -= (left, top)
    boxes = (boxes - np.array([left, top, left, top], np.float32)) * em
    baseline, wave = _bend(size[0] / em, rough, degraded, composer.settings.bend, rng)
    baseline *= em
    if len(boxes):
        sag = np.interp(boxes[:, [0, 2]].mean(axis=1), np.linspace(0, size[0], NODES), baseline).astype(np.float32)
        boxes[:, 1::2] += sag[:, None]
    boxes[:, 0::2] = np.clip(boxes[:, 0::2], 0, size[0])
    boxes[:, 1::2] = np.clip(boxes[:, 1::2], 0, size[1])
    text = "" if setting.empty else "".join(p.char for p in placed)
    band = _band(boxes, size, em, rng)
    return Plan(
        np.array([p.patch.row for p in drawn if p.patch is not None], np.int64), matrices * np.float32(em), text,
        boxes if text else boxes[:0], size, em, band, baseline, wave * em, _worn(composer, setting, degraded, rng),
        bool(rng.random() < settings.neighbours), int(rng.integers(1 << 62)),
    )  # fmt: skip


def _ink(p: Placed) -> tuple[float, float, float, float]:
    """The box of a character's ink on the plane of its line, in em: about the corners of its ink's box."""
    if p.patch is None:
        return p.start, 0.0, p.end, 1.0
    solid = p.patch.gray < _SOLID
    columns, rows = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    if not len(columns):
        return p.start, 0.0, p.end, 1.0
    x, y = np.array([columns[0], columns[-1] + 1]), np.array([rows[0], rows[-1] + 1])
    corners = p.matrix[:, :2] @ np.array([x[[0, 1, 0, 1]], y[[0, 0, 1, 1]]]) + p.matrix[:, 2:]
    (x0, y0), (x1, y1) = corners.min(axis=1).tolist(), corners.max(axis=1).tolist()
    return x0, y0, x1, y1


def _bend(length: float, rough: bool, degraded: bool, far: float, rng: Rng) -> tuple[NDArray[np.float32], float]:
    """How far a line of some length sags along it, and how far it waves about, all in em."""
    if rng.random() >= (0.8 if rough else 0.55 if degraded else 0.2):
        return np.zeros(NODES, np.float32), 0.0
    strength = 1.0 if rough else 0.35
    nodes = rng.normal(0, 1, max(3, int(length / 3.3) + 2)) * abs(float(rng.normal(0, 0.05))) * strength
    sag = cv2.resize(nodes[None].astype(np.float32), (NODES, 1), interpolation=cv2.INTER_CUBIC)[0]
    tilt = float(rng.normal(0, 0.009)) * min(length, 19.0)
    bend = (sag - sag.mean() + tilt * np.linspace(-0.5, 0.5, NODES)).astype(np.float32)
    return bend, abs(float(rng.normal(0, 0.023 * far if rough else 0.008)))


def _worn(composer: Composer, setting: Setting, degraded: bool, rng: Rng) -> tuple[str, ...]:
    """What ink and paper suffer, by the chances of `Composer.line`."""
    found = [name for name in INKS if rng.random() < composer.ink_chance(name, setting.style, degraded)]
    power = float(rng.uniform(0.3, 1.25))
    if degraded:
        found += [name for name, (_, share) in PAPERS.items() if rng.random() < share * power]
    elif setting.empty or rng.random() < 0.3:
        found.append("low_contrast")
    return tuple(found)


def _band(boxes: NDArray[np.float32], size: tuple[int, int], em: float, rng: Rng) -> tuple[float, float]:
    """The rows of the text as `geometry.prepare` would take them, give or take what it misjudges."""
    low, high = (float(boxes[:, 1].min()), float(boxes[:, 3].max())) if len(boxes) else (0.0, float(size[1]))
    if len(boxes):
        tighter = float(np.clip(np.exp(rng.normal(*_TIGHTER)), 0.95, 1.7))
        middle = (low + high) / 2 + float(rng.normal(0, _ASIDE)) * em
        low, high = middle - (high - low) / 2 / tighter, middle + (high - low) / 2 / tighter
    least = max(2.0, LEAST_BAND * size[1])
    if high - low < least:
        middle = min(max((low + high) / 2, least / 2), size[1] - least / 2)
        low, high = middle - least / 2, middle + least / 2
    return low, high
