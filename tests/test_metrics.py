"""Error counts against a brute-force edit distance, and planted confusions."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jphtr.jouyou import NEW_FORMS, OLD_FORMS
from jphtr.lookalikes import LOOKALIKES, fold_forms, fold_lookalikes
from jphtr.metrics import FOLDINGS, Errors, Recall, align, cer, count, folded, interval, paired, score, strict

WORDS = st.text("あいう一", max_size=7)


def distance(a: str, b: str) -> int:
    """Levenshtein by its definition."""

    @cache
    def d(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS)
def test_alignment_is_cheapest_and_spells_both(a: str, b: str) -> None:
    pairs = align(a, b)
    assert "".join(ref for ref, _ in pairs) == a
    assert "".join(hyp for _, hyp in pairs) == b
    assert ("", "") not in pairs
    errors = count(pairs)
    assert errors.total == distance(a, b)
    assert errors.chars == len(a)
    assert len(b) == len(a) - errors.deletions + errors.insertions


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=6))
def test_counts_add_up(lines: list[tuple[str, str]]) -> None:
    scores = score(lines)
    assert scores.errors.total == sum(distance(a, b) for a, b in lines)
    assert scores.errors.chars == sum(len(a) for a, _ in lines)
    assert sum(scores.scripts.values(), Errors()) == scores.errors
    assert scores.right == sum(a == b for a, b in lines)
    assert sum(n for _, _, n, _ in scores.confusions()) == scores.errors.total
    assert sum(scores.support.values()) == scores.errors.chars
    assert (
        scores.recall(lambda c: True).hits
        == scores.errors.chars - scores.errors.substitutions - scores.errors.deletions
    )


def test_rates() -> None:
    assert cer("日本語", "日木語").rate == pytest.approx(1 / 3)
    assert cer("日本語", "") == Errors(deletions=3, chars=3)
    assert cer("", "あ").rate == float("inf")
    assert cer("", "").rate == 0
    # micro, not macro: one bad short line does not weigh as much as a good long one
    assert (cer("あ", "い") + cer("か" * 99, "か" * 99)).rate == 0.01


@pytest.mark.parametrize(
    ("text", "nfc", "nfkc"),
    [
        ("か\u3099 き", "がき", "がき"),
        ("ＡＢ１２", "ＡＢ１２", "AB12"),
        ("ｶﾞ①㈱", "ｶﾞ①㈱", "ガ1(株)"),
        ("東\u3000京\n都\t", "東京都", "東京都"),
        ("A—B", "A—B", "A―B"),
        ("", "", ""),
    ],
)
def test_normalisers(text: str, nfc: str, nfkc: str) -> None:
    assert strict(text) == nfc
    assert folded(text) == nfkc


@pytest.mark.parametrize("name", FOLDINGS)
@settings(deadline=None)
@given(text=st.text(max_size=20))
def test_normalising_twice_changes_nothing(name: str, text: str) -> None:
    once = FOLDINGS[name].fold(text)
    assert FOLDINGS[name].fold(once) == once


@pytest.mark.parametrize(
    ("text", "forms", "loose"),
    [
        ("舊國", "旧国", "旧国"),
        ("髙槗の𠮷", "高橋の吉", "高橋の吉"),
        ("ヘー一", "ヘー一", "へーー"),
        ("…⋯", "...⋯", "......"),
        ("００〇", "00〇", "OOO"),
        ("つっ", "つっ", "つっ"),
    ],
)
def test_foldings_of_forms_and_shapes(text: str, forms: str, loose: str) -> None:
    assert FOLDINGS["forms"].fold(text) == forms
    assert FOLDINGS["loose"].fold(text) == loose


def test_no_character_has_two_shapes() -> None:
    chars = "".join(LOOKALIKES)
    assert len(set(chars)) == len(chars)
    assert all(fold_lookalikes(group) == group[0] * len(group) for group in LOOKALIKES)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["", "あ", "い", "あい", "うあ"]), max_size=5), WORDS)
def test_pieces_are_laid_beside_what_they_stand_for(pieces: list[str], reference: str) -> None:
    found = paired(list(reference), pieces)
    assert len(found) == len(pieces)
    right = sum(len(piece) for piece, (_, truth) in zip(pieces, found, strict=True) if truth == piece)
    assert right <= len(reference)
    places = [place for place, _ in found if place >= 0]
    assert places == sorted(places) and all(reference[place] == text[0] for place, text in found if place >= 0)


def test_pieces_that_folding_has_made_longer() -> None:
    # ①㈱う read as 1, (株), い
    assert paired(["1", "(株)", "う"], ["1", "(株)", "い", ""]) == [(0, "1"), (1, "(株)"), (2, "う"), (-1, "")]
    assert paired(["あ"], ["い", "あ"]) == [(-1, ""), (0, "あ")]


def test_both_sides_are_normalised() -> None:
    assert cer("１２ 月", "12月", folded).total == 0
    assert cer("１２ 月", "12月", strict).total == 2


def test_planted_confusions() -> None:
    scores = score([("待って、へ", "待つて、ヘ"), ("行った。", "行た。"), ("ヘビ", "ヘビだ")])
    assert scores.confusions()[0] == ("", "だ", 1, 0)
    assert ("へ", "ヘ", 1, 1) in scores.confusions()
    assert ("っ", "つ", 1, 2) in scores.confusions()
    assert len(scores.confusions(2)) == 2
    assert scores.small_kana == Recall(0, 2, left_out=1)
    assert (scores.punctuation.hits, scores.punctuation.chars) == (2, 2)
    assert scores.line_accuracy == 0
    assert scores.scripts["hiragana"].insertions == 1
    assert scores.scripts["katakana"] == Errors(chars=2)


def test_of_nothing() -> None:
    scores = score([])
    assert scores.errors == Errors()
    assert scores.line_accuracy == 1
    assert scores.small_kana.rate == 1
    assert interval([]) == (0, 0)


def test_interval_covers_the_truth() -> None:
    """Of 100 samples with a known error rate about 95 intervals hold it."""
    rng = np.random.default_rng(1)
    held = 0
    for trial in range(100):
        lines = [Errors(substitutions=int(rng.binomial(20, 0.1)), chars=20) for _ in range(60)]
        low, high = interval(lines, seed=trial, samples=300)
        held += low <= 0.1 <= high
    assert 86 <= held <= 100


def test_interval_draws_whole_groups() -> None:
    lines = [Errors(substitutions=g % 2 * 10, chars=10) for g in range(10) for _ in range(50)]
    groups = [g for g in range(10) for _ in range(50)]
    alone = interval(lines)
    together = interval(lines, groups)
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])
    assert interval(lines, groups, seed=3) == interval(lines, groups, seed=3)
    with pytest.raises(ValueError, match="zip"):
        interval(lines, groups[:-1])


def test_long_lines_are_quick() -> None:
    rng = np.random.default_rng(0)
    a, b = ("".join(chr(0x4E00 + i) for i in rng.integers(0, 50, 2000)) for _ in range(2))
    began = time.perf_counter()
    align(a, b)
    assert time.perf_counter() - began < 20


def test_forms_fold_to_todays_and_no_further() -> None:
    assert fold_forms("內側ノ黑イ步兵ガ說ク單位") == "内側ノ黒イ歩兵ガ説ク単位"
    assert [fold_forms(old) for old in OLD_FORMS] == list(NEW_FORMS)
    for char in map(chr, range(0x3400, 0xA000)):
        assert fold_forms(fold_forms(char)) == fold_forms(char)
