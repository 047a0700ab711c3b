"""A line with known text as its source tells of it, and what a source left out: what all readers of lines share."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jphtr.errors import DataError
from jphtr.records import Direction, Gray

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "eval": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
TEXT_NAMES = ("text", "transcription", "transcript", "ground_truth", "sentence", "label", "value", "content", "ocr")


@dataclass(frozen=True, slots=True, eq=False)
class LineRef:
    """A line with known text whose picture is decoded when it is asked for.

    Attributes
    ----------
    name : what to call the line in messages: its picture, or its file and its place there.
    text : as the source has it, without line ends; "" is a picture that shows no text.
    load : decodes the picture, cut out of its page: (H, W) uint8 in the polarity of the picture. Raises ImageError.
    path : the picture; of a line that is cut out of a page, or stored with others, the file that holds it.
    writer : who wrote it, where the source says.
    document : the sheet, page or folder that it stands on: what a split must not divide where no writer is known.
    direction : of the text, where the source says.
    kind, split : where the source says; `split` is train, valid or test.
    source, licence : of the data set that it belongs to, where the source says.
    """

    name: str
    text: str
    load: Callable[[], Gray]
    path: Path
    writer: str = ""
    document: str = ""
    direction: Direction | Literal[""] = ""
    kind: str = ""
    split: str = ""
    source: str = ""
    licence: str = ""


@dataclass(slots=True)
class Notes:
    """What a reader of lines is told, and what it says of lines that it leaves out.

    Attributes
    ----------
    text_name : the column or attribute that holds the text; None finds it.
    on_error : called with what is wrong with a line, which is left out; None raises it.
    errors : how often something was wrong.
    untold : lines passed over because they have a place but no text yet.
    """

    text_name: str | None = None
    on_error: Callable[[DataError], None] | None = None
    errors: int = field(default=0, init=False)
    untold: int = field(default=0, init=False)

    def wrong(self, message: str) -> None:
        """A line, or the file of some lines, is not what it should be: one line with place and cure."""
        error = DataError(message)
        if self.on_error is None:
            raise error
        self.errors += 1
        self.on_error(error)


def one_line(text: str) -> str:
    """A text as NFC, without white space at its ends, which no picture shows.

    Raises
    ------
    ValueError
        If it goes over several lines; what it says fits behind the name of the line.
    """
    lines = unicodedata.normalize("NFC", text.removeprefix("\ufeff").strip()).splitlines()
    if len(lines) > 1:
        raise ValueError(f"its text goes over {len(lines)} lines; give every line a picture of its own")
    return "".join(lines).replace("\t", " ")


def direction_of(value: str) -> Direction | Literal[""]:
    """The direction that a source's own word for it stands for; "" if there is none.

    Raises
    ------
    ValueError
        If it is no such word; what it says fits behind the name of the line.
    """
    word = value.strip().lower()
    if word in ("", "horizontal", "vertical"):
        return word  # type: ignore[return-value]
    if word in ("left-to-right", "right-to-left", "ltr", "rtl"):
        return "horizontal"
    if word in ("top-to-bottom", "bottom-to-top", "ttb", "btt", "vertical-rl", "vertical-lr"):
        return "vertical"
    raise ValueError(f"direction {value!r}; write horizontal or vertical")


def split_of(value: str) -> str:
    """train, valid or test for a source's own word for it; "" if there is none.

    Raises
    ------
    ValueError
        If it is no such word; what it says fits behind the name of the line.
    """
    word = value.strip().lower()
    if word and word not in SPLIT_NAMES:
        raise ValueError(f"split {value!r}; write train, valid or test")
    return SPLIT_NAMES.get(word, "")


def read_text(path: Path, cure: str) -> str:
    """The whole of a UTF-8 file, without a byte order mark.

    Raises
    ------
    DataError
        If it cannot be read or is no text; `cure` says what should be given.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; {cure}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
