"""ALTO 4.3: pages, blocks, lines, strings and glyphs with their variants (https://www.loc.gov/standards/alto/)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from jphtr.records import Box, CharSpan, LineRegion, Page, PageLine

_ROOT = (
    '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# '
    'http://www.loc.gov/standards/alto/v4/alto-4-3.xsd" SCHEMAVERSION="4.3">\n'
)
_TO = {"horizontal": "ltr", "vertical": "ttb"}
_READING, _RUBY = "reading", "ruby"  # IDs of the processing step and of the tag


def alto(results: Iterable[Result], style: Style) -> Iterator[str]:
    """One document, a page as soon as it is read, in pixels.

    Raises
    ------
    DataError
        Of no results: ALTO has at least one page.
    """
    number = 0
    for number, result in enumerate(results, 1):
        page = as_page(result, style)
        yield (_start(page, style) if number == 1 else "") + lines_of(_page(page, number, style), 2)
    if not number:
        raise DataError("ALTO cannot be written of no pages; nothing was read")
    yield " </Layout>\n</alto>\n"


def _start(page: Page, style: Style) -> str:
    about = element("Description")
    element("MeasurementUnit", about, "pixel")
    element("fileName", element("sourceImageInformation", about), file_name(page.path))
    step = element("Processing", about, ID=_READING)
    element("processingCategory", step, "contentGeneration")
    element("processingStepSettings", step, style.model)
    software = element("processingSoftware", step)
    element("softwareName", software, "jphtr")
    element("softwareVersion", software, style.version)
    tags = element("Tags")
    element("OtherTag", tags, ID=_RUBY, LABEL="ruby", DESCRIPTION="small kana beside a word that they spell")
    return HEAD + _ROOT + lines_of(about, 1) + lines_of(tags, 1) + " <Layout>\n"


def _page(page: Page, number: int, style: Style) -> Element:
    name = f"p{number}"
    made = element(
        "Page", ID=name, PHYSICAL_IMG_NR=page.number, WIDTH=page.width, HEIGHT=page.height, PROCESSINGREFS=_READING
    )
    space = element("PrintSpace", made, **_place((0, 0, page.width, page.height), page))
    for block_number, block in enumerate(blocks(page), 1):
        block_name = f"{name}_b{block_number}"
        first = block[0].region
        area = element(
            "TextBlock", space, ID=block_name, LANG="ja", BASEDIRECTION=_TO[first.direction],
            **_place(around([line.region.box for line in block]), page),
        )  # fmt: skip
        for line_number, line in enumerate(block, 1):
            _line(area, page, line, f"{block_name}_l{line_number}", style)
    return made


def _line(area: Element, page: Page, line: PageLine, name: str, style: Style) -> None:
    region = line.region
    made = element(
        "TextLine", area, ID=name, BASELINE=points_in_pixels(baseline(region), page), **_place(region.box, page),
        BASEDIRECTION=_TO[region.direction], TAGREFS=_RUBY if region.kind == "ruby" else None,
    )  # fmt: skip
    _shape(made, region, page)
    found = words(line)
    if not found:  # a line has at least one string
        element("String", made, CONTENT="", WC=0.0, **_place(region.box, page))
    for number, word in enumerate(found, 1):
        box = around([span.box for span in word])
        if number > 1:
            element("SP", made)
        hold = element(
            "String", made, ID=f"{name}_s{number}", CONTENT=text_of(word), WC=confidence_of(word), **_place(box, page)
        )
        for glyph_number, span in enumerate(word, 1):
            _glyph(hold, page, span, f"{name}_s{number}_g{glyph_number}", style)


def _glyph(word: Element, page: Page, span: CharSpan, name: str, style: Style) -> None:
    made = element("Glyph", word, ID=name, CONTENT=span.char, GC=span.confidence, **_place(span.box, page))
    for char, p in span.alternatives[: style.top_k]:
        element("Variant", made, CONTENT=char, VC=p)


def _shape(line: Element, region: LineRegion, page: Page) -> None:
    element("Polygon", element("Shape", line), POINTS=points_in_pixels(region.quad, page))


def _place(box: Box, page: Page) -> dict[str, int]:
    left, top, right, bottom = in_pixels(box, page)
    return {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
