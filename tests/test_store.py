"""A glyph file gives back what was put in, appears whole or not at all, and knows when it was damaged."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from jphtr.charset import Charset
from jphtr.errors import CharsetError, DataError
from jphtr.records import Glyph, GlyphBlock
from jphtr.store import Source, open_glyphs, verify, write_blocks, write_glyphs
from jphtr.store.deflate import ERRORS, deflated, inflated

CHARS = Charset("あいう漢A")
SOURCES = [Source("one.ttf", "ab" * 32, "OFL-1.1"), Source("two.ttf", "", "CC0")]


def planted(count: int, seed: int = 7) -> Iterator[Glyph]:
    """Random pictures, every third without a known em square."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        gray = rng.integers(0, 256, (64, 64), dtype=np.uint8)
        meta = {"form": number % 2, "em": (8.0, 8.0, 56.0, 56.0), "advance": 0.5, "style": "hand"}
        writer, source = f"family{number % 3}/face", SOURCES[number % 2].name
        yield Glyph(gray, CHARS.chars[1 + number % 5], writer, source, number * 10, meta if number % 3 else {})


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    glyphs = list(planted(700))  # more than two chunks
    written = write_glyphs(tmp_path / "g.h5", glyphs, CHARS, sources=SOURCES, normalisation={"canvas": 64})
    with open_glyphs(tmp_path / "g.h5") as found:
        assert len(found) == written.glyphs == 700
        assert found.charset == CHARS and found.normalisation == {"canvas": 64}
        assert set(found.sources) == set(SOURCES) and found.digest == written.digest
        assert found.writers == ("family0/face", "family1/face", "family2/face")
        for before, after in zip(glyphs, found, strict=True):
            assert np.array_equal(before.gray, after.gray) and after.gray.dtype == np.uint8
            assert (before.char, before.writer, before.source) == (after.char, after.writer, after.source)
            assert before.index == after.index and after.meta["form"] == before.meta.get("form", 0)
            assert np.array_equal(after.meta["em"], before.meta.get("em", [np.nan] * 4), equal_nan=True)
        assert found.glyph(699).index == 6990 and found.styles["family1/face"] == "hand"


def test_digest_is_of_the_content(tmp_path: Path) -> None:
    first = write_glyphs(tmp_path / "a.h5", planted(300), CHARS, sources=SOURCES)
    again = write_glyphs(tmp_path / "b.h5", planted(300), CHARS, sources=SOURCES)
    other = write_glyphs(tmp_path / "c.h5", planted(300, seed=8), CHARS, sources=SOURCES)
    assert first.digest == again.digest != other.digest
    assert verify(tmp_path / "a.h5") == first


@pytest.mark.parametrize("column", ["gray", "label", "em", "writer"])
def test_verify_sees_a_change(tmp_path: Path, column: str) -> None:
    write_glyphs(tmp_path / "g.h5", planted(20), CHARS)
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        file[column][7] = file[column][7] ^ 1 if column != "em" else file["em"][7] + 0.5
    with pytest.raises(DataError, match="digest"):
        verify(tmp_path / "g.h5")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    before = write_glyphs(tmp_path / "g.h5", planted(20), CHARS)

    def breaks() -> Iterator[Glyph]:
        yield from planted(400)
        raise DataError("archive.bin: cut short")

    with pytest.raises(DataError, match="cut short"):
        write_glyphs(tmp_path / "g.h5", breaks(), CHARS)
    assert verify(tmp_path / "g.h5") == before
    assert [path.name for path in tmp_path.iterdir()] == ["g.h5"]


def test_an_open_file_travels_to_another_process(tmp_path: Path) -> None:
    write_glyphs(tmp_path / "g.h5", planted(20), CHARS)
    with open_glyphs(tmp_path / "g.h5") as here:
        there = pickle.loads(pickle.dumps(here))
        assert np.array_equal(there.gray[:], here.gray[:])
        there.close()


def test_bad_glyphs_are_named(tmp_path: Path) -> None:
    gray = np.full((64, 64), 255, np.uint8)
    with pytest.raises(CharsetError, match="'龍' of a/b"):
        write_glyphs(tmp_path / "g.h5", [Glyph(gray, "龍", "a/b", "s", 0)], CHARS)
    with pytest.raises(DataError, match=r"\(64, 32\)"):
        write_glyphs(tmp_path / "g.h5", [Glyph(gray[:, :32], "あ", "a/b", "s", 0)], CHARS)
    with pytest.raises(DataError, match="nothing to write"):
        write_glyphs(tmp_path / "g.h5", [], CHARS)
    with pytest.raises(DataError, match="cannot be written"):
        write_glyphs(Path("/dev/null/g.h5"), planted(3), CHARS)
    assert not list(tmp_path.iterdir())


