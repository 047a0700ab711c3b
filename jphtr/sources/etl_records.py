"""How the records of each ETL set are laid out, and one vectorised reader of bits for all of them.

Every set is a stream of records of one length, big-endian, the first bit of a byte being its highest. Fields are
named by (first bit, bits); AIST's forms count the C and K types in 36-bit words and six-bit characters, which is the
same thing. Pictures go left to right and top to bottom without padding, and their levels rise from paper to ink.

Source: the record forms M, K, C, B and G that AIST publishes with the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Raw = NDArray[np.uint8]
Bits = tuple[int, int]  # first bit of the record, number of bits


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of a record lie.

    Attributes
    ----------
    size : bytes of a record.
    code : bits of the character code that names the class.
    numbers : every other number of the header, by name.
    texts : (first bit, characters, bits of a character) by name: 8 bits are ASCII, 6 bits are T56.
    image : byte at which the picture starts.
    width, height : pixels of the picture.
    depth : bits of a pixel; level 0 is paper, level 2**depth - 1 is ink.
    dummy : whether the first record of a file is empty.
    """

    size: int
    code: Bits
    numbers: Mapping[str, Bits]
    texts: Mapping[str, tuple[int, int, int]]
    image: int
    width: int
    height: int
    depth: int
    dummy: bool = False
    header: int = field(init=False)  # bytes that hold every field but the picture

    def __post_init__(self) -> None:
        ends = [first + count for first, count in (self.code, *self.numbers.values())]
        ends += [first + chars * width for first, chars, width in self.texts.values()]
        object.__setattr__(self, "header", (max(ends) + 7) // 8)

    @property
    def packed(self) -> slice:
        """The bytes of a record that hold the picture."""
        return slice(self.image, self.image + self.width * self.height * self.depth // 8)

    def codes(self, raw: Raw) -> NDArray[np.uint32]:
        """The character codes (N,) uint32 of records (N, at least `header`)."""
        return bits(raw, *self.code).astype(np.uint32)

    def columns(self, raw: Raw) -> dict[str, NDArray[np.generic]]:
        """Every field but the picture as a column.

        Parameters
        ----------
        raw : (N, at least `header`) uint8 records.

        Returns
        -------
        columns of length N: `code` uint32, numbers of the types in COLUMNS (what does not fit, stops at the largest
        number that does), and texts as bytes of eight without the spaces around them.
        """
        columns: dict[str, NDArray[np.generic]] = {"code": self.codes(raw)}
        for name, place in self.numbers.items():
            kind = COLUMNS[name]
            columns[name] = np.minimum(bits(raw, *place), np.iinfo(kind).max).astype(kind)
        for name, (first, chars, width) in self.texts.items():
            columns[name] = text(raw, first, chars, width)
        return columns

    def gray(self, raw: Raw, out: Raw) -> None:
        """Unpack the pictures of records into gray levels: 255 is paper and 0 is full ink.

        Levels become level * 255 / (2**depth - 1), rounded, and are then turned over; so 4 bits are times 17.

        Parameters
        ----------
        raw : (N, size) uint8 records.
        out : (N, height, width) uint8, contiguous; written.
        """
        _UNPACK[self.depth](raw[:, self.packed], out.reshape(len(raw), -1))


def bits(raw: Raw, first: int, count: int) -> NDArray[np.uint64]:
    """The number in bits `first` to `first + count` (at most 57 of them) of each row of raw (N, bytes): (N,) uint64."""
    end = (first + count + 7) // 8
    number = np.zeros(len(raw), np.uint64)
    for byte in range(first // 8, end):
        number <<= np.uint64(8)
        number |= raw[:, byte]
    number >>= np.uint64(8 * end - first - count)
    return number & np.uint64((1 << count) - 1)


def text(raw: Raw, first: int, chars: int, width: int) -> NDArray[np.bytes_]:
    """The characters from bit `first` of each row of raw (N, bytes), without spaces around them: (N,) of S8."""
    letters = np.zeros((len(raw), 8), np.uint8)
    for i in range(chars):
        letter = bits(raw, first + i * width, width).astype(np.uint8)
        letters[:, i] = letter if width == 8 else _T56[letter]
    return np.char.strip(letters.view("S8")[:, 0], b" ").astype("S8")


def _unpack_1(packed: Raw, out: Raw) -> None:
    np.subtract(np.unpackbits(packed, axis=1), 1, out=out)  # paper 0 - 1 wraps to 255


def _unpack_4(packed: Raw, out: Raw) -> None:
    """Two pixels a byte, both in one 16-bit number: a table look-up a pixel would be several times slower."""
    pairs = out.view("<u2")
    np.multiply(~packed, np.uint16(0x1001), out=pairs)  # byte AB -> B0AB, for A * 0x1000 leaves the number
    pairs >>= 4  # 0B0A: the low byte comes first and holds the left pixel
    pairs *= 17


def _unpack_6(packed: Raw, out: Raw) -> None:
    a, b, c = np.moveaxis((~packed).reshape(len(packed), -1, 3), 2, 0)
    levels = np.empty((len(packed), out.shape[1] // 4, 4), np.uint16)
    levels[..., 0] = a >> 2
    levels[..., 1] = (a & 3) << 4 | b >> 4
    levels[..., 2] = (b & 15) << 2 | c >> 6
    levels[..., 3] = c & 63
    levels *= 259  # (259 n + 33) / 64 is n * 255 / 63 rounded, for every n up to 63
    levels += 33
    levels >>= 6
    out[:] = levels.reshape(out.shape)


_UNPACK = {1: _unpack_1, 4: _unpack_4, 6: _unpack_6}

# The six-bit code T56 of the C and K types. AIST's table has no plus sign, yet its own sample of the C type holds one:
# it stands at 48, as in the GE-600 code that the rest of the table equals.
_T56 = np.frombuffer(b"0123456789[#@:>? ABCDEFGHI&.](<  JKLMNOPQR-$*);'+/STUVWXYZ ,%=\"!", np.uint8)


def _word(number: int) -> int:
    return 36 * number


_M = Layout(
    size=2052,
    code=(48, 8),
    numbers={
        "data": (0, 16),
        "sheet": (32, 16),
        "ebcdic": (56, 8),
        "quality": (64, 8),
        "group_quality": (72, 8),
        "sex": (80, 8),
        "age": (88, 8),
        "serial": (96, 32),
        "industry": (128, 16),
        "occupation": (144, 16),
        "collected": (160, 16),
        "scanned": (176, 16),
        "y": (192, 8),
        "x": (200, 8),
        "level_min": (208, 8),
        "level_max": (216, 8),
    },
    texts={"reading": (16, 2, 8)},
    image=32,
    width=64,
    height=63,
    depth=4,
)

_K = Layout(
    size=2745,
    code=(168, 12),  # two numbers of six bits
    numbers={"serial": (0, 36)},
    texts={"mark": (36, 1, 6), "contents": (72, 6, 6), "style": (108, 6, 6)},
    image=45,
    width=60,
    height=60,
    depth=6,
)

_C = Layout(
    size=2952,
    code=(_word(2), 8),
    numbers={
        "serial": (_word(0), 36),
        "sheet": (_word(1), 36),
        "ebcdic": (_word(3), 8),
        "quality": (_word(5), 36),
        "group_quality": (_word(6), 36),
        "y": (_word(7), 36),
        "x": (_word(8), 36),
        "sex": (_word(9), 36),
        "age": (_word(10), 36),
        "industry": (_word(11), 36),
        "occupation": (_word(12), 36),
        "collected": (_word(13), 36),
        "scanned": (_word(14), 36),
        "nx": (_word(15), 36),
        "ny": (_word(16), 36),
        "levels": (_word(17), 36),
        "lens": (_word(18), 36),
        "old_serial": (_word(19), 36),
    },
    texts={"reading": (_word(4), 4, 6)},
    image=216,
    width=72,
    height=76,
    depth=4,
)


def _b(size: int) -> Layout:
    return Layout(
        size=size,
        code=(16, 16),
        numbers={"sheet": (0, 16)},
        texts={"reading": (32, 4, 8)},
        image=8,
        width=64,
        height=63,
        depth=1,
        dummy=True,
    )


def _g(image: int) -> Layout:
    return Layout(
        size=8199,
        code=(16, 16),
        numbers={
            "sheet": (0, 16),
            "serial": (96, 32),
            "quality": (128, 8),
            "group_quality": (136, 8),
            "sex": (144, 8),
            "age": (152, 8),
            "industry": (160, 16),
            "occupation": (176, 16),
            "collected": (192, 16),
            "scanned": (208, 16),
            "x": (224, 8),  # x before y: the M and C types have them the other way round
            "y": (232, 8),
        },
        texts={"reading": (32, 8, 8)},
        image=image,
        width=128,
        height=127,
        depth=4,
    )


LAYOUTS = {
    "ETL1": _M,
    "ETL2": _K,
    "ETL3": _C,
    "ETL4": _C,
    "ETL5": _C,
    "ETL6": _M,
    "ETL7": _M,
    "ETL8B": _b(512),
    "ETL8G": _g(60),
    "ETL9B": _b(576),
    "ETL9G": _g(64),
}

# One type a field for all sets, so that columns of different sets can be joined. Dates are YYMM or YYMMDD as scanned.
COLUMNS = {
    "data": "u2",
    "sheet": "u4",
    "ebcdic": "u1",
    "quality": "u1",
    "group_quality": "u1",
    "sex": "u1",
    "age": "u1",
    "serial": "u4",
    "industry": "u2",
    "occupation": "u2",
    "collected": "u4",
    "scanned": "u4",
    "x": "u1",
    "y": "u1",
    "level_min": "u1",
    "level_max": "u1",
    "nx": "u1",
    "ny": "u1",
    "levels": "u1",
    "lens": "u2",
    "old_serial": "u4",
}
