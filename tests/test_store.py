"""A glyph file gives back what was put in, appears whole or not at all, and knows when it was damaged."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from jphtr.charset import Charset
from jphtr.errors import CharsetError, DataError
from jphtr.records import Glyph
from jphtr.store import Source, open_glyphs, verify, write_glyphs

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
