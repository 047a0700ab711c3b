"""What pages are put together from: columns and rows of running text, headings, page numbers, rules and figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from jphtr.compose.page_sheet import Pen, Sheet
from jphtr.records import Direction

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Looks:
    """What a layout is told: the style of the writers, and the chance that a run of kanji has ruby."""

    style: str
    ruby: float = 0.0

    @property
    def by_hand(self) -> bool:
        """Whether lines and spaces come out uneven."""
        return self.style not in ("print", "display")


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the sheet in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


def margins(sheet: Sheet) -> Area:
    """The sheet without its margins."""
    w, h = sheet.width, sheet.height
    left, right = sheet.rng.uniform(0.04, 0.12, 2) * w
    top, bottom = sheet.rng.uniform(0.05, 0.12, 2) * h
    return Area(float(left), float(top), w - float(right), h - float(bottom))


def rule(sheet: Sheet, x0: float, y0: float, x1: float, y1: float, level: int, thick: int = 1) -> None:
    """A straight line of this much ink."""
    layer = np.zeros_like(sheet.ink)
    cv2.line(layer, (round(x0), round(y0)), (round(x1), round(y1)), level, thick, cv2.LINE_AA)
    np.maximum(sheet.ink, layer, out=sheet.ink)


def box(sheet: Sheet, area: Area, level: int, thick: int = 1) -> None:
    """The outline of an area."""
    at = (round(area.left), round(area.top)), (round(area.right), round(area.bottom))
    layer = np.zeros_like(sheet.ink)
    cv2.rectangle(layer, *at, level, thick)
    np.maximum(sheet.ink, layer, out=sheet.ink)


def fill_columns(
    sheet: Sheet, pen: Pen, area: Area, em: float, pitch: float, looks: Looks, *,
    most: int = 1000, cell: float = 0.0, lines: int = 0,
) -> float:  # fmt: skip
    """Fill an area with vertical lines from the right; returns the left edge of the last.

    `most` lines are written at most; `lines` is the ink of rules between them, 0 for none.
    """
    rng, x, count = sheet.rng, area.right - em, 0
    uneven = 0.10 if looks.by_hand and not cell else 0.0
    fill = not looks.by_hand and rng.random() < 0.8
    while x >= area.left and count < most:
        start = area.top + max(0.0, float(rng.normal(0, 2.5 * uneven))) * em
        text = sheet.prose((area.bottom - start) / em / max(cell or 1 + pen.hand.tracking, 0.8))
        at = x + float(rng.normal(0, uneven)) * em * 0.6
        sheet.line(
            text, at, start, em, "vertical", pen, limit=area.bottom - start, fill=fill, cell=cell, ruby=looks.ruby
        )
        if lines:
            rule(sheet, x - (pitch - em) / 2, area.top, x - (pitch - em) / 2, area.bottom, lines)
        x -= pitch * (1 + float(rng.normal(0, 0.4 * uneven)))
        count += 1
    return x + pitch


def fill_rows(
    sheet: Sheet, pen: Pen, area: Area, em: float, pitch: float, looks: Looks, *,
    most: int = 1000, cell: float = 0.0, lines: int = 0, bullets: bool = False,
) -> float:  # fmt: skip
    """Fill an area with horizontal lines from the top; returns the bottom of the last. See `fill_columns`."""
    rng, y, count = sheet.rng, area.top, 0
    uneven = 0.10 if looks.by_hand and not cell else 0.0
    fill = not looks.by_hand and rng.random() < 0.8
    while y + em <= area.bottom and count < most:
        start = area.left + max(0.0, float(rng.normal(0, 2.5 * uneven))) * em
        if bullets:
            start += em * int(rng.integers(0, 3))
            mark = "・①②③○●-1"[int(rng.integers(8))] if rng.random() < 0.6 else ""
            text = mark + sheet.phrase(3, 24)
        else:
            text = sheet.prose((area.right - start) / em / max(cell or 1 + pen.hand.tracking, 0.8))
        at = y + float(rng.normal(0, uneven)) * em * 0.6
        sheet.line(
            text, start, at, em, "horizontal", pen, limit=area.right - start, fill=fill, cell=cell, ruby=looks.ruby
        )
        if lines:
            rule(sheet, area.left, y + em + (pitch - em) * 0.4, area.right, y + em + (pitch - em) * 0.4, lines)
        y += pitch * (1 + float(rng.normal(0, 0.4 * uneven)))
        if bullets and rng.random() < 0.15:
            y += pitch * float(rng.uniform(0.5, 1.5))
            sheet.new_block()
        count += 1
    return y - pitch + em


def pitch_of(em: float, looks: Looks, rng: Rng) -> float:
    """From one line to the next; ruby needs room."""
    return em * float(rng.uniform(1.7, 2.1) if looks.ruby else rng.uniform(1.3, 2.0))


def page_number(sheet: Sheet, em: float, *, top: bool) -> None:
    """The number of the page, at its head or foot, with or without words."""
    rng = sheet.rng
    sheet.new_block()
    text = str(int(rng.integers(1, 500)))
    r = rng.random()
    text = f"- {text} -" if r < 0.2 else f"{text} {sheet.phrase(3, 9)}" if r < 0.35 else text
    x = sheet.width * (0.5 if rng.random() < 0.5 else float(rng.choice([0.08, 0.85])))
    y = sheet.height * (float(rng.uniform(0.01, 0.03)) if top else float(rng.uniform(0.94, 0.965)))
    x = min(x, sheet.width - 1.1 * em * len(text))
    sheet.line(text, x, y, em, "horizontal", sheet.pen("print", calm=True))


def heading(sheet: Sheet, area: Area, em: float, looks: Looks, direction: Direction) -> Area:
    """A heading along the top, or down the right side of an area; returns what is left of it."""
    rng = sheet.rng
    sheet.new_block()
    style = "display" if rng.random() < 0.3 and "display" in sheet.composer.atlas.by_style else looks.style
    pen = sheet.pen(style)
    size = em * float(rng.uniform(1.25, 2.6))
    room = area.width if direction == "horizontal" else area.height
    text = sheet.phrase(2, max(3, min(22, int(room / size) - 1)))
    inset = max(0.0, room - size * len(text) * (1 + pen.hand.tracking))
    inset *= 0.5 if rng.random() < 0.5 else float(rng.uniform(0, 0.3))
    after = size + em * float(rng.uniform(0.9, 2.5))
    if direction == "horizontal":
        sheet.line(text, area.left + inset, area.top, size, direction, pen, limit=room - inset)
        if rng.random() < 0.25:
            second = em * float(rng.uniform(0.9, 1.2))
            sheet.line(
                sheet.phrase(3, 14), area.left + inset, area.top + after, second, direction, pen, limit=room - inset
            )
            after += second + em * float(rng.uniform(0.9, 2))
        return replace(area, top=area.top + after)
    sheet.line(text, area.right - size, area.top + inset, size, direction, pen, limit=room - inset)
    return replace(area, right=area.right - after)


def figure(sheet: Sheet, area: Area) -> None:
    """A picture: shapes and shades without text."""
    rng = sheet.rng
    x0, y0, x1, y1 = (round(v) for v in (area.left, area.top, area.right, area.bottom))
    if x1 - x0 < 8 or y1 - y0 < 8:
        return
    small = rng.uniform(0, 200, (int(rng.integers(2, 9)), int(rng.integers(2, 9)))).astype(np.float32)
    shade = cv2.resize(small, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(shade * float(rng.uniform(0, 1)), 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(3, 30))):
        a = (int(rng.integers(x1 - x0)), int(rng.integers(y1 - y0)))
        b = (int(rng.integers(x1 - x0)), int(rng.integers(y1 - y0)))
        level, thick = int(rng.integers(0, 256)), int(rng.choice([-1, 1, 1, 2, 3]))
        kind = rng.random()
        if kind < 0.4:
            cv2.line(picture, a, b, level, max(1, thick), cv2.LINE_AA)
        elif kind < 0.8:
            axes = (1 + abs(a[0] - b[0]) // 4, 1 + abs(a[1] - b[1]) // 4)
            cv2.ellipse(picture, a, axes, float(rng.uniform(0, 180)), 0, 360, level, thick, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, a, b, level, thick)
    sheet.ink[y0:y1, x0:x1] = np.maximum(sheet.ink[y0:y1, x0:x1], picture[: sheet.height - y0, : sheet.width - x0])
    if rng.random() < 0.6:
        box(sheet, area, 200)
