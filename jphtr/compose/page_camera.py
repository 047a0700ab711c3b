"""A sheet of ink as a scanner or a camera sees it: tilted, in perspective, bent, on a desk, in uneven light.

Every movement is known, so lines and boxes move with it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from jphtr.compose.page_sheet import SetLine, Sheet
from jphtr.compose.paper import PAPERS
from jphtr.records import Gray

Rng = np.random.Generator
Floats = NDArray[np.float64]

# chance of what a worn page suffers, in the order of `PAPERS`
_WORN = {
    "show_through": 0.15, "halftone": 0.02, "fade": 0.08, "scratch": 0.05, "low_contrast": 0.6, "texture": 0.35,
    "stain": 0.15, "specks": 0.2, "crease": 0.06, "low_resolution": 0.12, "blur": 0.3, "motion": 0.03, "gamma": 0.2,
    "moire": 0.03, "noise": 0.3, "salt_pepper": 0.04, "sharpen": 0.12, "binarise": 0.1, "invert": 0.02,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """The way from a flat sheet to a picture: rows move down by `bend(x)`, then the plane by `matrix` (3, 3)."""

    matrix: Floats
    bend: Floats | None = None

    def points(self, flat: Floats) -> Floats:
        """Points (..., 2) of the sheet in pixels of the picture."""
        x, y = flat[..., 0], flat[..., 1]
        if self.bend is not None:
            y = y + np.interp(x, np.arange(len(self.bend)), self.bend)
        moved = np.stack([x, y, np.ones_like(x)], axis=-1) @ self.matrix.T
        out: Floats = moved[..., :2] / moved[..., 2:]
        return out

    def quad(self, corners: Floats) -> Floats:
        """The quad (4, 2) whose long edges lie closest to what becomes of a quad's own."""
        t = np.linspace(0, 1, 9)
        ends = np.array([[1.0, 0.0], [0.0, 1.0]])
        fit = np.linalg.pinv(np.stack([1 - t, t], axis=1))
        upright = np.ptp(corners[:, 1]) > np.ptp(corners[:, 0])
        first = ((0, 3), (1, 2)) if upright else ((0, 1), (3, 2))
        found = np.empty((4, 2))
        for a, b in first:
            along = corners[a] * (1 - t)[:, None] + corners[b] * t[:, None]
            found[[a, b]] = ends @ (fit @ self.points(along))
        return found

    def picture(self, gray: Gray, size: tuple[int, int], around: int) -> Gray:
        """The sheet's pixels in a picture (width, height); beyond the sheet lies the gray `around`."""
        if self.bend is None:
            out: Gray = cv2.warpPerspective(
                gray, self.matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=around
            )
            return out
        back = np.linalg.inv(self.matrix).astype(np.float32)
        x, y = np.arange(size[0], dtype=np.float32)[None], np.arange(size[1], dtype=np.float32)[:, None]
        depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
        sx = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
        sy = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth
        sy -= np.interp(sx, np.arange(len(self.bend)), self.bend).astype(np.float32)
        curved: Gray = cv2.remap(gray, sx, sy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=around)
        return curved


def photograph(sheet: Sheet, rng: Rng, *, tilt: float, worn: bool) -> tuple[Gray, list[SetLine]]:
    """The picture of a sheet, and its lines where they lie in it.

    Parameters
    ----------
    tilt : largest angle in degrees by which it may be turned.
    worn : whether paper, light, lens and scanner leave their traces.
    """
    sides = [
        min(np.linalg.norm(line.quad[1] - line.quad[0]), np.linalg.norm(line.quad[3] - line.quad[0]))
        for line in sheet.lines
    ]
    em = float(np.median(sides)) if sides else 24.0
    gray: Gray = 255 - sheet.ink
    if rng.random() < 0.15:
        gray = _seals(sheet, gray, em, rng)
    view, around = _view(sheet, em, tilt, worn, rng)
    size = (sheet.width, sheet.height)
    paper = 255
    if worn:
        drawn = rng.random(len(_WORN))
        power = float(rng.uniform(0.2, 1.1))
        for name, r in zip(_WORN, drawn.tolist(), strict=True):
            if name == "low_resolution":  # what comes from here on is the camera's
                gray = view.picture(gray, size, around if around >= 0 else int(np.percentile(gray[::16, ::16], 90)))
                gray = _light(gray, rng) if rng.random() < 0.4 * power + 0.1 else gray
            if r < _WORN[name] * power and name == "binarise":
                gray = _black_and_white(gray, em, rng)
            elif r < _WORN[name] * power:
                gray = PAPERS[name][0](gray, em * float(rng.uniform(1, 4)) if name == "stain" else em, rng)
        if rng.random() < 0.4:
            gray = _jpeg(gray, int(rng.integers(30, 92)))
    else:
        gray = view.picture(gray, size, around if around >= 0 else paper)
    lines = []
    for line in sheet.lines:
        quad = view.quad(line.quad)
        middle = quad.mean(axis=0)
        if not (0 < middle[0] < size[0] and 0 < middle[1] < size[1]):
            continue
        corners = line.boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
        moved = view.points(corners)
        boxes = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
        lines.append(SetLine(line.text, line.direction, line.block, line.kind, quad, boxes))
    return gray, lines


