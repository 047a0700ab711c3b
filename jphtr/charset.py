"""Characters <-> labels, and what a set of characters covers.

There is one index space: label 0 is the CTC blank, whose character is the empty string, so that glyph files, nets,
model files and decoders share their labels without arithmetic.

Widths, stated once: full-width Latin letters and digits and half-width katakana are read as their ordinary twins
(ASCII and full-width katakana), because a picture of one character cannot tell them apart. Punctuation keeps both of
its widths, 「（」 and 「(」: the cell around it shows which one was set. The ideographic space is the space.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache, cached_property
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import CharsetError
from jphtr.jouyou import JOUYOU

BLANK = 0

Script = Literal["hiragana", "katakana", "level1", "level2", "kanji", "latin", "digit", "punctuation", "other"]

# Signs that share one shape under several code points; the left one is read as the right one, which JIS X 0208 holds.
_ALIASES = {
    "　": " ", "～": "〜", "—": "―", "─": "─", "－": "−", "∥": "‖", "￠": "¢", "￡": "£", "￢": "¬",
    "ｰ": "ー", "･": "・", "｡": "。", "､": "、", "｢": "「", "｣": "」", "〖": "【", "〗": "】", "‑": "‐", "⁓": "〜",
    "🄫": "©", "ﾞ": "゛", "ﾟ": "゜", "\t": " ", "\u00a0": " ",
}  # fmt: skip

# Beyond JIS X 0208: forms that names, addresses, tables and newer print use.
_MORE_KANA = "ゔゕゖヷヸヹヺ"
_MORE_KANJI = "剝塡頰𠮟髙﨑吞俱姸屛幷瘦繫噓摑搔禱萊蔣蠟醬鹼麴驒德濵瀨彅栁𠮷桒槗賴靑淸鄧晧昻鷗繡頸焰嚙囊潑簞蟬攢﨟"
_MORE_SIGNS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ㎜㎝㎞㎎㎏㏄㎡№℡㈱㈲〝〟•€©®"
# Old type that the standard lacks, and romanised Japanese; last, so that the labels of older models keep their places.
_OLD_KANJI = (
    "緣橫溫槪渴寬虛鄕薰揭擊硏黑緖狀巢每綠歷錄黃涉增卽徵晚甁倂步戾淚曆鍊郞麵內强銳軀說稅脫悅閱絕產彥敎戶吳娛尙姬旣查"
)
_ROMANISED = "āīūēōĀĪŪĒŌé"


@cache
def _jis_rows() -> dict[str, int]:
    """Every character of JIS X 0208 with its row (ku), from the EUC-JP code that the standard library knows."""
    table: dict[str, int] = {}
    for ku in range(1, 95):
        for ten in range(1, 95):
            try:
                char = bytes((0xA0 + ku, 0xA0 + ten)).decode("euc_jp")
            except UnicodeDecodeError:
                continue
            table[char] = ku
    return table


def jis_levels() -> dict[int, tuple[str, ...]]:
    """The characters of JIS X 0208 by level: 0 the 524 signs and letters, 1 and 2 the kanji, in code order."""
    levels: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for char, ku in _jis_rows().items():
        levels[0 if ku < 16 else 1 if ku < 48 else 2].append(char)
    return {level: tuple(chars) for level, chars in levels.items()}


def jouyou_by_grade() -> dict[int, tuple[str, ...]]:
    """The 2,136 jōyō kanji by school grade, 7 standing for secondary school."""
    return {grade: tuple(chars) for grade, chars in JOUYOU.items()}


def kana() -> dict[str, tuple[str, ...]]:
    """Hiragana (with small, old and iteration forms) and katakana, each in code order."""
    hiragana = [chr(c) for c in range(0x3041, 0x3097)] + ["ゝ", "ゞ"]
    katakana = [chr(c) for c in range(0x30A1, 0x30FB)] + ["ー", "ヽ", "ヾ"]
    return {"hiragana": tuple(hiragana), "katakana": tuple(katakana)}


SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ")
_KANA_SETS = {script: frozenset(chars) for script, chars in kana().items()}


@cache
def _level_sets() -> tuple[frozenset[str], frozenset[str]]:
    levels = jis_levels()
    return frozenset(levels[1]), frozenset(levels[2])


def script_of(char: str) -> Script:
    """The group in which a character is counted in reports."""
    for script in ("hiragana", "katakana"):
        if char in _KANA_SETS[script]:
            return "hiragana" if script == "hiragana" else "katakana"
    level1, level2 = _level_sets()
    if char in level1:
        return "level1"
    if char in level2:
        return "level2"
    if char in "々〆〇" or unicodedata.name(char, "").startswith("CJK "):
        return "kanji"
    category = unicodedata.category(char)
    if category == "Nd":
        return "digit"
    if category[0] == "L" and unicodedata.name(char, "").startswith(("LATIN", "FULLWIDTH LATIN")):
        return "latin"
    return "punctuation" if category[0] in "PZS" else "other"


def fold(text: str) -> str:
    """Text as the charset writes it: NFC, ASCII letters and digits, full-width katakana, one code point per sign.

    NFKC is not used for the whole text, because it would turn ① into 1.
    """
    if any("ｦ" <= c <= "ﾟ" for c in text):
        # half-width katakana carry their voicing mark as a second code point; NFKC joins the pair
        runs: list[str] = []
        for c in text:
            half = "ｦ" <= c <= "ﾟ"
            if half and runs and "ｦ" <= runs[-1][-1] <= "ﾟ":
                runs[-1] += c
            else:
                runs.append(c)
        text = "".join(unicodedata.normalize("NFKC", r) if "ｦ" <= r[-1] <= "ﾟ" else r for r in runs)
        text = text.replace("\u3099", "゛").replace("\u309a", "゜")
    return unicodedata.normalize("NFC", text.translate(_FOLDS))


_FOLDS = str.maketrans(
    _ALIASES
    | {chr(0xFF10 + i): chr(0x30 + i) for i in range(10)}
    | {chr(0xFF21 + i): chr(0x41 + i) for i in range(26)}
    | {chr(0xFF41 + i): chr(0x61 + i) for i in range(26)}
)


class Charset:
    """An ordered set of characters; a character's place is its label, and place 0 is the CTC blank, "".

    Parameters
    ----------
    chars : the characters without the blank, each one NFC code point, no two alike.

    Raises
    ------
    CharsetError
        If a character is not a single code point in NFC, or stands twice.
    """

    def __init__(self, chars: Iterable[str]) -> None:
        self.chars: tuple[str, ...] = ("", *chars)
        self._labels = {char: label for label, char in enumerate(self.chars)}
        for char in self.chars[1:]:
            if len(char) != 1 or unicodedata.normalize("NFC", char) != char:
                raise CharsetError(f"charset: {char!r} is not one NFC code point; give every character once, composed")
        if len(self._labels) != len(self.chars):
            twice = sorted({c for c in self.chars if self.chars.count(c) > 1})
            raise CharsetError(f"charset: {''.join(twice[:10])!r} stands more than once; remove the copies")

    def __len__(self) -> int:
        return len(self.chars)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Charset) and self.chars == other.chars

    def __hash__(self) -> int:
        return hash(self.chars)

    def __repr__(self) -> str:
        return f"Charset({len(self) - 1} characters)"

    def covers(self, char: str) -> bool:
        """Whether `char`, folded, has a label."""
        return fold(char) in self._labels and char != ""

    def missing(self, text: str) -> list[str]:
        """The folded characters of `text` without a label, each once, in order of appearance."""
        return [c for c in dict.fromkeys(fold(text)) if c not in self._labels]

    def label(self, char: str) -> int:
        """The label of one character.

        Raises
        ------
        CharsetError
            If the charset does not hold it.
        """
        return int(self.encode(char)[0])

    def encode(self, text: str) -> NDArray[np.int32]:
        """Labels (len(fold(text)),) int32 of a text.

        Raises
        ------
        CharsetError
            If a character has no label; the message names them all.
        """
        folded = fold(text)
        try:
            return np.fromiter((self._labels[c] for c in folded), np.int32, len(folded))
        except KeyError:
            missing = "".join(self.missing(text))
            raise CharsetError(f"charset: no label for {missing!r}; leave these out or extend the charset") from None

    def decode(self, labels: Iterable[int]) -> str:
        """The text of labels; blanks vanish."""
        return "".join(self.chars[label] for label in labels)

    @cached_property
    def _text(self) -> str:
        return "".join(self.chars)

    def to_text(self) -> str:
        """All characters in label order as one string: how a charset is stored."""
        return self._text

    @classmethod
    def from_text(cls, text: str) -> Charset:
        """The charset that `to_text` wrote."""
        return cls(text)


@cache
def default() -> Charset:
    """All of JIS X 0208 after folding, ASCII, every kana, all jōyō kanji, and common variants and signs."""
    ascii_chars = [chr(c) for c in range(0x20, 0x7F)]
    jis = [fold(c) for level in jis_levels().values() for c in level]
    jouyou = [c for chars in jouyou_by_grade().values() for c in chars]
    kana_chars = [c for chars in kana().values() for c in chars]
    more = _MORE_KANA, jouyou, _MORE_KANJI, _MORE_SIGNS, _OLD_KANJI, _ROMANISED
    return Charset(dict.fromkeys(chain(ascii_chars, jis, kana_chars, *more)))
