"""Where things stand on a page: a novel, columns, a form, a letter, a memo, manuscript paper, a card.

Every layout writes on a `Sheet`, in the order in which a person would read it. Sizes follow from the size of the sheet
and from how many characters a line is to have, so that they do not depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jphtr.compose.page_parts import (
    Area,
    Looks,
    box,
    figure,
    fill_columns,
    fill_rows,
    heading,
    margins,
    page_number,
    pitch_of,
    rule,
)
from jphtr.compose.page_sheet import Sheet


def vertical_prose(sheet: Sheet, looks: Looks) -> None:
    """A page of a book or a magazine: columns right to left, in one to three bands, with headings and a figure."""
    rng = sheet.rng
    area = margins(sheet)
    bands = int(rng.choice([1, 1, 1, 2, 2, 3]))
    chars = float(rng.uniform(*{1: (22, 44), 2: (15, 26), 3: (11, 18)}[bands]))
    gap = float(rng.uniform(1.5, 3.0))
    em = area.height / (bands * chars + (bands - 1) * gap)
    pitch = pitch_of(em, looks, rng)
    head = rng.random()
    if rng.random() < 0.25:
        page_number(sheet, em * float(rng.uniform(0.7, 1)), top=True)
    if head < 0.25:
        area = heading(sheet, area, em, looks, "horizontal")
    elif head < 0.55:
        area = heading(sheet, area, em, looks, "vertical")
    pen = sheet.pen(looks.style, calm=True)
    step = (area.height + gap * em) / bands
    lines = int(rng.integers(60, 200)) if rng.random() < 0.1 else 0
    framed = rng.random() < 0.12
    for band in range(bands):
        part = Area(area.left, area.top + band * step, area.right, area.top + (band + 1) * step - gap * em)
        last = band == bands - 1
        if framed and bands == 1:
            box(sheet, Area(part.left - em, part.top - em, part.right + em, part.bottom + em), 180, 2)
        elif bands > 1 and band and framed:
            rule(sheet, area.left, part.top - gap * em / 2, area.right, part.top - gap * em / 2, 180)
        if last and bands > 1 and rng.random() < 0.4:  # a figure with its caption fills the left of the last band
            edge = part.left + part.width * float(rng.uniform(0.3, 0.6))
            sheet.new_block()
            fill_columns(sheet, pen, replace(part, left=edge + 1.5 * em), em, pitch, looks, lines=lines)
            foot = part.bottom - 2.2 * em
            figure(sheet, Area(part.left, part.top, edge - 0.5 * em, foot))
            sheet.new_block()
            sheet.line(sheet.phrase(4, 16), part.left, foot + em, 0.85 * em, "horizontal", pen, limit=edge - part.left)
            continue
        while part.width > 2 * em:
            sheet.new_block()
            most = int(rng.integers(3, 12)) if rng.random() < 0.3 else 1000
            left = fill_columns(sheet, pen, part, em, pitch, looks, most=most, lines=lines)
            part = replace(part, right=left - pitch * float(rng.uniform(0.8, 1.5)))
            if last and rng.random() < 0.2:
                break
            if most < 1000 and part.width > 6 * em and rng.random() < 0.5:
                sheet.new_block()
                size = em * float(rng.uniform(1, 1.4))
                sheet.line(
                    sheet.phrase(2, 9),
                    part.right - size,
                    part.top + em * int(rng.integers(0, 4)),
                    size,
                    "vertical",
                    pen,
                    limit=part.height - 4 * em,
                )
                part = replace(part, right=part.right - size - pitch * float(rng.uniform(0.6, 1.2)))
    if rng.random() < 0.4:
        page_number(sheet, em * float(rng.uniform(0.7, 1)), top=False)


def horizontal_prose(sheet: Sheet, looks: Looks) -> None:
    """A page of a report or a textbook: rows in one or two columns, with headings, lists and figures."""
    rng = sheet.rng
    area = margins(sheet)
    columns = 2 if rng.random() < 0.45 else 1
    chars = float(rng.uniform(*((14, 26) if columns == 2 else (18, 44))))
    gutter = float(rng.uniform(1.8, 3.5))
    em = area.width / (columns * chars + (columns - 1) * gutter)
    pitch = pitch_of(em, looks, rng)
    if rng.random() < 0.25:
        page_number(sheet, em * float(rng.uniform(0.7, 1)), top=True)
    if rng.random() < 0.55:
        area = heading(sheet, area, em, looks, "horizontal")
    pen = sheet.pen(looks.style, calm=True)
    step = (area.width + gutter * em) / columns
    for column in range(columns):
        part = replace(area, left=area.left + column * step, right=area.left + (column + 1) * step - gutter * em)
        if columns == 2 and column and rng.random() < 0.2:
            rule(sheet, part.left - gutter * em / 2, part.top, part.left - gutter * em / 2, part.bottom, 160)
        if rng.random() < 0.2:
            foot = part.top + part.height * float(rng.uniform(0.1, 0.3))
            figure(sheet, replace(part, bottom=foot))
            sheet.new_block()
            sheet.line(
                sheet.phrase(4, 18),
                part.left + em,
                foot + 0.6 * em,
                0.85 * em,
                "horizontal",
                pen,
                limit=part.width - em,
            )
            part = replace(part, top=foot + 2.8 * em)
        while part.height > 2 * pitch:
            if rng.random() < 0.35:
                sheet.new_block()
                size = em * float(rng.uniform(1, 1.5))
                sheet.line(sheet.phrase(2, 14), part.left, part.top, size, "horizontal", pen, limit=part.width)
                part = replace(part, top=part.top + size + (pitch - em) + em * float(rng.uniform(0.2, 1)))
            sheet.new_block()
            bullets = rng.random() < 0.15
            most = int(rng.integers(2, 14)) if rng.random() < 0.75 else 1000
            bottom = fill_rows(sheet, pen, part, em, pitch, looks, most=most, bullets=bullets)
            part = replace(part, top=bottom + (pitch - em) + pitch * float(rng.uniform(0, 1.2)))
            if column == columns - 1 and rng.random() < 0.12:
                break
    if rng.random() < 0.45:
        page_number(sheet, em * float(rng.uniform(0.7, 1)), top=False)


def table(sheet: Sheet, looks: Looks) -> None:
    """A form or a table: short entries by rows, under a heading, with or without rules."""
    rng = sheet.rng
    area = margins(sheet)
    count = int(rng.integers(2, 7))
    widths = rng.uniform(0.6, 2.0, count)
    edges = area.left + area.width * np.concatenate([[0], np.cumsum(widths) / widths.sum()])
    em = area.width / float(rng.uniform(24, 46))
    height = em * float(rng.uniform(1.6, 3.2))
    if rng.random() < 0.75:
        area = heading(sheet, area, em, replace(looks, ruby=0), "horizontal")
    pen = sheet.pen(looks.style)
    pen = replace(pen, hand=replace(pen.hand, tracking=min(pen.hand.tracking, 0.1), word=min(pen.hand.word, 0.5)))
    title = sheet.pen("print", calm=True)
    rows = max(3, min(int(area.height / height), int(rng.integers(4, 22))))
    kind, level = rng.random(), int(rng.integers(90, 256))
    top = area.top
    aligned = rng.integers(0, 3, count)
    for row in range(rows):
        y = top + row * height
        for place in range(count):
            if rng.random() < 0.12:
                continue
            room = float(edges[place + 1] - edges[place]) - 1.1 * em
            most = int(room / em / 1.15)
            if most < 1:
                continue
            sheet.new_block()
            own = title if row == 0 or (place == 0 and looks.by_hand and rng.random() < 0.5) else pen
            text = (
                sheet.phrase(1, most)
                if place == 0 or row == 0
                else sheet.composer.texts.draw(
                    rng,
                    ("amount", "date", "word", "sentence", "latin")[int(rng.choice(5, p=(0.4, 0.1, 0.3, 0.15, 0.05)))],
                )[:most]
            )
            inset = max(0.0, room - em * len(text)) * (0.0, 0.5, 1.0)[int(aligned[place])] if row else 0.0
            x = float(edges[place]) + 0.5 * em + inset
            sheet.line(text, x, y + (height - em) / 2, em, "horizontal", own, limit=room - inset)
    bottom = top + rows * height
    if kind < 0.75:
        for row in range(rows + 1):
            rule(sheet, edges[0], top + row * height, edges[-1], top + row * height, level, int(rng.choice([1, 1, 2])))
    if kind < 0.55:
        for x in edges.tolist():
            rule(sheet, x, top, x, bottom, level)
    rest = replace(area, top=bottom + 1.5 * em)
    if rest.height > 3 * em and rng.random() < 0.5:
        sheet.new_block()
        fill_rows(sheet, pen, rest, em, em * float(rng.uniform(1.4, 1.8)), looks, most=int(rng.integers(1, 6)))


def letter(sheet: Sheet, looks: Looks) -> None:
    """A letter written from top to bottom, with or without ruled lines; date, signature and addressee at its end."""
    rng = sheet.rng
    area = margins(sheet)
    columns = int(rng.integers(6, 15))
    pitch = area.width / columns
    em = pitch / float(rng.uniform(1.3, 2.1))
    lines = int(rng.integers(50, 190)) if rng.random() < 0.45 else 0
    pen = sheet.pen(looks.style)
    closing = int(rng.integers(0, 4)) if columns > 8 else 0
    body = columns - closing
    sheet.new_block()
    left = fill_columns(sheet, pen, area, em, pitch, looks, most=body, lines=lines)
    x = left - pitch
    for place in range(closing):
        if x < area.left - 0.3 * em:
            break
        sheet.new_block()
        text = sheet.composer.texts.draw(rng, "date" if place == 0 else "word")[:12]
        size = em * float(rng.uniform(0.85, 1.15))
        low = place == 1 or rng.random() < 0.3
        y = area.bottom - size * len(text) * 1.2 if low else area.top + em * int(rng.integers(1, 5))
        sheet.line(text, x, max(area.top, y), size, "vertical", pen, limit=area.height * 0.9)
        x -= pitch * float(rng.uniform(1, 1.3))


def memo(sheet: Sheet, looks: Looks) -> None:
    """Notes written from left to right, often on ruled paper, in groups and lists."""
    rng = sheet.rng
    area = margins(sheet)
    em = area.width / float(rng.uniform(12, 30))
    pitch = em * float(rng.uniform(1.25, 2.2))
    pen = sheet.pen(looks.style)
    if rng.random() < 0.4:
        area = heading(sheet, area, em, looks, "horizontal")
    ruled = rng.random()
    level = int(rng.integers(40, 160))
    if ruled < 0.4:
        for y in np.arange(area.top + em * 1.1, sheet.height, pitch).tolist():
            rule(sheet, 0, y, sheet.width, y, level)
    elif ruled < 0.5:  # squared paper
        for at in np.arange(float(rng.uniform(0, em)), max(sheet.width, sheet.height), em * 0.5).tolist():
            rule(sheet, 0, at, sheet.width, at, level // 2)
            rule(sheet, at, 0, at, sheet.height, level // 2)
    while area.height > pitch:
        sheet.new_block()
        bullets = rng.random() < 0.5
        right = area.right - area.width * (float(rng.uniform(0, 0.4)) if rng.random() < 0.3 else 0)
        bottom = fill_rows(
            sheet, pen, replace(area, right=right), em, pitch, looks, most=int(rng.integers(1, 9)), bullets=bullets
        )
        area = replace(
            area,
            top=bottom + (pitch - em) + pitch * (int(rng.integers(0, 3)) if ruled < 0.4 else float(rng.uniform(0, 2))),
        )
        if rng.random() < 0.1:
            break


def manuscript(sheet: Sheet, looks: Looks) -> None:
    """Manuscript paper: a cell for every character, mostly with a narrow column for ruby between the lines."""
    rng = sheet.rng
    area = margins(sheet)
    upright = rng.random() < 0.8
    count = 20 if rng.random() < 0.7 else int(rng.integers(12, 26))
    along = area.height if upright else area.width
    cell = along / count
    em = cell / float(rng.uniform(1.05, 1.3))
    space = cell * (float(rng.uniform(0.25, 0.6)) if rng.random() < 0.8 else 0.0)
    pitch = cell + space
    level = int(rng.integers(50, 170))
    pen = sheet.pen(looks.style)
    pen = replace(
        pen,
        rough=0.2 * pen.rough,
        hand=replace(pen.hand, kana=max(pen.hand.kana, 0.8), pairs=False, upright_latin=True),
    )
    lines = int((area.width if upright else area.height) / pitch)
    for n in range(lines):
        at = area.right - n * pitch - cell if upright else area.top + n * pitch
        for i in range(count + 1):
            step = (area.top if upright else area.left) + i * cell
            if upright:
                rule(sheet, at, step, at + cell, step, level)
            else:
                rule(sheet, step, at, step, at + cell, level)
        for edge in (at, at + cell):
            if upright:
                rule(sheet, edge, area.top, edge, area.top + along, level)
            else:
                rule(sheet, area.left, edge, area.right, edge, level)
    sheet.new_block()
    written = int(rng.integers(max(1, lines // 2), lines + 1))
    for n in range(written):
        text = sheet.prose(count)
        shift = (cell - em) / 2
        if upright:
            x, y = area.right - n * pitch - cell + shift, area.top
        else:
            x, y = area.left, area.top + n * pitch + shift
        sheet.line(text, x, y, em, "vertical" if upright else "horizontal", pen, limit=along, cell=cell / em)


def card(sheet: Sheet, looks: Looks) -> None:
    """A card, a label, a cover or an envelope: few lines of several sizes."""
    rng = sheet.rng
    area = margins(sheet)
    upright = rng.random() < 0.5
    pen = sheet.pen(looks.style)
    at = 0.0
    room = area.width if upright else area.height
    along = area.height if upright else area.width
    while True:
        em = along / float(rng.uniform(7, 30))
        if at + em > room:
            break
        sheet.new_block()
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            if at + em > room:
                break
            text = sheet.phrase(2, max(2, min(20, int(along / em * 0.9))))
            length = em * len(text) * (1 + pen.hand.tracking)
            inset = max(0.0, along - length) * float(rng.choice([0, 0.2, 0.5, 0.5, 1]))
            if upright:
                sheet.line(
                    text,
                    area.right - at - em,
                    area.top + inset,
                    em,
                    "vertical",
                    pen,
                    limit=along - inset,
                    ruby=looks.ruby,
                )
            else:
                sheet.line(
                    text, area.left + inset, area.top + at, em, "horizontal", pen, limit=along - inset, ruby=looks.ruby
                )
            at += em * float(rng.uniform(1.5, 2.2))
        at += em * float(rng.uniform(0.3, 2.5))
        if rng.random() < 0.08:
            break


# name -> (layout, weight, share written by hand)
LAYOUTS: dict[str, tuple[Callable[[Sheet, Looks], None], float, float]] = {
    "vertical prose": (vertical_prose, 0.30, 0.25), "horizontal prose": (horizontal_prose, 0.26, 0.2),
    "table": (table, 0.10, 0.35), "letter": (letter, 0.10, 0.95), "memo": (memo, 0.10, 0.9),
    "manuscript": (manuscript, 0.06, 0.9), "card": (card, 0.08, 0.5),
}  # fmt: skip
