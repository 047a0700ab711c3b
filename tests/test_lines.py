"""Lines from other people's formats, written here by other hands and read back; and what is said of broken ones."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import line_sources as made
import numpy as np
import pytest
from PIL import Image

from jphtr.errors import DataError, ImageError, JphtrError, MissingExtraError
from jphtr.formats import FORMATS
from jphtr.formats.style import Style
from jphtr.geometry import prepare
from jphtr.records import CharSpan, LineRegion, Page, PageLine, Recognition
from jphtr.sources.lines import LINE_SOURCES, LineRef, Notes, format_of, read_lines, read_truth
from jphtr.sources.lines_crop import cut


def patient() -> tuple[Notes, list[str]]:
    """Notes that gather what is wrong instead of raising it."""
    said: list[str] = []
    return Notes(on_error=lambda error: said.append(str(error))), said


def right(refs: list[LineRef]) -> bool:
    """Whether lines are those of the page, with its pixels."""
    by_text = {ref.text: ref for ref in refs}
    return len(refs) == len(made.ROWS) and all(
        np.array_equal(by_text[row.text].load(), made.piece(row)) and by_text[row.text].direction in ("", row.direction)
        for row in made.ROWS
    )


# ---- every format gives back what was written ----

WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "table": ("table", made.table),
    "folder of pictures": ("folder", made.sidecars),
    **{
        f"PAGE {version}": ("page", lambda folder, v=version: made.page_xml(folder / "a.xml", v))
        for version in ("2010-03-19", "2013-07-15", "2017-07-15", "2019-07-15")
    },
    **{f"ALTO {v}": ("alto", lambda folder, v=v: made.alto(folder / "a.xml", v)) for v in (2, 3, 4)},
    "ALTO in millimetres": ("alto", lambda folder: made.alto(folder / "a.xml", 2, "mm10")),
    "VIA 1": ("via-json", lambda folder: made.via_json(folder / "via.json", 1)),
    "VIA 2": ("via-json", lambda folder: made.via_json(folder / "via.json", 2)),
    "VIA CSV": ("via-csv", lambda folder: made.via_csv(folder / "via.csv")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    kind, write = WRITERS[name]
    if kind not in ("table", "folder"):
        made.save(tmp_path / "page.png")
    path = write(tmp_path)
    assert format_of(path) == kind
    assert right(list(read_lines(path)))


def test_the_iam_layout(tmp_path: Path) -> None:
    made.iam(tmp_path)
    for path in (tmp_path, tmp_path / "ascii", tmp_path / "ascii" / "lines.txt"):
        refs = list(read_lines(path))
        assert [ref.text for ref in refs] == list(made.IAM_TEXTS)
        assert [(ref.writer, ref.document) for ref in refs] == [("000", "a01-000u")] * 2 + [("671", "b04-010")]
        assert np.array_equal(refs[2].load(), made.piece(made.ROWS[0]))


def test_every_format_is_tried_here() -> None:
    told = {kind for kind, _ in WRITERS.values()} | {"iam", "folder-table", "files", "parquet", "lines"}
    assert told == set(LINE_SOURCES)


def test_what_sources_say_besides(tmp_path: Path) -> None:
    refs = list(read_lines(made.table(tmp_path / "t")))
    assert [(r.writer, r.kind, r.split, r.document) for r in refs] == [
        ("hand 0", "noise", "valid", "img"), ("hand 1", "noise", "valid", "img"), ("hand 0", "noise", "valid", "img")
    ]  # fmt: skip
    assert [r.direction for r in refs] == ["horizontal", "horizontal", "vertical"]
    made.save(tmp_path / "p" / "page.png")
    refs = list(read_lines(made.page_xml(tmp_path / "p" / "sheet 7.xml")))
    assert {(r.document, r.kind) for r in refs} == {("sheet 7", "printed")}
    assert [r.direction for r in refs] == ["", "", "vertical"] and refs[0].name.endswith("sheet 7.xml, line l0")
    refs = list(read_lines(made.via_json(tmp_path / "p" / "via.json")))
    assert {(r.writer, r.document) for r in refs} == {("a", "page")}


@pytest.mark.parametrize("name", ["page", "alto"])
def test_pages_that_jphtr_read_are_own_lines_once_a_person_has_corrected_them(name: str, tmp_path: Path) -> None:
    if name not in FORMATS:
        pytest.skip(f"jphtr does not write {name}")
    found = []
    for row in made.ROWS:
        box = tuple(map(float, row.box))
        quad = tuple((float(x), float(y)) for x, y in made.corners(row))
        spans = tuple(CharSpan(char, box) for char in row.text)  # type: ignore[arg-type]
        recognition = Recognition(row.text, 1.0, spans, row.direction)  # type: ignore[arg-type]
        found.append(PageLine(LineRegion(quad, row.direction), recognition))  # type: ignore[arg-type]
    page = Page(*made.SIZE, tuple(found), str(made.save(tmp_path / "page.png")))
    (tmp_path / "page.xml").write_text("".join(FORMATS[name].write([page], Style())), "utf-8")
    refs = list(read_lines(tmp_path / "page.xml"))
    assert right(refs) and [ref.direction for ref in refs] == [row.direction for row in made.ROWS]


def test_a_table_without_a_header_and_one_with_a_mark_and_other_names(tmp_path: Path) -> None:
    (tmp_path / "plain.tsv").write_text("a.png\tあ\n\nsub/b.png\t い \n", "utf-8")
    refs = list(read_truth(tmp_path / "plain.tsv"))
    assert [(r.path, r.text, r.document) for r in refs] == [
        (tmp_path / "a.png", "あ", ""), (tmp_path / "sub/b.png", "い", "sub")
    ]  # fmt: skip
    (tmp_path / "turned.tsv").write_text("\ufeffLabel\tStyle\tPath\nか\u3099\tpen\ta.png\n", "utf-8")
    assert [(r.text, r.kind) for r in read_truth(tmp_path / "turned.tsv")] == [("が", "pen")]
    (tmp_path / "two.tsv").write_text("text\tpath\tlabel\timage\nあ\ta.png\tx\ty\n", "utf-8")
    assert [(r.text, r.path.name) for r in read_truth(tmp_path / "two.tsv")] == [("あ", "a.png")]
    (tmp_path / "own.tsv").write_text("Path\tcorrected\tocr\ttext\na.png\tあ\tx\ty\n", "utf-8")
    assert [r.text for r in read_lines(tmp_path / "own.tsv", Notes("Corrected"))] == ["あ"]


def test_a_folder_with_a_truth_table_is_that_table(tmp_path: Path) -> None:
    made.table(tmp_path).rename(tmp_path / "truth.tsv")
    assert format_of(tmp_path) == "folder-table" and right(list(read_lines(tmp_path)))


def test_folders_of_pages_keep_their_documents_apart(tmp_path: Path) -> None:
    for book in ("one", "two"):
        made.save(tmp_path / book / "page.png")
        made.page_xml(tmp_path / book / "page" / "001.xml")  # its picture lies one folder up
    (tmp_path / "mets.xml").write_text("<mets/>", "utf-8")
    (tmp_path / "about.json").write_text("{}", "utf-8")
    refs = list(read_lines(tmp_path))
    assert {ref.document for ref in refs} == {"one/page/001", "two/page/001"} and len(refs) == 6


def test_the_lines_of_a_page_come_once(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    made.alto(tmp_path / "alto" / "a.xml")
    made.page_xml(tmp_path / "page" / "a.xml")
    notes, said = patient()
    assert right(list(read_lines(tmp_path, notes)))
    assert len(said) == 1 and "alto/a.xml gives the lines of page.png already" in said[0]


def test_texts_in_words_and_pages_not_yet_written(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    word = "<Word id='w{0}'><TextEquiv><Unicode>{1}</Unicode></TextEquiv></Word>"
    line = "<TextLine id='l{0}'><Coords points='5,5 90,5 90,30 5,30'/>{1}</TextLine>"
    texts = [
        "".join(word.format(i, w) for i, w in enumerate(words)) for words in (["New", "York", "の", "街"], [], [" "])
    ]
    body = "".join(line.format(i, text) for i, text in enumerate(texts))
    (tmp_path / "a.xml").write_text(
        f"<PcGts><Page imageFilename='page.png'><TextRegion>{body}</TextRegion></Page></PcGts>"
    )
    notes = Notes()
    assert [ref.text for ref in read_lines(tmp_path / "a.xml", notes)] == ["New Yorkの街"] and notes.untold == 2


def test_pictures_named_by_ocropus_and_pictures_without_text(tmp_path: Path) -> None:
    made.save(tmp_path / "1.bin.png", made.piece(made.ROWS[0]))
    (tmp_path / "1.gt.txt").write_text("あ\n", "utf-8")
    made.save(tmp_path / "2.png", made.piece(made.ROWS[0]))
    made.save(tmp_path / "3.png", made.piece(made.ROWS[0]))
    (tmp_path / "3.txt").write_text("\n", "utf-8")
    notes = Notes()
    assert [ref.text for ref in read_lines(tmp_path, notes)] == ["あ"] and notes.untold == 2


def test_the_attribute_with_the_text(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    path = made.via_json(tmp_path / "via.json", name="よみ")
    assert right(list(read_lines(path)))  # the only one that can be it
    path.write_text(path.read_text("utf-8").replace('"よみ"', '"meaning": "x", "よみ"'), "utf-8")
    with pytest.raises(DataError, match=r"which attribute holds the text\? there are 'meaning', 'よみ', 'direction'"):
        list(read_lines(path))
    assert right(list(read_lines(path, Notes("よみ"))))


# ---- parquet ----


def png(gray: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return file.getvalue()


def rows_of_parquet() -> dict[str, list[object]]:
    pictures = [{"bytes": png(made.piece(row)), "path": f"{i}.png"} for i, row in enumerate(made.ROWS)]
    broken = [{"bytes": None, "path": None}, {"bytes": b"x", "path": "x.png"}, {"bytes": b"", "path": None}]
    return {"id": [0] * 6, "image": [*pictures, *broken], "text": [*(row.text for row in made.ROWS), "あ", "い", ""]}


def check_parquet(path: Path) -> None:
    notes, said = patient()
    refs = list(read_lines(path, notes))
    assert right(refs[:3]) and [ref.split for ref in refs] == ["valid"] * 4 and notes.untold == 1
    assert said == [f"{path}, row 3: no bytes of a picture; write them into it"]
    with pytest.raises(ImageError, match=r"row 4 \(x.png\): not a picture"):
        refs[3].load()
    with pytest.raises(DataError, match="no column 'words'; there are id, image, text; name it with --text-name"):
        list(read_lines(path, Notes("words")))


def test_parquet_as_the_hub_keeps_it(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "validation-00000-of-00001.parquet"
    parquet.write_table(arrow.table(rows_of_parquet()), path, row_group_size=2)
    check_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"not parquet that can be read: .*; download it again"):
        list(read_lines(path))


def test_parquet_through_a_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of pyarrow, where it is not installed: a file's columns, batches of rows, and these as plain values."""
    columns = rows_of_parquet()

    class ParquetFile:
        schema_arrow = SimpleNamespace(names=list(columns))

        def __init__(self, stream: object) -> None:
            pass

        def iter_batches(self, batch_size: int, columns: list[str]) -> list[object]:
            rows = [
                dict(zip(columns, row, strict=True))
                for row in zip(*(rows_of_parquet()[c] for c in columns), strict=True)
            ]
            return [SimpleNamespace(to_pylist=lambda part=rows[i : i + 4]: part) for i in (0, 4)]

    stand_in = ModuleType("pyarrow.parquet")
    stand_in.ParquetFile = ParquetFile  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyarrow", ModuleType("pyarrow"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", stand_in)
    (tmp_path / "dev-0.parquet").write_bytes(b"PAR1...")
    check_parquet(tmp_path / "dev-0.parquet")


