"""Composed pages: every line's place against its ink, the same page from the same seed, and movements that are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("pydantic")

from jphtr.charset import Charset
from jphtr.compose import Composer
from jphtr.compose.page import PageComposer
from jphtr.compose.page_camera import View
from jphtr.compose.page_layouts import LAYOUTS
from jphtr.compose.page_sheet import Sheet
from jphtr.errors import DataError, SettingsError
from jphtr.records import Glyph, Page, PageLine
from jphtr.segment import in_order
from jphtr.segment.page_files import page_from, page_json, read_pages
from jphtr.segment.quads import corners, sizes
from jphtr.settings import ComposeSettings, PageComposeSettings
from jphtr.store import write_glyphs

CHARS = Charset("日本語漢字文章頁行列" + "".join(map(chr, range(ord("ぁ"), ord("ん") + 1))) + "、。ー・ABC0123456789- ")


def glyphs() -> Iterator[Glyph]:
    """Solid blocks that fill the em but for a rim, by a press and by a pen."""
    for style in ("print", "pen"):
        for index, char in enumerate(CHARS.chars[1:]):
            if char == " ":
                continue
            gray = np.full((64, 64), 255, np.uint8)
            gray[11:53, 11 : 29 if char.isascii() else 53] = 0
            meta = {"form": 0, "em": (8.0, 8.0, 56.0, 56.0), "advance": 0.5 if char.isascii() else 1.0, "style": style}
            yield Glyph(gray, char, f"block {style}", "toy", index, meta)


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    folder = tmp_path_factory.mktemp("glyphs")
    write_glyphs(folder / "toy.h5", glyphs(), CHARS)
    (folder / "text.txt").write_text(
        "日本語のあいうえおかきくけこ漢字\nかな、漢字。日本の文章\n頁に行と列\n" * 3, "utf-8"
    )
    settings = ComposeSettings(styles={"print": 0.5, "pen": 0.5}, mix={"sentence": 1.0}, min_chars=2, max_chars=20)
    return Composer(settings, CHARS, [folder / "toy.h5"], [folder / "text.txt"])


def clean(composer: Composer, **changes: object) -> PageComposer:
    settings = {"worn": 0.0, "long_side": (700, 900), "by_hand": 0.0} | changes
    return PageComposer(composer, PageComposeSettings(**settings))  # type: ignore[arg-type]


def texts(page: Page) -> list[PageLine]:
    return [line for line in page.lines if line.region.kind == "text"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_character_has_its_ink(composer: Composer, layout: str) -> None:
    for seed in range(2):
        gray, page = clean(composer).page(np.random.default_rng([3, seed]), layout=layout)
        assert (page.height, page.width) == gray.shape
        assert page.lines
        dark = []
        for line in page.lines:
            assert line.recognition.text == "".join(span.char for span in line.recognition.spans)
            x0, y0, x1, y1 = line.region.box
            em = sizes([line.region])[1][0]
            for span in line.recognition.spans:
                sx0, sy0, sx1, sy1 = span.box
                assert sx0 > x0 - em and sy0 > y0 - em and sx1 < x1 + em and sy1 < y1 + em
                inner = gray[max(0, int(sy0)) : int(sy1) + 1, max(0, int(sx0)) : int(sx1) + 1]
                if span.char != " " and inner.size and min(sx0, sy0) > 0 and sx1 < page.width and sy1 < page.height:
                    dark.append(inner.min())
        assert np.mean(np.array(dark) < 200) > 0.97


def test_a_page_is_a_function_of_its_seed(composer: Composer) -> None:
    pages = PageComposer(composer, PageComposeSettings(long_side=(500, 700)))
    for seed in range(4):
        one, two = (pages.page(np.random.default_rng([1, seed])) for _ in range(2))
        assert np.array_equal(one[0], two[0]) and one[1] == two[1]
        assert not np.array_equal(one[0][:400, :300], pages.page(np.random.default_rng([1, seed + 9]))[0][:400, :300])


@pytest.mark.parametrize("layout", ["vertical prose", "horizontal prose", "manuscript", "letter"])
def test_truth_is_in_reading_order(composer: Composer, layout: str) -> None:
    """What the layouts write and what `in_order` makes of it were written apart."""
    right = 0
    for seed in range(8):
        _, page = clean(composer, tilt=0.0).page(np.random.default_rng([5, seed]), layout=layout)
        truth = [line.region for line in texts(page)]
        right += [r.quad for r in in_order(truth[::-1])] == [r.quad for r in truth]
    assert right >= 7


def test_ruby_stands_beside_its_line(composer: Composer) -> None:
    count = 0
    for seed in range(6):
        _, page = clean(composer, ruby=1.0, tilt=0.0).page(np.random.default_rng([6, seed]), layout="vertical prose")
        last: PageLine | None = None
        for line in page.lines:
            if line.region.kind == "text":
                last = line
                continue
            assert last is not None
            base, small = last.region.box, line.region.box
            count += 1
            assert small[0] > (base[0] + base[2]) / 2, "to the right of the column"
            assert small[1] < base[3] and small[3] > base[1]
            assert sizes([line.region])[1][0] < 0.75 * sizes([last.region])[1][0]
    assert count > 5


def test_tilt_keeps_within_its_bound(composer: Composer) -> None:
    angles = []
    for seed in range(12):
        _, page = clean(composer, tilt=3.0).page(np.random.default_rng([7, seed]), layout="horizontal prose")
        quads = corners([line.region for line in texts(page)])
        along = quads[:, 1] - quads[:, 0]
        angles += np.rad2deg(np.arctan2(along[:, 1], along[:, 0])).tolist()
    assert 1.0 < np.abs(angles).max() < 3.6


def test_a_view_moves_pixels_and_points_alike() -> None:
    flat = np.full((300, 400), 255, np.uint8)
    marks = np.array([[60.5, 50.5], [330.5, 70.5], [200.5, 240.5]])
    for x, y in marks.astype(int):
        flat[y - 2 : y + 3, x - 2 : x + 3] = 0
    a = np.deg2rad(4)
    matrix = np.array([[np.cos(a), -np.sin(a), 12], [np.sin(a), np.cos(a), -6], [1e-5, -2e-5, 1]])
    for bend in (None, 9 * np.linspace(-1, 1, 400) ** 2):
        view = View(matrix, bend)
        picture = view.picture(flat, (400, 300), 255)
        for mark in marks:
            x, y = view.points(mark)
            part = 255.0 - picture[round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7]
            rows, columns = np.mgrid[:13, :13]
            assert (columns * part).sum() / part.sum() + round(x) - 6 == pytest.approx(x - 0.5, abs=0.7)
            assert (rows * part).sum() / part.sum() + round(y) - 6 == pytest.approx(y - 0.5, abs=0.7)


def test_a_sheet_sets_what_it_is_told(composer: Composer) -> None:
    sheet = Sheet(composer, (600, 400), np.random.default_rng(1))
    pen = sheet.pen("print", calm=True)
    sheet.new_block()
    length = sheet.line("漢字かな漢字", 50, 60, 30, "horizontal", pen)
    assert sheet.line("漢字かな漢字", 500, 60, 30, "vertical", pen, limit=95) <= 95 + 0.4 * 30
    flat, upright = sheet.lines
    assert flat.text == "漢字かな漢字" and upright.text in ("漢字か", "漢字かな")
    assert flat.quad[0] == pytest.approx((50, 60), abs=6) and flat.quad[2] == pytest.approx((50 + length, 90), abs=6)
    assert upright.quad[0] == pytest.approx((500, 60), abs=6)
    assert upright.quad[1, 0] - upright.quad[0, 0] == pytest.approx(30, abs=4)
    assert sheet.line("", 0, 0, 30, "horizontal", pen) == 0.0


def test_unknown_layouts_are_named(composer: Composer) -> None:
    with pytest.raises(SettingsError, match="no layout"):
        PageComposer(composer, PageComposeSettings(layouts={"poem": 1.0}))


def test_pages_as_json_come_back(composer: Composer, tmp_path: Path) -> None:
    import json

    _, page = clean(composer, ruby=1.0).page(np.random.default_rng(2))
    back = page_from(json.loads(json.dumps(page_json(page))), "page")
    assert [line.recognition.text for line in back.lines] == [line.recognition.text for line in page.lines]
    for one, two in zip(page.lines, back.lines, strict=True):
        assert np.abs(np.subtract(one.region.quad, two.region.quad)).max() <= 0.051
        assert one.region.block == two.region.block and one.region.kind == two.region.kind
        assert len(one.recognition.spans) == len(two.recognition.spans)
    table = tmp_path / "pages.jsonl"
    table.write_text(json.dumps(page_json(page)) + "\n\n{}\n", "utf-8")
    with pytest.raises(DataError, match="line 3: not a page"):
        read_pages(table)
    table.write_text("{", "utf-8")
    with pytest.raises(DataError, match="line 1: not JSON"):
        read_pages(table)
    with pytest.raises(DataError, match="cannot be read"):
        read_pages(tmp_path / "none.jsonl")
