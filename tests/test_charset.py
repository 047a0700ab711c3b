"""The charset: complete, one index space, stated folds."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jphtr.charset import BLANK, Charset, default, fold, jis_levels, jouyou_by_grade, kana, script_of
from jphtr.errors import CharsetError

CS = default()


def test_blank_is_label_zero_and_says_nothing() -> None:
    assert BLANK == 0
    assert CS.chars[BLANK] == ""
    assert CS.decode([0, 0]) == ""
    assert not CS.covers("")


def test_jis_x_0208_is_complete() -> None:
    levels = jis_levels()
    assert [len(levels[i]) for i in range(3)] == [524, 2965, 3390]
    assert not CS.missing("".join(c for level in levels.values() for c in level))


def test_jouyou_is_complete() -> None:
    grades = jouyou_by_grade()
    assert [len(grades[g]) for g in range(1, 8)] == [80, 160, 200, 202, 193, 191, 1110]
    every = "".join(c for chars in grades.values() for c in chars)
    assert len(set(every)) == 2136
    assert set("剝塡頰𠮟") <= set(every)
    assert all(c in CS.chars for c in every)


def test_kana_ascii_and_variants() -> None:
    every = "".join(c for chars in kana().values() for c in chars) + "ゐゑヰヱゔヴヵヶヷヸヹヺ々〇〆ー・ゝゞヽヾ髙﨑"
    assert all(c in CS.chars for c in every)
    assert all(chr(c) in CS.chars for c in range(0x20, 0x7F))


def test_every_char_is_one_folded_code_point() -> None:
    for char in CS.chars[1:]:
        assert len(char) == 1
        assert fold(char) == char
        assert unicodedata.normalize("NFC", char) == char


@given(st.lists(st.integers(0, len(CS) - 1)))
def test_labels_survive_text(labels: list[int]) -> None:
    text = CS.decode(labels)
    # neighbours that NFC would join cannot both stand in the charset, so encoding gives the labels back
    assert CS.encode(text).tolist() == [label for label in labels if label != BLANK]


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_folds() -> None:
    assert fold("ＡＺａｚ０９") == "AZaz09"
    assert fold("ｶﾞｷﾞﾊﾟｱｰ") == "ガギパアー"
    assert fold("か\u3099") == "が"
    assert fold("①（㎡") == "①（㎡"
    assert fold("　") == " "


def test_missing_characters_are_named() -> None:
    with pytest.raises(CharsetError, match="☃"):
        CS.encode("雪☃")
    assert CS.missing("雪☃雪☃") == ["☃"]


def test_text_round_trip() -> None:
    assert Charset.from_text(CS.to_text()) == CS


@pytest.mark.parametrize("bad", [["ab"], ["あ", "あ"], ["か\u3099"]])
def test_bad_charsets_are_refused(bad: list[str]) -> None:
    with pytest.raises(CharsetError):
        Charset(bad)


def test_scripts() -> None:
    pairs = {"あ": "hiragana", "ア": "katakana", "ー": "katakana", "亜": "level1", "弌": "level2", "髙": "kanji",
             "々": "kanji", "A": "latin", "7": "digit", "。": "punctuation", " ": "punctuation"}  # fmt: skip
    assert {char: script_of(char) for char in pairs} == pairs
