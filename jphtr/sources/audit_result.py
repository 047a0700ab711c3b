"""What is found out about a file: the result that every check of `audit` gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Step = Callable[[str, int], None]  # the name of what is being read, and the bytes of it since the last call

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of a file, or of a set of several files, after every byte of it was read.

    Attributes
    ----------
    path : the file, with a colon and the name inside where it lies in a zip file; of a set the folder of its files.
    name : what it passes for, such as ETL1C_01, ETL1 or KMNIST test; "" for a glyph file.
    found : what it holds, for a person to read; "" if that cannot be said.
    faults : what is wrong with it, one line each, without the path.
    remarks : what is odd about it and may be right.
    """

    path: str
    name: str
    found: str
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


def some(names: Sequence[str]) -> str:
    """The first few of many, for a line."""
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
