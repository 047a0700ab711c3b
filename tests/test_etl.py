"""ETL files written by an independent inverse and records made by hand, read back to the last field and pixel."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from etl_files import FORMS, Record, archive, jis, levels, record

from jphtr.errors import DataError
from jphtr.records import GlyphBlock
from jphtr.sources import etl
from jphtr.sources.etl_codes import code_points, inside, scripts

NAMES = {
    "ETL1": "ETL1C_01", "ETL2": "ETL2_1", "ETL3": "ETL3C_1", "ETL4": "ETL4C", "ETL5": "ETL5C", "ETL6": "ETL6C_01",
    "ETL7": "ETL7LC_1", "ETL8B": "ETL8B2C1", "ETL8G": "ETL8G_01", "ETL9B": "ETL9B_1", "ETL9G": "ETL9G_01",
}  # fmt: skip
FULL = {1: [255, 0], 4: [255 - 17 * n for n in range(16)], 6: [255 - round(n * 255 / 63) for n in range(64)]}


KINDS = {
    "data": "u2", "sheet": "u4", "serial": "u4", "industry": "u2", "occupation": "u2", "collected": "u4",
    "scanned": "u4", "lens": "u2", "old_serial": "u4",
}  # fmt: skip


def write(folder: Path, name: str, data: bytes) -> etl.EtlFile:
    path = folder / name
    path.write_bytes(data)
    return etl.find(path).files[0]


def one(folder: Path, source: str, records: list[Record], name: str = "", *, models: bool = False) -> GlyphBlock:
    """The only block of a file with some records."""
    file = write(folder, name or NAMES[source], archive(source, records))
    (block,) = etl.read(file, models=models)
    return block


def text(block: GlyphBlock) -> str:
    return "".join(chr(c) if c else "·" for c in block.chars.tolist())


def keys(block: GlyphBlock) -> list[str]:
    return [block.writers[i] for i in block.writer.tolist()]


def noise(source: str, number: int) -> Record:
    """A record with random values in every field that the form has, and a code that its table holds."""
    rng = random.Random(f"{source} {number}")
    form, *_ = FORMS[source]
    values: Record = {}
    for name, count in form:
        if name is None or name in ("image", "=", "zero"):
            continue
        if name.startswith("="):
            values[name[1:]] = "".join(rng.choices("ABKRY019.", k=count))
        else:
            values[name] = rng.randrange(min(1 << count, int(np.iinfo(KINDS.get(name, "u1")).max) + 1))
    values["image"] = levels(source, number)
    if source == "ETL2":
        values["first"], values["second"] = rng.choice([4, 27, 36, 59]), rng.choice([4, 10, 40, 59])
    else:
        values["code"] = int(rng.choice(np.flatnonzero(inside(source)).tolist()))
    return values


@pytest.mark.parametrize("source", FORMS)
def test_every_field_and_pixel_comes_back(source: str, tmp_path: Path) -> None:
    form, width, height, size, _ = FORMS[source]
    depth = dict(form)["image"]
    written = [noise(source, i) for i in range(9)]
    file = write(tmp_path, NAMES[source], archive(source, written))
    blocks = list(etl.read(file, block=4))
    assert [len(b) for b in blocks] == [4, 4, 1]
    first = 1 if source.endswith("B") else 0
    for i, values in enumerate(written):
        block, row = blocks[i // 4], i % 4
        assert block.gray.shape[1:] == (height, width) and block.gray.dtype == np.uint8
        assert block.gray[row].ravel().tolist() == [FULL[depth][level] for level in values["image"]]
        code = values.pop("first") * 64 + values.pop("second") if source == "ETL2" else values["code"]
        assert block.meta["code"][row] == code
        assert block.chars[row] == code_points(source)[code]
        assert block.meta["script"][row] == scripts(source)[code]
        assert block.index[row] == i + first and block.meta["file"][row] == 1 and not block.meta["model"][row]
        assert block.source == source
        for name, value in values.items():
            if name not in ("image", "code"):
                assert block.meta[name][row] == (value.encode() if isinstance(value, str) else value), name
    fields = {name.lstrip("=") for name, _ in form if name} - {"", "image", "zero", "first", "second"}
    assert set(blocks[0].meta) == fields | {"code", "file", "script", "model"}
    assert etl.LAYOUTS[source].size == size


def image(size: int, ends: str, length: int) -> str:
    """Hex of a picture that is paper but for its first and last digits."""
    return ends[:2] + "0" * (2 * size - 4) + ends[2:] + "0" * (2 * length)


def test_m_record_by_hand(tmp_path: Path) -> None:
    #          data  A    sheet B1 81 q  g  m  25 serial   industry occup 7309 7310 y  x  lo hi undefined
    header = "0b4b 2041 03e9 b1 81 02 01 01 19 00000b4b 23b8 000b 1c8d 1c8e 03 0c 01 0e 00000000"
    data = bytes.fromhex(header + image(2016, "f03c", 4))
    (block,) = etl.read(write(tmp_path, "etl1c-07", data))
    assert text(block) == "ア" and block.writers == ("ETL1:1001",) and block.source == "ETL1"
    expected = {
        "data": 2891, "reading": b"A", "sheet": 1001, "code": 0xB1, "ebcdic": 0x81, "quality": 2, "group_quality": 1,
        "sex": 1, "age": 25, "serial": 2891, "industry": 9144, "occupation": 11, "collected": 7309, "scanned": 7310,
        "y": 3, "x": 12, "level_min": 1, "level_max": 14, "file": 7, "script": 2, "model": False,
    }  # fmt: skip
    assert {name: column[0] for name, column in block.meta.items()} == expected
    assert block.gray[0, 0, :3].tolist() == [0, 255, 255] and block.gray[0, 62, 62:].tolist() == [204, 51]


def test_k_record_by_hand(tmp_path: Path) -> None:
    # serial 7 (36 bits) | A = 17 | 5 spaces | KANJI_ = 34 17 37 33 25 16 | MINCHO = 36 25 37 19 24 38 | four zeros
    # in bits: 010001 010000 x5; 100010 010001 100101 100001 011001 010000; 100100 011001 100101 010011 011000 100110
    header = "000000007" + "450410410" + "891961650" + "919953626" + "000000" + "104" + "0" * 45
    # 104 is 000100 000100: first 4, second 4; the picture has 63 1 0 0 at its start and 0 0 32 63 at its end
    data = bytes.fromhex(header + "fc1000" + "00" * 2694 + "00083f")
    (block,) = etl.read(write(tmp_path, "ETL2_1", data))
    assert text(block) == "上" and block.writers == ("ETL2:A",)
    expected = {
        "code": 4 * 64 + 4, "serial": 7, "mark": b"A", "contents": b"KANJI", "style": b"MINCHO",
        "file": 1, "script": 3, "model": False,
    }  # fmt: skip
    assert {name: column[0] for name, column in block.meta.items()} == expected
    assert block.gray[0, 0, :4].tolist() == [0, 251, 255, 255]  # 255 - 63 * 255 / 63, 255 - 4.05
    assert block.gray[0, 59, 56:].tolist() == [255, 255, 125, 0]  # 32 * 255 / 63 is 129.5


def test_c_record_of_aists_sample(tmp_path: Path) -> None:
    words = [
        "00007a184", "000001389", "b10000000", "810000000",  # 500100, 5001, あ
        "610411410",  # H _ _ A _ _ is 24 16 16 17 16 16: 011000 010000 010000 010001 010000 010000
        "000000000", "000000000", "000000001", "000000000", "000000001", "000000017", "0000023b8", "00000000b",
        "0000b4f52", "0000b4f60", "000000048", "00000004c", "000000010", "000000085", "000000000",
    ]  # fmt: skip
    data = bytes.fromhex("".join(words) + "f" * 252 + image(2736, "1ef0", 0))
    assert len(data) == 2952
    (block,) = etl.read(write(tmp_path, "etl4.001", data))
    assert text(block) == "あ" and block.writers == ("ETL4:5001",)
    expected = {
        "code": 0xB1, "serial": 500100, "sheet": 5001, "ebcdic": 0x81, "reading": b"H  A", "quality": 0,
        "group_quality": 0, "y": 1, "x": 0, "sex": 1, "age": 23, "industry": 9144, "occupation": 11,
        "collected": 741202, "scanned": 741216, "nx": 72, "ny": 76, "levels": 16, "lens": 133, "old_serial": 0,
        "file": 1, "script": 1, "model": False,
    }  # fmt: skip
    assert {name: column[0] for name, column in block.meta.items()} == expected
    assert block.gray[0, 0, :3].tolist() == [238, 17, 255] and block.gray[0, 75, 70:].tolist() == [0, 255]


@pytest.mark.parametrize(("name", "tail", "key"), [("ETL8B2C1", "", "ETL8:0"), ("ETL9B_1", "ff" * 64, "ETL9:40")])
def test_b_record_by_hand(name: str, tail: str, key: str, tmp_path: Path) -> None:
    data = bytes.fromhex("0321 2422 412e4849" + image(504, "a101", 0) + tail)  # sheet 801, あ, A.HI
    (block,) = etl.read(write(tmp_path, name, bytes(len(data)) + data))
    assert text(block) == "あ" and block.writers == (key,) and block.index.tolist() == [1]
    expected = {"code": 0x2422, "sheet": 801, "reading": b"A.HI", "file": 1, "script": 1, "model": False}
    assert {name: column[0] for name, column in block.meta.items()} == expected
    assert block.gray[0, 0, :9].tolist() == [0, 255, 0, 255, 255, 255, 255, 0, 255]
    assert block.gray[0, 62, 62:].tolist() == [255, 0]


@pytest.mark.parametrize(("name", "gap", "tail"), [("ETL8G_03", 30, 11), ("ETL9G_03", 34, 7)])
def test_g_record_by_hand(name: str, gap: int, tail: int, tmp_path: Path) -> None:
    #         sheet code A.WO.HIR (を)      serial   q  g  s  age ind  occ  8212 8310 x  y
    header = "0002 2472 4f2e574f2e484952 00000065 03 02 02 1e 0001 0002 2014 2076 05 09"
    data = bytes.fromhex(header + "ff" * gap + image(8128, "1ef0", tail))
    assert len(data) == 8199
    (block,) = etl.read(write(tmp_path, name, data))
    assert text(block) == "を" and block.writers == ("ETL8:10" if "8G" in name else "ETL9:8",)
    expected = {
        "code": 0x2472, "sheet": 2, "reading": b"O.WO.HIR", "serial": 101, "quality": 3, "group_quality": 2, "sex": 2,
        "age": 30, "industry": 1, "occupation": 2, "collected": 8212, "scanned": 8310, "x": 5, "y": 9,
        "file": 3, "script": 1, "model": False,
    }  # fmt: skip
    assert {name: column[0] for name, column in block.meta.items()} == expected
    assert block.gray[0, 0, :3].tolist() == [238, 17, 255] and block.gray[0, 126, 126:].tolist() == [0, 255]


def coded(codes: list[int], **more: int) -> list[Record]:
    return [{"code": code, **more} for code in codes]


def test_labels_of_jis_x_0201(tmp_path: Path) -> None:
    codes = [0x30, 0x41, 0x5C, 0x7E, 0x20, 0xA5, 0xB1, 0xA6, 0xDD, 0xA8, 0xAA, 0xDE, 0xDF, 0x00, 0x80, 0xE0, 0x2D, 0xA7]
    want = {
        "ETL1": "0A¥‾ ・アヲンヰヱ゛゜···-ァ",
        "ETL3": "0A¥‾ ・アヲンィェ゛゜···-ァ",
        "ETL4": "0A¥‾ ・あをんゐゑ゛゜···-ぁ",
        "ETL5": "0A¥‾ ・アヲンヰヱ゛゜···-ァ",
        "ETL6": "0A¥‾ ・アヲンヰヱ゛゜···-ァ",
        "ETL7": "0A¥‾ ・あをんぃぇ゛゜···-ぁ",
    }
    for source, chars in want.items():
        block = one(tmp_path, source, coded(codes))
        assert text(block) == chars
        assert etl.outside(block) == 3
        kana = etl.SCRIPTS["hiragana" if source in ("ETL4", "ETL7") else "katakana"]
        assert block.meta["script"].tolist() == [4, 5, 6, 6, 0, 6, *[kana] * 5, 6, 6, 0, 0, 0, 6, kana]


def test_labels_of_co_59(tmp_path: Path) -> None:
    rows = [r.split() for r in ("4 4 上", "8 4 下", "51 59 歯", "55 59 齢", "59 59 亀")]
    records = [{"first": int(a), "second": int(b)} for a, b, _ in rows]
    block = one(tmp_path, "ETL2", [*records, {"first": 3, "second": 4}, {"first": 28, "second": 59}])
    assert text(block) == "上下歯齢亀··" and etl.outside(block) == 2
    table, known = code_points("ETL2"), inside("ETL2")
    assert known.sum() == 48 * 48 and np.count_nonzero(known & (table == 0)) == 124
    points, counts = np.unique(table[table > 0], return_counts=True)
    assert {chr(p) for p in points[counts > 1]} == set("滅輪薄粉李微慎") and counts.max() == 2
    empty = int(np.flatnonzero(known & (table == 0))[0])
    block = one(tmp_path, "ETL2", [{"first": empty // 64, "second": empty % 64}])
    assert text(block) == "·" and etl.outside(block) == 0 and block.meta["code"][0] == empty


def test_labels_of_jis_x_0208(tmp_path: Path) -> None:
    chars = "あんっゃ亜腕愛漢〇Ａ０"
    block = one(tmp_path, "ETL9G", [*coded([jis(c) for c in chars]), *coded([0, 0x2239, 0x7F7F, 0x8080])])
    assert text(block) == chars + "····" and etl.outside(block) == 4
    names = {number: name for name, number in etl.SCRIPTS.items()}
    found = [names[s] for s in block.meta["script"].tolist()]
    assert found == ["hiragana"] * 4 + ["kanji"] * 5 + ["latin", "digit"] + ["none"] * 4
    assert len(etl.JIS_1978_PAIRS) == 25
    for code, new, old in etl.JIS_1978_PAIRS:
        assert chr(code_points("ETL9B")[code]) == new != old and jis(new) == code


def test_sheets_are_writers(tmp_path: Path) -> None:
    for source in ("ETL1", "ETL3", "ETL4", "ETL6"):
        block = one(tmp_path, source, [{"code": 0x31, "sheet": s} for s in (1002, 1001, 1002)])
        assert keys(block) == [f"{source}:1002", f"{source}:1001", f"{source}:1002"]


def test_people_are_writers_where_they_filled_in_several_sheets(tmp_path: Path) -> None:
    person = {"sex": 2, "age": 31, "industry": 9144, "occupation": 11, "collected": 7708, "code": 0xB1}
    records = [{**person, "sheet": 1}, {**person, "sheet": 2}, {**person, "age": 32, "sheet": 3}]
    for source, names in (("ETL5", ["ETL5C"]), ("ETL7", ["ETL7LC_1", "etl7lc-2", "ETL7SC_1", "ETL7S-02"])):
        for number, name in enumerate(names, 1):
            block = one(tmp_path, source, records, name)
            old, other = f"{source}:2-31-9144-11-7708", f"{source}:2-32-9144-11-7708"
            assert keys(block) == [old, old, other] and set(block.meta["file"].tolist()) == {number}


def test_prints_are_writers(tmp_path: Path) -> None:
    records = [{"first": 4, "second": 4, "mark": mark} for mark in "ADDB"]
    assert keys(one(tmp_path, "ETL2", records)) == ["ETL2:A", "ETL2:D", "ETL2:D", "ETL2:B"]


def test_gray_and_binary_sets_share_data_sets(tmp_path: Path) -> None:
    classes = [0x2422, 0x2422, 0x2422, 0x2424, 0x0000, 0x2424, 0x2426]
    file = write(tmp_path, "ETL8B2C2", archive("ETL8B", coded(classes)))
    for block in (1, 2, 3, 5, 100):  # places in a class go on from block to block
        found = [key for b in etl.read(file, block=block) for key in keys(b)]
        assert found == [f"ETL8:{n}" for n in (0, 1, 2, 0, 1, 2, 0)]
    # only the headers matter here, so one record is written and repeated
    g8 = write(tmp_path, "ETL8G_02", record("ETL8G", {"code": 0x2422}) * 960)
    found = [key for b in etl.read(g8, block=500) for key in keys(b)]
    assert found == ["ETL8:5"] * 956 + ["ETL8:6"] * 4
    g9 = write(tmp_path, "ETL9G_50", record("ETL9G", {"code": 0x2422}) * 3038)
    found = [key for b in etl.read(g9, block=1000) for key in keys(b)]
    assert found == ["ETL9:196"] * 3036 + ["ETL9:197"] * 2
    # spec of ETL9B: record 100 of the files 2 to 5 is on the sheets 801, 1601, 2402, 3203
    sheets = [1, 20, 21, 801, 1601, 2402, 3203, 4000]
    block = one(tmp_path, "ETL9B", [{"code": 0x3021, "sheet": s} for s in sheets])
    assert keys(block) == [f"ETL9:{n}" for n in (0, 0, 1, 40, 80, 120, 160, 199)]


@pytest.mark.parametrize(
    ("name", "source", "start", "count"),
    [("ETL8B2C3", "ETL8B", 1 + 50560, 956), ("ETL8G_33", "ETL8G", 0, 956), ("ETL9B_5", "ETL9B", 1 + 121440, 3036)],
)
def test_models_are_left_out(name: str, source: str, start: int, count: int, tmp_path: Path) -> None:
    size = FORMS[source][3]
    data = bytearray(size * (start + count))
    one_record = record(source, {"code": 0x2422, "sheet": 1})
    first = 1 if source.endswith("B") else 0
    data[first * size :] = one_record * (start + count - first)
    file = write(tmp_path, name, bytes(data))
    assert file.published.models == count and sum(len(b) for b in etl.read(file)) == start - first
    blocks = list(etl.read(file, models=True, block=50_000))
    model = np.concatenate([b.meta["model"] for b in blocks])
    index = np.concatenate([b.index for b in blocks])
    assert np.array_equal(model, index >= start) and model.sum() == count
    assert keys(blocks[-1])[-1] == f"{source[:-1]}:model" and blocks[-1].writers.count(f"{source[:-1]}:model") == 1
    if not start:
        assert blocks[0].writers == ("ETL8:model",)
    file.path.unlink()  # tens of megabytes


@pytest.mark.parametrize(
    ("name", "found"),
    {
        "ETL1C_01": "ETL1C_01", "etl1c-01": "ETL1C_01", "ETL1_13": "ETL1C_13", "ETL1C13": "ETL1C_13",
        "Etl1C_1": "ETL1C_01", "ETL2_5": "ETL2_5", "etl2-05": "ETL2_5", "ETL3C-2": "ETL3C_2", "etl4c": "ETL4C",
        "etl4.001": "ETL4C", "ETL5C_1": "ETL5C", "ETL6C-12": "ETL6C_12", "ETL7LC_1": "ETL7LC_1",
        "etl7sc-2": "ETL7SC_2", "ETL7L_2": "ETL7LC_2", "ETL8B2C1": "ETL8B2C1", "ETL8B2-3": "ETL8B2C3",
        "etl8b_2": "ETL8B2C2", "ETL8G_01": "ETL8G_01", "ETL8G-33": "ETL8G_33", "ETL9B_5": "ETL9B_5",
        "etl9b-1": "ETL9B_1", "ETL9G_50": "ETL9G_50", "ETL1INFO": None, "ETL8INFO": None, "ETL1": None, "ETL8B2": None,
        "ETL11": None, "ETL1C_14": None, "ETL1C_00": None, "ETL7LC_3": None, "ETL8G_34": None, "ETL1C_01.png": None,
        "ETL10C_01": None, ".DS_Store": None, "etl4c.Z": None, "ETL4C_2": None,
    }.items(),
)  # fmt: skip
def test_names(name: str, found: str | None) -> None:
    published = etl.published_file(name)
    assert (published and published.name) == found


def test_published_tables() -> None:
    files = {p.name: p for row in etl.PUBLISHED.values() for p in row}
    assert len(files) == 129
    sizes = {
        "ETL1C_06": 23721120, "ETL1C_07": 23162976, "ETL1C_09": 23160924, "ETL1C_13": 8686116, "ETL2_1": 24858720,
        "ETL2_5": 31347900, "ETL3C_2": 14169600, "ETL4C": 18066240, "ETL5C": 31314816, "ETL6C_01": 28379160,
        "ETL6C_12": 11351664, "ETL7LC_1": 19699200, "ETL7SC_2": 14774400, "ETL8B2C1": 26214912, "ETL8B2C3": 26376704,
        "ETL8G_32": 39191220, "ETL8G_33": 7838244, "ETL9B_4": 69950016, "ETL9B_5": 71698752, "ETL9G_50": 99568656,
    }  # fmt: skip
    assert {name: files[name].size for name in sizes} == sizes
    for source, row in etl.PUBLISHED.items():
        assert sum(p.samples for p in row) == etl.PUBLISHED_SETS[source].samples
        assert [etl.published_file(p.name) for p in row] == list(row)
    assert sum(p.sha256 is not None for p in files.values()) == 6


def test_find_in_folders_and_zips(tmp_path: Path) -> None:
    m, b = archive("ETL1", coded([0x30])), archive("ETL8B", coded([0x2422]))
    nested = tmp_path / "My ETL" / "ETL1" / "ETL1"
    nested.mkdir(parents=True)
    (nested / "etl1c-02").write_bytes(m)
    (nested / "ETL1INFO").write_text("about", "utf-8")
    (nested / ".DS_Store").write_bytes(b"junk")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "ETL1C_03").write_bytes(m)
    (tmp_path / "other.zip").write_bytes(b"broken, but none of ours")
    with zipfile.ZipFile(tmp_path / "all.ZIP", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("ETL1/ETL1C_01", m)
        z.writestr("ETL1/ETL1C_02", m)
        z.writestr("__MACOSX/ETL1/._ETL1C_01", b"junk")
        z.writestr("__MACOSX/ETL1/ETL1C_04", b"junk")
        z.writestr("ETL8B/ETL8INFO", "about")
        z.writestr("ETL8B2/ETL8B2C1", b)
    found = etl.find([tmp_path, str(nested)])
    assert [(f.source, f.number, f.member) for f in found.files] == [
        ("ETL1", 1, "ETL1/ETL1C_01"), ("ETL1", 2, None), ("ETL8B", 1, "ETL8B2/ETL8B2C1"),
    ]  # fmt: skip
    assert found.sources == ("ETL1", "ETL8B")
    assert found.missing["ETL1"][0] == "ETL1C_03" and len(found.missing["ETL1"]) == 11
    assert found.missing["ETL8B"] == ("ETL8B2C2", "ETL8B2C3")
    (warning,) = found.warnings
    assert "left out" in warning and "etl1c-02" in warning
    plain, packed = found.files[1], found.files[0]
    assert [f.records for f in found.files] == [1, 1, 2] and packed.size == len(m)
    assert np.array_equal(next(etl.read(plain)).gray, next(etl.read(packed)).gray)
    assert text(next(etl.read(found.files[2]))) == "あ"
    complete = tmp_path / "ETL4C"
    complete.write_bytes(m)
    assert etl.find(complete).missing == {}


def test_zips_are_read_in_blocks(tmp_path: Path) -> None:
    written = [noise("ETL9B", i) for i in range(40)]
    with zipfile.ZipFile(tmp_path / "ETL9B.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("ETL9B/ETL9B_1", archive("ETL9B", written))
    file = etl.find(tmp_path).files[0]
    codes = np.concatenate([b.meta["code"] for b in etl.read(file, block=7)])
    assert codes.tolist() == [values["code"] for values in written]


def refused(file: etl.EtlFile, *words: str) -> None:
    for call in (lambda: list(etl.read(file)), lambda: etl.check(file)):
        with pytest.raises(DataError) as caught:
            call()
        message = str(caught.value)
        assert "\n" not in message and file.path.name in message and ";" in message
        for word in words:
            assert word in message, message


@pytest.mark.parametrize("source", FORMS)
def test_wrong_lengths(source: str, tmp_path: Path) -> None:
    good = archive(source, [noise(source, i) for i in range(3)])
    refused(write(tmp_path, NAMES[source], good[:-1]), "cut short after", "records of")
    refused(write(tmp_path, NAMES[source], b""), "empty")
    size = FORMS[source][3]
    whole = size * etl.PUBLISHED[source][0].records
    with open(tmp_path / NAMES[source], "wb") as stream:
        stream.write(good)
        stream.truncate(whole + 5)
    refused(etl.find(tmp_path).files[0], "tail of 5 bytes")


def test_text_under_a_data_name(tmp_path: Path) -> None:
    for content in ("<html>404 Not Found</html>\n", "記録\n" * 800, "x" * 2052 * 3):
        refused(write(tmp_path, "ETL1C_01", content.encode()), "text")


def test_other_sets_under_a_name(tmp_path: Path) -> None:
    nine = archive("ETL9B", [noise("ETL9B", i) for i in range(15)])  # 9,216 bytes: also a multiple of 512
    refused(write(tmp_path, "ETL8B2C1", nine), "records of ETL9B")
    refused(write(tmp_path, "ETL8B2C1", nine[:-576]), "records of ETL9B")
    eight = archive("ETL8B", [noise("ETL8B", i) for i in range(17)])
    refused(write(tmp_path, "ETL9B_2", eight), "records of ETL8B")
    refused(write(tmp_path, "ETL4C", archive("ETL1", coded([0x41] * 5))), "records of ETL1")


def test_missing_dummy(tmp_path: Path) -> None:
    for name, source in (("ETL8B2C1", "ETL8B"), ("ETL9B_1", "ETL9B")):
        refused(write(tmp_path, name, archive(source, coded([0x2422] * 4))[FORMS[source][3] :]), "no empty first")


def test_codes_outside_everywhere(tmp_path: Path) -> None:
    for source in FORMS:
        refused(write(tmp_path, NAMES[source], archive(source, [{}] * 80)), "no record has")
    late = write(tmp_path, "ETL1C_01", archive("ETL1", coded([0] * 100 + [0x41])))  # found by looking at all of them
    assert [text(b) for b in etl.read(late)] == ["·" * 100 + "A"]


def test_wrong_zips(tmp_path: Path) -> None:
    path = tmp_path / "ETL8G.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("ETL8G/ETL8G_01", archive("ETL8G", [noise("ETL8G", i) for i in range(4)]))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    for given in (path, tmp_path):
        with pytest.raises(DataError, match=r"ETL8G\.zip: not a whole zip file .*; download"):
            etl.find(given)
    (tmp_path / "ETL4C").write_bytes(archive("ETL4", coded([0xB1])))
    errors: list[DataError] = []
    assert [f.source for f in etl.find(tmp_path, errors=errors).files] == ["ETL4"] and len(errors) == 1
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 40] = b"\xff" * 40
    path.write_bytes(damaged)
    file = next(f for f in etl.find(tmp_path).files if f.source == "ETL8G")
    with pytest.raises(DataError, match=r"ETL8G_01: damaged inside the zip file .*; copy"):
        list(etl.read(file))


def test_locked_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ETL4.zip", "w") as z:
        z.writestr("ETL4C", archive("ETL4", coded([0xB1])))
    data = bytearray((tmp_path / "ETL4.zip").read_bytes())
    data[6] |= 1  # the flags of the member, in its own header and in the directory
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "ETL4.zip").write_bytes(data)
    refused(etl.find(tmp_path).files[0], "password")


def test_broken_link(tmp_path: Path) -> None:
    (tmp_path / "ETL4C").symlink_to(tmp_path / "absent")
    with pytest.raises(DataError, match="ETL4C: cannot be read"):
        etl.find(tmp_path)


def test_links_to_folders(tmp_path: Path) -> None:
    data = tmp_path / "disk" / "ETL4"
    data.mkdir(parents=True)
    (data / "ETL4C").write_bytes(archive("ETL4", coded([0xB1])))
    (data / "up").symlink_to(tmp_path / "disk")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "etl").symlink_to(tmp_path / "disk")
    assert [f.source for f in etl.find(tmp_path / "mine").files] == ["ETL4"]


def test_wrong_paths(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        etl.find(tmp_path / "absent")
    with pytest.raises(DataError, match="no ETL files"):
        etl.find(tmp_path)
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    with pytest.raises(DataError, match="not the name of an ETL file"):
        etl.find(tmp_path / "notes.txt")
    file = write(tmp_path, "ETL4C", archive("ETL4", coded([0xB1])))
    with pytest.raises(ValueError, match="block"):
        next(etl.read(file, block=0))
    file.path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        next(etl.read(file))


def test_shrinking_file(tmp_path: Path) -> None:
    file = write(tmp_path, "ETL4C", archive("ETL4", coded([0xB1] * 200)))
    blocks = etl.read(file, block=100)
    next(blocks)
    file.path.write_bytes(file.path.read_bytes()[: 2952 * 150])
    with pytest.raises(DataError, match="before its stated size"):
        next(blocks)


def test_warnings(tmp_path: Path) -> None:
    file = write(tmp_path, "ETL4C", archive("ETL4", coded([0xB1, 0xB2])))
    (line,) = etl.check(file)
    assert line == f"{tmp_path / 'ETL4C'}: 2 records where ETL4C has 6,120: 6,118 are missing"
    file = write(tmp_path, "ETL4C", record("ETL4", {"code": 0xB2}) * 6121)
    more, first = etl.check(file)
    assert "1 too many" in more and "the first sample is い where ETL4C starts with あ" in first
    assert sum(len(b) for b in etl.read(file)) == 6121
    sheets = [{"code": 0x2422, "sheet": s} for s in (1, 11, 21, 39)] + [{"code": 0x2424, "sheet": s} for s in (10, 30)]
    file = write(tmp_path, "ETL8B2C1", archive("ETL8B", sheets))
    assert "1 records stand elsewhere" in etl.check(file)[1]
