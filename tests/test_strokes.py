"""Paths against hand-computed points, and hands that differ as people do."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jphtr.charset import Charset
from jphtr.errors import DataError
from jphtr.sources import strokes
from jphtr.sources.strokes_paths import (
    DOT,
    HOOK,
    STOP,
    SWEEP_LEFT,
    SWEEP_RIGHT,
    drawing,
    drawings,
    evenly,
    polyline,
)
from jphtr.sources.strokes_signs import SIGNS

pytest.importorskip("cv2")

CROSS, TREE = "M14,54H95|M54,14V95", "M14,40H95|M54,14V100|M52,42c-6,18 -22,34 -40,46|M56,42c8,18 22,34 42,46"
ROWS = {
    ("十", ""): CROSS,
    ("木", ""): TREE,
    ("木", "Kaisho"): "M12,44L96,38|M54,12V100|M52,42c-6,18 -22,34 -40,46|M56,42c8,18 22,34 42,46",
    ("い", ""): "M24,24c2,30 6,48 16,58|M76,30c6,10 12,24 10,40",
    ("っ", ""): "M24,66c18,-8 50,-16 54,2c2,14 -14,22 -32,24",
    ("、", ""): "M16,82c6,4 10,8 12,14",
    ("A", ""): "M54,14L24,93|M54,14L86,93|M34,66H74",
}
CHARS = Charset("十木いっ、A「ー")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "strokes.tsv.gz"
    lines = ["char\tvariant\tfile\tstrokes", *(f"{c}\t{v}\tx\t{d}" for (c, v), d in ROWS.items())]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.mark.parametrize(
    ("d", "points"),
    [
        ("M1,2L4,6", [(1, 2), (4, 6)]),
        ("M1,2l3,4", [(1, 2), (4, 6)]),
        ("m1,2 3,4 1,0", [(1, 2), (4, 6), (5, 6)]),
        ("M1 2H4V6h-1v-1z", [(1, 2), (4, 2), (4, 6), (3, 6), (3, 5), (1, 2)]),
        ("M.5-.5L1e1,2", [(0.5, -0.5), (10, 2)]),
    ],
)
def test_straight_paths(d: str, points: list[tuple[float, float]]) -> None:
    assert polyline(d) == pytest.approx(np.array(points, float))


def test_curves_pass_where_bezier_says() -> None:
    absolute = polyline("M0,0C0,8 8,8 8,0S16,-8 16,0")
    relative = polyline("M0,0c0,8 8,8 8,0s8,-8 8,0")
    assert absolute == pytest.approx(relative)
    assert absolute[4] == pytest.approx([4, 6])  # t = 1/2: (0 + 3*0 + 3*8 + 8) / 8, (0 + 3*8 + 3*8 + 0) / 8
    assert absolute[8] == pytest.approx([8, 0])
    assert absolute[12] == pytest.approx([12, -6])  # S reflects the control point before it


@pytest.mark.parametrize("d", ["", "L1,2", "M1", "M1,2C1,2 3,4", "M1,2Q3,4 5,6", "M1,2z3"])
def test_paths_that_cannot_be_understood(d: str) -> None:
    with pytest.raises(ValueError, match=r"in|of"):
        polyline(d)


def test_evenly_spaces_by_length() -> None:
    points, length = evenly(np.array([[0.0, 0], [3, 0], [3, 1]]), 5)
    assert length == 4 and points == pytest.approx(np.array([[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]], float))


def test_stroke_ends_are_told_apart() -> None:
    tree = drawing("木", "", TREE)
    assert tree.end.tolist() == [STOP, STOP, SWEEP_LEFT, SWEEP_RIGHT]
    assert drawing("x", "", "M54,14V90c0,8 -6,4 -14,-4|M16,82l5,8").end.tolist() == [HOOK, DOT]


def test_two_components_are_found() -> None:
    def tree(x: float) -> str:
        return f"M{x},40h40|M{x + 20},14v80|M{x + 19},42l-18,40|M{x + 21},42l18,40"

    forest = drawing("林", "", f"{tree(8)}|{tree(60)}")
    assert forest.split == 0 and forest.part.tolist() == [0] * 4 + [1] * 4
    assert drawing("木", "", TREE).split == -1


def test_a_habit_divides_components() -> None:
    from jphtr.sources.strokes_ink import _shape

    two = drawing("川", "", "M20,14V95|M36,14V95|M70,14V95|M86,14V95")
    hand = strokes.hands(1, 1)[0]
    apart = hand.divide + np.array([0.0, 0.1, 0.0])  # the second part farther along
    plain, moved = (_shape(two, h, np.random.default_rng(1)) for h in (hand, replace(hand, divide=apart)))
    gaps = [points[2:, :, 0].mean() - points[:2, :, 0].mean() for points in (plain, moved)]
    assert two.split == 0 and gaps[1] - gaps[0] == pytest.approx(0.1, abs=0.04)


def test_every_sign_is_drawable() -> None:
    for char, d in SIGNS.items():
        points = drawing(char, "", d).points
        assert points.min() > 0 and points.max() < 1, char


def test_glyphs_of_a_table(table: Path) -> None:
    people = strokes.hands(3, 10)
    glyphs = list(strokes.read(table, CHARS, writers=people, seed=3))
    assert {g.char for g in glyphs} == set("十木いっ、A「")  # ー has no strokes here, 「 comes with jphtr
    upright = {(g.writer, g.char): g for g in glyphs if g.meta["form"] == 0}
    turned = {(g.writer, g.char): g for g in glyphs if g.meta["form"] == 1}
    assert {char for _, char in turned} == set("っ、「")
    for glyph in glyphs:
        assert glyph.gray.shape == (64, 64) and glyph.gray.dtype == np.uint8
        assert glyph.gray.min() < 160 and glyph.gray[[0, -1]].min() == 255, glyph.char
        assert glyph.meta["style"] in strokes.HANDS
    for hand in people:
        comma, moved = (center(kind[hand.name, "、"].gray) for kind in (upright, turned))
        assert comma[0] < 28 and comma[1] > 40 and moved[0] > 36 and moved[1] < 28
        assert 0.5 < upright[hand.name, "A"].meta["advance"] < 0.9
        assert upright[hand.name, "A"].gray[:, :7].min() == 255  # begins at the left edge of the em square


def center(gray: np.ndarray) -> tuple[float, float]:
    ink = 255.0 - gray
    return float((ink.sum(0) * np.arange(64)).sum() / ink.sum()), float((ink.sum(1) * np.arange(64)).sum() / ink.sum())


def test_the_same_seed_writes_the_same(table: Path) -> None:
    first, again = (list(strokes.read(table, CHARS, seed=5)) for _ in range(2))
    other = list(strokes.read(table, CHARS, seed=6))
    assert all(np.array_equal(a.gray, b.gray) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.gray, b.gray) for a, b in zip(first, other, strict=True))


def test_chars_do_not_change_one_another(table: Path) -> None:
    alone = list(strokes.read(table, CHARS, seed=5, chars="木"))
    among = [g for g in strokes.read(table, CHARS, seed=5) if g.char == "木"]
    assert all(np.array_equal(a.gray, b.gray) for a, b in zip(alone, among, strict=True))


def test_people_differ_by_more_than_one_transform(table: Path) -> None:
    """Two strokes that are parallel in one hand are not in another: no affine map does that."""

    def angles(hand: strokes.Hand) -> float:
        from jphtr.sources.strokes_ink import _shape

        still = replace(hand, wander=0, sway=0, swell=0, tremor=0, overshoot=0, warp=np.zeros((2, 6)))
        points = _shape(drawing("二", "", "M24,34H60|M14,84H95"), still, np.random.default_rng(1))
        across = points[:, -1] - points[:, 0]
        return float(np.diff(np.arctan2(across[:, 1], across[:, 0]))[0])

    found = [angles(hand) for hand in strokes.hands(1, 12)]
    assert np.std(found) > 0.02


def test_a_hasty_hand_joins_strokes(table: Path) -> None:
    hand = replace(strokes.hands(1, 1)[0], wander=0, sway=0, swell=0)
    pictures = []
    for join in (0.0, 10.0):
        glyph = next(strokes.read(table, Charset("い"), writers=[replace(hand, join=join)], seed=1))
        pictures.append(255.0 - glyph.gray)
    apart, joined = pictures
    assert joined.sum() > 1.1 * apart.sum()


def test_running_script_goes_on_from_stroke_to_stroke(tmp_path: Path) -> None:
    import cv2

    (tmp_path / "t.tsv").write_text("三\t\tx\tM20,24H90|M24,54H86|M12,86H97\n", "utf-8")
    pieces: dict[bool, list[int]] = {}
    for running in (True, False):
        people = strokes.hands(1, 24, ["pen", "marker"], running=running)
        assert all(hand.name.endswith("-running") == running for hand in people)
        glyphs = strokes.read(tmp_path / "t.tsv", Charset("三"), writers=people, seed=1)
        pieces[running] = [cv2.connectedComponents((g.gray < 200).astype(np.uint8))[0] - 1 for g in glyphs]
    assert min(pieces[True]) == 1 and np.mean(pieces[True]) < np.mean(pieces[False]) - 0.5


def test_a_flowing_hand_bends_corners(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("7\t\tx\tM14,20H94V98\n", "utf-8")
    hand = replace(strokes.hands(1, 1, ["pen"])[0], bend=np.zeros(24), turn=np.zeros(24), sway=0.0)
    sharp, bent = (
        next(strokes.read(tmp_path / "t.tsv", Charset("7"), writers=[replace(hand, flow=flow)], seed=1)).gray
        for flow in (0.0, 0.1)
    )

    def away(gray: np.ndarray) -> int:
        """How far the ink stays away from the upper right corner of its box."""
        y, x = np.nonzero(gray < 200)
        return int(((x.max() - x) + (y - y.min())).min())

    assert away(bent) > away(sharp) + 3


def test_brushes_swell_and_ballpoints_do_not(table: Path) -> None:
    def widths(pen: str) -> float:
        from jphtr.sources.strokes_ink import _widths

        hand = strokes.hands(2, 1, [pen])[0]
        profile = _widths(drawing("木", "", TREE), hand, np.random.default_rng(0))
        return float((profile.max(axis=1) / profile.min(axis=1)).max())

    assert widths("brush") > 2.5 > 1.4 > widths("ballpoint")


def test_unknown_pen_and_bad_tables_are_named(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="crayon: no such pen"):
        strokes.hands(1, 3, ["crayon"])
    with pytest.raises(DataError, match="gone"):
        drawings(tmp_path / "gone.tsv", frozenset("木"))
    (tmp_path / "cut.tsv.gz").write_bytes(table.read_bytes()[:60])
    with pytest.raises(DataError, match=r"cut\.tsv\.gz"):
        drawings(tmp_path / "cut.tsv.gz", frozenset("木"))
    (tmp_path / "bad.tsv").write_text("char\tvariant\tfile\tstrokes\n木\t\tx\tM1,2Q3", encoding="utf-8")
    with pytest.raises(DataError, match=r"bad\.tsv:2: the strokes of '木'"):
        drawings(tmp_path / "bad.tsv", frozenset("木"))
    (tmp_path / "bad.tsv").write_text("木\tM1,2", encoding="utf-8")
    with pytest.raises(DataError, match=r"bad\.tsv:1: 2 columns"):
        drawings(tmp_path / "bad.tsv", frozenset("木"))
