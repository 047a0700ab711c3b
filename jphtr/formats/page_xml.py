"""PAGE-XML 2019-07-15: regions, lines, words and glyphs with their alternatives (PRImA Research Lab)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from jphtr.errors import DataError
from jphtr.formats.layout import (
    Result,
    around,
    as_page,
    baseline,
    blocks,
    confidence_of,
    in_pixels,
    points_in_pixels,
    text_of,
    words,
)
from jphtr.formats.style import Style
from jphtr.formats.xml import HEAD, element, file_name, lines_of
from jphtr.records import Box, CharSpan, Page, PageLine

_NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_ROOT = (
    f'<PcGts xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}/pagecontent.xsd">\n'
)
# direction of the text -> that of the characters in a line, and of the lines in a region
_RUNS = {"horizontal": ("left-to-right", "top-to-bottom"), "vertical": ("top-to-bottom", "right-to-left")}


def page_xml(results: Iterable[Result], style: Style) -> Iterator[str]:
    """The document of one page: PAGE-XML has a file a page.

    Raises
    ------
    DataError
        Of no result, or of several.
    """
    number = 0
    for number, result in enumerate(results, 1):
        if number > 1:
            raise DataError("PAGE-XML holds one page a file; write a file a page, or choose alto or hocr")
        page = as_page(result, style)
        about = element("Metadata")
        element("Creator", about, style.software)
        element("Created", about, style.time)
        element("LastChange", about, style.time)
        yield HEAD + _ROOT + lines_of(about, 1) + lines_of(_page(page, style), 1) + "</PcGts>\n"
    if not number:
        raise DataError("PAGE-XML cannot be written of no page; nothing was read")


def _page(page: Page, style: Style) -> Element:
    resolution: dict[str, Any] = {}
    if page.dpi is not None:
        resolution = {"imageXResolution": page.dpi, "imageYResolution": page.dpi, "imageResolutionUnit": "PPI"}
    made = element(
        "Page", imageFilename=file_name(page.path), imageWidth=page.width, imageHeight=page.height, **resolution
    )
    areas = blocks(page)
    if areas:  # a group has at least one member
        order = element("OrderedGroup", element("ReadingOrder", made), id="order")
        for number in range(len(areas)):
            element("RegionRefIndexed", order, index=number, regionRef=f"r{number + 1}")
    for number, block in enumerate(areas, 1):
        along, across = _RUNS[block[0].region.direction]
        region = element("TextRegion", made, id=f"r{number}", readingDirection=along, textLineOrder=across)
        _coords(region, around([line.region.box for line in block]), page)
        for line_number, line in enumerate(block):
            _line(region, page, line, f"r{number}_l{line_number + 1}", line_number, style)
        _text(region, "\n".join(line.recognition.text for line in block))
    return made


def _line(region: Element, page: Page, line: PageLine, name: str, index: int, style: Style) -> None:
    order = f"readingOrder {{index:{index};}}"
    made = element(
        "TextLine", region, id=name, index=index, readingDirection=_RUNS[line.region.direction][0],
        custom=order if line.region.kind == "text" else f"{order} structure {{type:{line.region.kind};}}",
    )  # fmt: skip
    element("Coords", made, points=points_in_pixels(line.region.quad, page), conf=line.region.confidence)
    element("Baseline", made, points=points_in_pixels(baseline(line.region), page))
    for number, word in enumerate(words(line), 1):
        hold = element("Word", made, id=f"{name}_w{number}")
        _coords(hold, around([span.box for span in word]), page)
        for glyph_number, span in enumerate(word, 1):
            _glyph(hold, page, span, f"{name}_w{number}_g{glyph_number}", style)
        _text(hold, text_of(word), confidence_of(word))
    result = line.recognition
    _text(made, result.text, result.confidence, 0 if result.nbest else None)
    for index, (text, share) in enumerate((other for other in result.nbest if other[0] != result.text), 1):
        _text(made, text, share, index)


def _glyph(word: Element, page: Page, span: CharSpan, name: str, style: Style) -> None:
    made = element("Glyph", word, id=name)
    _coords(made, span.box, page)
    for index, (char, p) in enumerate(((span.char, span.confidence), *span.alternatives[: style.top_k])):
        _text(made, char, p, index)


def _text(parent: Element, text: str, conf: float | None = None, index: int | None = None) -> None:
    element("Unicode", element("TextEquiv", parent, index=index, conf=conf), text)


def _coords(parent: Element, box: Box, page: Page) -> None:
    left, top, right, bottom = in_pixels(box, page)
    points = ((left, top), (right, top), (right, bottom), (left, bottom))
    element("Coords", parent, points=points_in_pixels(points, page))
