"""What `import jphtr` gives: readers of lines and pages, and files of what they read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jphtr
from jphtr.errors import ImageError, ModelError, SettingsError
from jphtr.page_reader import PageReader
from jphtr.records import LineRegion

SAMPLES = Path(__file__).parents[1] / "samples"
LINES = [SAMPLES / "print-horizontal.png", SAMPLES / "worn-print.png"]


@pytest.fixture(scope="module")
def reader() -> PageReader:
    return jphtr.load(threads=1)


@pytest.fixture(scope="module")
def sheet() -> np.ndarray:
    """A page of two printed lines."""
    lines = [np.asarray(Image.open(path).convert("L")) for path in LINES]
    page = np.full((700, 100 + max(line.shape[1] for line in lines)), 255, np.uint8)
    for top, line in zip((150, 400), lines, strict=True):
        page[top : top + line.shape[0], 50 : 50 + line.shape[1]] = line
    return page


def test_a_list_of_pictures_gives_a_list(reader: PageReader) -> None:
    alone = [reader.read(path) for path in LINES]
    assert reader.read(LINES) == alone and reader.read(tuple(LINES)) == alone and reader.read([]) == []
    with pytest.raises(ImageError, match="lost"):
        reader.read([LINES[0], "lost.png"])


def test_a_page_is_read_line_by_line(reader: PageReader, sheet: np.ndarray) -> None:
    page = reader.read_page(sheet)
    assert [line.recognition.text for line in page.lines] == [reader.read(path).text for path in LINES]
    x0, y0, x1, y1 = page.lines[0].region.box
    upper = LineRegion(((x0 - 5, y0 - 5), (x1 + 5, y0 - 5), (x1 + 5, y1 + 5), (x0 - 5, y1 + 5)), direction="horizontal")
    (only,) = reader.read_page(sheet, regions=[upper]).lines
    assert only.recognition.text == page.lines[0].recognition.text


def test_a_detector_may_be_named(sheet: np.ndarray) -> None:
    assert jphtr.load(detector="classical").detector is None
    with pytest.raises(ModelError, match="nowhere"):
        jphtr.load(detector="nowhere.onnx").read_page(sheet)
    with pytest.raises(SettingsError, match="takes no option but threads"):
        jphtr.load("katakana", detector="classical")  # type: ignore[call-overload]


def test_the_pages_of_a_file_know_where_they_come_from(reader: PageReader, sheet: np.ndarray, tmp_path: Path) -> None:
    picture, blank = Image.fromarray(sheet), Image.new("L", (400, 500), 255)
    picture.save(tmp_path / "two.tif", save_all=True, append_images=[blank], dpi=(200, 200))
    first, second = reader.read_pages(tmp_path / "two.tif")
    assert (first.path, first.number, second.number) == (str(tmp_path / "two.tif"), 1, 2)
    assert first.lines == reader.read_page(sheet).lines and not second.lines


def test_results_are_saved_by_suffix_or_format(reader: PageReader, sheet: np.ndarray, tmp_path: Path) -> None:
    line, page = reader.read(LINES[0]), reader.read_page(sheet)
    jphtr.save(line, tmp_path / "line.txt")
    assert (tmp_path / "line.txt").read_text("utf-8") == f"{line.text}\n"
    jphtr.save([line, page], tmp_path / "both.jsonl", top_k=1)
    rows = [json.loads(row) for row in (tmp_path / "both.jsonl").read_text("utf-8").splitlines()]
    assert rows[0]["text"] == line.text and len(rows) == 2
    jphtr.save(page, tmp_path / "page.any", format="pdf", picture=sheet)
    assert (tmp_path / "page.any").read_bytes().startswith(b"%PDF-")
    with pytest.raises(SettingsError, match="names no format"):
        jphtr.save(line, tmp_path / "line.docx")
    with pytest.raises(SettingsError, match="there are text, json"):
        jphtr.save(line, tmp_path / "line.txt", format="word")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.jsonl", "line.txt", "page.any"]
