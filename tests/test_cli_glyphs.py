"""render-fonts, render-strokes, verify and charset as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jphtr.charset import default
from jphtr.cli import main
from jphtr.store import open_glyphs


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    pytest.importorskip("fontTools")
    from toy_font import build

    return build(tmp_path / "toy.ttf")


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_render_fonts_and_verify(toy: Path, tmp_path: Path) -> None:
    out = tmp_path / "g.h5"
    assert run("render-fonts", toy, "-o", out, "--family", "Toy Family", "--style", "hand")[:2] == (0, "")
    with open_glyphs(out) as glyphs:
        assert glyphs.writers == ("Toy Family/Toy-Bold",) and glyphs.styles == {"Toy Family/Toy-Bold": "hand"}
        assert {glyph.char for glyph in glyphs} == set("国永ー、A")
        assert glyphs.sources[0].licence == "CC0" and len(glyphs.sources[0].sha256) == 64
    code, text, _ = run("verify", out)
    assert code == 0 and "whole, 7 glyphs of 1 writers" in text
    again = tmp_path / "again.h5"
    run("render-fonts", toy, "-o", again, "--family", "Toy Family", "--style", "hand")
    with open_glyphs(out) as one, open_glyphs(again) as other:
        assert one.digest == other.digest


def test_render_fonts_chars_file(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "chars.txt").write_text("国Ａ\n", encoding="utf-8")
    assert run("render-fonts", toy, "-o", tmp_path / "g.h5", "--chars", tmp_path / "chars.txt")[0] == 0
    with open_glyphs(tmp_path / "g.h5") as glyphs:
        assert {glyph.char for glyph in glyphs} == set("国A")


def test_one_bad_font_does_not_hide_the_others(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    code, _, err = run("render-fonts", tmp_path, "-o", tmp_path / "g.h5")
    assert code == 1 and err.count("jphtr: error: ") == 1 and "bad.ttf" in err
    with open_glyphs(tmp_path / "g.h5") as glyphs:
        assert len(glyphs) == 7


def test_verify_names_what_is_wrong(toy: Path, tmp_path: Path) -> None:
    run("render-fonts", toy, "-o", tmp_path / "g.h5")
    code, out, err = run("verify", tmp_path / "gone.h5", tmp_path / "g.h5", toy)
    assert code == 1 and out.count("whole") == 1 and err.count("jphtr: error: ") == 2


def test_render_strokes(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    table = tmp_path / "strokes.tsv"
    table.write_text("char\tvariant\tfile\tstrokes\n十\t\tx\tM14,54H95|M54,14V95\n", encoding="utf-8")
    out = tmp_path / "g.h5"
    words = (table, "-o", out, "--writers", 3, "--pens", "brush,marker", "--seed", 9)
    assert run("render-strokes", *words)[0] == 0
    with open_glyphs(out) as glyphs:
        assert [glyphs.styles[w] for w in glyphs.writers] == ["brush", "marker", "brush"]
        assert "十" in {glyph.char for glyph in glyphs}
        assert glyphs.sources[0].licence.startswith("CC BY-SA 3.0")
    code, _, err = run("render-strokes", tmp_path / "gone.tsv", "-o", out)
    assert code == 1 and "gone.tsv" in err
    code, _, err = run("render-strokes", table, "-o", out, "--pens", "crayon")
    assert code == 1 and "no such pen" in err


def test_charset_covers_what_it_promises(tmp_path: Path) -> None:
    code, out, _ = run("charset", "-f", "json", "--missing")
    report = json.loads(out)
    groups = {row["group"]: row for row in report["groups"]}
    assert code == 0 and report["characters"] == len(default()) - 1
    expected = {
        "joyo grade 1": 80, "joyo grade 2": 160, "joyo grade 3": 200, "joyo": 2136, "ASCII": 95,
        "JIS level 1": 2965, "JIS level 2": 3390, "JIS X 0208": 6879,
    }  # fmt: skip
    for group, total in expected.items():
        assert (groups[group]["covered"], groups[group]["total"], groups[group]["missing"]) == (
            total,
            total,
            "",
        )
    for group in ("hiragana", "katakana"):
        assert groups[group]["covered"] == groups[group]["total"] > 80


def test_charset_of_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("日本語ﾃｷｽﾄ\n日本😀😀語Ω\r\n", encoding="utf-8-sig")
    _, out, _ = run("charset", path, "--missing")
    assert "8 of 9" in out and "missing: 😀" in out
    row = json.loads(run("charset", path, "-f", "json")[1])["groups"][-1]
    assert row == {"group": str(path), "covered": 8, "total": 9, "uses": 13, "uses_covered": 11}
    path.write_bytes(b"\x93\xfa\x96\x7b")  # Shift_JIS
    code, _, err = run("charset", path)
    assert code == 1 and "not UTF-8" in err
    code, _, err = run("charset", tmp_path / "gone.txt")
    assert code == 1 and "gone" in err
