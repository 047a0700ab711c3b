"""What a format is told beside the results."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Style:
    """Choices and facts that are the same for all results.

    Attributes
    ----------
    many : whether there may be more than one result, so that each needs its path.
    top_k : how many alternatives of a character to list, at most.
    model : name of the model that read.
    version : of jphtr.
    """

    many: bool = False
    top_k: int = 3
    model: str = ""
    version: str = ""
