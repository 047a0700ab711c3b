"""Character codes of the ETL sets -> code points and scripts, as look-up tables: a class is named by its code only.

Three codes occur. ETL1 and ETL3-7 use JIS X 0201, one byte; ETL2 uses CO-59, two six-bit numbers kept here as
first * 64 + second; ETL8 and ETL9 use JIS X 0208, two bytes. The readings that stand beside the codes are ambiguous
(KAI.HIRA is 開) and are never used.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import script_of
from jphtr.sources.etl_co59 import GRID, NONE, NUMBERS

# Values of the meta column `script`. "none" is a code without a character, and the space, whose picture is paper.
SCRIPTS = {"none": 0, "hiragana": 1, "katakana": 2, "kanji": 3, "digit": 4, "latin": 5, "symbol": 6}

HIRAGANA_SETS = frozenset({"ETL4", "ETL7"})  # hiragana written under the codes of katakana
_OLD_KANA_SETS = frozenset({"ETL1", "ETL4", "ETL5", "ETL6"})  # sets without small kana, see _jis_x_0201


@cache
def code_points(source: str) -> NDArray[np.uint32]:
    """Code point of every possible code of a set, 0 where the code has no character.

    Returns
    -------
    (256,), (4096,) or (65536,) uint32, read-only. The blank class of ETL1, code 0x20, is the space: the set names it,
    so it is told apart from codes that mean nothing.
    """
    if source == "ETL2":
        table = _co_59()
    elif source in ("ETL8B", "ETL8G", "ETL9B", "ETL9G"):
        table = _jis_x_0208()
    else:
        table = _jis_x_0201(hiragana=source in HIRAGANA_SETS, old=source in _OLD_KANA_SETS)
    table.setflags(write=False)
    return table


@cache
def inside(source: str) -> NDArray[np.bool_]:
    """Whether each possible code of a set lies in its table, as (number of codes,) bool.

    In ETL2 the 124 cells without a character lie in the table, in the other sets a code without a character does not.
    """
    if source != "ETL2":
        return code_points(source) > 0
    valid = np.zeros((64, 64), bool)
    valid[np.ix_(NUMBERS, NUMBERS)] = True
    return valid.ravel()


@cache
def scripts(source: str) -> NDArray[np.uint8]:
    """Script of every possible code of a set, as values of SCRIPTS: (number of codes,) uint8."""
    table = code_points(source)
    return np.array([script_value(chr(point)) if point else 0 for point in table.tolist()], np.uint8)


def script_value(char: str) -> int:
    if char.isspace():
        return SCRIPTS["none"]
    name: str = script_of(char)
    return SCRIPTS.get("kanji" if name in ("level1", "level2") else name, SCRIPTS["symbol"])


def _jis_x_0201(*, hiragana: bool, old: bool) -> NDArray[np.uint32]:
    """ASCII but for ¥ and ‾, and katakana at full width.

    hiragana : give the hiragana of each katakana.
    old : 0xA8 and 0xAA are ヰ and ヱ. The code has no places for these letters, and AIST put them on those of the
        small ィ and ェ, which the sets concerned do not hold.
    """
    table = np.zeros(256, np.uint32)
    table[0x20:0x7F] = range(0x20, 0x7F)
    table[0x5C], table[0x7E] = ord("¥"), ord("‾")
    for code in range(0xA1, 0xE0):
        table[code] = ord(unicodedata.normalize("NFKC", chr(0xFF61 + code - 0xA1)))
    table[0xDE], table[0xDF] = ord("゛"), ord("゜")  # NFKC gives the combining marks
    if old:
        table[0xA8], table[0xAA] = ord("ヰ"), ord("ヱ")
    if hiragana:
        letters = (table >= ord("ァ")) & (table <= ord("ン"))
        table[letters] -= ord("ァ") - ord("ぁ")
    return table


def _co_59() -> NDArray[np.uint32]:
    table = np.zeros((64, 64), np.uint32)
    rows = [[0 if char == NONE else ord(char) for char in row] for row in GRID]
    table[np.ix_(NUMBERS, NUMBERS)] = np.array(rows, np.uint32).T  # a row of GRID shares its second number
    return table.ravel()


def _jis_x_0208() -> NDArray[np.uint32]:
    table = np.zeros(65536, np.uint32)
    for row in range(0x21, 0x7F):
        for cell in range(0x21, 0x7F):
            try:
                table[row << 8 | cell] = ord(bytes((27, 36, 66, row, cell, 27, 40, 66)).decode("iso2022_jp"))
            except UnicodeDecodeError:
                continue  # an empty cell
    return table


# (code, what decoders of today make of it, what the code meant before the revision of 1983).
# The forms of ETL8 and ETL9 were drawn up before that revision, which exchanged these level 1 kanji with rarer forms:
# the pictures may show the third character. Nobody has published a look at them, so labels follow the second and the
# raw code stays in the column `code`.
JIS_1978_PAIRS = (
    (0x3033, "鯵", "鰺"), (0x3229, "鴬", "鶯"), (0x3342, "蛎", "蠣"), (0x3349, "撹", "攪"),
    (0x3376, "竃", "竈"), (0x3443, "潅", "灌"), (0x3452, "諌", "諫"), (0x3646, "尭", "堯"),
    (0x375B, "頚", "頸"), (0x395C, "砿", "礦"), (0x3C49, "蕊", "蘂"), (0x3F59, "靭", "靱"),
    (0x4128, "賎", "賤"), (0x445B, "壷", "壺"), (0x4557, "砺", "礪"), (0x456E, "梼", "檮"),
    (0x4573, "涛", "濤"), (0x4676, "迩", "邇"), (0x4768, "蝿", "蠅"), (0x4930, "桧", "檜"),
    (0x4B6A, "槙", "槇"), (0x4B79, "侭", "儘"), (0x4C79, "薮", "藪"), (0x4D5A, "遥", "遙"),
    (0x4F36, "篭", "籠"),
)  # fmt: skip
