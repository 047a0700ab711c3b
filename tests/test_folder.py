"""Folder trees and lists of pictures come back as glyphs; what is wrong with one picture is told and left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jphtr.errors import DataError
from jphtr.sources.folder import blocks, character, read


def picture(seed: int, size: tuple[int, int] = (20, 30)) -> NDArray[np.uint8]:
    """Dark strokes in the middle of light paper."""
    rng = np.random.default_rng(seed)
    gray = rng.integers(200, 256, size, dtype=np.uint8)
    gray[5:-5, 5:-5] = rng.integers(0, 60, (size[0] - 10, size[1] - 10), dtype=np.uint8)
    return gray


def put(path: Path, gray: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(gray).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "char"),
    [
        ("あ", "あ"), ("漢", "漢"), ("A", "A"), ("7", "7"), ("U+3042", "あ"), ("u+6f22", "漢"), ("U3042", "あ"), ("U+20B9F", "𠮟"),
        ("0x2422", "あ"), ("0X3021", "亜"), ("か\u3099", "が"), ("U+FA19", "神"), ("@", "@"),
        ("2422", None), ("4E21", None), ("0xB1", None), ("0x4E00", None), ("0x2121", None), ("0x2922", None),
        ("U+304", None), ("U+110000", None), ("U+D800", None), ("U+0009", None), ("ああ", None), ("", None), (" ", None),
    ],
)  # fmt: skip
def test_names_of_characters(name: str, char: str | None) -> None:
    assert character(name) == char


def test_a_tree(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    places = ["U+3044/b.png", "alice/あ/2.png", "alice/あ/1.png", "bob/old/0x2426/1.bmp", "う/x.PNG"]
    for seed, place in enumerate(places):
        put(root / place, picture(seed, (20 + seed, 30)))
    put(root / "あ" / ".hidden.png", picture(9))
    (root / "あ" / "notes.txt").write_text("no picture")
    found = {glyph.meta["path"]: glyph for glyph in read(root)}
    assert set(found) == set(places)
    assert [found[p].char for p in places] == ["い", "あ", "あ", "う", "う"]
    assert [found[p].writer for p in places] == ["mine", "alice", "alice", "bob", "mine"]
    assert sorted(g.index for g in found.values()) == [0, 1, 2, 3, 4]
    assert list(found) == [glyph.meta["path"] for glyph in read(root)] == sorted(places)
    for seed, place in enumerate(places):
        assert np.array_equal(found[place].gray, picture(seed, (20 + seed, 30)))
        assert found[place].source == "mine"
    assert {glyph.source for glyph in read(root, source="other")} == {"other"}


def test_a_list(tmp_path: Path) -> None:
    put(tmp_path / "alice" / "1.png", picture(1))
    put(tmp_path / "あ" / "2.png", picture(2))
    put(tmp_path / "3.png", picture(3))
    rows = [
        "alice/1.png\tあ\tcarol",
        "alice/1.png\tU+3044",
        "",
        "あ/2.png\tあ\t",
        "3.png\t0x3021",
        f"{tmp_path / '3.png'}\tA",
    ]
    for text in ("\n".join(rows), "\ufeff" + "\r\n".join(rows) + "\r\n"):
        (tmp_path / "glyphs.tsv").write_text(text, "utf-8", newline="")
        found = list(read(tmp_path / "glyphs.tsv"))
        assert [g.char for g in found] == ["あ", "い", "あ", "亜", "A"]
        assert [g.writer for g in found] == ["carol", "alice", *[tmp_path.name] * 3]
        assert [g.index for g in found] == [0, 1, 2, 3, 4] and {g.source for g in found} == {"glyphs"}
        assert np.array_equal(found[3].gray, picture(3))


def test_bright_ink_is_turned(tmp_path: Path) -> None:
    put(tmp_path / "あ" / "dark.png", picture(1))
    put(tmp_path / "い" / "bright.png", 255 - picture(1))
    put(tmp_path / "う" / "black.png", np.zeros((9, 9), np.uint8))
    dark, bright, black = read(tmp_path)
    assert np.array_equal(dark.gray, picture(1)) and np.array_equal(bright.gray, picture(1))
    assert (black.gray == 255).all()
    assert [int(g.gray[0, 0]) for g in read(tmp_path, ink="dark")] == [picture(1)[0, 0], 255 - picture(1)[0, 0], 0]
    assert [int(g.gray[0, 0]) for g in read(tmp_path, ink="bright")] == [255 - picture(1)[0, 0], picture(1)[0, 0], 255]


def test_modes(tmp_path: Path) -> None:
    gray = np.where(picture(1) > 128, 255, 0).astype(np.uint8)
    (tmp_path / "あ").mkdir()
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA"):
        Image.fromarray(gray).convert(mode).save(tmp_path / "あ" / f"{mode}.png")
    for glyph in read(tmp_path):
        assert np.array_equal(glyph.gray, gray), glyph.meta["path"]


def test_what_is_wrong_with_pictures_of_a_tree(tmp_path: Path) -> None:
    put(tmp_path / "あ" / "1.png", picture(1))
    put(tmp_path / "あいう" / "1.png", picture(1))
    put(tmp_path / "loose.png", picture(1))
    (tmp_path / "い").mkdir()
    (tmp_path / "い" / "text.png").write_text("no picture")
    (tmp_path / "い" / "empty.png").touch()
    whole = (tmp_path / "あ" / "1.png").read_bytes()
    (tmp_path / "い" / "cut.png").write_bytes(whole[: len(whole) // 2])
    errors: list[DataError] = []
    (glyph,) = read(tmp_path, on_error=errors.append)
    assert glyph.char == "あ" and len(errors) == 5
    for name in ("あいう", "loose.png", "text.png", "empty.png", "cut.png"):
        (message,) = (str(error) for error in errors if name in str(error))
        assert message.startswith(str(tmp_path)) and "\n" not in message
    with pytest.raises(DataError):
        list(read(tmp_path))


def test_what_is_wrong_with_lines_of_a_list(tmp_path: Path) -> None:
    put(tmp_path / "1.png", picture(1))
    lines = ["1.png", "1.png\tああ", "none.png\tあ", "1.png\tあ\tx\ty", "\tあ", "1.png\t4E00", "1.png\tん"]
    (tmp_path / "list.tsv").write_text("\n".join(lines), "utf-8")
    errors: list[DataError] = []
    (glyph,) = read(tmp_path / "list.tsv", on_error=errors.append)
    assert glyph.char == "ん" and glyph.index == 6
    assert [str(error).split(": ")[1] for error in errors] == [f"line {n}" for n in range(1, 7)]
    assert all("\n" not in str(error) for error in errors)


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty.tsv").touch()
    (tmp_path / "sjis.tsv").write_bytes("1.png\t漢".encode("shift_jis"))
    (tmp_path / "folder").mkdir()
    for name, said in (("empty.tsv", "empty"), ("sjis.tsv", "UTF-8"), ("folder", "no pictures"), ("no", "no such")):
        with pytest.raises(DataError, match=said) as error:
            list(read(tmp_path / name, on_error=lambda error: None))
        assert name in str(error.value) and "\n" not in str(error.value)


def test_a_list_with_headings(tmp_path: Path) -> None:
    put(tmp_path / "a.png", picture(1))
    (tmp_path / "list.tsv").write_text("file\tcharacter\na.png\tあ\n", "utf-8")
    (glyph,) = read(tmp_path / "list.tsv")
    assert (glyph.char, glyph.index) == ("あ", 0)
    with pytest.raises(DataError, match="line 2: 'character' is not one character"):
        list(read(put_text(tmp_path / "other.tsv", "a.png\tあ\nfile\tcharacter\n")))


def put_text(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_blocks_are_the_same_glyphs(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for seed, place in enumerate(["a/あ/1.png", "a/あ/2.png", "a/い/3.png", "b/あ/4.png", "b/う/5.png"]):
        put(root / place, picture(seed, (20, 40 if place == "a/い/3.png" else 30)))
    glyphs, found = list(read(root)), list(blocks(root, number=7))
    assert [len(block) for block in found] == [2, 1, 2]
    assert "".join(chr(code) for block in found for code in block.chars) == "".join(g.char for g in glyphs)
    assert [block.writers[place] for block in found for place in block.writer] == [g.writer for g in glyphs]
    assert [int(place) for block in found for place in block.index] == [g.index for g in glyphs]
    assert all(
        np.array_equal(a, b.gray) for a, b in zip((g for block in found for g in block.gray), glyphs, strict=True)
    )
    assert {number for block in found for number in block.meta["file"].tolist()} == {7}
