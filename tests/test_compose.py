"""Composed lines: boxes against rendered ink, the same line from the same seed, and every table's rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("pydantic")

import itertools
import json
import re

import toy_blocks
from toy_blocks import CHARS, CLEAN, PRINT

from jphtr.charset import default
from jphtr.compose import Composer
from jphtr.compose.atlas import Atlas
from jphtr.compose.ink import INKS
from jphtr.compose.paper import PAPERS
from jphtr.compose.samples import contact_sheet, write_samples
from jphtr.compose.text import KINDS, TextSource, load_corpus
from jphtr.errors import DataError
from jphtr.records import Glyph, Line
from jphtr.settings import ComposeSettings
from jphtr.store import write_glyphs


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    return toy_blocks.composer(tmp_path_factory.mktemp("glyphs"))


def ink_box(line: Line, box: tuple[float, float, float, float]) -> np.ndarray:
    x0, y0, x1, y1 = (round(v) for v in box)
    return line.gray[max(0, y0) : y1, max(0, x0) : x1] < 128


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_boxes_hold_the_ink(composer: Composer, direction: str) -> None:
    for seed in range(25):
        line = composer.line(np.random.default_rng([1, seed]), direction=direction)  # type: ignore[arg-type]
        assert line.text == "".join(span.char for span in line.spans)
        dark = line.gray < 128
        covered = np.zeros_like(dark)
        for span in line.spans:
            if span.char == " ":
                continue
            inside = ink_box(line, span.box)
            assert inside.mean() > 0.5, (seed, span)  # a block, at worst a slanted one, fills its box
            x0, y0, x1, y1 = span.box
            covered[max(0, int(y0) - 2) : int(y1) + 3, max(0, int(x0) - 2) : int(x1) + 3] = True
        assert (dark & ~covered).sum() <= 0.01 * dark.sum(), seed
        along = [
            (s.box[0] + s.box[2]) / 2 if direction == "horizontal" else (s.box[1] + s.box[3]) / 2 for s in line.spans
        ]
        pairs = [b - a for a, b in itertools.pairwise(along)]
        assert all(step > -1 for step in pairs)


def test_signs_of_a_vertical_line(composer: Composer) -> None:
    """Without vertical forms ー is turned, and 、 goes to the upper right corner of its cell."""
    line = composer.line(np.random.default_rng(3), direction="vertical", text="本ー本、本")
    first, dash, _, comma, last = (span.box for span in line.spans)
    assert dash[3] - dash[1] > 2 * (dash[2] - dash[0])
    middle = (first[0] + first[2]) / 2
    assert (comma[0] + comma[2]) / 2 > middle
    assert comma[1] - line.spans[2].box[3] < last[1] - comma[3]


def test_the_same_seed_gives_the_same_line(composer: Composer) -> None:
    worn = composer.with_settings(ComposeSettings(**PRINT, min_chars=2, max_chars=12))
    for seed in range(10):
        one, two = (worn.line(np.random.default_rng([2, seed])) for _ in range(2))
        assert (one.gray == two.gray).all()
        assert (one.text, one.spans, one.writer) == (two.text, two.spans, two.writer)


def test_worn_lines_keep_their_boxes_inside(composer: Composer) -> None:
    worn = composer.with_settings(
        ComposeSettings(**PRINT, degraded=1.0, neighbours=1.0, empty=0.1, min_chars=1, max_chars=12)
    )
    empty = 0
    for seed in range(60):
        line = worn.line(np.random.default_rng([4, seed]))
        height, width = line.gray.shape
        assert line.gray.dtype == np.uint8
        empty += not line.text
        for span in line.spans:
            x0, y0, x1, y1 = span.box
            assert 0 <= x0 <= x1 <= width
            assert 0 <= y0 <= y1 <= height
    assert 0 < empty < 30


@pytest.mark.parametrize("name", INKS)
def test_inks(name: str) -> None:
    ink = np.zeros((80, 300), np.uint8)
    for x in range(20, 280, 12):
        ink[30:50, x : x + 4] = 255
    for seed in range(5):
        out = INKS[name](ink.copy(), np.random.default_rng(seed))
        assert out.shape == ink.shape
        assert out.dtype == np.uint8
        assert out.max() > 60, "the ink is gone"


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("em", [12.0, 40.0])
def test_papers(name: str, em: float) -> None:
    gray = np.full((int(1.4 * em), int(9 * em)), 255, np.uint8)
    gray[int(0.3 * em) : int(em), :: max(3, int(em / 3))] = 0
    gray = cv2.GaussianBlur(gray, (0, 0), 1.0)
    before = gray.copy()
    changed = False
    for seed in range(8):
        out = PAPERS[name][0](gray, em, np.random.default_rng(seed))
        assert out.shape == gray.shape
        assert out.dtype == np.uint8
        assert (gray == before).all(), "the input was written to"
        changed |= bool((out != gray).any())
    assert changed


def test_there_are_twenty_degradations() -> None:
    assert len(PAPERS) >= 20


@pytest.mark.parametrize("kind", KINDS)
def test_texts(kind: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("今日は良い天気で、学校へ行った。\nコーヒーを飲む（2杯）。\n", "utf-8")
    charset = default()
    source = TextSource(charset, load_corpus(charset, [tmp_path / "t.txt"]), {kind: 1.0}, (1, 20))
    for seed in range(60):
        text = source.draw(np.random.default_rng(seed))
        assert text
        assert text == text.strip()
        assert "  " not in text
        assert not charset.missing(text)


def test_every_class_is_seen(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("今日は良い天気で、学校へ行った。\n", "utf-8")
    charset = default()
    source = TextSource(charset, load_corpus(charset, [tmp_path / "t.txt"]), {"random": 1.0}, (20, 30))
    rng = np.random.default_rng(0)
    seen = {char for _ in range(6000) for char in source.draw(rng)}
    assert len(set(charset.chars[1:]) - seen - {" "}) < 0.002 * len(charset)


def test_samples_on_disk(composer: Composer, tmp_path: Path) -> None:
    lines = write_samples(composer, tmp_path / "out", 6, 1)
    rows = (tmp_path / "out" / "truth.tsv").read_text("utf-8").splitlines()
    assert [row.split("\t")[1] for row in rows[1:]] == [line.text for line in lines]
    assert len(list((tmp_path / "out").glob("*.png"))) == 6
    assert contact_sheet(lines).width >= 1280


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.txt"):
        load_corpus(CHARS, [tmp_path / "no.txt"])
    with pytest.raises(DataError, match=r"no\.h5"):
        Composer(ComposeSettings(), CHARS, [tmp_path / "no.h5"], [])


def test_letters_from_another_face(tmp_path: Path) -> None:
    def faces() -> Iterator[Glyph]:
        for number, (face, level) in enumerate((("a", 0), ("b", 100))):
            for index, char in enumerate(CHARS.chars[1:]):
                gray = np.full((64, 64), 255, np.uint8)
                gray[12:52, 12:28] = level
                meta = {"form": 0, "em": (8.0, 8.0, 56.0, 56.0), "advance": 0.5, "style": "print"}
                yield Glyph(gray, char, face, "toy", 1000 * number + index, meta)

    write_glyphs(tmp_path / "toy.h5", faces(), CHARS)
    (tmp_path / "text.txt").write_text("日本\n", "utf-8")
    mixed = set()
    for roman in (0.0, 1.0):
        settings = ComposeSettings(**CLEAN, **PRINT, roman=roman)
        lines = Composer(settings, CHARS, [tmp_path / "toy.h5"], [tmp_path / "text.txt"])
        for seed in range(12):
            line = lines.line(np.random.default_rng(seed), text="日12本", direction="horizontal")
            darkest = [
                int(line.gray[:, round(s.box[0]) + 3 : round(s.box[2]) - 3].min()) // 50 for s in line.spans
            ]  # of either face
            assert darkest[0] == darkest[3]
            assert darkest[1] == darkest[2]
            mixed.add((roman, darkest[0] == darkest[1]))
    assert mixed == {(0.0, True), (1.0, True), (1.0, False)}


def test_faces_of_letters_alone_write_no_line_of_their_own(tmp_path: Path) -> None:
    def glyphs() -> Iterator[Glyph]:
        for number, (style, level, chars) in enumerate((("print", 0, CHARS.chars[1:]), ("roman", 100, "0123456789"))):
            for index, char in enumerate(chars):
                gray = np.full((64, 64), 255, np.uint8)
                gray[12:52, 12:28] = level
                meta = {"form": 0, "em": (8.0, 8.0, 56.0, 56.0), "advance": 0.5, "style": style}
                yield Glyph(gray, char, style, "toy", 1000 * number + index, meta)

    write_glyphs(tmp_path / "toy.h5", glyphs(), CHARS)
    (tmp_path / "text.txt").write_text("日本\n", "utf-8")
    lines = Composer(
        ComposeSettings(**CLEAN, styles={"brush": 1.0}, roman=1.0),
        CHARS,
        [tmp_path / "toy.h5"],
        [tmp_path / "text.txt"],
    )
    assert lines.styles == ["print"]
    seen = set()
    for seed in range(12):
        line = lines.line(np.random.default_rng(seed), text="日12本", direction="horizontal")
        gray = [int(line.gray[:, round(s.box[0]) + 3 : round(s.box[2]) - 3].min()) // 30 for s in line.spans]
        assert gray[0] == gray[3] <= gray[1] == gray[2]
        seen.add(gray[1] > gray[0])
    assert seen == {False, True}


def test_commas_of_science(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("東、西、南\n", "utf-8")
    charset = default()
    corpus = load_corpus(charset, [tmp_path / "text.txt"])
    for commas, sign in ((0.0, "、"), (1.0, "，")):
        source = TextSource(charset, corpus, {"sentence": 1.0}, (5, 5), commas)
        texts = {source.draw(np.random.default_rng(seed)) for seed in range(20)}
        assert any(sign in text for text in texts)
        assert not any(other in text for text in texts for other in {"、", "，"} - {sign})


def test_a_writer_of_two_files_is_one_person_and_a_file_named_twice_holds_two(tmp_path: Path) -> None:
    toy_blocks.composer(tmp_path)
    first = tmp_path / "toy.h5"
    (again := tmp_path / "again").mkdir()
    toy_blocks.composer(again)
    one = Atlas([first, again / "toy.h5"], CHARS)
    assert one.writers == ["block"]
    label, rng = CHARS.label("日"), np.random.default_rng(1)
    rows = {patch.row for _ in range(40) if (patch := one.patch(0, label, 0, rng)) is not None}
    assert len(rows) == 2
    every = np.concatenate([np.asarray(gray) for gray in one.grays])
    assert all((every[row] == every[min(rows)]).all() for row in rows)
    assert Atlas([first, first], CHARS).writers == ["block", "block"]


def test_items_and_ranges(composer: Composer) -> None:
    source = composer.texts
    for kind, pattern in (("item", r"^\S*[0-9A-Z一二三〇第図表][^ ]{0,4} ?"), ("range", r"[0-9]+[ー-]?[0-9]+")):
        texts = [source.draw(np.random.default_rng([7, i]), kind) for i in range(40)]
        assert sum(bool(re.search(pattern, text)) for text in texts) > 20, (kind, texts)


def test_what_was_confused_is_shown_more(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("今日は良い天気で、学校へ行った。\nコーヒーを飲む（2杯）。\n", "utf-8")
    rows = [("と", "ど", 30), ("学", "字", 10), ("、", "", 50), ("鬱", "欝", 1)]
    result = {"confusions": [{"truth": a, "read": b, "count": n, "of": 99} for a, b, n in rows]}
    (tmp_path / "result.json").write_text(json.dumps(result), "utf-8")
    charset = default()
    corpus = load_corpus(charset, [tmp_path / "t.txt"], confusions=[tmp_path / "result.json"])
    assert corpus.confused == (("と", "ど", 30), ("学", "字", 10), ("鬱", "欝", 1))
    source = TextSource(charset, corpus, {"confused": 1.0}, (4, 20))
    texts = [source.draw(np.random.default_rng(seed)) for seed in range(400)]
    shown = {char: sum(char in text for text in texts) for char in "とど字"}
    assert 120 < shown["と"] < 230 and 70 < shown["ど"] < 160 and 15 < shown["字"] < 70
    (tmp_path / "no.json").write_text("[]", "utf-8")
    with pytest.raises(DataError, match=r"no\.json.*eval-line"):
        load_corpus(charset, [tmp_path / "t.txt"], confusions=[tmp_path / "no.json"])
