"""Fonts built by the test, so that every expected pixel is known: places, tofu, blanks, vertical forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jphtr.charset import Charset
from jphtr.errors import DataError
from jphtr.sources import fonts
from jphtr.sources.fonts_faces import faces, find

pytest.importorskip("fontTools")
from toy_font import BOXES, CHARS, build


def ink_box(gray: np.ndarray) -> tuple[float, ...]:
    """Sub-pixel box of the ink: full rows and columns plus the share of the gray ones at the edges."""
    ink = (255.0 - gray) / 255
    columns, rows = ink.max(axis=0), ink.max(axis=1)
    x0, y0 = int(np.argmax(columns > 0)), int(np.argmax(rows > 0))
    return (
        x0 + 1 - columns[x0],
        y0 + 1 - rows[y0],
        x0 + 1 - columns[x0] + columns.sum(),
        y0 + 1 - rows[y0] + rows.sum(),
    )


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return build(tmp_path / "toy.ttf")


def test_every_box_is_where_it_was_planted(toy: Path) -> None:
    glyphs = {(chr(g.index), g.meta["form"]): g for g in fonts.read(toy, CHARS)}
    for char, (box, advance) in BOXES.items():
        glyph = glyphs[char, 0]
        assert ink_box(glyph.gray) == pytest.approx([8 + 48 * value for value in box], abs=0.3), char
        assert glyph.meta["advance"] == pytest.approx(advance, abs=0.01)
        assert glyph.meta["em"] == (8, 8, 56, 56) and glyph.gray.shape == (64, 64)
        assert glyph.writer == "Toy/Toy-Bold" and glyph.source == "toy.ttf"
    assert ink_box(glyphs["ー", 1].gray) == pytest.approx([8 + 48 * v for v in (0.45, 0.1, 0.55, 0.9)], abs=0.3)


def test_missing_blank_and_replaced_characters_are_left_out(toy: Path) -> None:
    drawn = {g.char for g in fonts.read(toy, CHARS)}
    assert drawn == set("国永ー、A")


def test_full_width_letters_are_a_second_drawing_of_the_folded_char(toy: Path) -> None:
    found = [(g.index, g.meta["advance"]) for g in fonts.read(toy, CHARS) if g.char == "A"]
    assert found == [(ord("A"), pytest.approx(0.55, abs=0.01)), (ord("Ａ"), 1.0)]


@pytest.mark.parametrize("flavor", ["woff", "woff2"])
def test_web_fonts_draw_the_same(toy: Path, tmp_path: Path, flavor: str) -> None:
    pytest.importorskip("brotli")
    web = list(fonts.read(build(tmp_path / f"toy.{flavor}", flavor=flavor), CHARS))
    plain = list(fonts.read(toy, CHARS))
    assert [g.char for g in web] == [g.char for g in plain]
    assert all(np.array_equal(a.gray, b.gray) for a, b in zip(web, plain, strict=True))


def test_a_collection_gives_its_proportional_japanese_faces(tmp_path: Path) -> None:
    ttlib = pytest.importorskip("fontTools.ttLib")
    collection = ttlib.TTCollection()
    for name in ("Toy JP", "Toy Mono JP", "Toy KR"):
        collection.fonts.append(ttlib.TTFont(str(build(tmp_path / "one.ttf", name=name))))
    collection.save(str(tmp_path / "toy.ttc"))
    assert [face.family for face in faces(tmp_path / "toy.ttc")] == ["Toy JP"]
    assert {g.char for g in fonts.read(tmp_path / "toy.ttc", CHARS)} == set("国永ー、A")


def test_a_wrong_ascent_is_corrected_by_the_kanji(tmp_path: Path) -> None:
    kanji = [chr(c) for c in range(0x4E00, 0x4E00 + 23 * 40)]
    original = dict(BOXES)
    try:  # many kanji of different widths, so that none looks like a replacement box
        BOXES.update({k: ((0.1, 0.1, 0.5 + 0.0004 * i, 0.9), 1.0) for i, k in enumerate(kanji)})
        path = build(tmp_path / "high.ttf", ascent=880, named_ascent=700)
    finally:
        BOXES.clear()
        BOXES.update(original)
    glyphs = list(fonts.read(path, Charset(kanji)))
    middle = np.mean([sum(ink_box(g.gray)[1::2]) / 2 for g in glyphs])
    assert middle == pytest.approx(32, abs=1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"", "not a font"),
        (lambda data: b"hello, I am a text file" * 9, "not a font"),
        (lambda data: data[: len(data) // 2], "toy"),
        (lambda data: data[:4] + bytes(200), "not a font"),
    ],
)
def test_what_is_no_font_is_one_line(toy: Path, spoil: Callable[[bytes], bytes], message: str) -> None:
    toy.write_bytes(spoil(toy.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        list(fonts.read(toy, CHARS))
    assert "toy.ttf" in str(caught.value) and "\n" not in str(caught.value)


def test_find_names_what_is_not_there(toy: Path) -> None:
    (toy.parent / "notes.txt").write_text("no font")
    assert find([toy.parent, toy]) == [toy]
    with pytest.raises(DataError, match="no such file"):
        find([toy.parent / "gone.ttf"])
    (toy.parent / "empty").mkdir()
    with pytest.raises(DataError, match="no font file"):
        find([toy.parent / "empty"])
