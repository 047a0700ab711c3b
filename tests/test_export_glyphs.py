"""export-glyphs as a person calls it: what it writes is read back by other tools and by jphtr, pixel for pixel."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from jphtr.charset import default
from jphtr.cli import main
from jphtr.records import Glyph, GlyphBlock
from jphtr.sources import folder
from jphtr.splits import SPLITS
from jphtr.store import Source, open_glyphs, write_blocks, write_glyphs

CHARS = "あ亜A"


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def block(source: str, chars: str, index: list[int], split: list[str], **meta: list[int]) -> GlyphBlock:
    """Noise, four writers."""
    count = len(chars)
    gray = np.random.default_rng(len(source)).integers(0, 256, (count, 12, 10), np.uint8)
    columns = {name: np.array(values, np.uint8) for name, values in meta.items()}
    return GlyphBlock(
        gray, np.array([0 if c == "?" else ord(c) for c in chars], np.uint32), np.arange(count, dtype=np.int32) % 4,
        tuple(f"{source}:{n}" for n in range(4)), source, np.array(index, np.int64),
        {"split": np.array([SPLITS.get(s, 0) for s in split], np.uint8), **columns},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Pictures whose index counts anew in each file or part, an unknown character, a space, and none of a split."""
    path = tmp_path / "g.h5"
    blocks = [
        block("ETL8G", CHARS * 4, [0, 1, 2] * 4, ["train"] * 6 + ["valid"] * 3 + ["test"] * 3,
              file=[1] * 3 + [2] * 3 + [3] * 3 + [12] * 3),
        block("KMNIST", "ああ", [0, 0], ["train", "test"], official=[1, 3]),
        block("my/own set", "あ? あ", [7, 8, 9, 7], ["train", "test", "train", "none"]),
    ]  # fmt: skip
    write_blocks(path, blocks, default(), sources=[Source("KMNIST", "", "CC BY-SA 4.0")])
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_folders(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    code, text, said = run("export-glyphs", store, "-o", out, "--with-unknown")
    assert (code, text) == (0, "") and "18 pictures of 5 classes" in said
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    own = [name for name in names if "own" in name]
    assert own == [
        "none/U+3042/my_own_set-7_2.png", "test/unknown/my_own_set-8.png", "train/U+0020/my_own_set-9.png",
        "train/U+3042/my_own_set-7.png",
    ]  # fmt: skip
    assert [n for n in names if "KMNIST" in n] == ["test/U+3042/KMNIST-test-0.png", "train/U+3042/KMNIST-train-0.png"]
    assert "test/U+0041/ETL8G-12-2.png" in names and "train/U+4E9C/ETL8G-02-1.png" in names and len(names) == 18
    with open_glyphs(store) as glyphs:
        assert np.array_equal(pixels(out / "train/U+4E9C/ETL8G-02-1.png"), glyphs.grays([4])[0])
        assert np.array_equal(pixels(out / own[0]), glyphs.grays([17])[0])
    lines = [line.split("\t") for line in (out / "glyphs.tsv").read_text("utf-8").splitlines()]
    assert lines[4] == ["train/U+4E9C/ETL8G-02-1.png", "亜", "ETL8G:0"]
    assert {line[0] for line in lines} == set(names) - set(own[1:3])  # no space and no unknown character
    about = json.loads((out / "glyphs.json").read_text("utf-8"))
    assert about["ink"] == "dark" and {"name": "KMNIST", "sha256": "", "licence": "CC BY-SA 4.0"} in about["sources"]
    assert "valid: lacks 2 classes" in said and "none: lacks 4" in said and not list(out.parent.glob(".*"))


def test_names_do_not_depend_on_the_choice(store: Path, tmp_path: Path) -> None:
    assert run("export-glyphs", store, "-o", tmp_path / "all", "--no-splits")[0] == 0
    every = {path.name: path.read_bytes() for path in (tmp_path / "all").rglob("*.png")}
    assert len(every) == 17  # unique although all lie together, and one is of no known character
    choices: list[tuple[list[object], int]] = [
        (["--chars", "あ"], 8), (["--set", "KMNIST"], 2), (["--split", "test"], 4), (["--writer", "ETL8G:1"], 3),
        (["--where", "file=12"], 3), (["--limit", 1], 11), (["--limit", 1, "--no-splits"], 4),
        (["--set", "ETL8G", "--chars", "あA", "--split", "train"], 4),
    ]  # fmt: skip
    for number, (choice, count) in enumerate(choices):
        assert run("export-glyphs", store, "-o", tmp_path / str(number), *choice)[0] == 0, choice
        some = {path.name: path.read_bytes() for path in (tmp_path / str(number)).rglob("*.png")}
        assert len(some) == count and some.items() <= every.items(), choice


def test_image_folder_reads_it(store: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    out = tmp_path / "out"
    run("export-glyphs", store, "-o", out, "--set", "ETL8G")
    train = datasets.ImageFolder(str(out / "train"))
    assert train.classes == ["U+0041", "U+3042", "U+4E9C"] and len(train) == 6
    with open_glyphs(store) as glyphs:
        for row, name in enumerate(["01-0", "01-1", "01-2", "02-0", "02-1", "02-2"]):
            (found,) = [i for i, (path, _) in enumerate(train.samples) if path.endswith(f"ETL8G-{name}.png")]
            image, label = train[found]
            assert np.array_equal(np.array(image)[..., 0], glyphs.grays([row])[0])
            assert train.classes[label] == f"U+{ord(CHARS[row % 3]):04X}"


def test_folder_to_glyph_file_to_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    grays = rng.integers(0, 256, (30, 16, 16), np.uint8)
    drawn = [Glyph(gray, "あ亜A#"[n % 4], f"writer {n % 7}", "mine", n) for n, gray in enumerate(grays)]
    write_glyphs(tmp_path / "1.h5", drawn, default())
    assert run("export-glyphs", tmp_path / "1.h5", "-o", tmp_path / "1")[0] == 0
    again = list(folder.read(tmp_path / "1" / "glyphs.tsv", source="mine", ink="dark"))
    for old, new in zip(drawn, again, strict=True):
        assert np.array_equal(old.gray, new.gray)
        assert (old.char, old.writer, old.source, old.index) == (new.char, new.writer, new.source, new.index)
    write_glyphs(tmp_path / "2.h5", again, default())
    assert run("export-glyphs", tmp_path / "2.h5", "-o", tmp_path / "2")[0] == 0
    one, other = tree(tmp_path / "1"), tree(tmp_path / "2")
    assert one.keys() == other.keys() and len(one) == 32
    for name in one.keys() - {"glyphs.json"}:  # which names the glyph file
        assert one[name] == other[name]
    assert run("export-glyphs", tmp_path / "1.h5", "-o", tmp_path / "3", "--invert")[0] == 0
    for old, new in zip(drawn, folder.read(tmp_path / "3" / "glyphs.tsv", ink="bright"), strict=True):
        assert np.array_equal(old.gray, new.gray)
    assert np.array_equal(pixels(tmp_path / "3" / "U+3042" / "mine-0.png"), 255 - grays[0])


def test_npz(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    code, text, said = run("export-glyphs", store, "-o", out, "--with-unknown", "--invert")
    assert (code, text) == (0, "") and "18 pictures" in said
    with open_glyphs(store) as glyphs, np.load(out, allow_pickle=False) as found:
        names = ["none", *SPLITS]
        assert set(found) == {"images", "labels", "index", "chars", "writers", "sources", "splits"}
        assert found["images"].dtype == np.uint8 and np.array_equal(found["images"], 255 - glyphs.grays(np.arange(18)))
        assert np.array_equal(found["labels"], glyphs.label) and np.array_equal(found["index"], glyphs.index)
        assert found["chars"].tolist() == [glyphs.charset.chars[label] for label in glyphs.label]
        assert found["writers"].tolist() == [glyphs.writers[writer] for writer in glyphs.writer]
        assert found["sources"].tolist() == [glyphs.sources[source].name for source in glyphs.source]
        assert found["splits"].tolist() == [names[split] for split in glyphs.column("split")]
        assert "" in found["chars"] and found["splits"][17] == "none"
    before = out.read_bytes()
    assert run("export-glyphs", store, "-o", tmp_path / "x", "--to", "npz", "--with-unknown", "--invert")[0] == 0
    assert (tmp_path / "x").read_bytes() == before
    assert run("export-glyphs", store, "-o", out, "--chars", "A")[0] == 0
    with np.load(out) as found:
        assert found["chars"].tolist() == ["A"] * 4 and found["images"].shape == (4, 12, 10)


def test_many_pictures_come_in_pieces(tmp_path: Path) -> None:
    count = 2500
    grays = np.random.default_rng(0).integers(0, 256, (count, 4, 4), np.uint8)
    drawn = (Glyph(gray, "いろは"[n % 3], "w", "s", n) for n, gray in enumerate(grays))
    write_glyphs(tmp_path / "g.h5", drawn, default())
    assert run("export-glyphs", tmp_path / "g.h5", "-o", tmp_path / "g.npz")[0] == 0
    with np.load(tmp_path / "g.npz") as found:
        assert np.array_equal(found["images"], grays) and np.array_equal(found["index"], np.arange(count))
    assert run("export-glyphs", tmp_path / "g.h5", "-o", tmp_path / "g", "--chars", "ろ")[0] == 0
    places = sorted((tmp_path / "g" / "U+308D").iterdir(), key=lambda path: int(path.stem[2:]))
    assert np.array_equal(np.stack([pixels(path) for path in places]), grays[1::3])


def test_refusals(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert run("export-glyphs", store, "-o", out)[0] == 0  # an empty folder is no harm
    before = tree(out)
    code, _, said = run("export-glyphs", store, "-o", out, "--chars", "A")
    assert code == 1 and "not empty" in said and tree(out) == before
    other = tmp_path / "other"
    cases: list[tuple[list[object], str]] = [
        (["--chars", "ん"], "ask for less"), (["--set", "ETL9G"], "there are: ETL8G"), (["--split", "dev"], "train"),
        (["--writer", "me"], "ETL8G:0"), (["--where", "index"], "quality=0"), (["--where", "index=-1"], "no column index"),
    ]  # fmt: skip
    for choice, words in cases:
        code, text, said = run("export-glyphs", store, "-o", other, *choice)
        assert (code, text) == (1, "") and said.count("jphtr: error: ") == 1 and words in said, choice
    code, _, said = run("export-glyphs", store, "-o", other, "--set", "my/own set", "--writer", "my/own set:1")
    assert code == 1 and "--with-unknown" in said
    assert run("export-glyphs", tmp_path / "gone.h5", "-o", other)[0] == 1
    assert run("export-glyphs", store, "-o", tmp_path / "g.h5" / "x")[0] == 1  # a file where a folder would be
    assert not other.exists() and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["out", "out.npz"])
def test_nothing_is_left_of_a_failure(tmp_path: Path, name: str) -> None:
    grays = np.random.default_rng(0).integers(0, 256, (1500, 8, 8), np.uint8)
    write_glyphs(tmp_path / "g.h5", (Glyph(gray, "い", "w", "s", n) for n, gray in enumerate(grays)), default())
    with h5py.File(tmp_path / "g.h5", "r+") as file:  # in the second batch
        file["gray"].id.write_direct_chunk((1400, 0, 0), b"no deflated picture")
    code, _, said = run("export-glyphs", tmp_path / "g.h5", "-o", tmp_path / name)
    assert code == 1 and "row 1400 is damaged" in said
    assert [path.name for path in tmp_path.iterdir()] == ["g.h5"]
