"""Pictures of any size come to one square: against slow exact arithmetic, Pillow, and planted marks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jphtr.errors import SettingsError
from jphtr.sources import normalise
from jphtr.sources.normalise import Normalisation, apply

SHAPES = [(63, 64), (64, 64), (76, 72), (60, 60), (28, 28), (127, 128), (200, 31), (1, 1), (5, 300)]


def noise(shape: tuple[int, int], count: int = 3, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def blob(
    y0: int, x0: int, height: int, width: int, side: int = 64, ink: int = 0, paper: int = 255
) -> NDArray[np.uint8]:
    gray = np.full((1, side, side), paper, np.uint8)
    gray[0, y0 : y0 + height, x0 : x0 + width] = ink
    return gray


def slow_weight(out: int, pixel: int, side: int, size: int) -> Fraction:
    """How much of input pixel `pixel` goes into output pixel `out`: areas when shrinking, a triangle when enlarging."""
    ratio = Fraction(side, size)
    if side > size:
        low, high = max(Fraction(pixel), out * ratio), min(Fraction(pixel + 1), (out + 1) * ratio)
        return max(high - low, Fraction(0)) / ratio
    middle = min(max((out + Fraction(1, 2)) * ratio - Fraction(1, 2), Fraction(0)), Fraction(side - 1))
    return max(1 - abs(middle - pixel), Fraction(0))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [64, 48])
def test_placing_against_exact_weights(shape: tuple[int, int], size: int) -> None:
    side = max(shape)
    weights = np.array([[float(slow_weight(o, p, side, size)) for p in range(side)] for o in range(size)])
    assert np.allclose(weights.sum(axis=1), 1)
    smooth = np.cumsum(np.cumsum(noise(shape).astype(float) - 127.5, axis=1), axis=2)
    smooth -= smooth.min(axis=(1, 2), keepdims=True)
    for gray, most in ((noise(shape), 2.5), ((smooth * 255 / max(smooth.max(), 1)).astype(np.uint8), 1.01)):
        square = np.full((len(gray), side, side), 255, np.uint8)
        top, left = (side - shape[0]) // 2, (side - shape[1]) // 2
        square[:, top : top + shape[0], left : left + shape[1]] = gray
        wanted = weights @ square @ weights.T
        assert np.abs(apply(gray, Normalisation(size)).astype(float) - wanted).max() <= most


@pytest.mark.parametrize(("side", "size"), [(128, 64), (192, 64), (64, 16), (96, 8)])
def test_whole_factors_are_exact_means(side: int, size: int) -> None:
    gray, factor = noise((side, side)), side // size
    area = factor * factor
    sums = gray.astype(int).reshape(-1, size, factor, size, factor).sum(axis=(2, 4))
    found = apply(gray, Normalisation(size))
    assert np.array_equal(found, (sums + area // 2) // area)
    for one, picture in zip(found, gray, strict=True):
        pillow = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX))
        assert np.abs(one.astype(int) - pillow).max() <= 1  # it rounds between its two steps


@pytest.mark.parametrize(("side", "size", "kernel"), [(76, 64, "BOX"), (28, 64, "BILINEAR"), (60, 64, "BILINEAR")])
def test_close_to_pillow(side: int, size: int, kernel: str) -> None:
    gray = noise((side, side))
    for one, picture in zip(apply(gray, Normalisation(size)), gray, strict=True):
        pillow = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling[kernel]), int)
        # BOX of Pillow takes whole pixels, not areas, so that only the mean agrees
        assert abs(one.mean() - pillow.mean()) < 1
        if kernel == "BILINEAR":
            assert np.abs(one - pillow).max() <= 2


def test_product_and_mean_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    gray = noise((128, 126), 9)
    wanted = apply(gray, Normalisation())
    monkeypatch.setattr(normalise, "_WHOLE", 1)
    assert np.array_equal(apply(gray, Normalisation()), wanted)


@pytest.mark.parametrize(("side", "size"), [(76, 64), (28, 64), (1, 64), (3, 64), (127, 64), (3000, 64), (65, 64)])
def test_weights_are_whole_and_sum_to_one(side: int, size: int) -> None:
    weights = normalise._weights(side, size)
    assert np.array_equal(weights, np.round(weights)) and weights.min() >= 0
    assert (weights.sum(axis=1) == 256).all()
    assert np.array_equal(weights, weights[::-1, ::-1]) or np.abs(weights - weights[::-1, ::-1]).max() <= 1


@pytest.mark.parametrize("shape", [(76, 72), (28, 28), (127, 128), (63, 64)])
def test_every_sum_is_exact_so_bytes_do_not_depend_on_the_machine(shape: tuple[int, int]) -> None:
    gray = noise(shape, 20)
    whole = apply(gray, Normalisation())
    assert np.array_equal(whole, np.concatenate([apply(gray[i : i + 1], Normalisation()) for i in range(20)]))
    if max(shape) % 64:
        side = max(shape)
        top, left = (side - shape[0]) // 2, (side - shape[1]) // 2
        weights = normalise._weights(side, 64).astype(np.int64)
        ink = 255 - gray.astype(np.int64)
        sums = weights[:, top : top + shape[0]] @ ink @ weights[:, left : left + shape[1]].T
        assert sums.max() < 2**24
        assert np.array_equal(whole, (255 * 65536 + 32768 - sums) >> 16)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_flat_stays_flat_and_paper_stays_paper(shape: tuple[int, int], level: int) -> None:
    gray = np.full((2, *shape), level, np.uint8)
    found = apply(gray, Normalisation(64, margin=3))
    assert (found[:, :3] == 255).all() and (found[:, :, -3:] == 255).all()
    if shape[0] == shape[1]:
        assert (found[:, 3:-3, 3:-3] == level).all()


def test_scans_of_the_right_size_are_copied_with_paper_below() -> None:
    gray = noise((63, 64))
    found = apply(gray, Normalisation())
    assert np.array_equal(found[:, :63], gray) and (found[:, 63] == 255).all()
    native = apply(gray, Normalisation(None))
    assert np.array_equal(native, gray) and not np.shares_memory(native, gray)
    assert apply(gray[:0], Normalisation()).shape == (0, 64, 64)


def test_many_steps_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gray = noise((76, 72), 50)
    n = Normalisation(level="background", stretch=True, centre="mass")
    wanted = apply(gray, n)
    monkeypatch.setattr(normalise, "_PIXELS", 76 * 72 * 7)
    assert np.array_equal(apply(gray, n), wanted)


@pytest.mark.parametrize("paper", [120, 200, 238, 255])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_background(paper: int, share: float) -> None:
    rng = np.random.default_rng(paper)
    ink = rng.random((4, 64, 64)) < share
    gray = np.where(ink, 20, paper).astype(np.uint8)
    found = apply(gray, Normalisation(level="background"))
    assert (found[~ink] == 255).all() and (found[ink] == (20 * 255 + paper // 2) // paper).all()
    both = apply(gray, Normalisation(level="background", stretch=True))
    assert (both[~ink] == 255).all() and (both[ink] == 0).all()
    assert np.array_equal(apply(gray, Normalisation(stretch=True)), both)


def test_noise_of_a_blank_glyph_is_not_stretched() -> None:
    blank = np.random.default_rng(3).integers(225, 250, (2, 64, 64), dtype=np.uint8)
    assert np.array_equal(apply(blank, Normalisation(stretch=True, centre="mass")), blank)
    assert apply(blank, Normalisation(level="background", stretch=True)).min() > 225
    for flat in (0, 255):
        assert (apply(np.full((1, 64, 64), flat, np.uint8), Normalisation(64, "background", True, "box")) == flat).all()


@pytest.mark.parametrize("centre", ["box", "mass"])
@pytest.mark.parametrize("corner", [(0, 0), (3, 40), (50, 7), (44, 44)])
def test_a_planted_mark_is_moved_to_the_middle(centre: normalise.Centre, corner: tuple[int, int]) -> None:
    found = apply(blob(*corner, 14, 20), Normalisation(centre=centre))
    assert np.array_equal(found, blob(25, 22, 14, 20))


def test_mass_differs_from_box_and_loses_no_ink() -> None:
    gray = blob(0, 0, 64, 2)  # a full-height bar at the left
    gray[0, 30:34, 2:40] = 0
    gray[0, 10, 50] = 0
    box, mass = (apply(gray, Normalisation(centre=c))[0] for c in ("box", "mass"))
    for found in (box, mass):
        assert (255 - found.astype(int)).sum() == (255 - gray.astype(int)).sum()
    assert np.flatnonzero((box == 0).any(axis=0))[[0, -1]].tolist() == [6, 56]
    # the bar would go to x = 21, but the speck stops at the border, half a tone's room kept
    assert np.flatnonzero((mass == 0).any(axis=0))[[0, -1]].tolist() == [12, 62]


def brute_move(gray: NDArray[np.uint8], centre: str, margin: int) -> tuple[int, int]:
    """Shift of one glyph on clean paper, by loops and floats."""
    ink = (255 - gray.astype(float)) * ((255 - gray.astype(float)) > (255 - float(gray.min())) / 4)
    moves = []
    for axis in (1, 0):
        line, length = ink.sum(axis=axis), len(gray)
        there = [i for i in range(length) if line[i] > 0]
        middle = (there[0] + there[-1]) / 2 if centre == "box" else (line * np.arange(length)).sum() / line.sum()
        move = (
            int(np.floor(length / 2 - middle + 1e-9)) if centre == "mass" else int(np.floor((length - 1) / 2 - middle))
        )
        first, last = max(there[0] - 1, 0), min(there[-1] + 1, length - 1)
        moves.append(min(max(move, min(margin - first, 0)), max(length - 1 - margin - last, 0)))
    return moves[0], moves[1]


@pytest.mark.parametrize("centre", ["box", "mass"])
@pytest.mark.parametrize("margin", [0, 4])
def test_moves_against_brute_force(centre: normalise.Centre, margin: int) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        gray = np.full((1, 64, 64), 255, np.uint8)
        for _ in range(3):
            y, x = rng.integers(margin, 50, 2)
            gray[0, y : y + 8, x : x + 8] = rng.integers(0, 120)
        gray[0, :, 64 - margin :], gray[0, 64 - margin :] = 255, 255
        dy, dx = brute_move(gray[0], centre, margin)
        square = gray.copy()
        normalise._move(square, np.array([255]), Normalisation(margin=margin, centre=centre))
        assert np.array_equal(square[0], np.roll(gray[0], (dy, dx), axis=(0, 1)))


@pytest.mark.parametrize(
    "n", [Normalisation(), Normalisation(None), Normalisation(48, "background", True, "mass", 4), Normalisation(1)]
)
def test_parameters_go_through_a_dict(n: Normalisation) -> None:
    values = n.to_dict()
    assert Normalisation.from_dict(values) == n
    assert all(isinstance(value, str | int | bool) for value in values.values())
    assert (values["size"] == "native") == (n.size is None)


@pytest.mark.parametrize(
    "values",
    [
        {"size": 0}, {"size": "64"}, {"size": 64.0}, {"size": True}, {"size": 5000}, {"level": "paper"}, {"margin": 32},
        {"centre": "ink"}, {"margin": -1}, {"size": "native", "margin": 1}, {"stretch": 1}, {"sise": 64},
        {"arithmetic": 99},
    ],
)  # fmt: skip
def test_impossible_parameters(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError) as error:
        Normalisation.from_dict(values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "gray", [np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4), np.float32), np.zeros((1, 0, 4), np.uint8)]
)
def test_what_is_no_block(gray: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="glyphs are"):
        apply(gray, Normalisation())
