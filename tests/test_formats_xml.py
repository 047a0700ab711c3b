"""hOCR, ALTO and PAGE-XML: valid by their schemas, and read back by parsers that know nothing of how they were written."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_results import HEIGHT, LINES, TEXT, WIDTH, line, page

etree = pytest.importorskip("lxml.etree", reason="lxml reads what was written")

from jphtr.formats import Style, page_of, pieces
from jphtr.records import Box, CharSpan, LineRegion, Page, PageLine, Recognition

SCHEMAS = {"alto": "alto-4-3.xsd", "page": "page-2019-07-15.xsd"}
STYLE = Style(top_k=2, model="line 1", version="0.1", when=datetime(2026, 11, 21, 12, tzinfo=UTC))
NOTHING = Page(50, 40, ())


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    folder = Path(__file__).parent / "schemas"
    return {name: etree.XMLSchema(etree.parse(str(folder / file))) for name, file in SCHEMAS.items()}


def tree_of(name: str, *pages: Page) -> Any:
    return etree.fromstring(b"".join(pieces(name, pages, STYLE)))


def all_of(tree: Any, *tags: str) -> list[Any]:
    """Elements of these names in any namespace, in the order of the document."""
    return [made for made in tree.iter() if isinstance(made.tag, str) and etree.QName(made).localname in tags]


def hostile() -> Page:
    """What detectors and nets may come up with at their worst."""
    spans = (
        CharSpan("\x00", (-5, -5, 3, 4), 1.0000001, (("]]>", 0.5), ("\ud800", -0.0))),
        CharSpan(" ", (3, 3, 3, 3), 0.0),
        CharSpan("&", (float(WIDTH) - 0.2, 5, WIDTH + 9.0, 9), 0.5),
    )
    region = LineRegion(((-3, -2), (WIDTH + 5.0, -2), (WIDTH + 5.0, 12), (-3, 12)))
    shrunk = LineRegion(((7, 7), (7, 7), (7, 7), (7, 7)), "vertical", 1)
    read = Recognition("\x00 &", 0.3, spans, "horizontal", nbest=(("\x00 &", 0.6), ("<>", 0.4)))
    return Page(
        WIDTH, HEIGHT, (PageLine(region, read), PageLine(shrunk, replace(read, direction="vertical"))), "a<b>.png"
    )


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize(
    "given", [page("a.png"), page("a.tif", 3, None), NOTHING, hostile(), page_of(LINES[0].recognition, 300, 50)]
)
def test_valid(name: str, given: Page, schemas: dict[str, Any]) -> None:
    schemas[name].assertValid(tree_of(name, given))


def test_valid_of_random_pages(schemas: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        made = []
        for n in range(rng.integers(1, 8)):
            text = "".join(rng.choice(list("日本ab 語。"), rng.integers(0, 9)))
            x, y = rng.uniform(-50, 600, 2)
            way = "vertical" if rng.random() < 0.5 else "horizontal"
            made.append(
                line(text, x, y, size=rng.uniform(1, 60), direction=way, tilt=rng.uniform(-180, 180), block=n // 2)
            )
        for name, schema in schemas.items():
            schema.assertValid(tree_of(name, Page(500, 400, tuple(made), "x.png")))
        assert tree_of("hocr", Page(500, 400, tuple(made)))[1][0].get("class") == "ocr_page"


def test_many_pages_are_one_alto_and_one_hocr(schemas: dict[str, Any]) -> None:
    alto = tree_of("alto", *(page("a.tif", number) for number in (1, 2, 3)))
    schemas["alto"].assertValid(alto)  # which also says that no ID comes twice
    assert [made.get("PHYSICAL_IMG_NR") for made in all_of(alto, "Page")] == ["1", "2", "3"]
    hocr = tree_of("hocr", *(page("a.tif", number) for number in (1, 2, 3)))
    ids = [made.get("id") for made in hocr.iter() if made.get("id")]
    assert len(ids) == len(set(ids))
    assert len(hocr.xpath("//*[@class='ocr_page']")) == 3


def near(found: Box, box: Box) -> None:
    """The same to the pixel that rounding takes; characters of the page lie inside it."""
    assert np.abs(np.subtract(found, box)).max() <= 0.51


def test_alto_read_back() -> None:
    tree = tree_of("alto", page("scans/a.png"))
    assert [made.text for made in all_of(tree, "MeasurementUnit", "fileName")] == ["pixel", "a.png"]
    (sheet,) = all_of(tree, "Page")
    assert (sheet.get("WIDTH"), sheet.get("HEIGHT")) == (str(WIDTH), str(HEIGHT))
    made_lines = all_of(tree, "TextLine")
    for made, one in zip(made_lines, sorted(LINES, key=lambda one: one.region.block), strict=True):
        assert made.get("BASEDIRECTION") == {"horizontal": "ltr", "vertical": "ttb"}[one.region.direction]
        assert made.get("TAGREFS") == ("ruby" if one.region.kind == "ruby" else None)
        words = [string.get("CONTENT") for string in all_of(made, "String")]
        assert " ".join(words) == one.recognition.text
        assert len(all_of(made, "SP")) == one.recognition.text.count(" ")
        near(_hpos(made), one.region.box)
        polygon = all_of(made, "Polygon")[0].get("POINTS")
        assert np.abs(_points(polygon) - np.array(one.region.quad)).max() <= 0.51
        spans = [span for span in one.recognition.spans if span.char != " "]
        for glyph, span in zip(all_of(made, "Glyph"), spans, strict=True):
            assert glyph.get("CONTENT") == span.char
            assert float(glyph.get("GC")) == pytest.approx(span.confidence, abs=1e-4)
            near(_hpos(glyph), span.box)
            variants = [(v.get("CONTENT"), float(v.get("VC"))) for v in all_of(glyph, "Variant")]
            assert variants == list(span.alternatives[:2])
    assert [len(all_of(block, "TextLine")) for block in all_of(tree, "TextBlock")] == [2, 2, 1, 3, 1]


def test_page_read_back() -> None:
    tree = tree_of("page", page("scans/a.png"))
    assert [made.text for made in all_of(tree, "Creator", "Created")] == ["jphtr 0.1 (line 1)", "2026-11-21T12:00:00Z"]
    (sheet,) = all_of(tree, "Page")
    assert (sheet.get("imageFilename"), sheet.get("imageWidth"), sheet.get("imageHeight")) == ("a.png", "640", "480")
    assert (sheet.get("imageXResolution"), sheet.get("imageResolutionUnit")) == ("200", "PPI")
    regions = {region.get("id"): region for region in all_of(tree, "TextRegion")}
    order = sorted(all_of(tree, "RegionRefIndexed"), key=lambda made: int(made.get("index")))
    blocks: dict[int, list[PageLine]] = {}
    for one in LINES:
        blocks.setdefault(one.region.block, []).append(one)
    for reference, block in zip(order, blocks.values(), strict=True):
        region = regions[reference.get("regionRef")]
        vertical = block[0].region.direction == "vertical"
        assert region.get("readingDirection") == ("top-to-bottom" if vertical else "left-to-right")
        assert region.get("textLineOrder") == ("right-to-left" if vertical else "top-to-bottom")
        for made, one in zip(all_of(region, "TextLine"), block, strict=True):
            near_points(made, one.region.quad)
            assert made.findtext("{*}TextEquiv/{*}Unicode") == one.recognition.text
            assert ("type:ruby" in made.get("custom")) == (one.region.kind == "ruby")
            spans = [span for span in one.recognition.spans if span.char != " "]
            for glyph, span in zip(all_of(made, "Glyph"), spans, strict=True):
                x0, y0, x1, y1 = span.box
                near_points(glyph, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
                texts = {int(e.get("index")): (e[0].text, float(e.get("conf"))) for e in all_of(glyph, "TextEquiv")}
                expected = [(span.char, span.confidence), *span.alternatives[:2]]
                assert [texts[n][0] for n in sorted(texts)] == [char for char, _ in expected]
                assert [texts[n][1] for n in sorted(texts)] == pytest.approx([p for _, p in expected], abs=1e-4)


def test_baselines_lie_under_characters_and_through_columns() -> None:
    for made in all_of(tree_of("page", page()), "TextLine"):
        start, end = _points(all_of(made, "Baseline")[0].get("points"))
        quad = _points(all_of(made, "Coords")[0].get("points"))
        if made.get("readingDirection") == "top-to-bottom":
            assert start == pytest.approx((quad[0] + quad[1]) / 2, abs=1.1)
            assert end == pytest.approx((quad[2] + quad[3]) / 2, abs=1.1)
        else:
            assert start == pytest.approx(quad[3] + (quad[0] - quad[3]) * 0.12, abs=1.1)
            assert end == pytest.approx(quad[2] + (quad[1] - quad[2]) * 0.12, abs=1.1)


def test_nbest_of_a_line_are_its_alternatives_in_page() -> None:
    read = replace(LINES[0].recognition, nbest=((TEXT[0], 0.7), ("本日は晴夫なり。", 0.2)))
    tree = tree_of("page", Page(WIDTH, HEIGHT, (replace(LINES[0], recognition=read),)))
    found = all_of(tree, "TextLine")[0].findall("{*}TextEquiv")
    assert [(made.get("index"), made[0].text) for made in found] == [("0", TEXT[0]), ("1", "本日は晴夫なり。")]


class HocrReader(HTMLParser):
    """Lines, words and characters of hOCR, by the classes and titles of its elements alone."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: dict[str, list[tuple[dict[str, list[str]], dict[str, str]]]] = {}
        self.texts: list[str] = []
        self.chars: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        kind = given.get("class", "")
        self.open.append(kind)
        if "title" in given and kind.startswith("ocr"):
            properties = (part.split() for part in given["title"].split(";"))
            self.found.setdefault(kind, []).append(({name: values for name, *values in properties}, given))
        if kind == "ocr_line":
            self.texts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "meta"  # browsers take any other for open

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "ocr_line" in self.open:
            self.texts[-1] += data
        if "ocrx_cinfo" in self.open:
            self.chars.append(data)


