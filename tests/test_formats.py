"""The formats of text against golden text, and what holds for every format, of lines and of pages."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont
from toy_results import HEIGHT, LINES, TEXT, WIDTH, page, picture, saved

from jphtr.errors import DataError, ImageError, SettingsError
from jphtr.formats import FORMATS, Result, of_file, page_of, pieces
from jphtr.formats.overlay import find_font, overlay
from jphtr.formats.style import Style
from jphtr.pages_in import Pictures
from jphtr.records import CharSpan, Recognition

FIRST = Recognition(
    "日本",
    0.87654321,
    (
        CharSpan("日", (1.0, 2.0, 11.125, 12.0), 0.98765, (("曰", 0.01), ("目", 0.001))),
        CharSpan("本", (13, 2, 23, 12), 0.75),
    ),
    "horizontal",
    "a.png",
)
EMPTY = Recognition("", 0.0, (), "vertical", "b\tc\\d.png")
STYLE = Style(many=True, top_k=1, model="line 1", version="0.1")

JSON_FIRST = (
    '{"path": "a.png", "text": "日本", "confidence": 0.8765, "direction": "horizontal", "chars": ['
    '{"char": "日", "confidence": 0.9877, "bbox": [1.0, 2.0, 11.12, 12.0], '
    '"alternatives": [{"char": "曰", "confidence": 0.01}]}, '
    '{"char": "本", "confidence": 0.75, "bbox": [13, 2, 23, 12], "alternatives": []}], '
    '"model": "line 1", "version": "0.1"}'
)
JSON_EMPTY = (
    '{"path": "b\\tc\\\\d.png", "text": "", "confidence": 0.0, "direction": "vertical", "chars": [], '
    '"model": "line 1", "version": "0.1"}'
)
GOLDEN = {
    "text": "a.png: 日本\nb\tc\\d.png: \n",
    "tsv": "a.png\t日本\t0.8765\thorizontal\nb\\tc\\\\d.png\t\t0.0000\tvertical\n",
    "jsonl": f"{JSON_FIRST}\n{JSON_EMPTY}\n",
    "json": f"[\n{JSON_FIRST},\n{JSON_EMPTY}\n]\n",
}


def written(name: str, results: list[Result], style: Style = STYLE) -> str:
    return b"".join(pieces(name, results, style)).decode()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    assert written(name, [FIRST, EMPTY]) == GOLDEN[name]


@pytest.mark.parametrize("name", GOLDEN)
def test_lines_are_handed_on_one_by_one(name: str) -> None:
    """The first result is out before the second is asked for: a long run can be watched."""

    def results() -> Iterator[Result]:
        yield FIRST
        raise AssertionError("asked too early")

    assert "日本".encode() in next(pieces(name, results(), STYLE))


@pytest.mark.parametrize("name", FORMATS)
def test_pages_are_handed_on_one_by_one(name: str, tmp_path: Path) -> None:
    def results() -> Iterator[Result]:
        yield saved(tmp_path)
        raise AssertionError("asked too early")

    out = b""
    with pytest.raises(AssertionError, match="asked too early"):
        for piece in pieces(name, results(), STYLE):
            out += piece
    marks = {"hocr": 'class="ocr_line"', "pdf": "/Type /Page"}
    assert marks.get(name, TEXT[0]).encode() in out


@pytest.mark.parametrize("name", FORMATS)
def test_of_no_results(name: str) -> None:
    if name in ("alto", "page", "pdf"):  # they cannot be without a page
        with pytest.raises(DataError, match="nothing was read"):
            written(name, [])
    elif name == "hocr":
        assert written(name, []).endswith("<body>\n</body>\n</html>\n")
    else:
        assert written(name, []) == ("[]\n" if name == "json" else "")


def test_page_a_file_says_which_formats_hold_one_page_only(tmp_path: Path) -> None:
    two = [saved(tmp_path), saved(tmp_path)]
    for name, format in FORMATS.items():
        if format.page_a_file:
            with pytest.raises(DataError, match="one page a file"):
                b"".join(pieces(name, two, STYLE))
        else:
            assert b"".join(pieces(name, two, STYLE))


@pytest.mark.parametrize("name", ["hocr", "alto", "page", "pdf"])
def test_a_line_is_written_as_the_page_that_its_picture_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (40, 20), 255).save(path, dpi=(300, 300))
    result = replace(FIRST, path=str(path))
    style = Style(when=datetime(2026, 1, 2, tzinfo=UTC))
    assert b"".join(pieces(name, [result], style)) == b"".join(pieces(name, [page_of(result, 40, 20, 300.0)], style))
    # from standard input, say
    piped, style = replace(result, path="-"), replace(style, pictures=Pictures({"-": io.BytesIO(path.read_bytes())}))
    assert b"".join(pieces(name, [piped], style)) == b"".join(pieces(name, [page_of(piped, 40, 20, 300.0)], style))
    with pytest.raises(ImageError, match="no such file"):
        b"".join(pieces(name, [replace(FIRST, path=str(tmp_path / "gone.png"))], style))


def test_a_path_that_is_not_utf8_survives_in_text_and_breaks_nothing_in_xml(tmp_path: Path) -> None:
    odd = replace(page(), path="a\udcff\x01.png")
    assert b"a\xff\x01.png" in b"".join(pieces("text", [odd], STYLE))
    for name in ("hocr", "alto", "page"):
        assert b"a\xef\xbf\xbd\xef\xbf\xbd.png" in b"".join(pieces(name, [odd], STYLE))


def test_one_picture_is_bare_text() -> None:
    assert written("text", [FIRST], Style(many=False)) == "日本\n"


def test_json_is_json() -> None:
    loaded = json.loads(written("json", [FIRST, EMPTY]))
    assert loaded == [json.loads(line) for line in written("jsonl", [FIRST, EMPTY]).splitlines()]
    assert "".join(char["char"] for char in loaded[0]["chars"]) == loaded[0]["text"]
    every = json.loads(written("json", [FIRST], Style(top_k=9)))[0]
    assert [a["char"] for a in every["chars"][0]["alternatives"]] == ["曰", "目"]
    none = json.loads(written("json", [FIRST], Style(top_k=0)))[0]
    assert none["chars"][0]["alternatives"] == []


def test_tsv_has_four_cells_whatever_the_path_holds() -> None:
    evil = Recognition("あ", 1.0, (), "horizontal", "a\nb\rc\td\\n.png")
    line = written("tsv", [evil])
    assert line.count("\n") == 1
    cell = line.split("\t")[0]
    assert len(line.split("\t")) == 4
    assert cell == "a\\nb\\rc\\td\\\\n.png"


def test_suffixes_name_formats() -> None:
    for name, format in FORMATS.items():
        for suffix in format.suffixes:
            assert of_file(f"out{suffix}") == name
            assert of_file(Path("x.y") / f"OUT{suffix.upper()}") == name
    assert (of_file("a.alto.xml"), of_file("a.page.xml"), of_file("b.xml")) == ("alto", "page", "alto")
    with pytest.raises(SettingsError, match="--format"):
        of_file("out.xls")


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_overlay_draws_boxes_in_the_picture_and_text_beside_it(direction: str) -> None:
    gray = np.full((40, 60), 200, np.uint8)
    spans = (CharSpan("日", (5, 5, 25, 35), 0.99), CharSpan("本", (30, 5, 55, 35), 0.2))
    sheet = np.asarray(overlay(gray, Recognition("日本", 0.5, spans, direction), None)).astype(int)
    down = sheet.shape[0] - 40 if direction == "horizontal" else 0
    assert (sheet.shape[0] > 40) == (direction == "horizontal")
    assert (sheet.shape[1] > 60) == (direction == "vertical")
    sure, unsure = sheet[down + 5, 5], sheet[down + 5, 30]
    assert sure[2] > sure[0]
    assert unsure[0] > unsure[2]
    assert (sheet[down + 20, 15] == 200).all()
    band = sheet[:down] if down else sheet[:, 60:]
    assert (band < 128).any()  # something is written there


def test_overlay_of_nothing_and_of_boxes_at_the_rim() -> None:
    gray = np.full((8, 9), 200, np.uint8)
    overlay(gray, Recognition("", 0.0, (), "horizontal"), None)
    overlay(gray, Recognition("ー", 0.5, (CharSpan("ー", (8.7, 7.6, 9, 8)),), "horizontal"), None)


def test_overlay_of_a_page() -> None:
    gray = np.asarray(picture())
    sheet = np.asarray(overlay(gray, page(), None))
    assert sheet.shape == (HEIGHT, WIDTH, 3)
    changed = (sheet != gray[:, :, None]).any(axis=2)
    for one in LINES:
        x, y = one.region.quad[2]
        assert changed[int(y) - 3 : int(y) + 3, int(x) - 3 : int(x) + 3].any()
    font = find_font()
    if font is not None:
        beside = np.asarray(overlay(gray, page(), font))[:, WIDTH:]
        x0, y0, x1, y1 = map(int, LINES[0].recognition.spans[0].box)
        assert (beside[y0:y1, x0:x1] < 128).any()
        assert (beside[300:] == 255).all()  # where nothing was read nothing is written


def test_fonts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a font"):
        find_font(tmp_path / "none.ttf")
    found = find_font()
    assert found is None or isinstance(found, ImageFont.FreeTypeFont)
