"""An independent writer of ETL files: every record is one big integer, field after field as AIST's forms print them.

It shares no offset, table or bit trick with the reader. What the forms call undefined is written as ones.
"""

from __future__ import annotations

import random
from typing import Any

Value = int | str
Record = dict[str, Any]

T56 = "0123456789[#@:>? ABCDEFGHI&.](<\0\0JKLMNOPQR-$*);'+/STUVWXYZ\0,%=\"!"

# (field, bits) in the order in which they stand; a name that starts with "=" is text of that many bits a character,
# None is undefined
_M = [
    ("data", 16), ("=reading", 2), ("sheet", 16), ("code", 8), ("ebcdic", 8), ("quality", 8), ("group_quality", 8),
    ("sex", 8), ("age", 8), ("serial", 32), ("industry", 16), ("occupation", 16), ("collected", 16), ("scanned", 16),
    ("y", 8), ("x", 8), ("level_min", 8), ("level_max", 8), (None, 32), ("image", 4), (None, 32),
]  # fmt: skip
_K = [
    ("serial", 36), ("=mark", 1), ("=", 5), ("=contents", 6), ("=style", 6), ("zero", 24), ("first", 6), ("second", 6),
    (None, 180), ("image", 6),
]  # fmt: skip
_C = [
    ("serial", 36), ("sheet", 36), ("code", 8), (None, 28), ("ebcdic", 8), (None, 28), ("=reading", 4), ("=", 2),
    *[(name, 36) for name in (
        "quality", "group_quality", "y", "x", "sex", "age", "industry", "occupation", "collected", "scanned",
        "nx", "ny", "levels", "lens", "old_serial",
    )],
    (None, 168 * 6), ("image", 4),
]  # fmt: skip
_B8 = [("sheet", 16), ("code", 16), ("=reading", 4), ("image", 1)]
_G = [
    ("sheet", 16), ("code", 16), ("=reading", 8), ("serial", 32), ("quality", 8), ("group_quality", 8), ("sex", 8),
    ("age", 8), ("industry", 16), ("occupation", 16), ("collected", 16), ("scanned", 16), ("x", 8), ("y", 8),
]  # fmt: skip
_G8 = [*_G, (None, 30 * 8), ("image", 4), (None, 11 * 8)]

FORMS: dict[str, tuple[list[tuple[str | None, int]], int, int, int, int]] = {  # fields, width, height, bytes, text bits
    "ETL1": (_M, 64, 63, 2052, 8),
    "ETL2": (_K, 60, 60, 2745, 6),
    "ETL3": (_C, 72, 76, 2952, 6),
    "ETL4": (_C, 72, 76, 2952, 6),
    "ETL5": (_C, 72, 76, 2952, 6),
    "ETL6": (_M, 64, 63, 2052, 8),
    "ETL7": (_M, 64, 63, 2052, 8),
    "ETL8B": (_B8, 64, 63, 512, 8),
    "ETL8G": (_G8, 128, 127, 8199, 8),
    "ETL9B": ([*_B8, (None, 512)], 64, 63, 576, 8),
    "ETL9G": ([*_G, (None, 34 * 8), ("image", 4), (None, 7 * 8)], 128, 127, 8199, 8),
}


def record(source: str, values: Record) -> bytes:
    """One record; `image` is a list of levels, 0 where absent; absent numbers are 0 and absent text is spaces."""
    form, width, height, size, text_bits = FORMS[source]
    stream = ""
    for name, count in form:
        if name is None:
            stream += "1" * count
        elif name == "image":
            picture = values.get("image")
            digits = [f"{level:0{count}b}" for level in range(2**count)]
            stream += "".join(digits[level] for level in picture) if picture else "0" * (width * height * count)
        elif name.startswith("="):
            letters = values.get(name[1:], "").ljust(count)
            numbers = [T56.index(c) if text_bits == 6 else ord(c) for c in letters]
            stream += "".join(f"{number:0{text_bits}b}" for number in numbers)
        else:
            stream += f"{values.get(name, 0):0{count}b}"
    data = int(stream, 2).to_bytes((len(stream) + 7) // 8, "big")
    assert len(stream) % 8 == 0 and len(data) == size
    return data


def archive(source: str, records: list[Record]) -> bytes:
    """A file of a set, with the empty first record of the binary sets."""
    dummy = bytes(FORMS[source][3]) if source.endswith("B") else b""
    return dummy + b"".join(record(source, values) for values in records)


def levels(source: str, seed: int) -> list[int]:
    """A picture of noise over the full range of a set."""
    form, width, height, _, _ = FORMS[source]
    depth = dict(form)["image"]
    return random.Random(seed).choices(range(2**depth), k=width * height)


def jis(char: str) -> int:
    """JIS X 0208 code of a character, by way of EUC."""
    high, low = char.encode("euc_jp")
    return (high - 0x80) << 8 | (low - 0x80)
