"""PDF that can be searched: the picture of every page, and over it its text, invisible and in its place.

Horizontal lines are set in a horizontal font and columns in a vertical one (ISO 32000-1, 9.7.4.3), each character as long
as its place in the line, so that programs find, mark and copy words where they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from jphtr.errors import DataError
from jphtr.formats.glyphless import DESCENT, EM, STEP, STEPS
from jphtr.formats.layout import Axis, Result, as_page, axis_of
from jphtr.formats.pdf_file import PdfFile, reference
from jphtr.formats.pdf_font import PdfFont
from jphtr.formats.pdf_picture import PdfPicture, pdf_picture
from jphtr.formats.style import Style
from jphtr.formats.xml import file_name
from jphtr.records import CharSpan, Page, PageLine

_DPI = 300  # of pictures that do not say theirs
_LARGEST = 14_400  # units, 200 inches: viewers need not show larger pages
_REACH = 1.5  # of the line's thickness, that a character reaches beyond its box on either side
_UNSEEN = 3  # text rendering mode: neither filled nor stroked


def pdf(results: Iterable[Result], style: Style) -> Iterator[bytes]:
    """One document, a page as soon as it is read.

    Raises
    ------
    DataError
        Of no results: a PDF has at least one page.
    ImageError
        If a picture cannot be opened again.
    """
    import pydyf  # type: ignore[import-untyped]  # only who writes PDF pays for it

    file = PdfFile()
    catalog, info, tree = (file.reserve() for _ in range(3))
    font = PdfFont(file)
    sheets: list[int] = []
    title = ""
    for result in results:
        page = as_page(result, style)
        picture = pdf_picture(style.pictures(page.path, page.number))
        if not sheets:
            title = file_name(page.path).encode("utf-8", "replace").decode()  # a path need not be Unicode
            yield file.head()
        if font.is_full:
            yield from font.objects()
            font = PdfFont(file)
        image, content, sheet = (file.reserve() for _ in range(3))
        unit = min(72 / (page.dpi or _DPI), _LARGEST / max(page.width, page.height))  # points in a pixel
        entries = {"Type": "/XObject", "Subtype": "/Image", **picture.entries}
        yield file.put(pydyf.Stream([picture.data], entries), image)
        yield file.put(pydyf.Stream(_marks(page, picture, unit, font), compress=True), content)
        entries = {
            "Type": "/Page", "Parent": reference(tree), "Contents": reference(content),
            "MediaBox": f"[0 0 {_numbers(page.width * unit, page.height * unit)}]",
            "Resources": f"<</XObject <</P {reference(image)}>> {font.resource}>>",
        }  # fmt: skip
        yield file.put(pydyf.Dictionary(entries), sheet)
        sheets.append(sheet)
    if not sheets:
        raise DataError("a PDF cannot be written of no pages; nothing was read")
    yield from font.objects()
    kids = pydyf.Array(map(reference, sheets))
    yield file.put(pydyf.Dictionary({"Type": "/Pages", "Count": len(sheets), "Kids": kids}), tree)
    yield file.put(pydyf.Dictionary({"Type": "/Catalog", "Pages": reference(tree), "Lang": "(ja)"}), catalog)
    yield file.put(pydyf.Dictionary({"Producer": pydyf.String(style.software), "Title": pydyf.String(title)}), info)
    yield file.foot(catalog, info)


def _marks(page: Page, picture: PdfPicture, unit: float, font: PdfFont) -> list[str]:
    """What a page shows: its picture, then its text, which does not show."""
    width, height = page.width * unit, page.height * unit
    a, b, c, d, e, f = picture.laid
    laid = _numbers(a * width, b * height, c * width, d * height, e * width, f * height)
    lines = (_line(line, page, unit, font) for line in page.lines)
    return [f"q {laid} cm /P Do Q", "BT", f"{_UNSEEN} Tr", *lines, "ET"]


def _line(line: PageLine, page: Page, unit: float, font: PdfFont) -> str:
    """What sets the text of a line: its place and slope, and one string of all its characters, each at its length."""
    spans = line.recognition.spans
    if not spans:
        return ""
    axis = axis_of(line.region)
    begin = axis.extent(spans[0].box)[0]
    if line.region.direction == "vertical":  # it hangs on the middle of the column
        name, (dx, dy), (x, y) = "V", axis.along, axis.at(begin)
        turn, onward = (dy, dx, -dx, dy), 1
    else:
        name, (dx, dy), (x, y) = "H", axis.along, axis.at(begin, axis.thickness * (0.5 + DESCENT / EM))
        turn, onward = (dx, -dy, dy, dx), -1
    strings = ""
    for span, (gap, steps) in zip(spans, _lengths(spans, axis, begin), strict=True):
        if gap:
            strings += f"> {onward * gap * STEP} <"
        strings += font.code(span.char, steps)
    size, place = _numbers(axis.thickness * unit), _numbers(x * unit, (page.height - y) * unit)
    return f"/{name} {size} Tf {_numbers(*turn)} {place} Tm [<{strings}>] TJ"


def _lengths(spans: Sequence[CharSpan], axis: Axis, begin: float) -> Iterator[tuple[int, int]]:
    """How far each character is from the one before it, and how long it is, in steps of the font.

    A character reaches to the middle between its box and the next one, for a gap would be taken for a space between
    words; only where that is very far is one left.
    """
    extents = [axis.extent(span.box) for span in spans]
    middles = [(stop + start) / 2 for (_, stop), (start, _) in pairwise(extents)]
    reach = _REACH * axis.thickness
    done = 0
    for (start, stop), before, after in zip(extents, [begin, *middles], [*middles, extents[-1][1]], strict=True):
        near, far = (
            round((edge - begin) / axis.thickness * EM / STEP)
            for edge in (max(before, start - reach), min(after, stop + reach))
        )
        gap = max(0, near - done)
        length = min(max(1, far - done - gap), STEPS)
        yield gap, length
        done += gap + length


def _numbers(*values: float) -> str:
    """As PDF writes numbers, to a thousandth."""
    return " ".join(f"{round(value, 3) + 0.0:.3f}".rstrip("0").rstrip(".") for value in values)
