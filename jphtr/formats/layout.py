"""How a page is put together: blocks of lines, words of characters, where they stand, to the pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jphtr.formats.style import Style
from jphtr.records import Box, CharSpan, LineRegion, Page, PageLine, Point, Recognition

Result = Recognition | Page
PixelBox = tuple[int, int, int, int]

DESCENT = 0.12  # of a line's thickness, below the baseline: as fonts for Japanese have it


def page_of(result: Recognition, width: int, height: int, dpi: float | None = None) -> Page:
    """The page that is nothing but one line.

    Parameters
    ----------
    result : of a picture of one line.
    width, height : of that picture, upright, in pixels.
    dpi : its dots per inch, None where the file does not say.
    """
    corners = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    region = LineRegion(corners, result.direction)
    return Page(width, height, (PageLine(region, result),), result.path, dpi=dpi)


def as_page(result: Result, style: Style) -> Page:
    """A page as it is, and a line as the page that its picture is, which is looked up.

    Raises
    ------
    ImageError
        If the picture of a line cannot be opened.
    """
    if isinstance(result, Page):
        return result
    picture = style.pictures(result.path)
    return page_of(result, picture.width, picture.height, picture.dpi)


def blocks(page: Page) -> list[list[PageLine]]:
    """The lines of each block, in reading order."""
    found: dict[int, list[PageLine]] = {}
    for line in page.lines:
        found.setdefault(line.region.block, []).append(line)
    return list(found.values())


def words(line: PageLine) -> list[list[CharSpan]]:
    """Runs of characters without a space; Japanese sets none, so most lines are one word."""
    found: list[list[CharSpan]] = []
    broken = True
    for span in line.recognition.spans:
        if span.char.isspace():
            broken = True
            continue
        if broken:
            found.append([])
        found[-1].append(span)
        broken = False
    return found


def text_of(spans: Sequence[CharSpan]) -> str:
    """What they spell."""
    return "".join(span.char for span in spans)


def confidence_of(spans: Sequence[CharSpan]) -> float:
    """Geometric mean, as a line's own; 0.0 of none."""
    return math.exp(sum(math.log(max(s.confidence, 1e-12)) for s in spans) / len(spans)) if spans else 0.0


def around(boxes: Sequence[Box]) -> Box:
    """The upright rectangle around boxes."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def in_pixels(box: Box, page: Page) -> PixelBox:
    """Whole pixels on the page, at least one each way: left, top, right, bottom, the last two not included."""
    left = min(max(round(box[0]), 0), page.width - 1)
    top = min(max(round(box[1]), 0), page.height - 1)
    right = min(max(round(box[2]), left + 1), page.width)
    bottom = min(max(round(box[3]), top + 1), page.height)
    return left, top, right, bottom


def points_in_pixels(points: Sequence[Point], page: Page) -> str:
    """Points as ALTO and PAGE write them: "x,y x,y", whole pixels on the page."""
    return " ".join(f"{min(max(round(x), 0), page.width)},{min(max(round(y), 0), page.height)}" for x, y in points)


@dataclass(frozen=True, slots=True)
class Axis:
    """The reading axis of a line: where it starts, which way it runs, how far, and how thick the line is, in pixels.

    Attributes
    ----------
    start : the middle of the line's first edge.
    along : unit vector in which the text runs.
    length, thickness : of the line along the axis and across it.
    """

    start: Point
    along: Point
    length: float
    thickness: float

    def at(self, place: float, across: float = 0.0) -> Point:
        """The point `place` pixels along the axis and `across` pixels to its right hand, in picture coordinates."""
        (x, y), (dx, dy) = self.start, self.along
        return x + place * dx - across * dy, y + place * dy + across * dx

    def extent(self, box: Box) -> tuple[float, float]:
        """From where to where along the axis an upright box stands."""
        x0, y0, x1, y1 = box
        dx, dy = self.along
        middle = ((x0 + x1) / 2 - self.start[0]) * dx + ((y0 + y1) / 2 - self.start[1]) * dy
        # of a box that tilted ink fills, only the side that runs with the text counts
        half = max(abs(dx) * (x1 - x0), abs(dy) * (y1 - y0)) / 2
        return middle - half, middle + half


def axis_of(region: LineRegion) -> Axis:
    """The reading axis of a line."""
    a, b, c, d = region.quad
    first, last = ((a, d), (b, c)) if region.direction == "horizontal" else ((a, b), (d, c))
    start, end = _middle(*first), _middle(*last)
    length, thickness = math.dist(start, end), (math.dist(*first) + math.dist(*last)) / 2
    if length < 1:  # a quad that has shrunk to a stroke runs as its direction does
        along = (1.0, 0.0) if region.direction == "horizontal" else (0.0, 1.0)
    else:
        along = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    return Axis(start, along, max(length, 1.0), max(thickness, 1.0))


def baseline(region: LineRegion) -> tuple[Point, Point]:
    """What the characters stand on; vertical ones hang on the middle of their column."""
    axis = axis_of(region)
    below = axis.thickness * (0.5 - DESCENT) if region.direction == "horizontal" else 0.0
    return axis.at(0, below), axis.at(axis.length, below)


def tilt(region: LineRegion) -> float:
    """How far the text is turned, in degrees clockwise, -180 to 180; 0 for upright lines and upright columns."""
    dx, dy = axis_of(region).along
    if region.direction == "vertical":
        dx, dy = dy, -dx
    return math.degrees(math.atan2(dy, dx))


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
