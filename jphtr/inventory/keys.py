"""What the glyphs of a file are told apart by; the same keys count them (`counts`) and choose among them (`select`):

    class    the character        writer   who made it          set      the source
    script   a name of SCRIPTS    split    train, valid, test   style    of the writer's hand or typeface
    form     upright, vertical    and every meta column of the file under its own name, such as sheet or quality

Only the small columns are read and never a pixel, so a file of millions of glyphs takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK, fold
from jphtr.errors import DataError
from jphtr.sources.etl_codes import SCRIPTS, script_value
from jphtr.splits import SPLITS
from jphtr.store import GlyphFile

NONE = "none"  # no known character, script or style, and no part of a split
ABSENT = "-"  # the glyph's set does not have the column
_FORMS = ("upright", "vertical")
_LISTED = 12  # values that a message names

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """The glyphs of a file told apart by a key: `place` (N,) int64 into `names`, of which some may have no glyph."""

    key: str
    place: NDArray[np.int64]
    names: tuple[str, ...]


def keys(glyphs: GlyphFile) -> tuple[str, ...]:
    """What the glyphs of this file can be counted and chosen by."""
    own = ["class", "writer", "set", "script"]
    own += ["style"] if any(glyphs.styles.values()) else []
    own += ["form"] if glyphs.form.any() else []
    return tuple(dict.fromkeys([*own, *(name for names in glyphs.columns.values() for name in names)]))


def grouping(glyphs: GlyphFile, key: str) -> Grouping:
    """The glyphs of a file told apart by one of its keys.

    Values are NONE where nothing is known, and ABSENT for the glyphs of sets that do not have the column.

    Raises
    ------
    DataError
        If the file has no such key; the message names those that it has. If the column is damaged.
    """
    if key not in keys(glyphs):
        raise DataError(f"{glyphs.path}: no column {key}; there are: {', '.join(keys(glyphs))}")
    own = np.array([key in glyphs.columns.get(source.name, ()) for source in glyphs.sources], bool)
    place: NDArray[Any]
    names: tuple[str, ...]
    with explained(glyphs):
        if key == "class":
            place, names = glyphs.label, (NONE, *glyphs.charset.chars[1:])
        elif key == "writer":
            place, names = glyphs.writer, glyphs.writers
        elif key == "set":
            place, names = glyphs.source, tuple(source.name for source in glyphs.sources)
        elif key == "form":
            place, names = glyphs.form, _FORMS
        elif key == "script":
            place = np.array([script_number(char) for char in glyphs.charset.chars])[glyphs.label]
            names = tuple(SCRIPTS)
            if own.any():  # what an archive says of its own comes first
                place = np.where(own[glyphs.source], glyphs.column(key), place)
        elif key == "style" and not own.any():
            styles = [glyphs.styles.get(writer) or NONE for writer in glyphs.writers]
            names = tuple(dict.fromkeys(styles))
            place = np.array([names.index(style) for style in styles])[glyphs.writer]
        elif key == "split":
            place, names = glyphs.column(key), (NONE, *SPLITS)
        else:
            values, place = np.unique(glyphs.column(key), return_inverse=True)
            names = (*map(_text, values.tolist()), ABSENT)
            place = np.where(own[glyphs.source], place, len(values))
    _inside(glyphs, key, place, len(names))
    return Grouping(key, place.astype(np.int64), names)


def select(glyphs: GlyphFile, where: Iterable[tuple[str, str]] = (), chars: str | None = None) -> Rows:
    """The glyphs that have every one of some values, and one of some characters.

    Parameters
    ----------
    glyphs : an open file.
    where : pairs of key and value, such as ("writer", "ETL1:1001") or ("quality", "0").
    chars : characters, found as they are or folded; None takes all.

    Returns
    -------
    Rows (n,) int64, rising, at least one.

    Raises
    ------
    DataError
        If the file has no such key, or no glyph is all that; the message says which values there are.
    """
    check(glyphs)
    chosen = np.ones(len(glyphs), bool)
    words = []
    for key, value in where:
        group = grouping(glyphs, key)
        own = group.place == (group.names.index(value) if value in group.names else -1)
        if not own.any():
            raise DataError(f"{glyphs.path}: no glyph has {key} {value}; there are: {_values(group)}")
        chosen &= own
        words.append(f"{key} {value}")
    if chars is not None:
        wanted = np.zeros(len(glyphs.charset), bool)
        wanted[list(labels_of(glyphs, chars).values())] = True
        wanted[BLANK] = False
        chosen &= wanted[glyphs.label]
        words.append("a character of " + (chars if len(chars) <= _LISTED else f"{chars[:_LISTED]} and so on"))
    rows: Rows = np.flatnonzero(chosen)
    if not len(rows):
        raise DataError(f"{glyphs.path}: no glyph has {' and '.join(words)}; ask for less")
    return rows


def labels_of(glyphs: GlyphFile, chars: str) -> dict[str, int]:
    """The label of each different character, as it is or folded; BLANK for those that the file's charset lacks."""
    place = {char: label for label, char in enumerate(glyphs.charset.chars) if char}
    return {char: place.get(char, place.get(fold(char), BLANK)) for char in chars}


def script_number(char: str) -> int:
    """Value of SCRIPTS of a character, "" being none."""
    return script_value(char) if char else SCRIPTS[NONE]


def check(glyphs: GlyphFile) -> None:
    """Raise DataError where columns do not fit each other, so that nothing is counted that is not there."""
    if not len(glyphs):
        raise DataError(f"{glyphs.path}: holds no glyph; write the file again")
    _inside(glyphs, "label", glyphs.label, len(glyphs.charset))
    _inside(glyphs, "writer", glyphs.writer, len(glyphs.writers))
    _inside(glyphs, "source", glyphs.source, len(glyphs.sources))
    _inside(glyphs, "form", glyphs.form, len(_FORMS))


@contextmanager
def explained(glyphs: GlyphFile) -> Iterator[None]:
    """Whatever HDF5 says of broken bytes, as one line that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{glyphs.path}: damaged: {error}; write the file again") from None


def _inside(glyphs: GlyphFile, name: str, place: NDArray[Any], end: int) -> None:
    if len(place) != len(glyphs.gray) or (len(place) and not 0 <= place.min() <= place.max() < end):
        raise DataError(f"{glyphs.path}: column {name} is damaged; write the file again")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return str(int(value)) if isinstance(value, bool) else str(value)


def _values(group: Grouping) -> str:
    """Values that a key has, not too many to read."""
    used = [group.names[at] for at in np.unique(group.place).tolist()]
    return ", ".join(used[:_LISTED]) + (f" and {len(used) - _LISTED:,} more" if len(used) > _LISTED else "")
