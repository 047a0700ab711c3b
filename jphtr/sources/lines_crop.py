"""A line cut out of the picture of its page: what its reader would be given, had the line been scanned alone.

An upright rectangle is cut as it is. Whatever lies outside another polygon becomes paper, so that the neighbours' ink
does not reach in: the median of the line's own pixels there, which follows the light along the line. A line that is
tilted by more than a degree is turned until it is level, as a quadrilateral around it would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jphtr.errors import ImageError
from jphtr.image import SUFFIXES, load_gray
from jphtr.records import Gray, Point

_LEVEL = 1.0  # degrees of tilt below which pixels stay where they are: training composes such tilts too
_LONG = 2.5  # times as long as high a line must be for the shape of its outline to show a tilt


def page(path: Path) -> Gray:
    """Gray pixels of a page; the lines of a page follow each other, so it is decoded once. Not to be written to.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    try:
        told = path.stat()
    except OSError:
        return load_gray(path)  # which says why not
    return _page(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=2)
def _page(path: Path, changed: int, size: int) -> Gray:
    gray = load_gray(path)
    gray.flags.writeable = False
    return gray


def picture_of(file: Path, named: str) -> Path | None:
    """The picture that belongs to a file about a page: as it is named there, or called like the file.

    It is looked for beside the file and one folder up, as page/x.xml belongs to x.jpg.
    """
    name = Path(named.replace("\\", "/").removeprefix("file://"))
    homes = (file.parent, file.parent.parent, file.parent / "images", file.parent.parent / "images")
    wanted = [home / part for part in dict.fromkeys((name, Path(name.name))) if named for home in homes]
    for path in wanted:
        if path.is_file():
            return path
    stems = [Path(name.name).stem, file.stem] if named else [file.stem]
    for home in homes:
        for stem in stems:
            for suffix in sorted(SUFFIXES):
                for path in (home / f"{stem}{suffix}", home / f"{stem}{suffix.upper()}"):
                    if path.is_file():
                        return path
    return None


