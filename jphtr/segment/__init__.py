"""A page -> its lines in reading order; or the finding that a picture shows one line only.

`segment` finds lines with a trained detector or, without one, by smearing ink; `crop` cuts each out as an upright
picture that knows the way back; `is_line` tells a picture of one line from a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jphtr.records import Gray, LineRegion
from jphtr.segment.classical import classical
from jphtr.segment.line_crop import LineCrop, crop
from jphtr.segment.order import in_order
from jphtr.segment.quads import corners, sizes

if TYPE_CHECKING:
    from jphtr.segment.detector import Detector

__all__ = ["LineCrop", "crop", "in_order", "is_line", "open_detector", "segment", "shape_of_line"]

_LOW = 40  # pixels of the shorter side up to which a picture holds one line
_LONG = 12.0  # times as long as wide, from which a picture holds one line
_SLENDER = 3.0  # times as long as wide, from which a picture is rather a line than a page
_PART = 0.4  # of a picture's shorter side that its one line takes at least
_EDGE = 0.04  # of a picture's shorter side within which what touches its edge is a neighbour cut off
_FAINT = 0.25  # of the contrast of a page's text, below which other text is the back of the sheet
_LOOKED_AT = 4096  # pixels of a region that its contrast is told by
_SMALLER = 0.6  # of the height of the largest line, below which another is a note beside it


def open_detector(name: str | None = None, *, threads: int | None = None) -> Detector | None:
    """The detector that a name stands for: "classical" for none, a path of a model, or None for the best there is.

    Raises
    ------
    ModelError
        If a model was named that cannot be used.
    """
    if name == "classical":
        return None
    from jphtr.segment.detector import SHIPPED_DETECTOR, Detector

    if name is None and not SHIPPED_DETECTOR.exists():
        return None
    return Detector(name, threads=threads)


def segment(gray: Gray, detector: Detector | None = None, *, ruby: bool = True) -> tuple[LineRegion, ...]:
    """The lines of a page in reading order.

    Parameters
    ----------
    gray : (H, W) uint8; dark on light or light on dark.
    detector : what finds them; None smears ink, which serves clean pages.
    ruby : whether small kana beside the lines are given too, each after its line.

    Raises
    ------
    ModelError
        If the detector fails.
    """
    if not gray.size:
        return ()
    found = classical(gray) if detector is None else detector.lines(gray)
    found = _not_faint([region for region in found if _holds_text(region, gray)], gray)
    ordered = in_order(found)
    return ordered if ruby else tuple(region for region in ordered if region.kind == "text")


def shape_of_line(gray: Gray) -> bool:
    """Whether a picture (H, W) is so low or so long that it holds a single line, whatever it shows."""
    shorter, longer = sorted(gray.shape)
    return bool(shorter <= _LOW or longer >= _LONG * shorter)


def is_line(gray: Gray, detector: Detector | None = None, regions: Sequence[LineRegion] | None = None) -> bool:
    """Whether a picture shows a single line of text, as opposed to a page.

    The shape decides where it can: a low or a very long picture is a line. Otherwise lines are looked for: a picture in
    which but one is whole, and fills it, is a line; so is one in which nothing is found.

    Parameters
    ----------
    gray : (H, W) uint8.
    detector : see `segment`.
    regions : what `segment` found on it, if it was asked already.
    """
    if shape_of_line(gray):
        return True
    shorter, longer = sorted(gray.shape)
    if regions is None:
        regions = segment(gray, detector)
    texts = [region for region in regions if region.kind == "text"]
    if not texts:
        return True
    quads = corners(texts)
    lengths, heights = sizes(texts)
    rim = _EDGE * shorter
    size = np.array(gray.shape[::-1])
    upright = np.array([region.direction == "vertical" for region in texts])
    across = np.where(upright, 0, 1)
    low = quads.min(axis=1)[np.arange(len(texts)), across]
    high = quads.max(axis=1)[np.arange(len(texts)), across]
    cut_off = (low < rim) | (high > size[across] - rim)
    tall = float(heights.max())
    whole = ~cut_off & (heights > _SMALLER * tall)
    if longer >= _SLENDER * shorter:  # such pictures are cut around lines; a page of this shape has to show its lines
        along = "vertical" if gray.shape[0] > gray.shape[1] else "horizontal"
        whole &= (lengths > 0.4 * longer) & np.array([region.direction == along for region in texts])
        return not _apart((low + high)[whole] / 2, tall)
    if whole.sum() > 1 and (_apart((low + high)[whole] / 2, tall) or len(set(upright[whole].tolist())) > 1):
        return False
    main = int((lengths * heights).argmax())
    room = float(size[across[main]])
    return bool(heights[main] >= _PART * room) or (shorter < 3 * _LOW and bool(heights[main] > 0.25 * room))


def _apart(levels: NDArray[np.float64], tall: float) -> bool:
    """Whether lines at these levels stand beside each other, not behind."""
    return len(levels) > 1 and bool((np.abs(levels - np.median(levels)) >= 0.35 * tall).any())


def _holds_text(region: LineRegion, gray: Gray) -> bool:
    """Whether a region lies on the page and is large enough to be read."""
    x0, y0, x1, y1 = region.box
    inside = (min(x1, gray.shape[1]) - max(x0, 0.0), min(y1, gray.shape[0]) - max(y0, 0.0))
    return bool(min(inside) >= 3 and max(inside) >= 8)


def _not_faint(regions: Sequence[LineRegion], gray: Gray) -> list[LineRegion]:
    """The regions without those that are far paler than the page's text: what shows through from the back of the sheet."""
    contrasts = [_contrast(region, gray) for region in regions]
    texts = [c for region, c in zip(regions, contrasts, strict=True) if region.kind == "text"]
    if not texts:
        return list(regions)
    floor = _FAINT * float(np.percentile(texts, 75))
    return [region for region, c in zip(regions, contrasts, strict=True) if c >= floor]


def _contrast(region: LineRegion, gray: Gray) -> float:
    """Levels of gray between the paper and the ink of a region, whichever is lighter."""
    height, width = gray.shape
    x0, x1 = (min(max(0, int(v)), width) for v in region.box[::2])
    y0, y1 = (min(max(0, int(v)), height) for v in region.box[1::2])
    if region.direction == "vertical":  # the middle half, without the lines beside it
        x0, x1 = x0 + (x1 - x0) // 4, x1 - (x1 - x0) // 4
    else:
        y0, y1 = y0 + (y1 - y0) // 4, y1 - (y1 - y0) // 4
    step = 1 + int(((x1 - x0) * (y1 - y0) / _LOOKED_AT) ** 0.5)
    dark, darker, lighter, light = np.percentile(gray[y0 : y1 + 1 : step, x0 : x1 + 1 : step], (2, 20, 80, 98)).tolist()
    return float(max(lighter - dark, light - darker))
