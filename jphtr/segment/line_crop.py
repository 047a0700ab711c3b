"""A region of a page -> the upright picture of its line, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jphtr.records import Box, Gray, LineRegion

_ASIDE = 0.10  # heights of the line that are cut out on both sides of it
_ENDS = 0.20  # heights that are cut out before and behind it
_STRAIGHT = 0.004  # radians below which pixels are taken as they are


@dataclass(frozen=True, slots=True)
class LineCrop:
    """A line cut out of a page.

    Attributes
    ----------
    gray : (H, W) uint8, upright; a vertical line runs down.
    origin : (x, y) of its top left corner on the page.
    across, down : (x, y) on the page of one pixel to the right, and of one down.
    """

    gray: Gray
    origin: tuple[float, float]
    across: tuple[float, float]
    down: tuple[float, float]

    def to_page(self, box: Box) -> Box:
        """The upright box on the page around a box in the crop."""
        x, y = np.array([box[0], box[2], box[2], box[0]]), np.array([box[1], box[1], box[3], box[3]])
        px = self.origin[0] + x * self.across[0] + y * self.down[0]
        py = self.origin[1] + x * self.across[1] + y * self.down[1]
        return float(px.min()), float(py.min()), float(px.max()), float(py.max())


def crop(gray: Gray, region: LineRegion) -> LineCrop:
    """Cut a line out of a page (H, W), turned upright if it is tilted, with a little paper around it.

    A page's edges cut straight lines short; tilted ones are continued with the paper's own gray.
    """
    quad = np.array(region.quad, np.float64)
    middle = quad.mean(axis=0)
    right = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
    below = (quad[3] + quad[2] - quad[0] - quad[1]) / 2
    # the longer side tells the angle; the shorter one stands on it
    upright = region.direction == "vertical"
    wide, high = max(float(np.hypot(*right)), 1.0), max(float(np.hypot(*below)), 1.0)
    if upright:
        y = below / high
        x = np.array([y[1], -y[0]])
    else:
        x = right / wide
        y = np.array([-x[1], x[0]])
    tall = wide if upright else high
    wide += 2 * tall * (_ASIDE if upright else _ENDS)
    high += 2 * tall * (_ENDS if upright else _ASIDE)
    if abs(x[1]) < _STRAIGHT:
        return _straight(gray, middle, wide, high)
    size = (max(1, round(wide)), max(1, round(high)))
    origin = middle - x * size[0] / 2 - y * size[1] / 2
    return _turned(gray, origin, x, y, size)


def _straight(gray: Gray, middle: NDArray[np.float64], wide: float, high: float) -> LineCrop:
    x0, y0 = (max(0, int(np.floor(middle[n] - side / 2))) for n, side in enumerate((wide, high)))
    x1, y1 = (int(np.ceil(middle[n] + side / 2)) for n, side in enumerate((wide, high)))
    x0, y0 = min(x0, gray.shape[1] - 1), min(y0, gray.shape[0] - 1)
    piece = np.ascontiguousarray(gray[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)])
    return LineCrop(piece, (float(x0), float(y0)), (1.0, 0.0), (0.0, 1.0))


def _turned(
    gray: Gray, origin: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], size: tuple[int, int]
) -> LineCrop:
    points = np.array([origin, origin + x * size[0], origin + y * size[1], origin + x * size[0] + y * size[1]])
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - 2, 0, np.array(gray.shape[::-1]) - 1)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + 2, low + 1, gray.shape[::-1])
    part = gray[low[1] : high[1], low[0] : high[0]]
    paper = int(np.percentile(part[::2, ::2], 75))
    at = origin - low
    # Pillow maps the middle of a pixel of the result through these onto the source
    matrix = (float(x[0]), float(y[0]), float(at[0]), float(x[1]), float(y[1]), float(at[1]))
    picture = Image.fromarray(part).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=paper
    )
    found = np.array(picture, np.uint8)
    return LineCrop(found, (float(origin[0]), float(origin[1])), (float(x[0]), float(x[1])), (float(y[0]), float(y[1])))