def test_bad_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "g.h5"
    with pytest.raises(DataError, match=r"g\.h5: no such file"):
        open_glyphs(path)
    path.write_bytes(b"not a glyph file")
    with pytest.raises(DataError, match="not an HDF5"):
        open_glyphs(path)
    with h5py.File(path, "w") as file:
        file["gray"] = np.zeros((1, 64, 64), np.uint8)
    with pytest.raises(DataError, match="not a whole glyph file"):
        open_glyphs(path)
    write_glyphs(path, planted(600), CHARS)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"g\.h5"):
        verify(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    with pytest.raises(DataError, match="format 99"):
        open_glyphs(path)


# ---- blocks ----


def block(
    source: str, chars: str, *, size: tuple[int, int] = (6, 5), seed: int = 0, **meta: NDArray[Any]
) -> GlyphBlock:
    rng = np.random.default_rng(seed)
    count = len(chars)
    return GlyphBlock(
        rng.integers(0, 256, (count, *size), dtype=np.uint8),
        np.array([0 if c == "_" else ord(c) for c in chars], np.uint32),
        np.arange(count, dtype=np.int32) % 2,
        (f"{source}:a", f"{source}:b"),
        source,
        np.arange(count, dtype=np.int64) + 10,
        meta,
    )


BLOCKS = (
    block("X", "あ_亜", sheet=np.array([7, 8, 9], np.uint16)),
    block("Y", "阿𪚥", seed=1, age=np.array([20, 70], np.uint8), sheet=np.array([1, 2], np.uint16)),
    block("X", "い" * 300, seed=2, sheet=np.arange(300, dtype=np.uint16)),
)


@pytest.mark.parametrize("compress", [True, False])
def test_blocks_come_back(tmp_path: Path, compress: bool) -> None:
    written = write_blocks(tmp_path / "g.h5", BLOCKS, CHARS, sources=[Source("Y", "", "CC0")], compress=compress)
    assert (written.glyphs, written.writers) == (305, 4)
    with open_glyphs(tmp_path / "g.h5") as file:
        assert file.shape == (6, 5) and file.sources[1].licence == "CC0"
        assert file.charset.chars[: len(CHARS)] == CHARS.chars and "𪚥" in file.charset.chars[len(CHARS) :]
        back = list(file.blocks(100))
        assert [len(b) for b in back] == [3, 2, 100, 100, 100]
        for name in ("gray", "chars", "index"):
            joined = np.concatenate([getattr(b, name) for b in back])
            assert np.array_equal(joined, np.concatenate([getattr(b, name) for b in BLOCKS]))
        for b in back:
            assert set(b.meta) == set(file.columns[b.source])
        assert [b.writers[b.writer[-1]] for b in back[:2]] == ["X:a", "Y:b"]
        assert file.column("sheet")[:6].tolist() == [7, 8, 9, 1, 2, 0]
        assert file.column("age")[:6].tolist() == [0, 0, 0, 20, 70, 0]
        rows = [304, 2, 2, 100]
        assert np.array_equal(file.grays(rows), np.stack([file.gray[row] for row in rows]))
        with pytest.raises(DataError, match="no column shoe; there are: age, sheet"):
            file.column("shoe")
    assert verify(tmp_path / "g.h5") == written


def test_the_digest_of_blocks_is_of_the_content(tmp_path: Path) -> None:
    one = write_blocks(tmp_path / "1.h5", BLOCKS, CHARS).digest
    assert write_blocks(tmp_path / "2.h5", BLOCKS, CHARS, compress=False).digest == one
    with open_glyphs(tmp_path / "1.h5") as file:
        assert write_blocks(tmp_path / "3.h5", file.blocks(), CHARS).digest == one
    with h5py.File(tmp_path / "1.h5", "r+") as file:
        file["meta/age"][4] = 71
    with pytest.raises(DataError, match="digest"):
        verify(tmp_path / "1.h5")


def test_blocks_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Z is \(6, 6\) px and what came before \(6, 5\)"):
        write_blocks(tmp_path / "g.h5", [BLOCKS[0], block("Z", "う", size=(6, 6))], CHARS)
    assert not list(tmp_path.iterdir())


def test_a_damaged_glyph_is_named(tmp_path: Path) -> None:
    write_blocks(tmp_path / "g.h5", BLOCKS, CHARS)
    with h5py.File(tmp_path / "g.h5", "r+") as file:
        file["gray"].id.write_direct_chunk((5, 0, 0), b"no deflate")
    with open_glyphs(tmp_path / "g.h5") as file, pytest.raises(DataError, match="row 5 is damaged"):
        file.grays([1, 5])


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """Its part goes with the next write; the part of a writer that lives stays."""
    path = tmp_path / "glyphs.h5"
    dead, alive, other = (tmp_path / f".{name}.part" for name in ("glyphs.h5.1", "glyphs.h5.2", "more.h5.3"))
    dead.write_bytes(b"half")
    other.write_bytes(b"half")
    with h5py.File(alive, "w"):
        write_glyphs(path, planted(5), CHARS)
        assert not dead.exists() and alive.exists() and other.exists()


def test_streams_are_those_of_zlib() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8).tobytes()
    for picture in (gray, bytes(4096), b""):
        assert zlib.decompress(deflated(picture)) == picture
        assert inflated(zlib.compress(picture)) == picture
    with pytest.raises(ERRORS):
        inflated(deflated(gray)[:-900])
