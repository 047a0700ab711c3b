"""inspect counts what a brute force counts, and a contact sheet shows the glyphs that were asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from etl_files import archive, jis, levels
from numpy.typing import NDArray
from PIL import Image

from jphtr.charset import Charset
from jphtr.cli import main
from jphtr.errors import DataError
from jphtr.inventory import ABSENT, NONE, count, keys, select, take_inventory
from jphtr.records import Glyph, GlyphBlock
from jphtr.splits import SPLITS, assign
from jphtr.store import Input, Source, open_glyphs, write_blocks, write_glyphs

CHARS = "あいアA漢、7𠮟"
SCRIPTS = {
    "あ": "hiragana",
    "い": "hiragana",
    "ア": "katakana",
    "A": "latin",
    "漢": "kanji",
    "、": "symbol",
    "7": "digit",
}


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def table(*words: object) -> list[dict[str, str]]:
    code, text, said = run("inspect", *words)
    assert (code, said) == (0, "")
    head, *lines = (line.split("\t") for line in text.removesuffix("\n").split("\n"))
    return [dict(zip(head, line, strict=True)) for line in lines]


def block(
    source: str, count: int, writers: int, seed: int, shape: tuple[int, int] = (8, 8), **meta: NDArray[Any]
) -> GlyphBlock:
    """Random glyphs, one in ten of no known character; gray number n is n all over."""
    rng = np.random.default_rng(seed)
    gray = np.empty((count, *shape), np.uint8)
    gray[:] = (np.arange(count) % 200)[:, None, None]
    codes = rng.choice([0, *map(ord, CHARS)], count, p=[0.1, *[0.9 / len(CHARS)] * len(CHARS)])
    writer = rng.integers(0, writers, count).astype(np.int32)
    names = tuple(f"{source}:{number}" for number in range(writers))
    return GlyphBlock(gray, codes.astype(np.uint32), writer, names, source, np.arange(count), meta)


@pytest.fixture
def two_sets(tmp_path: Path) -> Path:
    """Two split sets, of which only the first has a quality and only the second a mark."""
    one = block("one", 300, 40, 1, quality=np.random.default_rng(3).integers(0, 3, 300).astype("u1"))
    two = block("two", 70, 7, 2, mark=np.array([b"A", b"B"] * 35, "S8"))
    path = tmp_path / "two.h5"
    sources = [Source("one", "", "CC0; cite: nobody"), Source("two", "", "MIT")]
    inputs = [Input("one.bin", 1234567, "ab" * 32)]
    write_blocks(path, assign([one, two]), Charset("いあ"), sources=sources, inputs=inputs)
    return path


def brute(path: Path) -> list[dict[str, str]]:
    """Every glyph with all that it can be counted by, one glyph at a time."""
    rows = []
    names = {value: name for name, value in SPLITS.items()}
    with open_glyphs(path) as glyphs:
        quality, mark, split = (glyphs.column(name) for name in ("quality", "mark", "split"))
        for number, glyph in enumerate(glyphs):
            script = "kanji" if glyph.char == "𠮟" else SCRIPTS.get(glyph.char, NONE)
            own = {"quality": str(quality[number]), "mark": ABSENT}
            if glyph.source == "two":
                own = {"quality": ABSENT, "mark": mark[number].decode()}
            rows.append(
                {"class": glyph.char or NONE, "writer": glyph.writer, "set": glyph.source, "script": script, **own}
                | {"split": names[int(split[number])]}
            )
    return rows


@pytest.mark.parametrize("key", ["class", "writer", "set", "script", "split", "quality", "mark"])
def test_counts_are_those_of_a_brute_force(two_sets: Path, key: str) -> None:
    truth = brute(two_sets)
    found = table(two_sets, "--by", key)
    assert Counter({row[key]: int(row["glyphs"]) for row in found}) == Counter(row[key] for row in truth)
    assert len({row[key] for row in found}) == len(found)
    for row in found:
        own = [glyph for glyph in truth if glyph[key] == row[key]]
        if key != "class":
            assert int(row["classes"]) == len({glyph["class"] for glyph in own} - {NONE})
        if key != "writer":
            assert int(row["writers"]) == len({glyph["writer"] for glyph in own})
        if key != "split":
            assert [int(row[part]) for part in SPLITS] == [sum(g["split"] == part for g in own) for part in SPLITS]
        if key == "class" and row["class"] != NONE:
            assert row["code"] == f"U+{ord(row['class']):04X}" and row["script"] == own[0]["script"]


def test_inventory_is_that_of_a_brute_force(two_sets: Path) -> None:
    truth = brute(two_sets)
    with open_glyphs(two_sets) as glyphs:
        found = take_inventory(glyphs)
    for tally in (found.total, *found.sets):
        own = [glyph for glyph in truth if tally.name in ("all", glyph["set"])]
        assert (tally.glyphs, tally.unknown) == (len(own), sum(glyph["class"] == NONE for glyph in own))
        for key, spread in (("class", tally.classes), ("writer", tally.writers)):
            often = Counter(glyph[key] for glyph in own if glyph[key] != NONE).values()
            assert (spread.number, spread.fewest, spread.median, spread.most, spread.few) == (
                len(often), min(often), median(often), max(often), sum(n < 5 for n in often),
            )  # fmt: skip
        assert tally.splits == {part: sum(g["split"] == part for g in own) for part in (*SPLITS, NONE)}
        assert tally.published is None
    assert sorted(found.chars) == sorted({glyph["class"] for glyph in truth} - {NONE})
    assert found.divided_writers == 0 and [tally.name for tally in found.sets] == ["one", "two"]


def test_a_selection_is_what_a_brute_force_selects(two_sets: Path) -> None:
    truth = brute(two_sets)
    with open_glyphs(two_sets) as glyphs:
        for where, chars in (
            ([("set", "one"), ("quality", "2")], None),
            ([("script", "hiragana")], "あいア鬱"),
            ([("split", "train"), ("mark", "A")], "Ａ漢"),
            ([("set", "one")], "い鬱"),
            ([("quality", ABSENT)], None),
            ([("class", NONE)], None),
        ):
            wanted = [
                number
                for number, glyph in enumerate(truth)
                if all(glyph[key] == value for key, value in where)
                and (chars is None or glyph["class"] in chars.replace("Ａ", "A"))
            ]
            rows = select(glyphs, where, chars)
            assert rows.tolist() == wanted
            found = take_inventory(glyphs, rows)
            assert found.total.glyphs == len(wanted) == sum(count(glyphs, "writer", rows).columns["glyphs"])
            assert {tally.name for tally in found.sets} == {truth[number]["set"] for number in wanted}


def test_writers_on_both_sides_of_a_random_split_are_counted(tmp_path: Path) -> None:
    one = block("one", 200, 30, 5)
    write_blocks(tmp_path / "r.h5", assign([one], seed=1), Charset("あ"), normalisation={"split": "random"})
    with open_glyphs(tmp_path / "r.h5") as glyphs:
        pairs = {(writer, part) for writer, part in zip(glyphs.writer.tolist(), glyphs.column("split"), strict=True)}
        divided = sum(number > 1 for number in Counter(writer for writer, _ in pairs).values())
        assert take_inventory(glyphs).divided_writers == divided > 0
    assert (
        f"at random, glyph by glyph; {divided} writers stand in more than one part"
        in run("inspect", tmp_path / "r.h5")[1]
    )


def test_an_archive_knows_its_scripts_best(tmp_path: Path) -> None:
    one = block("one", 50, 3, 6, script=(np.arange(50) % 7).astype("u1"))
    write_blocks(tmp_path / "s.h5", [one, block("two", 40, 3, 7)], Charset("あ"))
    rows = {row["script"]: row["glyphs"] for row in table(tmp_path / "s.h5", "--by", "script", "--set", "one")}
    names = (NONE, "hiragana", "katakana", "kanji", "digit", "latin", "symbol")
    assert rows == {name: str(sum(n % 7 == at for n in range(50))) for at, name in enumerate(names)}
    own = table(tmp_path / "s.h5", "--by", "script", "--set", "two")
    with open_glyphs(tmp_path / "s.h5") as glyphs:
        truth = Counter(glyph.char in tuple("あい") for glyph in glyphs if glyph.source == "two")
    assert {row["script"]: int(row["glyphs"]) for row in own}["hiragana"] == truth[True]


def test_report_and_json(two_sets: Path) -> None:
    code, text, said = run("inspect", two_sets, "--missing")
    with open_glyphs(two_sets) as glyphs:
        digest, unknown = glyphs.digest, int(np.count_nonzero(glyphs.label == 0))
    assert (code, said) == (0, "")
    assert digest in text and "370 of 8 x 8 px" in text and f"{unknown} glyphs without a known character" in text
    assert "1,234,567  abababababab" in text and "licence of one: CC0; cite: nobody" in text
    missing = next(line for line in text.splitlines() if line.startswith("    missing: ぁ"))
    assert "う" in missing and "あ" not in missing
    files = json.loads(run("inspect", two_sets, two_sets, "--json", "--by", "mark", "--missing")[1])["files"]
    one, other = files
    assert one == other and one["digest"] == digest and one["total"]["unknown"] == unknown
    assert one["inputs"] == [{"name": "one.bin", "size": 1234567, "sha256": "ab" * 32}]
    assert [row["mark"] for row in one["by"]] == ["A", "B", ABSENT] and one["by"][0]["glyphs"] == 35
    groups = {row["group"]: row for row in one["coverage"]}
    assert groups["hiragana"]["covered"] == 2 and "う" in groups["hiragana"]["missing"]
    chosen = json.loads(run("inspect", two_sets, "--json", "--set", "two")[1])["files"][0]
    assert (
        chosen["total"]["glyphs"] == 70 and chosen["glyphs_in_file"] == 370 and "missing" not in chosen["coverage"][0]
    )


def test_rendered_fonts_have_styles_and_no_split(tmp_path: Path) -> None:
    def drawn(number: int) -> Glyph:
        writer = f"family{number % 3}/face"
        meta = {"style": ("print", "hand", "print")[number % 3], "form": number % 2}
        return Glyph(
            np.full((16, 16), number, np.uint8), CHARS[number % 5], writer, f"フォント{number % 3}.ttf", number, meta
        )

    path = tmp_path / "fonts.h5"
    write_glyphs(path, map(drawn, range(60)), Charset(CHARS))
    code, text, _ = run("inspect", path)
    assert code == 0 and "not divided into train, valid and test" in text and "licence not noted" in text
    rows = [line for line in text.splitlines() if line.startswith("フォント")][:3]
    assert [row.split()[1:] for row in rows] == [["20", "5", "1"]] * 3  # glyphs, classes, writers
    assert table(path, "--by", "style") == [
        {"style": "print", "glyphs": "40", "classes": "5", "writers": "2"},
        {"style": "hand", "glyphs": "20", "classes": "5", "writers": "1"},
    ]
    assert [row["glyphs"] for row in table(path, "--by", "form")] == ["30", "30"]
    code, _, said = run("inspect", path, "--by", "split")
    assert code == 1 and said.count("\n") == 1 and "there are: class, writer, set, script, style, form" in said


@pytest.fixture
def etl(tmp_path: Path) -> Path:
    """ETL4 (hiragana under codes of katakana), ETL2 with codes of no character, ETL8G with model images."""
    folder = tmp_path / "etl"
    folder.mkdir()
    kana = [{"sheet": 5001 + n, "code": 0xB1 + n % 3, "image": levels("ETL4", n), "quality": n % 2} for n in range(12)]
    (folder / "ETL4C").write_bytes(archive("ETL4", kana))
    codes = [(4, 4), (5, 19), (5, 44), (63, 63)]  # 上, two cells of the table that are ▲, and what lies outside of it
    print_ = [{"mark": "A", "first": a, "second": b, "image": levels("ETL2", a)} for a, b in codes]
    (folder / "ETL2_1").write_bytes(archive("ETL2", print_))
    kanji = [{"sheet": 1, "code": jis(char), "image": levels("ETL8G", n)} for n, char in enumerate("あ亜唖あ")]
    (folder / "ETL8G_01").write_bytes(archive("ETL8G", kanji))
    (folder / "ETL8G_33").write_bytes(archive("ETL8G", kanji[:2]))
    assert run("unpack-etl", folder, "-o", tmp_path / "etl.h5", "--models")[0] == 0
    return tmp_path / "etl.h5"


def test_etl_against_what_was_published(etl: Path) -> None:
    sets = {one["name"]: one for one in json.loads(run("inspect", etl, "--json")[1])["files"][0]["sets"]}
    numbers = {name: [value for _, value in one["published"].items()][:6] for name, one in sets.items()}
    assert numbers == {
        "ETL2": [4, 52796, 3, 2184, 1, 4],  # a cell of the table is a class, whatever it holds
        "ETL4": [12, 6120, 3, 48, 12, 120],
        "ETL8G": [4, 152960, 3, 956, 1, 160],
    }
    assert (sets["ETL2"]["unknown"], sets["ETL2"]["classes"]["number"]) == (3, 1)
    assert (sets["ETL8G"]["glyphs"], sets["ETL8G"]["models"]) == (6, 2)
    assert {row["script"]: row["glyphs"] for row in table(etl, "--by", "script", "--set", "ETL4")} == {"hiragana": "12"}
    assert [row["quality"] for row in table(etl, "--by", "quality")] == ["0", "1", ABSENT]
    text = run("inspect", etl)[1]
    assert "2 pictures of printed model letters" in text and "AIST" in text and "ETL8G_33" in text


def test_kuzushiji_against_what_was_published(tmp_path: Path) -> None:
    chars = "おきすつなはまやれ"
    meta = {"published": np.full(len(chars), 3, np.uint8)}
    codes = np.array([*map(ord, chars)], np.uint32)
    gray = np.zeros((len(chars), 28, 28), np.uint8)
    one = GlyphBlock(gray, codes, np.zeros(9, np.int32), ("KMNIST:test",), "KMNIST", np.arange(9), meta)
    write_blocks(tmp_path / "k.h5", assign([one]), Charset("あ"))
    with open_glyphs(tmp_path / "k.h5") as glyphs:
        published = take_inventory(glyphs).sets[0].published
        assert published is not None and take_inventory(glyphs, select(glyphs, chars="お")).sets[0].published is None
    assert (published.glyphs, published.of_glyphs, published.classes, published.of_classes) == (9, 70_000, 9, 10)
    assert published.missing == "を" and published.writers is None
    assert "    missing: を\n" in run("inspect", tmp_path / "k.h5", "--missing")[1]


# ---- the contact sheet ----


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Glyphs of odd native size, number n being n all over: 60 of 3 classes by 4 writers."""
    gray = np.empty((60, 31, 40), np.uint8)
    gray[:] = (3 * np.arange(60))[:, None, None]
    codes = np.array([ord("あいA"[n % 3]) for n in range(60)], np.uint32)
    writers = tuple(f"w:{n}" for n in range(4))
    writer = (np.arange(60) // 15).astype(np.int32)
    one = GlyphBlock(gray, codes, writer, writers, "set", np.arange(60), {"quality": np.arange(60) % 2})
    write_blocks(tmp_path / "p.h5", [one], Charset("いあ"))
    return tmp_path / "p.h5"


def shown(path: Path) -> list[int]:
    """Which planted glyphs a sheet shows, in reading order; each stands there whole and once, twice enlarged."""
    pixels = np.asarray(Image.open(path))
    assert pixels.dtype == np.uint8 and pixels.ndim == 2
    found = []
    for number in range(60):
        where = np.argwhere(pixels == 3 * number)
        if len(where) < 31 * 40:
            continue  # the edges of letters have grays too
        rows, columns = np.bincount(where[:, 0]) >= 80, np.bincount(where[:, 1]) >= 62
        top, left = int(rows.argmax()), int(columns.argmax())
        assert (pixels[top : top + 62, left : left + 80] == 3 * number).all()
        found.append((top, left, number))
    return [number for _, _, number in sorted(found)]


def test_a_sheet_has_rows_of_the_asked_classes(planted: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.png"
    code, text, said = run("inspect", planted, "--sheet", out, "--chars", "Aあ", "--count", 6, "--where", "quality=0")
    assert (code, text) == (0, "") and "12 of 20 glyphs" in said
    numbers = shown(out)
    assert [number % 3 for number in numbers] == [2] * 6 + [0] * 6 and all(number % 2 == 0 for number in numbers)
    first = out.read_bytes()
    run("inspect", planted, "--sheet", out, "--chars", "Aあ", "--count", 6, "--where", "quality=0")
    assert out.read_bytes() == first
    (tmp_path / "chars.txt").write_text("あ\nい\n", "utf-8-sig")
    run("inspect", planted, "--sheet", out, "--chars", tmp_path / "chars.txt", "--count", 6, "--where", "quality=0")
    assert shown(out)[:6] == numbers[6:]  # the other class changed nothing
    run("inspect", planted, "--sheet", out, "--chars", "あ", "--count", 6, "--where", "quality=0", "--seed", 2)
    assert shown(out) != numbers[6:] and {number % 6 for number in shown(out)} == {0}


def test_a_sheet_of_one_writer(planted: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.png"
    assert run("inspect", planted, "--sheet", out, "--writer", "w:2", "--set", "set")[0] == 0
    assert shown(out) == list(range(30, 45))
    assert run("inspect", planted, "--sheet", out, "--count", 25)[0] == 0
    numbers = shown(out)
    assert len(numbers) == 25 and numbers == sorted(numbers) != list(range(25))
    code, _, said = run("inspect", planted, "--sheet", out, "--chars", "Aあい鬱", "--where", "class=い")
    assert code == 0 and "no glyph chosen of Aあ鬱" in said and len(shown(out)) == 20


def test_a_sheet_too_large_is_refused(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.contact_sheet.MAX_PIXELS", 90_000)
    code, _, said = run("inspect", planted, "--sheet", tmp_path / "s.png")
    assert code == 1 and said.count("\n") == 1 and "choose fewer" in said
    assert run("inspect", planted, "--sheet", tmp_path / "s.png", "--count", 5)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.h5", "s.png"]


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("words", "gist"),
    [
        (["--by", "colour"], "no column colour; there are: class, writer, set, script, quality"),
        (["--where", "quality=7"], "no glyph has quality 7; there are: 0, 1"),
        (["--where", "size=7"], "no column size"),
        (["--where", "quality"], "give a column and its value"),
        (["--writer", "w:9"], "there are: w:0, w:1, w:2, w:3"),
        (["--chars", "鬱", "--sheet", "s.png"], "no glyph has a character of 鬱"),
        (["--writer", "w:0", "--where", "quality=1", "--chars", "鬱"], "writer w:0 and quality 1 and a character of 鬱"),
        (["--split", "train"], "no column split"),
        (["--sheet", "nowhere/s.png"], "nowhere/s.png: cannot be written"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(
    planted: Path, tmp_path: Path, words: list[str], gist: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text, said = run("inspect", planted, *words)
    assert (code, text) == (1, "") and said.startswith("jphtr: error: ") and said.count("\n") == 1 and gist in said
    assert [path.name for path in tmp_path.iterdir()] == ["p.h5"]


def test_wrong_usage(planted: Path) -> None:
    for words in (["--count", 3], ["--sheet", "s.jpg"], ["--sheet", "s.png", "--json"], [planted, "--sheet", "s.png"]):
        assert run("inspect", planted, *words)[0] == 2


def test_a_damaged_file_is_one_line_and_the_others_are_shown(two_sets: Path, planted: Path) -> None:
    (planted.parent / "text.h5").write_text("no HDF5")
    words = (planted.parent / "gone.h5", planted, planted.parent / "text.h5", two_sets)
    code, text, said = run("inspect", *words)
    assert code == 1 and said.count("jphtr: error: ") == said.count("\n") == 2 and text.count("digest") == 2
    code, text, said = run("inspect", *words, "--by", "set")
    assert code == 1 and [line.split("\t")[1] for line in text.splitlines()] == ["set", "set", "one", "two"]
    assert [len(line.split("\t")) for line in text.splitlines()] == [8] * 4  # only one of them is split


@pytest.mark.parametrize("name", ["label", "writer", "source", "form", "meta/split"])
def test_columns_that_point_nowhere(two_sets: Path, name: str) -> None:
    with h5py.File(two_sets, "r+") as file:
        file[name][5] = 120
    with open_glyphs(two_sets) as glyphs, pytest.raises(DataError, match=f"{name.split('/')[-1]} is damaged"):
        take_inventory(glyphs)


def test_keys_are_in_the_message_and_work(two_sets: Path) -> None:
    with open_glyphs(two_sets) as glyphs:
        assert keys(glyphs) == ("class", "writer", "set", "script", "quality", "split", "mark")
        for key in keys(glyphs):
            assert sum(count(glyphs, key).columns["glyphs"]) == len(glyphs)


def test_help_costs_no_more_than_click() -> None:
    code = "import sys, jphtr.cli.inspect; print([name for name in ('numpy', 'h5py', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
