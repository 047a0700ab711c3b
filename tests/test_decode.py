"""Decoders against all paths there are, and boxes against drawn ink."""

from __future__ import annotations

from itertools import groupby, pairwise, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jphtr.charset import BLANK
from jphtr.decode import DECODERS
from jphtr.decode.allowed import SCRIPTS, allowed, restricted
from jphtr.decode.doublets import full_width, merge_doublets
from jphtr.decode.greedy import greedy
from jphtr.decode.line import LineDecoder
from jphtr.decode.spans import FrameSpan, boxes
from jphtr.errors import ModelError, SettingsError

Frames = tuple[NDArray[np.int64], NDArray[np.float32]]


def frames(probs: NDArray[np.float64], k: int | None = None) -> Frames:
    """Class probabilities (T, C) as a model gives them: the k best of each frame, best first."""
    order = np.argsort(-probs, axis=1, kind="stable")[:, :k]
    return order.astype(np.int64), np.log(np.take_along_axis(probs, order, 1)).astype(np.float32)


def collapse(path: tuple[int, ...]) -> list[int]:
    return [label for label, _ in groupby(path) if label != BLANK]


def one_hot(path: list[int], classes: int = 5, sure: float = 0.9) -> Frames:
    probs = np.full((len(path), classes), (1 - sure) / (classes - 1))
    probs[np.arange(len(path)), path] = sure
    return frames(probs)


@pytest.mark.parametrize("seed", range(40))
def test_greedy_is_the_most_probable_of_all_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps, classes = int(rng.integers(1, 6)), 3
    probs = rng.dirichlet(np.full(classes, 0.7), steps) + 1e-9
    best = max(product(range(classes), repeat=steps), key=lambda path: np.log(probs[np.arange(steps), path]).sum())
    assert [span.label for span in greedy(*frames(probs))] == collapse(best)


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_on_a_clear_line(name: str) -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 2, 0, 0, 3, 4]
    spans = DECODERS[name](*one_hot(path))
    assert [span.label for span in spans] == [1, 1, 2, 3, 4]
    assert all(0 <= s.start < s.stop <= len(path) and s.start <= s.centre <= s.stop for s in spans)
    assert all(a.stop <= b.start for a, b in pairwise(spans))
    assert all(0 < s.confidence <= 1 for s in spans)
    for span in spans:
        assert [p for _, p in span.alternatives] == sorted((p for _, p in span.alternatives), reverse=True)
        assert BLANK not in dict(span.alternatives)
        assert span.label not in dict(span.alternatives)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("length", [0, 1, 30])
def test_blanks_are_no_text(name: str, length: int) -> None:
    assert DECODERS[name](*one_hot([0] * length)) == []


def test_details_of_a_span() -> None:
    probs = np.array([[0.8, 0.15, 0.05], [0.2, 0.5, 0.3], [0.04, 0.9, 0.06], [0.9, 0.05, 0.05]])
    (span,) = greedy(*frames(probs))
    assert (span.label, span.start, span.stop) == (1, 1, 3)
    assert span.confidence == pytest.approx(0.9)
    assert span.centre == pytest.approx((0.5 * 1.5 + 0.9 * 2.5) / 1.4)
    assert [label for label, _ in span.alternatives] == [2]  # the blank is no alternative
    assert span.alternatives[0][1] == pytest.approx(0.06)


def test_frames_of_a_masked_end_are_blank() -> None:
    labels, log_probs = one_hot([1, 2, 0, 0])
    labels[2:], log_probs[2:] = 0, np.array([0, -1e4, -1e4, -1e4, -1e4])
    assert [span.label for span in greedy(labels, log_probs)] == [1, 2]


