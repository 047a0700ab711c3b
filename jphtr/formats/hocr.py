"""hOCR 1.2: pages, blocks, lines, words and characters with their boxes, as XHTML (http://kba.github.io/hocr-spec/1.2/)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, tostring

from jphtr.formats.layout import (
    Result,
    around,
    as_page,
    baseline,
    blocks,
    confidence_of,
    in_pixels,
    tilt,
    words,
)
from jphtr.formats.style import Style
from jphtr.formats.xml import HEAD, element, lines_of
from jphtr.records import Box, Page, PageLine

_DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
    '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="ja" lang="ja">\n'
)
_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrx_cinfo"


def hocr(results: Iterable[Result], style: Style) -> Iterator[str]:
    """One document, a page as soon as it is read; columns of vertical text have the CSS writing-mode that they run in."""
    head = element("head")
    element("title", head, "jphtr")
    element("meta", head, **{"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    element("meta", head, name="ocr-system", content=style.software)
    element("meta", head, name="ocr-capabilities", content=_CAPABILITIES)
    element("meta", head, name="ocr-langs", content="ja")
    start = HEAD + _DOCTYPE + lines_of(head) + "<body>\n"
    for number, result in enumerate(results):
        yield start + _page(as_page(result, style), number)
        start = ""
    yield start + "</body>\n</html>\n"


def _page(page: Page, number: int) -> str:
    path = (page.path or "").replace('"', "%22")
    title = f'image "{path}"; bbox 0 0 {page.width} {page.height}; ppageno {number}'
    if page.dpi is not None:
        title += f"; scan_res {round(page.dpi)} {round(page.dpi)}"
    name = f"page_{number + 1}"
    made = element("div", class_="ocr_page", id=name, title=title)
    made.text = made.tail = "\n"
    line_number = 0
    for block_number, block in enumerate(blocks(page), 1):
        where = _bbox(around([line.region.box for line in block]), page)
        area = element("div", made, class_="ocr_carea", id=f"block{name[4:]}_{block_number}", title=where)
        area.text = area.tail = "\n"
        # programs that follow Tesseract look for lines in paragraphs
        paragraph = element("p", area, class_="ocr_par", id=f"par{name[4:]}_{block_number}", lang="ja", title=where)
        paragraph.text = paragraph.tail = "\n"
        for line in block:
            line_number += 1
            _line(paragraph, page, line, f"{name[4:]}_{line_number}")
    return tostring(made, "unicode", short_empty_elements=False)  # HTML knows no <span/>


def _line(paragraph: Element, page: Page, line: PageLine, number: str) -> None:
    region = line.region
    vertical = region.direction == "vertical"
    title = _bbox(region.box, page)
    quarters = round(tilt(region) / 90) % 4
    if quarters:
        title += f"; textangle {360 - 90 * quarters}"  # hOCR counts counter-clockwise
    elif not vertical:
        title += _baseline(line, page)
    made = element(
        "span", paragraph, class_="ocr_line", id=f"line{number}", title=title,
        style="writing-mode: vertical-rl" if vertical else None,
    )  # fmt: skip
    made.tail = "\n"
    for word_number, word in enumerate(words(line), 1):
        if len(made):
            made[-1].tail = " "
        where = _bbox(around([span.box for span in word]), page)
        hold = element(
            "span", made, class_="ocrx_word", id=f"word{number}_{word_number}",
            title=f"{where}; x_wconf {round(confidence_of(word) * 100)}",
        )  # fmt: skip
        for span in word:
            box = " ".join(map(str, in_pixels(span.box, page)))
            element("span", hold, span.char, class_="ocrx_cinfo",
                    title=f"x_bboxes {box}; x_conf {span.confidence * 100:.2f}")  # fmt: skip


def _baseline(line: PageLine, page: Page) -> str:
    """Its slope, and its height at the left edge of the line's box over the lower edge."""
    (x0, y0), (x1, y1) = baseline(line.region)
    left, _, _, bottom = in_pixels(line.region.box, page)
    slope = (y1 - y0) / (x1 - x0)
    return f"; baseline {slope:.4f} {y0 + slope * (left - x0) - bottom:.1f}"


def _bbox(box: Box, page: Page) -> str:
    return "bbox " + " ".join(map(str, in_pixels(box, page)))
