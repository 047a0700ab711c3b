"""How much the server takes on, for anybody and at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is more than this is refused with a line that says so.

    Attributes
    ----------
    megabytes : of one upload.
    megapixels : of one picture or page, before it is decoded.
    pages : of one file.
    seconds : that one file may be worked on; then the process that reads it is ended.
    upload_seconds : that one upload may take to arrive.
    queue : requests that may wait while all workers work.
    """

    megabytes: float = 32
    megapixels: float = 64
    pages: int = 20
    seconds: float = 60
    upload_seconds: float = 30
    queue: int = 16

    @property
    def bytes(self) -> int:
        """The most bytes of one upload."""
        return int(self.megabytes * 1e6)

    @property
    def pixels(self) -> int:
        """The most pixels of one picture or page."""
        return int(self.megapixels * 1e6)
