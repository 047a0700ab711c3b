"""Strips: text height, light, polarity and direction are found, and boxes come back to where they were."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from jphtr.geometry import HEIGHT, guess_direction, prepare
from jphtr.records import Gray


def picture(height: int, width: int, bars: list[tuple[int, int, int, int]], paper: int = 230, ink: int = 40) -> Gray:
    gray = np.full((height, width), paper, np.uint8)
    for x0, y0, x1, y1 in bars:
        gray[y0:y1, x0:x1] = ink
    return gray


def text_like(height: int, width: int, top: int, bottom: int, pitch: int = 12) -> Gray:
    """A row of hollow boxes between `top` and `bottom`."""
    gray = np.full((height, width), 230, np.uint8)
    for x in range(10, width - pitch, pitch):
        gray[top:bottom, x : x + pitch - 4] = 40
        gray[top + 3 : bottom - 3, x + 2 : x + pitch - 6] = 230
    return gray


@pytest.mark.parametrize(("height", "top", "bottom"), [(30, 2, 28), (60, 20, 45), (200, 60, 150), (44, 18, 38)])
def test_the_text_band_fills_the_strip(height: int, top: int, bottom: int) -> None:
    strip = prepare(text_like(height, 400, top, bottom), "horizontal")
    rows = np.flatnonzero((strip.gray < 128).any(axis=1))
    assert strip.gray.shape[0] == HEIGHT
    assert rows[0] <= 8
    assert rows[-1] >= 39
    _x0, y0, _x1, y1 = strip.to_source(0, 10, 4, 44)
    assert abs(y0 - top) <= 0.12 * (bottom - top) + 1
    assert abs(y1 - bottom) <= 0.12 * (bottom - top) + 1


@pytest.mark.parametrize("paper", ["noise", "specks", "stain"])
def test_bad_paper_is_not_text(paper: str) -> None:
    """Strong noise fills every row, a stain every row of its columns: the band is still that of the text."""
    top, bottom = 22, 46
    rng = np.random.default_rng(6)
    gray = text_like(60, 600, top, bottom).astype(float)
    if paper == "noise":
        gray += rng.normal(0, 50, gray.shape)
    elif paper == "specks":
        gray[rng.random(gray.shape) < 0.08] = 20
    else:
        gray[:, 480:560] = 30
    strip = prepare(np.clip(gray, 0, 255).astype(np.uint8), "horizontal")
    _x0, y0, _x1, y1 = strip.to_source(0, 10, 4, 44)
    assert abs(y0 - top) <= 4 and abs(y1 - bottom) <= 4


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_boxes_come_back(direction: str) -> None:
    gray = text_like(50, 300, 12, 40)
    if direction == "vertical":
        gray = np.ascontiguousarray(np.rot90(gray, -1))
    strip = prepare(gray, direction)  # type: ignore[arg-type]
    height, width = gray.shape
    rng = np.random.default_rng(0)
    for _ in range(50):
        x0, y0 = rng.uniform(0, width - 12), rng.uniform(0, height - 12)
        box = (x0, y0, x0 + 10, y0 + 10)
        again = strip.to_source(*(strip.from_source(box)[i] for i in (0, 2, 1, 3)))
        assert np.allclose(again, box, atol=1e-6)


def test_a_vertical_line_has_its_top_at_the_left() -> None:
    gray = picture(200, 30, [(5, 10, 25, 30), (12, 60, 18, 180)])
    strip = prepare(gray, "vertical")
    first = strip.from_source((5, 10, 25, 30))
    assert first[0] < strip.gray.shape[1] / 4
    inside = strip.gray[:, round(first[0]) + 2 : round(first[2]) - 2]
    assert (inside < 60).mean() > 0.6


def test_polarity_is_found() -> None:
    gray = text_like(40, 300, 8, 34)
    dark = prepare(255 - gray, "horizontal")
    light = prepare(gray, "horizontal")
    assert dark.inverted
    assert not light.inverted
    assert np.abs(dark.gray.astype(int) - light.gray).max() <= 2


def test_uneven_light_is_levelled() -> None:
    gray = text_like(40, 600, 8, 34).astype(float) * np.linspace(1, 0.45, 600)[None]
    strip = prepare(gray.astype(np.uint8), "horizontal")
    assert np.median(strip.gray[:3]) > 225
    assert (strip.gray < 150).any(axis=0)[-80:].any()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_blank_picture_has_no_ink(level: int) -> None:
    strip = prepare(np.full((40, 300), level, np.uint8), "auto")
    assert not strip.has_ink
    assert (strip.gray == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (3, 20_000)])
def test_odd_sizes_are_taken(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    strip = prepare(gray)
    assert strip.gray.shape[0] == HEIGHT
    assert strip.gray.shape[1] >= 16
    x0, y0, x1, y1 = strip.to_source(0, strip.gray.shape[1])
    assert 0 <= x0 <= x1 <= shape[1]
    assert 0 <= y0 <= y1 <= shape[0]


def test_scale_does_not_matter() -> None:
    gray = text_like(60, 480, 15, 48)
    double = np.asarray(Image.fromarray(gray).resize((960, 120), Image.Resampling.BICUBIC))
    one, two = prepare(gray, "horizontal"), prepare(double, "horizontal")
    assert abs(one.gray.shape[1] / two.gray.shape[1] - 1) < 0.05


def test_direction_from_shape() -> None:
    assert guess_direction(np.zeros((20, 200), np.uint8)) == ("horizontal", True)
    assert guess_direction(np.zeros((200, 20), np.uint8)) == ("vertical", True)
    assert guess_direction(np.zeros((40, 41), np.uint8))[1] is False


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_polarity_does_not_follow_uneven_light(seed: int, light: bool) -> None:
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 400)
    # one bright or dark patch of light along the line, far stronger than the faint strokes
    patch = 110 * np.exp(-(((x - rng.uniform(0.3, 0.7)) / 0.08) ** 2)) * (1 if seed % 2 else -1)
    gray = np.tile(125 + patch, (48, 1))
    for start in range(12, 380, 24):
        gray[14:34, start : start + 2] += 22 if light else -22
        gray[22:24, start : start + 14] += 22 if light else -22
    gray = np.clip(gray + rng.normal(0, 2, gray.shape), 0, 255).astype(np.uint8)
    assert prepare(gray, "horizontal").inverted is light


@pytest.mark.parametrize("side", ["before", "after", "both"])
def test_lines_cut_off_beside_are_left_out(side: str) -> None:
    blocks = np.random.default_rng(0).random((18, 96)) < 0.45
    ink = np.where(np.kron(blocks, np.ones((4, 4))), 30, 230).astype(np.uint8)
    gray = np.full((72, 400), 230, np.uint8)
    gray[20:52, 8:392] = ink[20:52]
    alone = prepare(gray)
    if side != "after":
        gray[:12, 8:392] = ink[:12]
    if side != "before":
        gray[60:, 8:392] = ink[60:]
    found = prepare(gray)
    assert found.scale == pytest.approx(alone.scale, rel=0.12)
    assert found.origin[1] == pytest.approx(alone.origin[1], abs=3)
