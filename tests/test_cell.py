"""One square for every picture of a character: polarity, light, size and place, against planted ink."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from jphtr.cell import to_input

SIZE = 48


def planted(
    box: tuple[int, int, int, int], side: tuple[int, int] = (64, 64), ink: int = 0, paper: int = 255
) -> np.ndarray:
    """A picture with a solid box of ink (x0, y0, x1, y1)."""
    gray = np.full(side, paper, np.uint8)
    gray[box[1] : box[3], box[0] : box[2]] = ink
    return gray


def drawn(gray: np.ndarray) -> np.ndarray:
    """Where the ink stands in a square: x0, y0, x1, y1 as parts of its side."""
    ink = gray < 128
    x, y = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    return np.array([x[0], y[0], x[-1] + 1, y[-1] + 1]) / len(gray)


def letter() -> np.ndarray:
    """Something like a letter, without symmetry."""
    gray = np.full((64, 64), 255, np.uint8)
    gray[14:20, 12:50] = gray[14:52, 26:31] = gray[40:44, 26:48] = 0
    return gray


def test_a_cell_keeps_the_size_and_the_place_of_its_ink() -> None:
    found = drawn(to_input(planted((8, 30, 40, 58)), SIZE))
    assert np.abs(found - np.array([8, 30, 40, 58]) / 64).max() < 1.5 / SIZE
    oblong = to_input(planted((8, 30, 40, 58), (64, 100)), SIZE, least=0.2)  # its cell is the square around it
    assert np.abs(drawn(oblong) - np.array([8, 48, 40, 76]) / 100).max() < 1.5 / SIZE


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (0, 10, 60, 64), (2, 2, 63, 30)])
def test_tight_ink_gets_room(box: tuple[int, int, int, int]) -> None:
    gray = planted((0, 0, 64, 64))
    gray[box[1] + 4 : box[3] - 4, box[0] + 4 : box[2] - 4] = 255  # a frame of ink
    gray[: box[1]] = gray[box[3] :] = 255
    gray[:, : box[0]] = gray[:, box[2] :] = 255
    found = drawn(to_input(gray, SIZE, fill=0.8))
    assert max(found[2:] - found[:2]) == pytest.approx(0.8, abs=2 / SIZE)
    assert min(found[:2]) > 0.1 - 1.5 / SIZE and max(found[2:]) < 0.9 + 1.5 / SIZE


def test_ink_too_small_for_a_cell_is_enlarged() -> None:
    found = drawn(to_input(planted((50, 4, 66, 14), (300, 400)), SIZE, fill=0.9))
    assert np.abs(found - [0.05, 0.5 - 0.9 * 10 / 16 / 2, 0.95, 0.5 + 0.9 * 10 / 16 / 2]).max() < 2 / SIZE


def test_size_and_place_do_not_matter_when_all_are_cut_to_their_ink() -> None:
    shape = letter()[10:56, 8:54]
    squares = []
    for side, at in ((64, (9, 9)), (100, (3, 40)), (300, (120, 77))):
        gray = np.full((side, side), 255, np.uint8)
        gray[at[0] : at[0] + 46, at[1] : at[1] + 46] = shape
        squares.append(to_input(gray, SIZE, least=1).astype(int))
    assert max(np.abs(squares[0] - other).mean() for other in squares[1:]) < 12


def test_a_whole_picture_stays_as_it_is() -> None:
    gray = letter()
    assert np.array_equal(to_input(gray, 64, fill=1, least=0), gray)


def test_polarity_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    for gray in (
        letter(),
        planted((5, 5, 50, 60)),
        planted((30, 30, 36, 36)),
        planted((20, 0, 44, 64), ink=90, paper=200),
    ):
        noisy = np.clip(gray + rng.normal(0, 4, gray.shape), 0, 255).astype(np.uint8)
        assert np.abs(to_input(noisy, SIZE).astype(int) - to_input(255 - noisy, SIZE)).mean() < 2
        assert np.median(to_input(noisy, SIZE)) > 128 or gray is not letter()


def test_a_bold_character_and_one_in_a_frame_are_dark_on_light() -> None:
    bold = planted((6, 2, 58, 62), (64, 60))
    bold[20:28, 14:50] = bold[40:48, 14:50] = 255
    framed = letter()
    framed[:2] = framed[-2:] = 0
    framed[:, :2] = framed[:, -2:] = 0
    assert to_input(bold, SIZE)[24, 9] < 60
    assert np.median(to_input(framed, SIZE)) > 200


def test_light_and_contrast_are_levelled() -> None:
    gray = letter().astype(float)
    y, x = np.mgrid[:64, :64] / 63
    for lit in (90 + gray * 0.3, gray * 0.6 * (0.6 + 0.4 * x) * (0.7 + 0.3 * y) + 20):
        square = to_input(lit.astype(np.uint8), SIZE).astype(int)
        assert np.abs(square - to_input(letter(), SIZE)).mean() < 14


def test_large_pictures_give_the_square_of_small_ones() -> None:
    large = np.asarray(Image.fromarray(letter()).resize((1500, 1500), Image.Resampling.NEAREST))
    assert np.abs(to_input(large, SIZE).astype(int) - to_input(letter(), SIZE)).mean() < 6


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 3), (64, 64), (500, 7)])
def test_pictures_without_ink_are_paper(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(0, 3, shape)
    for paper in (0, 130, 255):
        square = to_input(np.clip(paper + noise, 0, 255).astype(np.uint8), SIZE)
        assert square.shape == (SIZE, SIZE) and square.dtype == np.uint8 and (square == 255).all()


@pytest.mark.parametrize("shape", [(2, 2), (1, 9), (5, 300), (333, 20)])
def test_any_shape_gives_a_square(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    for fill, least in ((0.9, 0.35), (0.9, 1.0), (1.0, 0.0)):
        assert to_input(gray, 32, fill=fill, least=least).shape == (32, 32)