def test_hocr_read_back() -> None:
    reader = HocrReader()
    reader.feed(b"".join(pieces("hocr", [page("scans/a.png")], STYLE)).decode())
    ordered = sorted(LINES, key=lambda one: one.region.block)
    assert reader.texts == [one.recognition.text for one in ordered]
    ((sheet, _),) = reader.found["ocr_page"]
    assert sheet["image"] == ['"scans/a.png"']
    assert sheet["bbox"] == ["0", "0", str(WIDTH), str(HEIGHT)]
    assert (sheet["ppageno"], sheet["scan_res"]) == (["0"], ["200", "200"])
    assert len(reader.found["ocr_carea"]) == len({one.region.block for one in LINES})
    for (title, given), one in zip(reader.found["ocr_line"], ordered, strict=True):
        near(_numbers(title["bbox"]), one.region.box)
        assert given.get("style") == ("writing-mode: vertical-rl" if one.region.direction == "vertical" else None)
    spans = [span for one in ordered for span in one.recognition.spans if span.char != " "]
    assert reader.chars == [span.char for span in spans]
    for (title, _), span in zip(reader.found["ocrx_cinfo"], spans, strict=True):
        near(_numbers(title["x_bboxes"]), span.box)
        assert float(title["x_conf"][0]) == pytest.approx(100 * span.confidence, abs=0.01)
    assert all(0 <= int(title["x_wconf"][0]) <= 100 for title, _ in reader.found["ocrx_word"])


