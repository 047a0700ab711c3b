"""Elements of XML: no prefixes, values made fit, whole files of a head, pages and a foot."""

from __future__ import annotations

import re
from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

# what XML 1.0 cannot hold, section 2.2: a path may come with it
_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(tag: str, parent: Element | None = None, text: str | None = None, /, **attributes: object) -> Element:
    """An element, hung under its parent; attributes that are None are left out, floats are written short."""
    values = {name.rstrip("_"): _written(value) for name, value in attributes.items() if value is not None}
    made = Element(tag, values) if parent is None else SubElement(parent, tag, values)
    made.text = None if text is None else _written(text)
    return made


def lines_of(made: Element, depth: int = 0) -> str:
    """An element as text, one tag a line, set in as at `depth`, with a line break behind."""
    indent(made, " ", depth)
    return " " * depth + tostring(made, "unicode").rstrip() + "\n"


def file_name(path: str | None) -> str:
    """What ALTO and PAGE-XML call a picture: they lie beside it, so its folder is not theirs to know."""
    return PurePath(path).name if path else ""


def _written(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return _IMPOSSIBLE.sub("\ufffd", str(value))
