"""Line files: what goes in comes out, whole or not at all; and `jphtr pack`, which makes them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import h5py
import line_sources as made
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from jphtr import cli
from jphtr.charset import Charset
from jphtr.errors import DataError, SettingsError
from jphtr.sources.lines import read_lines
from jphtr.sources.lines_pack import Packing, divide_lines, pack
from jphtr.splits import SPLITS, part_of
from jphtr.store.columns import Source
from jphtr.store.lines import StoredLine, is_line_file, line_sources, open_lines, verify_lines
from jphtr.store.lines_write import write_lines

TRAIN, VALID, TEST = SPLITS["train"], SPLITS["valid"], SPLITS["test"]


def some(count: int = 40, seed: int = 1) -> Iterator[StoredLine]:
    """Lines of random pixels and texts, some of them larger than a chunk, one without a text."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        shape = (300, 2000) if i == 7 else (int(rng.integers(1, 60)), int(rng.integers(1, 900)))
        text = "" if i == 3 else "".join(rng.choice(list("漢字かな𠮷A 1"), int(rng.integers(1, 20))))
        gray = rng.integers(0, 256, shape, np.uint8)
        yield StoredLine(
            gray, text, f"w{i % 5}", f"s{i % 2}", ("", "horizontal", "vertical")[i % 3], "k" * (i % 2), i % 4
        )


def packed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["pack", *map(str, arguments)])


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "pack", ("jphtr.cli.pack", "pack", "Put lines with known text into one file."))


# ---- the file ----


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines.h5"
    written = write_lines(path, some(), sources=[Source("s1", "", "CC0")], notes={"a": 1})
    assert is_line_file(path) and verify_lines(path) == written
    assert written.lines == 40 and written.writers == 5 and written.chars == sum(len(line.text) for line in some())
    with open_lines(path) as file:
        again = pickle.loads(pickle.dumps(file))
        for row, line in enumerate(some()):
            assert np.array_equal(file.gray(row), line.gray) and np.array_equal(again.gray(row), line.gray)
            assert file.text(row) == line.text and file.line(row).text == line.text
            assert file.writers[file.writer[row]] == line.writer and file.kinds[file.kind[row]] == line.kind
            assert file.sources[file.source[row]].name == line.source and file.split[row] == line.split
            shape_says = "vertical" if line.gray.shape[0] > line.gray.shape[1] else "horizontal"
            assert file.line(row).direction == (line.direction or shape_says)
        assert {source.name: source.licence for source in file.sources} == {"s0": "", "s1": "CC0"}
        assert len(list(file)) == 40 and file.notes == {"a": 1}


def test_any_program_reads_the_pixels(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.h5", some(5))
    with h5py.File(tmp_path / "a.h5") as file:
        start = 0
        for (height, width), line in zip(file["shape"], some(5), strict=True):
            end = start + int(height) * int(width)
            assert np.array_equal(file["gray"][start:end].reshape(height, width), line.gray)
            start = end
        assert bytes(file["letters"][: file["letters_end"][0]]).decode() == next(some()).text


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "a.h5", some()).digest
    assert write_lines(tmp_path / "b.h5", some()).digest == first
    for number, change in enumerate(({"seed": 2}, {"count": 39})):
        assert write_lines(tmp_path / f"c{number}.h5", some(**change)).digest != first  # type: ignore[arg-type]
    assert write_lines(tmp_path / "d.h5", some(), notes={"x": 1}).digest != first


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for name in ("gray", "split", "letters", "writer"):
        write_lines(path, some())
        with h5py.File(path, "r+") as file:
            file[name][5] = file[name][5] ^ 1
        with pytest.raises(DataError, match=r"a\.h5: content digest is .*; pack it again"):
            verify_lines(path)
    write_lines(path, some())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DataError, match=r"a\.h5: not an HDF5 line file, or cut short"):
        open_lines(path)
    write_lines(path, some())
    with h5py.File(path, "r+") as file:
        file["shape"][0] = (1, 1)
    with pytest.raises(DataError, match=r"not a whole line file \(its pixels do not fill its shapes\)"):
        open_lines(path)


