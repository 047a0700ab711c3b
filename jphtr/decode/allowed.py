"""Which characters a line may hold: lists of those allowed or forbidden, and frames without the forbidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import BLANK, fold, script_of
from jphtr.errors import SettingsError

# name -> the groups of `charset.script_of` that it means
SCRIPTS: dict[str, tuple[str, ...]] = {
    "hiragana": ("hiragana",), "katakana": ("katakana",), "kana": ("hiragana", "katakana"),
    "kanji": ("level1", "level2", "kanji"), "digit": ("digit",), "latin": ("latin",), "punctuation": ("punctuation",),
}  # fmt: skip

_IMPOSSIBLE = -1e4  # log-probability of a class that was taken out


def allowed(chars: Sequence[str], allow: Sequence[str] = (), block: Sequence[str] = ()) -> NDArray[np.bool_] | None:
    """Which of a model's characters may be read, or None where all may.

    Parameters
    ----------
    chars : by label, the blank first.
    allow, block : each a script's name in `SCRIPTS`, "@" and the path of a UTF-8 file that holds characters, or the
        characters themselves. Nothing to allow allows everything; what is blocked is so even where it is allowed.

    Returns
    -------
    (len(chars),) bool; the blank is always allowed.

    Raises
    ------
    SettingsError
        If a file cannot be read, a list names no character that the model knows, or no character is left.
    """
    if not allow and not block:
        return None
    may = np.full(len(chars), not allow)
    for spec in allow:
        may |= _named(spec, chars, "allowlist")
    for spec in block:
        may &= ~_named(spec, chars, "blocklist")
    may[BLANK] = False
    if not may.any():
        raise SettingsError("allowlist and blocklist leave no character to read; allow more or block less")
    may[BLANK] = True
    return may


def _named(spec: str, chars: Sequence[str], what: str) -> NDArray[np.bool_]:
    scripts = SCRIPTS.get(spec)
    if scripts is not None:
        return np.array([char != "" and script_of(char) in scripts for char in chars])
    text = spec
    if spec.startswith("@") and len(spec) > 1:
        try:
            text = Path(spec[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
            raise SettingsError(f"{what}: {spec[1:]}: {why}; name a UTF-8 file of characters after @") from None
    elif near := _meant(spec):
        raise SettingsError(
            f"{what}: {spec!r} would be its letters; for scripts give {near}, each with an option of its own"
        )
    wanted = set(fold(text)) - {"\n", "\r"}
    found = np.array([char in wanted for char in chars])
    if not found.any():
        raise SettingsError(
            f"{what}: the model knows none of {spec[:40]!r}; give characters, @FILE, or one of {', '.join(SCRIPTS)}"
        )
    return found


def _meant(spec: str) -> str:
    """The scripts that somebody who wrote this most probably meant, or "" where characters may be meant."""
    names = [name for name in re.split(r"[,;\s]+", spec.strip().lower()) if name]
    if not all(name.isascii() and name.isalpha() and len(name) > 3 for name in names):
        return ""
    near = [get_close_matches(name, SCRIPTS, 1, 0.8) for name in names]
    return " and ".join(found[0] for found in near) if names and all(near) else ""


def restricted(
    labels: NDArray[np.int64], log_probs: NDArray[np.float32], may: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Frames without the classes that may not be: the others move up, and a frame that has none left is blank.

    Parameters
    ----------
    labels, log_probs : (T, K) classes of each frame, best first, and their natural log-probabilities.
    may : (classes,) from `allowed`.
    """
    stays = may[labels]
    order = np.argsort(~stays, axis=1, kind="stable")
    stays = np.take_along_axis(stays, order, axis=1)
    labels = np.where(stays, np.take_along_axis(labels, order, axis=1), BLANK)
    log_probs = np.where(stays, np.take_along_axis(log_probs, order, axis=1), np.float32(_IMPOSSIBLE))
    log_probs[~stays[:, :1].any(axis=1), 0] = 0
    return labels, log_probs