def rectangle(x: float, y: float, width: float, height: float) -> list[Point]:
    """The corners of an upright rectangle."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def cut_out(picture: Path, outline: Sequence[Point], baseline: Sequence[Point], name: str) -> Gray:
    """The picture of a line called `name`, out of that of its page; see `cut`.

    Raises
    ------
    ImageError
        If the page cannot be read, or the outline lies beside it.
    """
    try:
        return cut(page(picture), outline, baseline)
    except ValueError as error:
        raise ImageError(f"{name}: {error}") from None


def cut(gray: Gray, outline: Sequence[Point], baseline: Sequence[Point] = ()) -> Gray:
    """The picture (H, W) of a line.

    Parameters
    ----------
    gray : (H, W) uint8 page, dark on light or light on dark.
    outline : the corners (x, y) of a polygon around the line, in pixels of the page.
    baseline : points along the line, if known: they show its tilt better than its outline.

    Raises
    ------
    ValueError
        If less than two pixels of it lie on the page; what it says fits behind the name of the line.
    """
    points = np.array(outline, np.float64)
    height, width = gray.shape
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)), (width, height)).astype(int)
    if (high - low).min() < 2:
        x0, y0 = np.round(points.min(axis=0)).astype(int).tolist()
        x1, y1 = np.round(points.max(axis=0)).astype(int).tolist()
        raise ValueError(
            f"its outline ({x0}, {y0}) to ({x1}, {y1}) is empty on its picture of {width} x {height} pixels"
        )
    if _is_rectangle(points):
        return np.ascontiguousarray(gray[low[1] : high[1], low[0] : high[0]])
    tilt = _tilt(points, np.array(baseline, np.float64).reshape(-1, 2))
    if abs(tilt) < _LEVEL:
        piece = gray[low[1] : high[1], low[0] : high[0]]
        return _on_paper(piece, _inside(points - low, piece.shape))
    return _levelled(gray, points, tilt)


def _is_rectangle(points: NDArray[np.float64]) -> bool:
    """Whether corners (n, 2) are those of an upright rectangle."""
    at_side = (points == points.min(axis=0)) | (points == points.max(axis=0))
    return len(np.unique(points, axis=0)) == 4 and bool(at_side.all())


def _tilt(points: NDArray[np.float64], baseline: NDArray[np.float64]) -> float:
    """Degrees, -45 to 45, that a line is turned clockwise (as pictures lie) from the axis of the page nearest to it.

    By its baseline, else by the direction in which the upright rectangle around its outline is smallest.
    """
    if len(baseline) > 1:
        dx, dy = (baseline[-1] - baseline[0]).tolist()
        if np.hypot(dx, dy) >= np.ptp(points, axis=0).min():
            return float((np.degrees(np.arctan2(dy, dx)) + 45) % 90 - 45)
    tilts = np.arange(-45, 45, 0.5)
    turns = np.radians(tilts)
    along = points[:, :1] * np.cos(turns) + points[:, 1:] * np.sin(turns)
    across = points[:, 1:] * np.cos(turns) - points[:, :1] * np.sin(turns)
    sides = np.stack([np.ptp(along, axis=0), np.ptp(across, axis=0)])
    areas = sides.prod(axis=0)
    best = int((areas + 1e-6 * np.abs(tilts) * areas.max()).argmin())
    longer, shorter = sides[:, best].max(), sides[:, best].min()
    level = areas[len(tilts) // 2]
    # a wavy outline has no direction worth turning for unless that makes the rectangle clearly smaller
    return float(tilts[best]) if longer >= _LONG * shorter and areas[best] < 0.9 * level else 0.0


def _levelled(gray: Gray, points: NDArray[np.float64], tilt: float) -> Gray:
    """The outline's piece of the page, turned back by `tilt` degrees."""
    cos, sin = float(np.cos(np.radians(tilt))), float(np.sin(np.radians(tilt)))
    turned = points @ np.array([[cos, -sin], [sin, cos]])  # along and across the line
    low = np.floor(turned.min(axis=0))
    size = np.ceil(turned.max(axis=0) - low).astype(int)
    # Pillow asks where each pixel of the result comes from
    x, y = low[0] * cos - low[1] * sin, low[0] * sin + low[1] * cos
    back = (cos, -sin, x, sin, cos, y)
    shape = (int(size[0]), int(size[1]))
    piece = Image.fromarray(gray).transform(shape, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)
    column, row = np.meshgrid(np.arange(shape[0]) + 0.5, np.arange(shape[1]) + 0.5)
    from_x, from_y = column * cos - row * sin + x, column * sin + row * cos + y
    there = (from_x > 1) & (from_x < gray.shape[1] - 1) & (from_y > 1) & (from_y < gray.shape[0] - 1)
    return _on_paper(np.asarray(piece), _inside(turned - low, (shape[1], shape[0])) & there)


def _inside(points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels of a piece (H, W) lie in a polygon."""
    mask = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in (points - 0.5).tolist()], fill=1, outline=1)
    return np.asarray(mask, bool)


def _on_paper(piece: Gray, inside: NDArray[np.bool_]) -> Gray:
    """The piece with paper where it is not `inside`: the median of the inside around, block by block along the line."""
    if inside.all() or not inside.any():
        return np.ascontiguousarray(piece)
    if piece.shape[0] > piece.shape[1]:
        return np.ascontiguousarray(_on_paper(piece.T, inside.T).T)
    width = piece.shape[1]
    count = max(1, round(width / piece.shape[0]))
    edges = np.linspace(0, width, count + 1).astype(int)
    blocks = [piece[:, a:b][inside[:, a:b]] for a, b in pairwise(edges.tolist())]
    known = [place for place, block in enumerate(blocks) if len(block)]
    levels = [float(np.median(blocks[place])) for place in known]
    middles = [(float(edges[place]) + float(edges[place + 1])) / 2 for place in known]
    paper = np.interp(np.arange(width) + 0.5, middles, levels).round().astype(np.uint8)
    return np.where(inside, piece, paper[None])