def test_other_files_are_no_line_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["label"] = [1]
    (tmp_path / "b.h5").write_text("x")
    assert not is_line_file(tmp_path / "a.h5") and not is_line_file(tmp_path / "b.h5")
    for name, wanted in (
        ("a.h5", "HDF5, but no line file"),
        ("b.h5", "not an HDF5 line file"),
        ("c.h5", "no such file"),
    ):
        with pytest.raises(DataError, match=wanted):
            open_lines(tmp_path / name)
    write_lines(tmp_path / "d.h5", some(2))
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file.attrs["format"] = 2
    with pytest.raises(DataError, match="line file format 2, not 1; pack it again"):
        open_lines(tmp_path / "d.h5")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"

    def failing() -> Iterator[StoredLine]:
        yield from some(10)
        raise DataError("scan.png: broken")

    with pytest.raises(DataError, match=r"scan\.png: broken"):
        write_lines(path, failing())
    assert list(tmp_path.iterdir()) == []
    before = write_lines(path, some(3))
    with pytest.raises(DataError):
        write_lines(path, failing())
    assert list(tmp_path.iterdir()) == [path] and verify_lines(path) == before
    with pytest.raises(DataError, match="nothing to write"):
        write_lines(path, [])


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from jphtr.store.lines import StoredLine
from jphtr.store.lines_write import write_lines
def lines():
    while True:
        yield StoredLine(np.random.default_rng(1).integers(0, 256, (60, 30000), np.uint8), "a", "w", "s")