def at(*centres: float) -> list[FrameSpan]:
    """Spans centred on pixels of the strip."""
    return [FrameSpan(1, int(c // 8), int(c // 8) + 1, c / 8, 0.9) for c in centres]


def strip(width: int, *inks: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    gray = np.full((48, width), 255, np.uint8)
    for x0, y0, x1, y1 in inks:
        gray[y0:y1, x0:x1] = 20
    return gray


def test_boxes_close_on_the_ink() -> None:
    inks = [(10, 4, 44, 44), (58, 30, 66, 44), (80, 8, 118, 40)]
    assert boxes(at(27, 62, 99), strip(130, *inks)) == inks


def test_borders_fall_into_the_gap_and_not_on_the_middle() -> None:
    # a wide character beside a narrow one: the middle of their centres lies inside the wide one
    inks = [(4, 4, 50, 44), (54, 4, 60, 44)]
    assert boxes(at(27, 57), strip(80, *inks)) == inks


def test_a_character_of_two_strokes_is_not_torn() -> None:
    strokes = [(10, 6, 18, 42), (34, 6, 42, 42)]
    other = (60, 6, 98, 42)
    assert boxes(at(26, 79), strip(110, *strokes, other)) == [(10, 6, 42, 42), other]


def test_touching_characters_share_out_their_ink() -> None:
    first, second = boxes(at(24, 64), strip(88, (4, 4, 84, 44)))
    assert first == (4, 4, 44, 44)
    assert second == (44, 4, 84, 44)


def test_far_ink_is_not_taken_in() -> None:
    # 24 + 0.6 x 40 = 48: what lies beyond belongs to no character
    assert boxes(at(24), strip(200, (6, 4, 42, 44), (120, 4, 160, 44))) == [(6, 4, 42, 44)]


def test_a_cell_without_ink_stays_whole() -> None:
    _, space, _ = boxes(at(24, 64, 104), strip(130, (6, 4, 42, 44), (86, 4, 122, 44)))
    assert 42 <= space[0] < 60
    assert 68 < space[2] <= 86
    assert (space[1], space[3]) == (4, 44)


@pytest.mark.parametrize("seed", range(30))
def test_boxes_stay_inside_the_strip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width = int(rng.integers(16, 200))
    gray = rng.integers(0, 256, (48, width), np.uint8) if seed % 3 else strip(width)
    centres = np.sort(rng.uniform(-4, width + 4, int(rng.integers(0, 40))))
    found = boxes(at(*centres.tolist()), gray)
    assert len(found) == len(centres)
    for x0, y0, x1, y1 in found:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= 48


# ---- doublets ----

CHARS = ("", "来", "柔", "l", "i", "。", "か")
LAI, ROU, L, LI, STOP, KA = range(1, 7)


def span(label: int, start: int, stop: int, confidence: float = 0.9) -> FrameSpan:
    return FrameSpan(label, start, stop, (start + stop) / 2, confidence, ((KA, 0.05),))


def read(*spans: FrameSpan) -> list[int]:
    return [s.label for s in merge_doublets(spans, full_width(CHARS))]


def test_two_characters_on_one_place_are_one() -> None:
    merged = merge_doublets([span(ROU, 4, 5, 0.4), span(LAI, 5, 6, 0.6)], full_width(CHARS))
    (one,) = merged
    assert (one.label, one.start, one.stop, one.confidence) == (LAI, 4, 6, 0.6)
    assert one.alternatives[0] == (ROU, 0.4) and LAI not in dict(one.alternatives)
    assert read(span(LAI, 4, 5), span(ROU, 5, 6, 0.5), span(LAI, 6, 7)) == [LAI]


def test_neighbours_stay_two() -> None:
    assert read(span(ROU, 4, 5), span(LAI, 6, 7)) == [ROU, LAI]  # a blank between them
    assert read(span(ROU, 2, 6), span(LAI, 6, 10)) == [ROU, LAI]  # as far apart as characters are
    assert read(span(L, 4, 5), span(LI, 5, 6)) == [L, LI]  # narrow letters
    assert read(span(LAI, 4, 5), span(STOP, 5, 6)) == [LAI, STOP]
    dense = [span([LAI, KA][n % 2], 2 * n, 2 * n + 2) for n in range(8)]  # a line whose characters are small
    assert read(*dense) == [LAI, KA] * 4
    assert read() == []


# ---- characters that alone may be read, or may not ----

MIXED = ("", "あ", "ア", "亜", "鬱", "7", "Z", "、", "〒")


def names(may: NDArray[np.bool_] | None) -> str:
    assert may is not None and may[BLANK]
    return "".join(char for char, yes in zip(MIXED, may, strict=True) if yes)


def test_lists_of_characters(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("あ\n７\n", "utf-8")
    assert allowed(MIXED) is None
    assert names(allowed(MIXED, ["hiragana"])) == "あ"
    assert names(allowed(MIXED, ["kana", "digit"])) == "あア7"
    assert names(allowed(MIXED, ["kanji"], ["亜"])) == "鬱"
    assert names(allowed(MIXED, ["Ｚあ"])) == "あZ"  # folded as the charset is
    assert names(allowed(MIXED, [f"@{tmp_path / 'few.txt'}"])) == "あ7"
    assert names(allowed(MIXED, (), ["punctuation", "latin", "〒"])) == "あア亜鬱7"
    for script in SCRIPTS:
        assert len(names(allowed(MIXED, [script]))) in (1, 2)


@pytest.mark.parametrize(
    ("allow", "block", "said"),
    [(["ん"], [], "knows none of 'ん'"), (["@none.txt"], [], "none.txt: No such file"), (["kana"], ["kana"], "no char"),
     ([], [""], "knows none"), ([], ["@."], "Is a directory")],
)  # fmt: skip
def test_lists_that_are_none(allow: list[str], block: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        allowed(MIXED, allow, block)


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_forbidden_is_not_read(name: str) -> None:
    probs = (
        np.array([[0.05, 0.8, 0.15], [0.9, 0.05, 0.05], [0.04, 0.95, 0.01], [0.6, 0.2, 0.2], [0.0, 0.3, 0.7]]) + 1e-9
    )
    may = np.array([True, False, True])
    spans = DECODERS[name](*restricted(*frames(probs), may))
    assert [s.label for s in spans] == [2, 2]
    assert [(s.start, s.stop) for s in spans] == [(0, 1), (4, 5)]
    assert all(1 not in dict(s.alternatives) for s in spans)


@pytest.mark.parametrize("name", DECODERS)
def test_a_frame_with_nothing_left_is_blank(name: str) -> None:
    labels, log_probs = frames(np.array([[0.1, 0.6, 0.3], [0.1, 0.6, 0.3]]), 2)  # without the blank
    assert DECODERS[name](*restricted(labels, log_probs, np.array([True, False, False]))) == []
    one = np.array([[2, 1], [1, 0]]), np.log(np.array([[0.6, 0.3], [0.7, 0.2]], np.float32))
    assert [s.label for s in DECODERS[name](*restricted(*one, np.array([True, False, True])))] == [2]


def test_options_of_a_line_decoder() -> None:
    chars = ("", *"あいうえ")
    line = one_hot([1, 0, 0, 0, 2, 0, 0, 0, 3, 0])
    plain = LineDecoder(chars, lm="none")
    assert str(plain) == "beam of 8, no language model" and str(LineDecoder(chars, decoder="greedy")) == "greedy"
    assert [s.label for s in plain(*line)] == [s.label for s in plain(*line, "greedy")] == [1, 2, 3]
    assert [
        s.label
        for s in LineDecoder(chars, lm="none", allow=["あいう"], block=["い"])(*one_hot([1, 0, 2, 0, 3, 0], 5, 0.99))
    ] == [1, 3]
    with pytest.raises(SettingsError, match="greedy, beam"):
        LineDecoder(chars, decoder="wordbeam")
    with pytest.raises(SettingsError, match="greedy, beam"):
        plain(*line, "wordbeam")
    with pytest.raises(ModelError, match=r"none\.lm: no such language model"):
        LineDecoder(chars, lm="none.lm")(*line)
    LineDecoder(chars, lm="none.lm", decoder="greedy")(*line)  # asks no model


def test_texts_in_order_with_their_shares() -> None:
    chars = ("", *"あいうえ")
    probs = np.array([[0.02, 0.9, 0.08, 0, 0], [0.9, 0.05, 0.05, 0, 0], [0.1, 0, 0, 0.5, 0.4]]) + 1e-9
    decoder = LineDecoder(chars, lm="none", beam_width=30)
    texts = decoder.texts(*frames(probs), 4)
    shares = [share for _, share in texts]
    assert texts[0][0] == tuple(s.label for s in decoder(*frames(probs))) == (1, 3)
    assert texts[1][0] == (1, 4)
    assert shares == sorted(shares, reverse=True) and len(shares) == 4 and sum(shares) < 1
    assert shares[1] / shares[0] == pytest.approx(0.4 / 0.5, rel=0.02)
    assert sum(share for _, share in decoder.texts(*frames(probs), 1000)) == pytest.approx(1)
