"""The HTTP API as callers meet it: what is read, what is refused and how, and that the server lives on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from test_image import bomb
from toy_model import draw, header, places, write_toy

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytest.importorskip("python_multipart", reason="the extra serve is not installed")
pytest.importorskip("httpx2", reason="the client for tests is not installed")

from starlette.testclient import TestClient

from jphtr.classifier import Classification
from jphtr.errors import DataError, ModelError, SettingsError
from jphtr.formats import FORMATS, Style
from jphtr.formats.json_lines import as_dict
from jphtr.reader import Reader
from jphtr.records import LineRegion
from jphtr.serve import document
from jphtr.serve.app import application
from jphtr.serve.limits import Limits
from jphtr.serve.options import CLASSIFY, READ, parse
from jphtr.serve.reading import Models, Readings
from jphtr.serve.training_lines import stem_of
from jphtr.serve.workers import Reply, Workers
from jphtr.sources.lines import read_lines

LIMITS = Limits(megabytes=1, megapixels=0.5, pages=2, seconds=30, upload_seconds=5, queue=4)
PNG = {"Content-Type": "image/png"}


def png(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def tiff(*texts: str) -> bytes:
    file = io.BytesIO()
    first, *others = (Image.fromarray(draw(text)) for text in texts)
    first.save(file, "TIFF", save_all=True, append_images=others)
    return file.getvalue()


LINE = png(draw("あい漢"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "line.onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "lines"


@pytest.fixture(scope="module")
def client(model: Path, folder: Path) -> Iterator[TestClient]:
    # the toy is equally sure in all frames of a character, as no trained net is: a beam adds nothing
    readings = partial(Readings, Models(model, lm="none", threads=1), LIMITS, folder)
    with Workers(readings, count=1, queue=LIMITS.queue, seconds=LIMITS.seconds) as workers:
        app = application(workers, LIMITS, names=["reader.example"], saves=True)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as found:
            yield found


def read(client: TestClient, data: bytes = LINE, **options: object) -> Any:
    answer = client.post("/read", params={"decoder": "greedy", **options}, content=data, headers=PNG)
    assert answer.status_code == 200, answer.text
    return answer.json() if options.get("format", "json") == "json" else answer.text


# what is read


def test_a_line_comes_back_with_boxes_where_they_are(client: TestClient, model: Path) -> None:
    (page,) = read(client)
    (line,) = page["lines"]
    assert (line["text"], line["direction"]) == ("あい漢", "horizontal")
    assert (page["width"], page["height"]) == Image.open(io.BytesIO(LINE)).size
    truth = Reader(model, lm="none", decoder="greedy").read(io.BytesIO(LINE))
    assert [char["bbox"] for char in line["chars"]] == [[round(v, 2) for v in span.box] for span in truth.spans]
    assert [char["confidence"] for char in line["chars"]] == [round(span.confidence, 4) for span in truth.spans]


def test_the_body_and_a_form_are_read_alike(client: TestClient) -> None:
    form = client.post("/read", files={"file": ("../x.png", LINE, "image/png")}, data={"decoder": "greedy"})
    assert form.json() == [page | {"path": "x.png"} for page in read(client)]
    assert read(client)[0]["model"] == "toy 0.0"


@pytest.mark.parametrize(("direction", "text"), [("auto", "うえお"), ("vertical", "うえお")])
def test_direction(client: TestClient, direction: str, text: str) -> None:
    (page,) = read(client, png(draw("うえお", direction="vertical")), direction=direction)
    assert (page["lines"][0]["text"], page["lines"][0]["direction"]) == (text, "vertical")


def test_formats_have_their_media_type_and_a_name_for_their_file(client: TestClient) -> None:
    answer = client.post("/read", params={"format": "text", "decoder": "greedy"}, files={"file": ("山/a b.png", LINE)})
    assert answer.text == "あい漢\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a-b.txt"
    assert read(client, format="tsv").split("\t")[1] == "あい漢"


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pdf"])
def test_every_format(client: TestClient, name: str) -> None:
    answer = client.post("/read", params={"format": name, "decoder": "greedy"}, files={"file": ("a.png", LINE)})
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == FORMATS[name].media_type
    assert "漢" in answer.text


def test_pages_that_need_a_file_each_come_as_a_zip(client: TestClient) -> None:
    answer = client.post("/read", params={"format": "page"}, files={"file": ("b.tiff", tiff("あ", "漢い"))})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["b-p01.page.xml", "b-p02.page.xml"]
        assert "漢" in archive.read("b-p02.page.xml").decode()


def test_a_pdf_shows_the_picture_that_was_sent_and_no_other(client: TestClient, tmp_path: Path) -> None:
    pytest.importorskip("pydyf", reason="the extra pdf is not installed")
    pypdf = pytest.importorskip("pypdf", reason="no reader of PDF is installed")
    (tmp_path / "secret.png").write_bytes(png(np.zeros((99, 99), np.uint8)))
    reading = json.dumps([page | {"path": str(tmp_path / "secret.png")} for page in corrected(client)])
    answer = export(client, reading, format="pdf")
    (page,) = pypdf.PdfReader(io.BytesIO(answer.content)).pages
    assert page.extract_text().strip() == "あう漢"
    assert page.images[0].image.size == Image.open(io.BytesIO(LINE)).size
    alone = client.post("/export", params={"format": "pdf"}, files={"reading": (None, reading)})
    refused(alone, 422, "file: is missing")


def test_least_confidence_and_alternatives(client: TestClient) -> None:
    (line,) = read(client, min_confidence=1, top_k=2)[0]["lines"]
    assert line["text"] == "〓〓〓"
    assert [len(char["alternatives"]) for char in line["chars"]] == [2, 2, 2]
    assert line["chars"][2]["alternatives"][0]["char"] == "漢"


def test_nothing_on_the_picture_is_no_line(client: TestClient) -> None:
    assert read(client, png(np.full((40, 200), 255, np.uint8)))[0]["lines"] == []


def test_pictures_are_shown_to_who_cannot(client: TestClient) -> None:
    import base64

    (page,) = read(client, pictures="true")
    kind, data = page["picture"].split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (page["width"], page["height"])


def test_pages_of_a_tiff(client: TestClient) -> None:
    pages = read(client, tiff("あ", "漢い"))
    assert [(page["page"], page["lines"][0]["text"]) for page in pages] == [(1, "あ"), (2, "漢い")]
    refused(client.post("/read", content=tiff("あ", "い", "う"), headers=PNG), 413, "2 pages")


def test_a_character_is_told_by_the_line_reader_where_there_is_no_classifier(client: TestClient) -> None:
    answer = client.post("/classify", params={"top_k": 3}, content=png(draw("漢")), headers=PNG).json()
    assert answer["by"] == "line reader"
    assert answer["candidates"][0]["char"] == "漢"
    assert len(answer["candidates"]) == 3
    blank = client.post("/classify", content=png(np.full((64, 64), 255, np.uint8)), headers=PNG)
    assert blank.json()["candidates"] == []


def test_a_classifier_is_asked_where_there_is_one(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Planted:
        def __init__(self, name: str, **_: object) -> None:
            self.header = header(name=name)

        def classify(self, gray: NDArray[np.uint8], top_k: int) -> Classification:
            assert gray.shape == draw("漢").shape
            return Classification("口", 0.6, (("ロ", 0.3), ("□", 0.1))[: top_k - 1])

    monkeypatch.setattr("jphtr.serve.reading.Classifier", Planted)
    readings = Readings(Models(model, lm="none", classifier="kanji", threads=1), LIMITS)
    assert json.loads(readings("about", {}, b"").body)["classifier"] == "kanji"
    answer = json.loads(readings("classify", {"script": "auto", "top_k": 2}, png(draw("漢"))).body)
    assert answer == {
        "candidates": [{"char": "口", "confidence": 0.6}, {"char": "ロ", "confidence": 0.3}], "by": "classifier",
    }  # fmt: skip
    readings = Readings(Models(model, lm="none", threads=1), LIMITS)
    answers = [
        json.loads(readings("classify", {"script": script, "top_k": 1}, png(draw("漢"))).body)
        for script in ("auto", "hiragana")
    ]
    assert [answer["by"] for answer in answers] == ["line reader", "classifier"]


def test_a_page(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {40: "あい漢", 160: "うえ", 280: "おあ漢い"}
    sheet = np.full((420, 420), 250, np.uint8)
    regions = []
    for y, text in texts.items():
        line = draw(text)
        x0, y0, x1, y1 = 60, y, 60 + line.shape[1], y + line.shape[0]
        sheet[y0:y1, x0:x1] = line
        regions.append(LineRegion(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), kind="ruby" if y == 160 else "text"))
    # how lines are found has tests of its own
    for module in ("jphtr.serve.reading", "jphtr.page_reader"):
        monkeypatch.setattr(f"{module}.segment", lambda *_, **__: tuple(regions))
    monkeypatch.setattr("jphtr.serve.reading.is_line", lambda *_: False)
    readings = Readings(Models(model, detector="classical", lm="none", threads=1), LIMITS)

    def read(**options: object) -> Any:
        given = parse(READ, []) | {"decoder": "greedy", "name": "a.png"} | options
        (page,) = json.loads(readings("read", given, png(sheet)).body)
        return page["lines"]

    assert [line["text"] for line in read()] == list(texts.values())
    assert read(layout="page") == read()
    assert [line["text"] for line in read(ruby="drop")] == ["あい漢", "おあ漢い"]
    box, (x0, y0, x1, y1) = read()[2]["chars"][0]["bbox"], places("お")[0]
    assert np.abs(np.array(box) - (x0 + 60, y0 + 280, x1 + 60, y1 + 280)).max() < 5
    assert len(read(layout="line")) <= 1


def test_about_itself(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "workers": 1, "taken": 0}
    found = client.get("/version").json()
    assert (found["model"], found["classifier"], found["saves"]) == ("toy 0.0", None, True)
    assert set(found["formats"]) >= {"text", "json", "tsv"}
    assert found["limits"]["pages"] == LIMITS.pages


# corrections

NAME = f"手紙-{hashlib.sha256(LINE).hexdigest()[:8]}-p1-x0-y0"  # of the line, wherever its file lay


def corrected(client: TestClient) -> list[dict[str, Any]]:
    reading: list[dict[str, Any]] = read(client)
    line = reading[0]["lines"][0]
    line["chars"][1]["char"], line["text"] = "う", "あう漢"
    return reading


def export(client: TestClient, reading: object, path: str = "/export", **options: object) -> Any:
    text = reading if isinstance(reading, str) else json.dumps(reading)
    return client.post(path, params=options, files={"file": ("../../a.b/手紙.png", LINE)}, data={"reading": text})


def test_a_correction_is_written_in_any_format(client: TestClient) -> None:
    reading = corrected(client)
    assert export(client, reading, format="text").text == "あう漢\n"
    again = export(client, reading, top_k=5).json()
    assert again == [reading[0] | {"path": "手紙.png", "text": "あう漢"}]


def test_training_lines_hold_the_picture_and_the_corrected_text(client: TestClient, tmp_path: Path) -> None:
    answer = export(client, corrected(client), format="lines")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [f"{NAME}.png", f"{NAME}.gt.txt"]
        assert archive.read(f"{NAME}.gt.txt").decode() == "あう漢\n"
        archive.extractall(tmp_path)
    (line,) = read_lines(tmp_path)  # as training does
    assert line.text == "あう漢"
    assert np.array_equal(line.load(), draw("あい漢"))


def test_lines_are_saved_where_the_server_was_told(client: TestClient, folder: Path) -> None:
    assert export(client, corrected(client), "/save").json() == {"saved": 1}
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}.gt.txt", f"{NAME}.png"]
    assert [path.name for path in folder.parent.iterdir()] == ["lines"]  # nothing beside, whatever the file is called


def test_a_folder_that_cannot_be_written_is_the_servers_business(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    readings = Readings(Models(model, lm="none", threads=1), LIMITS, tmp_path / "file" / "lines")
    read = json.loads(readings("read", parse(READ, []) | {"name": "a.png"}, LINE).body)
    reply = readings("save", {"reading": json.dumps(read), "name": "a.png"}, LINE)
    assert reply.status == 500
    assert str(tmp_path) not in reply.body.decode()
    assert str(tmp_path) in capsys.readouterr().err


def test_lines_keep_their_names_whichever_are_sent(client: TestClient) -> None:
    def names(*tops: int) -> set[str]:
        lines = [{"text": "あ", "quad": [[9, y], [99, y], [99, y + 9], [9, y + 9]]} for y in tops]
        reading = [{"width": 184, "height": 48, "lines": lines}]
        with zipfile.ZipFile(io.BytesIO(export(client, reading, format="lines").content)) as archive:
            return set(archive.namelist())

    assert names(5, 20) == names(5) | names(20)
    assert len(names(5, 5)) == 4


def test_nothing_is_saved_unless_asked(model: Path, tmp_path: Path) -> None:
    with Workers(partial(Readings, Models(model, lm="none"), LIMITS), count=1, queue=1, seconds=30) as workers:
        app = application(workers, LIMITS)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            refused(export(client, corrected(client), "/save"), 404)
            assert "/save" not in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    ("reading", "place"),
    [
        ("{", "not JSON"), ("[]", "list of pages"), ("{}", "list of pages"), ("[[]]", "reading[0]"),
        ("[" * 100_000, "not JSON"), ('[{"width": 9, "height": 9, "lines": []}, {"width": 9, "height": 9, "lines": []}]', "twice"),
        ('[{"width": 1e999, "height": 5, "lines": []}]', "reading[0].width"),
        ('[{"width": NaN, "height": 5, "lines": []}]', "reading[0].width"),
        ('[{"width": 9, "height": 9, "lines": [{"quad": [[0, 0]]}]}]', "reading[0].lines[0].quad"),
        ('[{"width": 9, "height": 9, "lines": [{"quad": [[0,0],[1,0],[1,1],[0,"a"]], "text": "a"}]}]', "quad[3]"),
        ('[{"width": 9, "height": 9, "lines": [{"quad": [[0,0],[1,0],[1,1],[0,1]], "text": "a\\u0000"}]}]', "text"),
        ('[{"width": 9, "height": 9, "lines": [{"quad": [[0,0],[1,0],[1,1],[0,1]], "text": "\\ud800"}]}]', "text"),
    ],
)  # fmt: skip
def test_a_reading_that_is_not_one_is_refused_with_the_place(client: TestClient, reading: str, place: str) -> None:
    refused(export(client, reading, format="text"), 422, place)


def test_a_reading_of_another_picture_is_refused(client: TestClient) -> None:
    reading = corrected(client)
    reading[0]["width"] += 1
    refused(export(client, reading, format="lines"), 422, "page 1")
    reading[0]["page"] = 7
    refused(export(client, reading, format="lines"), 422, "page 7")
    answer = client.post(
        "/export", params={"format": "lines"}, files={"reading": (None, json.dumps(corrected(client)))}
    )
    refused(answer, 422, "file: is missing")


def test_a_text_that_its_characters_do_not_spell_stands_evenly() -> None:
    quad = [[10, 20], [110, 20], [110, 40], [10, 40]]
    line = {"text": "あいうえ", "quad": quad, "chars": []}
    (page,) = document.pages(json.dumps([{"width": 200, "height": 50, "lines": [line]}]), "a.png")
    spans = page.lines[0].recognition.spans
    assert [span.char for span in spans] == list("あいうえ")
    assert [span.box for span in spans] == [(10 + 25 * i, 20, 35 + 25 * i, 40) for i in range(4)]
    assert document.pages(json.dumps([as_dict(page, Style())]), "a.png") == [page]


# what is refused


def refused(answer: Any, status: int, words: str = "") -> None:
    """One line under `error`, of this status, with these words, and nothing of the server's inside."""
    assert answer.status_code == status, answer.text
    line = answer.json()["error"]
    assert words in line
    assert "\n" not in line
    for secret in ("Traceback", 'File "', "site-packages", ".py", "/tmp", "/home", "/work", " object at 0x"):
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("layout=paragraph", "auto, line, page"), ("decoder=x", "greedy"), ("format=exe", "json"), ("top_k=9", "0 to 8"),
        ("top_k=1.5", "integer"), ("top_k=٣", "integer"), ("min_confidence=nan", "0 to 1"), ("lm_weight=-1", "0 to 3"),
        ("lm_weight=1e999", "0 to 3"), ("pictures=1", "true or false"), ("colour=red", "no such option"),
        ("top_k=1&top_k=2", "twice"), ("direction=%00%1b[2J", "direction=?"), ("layout=", "auto"),
    ],
)  # fmt: skip
def test_options(client: TestClient, query: str, words: str) -> None:
    refused(client.post(f"/read?{query}", content=LINE, headers=PNG), 400, words)


