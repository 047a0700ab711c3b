"""Composed lines on disk: pictures, a table of their texts, their boxes, and a contact sheet to look at."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from jphtr.compose import Composer
from jphtr.errors import DataError
from jphtr.records import Direction, Line

COLUMNS = ("file", "text", "kind", "direction", "writer")
_SHEET_WIDTH = 1280


def write_samples(
    composer: Composer, folder: Path, count: int, seed: int, *,
    kind: str = "composed", style: str | None = None, direction: Direction | None = None, prefix: str = "",
) -> list[Line]:  # fmt: skip
    """Compose lines into `folder`: PNG pictures, truth.tsv (one row a line) and spans.jsonl, both appended to.

    Line i is a function of (seed, i), so that the same call writes the same pictures.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            composer.line(np.random.default_rng([seed, i]), style=style, direction=direction) for i in range(count)
        ]
        fresh = not (folder / "truth.tsv").exists()
        with (
            open(folder / "truth.tsv", "a", encoding="utf-8", newline="") as table,
            open(folder / "spans.jsonl", "a", encoding="utf-8") as boxes,
        ):
            rows = csv.writer(table, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
            if fresh:
                rows.writerow(COLUMNS)
            for i, line in enumerate(lines):
                name = f"{prefix}{i:05d}.png"
                Image.fromarray(line.gray).save(folder / name)
                rows.writerow((name, line.text, kind, line.direction, line.writer))
                spans = [{"char": s.char, "bbox": [round(v, 1) for v in s.box]} for s in line.spans]
                boxes.write(json.dumps({"file": name, "chars": spans}, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}; choose a folder that can be written") from None
    return lines


def contact_sheet(lines: Sequence[Line]) -> Image.Image:
    """The pictures as they are, one below the other in columns, with the box of every character drawn."""
    pieces: list[Image.Image] = []
    for line in lines:
        picture = Image.fromarray(line.gray).convert("RGB")
        draw = ImageDraw.Draw(picture)
        for span in line.spans:
            draw.rectangle(span.box, outline=(40, 90, 255) if span.char == " " else (255, 40, 40))
        if line.direction == "vertical":  # laid down, as the reader turns it, so that the sheet fills evenly
            picture = picture.rotate(90, expand=True)
        pieces.append(picture)
    rows: list[tuple[int, list[Image.Image]]] = []
    x = _SHEET_WIDTH
    for piece in pieces:
        if x + piece.width > _SHEET_WIDTH:
            rows.append((0, []))
            x = 0
        rows[-1] = (max(rows[-1][0], piece.height), [*rows[-1][1], piece])
        x += piece.width + 6
    sheet = Image.new(
        "RGB", (max([_SHEET_WIDTH, *(p.width for p in pieces)]), sum(h + 6 for h, _ in rows) or 1), (120, 130, 120)
    )
    y = 0
    for height, row in rows:
        x = 0
        for piece in row:
            sheet.paste(piece, (x, y))
            x += piece.width + 6
        y += height + 6
    return sheet