def test_without_pyarrow_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1...")
    with pytest.raises(MissingExtraError, match=r'pip install "jphtr\[parquet\]"'):
        list(read_lines(tmp_path / "a.parquet"))


# ---- cutting lines out ----


def test_neighbours_outside_a_polygon_become_paper_on_dark_paper_too() -> None:
    """An outline around the neighbour below: nothing of it is left, and the paper there follows the light."""
    light = np.linspace(120, 240, 400).round().astype(np.uint8)
    page = np.tile(light, (100, 1))
    page[20:40, 10:390:7] = 0
    page[46:64, 110:290:7] = 0  # the neighbour
    outline = [(0, 10), (400, 10), (400, 60), (320, 60), (300, 43), (100, 43), (80, 60), (0, 60)]
    for gray in (page, 255 - page):
        found = cut(gray, outline)
        assert found.shape == (50, 400)
        below = found.astype(int)[36:, 105:295]
        below = below if gray is page else 255 - below
        assert np.abs(below - light[None, 105:295]).max() < 14
        assert np.array_equal(found[:32], gray[10:42])


@pytest.mark.parametrize("angle", [-12, -3, 5, 30])
@pytest.mark.parametrize("vertical", [False, True])
def test_tilted_lines_are_levelled(angle: float, vertical: bool) -> None:
    strip = np.full((40, 300), 235, np.uint8)
    strip[8:32, 20:280] = np.kron(np.random.default_rng(1).choice([30, 235], (3, 13)), np.ones((8, 20)))
    gray = np.ascontiguousarray(np.rot90(strip, -1)) if vertical else strip
    height, width = gray.shape
    page = Image.new("L", (500, 500), 235)
    page.paste(Image.fromarray(gray), (250 - width // 2, 250 - height // 2))
    page = page.rotate(-angle, Image.Resampling.BICUBIC, fillcolor=235)  # Pillow turns the other way round
    box = np.array(
        [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    )
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline = [(x, y) for x, y in (box @ matrix + 250).tolist()]
    found = cut(np.asarray(page), outline)
    assert abs(found.shape[0] - height) <= 8 and abs(found.shape[1] - width) <= 8
    middle = found[: height - 4, : width - 4].astype(float)  # a pixel more or less on either side
    best = max(
        np.corrcoef(middle[a : a + height - 12, b : b + width - 12].ravel(), gray[4:-8, 4:-8].ravel().astype(float))[
            0, 1
        ]
        for a in range(8)
        for b in range(8)
    )
    assert best > 0.9
    by_baseline = cut(np.asarray(page), outline, [outline[3], outline[2]])
    assert abs(by_baseline.shape[0] - height) <= 8


def test_what_is_cut_is_read_as_what_was_drawn() -> None:
    """The strip that a net sees of a tilted line on a page is that of the line alone."""
    page = np.full((200, 360), 230, np.uint8)
    page[80:110, 40:300] = np.kron(np.random.default_rng(2).choice([30, 230], (3, 13)), np.ones((10, 20)))
    outline = [(30, 70), (310, 70), (310, 120), (170, 118), (30, 120)]
    alone = prepare(page[70:120, 30:310])
    cut_out = prepare(cut(page, outline))
    assert np.abs(alone.gray.astype(int) - cut_out.gray[:, : alone.gray.shape[1]]).mean() < 2


@pytest.mark.parametrize("outline", [[(400, 10), (450, 10), (450, 30), (400, 30)], [(5, 5), (6, 5), (6, 90), (5, 90)]])
def test_an_outline_without_pixels_is_an_error(outline: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"its outline \(.*\) is empty on its picture of 360 x 200 pixels"):
        cut(made.page(), outline)


# ---- what is wrong is named, and the rest is read ----


def test_one_bad_line_among_many(tmp_path: Path) -> None:
    path = made.table(tmp_path)
    text = path.read_text("utf-8").splitlines()
    text[2:2] = ["no tab here", "img/0.png\tx\tup", "\tx", "img/0.png\tx\thorizontal\ta\tdemo"]
    path.write_text("\n".join(text), "utf-8")
    notes, said = patient()
    assert right(list(read_lines(path, notes))) and notes.errors == 4
    assert [line.removeprefix(f"{path}, line ") for line in said] == [
        "3: no tab; write the picture's path, a tab, and its text",
        "4: direction 'up'; write horizontal or vertical",
        "5: lacks a path or a text; fill both columns",
        "6: split 'demo'; write train, valid or test",
    ]
    with pytest.raises(DataError, match="line 3: no tab"):
        list(read_truth(path))


def test_one_bad_picture_of_a_page_and_one_bad_line(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    path = made.page_xml(tmp_path / "a.xml")
    text = path.read_text("utf-8")
    for old, new, wanted in (
        ('points="20,15 260,15 260,50 20,50"', 'points="20,15 260,15"', "a.xml, line l0: no outline of at least three"),
        ('points="20,15 260,15 260,50 20,50"', 'points="20,15 260,x 1,1"', "a.xml, line l0: could not convert"),
        ('points="20,15 260,15 260,50 20,50"', 'points="20,15 260,nan 1,1"', "a.xml, line l0: an outline with points"),
        ('"top-to-bottom"', '"up"', "a.xml, line l2: direction 'up'"),
        (">横書きの一行目<", ">横書き\nの一行目<", "a.xml, line l0: its text goes over 2 lines"),
    ):
        path.write_text(text.replace(old, new), "utf-8")
        notes, said = patient()
        assert len(list(read_lines(path, notes))) == 2 and len(said) == 1 and wanted in said[0]
    path.write_text(text.replace('points="20,15 260,15 260,50 20,50"', 'points="900,15 960,15 960,50 900,50"'), "utf-8")
    refs = list(read_lines(path))
    with pytest.raises(ImageError, match=r"a.xml, line l0: its outline \(900, 15\) to \(960, 50\) is empty"):
        refs[0].load()


def test_pages_and_pictures_that_do_not_belong_together(tmp_path: Path) -> None:
    path = made.page_xml(tmp_path / "a.xml", picture="lost.png")
    with pytest.raises(DataError, match=r"a.xml: its picture 'lost.png' is not there; put it beside the file"):
        list(read_lines(path))
    made.save(tmp_path / "page.png")
    path = made.page_xml(tmp_path / "b.xml", imageHeight="500")
    with pytest.raises(
        DataError, match=r"its page is 360 x 500, the picture .*page.png 360 x 200; give that page's picture"
    ):
        list(read_lines(path))
    double = np.repeat(np.repeat(made.page(), 2, axis=0), 2, axis=1)
    made.save(tmp_path / "twice" / "page.png", double)
    refs = list(read_lines(made.page_xml(tmp_path / "twice" / "c.xml")))
    assert np.array_equal(refs[0].load()[::2, ::2], made.piece(made.ROWS[0]))
    (tmp_path / "page.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"d.xml: .*page.png: is empty"):
        list(read_lines(made.page_xml(tmp_path / "d.xml")))


def test_a_file_of_several_pages_is_not_read_in_part(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    path = made.alto(tmp_path / "a.xml")
    path.write_text(path.read_text("utf-8").replace("</Page>", "</Page><Page/>"), "utf-8")
    with pytest.raises(DataError, match=r"a.xml: 2 pages in one file, of one picture; write a file for each page"):
        list(read_lines(path))


def test_regions_that_are_no_lines(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    path = made.via_json(tmp_path / "via.json")
    text = path.read_text("utf-8")
    for old, new, wanted in (
        (
            '"name": "rect", "x": 20, "y": 15',
            '"name": "circle", "x": 20, "y": 15',
            "region 0: circle is not the outline",
        ),
        ('"x": 20, "y": 15', '"x": 20', "region 0: a rect without its coordinates"),
        ('"all_points_x": [300, 335, 335, 300]', '"all_points_x": [300, 335]', "region 2: "),
        ("page.png", "lost.png", "via.json: its picture 'lost.png' is not there"),
    ):
        path.write_text(text.replace(old, new), "utf-8")
        notes, said = patient()
        list(read_lines(path, notes))
        assert len(said) == 1 and wanted in said[0], said


def test_iam_without_its_pictures(tmp_path: Path) -> None:
    made.iam(tmp_path)
    picture = tmp_path / "lines" / "a01" / "a01-000u" / "a01-000u-01.png"
    picture.unlink()
    notes, said = patient()
    assert len(list(read_lines(tmp_path, notes))) == 2 and "no picture a01-000u-01.png under" in said[0]
    for left in tmp_path.rglob("*.png"):
        left.unlink()
    with pytest.raises(DataError, match="without a picture of any of its lines"):
        list(read_lines(tmp_path, patient()[0]))


WRONG = {
    "none.tsv": (None, "No such file"),
    "empty.tsv": (b"", "is empty and holds no line"),
    "binary.tsv": (b"\xff\xfe\xfa", "not UTF-8"),
    "random.bin": (bytes(range(256)), "not UTF-8 text, nor any other file of lines"),
    "web.html": (b"<html><body/></html>", "XML of 'html', not PAGE or ALTO"),
    "cut.xml": (b"<?xml version='1.0'?><PcGts><Page>", "not XML that can be read"),
    "odd.xml": (b"<", "XML that is broken, not PAGE or ALTO"),
    "list.json": (b"[1, 2]", "JSON, but not of VIA"),
    "cut.json": (b'{"a": ', "not JSON"),
    "via3.json": (b'{"project": {}, "view": {}, "metadata": {}}', "a project of VIA 3"),
    "other.h5": (b"\x89HDF\r\n\x1a\n", "HDF5, but no line file; make one with jphtr pack"),
    "commas.csv": (b"path,text\na.png,x\n", "line 1: no tab; write the picture's path"),
    "head.tsv": (b"file\ttext\n", "holds no line"),
    "regions.csv": (b"filename,region_shape_attributes\n", "without the columns region_attributes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gives_one_clear_line_also_where_lines_may_be_left_out(name: str, tmp_path: Path) -> None:
    data, wanted = WRONG[name]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    for notes in (None, patient()[0]):
        with pytest.raises(JphtrError, match=wanted) as error:
            list(read_lines(path, notes))
        assert str(error.value).startswith(str(path)) and "\n" not in str(error.value) and ";" in str(error.value)


def test_a_folder_without_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds neither truth.tsv nor a .txt beside a picture"):
        list(read_lines(tmp_path))
    made.save(tmp_path / "a.png")
    (tmp_path / "b.gt.txt").write_text("x", "utf-8")
    with pytest.raises(DataError, match="holds neither"):
        list(read_lines(tmp_path))
    (tmp_path / "a.gt.txt").write_text("", "utf-8")
    notes, said = patient()
    assert not list(read_lines(tmp_path, notes)) and "b.gt.txt: no picture beside it; put b.png there" in said[0]
    (tmp_path / "b.gt.txt").unlink()
    with pytest.raises(DataError, match="1 places for lines, but not one text"):
        list(read_lines(tmp_path))


def test_a_bomb_of_entities_is_refused(tmp_path: Path) -> None:
    made.save(tmp_path / "page.png")
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    (tmp_path / "a.xml").write_text(
        f'<!DOCTYPE PcGts [<!ENTITY a0 "boom">{entities}]><PcGts><Page imageFilename="page.png">&a9;</Page></PcGts>',
        "utf-8",
    )
    with pytest.raises(DataError, match="not XML that can be read"):
        list(read_lines(tmp_path / "a.xml"))
