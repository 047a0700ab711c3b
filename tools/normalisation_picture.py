"""The picture in README of what the standard normalisation and its options do.

    python tools/normalisation_picture.py FONT.ttf -o datasets/normalisation.png

Three made scans stand for what lies in the archives: gray pencil on gray paper, 72 x 76 with 16 levels (as ETL3 to 5),
black and white, 64 x 63 (as ETL8B and 9B), and a small kana in the corner of its cell, 128 x 127 (as ETL9G).
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jphtr.sources.normalise import Normalisation, apply

_SHOWN = 3  # times its size that a pixel of 64 is shown
_COLUMNS = {
    "as scanned": None,
    "default": Normalisation(),
    "--level background": Normalisation(level="background"),
    "--stretch": Normalisation(stretch=True),
    "--centre box": Normalisation(centre="box"),
    "--centre mass": Normalisation(centre="mass"),
    "--margin 8": Normalisation(margin=8),
}


def scan(font: Path, char: str, size: tuple[int, int], em: float, at: tuple[float, float]) -> np.ndarray:
    """Ink (H, W) in 0..1 of a character drawn with its centre at a share of the width and height."""
    picture = Image.new("L", (size[0] * 4, size[1] * 4))
    face = ImageFont.truetype(str(font), round(em * size[1] * 4))
    place = (at[0] * picture.width, at[1] * picture.height)
    ImageDraw.Draw(picture).text(place, char, fill=255, font=face, anchor="mm")
    return np.asarray(picture.resize(size, Image.Resampling.BOX), np.float32) / 255


def scans(font: Path) -> list[np.ndarray]:
    """Three scans as gray (H, W) uint8."""
    rng = np.random.default_rng(1)
    pencil = scan(font, "ひ", (72, 76), 0.55, (0.42, 0.4))
    slope = np.linspace(0.16, 0.3, 72)[None] + np.linspace(0, 0.06, 76)[:, None]
    level = np.clip(slope + 0.5 * pencil + rng.normal(0, 0.03, pencil.shape), 0, 1)
    binary = scan(font, "愛", (64, 63), 0.75, (0.53, 0.55)) > 0.5
    small = scan(font, "っ", (128, 127), 0.75, (0.57, 0.52)) + rng.normal(0.02, 0.02, (127, 128))
    levels = [np.round(level * 15) / 15, binary, np.clip(np.round(small * 15) / 15, 0, 1)]
    return [np.round(255 - 255 * one.astype(np.float32)).astype(np.uint8) for one in levels]


@click.command()
@click.argument("font", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def main(font: Path, output: Path) -> None:
    """Draw the scans with FONT, which must be free to show."""
    cell, head = 64 * _SHOWN, 20
    rows = scans(font)
    sheet = Image.new("L", (len(_COLUMNS) * (cell + 8), head + len(rows) * (cell + 8)), 200)
    draw = ImageDraw.Draw(sheet)
    for x, (name, how) in enumerate(_COLUMNS.items()):
        draw.text((x * (cell + 8) + 4, 4), name, fill=0)
        for y, gray in enumerate(rows):
            shown = gray if how is None else apply(gray[None], how)[0]
            times = _SHOWN if max(shown.shape) <= 96 else _SHOWN / 2
            size = (round(shown.shape[1] * times), round(shown.shape[0] * times))
            piece = Image.fromarray(shown).resize(size, Image.Resampling.NEAREST)
            sheet.paste(
                piece.crop((0, 0, min(piece.width, cell + 4), min(piece.height, cell + 4))),
                (x * (cell + 8), head + y * (cell + 8)),
            )
    sheet.quantize(16).save(output, optimize=True)


if __name__ == "__main__":
    main()