def test_options_in_a_form_are_checked_alike(client: TestClient) -> None:
    refused(client.post("/read", files={"file": LINE}, data={"layout": "x"}), 400, "layout")
    refused(client.post("/read?layout=line", files={"file": LINE}, data={"layout": "line"}), 400, "twice")


def test_every_option_takes_what_it_says_and_has_its_default() -> None:
    for table in (READ, CLASSIFY):
        assert parse(table, []) == {name: option.default for name, option in table.items()}
        for name, option in table.items():
            for choice in option.choices:
                assert parse(table, [(name, choice)])[name] == choice
            for edge in (option.least, option.most):
                if edge is not None:
                    assert parse(table, [(name, f"{edge:g}")])[name] == edge
            with pytest.raises(SettingsError, match=name):
                parse(table, [(name, "?")])


def polyglot() -> bytes:
    """A picture that is a zip file as well."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.html", "<script>alert(1)</script>")
    return LINE + archive.getvalue()


HOSTILE = {
    "empty": (b"", 422),
    "a text": ("ただの文".encode(), 422),
    "a page": (b"<html><script>alert(1)</script></html>", 422),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', 422),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n", 422),
    "a zip": (polyglot()[len(LINE) :], 422),
    "cut short": (LINE[: len(LINE) // 2], 422),
    "only a head": (LINE[:40], 422),
    "a broken JPEG": (png(draw("あ"), format="JPEG")[:200], 422),
    "noise after a signature": (LINE[:8] + bytes(range(256)) * 20, 422),
    "a bomb": (bomb(), 422),
    "many pixels": (png(np.zeros((800, 800), np.uint8)), 413),
    "a PDF of nothing": (b"%PDF-1.7\n%%EOF\n", 422),
    "one pixel": (png(np.zeros((1, 1), np.uint8)), 422),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("path", ["/read", "/classify"])
def test_hostile_pictures_are_refused_and_the_server_lives_on(client: TestClient, name: str, path: str) -> None:
    data, status = HOSTILE[name]
    answer = client.post(path, content=data, headers={"Content-Type": "application/octet-stream"})
    if name == "a PDF of nothing" and answer.status_code == 415:
        pytest.skip("the extra pdf is not installed")
    refused(answer, status)
    assert read(client)[0]["lines"][0]["text"] == "あい漢"


def test_what_hangs_on_a_picture_is_never_looked_at(client: TestClient) -> None:
    assert read(client, polyglot()) == read(client)


@pytest.mark.parametrize(
    "media",
    ["text/html", "application/json", "application/x-www-form-urlencoded", "image", "../image/png", "video/mp4"],
)
def test_other_kinds_of_body(client: TestClient, media: str) -> None:
    refused(client.post("/read", content=LINE, headers={"Content-Type": media}), 415, "multipart/form-data")


def test_a_compressed_body(client: TestClient) -> None:
    refused(client.post("/read", content=LINE, headers={**PNG, "Content-Encoding": "gzip"}), 415, "compressed")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"--x", b"nothing of the kind", b"--x\r\n\r\n\r\n--x--", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
        b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf of it",
        b"--x\r\n" + b"A" * 100_000,
        b"--x\r\nContent-Disposition: form-data; name=\"other\"; filename=\"a\"\r\n\r\na\r\n--x--\r\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("media", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_broken_forms(client: TestClient, body: bytes, media: str) -> None:
    answer = client.post("/read", content=body, headers={"Content-Type": media})
    assert answer.status_code in (400, 422), answer.text
    refused(answer, answer.status_code)


def test_forms_with_too_much_in_them(client: TestClient) -> None:
    two = [("file", ("a.png", LINE)), ("file", ("b.png", LINE))]
    refused(client.post("/read", files=two), 400, "Too many files")
    many = {f"field{i}": "x" for i in range(50)}
    refused(client.post("/read", files={"file": LINE}, data=many), 400, "Too many fields")


def test_too_many_bytes_in_every_way_to_send_them(client: TestClient) -> None:
    large = LINE + bytes(LIMITS.bytes)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    refused(client.post("/read", content=large, headers=PNG), 413, "1 MB")
    refused(client.post("/read", content=pieces(), headers=PNG), 413, "1 MB")
    refused(client.post("/read", files={"file": large}), 413, "1 MB")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/read"), ("PUT", "/classify"), ("POST", "/health"), ("DELETE", "/")]
)
def test_other_methods(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    refused(answer, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/read/", "/docs"]
)
def test_other_paths(client: TestClient, path: str) -> None:
    refused(client.get(path), 404)


# who may call


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9", "127.0.0.1:8000", "[::1]:80", "10.0.0.7", "Reader.Example"]
)
def test_own_names_and_bare_addresses_are_served(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example", "[::1", "a@localhost:x"]
)
def test_a_name_that_somebody_else_points_here_is_refused(client: TestClient, host: str) -> None:
    refused(client.get("/", headers={"Host": host}), 403, "--allow-host")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 200), ({"Origin": "https://localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": "http://localhost:81"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)  # fmt: skip
def test_only_the_own_page_may_post_from_a_browser(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.post("/read", content=LINE, headers=PNG | headers)
    assert answer.status_code == status


def test_browsers_are_told_to_be_careful_with_every_answer(client: TestClient) -> None:
    for answer in (
        client.get("/"),
        client.get("/static/main.js"),
        client.get("/no"),
        client.post("/read", content=b""),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
    assert client.post("/read", content=LINE, headers=PNG).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.png", "a"), ("../../etc/passwd", "passwd"), ("C:\\x\\手紙 1.jpg", "手紙-1"), ("", "line"), ("..", "line"),
     ("a" * 99, "a" * 40), ("\x00\n.png", "line"), (".bashrc", "bashrc")],
)  # fmt: skip
def test_names_of_files(name: str, stem: str) -> None:
    assert stem_of(name) == stem


# workers


def planted() -> Any:
    """A worker that does as its upload says."""

    def handle(job: str, options: dict[str, Any], data: bytes) -> Reply:
        if data == b"slow":
            time.sleep(60)
        if data == b"die":
            os._exit(3)
        return Reply(200, "application/json", json.dumps({"pid": os.getpid()}).encode())

    return handle


def hopeless() -> Any:
    raise DataError("line.onnx: is not a model; export it again")


def test_a_job_that_takes_too_long_or_kills_its_worker_is_refused_and_the_next_is_done(
    capfd: pytest.CaptureFixture[str],
) -> None:
    limits = Limits(seconds=0.5)
    with Workers(planted, count=1, queue=1, seconds=0.5) as workers:
        app = application(workers, limits)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            first = client.post("/read", content=b"well").json()
            began = time.monotonic()
            refused(client.post("/read", content=b"slow"), 413, "more than 0.5 s")
            assert time.monotonic() - began < 10
            second = client.post("/read", content=b"well").json()
            refused(client.post("/read", content=b"die"), 422, "broken")
            third = client.post("/read", content=b"well").json()
            assert len({one["pid"] for one in (first, second, third)}) == 3
            assert client.get("/health").json()["taken"] == 0
    assert "a worker died on read" in capfd.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_worker_that_was_killed_while_it_waited_is_replaced() -> None:
    with (
        Workers(planted, count=1, queue=1, seconds=30) as workers,
        TestClient(application(workers, LIMITS), base_url="http://localhost") as client,
    ):
        first = client.post("/read", content=b"well").json()["pid"]
        os.kill(first, signal.SIGKILL)
        time.sleep(0.5)
        assert client.post("/read", content=b"well").json()["pid"] != first


def stillborn() -> Any:
    os._exit(5)


def test_workers_that_die_at_once_are_an_error() -> None:
    with pytest.raises(ModelError, match="before it was ready"), Workers(stillborn, count=1, queue=1, seconds=1):
        pass


def test_workers_that_cannot_start_say_why() -> None:
    with pytest.raises(Exception, match=r"line\.onnx: is not a model"), Workers(hopeless, count=2, queue=1, seconds=1):
        pass


def test_places(client: TestClient) -> None:
    assert places("あ")[0] == (16, 4, 56, 44)  # what the boxes above are compared with stands where it should
    char = read(client, png(draw("あ")))[0]["lines"][0]["chars"][0]
    assert np.abs(np.array(char["bbox"]) - places("あ")[0]).max() < 4
