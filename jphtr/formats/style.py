"""What a format is told beside the results."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from jphtr.pages_in import Pictures


@dataclass(frozen=True, slots=True)
class Style:
    """Choices and facts that are the same for all results.

    Attributes
    ----------
    many : whether there may be more than one result, so that each needs its path.
    top_k : how many alternatives of a character to list, at most.
    model : name of the model that read.
    version : of jphtr.
    keep_lines : in text, whether lines end where they end on the page; else they are joined as the text runs on.
    pictures : finds the pictures behind the results, which PDF shows, and of which hOCR, ALTO and PAGE-XML want the
        size where the result is of a single line.
    when : what PAGE-XML gives as the time of reading; None takes now.
    """

    many: bool = False
    top_k: int = 3
    model: str = ""
    version: str = ""
    keep_lines: bool = False
    pictures: Pictures = field(default_factory=Pictures)
    when: datetime | None = None

    @property
    def software(self) -> str:
        """What to call the program in files: "jphtr 1.0 (model)"."""
        return " ".join(part for part in ("jphtr", self.version, f"({self.model})" if self.model else "") if part)

    @property
    def time(self) -> str:
        """`when` as XML has it, in UTC to the second."""
        return (self.when or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
