"""Voiced kana of a second make: plain kana of glyph files with dakuten or handakuten drawn beside them.

    python tools/render_marks.py glyphs/fonts-train.h5 glyphs/brush-train.h5 -o glyphs/marks-train.h5

They are the same writers', so that lines mix both makes.

Fonts and pens agree on how が and ぱ look far more than people do. Here the marks are of any size and weight: two strokes
or drops, at times joined, and loops that are whole, open, closed by ink or a mere dot, with the tails that a brush leaves. One glyph of each kind is drawn of every writer, so that what tells
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

Points = np.ndarray[tuple[int, int], np.dtype[np.float64]]  # (n, 3): x, y and the width of the stroke there, in pixels

_VOICED, _SEMI = "\u3099", "\u309a"  # combining marks


def voiced() -> dict[str, list[tuple[str, bool]]]:
    """Plain kana -> what they become with a mark, and whether it is a ring."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for code in range(ord("ぁ"), ord("ヺ") + 1):
        plain, *mark = unicodedata.normalize("NFD", chr(code))
        if mark in ([_VOICED], [_SEMI]):
            found.setdefault(plain, []).append((chr(code), mark == [_SEMI]))
    return found


def _dabs(size: float, weight: float, rng: np.random.Generator) -> list[Points]:
    """Two strokes or drops about the origin, of their own lengths, each heavier at one end, the second at times led in from the first."""
    slope = np.deg2rad(rng.uniform(15, 85))
    length = size * float(np.exp(rng.uniform(np.log(0.022), np.log(0.13))))
    weight = min(weight, float(rng.uniform(0.5, 1.2)) * length)
    apart = max(size * float(rng.uniform(0.06, 0.15)), weight * 1.2) * np.array([1.0, rng.uniform(-0.45, 0.2)])
    taper = float(rng.uniform(0.0, 0.7)) * rng.choice([-1, 1])
    dabs = []
    for number in (-0.5, 0.5):
        turn = slope + np.deg2rad(rng.uniform(-14, 14))
        part = np.linspace(-0.5, 0.5, 17)
        along = part * length * rng.uniform(0.7, 1.25)
        bend = (0.25 - part**2) * length * rng.uniform(-0.3, 0.3)
        x, y = along * np.cos(turn) - bend * np.sin(turn), along * np.sin(turn) + bend * np.cos(turn)
        thick = weight * rng.uniform(0.8, 1.2) * (1 + taper * 2 * part)
        dabs.append(np.stack([x + apart[0] * number, y + apart[1] * number, thick], 1))
    if rng.random() < 0.12:  # written in one go
        way = np.linspace(0, 1, 25)[:, None]
        dabs.append((dabs[0][-1] * (1 - way) + dabs[1][0] * way) * [1, 1, rng.uniform(0.25, 0.6)])
    return dabs


def _ring(size: float, weight: float, rng: np.random.Generator) -> list[Points]:
    """A loop about the origin: whole, open or overlapping, round or a drop, with or without the strokes that lead in and out."""
    radius = size * float(np.exp(rng.uniform(np.log(0.028), np.log(0.12))))
    weight = min(weight, radius * 0.9) if rng.random() < 0.75 else weight  # else ink closes it
    start, turns = rng.uniform(0, 2 * np.pi), rng.normal(1.0, 0.09)
    way = np.linspace(0, 1, 72)
    angle = start + rng.choice([-1, 1], p=[0.3, 0.7]) * 2 * np.pi * turns * way
    reach = (
        radius
        * (1 + rng.normal(0, 0.18) * (way - 0.5))
        * (1 + rng.uniform(0, 0.25) * np.cos(angle - rng.uniform(0, 7)))
    )
    x, y = reach * np.cos(angle), reach * np.sin(angle) * rng.uniform(0.65, 1.1)
    lean = rng.uniform(0, np.pi)
    x, y = x * np.cos(lean) - y * np.sin(lean), x * np.sin(lean) + y * np.cos(lean)
    thick = weight * (1 + rng.uniform(-0.5, 0.5) * (2 * way - 1))
    loop = np.stack([x, y, thick], 1)
    ring = [loop]
    for end, before in ((0, 1), (-1, -2)):
        if rng.random() < 0.35:  # the pen lands before the loop closes, or leaves it late
            here = loop[end, :2]
            on = _unit(here - loop[before, :2]) + _unit(here) * rng.uniform(0, 1)
            part = np.linspace(0, 1, 25)[:, None]
            tail = here + part * on * radius * rng.uniform(0.4, 1.8)
            ring.append(np.hstack([tail, thick[end] * (1 - part * (1 - rng.uniform(0.2, 1)))]))
    return ring


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(1e-6, float(np.hypot(*vector)))


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
    at = np.array([x0 + size * rng.uniform(0.76, 0.95), y0 + size * rng.uniform(0.06, 0.24)])
    weight = stroke * float(rng.uniform(0.4, 1.1))
    for points in (_ring if ring else _dabs)(size, weight, rng):
        points *= [zoom, zoom, zoom / 2]
        points[:, :2] += at * zoom
        for x, y, radius in points.round().astype(int).tolist():
            cv2.circle(layer, (x, y), max(1, radius), 255, -1, cv2.LINE_AA)
    mark = cv2.resize(layer, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_AREA)
    found: Gray = 255 - np.maximum(ink, mark)
    return found


@click.command()
@click.argument("glyphs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("-n", "--count", default=1, show_default=True, help="Glyphs of each kind a writer.")
@click.option(
    "--without", "left_out", multiple=True, metavar="STYLE", help="Draw none for writers of this style; repeatable."
)
@click.option("--seed", default=1, show_default=True)
def main(glyphs: tuple[Path, ...], output: Path, count: int, left_out: tuple[str, ...], seed: int) -> None:
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
                    if one.meta.get("style") in left_out:
                        continue
                    for char, ring in kinds[one.char]:
                        for _ in range(count):
                            rng = np.random.default_rng([seed, number])
                            gray = marked(one.gray, one.meta["em"], ring, rng)
                            yield Glyph(gray, char, one.writer, one.source, number, one.meta)
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
