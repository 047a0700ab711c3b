"""verify as a person calls it: every fault that is planted is named with its file, and what is whole is called so."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from etl_files import archive, jis, record
from PIL import Image

from jphtr.charset import jis_levels
from jphtr.cli import main
from jphtr.sources import audit, etl, kuzushiji

DATASETS = Path(__file__).parent.parent / "datasets"


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def codes(source: str, numbers: list[int], **values: int) -> bytes:
    """Records with these codes in this order, and blank pictures."""
    made = {code: record(source, {"code": code, "sheet": 1, **values}) for code in set(numbers)}
    return (bytes(512 if source == "ETL8B" else 576) if source.endswith("B") else b"") + b"".join(
        made[code] for code in numbers
    )


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


E, WO, N = 0xAA, 0xA6, 0xDD  # ヱ ヲ ン
ETL1_13 = codes("ETL1", [E] * 1411 + [WO] * 1411 + [N] * 1411)  # the smallest file that there is


# ---- ETL ----


def test_a_whole_file(tmp_path: Path) -> None:
    path = put(tmp_path / "etl1c-13", ETL1_13)
    digest = hashlib.sha256(ETL1_13).hexdigest()
    code, text, said = run("verify", path)
    assert code == 0
    first, of_set = text.splitlines()
    assert first == f"{path}: whole, ETL1C_13, 4,233 records, 3 classes, sha256 {digest} (none is published)"
    assert of_set.endswith("whole, ETL1, 1 of 13 files, 4,233 pictures, 3 classes")
    assert "warning" in said and "12 of 13 files are missing: ETL1C_01, " in said and "error" not in said
    code, text, said = run("verify", tmp_path)  # a folder promises the whole set
    assert code == 1 and text.startswith(first) and "12 of 13 files are missing: ETL1C_01, " in said
    assert "jphtr: error: " in said and ": wrong, ETL1, 1 of 13" in text


FAULTS: dict[str, tuple[str, bytes, str]] = {
    "cut in a record": ("ETL1C_13", ETL1_13[:-100], "8,686,016 bytes where ETL1C_13 has 8,686,116: 100 bytes are missing"),
    "cut, as unpacking says it": ("ETL1C_13", ETL1_13[:-100], "cut short after 4,232 records"),
    "a tail": ("ETL1C_13", ETL1_13 + b"x", "1 bytes too many"),
    "a record fewer": ("ETL1C_13", ETL1_13[:-2052], "1 of 4,233 records are missing"),
    "a record fewer, its class": ("ETL1C_13", ETL1_13[:-2052], "1 classes have more or fewer pictures than they should: "
                                  "ン has 1,410 of 1,411"),
    "a record more": ("ETL1C_13", ETL1_13 + ETL1_13[-2052:], "1 of 4,233 records too many"),
    "a wrong code": ("ETL1C_13", codes("ETL1", [E] * 1410 + [WO] * 1412 + [N] * 1411), "ヲ has 1,412 of 1,411, ヱ has 1,410 of "),
    "a class too many": ("ETL1C_13", codes("ETL1", [E] * 1410 + [0xB1] + [WO] * 1411 + [N] * 1411), "4 classes where there should be 3"),
    "a code of no class": ("ETL1C_13", codes("ETL1", [E] * 1411 + [WO] * 1409 + [0, 7] + [N] * 1411), "2 records have a code "
                           "outside the table of ETL1: 0000, 0007"),
    "another file's content": ("ETL1C_01", codes("ETL1", [0x38] * 9), "the first picture is 8 where ETL1C_01 starts with 0"),
    "another set's content": ("ETL8B2C1", codes("ETL9B", [jis(c) for c in "あいうえお"] * 64), "holds records of ETL9B"),
    "no empty record": ("ETL9B_1", codes("ETL9B", [jis("あ")] * 99)[576:], "no empty first record"),
    "empty": ("ETL4C", b"", "empty"),
    "text": ("ETL4C", b"These are the samples.\n" * 99, "text and not the records"),
    "classes of ETL8G": ("ETL8G_02", codes("ETL8G", [jis("あ"), jis("亜")] * 4), "あ has 4 of 5, 亜 has 4 of 5"),
    "classes of ETL9B": ("ETL9B_4", codes("ETL9B", [jis("あ")] * 99), "あ has 99 of 40"),
    "classes of ETL9G": ("ETL9G_50", codes("ETL9G", [jis("亜")] * 3 + [jis("唖")] * 4), "1 classes have more or fewer pictures than "
                         "they should: 亜 has 3 of 4"),
    "how many classes": ("ETL9G_50", codes("ETL9G", [jis("亜")] * 7), "1 classes where there should be 3,036"),
    "models": ("ETL8G_33", codes("ETL8G", [jis("あ")] + [0x3021 + n + n // 94 * 162 for n in range(954)] + [0x3021]),
               "model letters of 955 classes where there should be 956"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_etl(tmp_path: Path, case: str) -> None:
    name, data, words = FAULTS[case]
    path = put(tmp_path / "bad" / name, data)
    good = put(tmp_path / "good" / "ETL1C_13" if name != "ETL1C_13" else tmp_path / "kmnist_classmap.csv",
               ETL1_13 if name != "ETL1C_13" else class_map("KMNIST"))  # fmt: skip
    code, text, said = run("verify", path, good)
    assert code == 1 and f"{path}: wrong, {name}" in text and f"{good}: whole" in text
    errors = [line for line in said.splitlines() if line.startswith("jphtr: error: ")]
    assert all(line.startswith(f"jphtr: error: {path}: ") for line in errors)
    assert any(words in line for line in errors), said


def test_model_letters_are_no_samples(tmp_path: Path) -> None:
    kanji = [0x3021 + n + n // 94 * 162 for n in range(955)]
    assert len({code & 0xFF for code in kanji}) == 94 and all(0x21 <= code & 0xFF <= 0x7E for code in kanji)
    path = put(tmp_path / "ETL8G_33", codes("ETL8G", [jis("あ"), *kanji]))
    code, text, _ = run("verify", path)
    assert code == 0 and "whole, ETL8G_33, 956 records, 0 classes" in text and "1 of 33 files, 0 pictures" in text


def test_a_file_of_a_large_set(tmp_path: Path) -> None:
    path = tmp_path / "ETL8B.zip"
    chars = [char for char in ("あ", *jis_levels()[1][:319]) for _ in range(160)]
    for last in (chars[-1], "あ"):  # the second time one class has lost a picture to another
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            file.writestr("ETL8B2C1", codes("ETL8B", [jis(char) for char in [*chars[:-1], last]]))
        code, text, said = run("verify", path)
        lines = [line for line in said.splitlines() if f"{path}:ETL8B2C1: " in line]
        if last != "あ":
            assert not lines and f"{path}:ETL8B2C1: whole, ETL8B2C1, 51,201 records, 320 classes, sha256 " in text
        else:
            (line,) = lines
            assert code == 1 and ": wrong, ETL8B2C1, 51,201 records" in text
            assert line.endswith(
                f"2 classes have more or fewer pictures than they should: あ has 161 of 160, {chars[-1]} has 159 of 160"
            )


def test_a_published_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = [*range(0xB1, 0xDE), 0xA6, 0xA8, 0xAA]  # 48 codes, イ ウ エ at two places each
    data = codes("ETL4", [*letters, 0xB2, 0xB3, 0xB4] * 120)
    path = put(tmp_path / "etl4" / "ETL4C", data)
    row = etl.PUBLISHED["ETL4"][0]
    code, _, said = run("verify", path.parent)
    assert row.sha256 is not None
    assert code == 1 and said.count("jphtr: error: ") == 1 and f"others have {row.sha256}" in said
    monkeypatch.setitem(etl.PUBLISHED, "ETL4", (replace(row, sha256=hashlib.sha256(data).hexdigest()),))
    code, text, said = run("verify", path.parent)
    assert (code, text.count("\n"), said.strip()) == (0, 1, "")
    assert text.startswith(f"{path}: whole, ETL4C, 6,120 records, 48 classes, sha256 ") and text.endswith(
        " as published\n"
    )
    put(path, flipped(data, 9_000_300))  # in a picture: nothing else could tell
    code, _, said = run("verify", path.parent)
    assert code == 1 and said.count("jphtr: error: ") == 1 and f"others have {hashlib.sha256(data).hexdigest()}" in said


def test_what_is_odd_in_the_published_file_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = codes("ETL4", [0] * 6119 + [0xB1])
    path = put(tmp_path / "ETL4C", data)
    code, _, said = run("verify", path)
    assert code == 1 and "error" in said and "6,119 records have a code outside the table of ETL4: 0000" in said
    row = replace(etl.PUBLISHED["ETL4"][0], sha256=hashlib.sha256(data).hexdigest())
    monkeypatch.setitem(etl.PUBLISHED, "ETL4", (row,))
    code, text, said = run("verify", path)
    assert code == 0 and "whole" in text and "error" not in said and "6,119 records have a code outside" in said


def test_numbers_that_nobody_published_are_remarks(tmp_path: Path) -> None:
    """How ETL3 is shared out between its files, and how many pictures each of its classes has."""
    numbers = [*range(0x30, 0x3A), *range(0x41, 0x5B), *b"+-*/=().,'", 0x5C, 0xA5]
    every = numbers * 200
    put(tmp_path / "ETL3C_1", codes("ETL3", every[:4792]))
    put(tmp_path / "ETL3C_2", codes("ETL3", every[4792:-1] + every[:1]))
    code, text, said = run("verify", tmp_path)
    assert code == 0 and text.count("whole") == 3 and "2 of 2 files, 9,600 pictures, 48 classes" in text
    assert (
        said.count("warning") == 3
        and "8 of 4,800 records are missing" in said
        and "0 has 201 of 200, ・ has 199" in said
    )
    put(tmp_path / "ETL3C_2", codes("ETL3", every[4792:-1]))
    code, _, said = run("verify", tmp_path)
    assert code == 1 and "9,599 pictures where ETL3 has 9,600" in said


def test_one_file_under_two_names(tmp_path: Path) -> None:
    data = codes("ETL6", [0x41] * 9)
    for number in (2, 4):
        put(tmp_path / f"ETL6C_{number:02}", data)
    code, _, said = run("verify", tmp_path)
    assert code == 1 and "ETL6C_04 is byte for byte ETL6C_02" in said and "10 of 12 files are missing" in said


def test_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "ETL1.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ETL1/ETL1C_13", ETL1_13)
    code, text, said = run("verify", path)
    assert code == 1 and f"{path}:ETL1/ETL1C_13: whole, ETL1C_13, 4,233 records" in text and "12 of 13" in said
    path.write_bytes(flipped(path.read_bytes(), 4_000_000))
    code, text, said = run("verify", path)
    assert code == 1 and f"error: {path}:ETL1/ETL1C_13: damaged inside the zip file" in said and "CRC" in said
    path.write_bytes(path.read_bytes()[:5000])
    put(tmp_path / "kmnist_classmap.csv", class_map("KMNIST"))
    code, text, said = run("verify", tmp_path)  # beside other things in a folder too
    assert code == 1 and f"error: {path}: not a whole zip file" in said and "csv: whole" in text


# ---- Kuzushiji ----


def class_map(name: str) -> bytes:
    rows = "".join(f"{i},U+{ord(c):04X},{c}\n" for i, c in enumerate(kuzushiji.CLASSES[name]))
    return f"index,codepoint,char\n{rows}".encode()


def idx(numbers: list[int], pictures: int | None = None) -> tuple[bytes, bytes]:
    """A file of blank pictures and one of labels."""
    count = len(numbers) if pictures is None else pictures
    return struct.pack(">IIII", 0x803, count, 28, 28) + bytes(count * 784), struct.pack(
        ">II", 0x801, len(numbers)
    ) + bytes(numbers)


TEST = [n % 10 for n in range(10_000)]


def kmnist(folder: Path, images: bytes, labels: bytes, ending: str = "") -> tuple[Path, Path]:
    return put(folder / f"t10k-images-idx3-ubyte{ending}", images), put(
        folder / f"t10k-labels-idx1-ubyte{ending}", labels
    )


def test_kuzushiji_of_the_right_counts(tmp_path: Path) -> None:
    images, labels = kmnist(tmp_path, *idx(TEST))
    code, text, said = run("verify", tmp_path)
    assert code == 0 and "KMNIST train is not there" in said
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (images, labels)]
    assert text.splitlines() == [
        f"{images}: whole, KMNIST test, 10,000 pictures, 10 classes, sha256 {digests[0]} (none is published)",
        f"{labels}: whole, KMNIST test, sha256 {digests[1]} (none is published)",
    ]
    assert run("verify", images, labels)[1] == text == run("verify", labels)[1]


def test_faults_of_kuzushiji(tmp_path: Path) -> None:
    cases: list[tuple[tuple[bytes, bytes], str, str]] = [
        (idx([1, *TEST[1:]]), "images", "2 classes have more or fewer pictures than they should: お has 999 of 1,000, き has 1,001"),
        (idx(TEST[:-1]), "images", "9,999 pictures where KMNIST test has 10,000"),
        (idx(TEST[:-1], 10_000), "images", "9,999 labels"),
        (idx([10, *TEST[1:]]), "labels", "label 10 of picture 0 is outside"),
        ((idx(TEST)[0][:-784], idx(TEST)[1]), "images", "ends after 9,999 of 10,000"),
        ((idx(TEST)[0], idx(TEST)[1] + b"\0"), "labels", "goes on after"),
    ]  # fmt: skip
    for number, (data, blamed, words) in enumerate(cases):
        paths = kmnist(tmp_path / str(number), *data)
        code, text, said = run("verify", tmp_path / str(number))
        bad, good = paths if blamed == "images" else paths[::-1]
        assert code == 1 and f"{bad}: wrong" in text and f"{good}: whole" in text, words
        lines = [line for line in said.splitlines() if "jphtr: error: " in line]
        assert all(line.startswith(f"jphtr: error: {bad}: ") for line in lines)
        assert any(words in line for line in lines), said


def test_digests_of_kuzushiji(tmp_path: Path) -> None:
    images, _ = kmnist(tmp_path / "gz", *(gzip.compress(part) for part in idx(TEST)), ending=".gz")
    code, text, said = run("verify", tmp_path / "gz")  # right inside, and not what was published
    assert code == 1 and f"{images}: wrong, KMNIST test, 10,000 pictures" in text and "3,041,136 are published" in said
    kmnist(tmp_path / "browser", *idx(TEST), ending=".gz")
    code, text, said = run("verify", tmp_path / "browser")
    assert code == 0 and said.count("is unpacked already") == 2
    kmnist(tmp_path / "K49", *idx([n % 49 for n in range(38_547)]))
    code, text, _ = run("verify", tmp_path / "K49")
    assert code == 0 and "K49 test, 38,547 pictures, 49 classes" in text  # no file of KMNIST, whatever its name
    for name in ("KMNIST", "K49"):
        path = put(tmp_path / "maps" / f"{name.lower()}_classmap.csv", class_map(name))
        known = kuzushiji.PUBLISHED[path.name]
        code, text, _ = run("verify", path)
        kind, digest = ("sha256", known.sha256) if known.sha256 else ("md5", known.md5)
        assert (code, text) == (0, f"{path}: whole, {path.name}, {kind} {digest} as published\n")
        path.write_bytes(flipped(class_map(name), 30))
        code, _, said = run("verify", path.parent)
        assert code == 1 and f"error: {path}: {kind} " in said and f"is not the published {digest}" in said
        path.write_bytes(class_map(name)[:-1])
        assert f"{known.size:,} are published" in run("verify", path)[2]


def test_a_missing_half_and_copies(tmp_path: Path) -> None:
    images, labels = kmnist(tmp_path / "a", *idx(TEST))
    copy, _ = kmnist(tmp_path / "b", *(gzip.compress(part) for part in idx(TEST)), ending=".gz")
    assert run("verify", tmp_path)[2].count(f"error: {copy}: ") == 1  # not read, but its digest is known
    labels.unlink()
    code, _, said = run("verify", tmp_path / "a")
    assert code == 1 and f"error: {images}: KMNIST test lacks t10k-labels-idx1-ubyte; put it beside" in said


def test_kuzushiji_kanji(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(file, "PNG")
    with tarfile.open(tmp_path / "kkanji.tar", "w") as tar:
        for char in "一漢一":
            info = tarfile.TarInfo(f"kkanji2/U+{ord(char):04X}/{tar.offset}.png")
            info.size = len(file.getvalue())
            tar.addfile(info, io.BytesIO(file.getvalue()))
    code, text, said = run("verify", tmp_path / "kkanji.tar")
    assert code == 1 and "wrong, KKANJI, 3 pictures, 2 classes" in text
    for words in (
        "3 pictures where KKANJI has 140,424",
        "2 classes where there should be 3,832",
        "is not the published 6c65024b",
    ):
        assert words in said
    with tarfile.open(tmp_path / "kkanji.tar") as tar:
        for member in tar:  # extractall wants a filter from Python 3.12 on, and knows none before 3.11.4
            path = tmp_path / "unpacked" / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tar.extractfile(member).read())
    code, text, said = run("verify", tmp_path / "unpacked")
    assert code == 1 and "kkanji2: wrong, KKANJI, 3 pictures" in text and "sha256" not in said


# ---- glyph files, and what leads to them ----


def test_glyph_files_against_published_numbers(tmp_path: Path) -> None:
    put(tmp_path / "etl" / "ETL1C_13", ETL1_13[: 40 * 2052])
    kmnist(tmp_path / "k", *idx(TEST[:30]))
    out = tmp_path / "out" / "g.h5"
    assert run("unpack-etl", tmp_path / "etl", "-o", out, "--size", "28")[0] == 0
    assert run("unpack-kuzushiji", tmp_path / "k", "-o", out, "--size", "28", "--append")[0] == 0
    code, text, said = run("verify", out.parent)
    assert code == 0 and text.startswith(f"{out}: whole, 70 glyphs of 2 writers, digest ")
    assert [line.removeprefix(f"jphtr: warning: {out}: ") for line in said.splitlines() if line] == [
        "holds 40 pictures of ETL1, of which 141,319 are published",
        "holds 30 pictures of KMNIST, of which 70,000 are published",
        "was made from ETL1C_13 of 82,080 bytes, where 8,686,116 are published",
    ]
    with h5py.File(out, "r+") as file:
        file["label"][7] += 1
    code, text, said = run("verify", out)
    assert code == 1 and f"{out}: wrong" in text and f"error: {out}: content digest is " in said


def test_what_cannot_be_verified(tmp_path: Path) -> None:
    put(tmp_path / "empty" / "notes.txt", b"x")
    put(tmp_path / "ETL1" / "ETL1INFO", b"about the data")
    put(tmp_path / "ETL1" / "ETL1C_13", ETL1_13)
    code, text, said = run(
        "verify",
        tmp_path / "gone",
        tmp_path / "empty",
        tmp_path / "empty" / "notes.txt",
        *(tmp_path / "ETL1").iterdir(),
    )
    lines = [line for line in said.splitlines() if "jphtr: error: " in line]
    assert code == 1 and len(lines) == 3 and text.count("whole") == 2
    assert (
        "gone: no such file" in lines[0] and "notes.txt: neither" in lines[1] and "empty: nothing to verify" in lines[2]
    )
    put(tmp_path / "no-suffix", b"\x89HDF\r\n\x1a\n and no more")
    assert "cut short" in run("verify", tmp_path / "no-suffix")[2]


def test_folders_named_by_characters_are_not_always_kanji(tmp_path: Path) -> None:
    """ETL files in folders "1" to "9" do not make these a copy of Kuzushiji-Kanji."""
    put(tmp_path / "1" / "ETL1C_13", ETL1_13)
    _, text, said = run("verify", tmp_path)
    assert "KKANJI" not in text + said and "ETL1C_13" in text


def test_every_byte_is_told(tmp_path: Path) -> None:
    put(tmp_path / "ETL1C_13", ETL1_13)
    put(tmp_path / "kmnist_classmap.csv", class_map("KMNIST"))
    put(tmp_path / "ETL8B2C1", archive("ETL8B", [{"code": jis("あ")}] * 3))
    holdings = audit.find([tmp_path])
    steps: list[tuple[str, int]] = []
    found = list(audit.check(holdings, lambda name, size: steps.append((name, size))))
    assert sum(size for _, size in steps) == holdings.size == sum(p.stat().st_size for p in tmp_path.iterdir())
    assert {name for name, _ in steps} == {"ETL1C_13", "ETL8B2C1", "kmnist_classmap.csv"}
    assert [one.name for one in found] == ["ETL1C_13", "ETL1", "ETL8B2C1", "ETL8B", "kmnist_classmap.csv"]
    assert [one.whole for one in found] == [True, False, False, False, True]


def test_the_cards_say_what_the_tables_say() -> None:
    known = {row.name: row.sha256 for files in etl.PUBLISHED.values() for row in files if row.sha256}
    known |= {name: row.sha256 for name, row in kuzushiji.PUBLISHED.items() if row.sha256}
    if not DATASETS.is_dir():
        pytest.skip("no data cards beside the tests")
    lines = [line.split() for path in DATASETS.glob("*/SHA256SUMS") for line in path.read_text().splitlines()]
    assert {name: digest for digest, name in lines} == known
