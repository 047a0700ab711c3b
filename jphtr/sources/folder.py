"""A folder of pictures with one folder a character, or a list of pictures -> Glyph or GlyphBlock.

    tree    ROOT/[WRITER/.../]CHARACTER/picture.png      hidden files and what has no picture's suffix are left out
    list    one line a picture, UTF-8: path<TAB>character[<TAB>writer], paths relative to the list

A list may begin with a line of headings. A character is written as itself, as `U+XXXX` or `UXXXX` (4 to 6 hexadecimal
digits), or as `0xXXXX`, its JIS X 0208 code, as some unpackers of the ETL archives name their folders. Bare digits
such as `2422` are refused: they are as good a Unicode number (4E21) as a JIS code. So are codes of two digits, as
ETL4 and ETL7 put hiragana under katakana's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import groupby, islice
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from jphtr.errors import DataError, ImageError
from jphtr.image import load_gray, pictures_in
from jphtr.records import Glyph, GlyphBlock, Gray

OnError = Callable[[DataError], None]
Ink = Literal["auto", "dark", "bright"]

_BLOCK = 1024  # pictures

_UNICODE = re.compile(r"[uU]\+?([0-9a-fA-F]{4,6})")
_JIS = re.compile(r"0[xX]([0-9a-fA-F]{4})")


def read(
    path: Path, *, source: str | None = None, ink: Ink = "auto", on_error: OnError | None = None
) -> Iterator[Glyph]:
    """Pictures of a folder tree, or of a list where `path` is a file.

    Parameters
    ----------
    path : the root of the tree, or the list.
    source : name of the data set; by default that of the folder, or of the list without its suffix.
    ink : "dark" on light paper, "bright" on dark, which is turned; "auto" decides for each picture by its border.
    on_error : called with what is wrong with a picture or line, which is then left out; None raises it.

    Yields
    ------
    Glyph
        gray (H, W) uint8 of any size, 255 is paper. `writer` is the list's third column; without it, the first
        folder on the way from the root (or list) to the picture that is not the character's own, else the name of
        the root (or of the list's folder). `index` counts pictures in the order of sorted paths (or lines), those
        left out too. `meta["path"]` is the path from the root, or as the list writes it.

    Raises
    ------
    DataError
        If there is no picture, the list is no text or, without `on_error`, a picture cannot be read, lies in no
        character's folder, or a line is malformed.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    report = _raise if on_error is None else on_error
    return (_read_tree if path.is_dir() else _read_list)(path, source, ink, report)


def blocks(
    path: Path, *, source: str | None = None, number: int = 1, ink: Ink = "auto", on_error: OnError | None = None
) -> Iterator[GlyphBlock]:
    """As `read`, as blocks of pictures that follow each other and are of one size.

    Parameters
    ----------
    number : of the folder or list among those of one data set, 1 to 255: the meta column `file`.
    """
    for shape, run in groupby(read(path, source=source, ink=ink, on_error=on_error), lambda glyph: glyph.gray.shape):
        del shape
        while glyphs := list(islice(run, _BLOCK)):
            writers = tuple(dict.fromkeys(glyph.writer for glyph in glyphs))
            yield GlyphBlock(
                np.stack([glyph.gray for glyph in glyphs]),
                np.array([ord(glyph.char) for glyph in glyphs], np.uint32),
                np.array([writers.index(glyph.writer) for glyph in glyphs], np.int32),
                writers,
                glyphs[0].source,
                np.array([glyph.index for glyph in glyphs], np.int64),
                {"file": np.full(len(glyphs), number, np.uint8)},
            )


def name_of(path: Path) -> str:
    """What a folder or list is called as a data set."""
    return path.resolve().name if path.is_dir() else path.stem


def pictures(path: Path) -> list[Path]:
    """The files that `read` will open, a list itself first.

    Raises
    ------
    DataError
        If there is no such folder or list, or no text in the list.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return [Path(name) for name in pictures_in(path)]
    named = (path.parent / line.split("\t")[0] for line in _lines(path) if line.strip())
    return [path, *(file for file in named if file.is_file())]


@cache
def character(name: str) -> str | None:
    """The character that a folder name or list column stands for, as one NFC code point; None if it is none."""
    if match := _UNICODE.fullmatch(name):
        code = int(match[1], 16)
        char = chr(code) if code < 0x110000 else ""
    elif match := _JIS.fullmatch(name):
        try:
            char = (b"\x1b$B" + bytes.fromhex(match[1])).decode("iso2022_jp")
        except UnicodeDecodeError:
            return None
    else:
        char = name
    char = unicodedata.normalize("NFC", char)
    return char if len(char) == 1 and unicodedata.category(char)[0] not in "CZ" else None


def _read_tree(root: Path, source: str | None, ink: Ink, report: OnError) -> Iterator[Glyph]:
    home = name_of(root)
    paths = pictures_in(root)
    if not paths:
        raise DataError(f"{root}: no pictures in this folder; it should hold one folder a character")
    for index, path in enumerate(paths):
        inside = Path(path).relative_to(root)
        folder = inside.parent.name
        char = character(folder)
        if char is None:
            what = f"the folder {folder!r} names no character" if folder else "lies in no character's folder"
            report(DataError(f"{path}: {what}; name the folder by the character itself, U+XXXX or 0x and JIS code"))
            continue
        if (gray := _picture(path, ink, report)) is not None:
            writer = inside.parts[0] if len(inside.parts) > 2 else home
            yield Glyph(gray, char, writer, source or home, index, {"path": inside.as_posix()})


def _read_list(path: Path, source: str | None, ink: Ink, report: OnError) -> Iterator[Glyph]:
    home = path.resolve().parent.name
    index = -1
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if number == 1 and len(columns) > 1 and not character(columns[1]) and not (path.parent / columns[0]).exists():
            continue  # headings
        index += 1
        place = f"{path}: line {number}"
        if len(columns) not in (2, 3) or not columns[0]:
            report(DataError(f"{place}: {len(columns)} columns, not path<TAB>character[<TAB>writer]"))
            continue
        name, written = columns[0], columns[1]
        char = character(written)
        if char is None:
            report(DataError(f"{place}: {written!r} is not one character; write it itself, U+XXXX or 0x and JIS code"))
            continue
        if (gray := _picture(str(path.parent / name), ink, report, place)) is not None:
            given = columns[2].strip() if len(columns) == 3 else ""
            writer = given or _writer(PurePath(name), char, home)
            yield Glyph(gray, char, writer, source or path.stem, index, {"path": name})
    if index < 0:
        raise DataError(f"{path}: empty; write one line a picture: path<TAB>character[<TAB>writer]")


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; save the list as UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    return text.split("\n")  # not splitlines, which breaks at rare separators too


def _writer(path: PurePath, char: str, home: str) -> str:
    folders = [] if path.is_absolute() else [part for part in path.parts[:-1] if part not in (".", "..")]
    if not folders or (len(folders) == 1 and character(folders[0]) == char):
        return home  # a split by writer would else be a split by character
    return folders[0]


def _picture(path: str, ink: Ink, report: OnError, place: str = "") -> Gray | None:
    try:
        gray = load_gray(path)
    except ImageError as error:
        report(DataError(f"{place}: {error}" if place else str(error)))
        return None
    return 255 - gray if ink == "bright" or (ink == "auto" and _is_bright_on_dark(gray)) else gray


def _is_bright_on_dark(gray: Gray) -> bool:
    """Whether the border, where a character hardly reaches, is nearer to the darkest gray than to the lightest."""
    border = np.concatenate((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    darkest, lightest = int(gray.min()), int(gray.max())
    if darkest == lightest:
        return darkest < 128
    return 2 * float(np.median(border)) < darkest + lightest


def _raise(error: DataError) -> None:
    raise error
