"""What may happen to a glyph: every row of the table keeps dtype, range and shape, repeats itself, and flips nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
from jphtr.errors import SettingsError
from jphtr.settings import AugmentSettings
from jphtr.training.augment import AUGMENTS, augmented, check

SHAPES = [(16, 16), (48, 64), (61, 23)]


def glyph(shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Ink in several grays without symmetry: a bar at the top, a thick stem at the left, a short foot."""
    gray = np.full(shape, 255, np.uint8)
    h, w = shape
    gray[h // 16 : h // 16 + max(2, h // 12), w // 16 : -w // 16] = 0
    gray[h // 16 : -h // 16, w // 5 : w // 5 + max(2, w // 7)] = 70
    gray[-h // 3 : -h // 4, w // 5 : -w // 3] = 140
    return gray


@pytest.mark.parametrize("name", AUGMENTS)
def test_shape_range_and_repetition(name: str) -> None:
    changed = 0
    for shape in SHAPES:
        for seed in range(6):
            before = glyph(shape)
            strength = (0.4, 1.0, 2.5)[seed % 3]
            out = AUGMENTS[name](before, np.random.default_rng(seed), strength)
            assert out.dtype == np.uint8 and out.shape == shape
            assert np.array_equal(before, glyph(shape)), "the glyph itself was written to"
            assert np.array_equal(out, AUGMENTS[name](glyph(shape), np.random.default_rng(seed), strength))
            changed += not np.array_equal(out, before)
    assert changed >= 9, "it does next to nothing"


@pytest.mark.parametrize("name", ["affine", "perspective", "elastic", "neighbours"])
def test_what_moves_ink_flips_nothing(name: str) -> None:
    upright = glyph().astype(float)
    others = [upright[::-1], upright[:, ::-1], upright.T, np.rot90(upright), np.rot90(upright, 2), np.rot90(upright, 3)]
    for seed in range(20):
        out = AUGMENTS[name](glyph(), np.random.default_rng(seed), 1.0).astype(float)
        away = [np.abs(out - other).mean() for other in (upright, *others)]
        assert int(np.argmin(away)) == 0


def test_neighbours_reach_in_from_one_side_alone() -> None:
    for seed in range(20):
        out = AUGMENTS["neighbours"](glyph(), np.random.default_rng(seed), 1.0)
        assert np.array_equal(out[10:-10, 10:-10], glyph()[10:-10, 10:-10]) and (out <= glyph()).all()


@pytest.mark.parametrize("name", ["blur", "low_resolution", "affine", "elastic"])
def test_ink_is_neither_lost_nor_made(name: str) -> None:
    own = float((255 - glyph()).sum(dtype=np.int64))
    sums = [(255 - AUGMENTS[name](glyph(), np.random.default_rng(s), 1.0)).sum(dtype=np.int64) for s in range(20)]
    assert np.mean(sums) == pytest.approx(own, rel=0.12)


def test_a_weak_effect_lies_between_nothing_and_the_whole() -> None:
    whole = AUGMENTS["noise"](glyph(), np.random.default_rng(3), 1.0).astype(float)
    half = AUGMENTS["noise"](glyph(), np.random.default_rng(3), 0.5).astype(float)
    assert np.abs(half - (whole + glyph()) / 2).max() <= 1


def test_chances_and_strength_rule() -> None:
    chances = dict.fromkeys(AUGMENTS, 1.0)
    assert np.array_equal(augmented(glyph(), np.random.default_rng(0), chances, 0.0), glyph())
    assert np.array_equal(augmented(glyph(), np.random.default_rng(0), dict.fromkeys(AUGMENTS, 0.0), 1.0), glyph())
    rng = np.random.default_rng(7)
    rng.random(len(AUGMENTS))
    alone = AUGMENTS["affine"](glyph(), rng, 1.0)
    assert np.array_equal(augmented(glyph(), np.random.default_rng(7), {"affine": 1.0}, 1.0), alone)
    assert augmented(glyph(), np.random.default_rng(0), chances, 1.0).shape == (64, 64)


def test_a_usual_glyph_is_still_itself() -> None:
    # the defaults are mild: on the whole, a worn glyph is nearer to itself than to its mirror image
    chances = AugmentSettings().chances
    nearer = 0
    for seed in range(100):
        out = augmented(glyph(), np.random.default_rng(seed), chances, 1.0).astype(float)
        ink = (255 - out) - (255 - out).mean()
        own, mirrored = ((255.0 - g) - (255.0 - g).mean() for g in (glyph(), glyph()[:, ::-1]))
        nearer += abs(float((ink * own).sum())) > abs(float((ink * mirrored).sum()))
    assert nearer >= 95


def test_the_defaults_are_rows_and_others_are_refused() -> None:
    check(AugmentSettings().chances)
    with pytest.raises(SettingsError, match=r"augment.chances: there is no augmentation 'blurr'; choose from blur"):
        check({"blurr": 0.5})