def _view(sheet: Sheet, em: float, tilt: float, worn: bool, rng: Rng) -> tuple[View, int]:
    """How the sheet lies before the camera, and the gray beyond its edges; -1 for more of the same paper."""
    w, h = sheet.width, sheet.height
    angle = np.deg2rad(float(np.clip(rng.normal(0, 0.4 * tilt), -tilt, tilt)) if rng.random() < 0.7 else 0.0)
    shrink = 1.0
    around = -1
    if worn and rng.random() < 0.3:  # the desk or the lid of the scanner shows
        around = int(rng.integers(0, 90)) if rng.random() < 0.7 else int(rng.integers(90, 230))
        shrink = float(rng.uniform(0.86, 0.985))
    c, s = np.cos(angle) * shrink, np.sin(angle) * shrink
    x, y = w / 2, h / 2
    shift = rng.normal(0, 0.25, 2) * (1 - shrink) * np.array([w, h])
    matrix = np.array([[c, -s, x - c * x + s * y + shift[0]], [s, c, y - s * x - c * y + shift[1]], [0, 0, 1]])
    if worn and rng.random() < 0.2:
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        moved = corners + rng.normal(0, 0.008, (4, 2)) * np.array([w, h])
        matrix = matrix @ cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    bend = None
    if worn and rng.random() < 0.12:
        at = np.linspace(-1, 1, w)
        curve = (at - float(rng.uniform(-1, 1))) ** 2
        bend = (curve - curve.mean()) * float(rng.uniform(-0.5, 0.5)) * em
    return View(matrix, bend), around


def _light(gray: Gray, rng: Rng) -> Gray:
    """Light that falls off over the page, with the shadow of a hand or of the fold, perhaps."""
    height, width = gray.shape
    nodes = rng.uniform(0.5, 1.0, (int(rng.integers(2, 4)), int(rng.integers(2, 4)))).astype(np.float32)
    light = cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:  # the gutter of a book
        at, reach = float(rng.choice([0, width])), width * float(rng.uniform(0.02, 0.12))
        light *= 1 - float(rng.uniform(0.2, 0.7)) * np.exp(-np.abs(np.arange(width) - at) / reach).astype(np.float32)
    if rng.random() < 0.2:
        mask = np.zeros((height // 8 + 1, width // 8 + 1), np.float32)
        points = rng.uniform(-0.2, 1.2, (4, 2)) * np.array(mask.shape[::-1])
        cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), float(rng.uniform(0.1, 0.45)))
        mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 12)))
        light *= 1 - cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    lit: Gray = np.clip(gray * np.clip(light, 0.15, 1.1), 0, 255).astype(np.uint8)
    return lit


def _seals(sheet: Sheet, gray: Gray, em: float, rng: Rng) -> Gray:
    """Seals, in a red that a gray picture shows as a middle gray; what stands in them is no line of the page."""
    out = gray.copy()
    pen = sheet.pen("print")
    for _ in range(int(rng.integers(1, 4))):
        side = round(em * float(rng.uniform(1.3, 4)))
        canvas = Sheet(sheet.composer, (2 * side, 2 * side), rng)
        level, half = int(rng.integers(90, 200)), side // 2
        if rng.random() < 0.5:
            cv2.circle(canvas.ink, (side, side), half, 255, max(1, side // 16), cv2.LINE_AA)
        else:
            cv2.rectangle(canvas.ink, (side - half, side - half), (side + half, side + half), 255, max(1, side // 16))
        count = int(rng.integers(1, 3))
        for column in range(count):
            size = side * 0.8 / 2
            x = side + (0.5 * count - column - 1) * size
            canvas.line(sheet.phrase(2, 2), x, side - size, size, "vertical", pen)
        turn = cv2.getRotationMatrix2D((side, side), float(rng.normal(0, 12)), 1)
        ink = cv2.warpAffine(canvas.ink, turn, (2 * side, 2 * side))
        x0, y0 = int(rng.integers(-side, sheet.width)), int(rng.integers(-side, sheet.height))
        ax, ay = max(0, x0), max(0, y0)
        bx, by = min(sheet.width, x0 + 2 * side), min(sheet.height, y0 + 2 * side)
        if bx > ax and by > ay:
            stamp = 255 - (ink[ay - y0 : by - y0, ax - x0 : bx - x0] * (level / 255)).astype(np.uint8)
            out[ay:by, ax:bx] = np.minimum(out[ay:by, ax:bx], stamp)
    return out


def _black_and_white(gray: Gray, em: float, rng: Rng) -> Gray:
    """What a fax or an archive keeps: ink or paper, told apart by the light around."""
    around = cv2.blur(gray, (2 * round(3 * em) + 1, 2 * round(3 * em) + 1)).astype(np.float32)
    grain = rng.standard_normal(gray.shape, dtype=np.float32) * float(rng.uniform(0, 8))
    dark: Gray = np.where(gray + grain < around * float(rng.uniform(0.75, 0.92)) - 4, 0, 255).astype(np.uint8)
    return dark


def _jpeg(gray: Gray, quality: int) -> Gray:
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
