"""What a caller may choose: one table that checks values and describes them in OpenAPI."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jphtr.bundle import CLASSIFIERS, find_model
from jphtr.decode import DECODERS
from jphtr.errors import ModelError, SettingsError
from jphtr.formats import FORMATS

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Option:
    """One choice: `kind` is a type of JSON Schema; `default` None means that the reader decides."""

    about: str
    default: Value
    kind: str = "string"
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        found: dict[str, Any] = {"type": self.kind}
        if self.choices:
            found["enum"] = list(self.choices)
        if self.default is not None:
            found["default"] = self.default
        if self.least is not None:
            found["minimum"] = self.least
        if self.most is not None:
            found["maximum"] = self.most
        return found

    def value(self, name: str, text: str) -> Value:
        """What a text says.

        Raises
        ------
        SettingsError
            If it is none of the possible values.
        """
        if self.kind == "boolean":
            if text not in ("true", "false"):
                raise SettingsError(f"{name}={_short(text)}: give true or false")
            return text == "true"
        if self.kind == "string":
            if self.choices and text not in self.choices:
                raise SettingsError(f"{name}={_short(text)}: give one of {', '.join(self.choices)}")
            return text
        try:
            number = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            number = math.nan
        low, high = -math.inf if self.least is None else self.least, math.inf if self.most is None else self.most
        if not low <= number <= high or not text.isascii():
            raise SettingsError(f"{name}={_short(text)}: give a {self.kind} from {low:g} to {high:g}")
        return number


def parse(table: Mapping[str, Option], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The value of every option of a table; what is not given has its default.

    Raises
    ------
    SettingsError
        For a name that is not in the table, a name given twice, or a value that is not possible.
    """
    found: dict[str, Any] = {}
    for name, text in given:
        if name not in table:
            raise SettingsError(f"{_short(name)}: there is no such option; there are {', '.join(table)}")
        if name in found:
            raise SettingsError(f"{name}: is given twice")
        found[name] = table[name].value(name, text)
    return {name: option.default for name, option in table.items()} | found


def _short(text: str) -> str:
    """A caller's text as it can stand in a line."""
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= 40 else plain[:39] + "…"


_FORMAT = Option("What the answer is written as.", "json", choices=tuple(FORMATS))

READ = {
    "format": _FORMAT,
    "layout": Option("Whether the picture shows a page or one line.", "auto", choices=("auto", "line", "page")),
    "direction": Option(
        "How the text of one line runs; on a page it is found.", "auto", choices=("auto", "horizontal", "vertical")
    ),
    "ruby": Option("Whether a page's ruby is read as lines of its own.", "keep", choices=("keep", "drop")),
    "decoder": Option("Best path (greedy), or the best text of a beam.", None, choices=tuple(DECODERS)),
    "lm_weight": Option("How much the language model of the beam has to say.", None, "number", least=0, most=3),
    "min_confidence": Option("Characters less sure than this are unsure.", 0.0, "number", least=0, most=1),
    "unsure": Option("Unsure characters become 〓, or are left out.", "mark", choices=("mark", "drop")),
    "top_k": Option("Alternatives of a character, at most.", 5, "integer", least=0, most=8),
    "keep_lines": Option("In text: lines end where they end on the page.", False, "boolean"),
    "pictures": Option("In json: each page as it was looked at, as a data: URL.", False, "boolean"),
}
EXPORT = {
    "format": Option(
        "What the answer is written as; lines is a zip for training.", "json", choices=(*FORMATS, "lines")
    ),
    "top_k": READ["top_k"],
    "keep_lines": READ["keep_lines"],
}


def _named() -> tuple[str, ...]:
    """The classifiers of single characters that are in this installation."""
    found = []
    for name in CLASSIFIERS:
        try:
            find_model(name)
        except ModelError:
            continue
        found.append(name)
    return tuple(found)


CLASSIFY = {
    "script": Option("What is written; auto asks --classifier or the line model.", "auto", choices=("auto", *_named())),
    "top_k": Option("Candidates, at most.", 8, "integer", least=1, most=20),
}
