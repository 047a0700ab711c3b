"""Voiced kana of a second make: plain kana of glyph files with dakuten or handakuten drawn beside them.

    python tools/render_marks.py glyphs/fonts-train.h5 glyphs/brush-train.h5 -o glyphs/marks-train.h5

Fonts and pens agree on how が and ぱ look far more than people do. Here the marks are of any size and weight: two strokes
or drops, rings that are open, closed by ink or a mere dot. One glyph of each kind is drawn of every writer, so that what tells
ば from ぱ is learned from more than a font's own habit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np

from jphtr.charset import default
from jphtr.errors import JphtrError
from jphtr.records import Glyph, Gray
from jphtr.store import Source, open_glyphs, write_glyphs

_VOICED, _SEMI = "\u3099", "\u309a"  # combining marks


def voiced() -> dict[str, list[tuple[str, bool]]]:
    """Plain kana -> what they become with a mark, and whether it is a ring."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for code in range(ord("ぁ"), ord("ヺ") + 1):
        plain, *mark = unicodedata.normalize("NFD", chr(code))
        if mark in ([_VOICED], [_SEMI]):
            found.setdefault(plain, []).append((chr(code), mark == [_SEMI]))
    return found


def marked(gray: Gray, em: tuple[float, float, float, float], ring: bool, rng: np.random.Generator) -> Gray:
    """A plain kana (H, W), moved a little aside, with a mark at the upper right of its em square."""
    x0, y0, x1, _ = em
    size = x1 - x0
    ink = 255 - gray
    depth = cv2.distanceTransform((ink > 110).astype(np.uint8), cv2.DIST_L2, 3)
    stroke = max(1.5, 4 * float(depth[depth > 0].mean())) if depth.any() else 3.0  # the width of an even stroke
    shrink = float(rng.uniform(0.84, 0.98))
    matrix = np.array([[shrink, 0, x0 * (1 - shrink)], [0, shrink, (y0 + size) * (1 - shrink)]], np.float32)
    ink = cv2.warpAffine(ink, matrix, (gray.shape[1], gray.shape[0]), flags=cv2.INTER_AREA)
    zoom = 4  # marks are drawn large, for their edges
    layer = np.zeros((gray.shape[0] * zoom, gray.shape[1] * zoom), np.uint8)
    at = np.array([x0 + size * rng.uniform(0.78, 0.93), y0 + size * rng.uniform(0.07, 0.22)])
    weight = stroke * float(rng.uniform(0.5, 1.1))

    def place(point: np.ndarray) -> tuple[int, int]:
        return round(float(point[0]) * zoom), round(float(point[1]) * zoom)

    if ring:
        radius = size * float(rng.uniform(0.055, 0.12))
        axes = (max(1, round(radius * zoom)), max(1, round(radius * rng.uniform(0.75, 1.1) * zoom)))
        weight = min(weight, radius) if rng.random() < 0.75 else weight  # else ink closes it
        start = float(rng.uniform(0, 360))
        turn = 360 - (float(rng.uniform(0, 70)) if rng.random() < 0.3 else 0)
        cv2.ellipse(
            layer,
            place(at),
            axes,
            float(rng.uniform(0, 180)),
            start,
            start + turn,
            255,
            max(1, round(weight * zoom)),
            cv2.LINE_AA,
        )
    else:
        slope = np.deg2rad(rng.uniform(25, 80))
        along = np.array([np.cos(slope), np.sin(slope)]) * size * rng.uniform(0.05, 0.13)
        apart = size * float(rng.uniform(0.09, 0.15)) * np.array([1.0, rng.uniform(-0.45, 0.15)])
        for number in (-0.5, 0.5):
            middle = at + apart * number
            own = along * rng.uniform(0.7, 1.2)
            cv2.line(
                layer,
                place(middle - own / 2),
                place(middle + own / 2),
                255,
                max(1, round(weight * rng.uniform(0.8, 1.2) * zoom)),
                cv2.LINE_AA,
            )
    mark = cv2.resize(layer, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_AREA)
    found: Gray = 255 - np.maximum(ink, mark)
    return found


@click.command()
@click.argument("glyphs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("-n", "--count", default=1, show_default=True, help="Glyphs of each kind a writer.")
@click.option("--seed", default=1, show_default=True)
def main(glyphs: tuple[Path, ...], output: Path, count: int, seed: int) -> None:
    """Draw marked kana of every writer in GLYPHS."""
    kinds = voiced()
    sources: dict[str, Source] = {}

    def drawn() -> Iterator[Glyph]:
        number = 0
        for path in glyphs:
            with open_glyphs(path) as file:
                sources.update({source.name: source for source in file.sources})
                plain = {file.charset.label(char): char for char in kinds if file.charset.covers(char)}
                known = np.isin(file.label, list(plain)) & (file.form == 0) & ~np.isnan(file.em[:, 0])
                for row in np.flatnonzero(known).tolist():
                    one = file.glyph(row)
                    for char, ring in kinds[one.char]:
                        for _ in range(count):
                            rng = np.random.default_rng([seed, number])
                            gray = marked(one.gray, one.meta["em"], ring, rng)
                            yield Glyph(gray, char, f"{one.writer} with marks", one.source, number, one.meta)
                            number += 1

    written = write_glyphs(
        output, drawn(), default(), sources=sources.values(), normalisation={"drawn": "marks", "seed": seed}
    )
    click.echo(f"{output}: {written.glyphs:,} glyphs of {written.writers:,} writers, digest {written.digest[:12]}")


if __name__ == "__main__":
    try:
        main()
    except JphtrError as error:
        raise SystemExit(f"render_marks: error: {error}") from None