@pytest.mark.parametrize("tilt", [0.0, 2.5, -3.0, 20.0])
def test_hocr_baseline_has_the_slope_of_the_line(tilt: float) -> None:
    one = line("傾いた行", 200, 200, tilt=tilt)
    reader = HocrReader()
    reader.feed(b"".join(pieces("hocr", [Page(WIDTH, HEIGHT, (one,))], STYLE)).decode())
    title = reader.found["ocr_line"][0][0]
    slope, offset = map(float, title["baseline"])
    assert slope == pytest.approx(math.tan(math.radians(tilt)), abs=1e-3)
    left, _, right, bottom = map(float, title["bbox"])
    # at the foot of the last character, a little above the lower right corner of the line
    x, y = (np.array(one.region.quad[2]) * 0.88 + np.array(one.region.quad[1]) * 0.12).tolist()
    assert bottom + offset + slope * (x - left) == pytest.approx(y, abs=1)
    assert left <= x <= right


@pytest.mark.parametrize(("turned", "angle"), [(90, "270"), (180, "180"), (-90, "90")])
def test_hocr_says_how_far_text_is_turned(turned: float, angle: str) -> None:
    made = tree_of("hocr", Page(WIDTH, HEIGHT, (line("横倒し", 300, 200, tilt=turned),)))
    (title,) = made.xpath("//*[@class='ocr_line']/@title")
    assert re.search(r"textangle (\d+)", title)[1] == angle  # type: ignore[index]
    assert "baseline" not in title


def _hpos(made: Any) -> Box:
    x, y, width, height = (float(made.get(name)) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return x, y, x + width, y + height


def _points(text: str) -> Any:
    return np.array([[int(value) for value in point.split(",")] for point in text.split()])


def near_points(made: Any, corners: Any) -> None:
    points = _points(made.find("{*}Coords").get("points"))
    assert np.abs(points - np.array(corners)).max() <= 0.51


def _numbers(values: list[str]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1
