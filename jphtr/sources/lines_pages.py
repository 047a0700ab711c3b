"""PAGE-XML and ALTO files about pictures of pages -> LineRef, one for every line that has a text.

    PAGE    2010 to 2019: TextLine with Coords and perhaps Baseline, its text in TextEquiv, else in those of its words
    ALTO    2 to 4: TextLine with a Shape, or HPOS, VPOS, WIDTH, HEIGHT; its text is the String elements' CONTENT

Only names without their namespace are looked at, so that all versions read alike. Where the file gives the page another
size than the picture has, both in proportion, its coordinates are scaled: ALTO may count in tenths of a millimetre.
PAGE:  https://github.com/PRImA-Research-Lab/PAGE-XML    ALTO:  https://www.loc.gov/standards/alto/
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from jphtr.errors import DataError, ImageError
from jphtr.records import Direction, Point
from jphtr.sources.lines_crop import cut_out, page, picture_of, rectangle
from jphtr.sources.lines_ref import LineRef, Notes, direction_of, one_line

ROOTS = {"PcGts": "page", "alto": "alto", "ALTO": "alto"}
_LARGEST = 1 << 28  # bytes of an XML file
_SHAPES_DIFFER = 0.02  # by which a page of another shape than its picture is another page's


def root_of(path: Path) -> str:
    """The name, without namespace, of the outermost element of an XML file; "" if it is none."""
    try:
        with path.open("rb") as file:
            for _, element in ElementTree.iterparse(file, events=("start",)):
                return _name(element)
    except (OSError, ElementTree.ParseError, LookupError, ValueError):
        pass
    return ""


def page_xml(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The lines of a PAGE file, in the file's order."""
    root = _parsed(path)
    sheet = next(_all(root, "Page"), root)
    named, size = sheet.get("imageFilename", ""), (sheet.get("imageWidth", ""), sheet.get("imageHeight", ""))
    scaled = _Sheet.of(path, named, size, notes)
    if scaled is None:
        return
    for region in _all(sheet, "TextRegion"):
        for place, line in enumerate(_children(region, "TextLine"), 1):
            name = f"{path}, line {line.get('id') or place}"
            text = _page_text(line)
            if not text.strip():
                notes.untold += 1
                continue
            baseline = next(_children(line, "Baseline"), None)
            way = line.get("readingDirection") or region.get("readingDirection") or ""
            kind = line.get("production") or region.get("production") or ""
            try:
                outline = _points(next(_children(line, "Coords"), None))
                yield scaled.line(name, text, outline, _points(baseline), way, kind)
            except ValueError as error:
                notes.wrong(f"{name}: {error}")


def alto(path: Path, notes: Notes) -> Iterator[LineRef]:
    """The lines of an ALTO file, in the file's order."""
    root = _parsed(path)
    if (pages := sum(1 for _ in _all(root, "Page"))) > 1:
        notes.wrong(f"{path}: {pages} pages in one file, of one picture; write a file for each page")
        return
    named = next((e.text or "" for e in _all(root, "fileName")), "").strip()
    sheet = next(_all(root, "Page"), root)
    scaled = _Sheet.of(path, named, (sheet.get("WIDTH", ""), sheet.get("HEIGHT", "")), notes)
    if scaled is None:
        return
    for block in _all(sheet, "TextBlock"):
        for place, line in enumerate(_children(block, "TextLine"), 1):
            name = f"{path}, line {line.get('ID') or place}"
            text = _alto_text(line)
            if not text.strip():
                notes.untold += 1
                continue
            way = line.get("BASEDIRECTION") or block.get("BASEDIRECTION") or ""
            try:
                baseline = _pairs(line.get("BASELINE", "")) if " " in line.get("BASELINE", "").strip() else []
                yield scaled.line(name, text, _alto_outline(line), baseline, way, "")
            except ValueError as error:
                notes.wrong(f"{name}: {error}")


