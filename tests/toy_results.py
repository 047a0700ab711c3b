"""Results made by hand: a page of every kind of line, with its picture, whose characters are black boxes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from jphtr.records import CharSpan, Direction, LineKind, LineRegion, Page, PageLine, Point, Recognition

WIDTH, HEIGHT = 640, 480
ALTERNATIVES = {"日": (("曰", 0.01), ("目", 0.001), ("白", 0.0005), ("且", 0.0001))}


def line(
    text: str, x: float, y: float, *, size: float = 20, direction: Direction = "horizontal", block: int = 0,
    kind: LineKind = "text", tilt: float = 0.0, step: float | None = None,
) -> PageLine:  # fmt: skip
    """A line whose first character's corner is at (x, y), characters of `size` pixels, `tilt` degrees clockwise.

    `step` is from one character to the next; half of it, and half of the size, for ASCII.
    """
    pitch = size if step is None else step
    vertical = direction == "vertical"
    turn = math.radians(tilt)
    origin = (x + size, y) if vertical else (x, y)  # across a column runs from its right edge to its left

    def at(along: float, across: float) -> Point:
        dx, dy = (-across, along) if vertical else (along, across)
        return (
            origin[0] + dx * math.cos(turn) - dy * math.sin(turn),
            origin[1] + dx * math.sin(turn) + dy * math.cos(turn),
        )

    spans, place = [], 0.0
    for n, char in enumerate(text):
        share = 0.5 if char.isascii() else 1.0
        cx, cy = at(place + size * share / 2, size / 2)
        wide, high = (size, size * share) if vertical else (size * share, size)
        box = (cx - wide * 0.45, cy - high * 0.45, cx + wide * 0.45, cy + high * 0.45)
        spans.append(CharSpan(char, box, 0.99 - 0.001 * n, ALTERNATIVES.get(char, ())))
        place += pitch * share
    end = place - pitch + size if text else size
    # clockwise from the top left of the first character, as a reader sees it
    corners = ((0, size), (0, 0), (end, 0), (end, size)) if vertical else ((0, 0), (end, 0), (end, size), (0, size))
    confidence = float(np.exp(np.mean(np.log([s.confidence for s in spans])))) if spans else 0.0
    region = LineRegion(tuple(at(*corner) for corner in corners), direction, block, kind, 0.9)  # type: ignore[arg-type]
    return PageLine(region, Recognition(text, confidence, tuple(spans), direction))


LINES = (
    line("本日は晴天なり。", 30, 20),
    line("two words と12,508", 30, 60, size=24),
    line("少し傾いた行である", 30, 110, tilt=3.0, block=1),
    line("", 30, 170, block=1),
    line("𠮟る<&>\"'", 30, 210, block=2),
    line("縦書きの日記、右の列。", 560, 30, direction="vertical", block=3),
    line("左の列ABCと。", 520, 30, direction="vertical", block=3),
    line("傾いた列である", 460, 40, direction="vertical", block=4, tilt=-2.0, size=26),
    line("にっき", 584, 110, size=8, step=12, direction="vertical", block=3, kind="ruby"),
)
TEXT = [one.recognition.text for one in LINES]


def page(path: str | None = None, number: int = 1, dpi: float | None = 200.0) -> Page:
    """The page of `LINES`."""
    return Page(WIDTH, HEIGHT, LINES, path, number, dpi)


def picture(lines: tuple[PageLine, ...] = LINES) -> Image.Image:
    """What the page looks like: gray noise for paper, a black box for every character."""
    paper = np.random.default_rng(5).integers(200, 256, (HEIGHT, WIDTH)).astype(np.uint8)
    image = Image.fromarray(paper)
    pen = ImageDraw.Draw(image)
    for one in lines:
        for span in one.recognition.spans:
            pen.rectangle(span.box, fill=0)
    return image


def saved(folder: Path, name: str = "page.png") -> Page:
    """The page with its picture in a file."""
    path = folder / name
    picture().save(path, dpi=(200, 200))
    return page(str(path))
