"""Which characters `--script` means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from jphtr.charset import Charset, default, fold, jis_levels, kana
from jphtr.errors import SettingsError

KUZUSHIJI = "kuzushiji"  # the classes that the data hold


def _kanji() -> tuple[str, ...]:
    levels = jis_levels()
    return (*levels[1], *levels[2])


SCRIPTS: dict[str, Callable[[], Iterable[str]]] = {
    "hiragana": lambda: kana()["hiragana"],
    "katakana": lambda: kana()["katakana"],
    "kanji": _kanji,
    "marks": lambda: "々〆〇仝",
    "all": lambda: (char for char in default().chars if char and not char.isspace()),
    KUZUSHIJI: tuple,
}


def charset_of(script: str, found: Iterable[str]) -> Charset:
    """The charset that one or several scripts, joined by +, mean.

    Parameters
    ----------
    script : such as "hiragana+katakana".
    found : the characters that the data hold, which is what "kuzushiji" means.

    Raises
    ------
    SettingsError
        If it is empty or names no script.
    """
    names = script_names(script)
    chars = [fold(char) for name in names for char in SCRIPTS[name]()]
    if KUZUSHIJI in names:
        chars += sorted(found)
    return Charset(dict.fromkeys(chars))


def script_names(script: str) -> list[str]:
    """The scripts that are named.

    Raises
    ------
    SettingsError
        If there is none, or one is not known.
    """
    names = [name.strip() for name in script.split("+") if name.strip()]
    if not names:
        raise SettingsError(
            f"data.script: empty; choose --script {', '.join(SCRIPTS)}, or several, such as hiragana+katakana"
        )
    for name in names:
        if name not in SCRIPTS:
            near = get_close_matches(name, SCRIPTS, 1, 0.5)
            raise SettingsError(
                f"data.script: there is no script {name!r}; choose from {', '.join(near or SCRIPTS)}, or join several by +"
            )
    return names