class _Sheet:
    """A page file with its picture, which its coordinates are brought to."""

    def __init__(self, file: Path, picture: Path, scale: Point) -> None:
        self.file, self.picture, self.scale = file, picture, scale

    @classmethod
    def of(cls, file: Path, named: str, size: tuple[str, str], notes: Notes) -> _Sheet | None:
        """The sheet, or None after saying what is wrong with it."""
        picture = picture_of(file, named)
        if picture is None:
            notes.wrong(f"{file}: its picture {named or file.stem!r} is not there; put it beside the file")
            return None
        try:
            height, width = page(picture).shape
            told = [float(value) for value in size]
        except ImageError as error:
            notes.wrong(f"{file}: {error}")
            return None
        except ValueError:
            return cls(file, picture, (1.0, 1.0))  # the file does not say how large its page is
        if min(told) <= 0:
            return cls(file, picture, (1.0, 1.0))
        scale = (width / told[0], height / told[1])
        if abs(scale[0] / scale[1] - 1) > _SHAPES_DIFFER:
            shape = f"{told[0]:g} x {told[1]:g}"
            notes.wrong(
                f"{file}: its page is {shape}, the picture {picture} {width} x {height}; give that page's picture"
            )
            return None
        return cls(file, picture, scale)

    def line(
        self, name: str, text: str, outline: Sequence[Point], baseline: Sequence[Point], way: str, kind: str
    ) -> LineRef:
        """A line of this sheet.

        Raises
        ------
        ValueError
            With what is wrong with it.
        """
        if len(outline) < 3:
            raise ValueError("no outline of at least three points; draw one around it")
        points, base = ([(x * self.scale[0], y * self.scale[1]) for x, y in one] for one in (outline, baseline))
        if not all(map(math.isfinite, chain(*points, *base))):
            raise ValueError("an outline with points that are no numbers; draw it again")
        load = partial(cut_out, self.picture, points, base, name)
        direction = direction_of(way) or _along(base)
        return LineRef(name, one_line(text), load, self.picture, "", self.file.stem, direction, kind)


def _along(baseline: Sequence[Point]) -> Direction | Literal[""]:
    """The direction in which a baseline runs; "" if there is none."""
    if len(baseline) < 2:
        return ""
    (x0, y0), (x1, y1) = baseline[0], baseline[-1]
    return "vertical" if abs(y1 - y0) > abs(x1 - x0) else "horizontal"


def _parsed(path: Path) -> Element:
    """The outermost element of an XML file.

    Raises
    ------
    DataError
        If it cannot be read or is no XML.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: more than {_LARGEST:,} bytes for one page; cut it into pages")
        return ElementTree.parse(path).getroot()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # LookupError: an unknown encoding
        raise DataError(f"{path}: not XML that can be read: {error}; write it again") from None


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: Element, name: str) -> Iterator[Element]:
    return (one for one in element.iter() if isinstance(one.tag, str) and _name(one) == name)


def _children(element: Element, name: str) -> Iterator[Element]:
    return (one for one in element if isinstance(one.tag, str) and _name(one) == name)


def _page_text(element: Element) -> str:
    """The text of a line or a word: of its TextEquiv with the lowest index, else of the words in it."""
    best: tuple[int, str] | None = None
    for equiv in _children(element, "TextEquiv"):
        number = equiv.get("index", "")
        place = int(number) if number.isdecimal() else 0
        text = next((one.text or "" for one in _children(equiv, "Unicode")), "")
        if best is None or place < best[0]:
            best = (place, text)
    if best is not None and best[1].strip():
        return best[1]
    return _joined([_page_text(word) for word in _children(element, "Word")])


def _alto_text(line: Element) -> str:
    parts: list[str] = []
    for one in line:
        name = _name(one) if isinstance(one.tag, str) else ""
        if name in ("String", "HYP"):
            parts.append(one.get("CONTENT", ""))
        elif name == "SP":
            parts.append(" ")
    return _joined(parts)


def _joined(words: Sequence[str]) -> str:
    """Words as one text: with a space where two of Latin letters or digits would else run together."""
    text = ""
    for word in words:
        if text and word and re.match(r"[!-~]\Z", text[-1]) and re.match(r"[!-~]", word):
            text += " "
        text += word
    return text


def _points(element: Element | None) -> list[Point]:
    """The points of a PAGE element: in its attribute, or as elements of their own before 2013."""
    if element is None:
        return []
    if points := element.get("points"):
        return _pairs(points)
    return [(float(one.get("x", "nan")), float(one.get("y", "nan"))) for one in _children(element, "Point")]


def _pairs(text: str) -> list[Point]:
    """Numbers such as "10,20 30,40" or "10 20 30 40" as points."""
    numbers = [float(number) for number in text.replace(",", " ").split()]
    if len(numbers) % 2:
        raise ValueError(f"its outline has {len(numbers)} numbers; a point is two of them")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _alto_outline(line: Element) -> list[Point]:
    for shape in _children(line, "Shape"):
        for polygon in _children(shape, "Polygon"):
            return _pairs(polygon.get("POINTS", ""))
    try:
        x, y, width, height = (float(line.get(name, "")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    except ValueError:
        raise ValueError("neither a Shape nor HPOS, VPOS, WIDTH and HEIGHT; write one of them") from None
    return rectangle(x, y, width, height)
