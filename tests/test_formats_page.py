"""Pages as text, JSON and tab-separated values: what is joined and what is parted, and every character in its place."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from toy_results import HEIGHT, LINES, TEXT, WIDTH, line, page

from jphtr.formats import Style, pieces, running_text
from jphtr.records import CharSpan, Page, PageLine, Recognition

STYLE = Style(top_k=2, model="line 1", version="0.1")


def sheet(*lines: PageLine) -> Page:
    return Page(2000, 2000, lines)


def paragraph(*texts: str, x: float = 100, size: float = 20, block: int = 0, **options: object) -> list[PageLine]:
    """Lines one below the other; spaces at their start and end are empty places."""
    return [
        line(text.strip(), x + size * (len(text) - len(text.lstrip())), 100 + 40 * n, size=size, block=block, **options)  # type: ignore[arg-type]
        for n, text in enumerate(texts)
    ]


def test_japanese_runs_on_and_latin_words_are_parted() -> None:
    assert (
        running_text(sheet(*paragraph("今日は雨が降っていたので", "家で本を読んだ。")))
        == "今日は雨が降っていたので家で本を読んだ。"
    )
    assert running_text(sheet(*paragraph("the quick brown", "fox jumps over"))) == "the quick brown fox jumps over"
    assert (
        running_text(sheet(*paragraph("これはいわゆるOCR", "という技術である"))) == "これはいわゆるOCRという技術である"
    )
    assert running_text(sheet(*paragraph("an extra-", "ordinary thing"))) == "an extra-ordinary thing"
    assert running_text(sheet(*paragraph("そして……", "“引用”という"))) == "そして……“引用”という"


def test_blocks_are_parted_by_an_empty_line_and_come_in_their_order() -> None:
    lines = paragraph("左の段の一行目", "左の段の二行目") + paragraph("右の段の一行目", x=600, block=1)
    assert running_text(sheet(*lines)) == "左の段の一行目左の段の二行目\n\n右の段の一行目"


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_a_paragraph_ends_where_a_line_stops_early_or_the_next_is_set_in(direction: str) -> None:
    texts = [
        "　朝から雨が降っていたので家に",
        "いて本を読んだ。夕方になると雨",
        "がやんだので散歩をした。",
        "　次の日は晴れて暑い日になった。",
        "　その日は海に行った。",
    ]
    lines = []
    for n, text in enumerate(texts):
        bare, indent = text.lstrip("　"), 20 * (len(text) - len(text.lstrip("　")))
        x, y = (100 + indent, 100 + 40 * n) if direction == "horizontal" else (900 - 40 * n, 100 + indent)
        lines.append(line(bare, x, y, direction=direction))  # type: ignore[arg-type]
    first = "".join(text.lstrip("　") for text in texts[:3])
    assert running_text(sheet(*lines)) == "\n".join((first, texts[3][1:], texts[4][1:]))


def test_ragged_lines_of_a_hand_are_still_one_paragraph() -> None:
    texts = ["手で書いた文章では行の終わり", "がそろわないことが多いが、そ", "れで段落が切れたりはしない", "のである"]
    lines = [line(text, 100 + 3 * n, 100 + 40 * n, step=19.0 + n) for n, text in enumerate(texts)]
    assert running_text(sheet(*lines)) == "".join(texts)


@pytest.mark.parametrize("tilt", [-3.0, 3.0])
def test_paragraphs_of_a_tilted_page_whose_lines_are_not_quite_parallel(tilt: float) -> None:
    texts = ["　" * (n % 4 == 0) + "字" * (20 - (n % 4 == 0)) + "。" for n in range(40)]
    turn, rng = math.radians(tilt), np.random.default_rng(0)
    lines = []
    for n, text in enumerate(texts):
        along, down = 20.0 * text.count("　"), 40.0 * n
        x, y = (
            900 + along * math.cos(turn) - down * math.sin(turn),
            100 + along * math.sin(turn) + down * math.cos(turn),
        )
        lines.append(line(text.strip(), x, y, tilt=tilt + rng.uniform(-0.4, 0.4)))
    paragraphs = ["".join(texts[n : n + 4]).strip() for n in range(0, 40, 4)]
    assert running_text(Page(3000, 3000, tuple(lines))).splitlines() == paragraphs


def test_keep_lines() -> None:
    assert running_text(page(), keep_lines=True).splitlines() == [
        *TEXT[:2], "", TEXT[2], "", TEXT[4], "", "縦書きの日記《にっき》、右の列。", TEXT[6], "", TEXT[7],
    ]  # fmt: skip


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize(
    ("text", "over", "ruby", "expected"),
    [
        ("この漢字を読む", (2, 4), "かんじ", "この漢字《かんじ》を読む"),
        ("木", (0, 1), "き", "木《き》"),
        ("東京駅前", (2, 3), "えき", "東京｜駅《えき》前"),
        ("お母さん", (0, 3), "かあ", "お母《かあ》さん"),  # ruby that reaches over the kana around its word
        ("ABCという", (0, 3), "エービーシー", "｜ABC《エービーシー》という"),
    ],
)
def test_ruby_stands_behind_its_word(
    direction: str, text: str, over: tuple[int, int], ruby: str, expected: str
) -> None:
    base = line(text, 200, 200, direction=direction, size=24)  # type: ignore[arg-type]
    along = 0 if direction == "horizontal" else 1
    spans = base.recognition.spans[over[0] : over[1]]
    start, stop = spans[0].box[along], spans[-1].box[along + 2]
    step = (stop - start) / len(ruby)
    x, y = (start, 188) if direction == "horizontal" else (228, start)
    note = line(ruby, x, y, direction=direction, size=min(10, step), step=step, kind="ruby")  # type: ignore[arg-type]
    assert running_text(sheet(base, note)) == running_text(sheet(note, base)) == expected


def test_ruby_belongs_to_the_nearest_line_and_ruby_of_none_is_not_lost() -> None:
    first, second = line("一つめ漢字", 100, 100), line("二つめ漢字", 100, 140)
    note = line("かんじ", 160, 130, size=8, step=13, kind="ruby")
    far = line("はぐれ", 700, 700, size=8, kind="ruby")
    assert running_text(sheet(first, second, note, far), keep_lines=True).splitlines() == [
        "一つめ漢字", "二つめ漢字《かんじ》", "はぐれ",
    ]  # fmt: skip


def test_text_of_several_pages_and_files() -> None:
    one, two = sheet(*paragraph("一")), replace(sheet(*paragraph("二")), number=2)
    a, b = replace(one, path="a.tif"), replace(two, path="a.tif")
    c = replace(one, path="c.png")
    written = lambda results, many: b"".join(pieces("text", results, Style(many=many))).decode()  # noqa: E731
    assert written([a, b], False) == "一\n\f二\n"
    assert written([a, b, c], True) == "==> a.tif <==\n一\n\f二\n==> c.png <==\n一\n"
    read = Recognition("三", 1.0, (), "horizontal", "d.png")
    assert written([a, read], True) == "==> a.tif <==\n一\nd.png: 三\n"


def test_an_empty_page_is_an_empty_text() -> None:
    assert running_text(sheet()) == running_text(sheet(line("", 0, 0))) == ""


def test_json_holds_the_whole_page() -> None:
    (entry,) = json.loads(b"".join(pieces("json", [page("a.tif", 2)], STYLE)))
    assert entry == json.loads(b"".join(pieces("jsonl", [page("a.tif", 2)], STYLE)))
    assert {key: entry[key] for key in ("path", "page", "width", "height", "dpi", "model", "version")} == {
        "path": "a.tif", "page": 2, "width": WIDTH, "height": HEIGHT, "dpi": 200.0, "model": "line 1", "version": "0.1",
    }  # fmt: skip
    assert entry["text"] == running_text(page())
    for made, one in zip(entry["lines"], LINES, strict=True):
        assert (made["text"], made["direction"]) == (one.recognition.text, one.region.direction)
        assert (made["kind"], made["block"], made["region_confidence"]) == (one.region.kind, one.region.block + 1, 0.9)
        assert made["quad"] == [pytest.approx(corner, abs=0.01) for corner in one.region.quad]
        assert made["bbox"] == pytest.approx(one.region.box, abs=0.01)
        for char, span in zip(made["chars"], one.recognition.spans, strict=True):
            assert char["char"] == span.char
            assert char["bbox"] == pytest.approx(span.box, abs=0.01)
            assert [other["char"] for other in char["alternatives"]] == [c for c, _ in span.alternatives[:2]]
    assert any(char["alternatives"] for made in entry["lines"] for char in made["chars"])


def test_tsv_has_a_row_a_line_that_begins_as_that_of_a_line_picture() -> None:
    rows = [row.split("\t") for row in b"".join(pieces("tsv", [page("a.tif", 2)], STYLE)).decode().splitlines()]
    assert len(rows) == len(LINES)
    for number, (row, one) in enumerate(zip(rows, LINES, strict=True), 1):
        assert row[:2] == ["a.tif", one.recognition.text]
        assert row[3:8] == [one.region.direction, "2", str(one.region.block + 1), str(number), one.region.kind]
        assert [float(edge) for edge in row[8:]] == pytest.approx(one.region.box, abs=0.06)


def test_an_ideographic_space_and_odd_characters_do_not_break_rows() -> None:
    odd = PageLine(LINES[0].region, Recognition("a\tb\\", 1.0, (CharSpan("a", (0, 0, 1, 1)),), "horizontal"))
    (row,) = b"".join(pieces("tsv", [sheet(odd)], STYLE)).decode().splitlines()
    assert row.split("\t")[1] == "a\\tb\\\\"
