"""Searchable PDF, opened by three programs of others: the picture is untouched, and words are found where they stand."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFont
from toy_results import HEIGHT, LINES, TEXT, WIDTH, line, page, picture, saved

pytest.importorskip("pydyf", reason="pydyf writes PDF")
pdfium = pytest.importorskip("pypdfium2", reason="PDFium is the first reader")
pypdf = pytest.importorskip("pypdf", reason="pypdf is the second reader")
pdfminer = pytest.importorskip("pdfminer.high_level", reason="pdfminer is the third reader")
from pdfminer.layout import LAParams, LTChar

from jphtr.errors import ImageError
from jphtr.formats import Style, pieces
from jphtr.formats.glyphless import glyphless_font
from jphtr.image import load_gray
from jphtr.pages_in import Pictures
from jphtr.records import Box, Page, PageLine

UNIT = 72 / 200  # points in a pixel of the toy page
WRITTEN = [one for one in LINES if one.recognition.text]


STYLE = Style(version="0.1", model="line 1")


def written(*pages: Page, style: Style = STYLE) -> bytes:
    return b"".join(pieces("pdf", pages, style))


def sheet(tmp_path: Path, *lines: PageLine) -> Page:
    """A blank page with these lines."""
    Image.new("L", (WIDTH, HEIGHT), 255).save(tmp_path / "blank.png", dpi=(200, 200))
    return Page(WIDTH, HEIGHT, lines, str(tmp_path / "blank.png"), dpi=200)


def on_page(box: Box) -> Box:
    """A box of the picture in points from the lower left corner."""
    x0, y0, x1, y1 = box
    return x0 * UNIT, (HEIGHT - y1) * UNIT, x1 * UNIT, (HEIGHT - y0) * UNIT


def covered(box: Box, found: Box) -> float:
    """How much of a box another one covers."""
    width = min(box[2], found[2]) - max(box[0], found[0])
    height = min(box[3], found[3]) - max(box[1], found[1])
    return max(0.0, width) * max(0.0, height) / ((box[2] - box[0]) * (box[3] - box[1]))


def chars_of_pdfminer(data: bytes) -> list[tuple[str, Box]]:
    def inside(item: Any) -> Iterator[tuple[str, Box]]:
        if isinstance(item, LTChar):
            yield item.get_text(), item.bbox
        elif hasattr(item, "__iter__"):
            for part in item:
                yield from inside(part)

    pages = pdfminer.extract_pages(io.BytesIO(data), laparams=LAParams(detect_vertical=True))
    return [found for one in pages for found in inside(one)]


def chars_of_pdfium(data: bytes) -> list[tuple[str, Box]]:
    text = pdfium.PdfDocument(data)[0].get_textpage()
    found, n = [], 0
    while n < text.count_chars():
        char = text.get_text_range(n, 1)
        if char:
            found.append((char, text.get_charbox(n, loose=True)))
        n += 1
    return [(char, box) for char, box in found if char not in "\r\n"]


@pytest.mark.parametrize("chars_of", [chars_of_pdfminer, chars_of_pdfium])
def test_every_character_is_found_in_its_place(chars_of: Any, tmp_path: Path) -> None:
    given = saved(tmp_path)
    found = chars_of(written(given))
    for one in WRITTEN:
        for span in one.recognition.spans:
            if span.char.isspace() or span.char > "\uffff":
                continue
            box = on_page(span.box)
            there = [place for char, place in found if char == span.char and covered(box, place) > 0.8]
            assert there, (one.recognition.text, span.char)
            if chars_of is chars_of_pdfminer:  # loose boxes of old PDFium are as high as the font's highest glyph
                assert min((place[2] - place[0]) * (place[3] - place[1]) for place in there) < 2 * (20 * UNIT) ** 2


def test_lines_come_out_whole(tmp_path: Path) -> None:
    data = written(saved(tmp_path))
    text = pdfium.PdfDocument(data)[0].get_textpage().get_text_range()
    lines = [one.strip() for one in text.splitlines()]
    for one in WRITTEN:
        assert one.recognition.text in lines
    text = pypdf.PdfReader(io.BytesIO(data), strict=True).pages[0].extract_text()
    for one in WRITTEN:
        assert one.recognition.text in text  # pypdf knows no columns, and does not part them
    text = pdfminer.extract_text(io.BytesIO(data), laparams=LAParams(detect_vertical=True))
    for one in WRITTEN:
        assert one.recognition.text in text


@pytest.mark.parametrize(
    ("word", "n"), [("晴天", 0), ("12,508", 1), ("words", 1), ("傾いた行", 2), ("日記", 5), ("BC", 6), ("列であ", 7)]
)
def test_a_word_is_found_and_marked_where_it_stands(word: str, n: int, tmp_path: Path) -> None:
    document = pdfium.PdfDocument(written(saved(tmp_path)))
    text = document[0].get_textpage()
    index, count = text.search(word).get_next()
    rects = [text.get_rect(i) for i in range(text.count_rects(index, count))]
    marked = (
        min(r[0] for r in rects), min(r[1] for r in rects), max(r[2] for r in rects), max(r[3] for r in rects)
    )  # fmt: skip
    at = TEXT[n].index(word)
    spans = LINES[n].recognition.spans[at : at + len(word)]
    x0, y0, x1, y1 = np.transpose([span.box for span in spans])
    truth = on_page((x0.min(), y0.min(), x1.max(), y1.max()))
    assert covered(truth, marked) > 0.9
    assert covered(marked, truth) > 0.7


def test_lines_and_columns_alone_and_together(tmp_path: Path) -> None:
    """PDFium guesses from most of the page which way a string of one character runs; strings of lines leave no doubt."""
    row, column = line("横一行だけ1", 40, 40), line("縦一列だけ1", 400, 40, direction="vertical")
    lone = line("あ", 40, 300), line("い", 200, 300, direction="vertical")
    for lines in ([row], [column], [row, column], [column, row], [*lone]):
        text = pdfium.PdfDocument(written(sheet(tmp_path, *lines)))[0].get_textpage().get_text_range()
        assert text.split() == [one.recognition.text for one in lines]


def test_a_wide_gap_is_not_in_the_way_and_narrow_characters_do_not_pile_up(tmp_path: Path) -> None:
    wide, narrow = line("間の広い行", 20, 40, step=90), line("1111111111", 20, 200, size=30, step=12)
    data = written(sheet(tmp_path, wide, narrow))
    text = pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text()
    assert "1111111111" in text
    found = chars_of_pdfminer(data)
    for span in wide.recognition.spans:
        assert any(char == span.char and covered(on_page(span.box), box) > 0.8 for char, box in found)


def test_the_picture_is_untouched_and_the_text_leaves_no_ink(tmp_path: Path) -> None:
    given = replace(saved(tmp_path), dpi=72.0)  # a point a pixel
    drawn = pdfium.PdfDocument(written(given))[0].render(grayscale=True).to_numpy().reshape(HEIGHT, WIDTH)
    assert np.abs(drawn.astype(int) - np.asarray(picture())).max() <= 2
    (image,) = pypdf.PdfReader(io.BytesIO(written(given))).pages[0].images
    assert np.array_equal(np.asarray(image.image.convert("L")), np.asarray(picture()))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_turned_pictures_are_upright(orientation: int, suffix: str, tmp_path: Path) -> None:
    corner = np.full((60, 90), 220, np.uint8)
    corner[:20, :45] = 30  # no symmetry
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(corner).save(path, exif=exif, dpi=(120, 120))
    upright = load_gray(path)
    height, width = upright.shape
    page = pdfium.PdfDocument(written(Page(width, height, (), str(path), dpi=120)))[0]
    assert page.get_size() == pytest.approx((width * 0.6, height * 0.6), abs=0.01)
    drawn = page.render(scale=1 / 0.6, grayscale=True).to_numpy().reshape(height, width)
    assert np.abs(drawn.astype(int) - upright).mean() < 4


@pytest.mark.parametrize("kind", ["1", "L", "P", "RGB", "RGBA", "I;16", "CMYK.jpg", "RGB.jpg", "L.webp", "adam7"])
def test_pictures_of_every_kind(kind: str, tmp_path: Path) -> None:
    mode, _, suffix = kind.partition(".")
    picture = np.full((40, 60), 255, np.uint8)
    picture[10:30, 20:40] = 0
    image = Image.fromarray(picture)
    path = tmp_path / f"a.{suffix or 'png'}"
    if mode == "I;16":
        Image.fromarray(picture.astype(np.uint16) * 257).save(path)
    elif mode == "adam7":
        path.write_bytes(interlaced(picture))
    else:
        image.convert("RGB").convert(mode).save(path)
    data = written(Page(60, 40, (), str(path), dpi=72))
    drawn = pdfium.PdfDocument(data)[0].render(grayscale=True).to_numpy().reshape(40, 60)
    assert drawn[15:25, 25:35].max() < 40
    assert drawn[2:8].min() > 215
    as_it_was = path.read_bytes() in data
    assert as_it_was == (kind == "RGB.jpg")
    if kind in ("1", "L", "P", "RGB"):
        assert data.count(png_pixels(path)) == 1


def png_pixels(path: Path) -> bytes:
    """The compressed pixels of a PNG with one IDAT chunk."""
    data = path.read_bytes()
    at = data.index(b"IDAT")
    return data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]


def interlaced(gray: np.ndarray) -> bytes:
    """A PNG in seven passes, which Pillow reads and does not write."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b""
    for x, y, dx, dy in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]:
        rows += b"".join(b"\0" + row.tobytes() for row in gray[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", gray.shape[1], gray.shape[0], 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_page_sizes(tmp_path: Path) -> None:
    Image.new("L", (600, 300), 255).save(tmp_path / "a.png")
    for dpi, size in [(150.0, (288.0, 144.0)), (None, (144.0, 72.0)), (1.0, (14400.0, 7200.0))]:
        given = Page(600, 300, (line("字", 10, 10),), str(tmp_path / "a.png"), dpi=dpi)
        assert pdfium.PdfDocument(written(given))[0].get_size() == pytest.approx(size)


def test_pages_of_several_files(tmp_path: Path) -> None:
    frames = [Image.new("L", (100, 50 + 10 * n), 255) for n in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    Image.new("L", (70, 30), 255).save(tmp_path / "b.png")
    pages = [Page(100, 50 + 10 * n, (line(f"第{n}頁", 5, 5),), str(tmp_path / "a.tif"), n + 1) for n in range(3)]
    data = written(*pages, Page(70, 30, (), str(tmp_path / "b.png")))
    reader = pypdf.PdfReader(io.BytesIO(data), strict=True)
    assert [one.extract_text() for one in reader.pages] == ["第0頁", "第1頁", "第2頁", ""]
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.producer) == ("a.tif", "jphtr 0.1 (line 1)")
    with pytest.raises(ImageError, match="no page 4"):
        written(replace(pages[0], number=4))


def test_a_path_that_is_not_unicode(tmp_path: Path) -> None:
    style = Style(pictures=Pictures({"a\udcff(日.png": np.asarray(picture())}))
    reader = pypdf.PdfReader(io.BytesIO(written(page("a\udcff(日.png"), style=style)), strict=True)
    assert reader.metadata is not None
    assert reader.metadata.title == "a?(日.png"


def test_pictures_from_memory(tmp_path: Path) -> None:
    style = Style(pictures=Pictures({None: np.asarray(picture())}))
    assert TEXT[0] in pypdf.PdfReader(io.BytesIO(written(page(), style=style))).pages[0].extract_text()
    with pytest.raises(ImageError, match="no path"):
        written(page())


def test_many_pages_take_no_more_memory_than_few(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 1000), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png", compress_level=0)
    given = Page(1000, 700, LINES, str(tmp_path / "a.png"))

    def peak(count: int) -> int:
        tracemalloc.start()
        size = sum(map(len, pieces("pdf", (given for _ in range(count)), Style())))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size > count * noise.size
        return most

    peak(1)
    assert peak(30) < peak(3) + noise.size


def test_a_full_font_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.formats.pdf_font._MOST", 10)
    kana = [chr(code) for code in range(0x3041, 0x3091)]
    given = [sheet(tmp_path, line("".join(kana[n : n + 8]), 10, 10)) for n in range(0, 80, 8)]
    reader = pypdf.PdfReader(io.BytesIO(written(*given)), strict=True)
    assert "".join(one.extract_text() for one in reader.pages) == "".join(kana)
    assert len({one["/Resources"]["/Font"]["/H"].indirect_reference.idnum for one in reader.pages}) == 5  # type: ignore[index]


def test_the_font_is_a_font_without_ink() -> None:
    data = glyphless_font()
    assert len(data) < 8192
    font = ImageFont.truetype(io.BytesIO(data), 50)
    assert font.getlength("ab") == 100
    mask = font.getmask("日本語")
    assert not any(bytes(mask))
    tools = pytest.importorskip("fontTools.ttLib", reason="fontTools checks the tables")
    tables = tools.TTFont(io.BytesIO(data), checkChecksums=2)
    widths: Sequence[int] = [tables["hmtx"][name][0] for name in tables.getGlyphOrder()]
    assert widths == [1000, *range(50, 4001, 50), *[1000] * 80]
    for name, width in zip(tables.getGlyphOrder()[1:81], widths[1:81], strict=True):
        glyph = tables["glyf"][name]
        assert (glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax) == (0, -120, width, 880)