write_lines(Path(sys.argv[1]), lines())
"""


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    }
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], env=env)
    try:
        for _ in range(6000):
            if any(part.stat().st_size > 1 << 23 for part in tmp_path.glob(".a.h5.*.part")):
                break
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not path.exists() and list(tmp_path.iterdir())
    write_lines(path, some(3))
    assert list(tmp_path.iterdir()) == [path]


def test_lines_are_not_gathered_in_memory(tmp_path: Path) -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def watched() -> Iterator[StoredLine]:
        for _ in range(200):
            gray = np.zeros((50, 2000), np.uint8)
            alive.append(weakref.ref(gray))
            yield StoredLine(gray, "a", "w", "s")
            del gray
            assert sum(one() is not None for one in alive) <= 2

    assert write_lines(tmp_path / "a.h5", watched()).lines == 200


# ---- splits ----


def test_splits_do_not_divide_writers_and_are_those_of_glyphs() -> None:
    writers = [f"w{i % 60}" for i in range(600)]
    parts, how = divide_lines(writers, [0] * 600, "writer")
    assert parts == [part_of(writer) for writer in writers] and how == "" and set(parts) == {TRAIN, VALID, TEST}


def test_what_a_source_says_holds() -> None:
    told = [TEST, VALID, 0, TRAIN] * 25
    for split in ("writer", "line", "none"):
        parts, _ = divide_lines([f"w{i}" for i in range(100)], told, split)  # type: ignore[arg-type]
        assert all(part == given for part, given in zip(parts, told, strict=True) if given) and 0 not in parts


def test_few_writers_are_kept_whole() -> None:
    writers = [name for name in ("a", "b", "c") if part_of(name) == TRAIN]
    assert len(writers) > 1  # so that chance leaves none for validation
    lines = [writer for writer in writers for _ in range(10)]
    parts, how = divide_lines(lines, [0] * len(lines), "writer")
    assert how == "some writers" and set(parts) == {TRAIN, VALID}
    assert len({(writer, part) for writer, part in zip(lines, parts, strict=True)}) == len(writers)


def test_one_writer_is_divided_line_by_line() -> None:
    for writer in ("a", "b", "some folder"):
        parts, how = divide_lines([writer] * 50, [0] * 50, "writer")
        assert how == "line" and parts.count(VALID) == 5 and parts.count(TRAIN) == 45
    assert divide_lines(["a"], [0], "writer")[0] == [TRAIN]
    assert divide_lines(["a"] * 3, [0] * 3, "none") == ([TRAIN] * 3, "")


# ---- packing ----


def test_all_formats_go_into_one_file(tmp_path: Path) -> None:
    for name, write in (("page", made.page_xml), ("alto", made.alto), ("via", made.via_json)):
        made.save(tmp_path / name / "page.png")
        write(tmp_path / name / f"{name}.xml")
    sources = [made.table(tmp_path / "t"), made.sidecars(tmp_path / "s"), made.iam(tmp_path / "iam"),
               *(tmp_path / name / f"{name}.xml" for name in ("page", "alto", "via"))]  # fmt: skip
    written = pack(sources, tmp_path / "a.h5").written
    assert written is not None and written.lines == 18
    with open_lines(tmp_path / "a.h5") as file:
        assert [source.name for source in file.sources] == ["lines", "s", "iam", "page", "alto", "via"]
        assert set(file.writers) == {
            "hand 0", "hand 1", "s:deep", "000", "671", "page:page", "alto:alto", "a"
        }  # fmt: skip
        texts = [file.text(row) for row in range(18)]
        for row in made.ROWS:
            places = [place for place, text in enumerate(texts) if text == row.text]
            assert len(places) == 5 and all(np.array_equal(file.gray(p), made.piece(row)) for p in places)
    again = list(read_lines(tmp_path / "a.h5"))
    assert [ref.text for ref in again] == texts and again[0].split == "valid" and again[0].kind == "noise"
    first = verify_lines(tmp_path / "a.h5")
    second = pack([tmp_path / "a.h5"], tmp_path / "b.h5").written
    assert second is not None and (second.lines, second.writers) == (first.lines, first.writers)


def test_the_command_leaves_out_and_lists_or_stops(tmp_path: Path) -> None:
    table = made.table(tmp_path)
    with table.open("a", encoding="utf-8") as file:
        file.write("img/none.png\tx\nimg/bad.png\ty\nimg/long.png\tz\n")
    (tmp_path / "img" / "bad.png").write_bytes(b"not a picture")
    Image.new("L", (40_000, 1), 200).save(tmp_path / "img" / "long.png")
    done = packed(table, "-o", tmp_path / "a.h5", "--licence", "CC0", "--split", "none")
    assert done.exit_code == 1
    errors = [line for line in done.output.splitlines() if line.startswith("jphtr: error: ")]
    assert len(errors) == 3 and "none.png: no such file" in errors[0] and "bad.png: not a picture" in errors[1]
    assert "long.png: 40000 x 1 pixels is too long for one line; cut it into parts" in errors[2]
    chars = sum(len(row.text) for row in made.ROWS)
    assert f"{tmp_path / 'a.h5'}: 3 lines of 2 writers, {chars} characters, digest" in done.output
    assert "split: train 0 lines of 0 writers, valid 3 lines of 2 writers" in done.output
    assert "direction: horizontal 2, vertical 1" in done.output and "source: lines, CC0" in done.output
    stopped = packed(table, "-o", tmp_path / "b.h5", "--strict")
    assert stopped.exit_code == 1 and stopped.output.count("\n") == 1 and "none.png: no such file" in stopped.output
    assert not (tmp_path / "b.h5").exists()


def test_licences_go_with_the_lines(tmp_path: Path) -> None:
    table = made.table(tmp_path)
    rows = table.read_text("utf-8").splitlines()
    told = ["licence", "CC0", "CC BY", "CC0"]
    table.write_text("\n".join(f"{row}\t{licence}" for row, licence in zip(rows, told, strict=True)), "utf-8")
    pack([table], tmp_path / "a.h5")
    pack([made.sidecars(tmp_path / "own")], tmp_path / "b.h5", Packing(licence="mine"))
    pack([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    assert line_sources([tmp_path / "c.h5", tmp_path / "a.h5"]) == [
        {"name": "lines", "licence": "CC0; CC BY"}, {"name": "own", "licence": "mine"}
    ]  # fmt: skip


def test_the_command_on_good_lines_and_on_nothing(tmp_path: Path) -> None:
    done = packed(made.table(tmp_path), "-o", tmp_path / "a.h5")
    assert done.exit_code == 0 and "jphtr: error" not in done.output
    for arguments, said, code in (
        ([tmp_path / "none", "-o", tmp_path / "b.h5"], "none: No such file", 1),
        ([tmp_path / "lines.tsv", "-o", tmp_path / "b.h5", "--writer-from", "("], "--writer-from (: not a regular", 1),
        ([tmp_path / "lines.tsv"], "Missing option '-o'", 2),
    ):
        failed = packed(*arguments)
        assert failed.exit_code == code and said in failed.output and not (tmp_path / "b.h5").exists()


def test_writers_by_name_and_by_pattern(tmp_path: Path) -> None:
    table = made.table(tmp_path)
    for options, wanted in (
        (Packing(writer="me"), {"me"}),
        (Packing(writer_from=r"(\d)\.png"), {"0", "1", "2"}),
        (Packing(writer_from=r"\d\.png"), {"0.png", "1.png", "2.png"}),
    ):
        pack([table], tmp_path / "a.h5", options)
        with open_lines(tmp_path / "a.h5") as file:
            assert set(file.writers) == wanted
    with pytest.raises(DataError, match=r"0\.png: --writer-from z\$ finds no writer in this name"):
        pack([table], tmp_path / "a.h5", Packing(writer_from="z$"))
    with pytest.raises(SettingsError, match="not a regular expression"):
        pack([table], tmp_path / "a.h5", Packing(writer_from="["))


def test_pixels_are_turned_so_that_paper_is_light(tmp_path: Path) -> None:
    gray = np.full((40, 200), 240, np.uint8)
    gray[10:30, 20:180:9] = 10
    for number, picture in enumerate((gray, 255 - gray)):
        made.save(tmp_path / f"{number}.png", picture)
        (tmp_path / f"{number}.txt").write_text("あ", "utf-8")
    pack([tmp_path], tmp_path / "a.h5")
    with open_lines(tmp_path / "a.h5") as file:
        assert np.array_equal(file.gray(0), gray) and np.array_equal(file.gray(1), gray)


def test_what_is_odd_about_lines_is_said(tmp_path: Path) -> None:
    line = np.full((40, 200), 240, np.uint8)
    line[10:30, 20:180:9] = 10
    blank = np.full((40, 200), 240, np.uint8)
    for name, gray, text in (("1", line, "龘と\u200b齉と葛\U000e0100"), ("2", blank, "あ"), ("3", line, "いろは" * 40)):
        made.save(tmp_path / f"{name}.png", gray)
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    made.save(tmp_path / "4.png", line)
    found = pack([tmp_path], tmp_path / "a.h5", Packing(charset=Charset("あいろはと葛")))
    assert dict(found.outside) == {"龘": 1, "齉": 1} and found.outside_lines == 1 and found.invisible == 2
    assert [Path(name).name for name in found.faint] == ["2.png"] and [Path(name).name for name in found.dense] == [
        "3.png"
    ]
    assert found.untold == 1
    done = packed(tmp_path, "-o", tmp_path / "b.h5")
    said = [line for line in done.output.splitlines() if line.startswith("jphtr: warning: ")]
    assert any(
        "1 lines hold characters outside the charset: 龘 1, 齉 1; train-line takes them with --resize" in x
        for x in said
    )
    assert any("1 places or pictures have no text yet" in x for x in said) and len(said) == 6 and done.exit_code == 0
    with open_lines(tmp_path / "b.h5") as file:
        assert file.text(0) == "龘と齉と葛"
