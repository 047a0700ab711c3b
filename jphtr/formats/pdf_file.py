"""A PDF file that is written as it is made: every object leaves as bytes at once, and only its place is remembered."""

from __future__ import annotations

from typing import Any


class PdfFile:
    """Numbers objects of pydyf, and gives the bytes of the file in their order: `head`, any `put`, `foot`."""

    def __init__(self) -> None:
        self._places: list[int | None] = [None]  # by number; there is no object 0
        self._length = 0

    def reserve(self) -> int:
        """The number of an object that is put later."""
        self._places.append(None)
        return len(self._places) - 1

    def head(self) -> bytes:
        """The first bytes; the second line tells programs that bytes are not text."""
        return self._counted(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def put(self, thing: Any, number: int) -> bytes:
        """The bytes of an object of pydyf under a number reserved for it."""
        self._places[number] = self._length
        thing.number = number
        return self._counted(thing.indirect + b"\n")

    def foot(self, root: int, info: int) -> bytes:
        """The cross-reference table and the trailer, by the numbers of the catalog and of the facts about the file."""
        rows = [b"0000000000 65535 f \n"]
        for number, place in enumerate(self._places[1:], 1):
            if place is None:
                raise AssertionError(f"object {number} was reserved and never put")
            rows.append(f"{place:010} 00000 n \n".encode())
        table = f"xref\n0 {len(rows)}\n".encode() + b"".join(rows)
        trailer = (
            f"trailer\n<</Size {len(rows)} /Root {root} 0 R /Info {info} 0 R>>\nstartxref\n{self._length}\n%%EOF\n"
        )
        return table + trailer.encode()

    def _counted(self, data: bytes) -> bytes:
        self._length += len(data)
        return data


def reference(number: int) -> str:
    """What stands for an object in others."""
    return f"{number} 0 R"
