"""unpack-etl and unpack-kuzushiji as a person calls them, and the splits they write."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from etl_files import archive, jis, levels
from PIL import Image

from jphtr.charset import default
from jphtr.cli import main
from jphtr.records import GlyphBlock
from jphtr.splits import SPLITS, assign, part_of
from jphtr.store import open_glyphs, verify, write_blocks


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def etl(tmp_path: Path) -> Path:
    """ETL1 (two files), ETL8G in a zip, as a user may have them."""
    folder = tmp_path / "etl"
    (folder / "ETL1" / "ETL1").mkdir(parents=True)
    for number, chars in ((1, "01"), (7, "ｱｲ")):
        records = [
            {"sheet": 1001 + n % 12, "code": c.encode("shift_jis")[0], "image": levels("ETL1", n), "age": 20 + n}
            for c in chars
            for n in range(12)
        ]
        (folder / "ETL1" / "ETL1" / f"ETL1C_{number:02d}").write_bytes(archive("ETL1", records))
    (folder / "ETL1" / "ETL1INFO").write_text("about", "utf-8")
    kanji = [{"sheet": 1, "code": jis(c), "image": levels("ETL8G", n)} for n, c in enumerate("あ亜唖")]
    with zipfile.ZipFile(folder / "ETL8G.zip", "w") as file:
        file.writestr("ETL8G/ETL8G_01", archive("ETL8G", kanji))
    return folder


def test_unpack_etl(etl: Path, tmp_path: Path) -> None:
    out = tmp_path / "etl.h5"
    code, text, said = run("unpack-etl", etl, "-o", out)
    assert (code, text) == (0, "")
    assert "ETL1: 2 files, 48 records" in said and "ETL1C_02" in said and "51 glyphs of 13 writers" in said
    assert "warning" in said and "are missing" in said  # fewer records than published
    with open_glyphs(out) as file:
        assert file.shape == (64, 64) and [s.name for s in file.sources] == ["ETL1", "ETL8G"]
        assert "AIST" in file.sources[0].licence and file.normalisation["split"] == "writer"
        assert "".join(file.charset.chars[label] for label in file.label[::12]) == "01アイあ"
        assert file.column("sheet")[:3].tolist() == [1001, 1002, 1003] and file.column("age")[1] == 21
        splits = file.column("split")
        for row in range(len(file)):
            assert splits[row] == part_of(file.writers[file.writer[row]])
        wanted = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (etl / "ETL1/ETL1").iterdir()}
        assert {i.name: i.sha256 for i in file.inputs if i.name.startswith("ETL1C")} == wanted
        assert np.array_equal(file.grays([0])[0, :63], 255 - np.array(levels("ETL1", 0)).reshape(63, 64) * 17)
    assert run("unpack-etl", etl, "-o", tmp_path / "again.h5")[0] == 0
    assert verify(out).digest == verify(tmp_path / "again.h5").digest


def test_only_append_and_native(etl: Path, tmp_path: Path) -> None:
    out, both = tmp_path / "a.h5", tmp_path / "both.h5"
    assert run("unpack-etl", etl, "-o", out, "--only", "etl1", "--raw")[0] == 0
    with open_glyphs(out) as file:
        assert len(file) == 48 and file.gray.compression is None
    assert run("unpack-etl", etl, "-o", out, "--only", "ETL8", "--append")[0] == 0
    assert run("unpack-etl", etl, "-o", both)[0] == 0
    assert verify(out).digest == verify(both).digest
    code, _, said = run("unpack-etl", etl, "-o", out, "--only", "ETL1", "--append")
    assert code == 1 and "holds ETL1 already" in said
    code, _, said = run("unpack-etl", etl, "-o", out, "--only", "ETL1", "--append", "--size", "32")
    assert code == 1 and "was made with" in said
    code, _, said = run("unpack-etl", etl, "-o", tmp_path / "n.h5", "--size", "native")
    assert code == 1 and "give a size" in said and not (tmp_path / "n.h5").exists()
    assert run("unpack-etl", etl, "-o", tmp_path / "n.h5", "--size", "native", "--only", "ETL8G")[0] == 0
    with open_glyphs(tmp_path / "n.h5") as file:
        assert file.shape == (127, 128)
    assert "no set ETL10" in run("unpack-etl", etl, "-o", out, "--only", "ETL10")[2]
    assert "nothing of ETL9" in run("unpack-etl", etl, "-o", out, "--only", "ETL9")[2]
    assert "give pixels" in run("unpack-etl", etl, "-o", out, "--size", "big")[2]


def test_a_bad_file_stops_or_is_left_out(etl: Path, tmp_path: Path) -> None:
    (etl / "ETL1" / "ETL1" / "ETL1C_02").write_bytes(b"\0" * 2051)
    (etl / "ETL9B.zip").write_bytes((etl / "ETL8G.zip").read_bytes()[:900])
    out = tmp_path / "etl.h5"
    code, _, said = run("unpack-etl", etl, "-o", out)
    assert code == 1 and said.count("error") == 1 and not out.exists()
    code, _, said = run("unpack-etl", etl, "-o", out, "--keep-going")
    assert code == 1 and said.count("jphtr: error:") == 2 and "ETL1C_02" in said and "ETL9B.zip" in said
    with open_glyphs(out) as file:
        assert len(file) == 51
    assert not list(tmp_path.glob(".*"))


def idx(folder: Path, name: str, count: int) -> None:
    rng = np.random.default_rng(count)
    gray, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8)
    images = struct.pack(">IIII", 0x803, count, 28, 28) + gray.tobytes()
    (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">II", 0x801, count) + labels.tobytes())
    )


def test_unpack_kuzushiji(tmp_path: Path) -> None:
    idx(tmp_path, "train", 30)
    idx(tmp_path, "t10k", 20)
    out = tmp_path / "k.h5"
    code, _, said = run("unpack-kuzushiji", tmp_path, "-o", out)
    assert code == 0 and "20 pictures where KMNIST test has 10,000" in said
    with open_glyphs(out) as file:
        assert file.column("split").tolist() == [SPLITS["train"]] * 30 + [SPLITS["test"]] * 20
        assert len(file.inputs) == 4 and file.sources[0].licence.startswith("CC-BY-SA-4.0")
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    code, _, said = run("unpack-kuzushiji", tmp_path, "-o", tmp_path / "x.h5")
    assert code == 1 and "train-labels-idx1-ubyte.gz" in said
    assert "nothing of" in run("unpack-kuzushiji", tmp_path, "-o", out, "--only", "K49")[2]


def test_random_splits_do_not_depend_on_blocks(etl: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.h5"
    assert run("unpack-etl", etl, "-o", out, "--random-split", 5)[0] == 0
    with open_glyphs(out) as file:
        assert file.normalisation["split"] == "random"
        whole = np.concatenate([b.meta["split"] for b in assign(file.blocks(100), seed=5)])
        assert np.array_equal(whole, file.column("split"))
        pieces = np.concatenate([b.meta["split"] for b in assign(file.blocks(7), seed=5)])
        other = np.concatenate([b.meta["split"] for b in assign(file.blocks(), seed=6)])
        assert np.array_equal(whole, pieces) and not np.array_equal(whole, other)


def test_parts_are_eight_to_one_to_one() -> None:
    parts = [part_of(f"ETL1:{n}") for n in range(4000)]
    assert [round(parts.count(SPLITS[name]) / 4000, 2) for name in SPLITS] == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    assert (
        part_of("ETL1:1001")
        == 1 + (0, 0, 0, 0, 0, 0, 0, 0, 1, 2)[int(hashlib.sha256(b"ETL1:1001").hexdigest()[:16], 16) % 10]
    )


def test_labels_without_pictures(tmp_path: Path) -> None:
    """Who has the test pictures alone gets them; labels alone are nothing."""
    home = tmp_path / "kmnist"
    home.mkdir()
    (home / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">II", 0x801, 2) + bytes([0, 1])))
    code, _, said = run("unpack-kuzushiji", home, "-o", tmp_path / "k.h5")
    assert code == 1 and "labels without pictures" in said and not (tmp_path / "k.h5").exists()
    pictures = np.random.default_rng(1).integers(0, 256, (2, 28, 28), dtype=np.uint8)
    (home / "t10k-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 2, 28, 28) + pictures.tobytes())
    (home / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 2) + bytes([3, 9]))
    code, _, said = run("unpack-kuzushiji", home, "-o", tmp_path / "k.h5", "--size", "native")
    assert code == 0 and "train-labels" in said and "not unpacked" in said
    with open_glyphs(tmp_path / "k.h5") as file:
        assert np.array_equal(file.grays([0, 1]), 255 - pictures)


def test_unpack_folder(tmp_path: Path) -> None:
    """A tree and a list come out as their pictures, turned and placed; a bad picture is left out and told."""
    rng = np.random.default_rng(3)
    grays = {}
    for name in ("mine/あ/1.png", "mine/anna/い/2.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        grays[name] = rng.integers(180, 256, (64, 64), dtype=np.uint8)
        grays[name][20:40, 20:40] = 10
        Image.fromarray(grays[name]).save(path)
    (tmp_path / "mine" / "あ" / "0.png").write_bytes(b"no picture")
    (tmp_path / "list.tsv").write_text("mine/あ/1.png\tU+3046\tbela\n", "utf-8")
    out = tmp_path / "mine.h5"
    paths = (tmp_path / "mine", tmp_path / "list.tsv")
    code, _, said = run("unpack-folder", *paths, "-o", out)
    assert code == 1 and "0.png" in said and not out.exists()
    code, _, said = run("unpack-folder", *paths, "-o", out, "--keep-going", "--licence", "mine alone")
    assert code == 1 and "3 glyphs of 3 writers" in said and said.count("error") == 1
    with open_glyphs(out) as file:
        assert "".join(file.charset.chars[label] for label in file.label) == "いあう"
        assert [file.writers[place] for place in file.writer] == ["anna", "mine", "bela"]
        assert np.array_equal(file.grays([1, 0, 2]), [*grays.values(), grays["mine/あ/1.png"]])
        assert {source.licence for source in file.sources} == {"mine alone"}
        lines = [f"{hashlib.sha256((tmp_path / 'mine' / name).read_bytes()).hexdigest()}  {name}\n"
                 for name in ("anna/い/2.png", "あ/0.png", "あ/1.png")]  # fmt: skip
        assert file.inputs[0].sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_raw_files_are_the_same_whatever_the_blocks(tmp_path: Path) -> None:
    """Uncompressed pixels go to the file by whole chunks; blocks end anywhere in them."""
    rng = np.random.default_rng(4)
    grays = rng.integers(0, 256, (1000, 60, 60), dtype=np.uint8)
    for step in (1000, 291, 64):
        blocks = [
            GlyphBlock(
                grays[start : start + step], np.full(len(grays[start : start + step]), ord("あ"), np.uint32),
                np.zeros(len(grays[start : start + step]), np.int32), ("w",), "s",
                np.arange(start, min(start + step, 1000)), {"sheet": np.arange(start, min(start + step, 1000))},
            )
            for start in range(0, 1000, step)
        ]  # fmt: skip
        written = write_blocks(tmp_path / f"{step}.h5", blocks, default(), compress=False)
        assert verify(tmp_path / f"{step}.h5").digest == written.digest
        with open_glyphs(tmp_path / f"{step}.h5") as file:
            assert np.array_equal(file.grays(np.arange(1000)), grays) and np.array_equal(file.gray[()], grays)
            assert file.column("sheet").tolist() == list(range(1000))
