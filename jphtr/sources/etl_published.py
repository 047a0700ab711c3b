"""What AIST published about the ETL sets and each of their files: names, counts, sizes.

A file may hold fewer or more records than are stated here, and is read all the same; these numbers are for saying so.

Sources: AIST's pages on the sets and record forms. The sha256 sums are those that a third party took of the real files.
Derived and not printed by AIST: the split of ETL3 over two files and of ETL6 over twelve.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jphtr.sources.etl_records import LAYOUTS


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """What is known of a set.

    Attributes
    ----------
    classes : by code.
    writers : groups that the writer keys tell apart, those of model images not counted.
    samples : pictures without model images.
    year : in which the set was finished.
    first : character of the first sample of the first file.
    """

    classes: int
    writers: int
    samples: int
    year: int
    first: str


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """What is known of one file of a set.

    Attributes
    ----------
    source : the set, a key of LAYOUTS.
    number : place of the file in its set, from 1; ETL7 counts LC_1, LC_2, SC_1, SC_2.
    name : as AIST distributes it.
    records : in the file, with dummy record and model images.
    models : the last of them that show the printed model letters and nobody's handwriting.
    sha256 : of the real file, where somebody has published it.
    """

    source: str
    number: int
    name: str
    records: int
    models: int = 0
    sha256: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.records * LAYOUTS[self.source].size

    @property
    def samples(self) -> int:
        """Records that show handwriting or, in ETL2, print."""
        return self.records - self.models - LAYOUTS[self.source].dummy


def published_file(name: str) -> PublishedFile | None:
    """The file of an ETL set that a file name stands for, or None.

    Names are taken in any case, with `-`, `_`, `.` or nothing between set and number, with or without leading zeros and
    with or without the C of AIST's names: `etl1c-01`, `ETL1_1` and `ETL1C_01` are one file.
    """
    for source, pattern in _NAMES.items():
        if match := pattern.fullmatch(name):
            number = int(match["number"] or 1)
            if source == "ETL7":
                if number > 2:
                    return None
                number += 2 * (match["form"].upper() == "S")
            files = PUBLISHED[source]
            return files[number - 1] if 1 <= number <= len(files) else None
    return None


def _row(source: str, pattern: str, records: tuple[int, ...], models: int = 0) -> tuple[PublishedFile, ...]:
    """The files of a set in order; the model images are in the last of them."""
    names = [pattern.format(number) for number in range(1, len(records) + 1)]
    last = len(records)
    return tuple(
        PublishedFile(source, number, name, count, models if number == last else 0, _SHA256.get(name))
        for number, (name, count) in enumerate(zip(names, records, strict=True), 1)
    )


_SHA256 = {
    "ETL4C": "3d7178bc6b6d73b5031dd3598d6bc6a402f6a7d8e4a742ec3718765968721185",
    "ETL5C": "7abcac03867e8d339d5848849dc196b93463357c8f0ecbcf78e976677147f61f",
    "ETL7LC_1": "348ab2afebecbce74012773aff3037a284ae6bfcce6755d5371e2b200fb22bf4",
    "ETL7LC_2": "1b7d76cfe1b72c65fbddf32f29a09701de7cbf6defe789fc04c6779622986480",
    "ETL7SC_1": "bd0a232f3047c2fdc7980c7b97f0d0353c53fb1472f337c3d930ad1a72c40851",
    "ETL7SC_2": "f8b5d57f022d93b6539fc6b470f474da64ca6eecd293621f05a28f07e9bdb8bc",
}

PUBLISHED: dict[str, tuple[PublishedFile, ...]] = {
    "ETL1": _row("ETL1", "ETL1C_{:02}", (*[11560] * 6, 11288, 11288, 11287, 11288, 11288, 11287, 4233)),
    "ETL2": _row("ETL2", "ETL2_{}", (9056, 10480, 11360, 10480, 11420)),
    "ETL3": _row("ETL3", "ETL3C_{}", (4800, 4800)),
    "ETL4": _row("ETL4", "ETL4C", (6120,)),
    "ETL5": _row("ETL5", "ETL5C", (10608,)),
    "ETL6": _row("ETL6", "ETL6C_{:02}", (*[13830] * 11, 5532)),
    "ETL7": tuple(
        PublishedFile("ETL7", number, name, count, 0, _SHA256[name])
        for number, name, count in (
            (1, "ETL7LC_1", 9600),
            (2, "ETL7LC_2", 7200),
            (3, "ETL7SC_1", 9600),
            (4, "ETL7SC_2", 7200),
        )
    ),
    "ETL8B": _row("ETL8B", "ETL8B2C{}", (1 + 51200, 1 + 51200, 1 + 50560 + 956), 956),
    "ETL8G": _row("ETL8G", "ETL8G_{:02}", (*[4780] * 32, 956), 956),
    "ETL9B": _row("ETL9B", "ETL9B_{}", (*[1 + 121440] * 4, 1 + 121440 + 3036), 3036),
    "ETL9G": _row("ETL9G", "ETL9G_{:02}", (12144,) * 50),
}

# Writers of ETL8 and ETL9: data sets, whichever way they are counted, for AIST's pages disagree on whether one person
# wrote a data set (160 and 200 persons) or one sheet of it (1,600 and 4,000).
PUBLISHED_SETS = {
    "ETL1": PublishedSet(96, 1445, 141319, 1973, "0"),
    "ETL2": PublishedSet(2184, 4, 52796, 1973, "上"),
    "ETL3": PublishedSet(48, 200, 9600, 1974, "0"),
    "ETL4": PublishedSet(48, 120, 6120, 1974, "あ"),
    "ETL5": PublishedSet(48, 104, 10608, 1975, "ア"),
    "ETL6": PublishedSet(114, 1383, 157662, 1976, "ア"),
    "ETL7": PublishedSet(48, 175, 33600, 1977, "あ"),
    "ETL8B": PublishedSet(956, 160, 152960, 1980, "あ"),
    "ETL8G": PublishedSet(956, 160, 152960, 1980, "あ"),
    "ETL9B": PublishedSet(3036, 200, 607200, 1984, "あ"),
    "ETL9G": PublishedSet(3036, 200, 607200, 1984, "亜"),
}

# A bare number may follow a set's name only where that cannot be read as another set: ETL11 is nothing, ETL9G1 is a file.
_NAMES = {
    source: re.compile(rf"ETL{pattern}", re.IGNORECASE)
    for source, pattern in {
        "ETL1": r"1(?:C[-_.]?|[-_.])0*(?P<number>\d{1,2})",
        "ETL2": r"2(?:C[-_.]?|[-_.])0*(?P<number>\d{1,2})",
        "ETL3": r"3(?:C[-_.]?|[-_.])0*(?P<number>\d{1,2})",
        "ETL4": r"4C?(?:[-_.]0*(?P<number>1))?",
        "ETL5": r"5C?(?:[-_.]0*(?P<number>1))?",
        "ETL6": r"6(?:C[-_.]?|[-_.])0*(?P<number>\d{1,2})",
        "ETL7": r"7(?P<form>[LS])C?[-_.]?0*(?P<number>\d{1,2})",
        "ETL8B": r"8B(?:2C[-_.]?|2[-_.]|C[-_.]?|[-_.])0*(?P<number>\d{1,2})",
        "ETL8G": r"8G[-_.]?0*(?P<number>\d{1,2})",
        "ETL9B": r"9B[-_.]?0*(?P<number>\d{1,2})",
        "ETL9G": r"9G[-_.]?0*(?P<number>\d{1,2})",
    }.items()
}
