"""Pages are read with a model whose behaviour is known exactly: texts, boxes on the page, ruby, and the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from toy_model import CELL, GAP, draw, places, write_toy

from jphtr.cli.eval_page import eval_page
from jphtr.cli.segment import segment as segment_command
from jphtr.errors import ImageError, ModelError
from jphtr.image import load_gray
from jphtr.page_reader import find_lines, read_page
from jphtr.reader import Reader
from jphtr.records import CharSpan, Gray, LineRegion, Page, PageLine, Recognition
from jphtr.segment import open_detector
from jphtr.segment.detector import Detector
from jphtr.segment.page_files import page_json

TEXTS = ("あいうえお漢あい", "漢おえ", "うえあい漢漢", "いいえ")
_LEFT, _TOP, _PITCH = 60, 70, 110


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "line.onnx")


@pytest.fixture(scope="module")
def reader(model: Path) -> Reader:
    return Reader(model, threads=1, decoder="greedy")


def page(direction: str = "horizontal") -> tuple[Gray, Page]:
    """A page of four lines, and what stands on it."""
    gray = np.full((620, 620), 250, np.uint8)
    lines = []
    for number, text in enumerate(TEXTS):
        picture = draw(text, margin=0, direction=direction)
        far = _TOP + number * _PITCH
        x, y = (_LEFT, far) if direction == "horizontal" else (620 - far - picture.shape[1], _LEFT)
        gray[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
        boxes = [(a + x, b + y, c + x, d + y) for a, b, c, d in places(text, margin=0, direction=direction)]
        spans = tuple(CharSpan(c, tuple(map(float, box))) for c, box in zip(text, boxes, strict=True))  # type: ignore[arg-type]
        x0, y0, x1, y1 = boxes[0][0], boxes[0][1], boxes[-1][2], boxes[-1][3]
        region = LineRegion(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), direction)  # type: ignore[arg-type]
        lines.append(PageLine(region, Recognition(text, 1.0, spans, region.direction)))
    return gray, Page(620, 620, tuple(lines))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_known_lines_are_read_where_they_stand(reader: Reader, direction: str) -> None:
    gray, truth = page(direction)
    found = read_page(reader, gray, regions=[line.region for line in truth.lines])
    assert (found.width, found.height, found.path) == (620, 620, None)
    assert [line.recognition.text for line in found.lines] == list(TEXTS)
    for line, true in zip(found.lines, truth.lines, strict=True):
        assert line.recognition.direction == direction
        for span, there in zip(line.recognition.spans, true.recognition.spans, strict=True):
            assert np.abs(np.subtract(span.box, there.box)).max() < 3


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_a_page_without_a_detector(reader: Reader, direction: str, tmp_path: Path) -> None:
    gray, truth = page(direction)
    Image.fromarray(gray).save(tmp_path / "page.png")
    found = read_page(reader, tmp_path / "page.png")
    assert [line.recognition.text for line in found.lines] == list(TEXTS)
    assert found.path == str(tmp_path / "page.png")
    for line, true in zip(found.lines, truth.lines, strict=True):
        assert np.abs(np.subtract(line.region.box, true.region.box)).max() < GAP


def test_tilted_lines_are_turned_upright(reader: Reader) -> None:
    gray, truth = page()
    tilted = np.asarray(Image.fromarray(gray).rotate(-4, Image.Resampling.BICUBIC, fillcolor=250))
    a = np.deg2rad(4)
    turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    regions = [
        replace(line.region, quad=tuple(map(tuple, (np.array(line.region.quad) - 310) @ turn + 310)))
        for line in truth.lines
    ]
    found = read_page(reader, tilted, regions=regions)
    assert [line.recognition.text for line in found.lines] == list(TEXTS)
    for line, true in zip(found.lines, truth.lines, strict=True):
        for span, there in zip(line.recognition.spans, true.recognition.spans, strict=True):
            x0, y0, x1, y1 = there.box
            middle = (np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - 310) @ turn + 310
            assert (
                np.hypot((span.box[0] + span.box[2]) / 2 - middle[0], (span.box[1] + span.box[3]) / 2 - middle[1]) < 4
            )


def test_ruby_is_kept_or_dropped(reader: Reader) -> None:
    gray, truth = page()
    regions = [line.region for line in truth.lines]
    regions[1] = replace(regions[1], kind="ruby")
    kept = read_page(reader, gray, regions=regions)
    assert [line.region.kind for line in kept.lines] == ["text", "ruby", "text", "text"]
    dropped = read_page(reader, gray, regions=regions, ruby="drop")
    assert [line.recognition.text for line in dropped.lines] == [TEXTS[0], TEXTS[2], TEXTS[3]]


def test_what_cannot_be_a_line_holds_nothing(reader: Reader) -> None:
    gray, _ = page()
    dot = LineRegion(((1, 1), (3, 1), (3, 3), (1, 3)))
    blank = LineRegion(((300, 5), (600, 5), (600, 45), (300, 45)))
    found = read_page(reader, gray, regions=[dot, blank])
    assert [(line.recognition.text, line.recognition.confidence) for line in found.lines] == [("", 0.0)] * 2
    assert read_page(reader, np.full((90, 80), 255, np.uint8)).lines == ()
    with pytest.raises(ImageError):
        read_page(reader, "nowhere.png")


def test_lines_without_text() -> None:
    gray, truth = page()
    same, found = find_lines(gray)
    assert np.array_equal(same, gray)
    assert len(found.lines) == len(truth.lines)
    assert {line.recognition.text for line in found.lines} == {""}


def test_a_detector_wants_a_page_model(model: Path, tmp_path: Path) -> None:
    assert open_detector("classical") is None
    with pytest.raises(ModelError, match="line model does not find lines"):
        Detector(model)
    with pytest.raises(ModelError, match="no such model file"):
        open_detector(str(tmp_path / "none.onnx"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(page()[0]).save(tmp_path / "page.png")
    return tmp_path / "page.png"


def test_segment_writes_places(picture: Path) -> None:
    done = CliRunner().invoke(segment_command, [str(picture), "--detector", "classical"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["width"], found["height"], len(found["lines"])) == (620, 620, len(TEXTS))
    assert [line["direction"] for line in found["lines"]] == ["horizontal"] * len(TEXTS)


def test_segment_draws(picture: Path, tmp_path: Path) -> None:
    options = ["--detector", "classical", "-f", "overlay", "-o"]
    done = CliRunner().invoke(segment_command, [str(picture), *options, str(tmp_path / "seen.png")])
    assert done.exit_code == 0, done.output
    seen = np.asarray(Image.open(tmp_path / "seen.png").convert("RGB")).astype(int)
    assert np.ptp(seen, axis=2).max() > 100, "something is drawn in colour"
    assert CliRunner().invoke(segment_command, [str(picture), "-f", "overlay"]).exit_code == 2


def test_segment_cuts_lines_with_a_table(picture: Path, model: Path, tmp_path: Path) -> None:
    command = [str(picture), "--detector", "classical", "-f", "lines", "-m", str(model), "--decoder", "greedy"]
    command += ["-o", str(tmp_path / "out")]
    done = CliRunner().invoke(segment_command, command)
    assert done.exit_code == 0, done.output
    head, *rows = (tmp_path / "out" / "truth.tsv").read_text("utf-8").splitlines()
    assert head.split("\t") == ["file", "text", "kind", "direction"]
    assert [row.split("\t")[1] for row in rows] == list(TEXTS)
    for row in rows:
        assert load_gray(tmp_path / "out" / row.split("\t")[0]).shape[0] < CELL * 1.5
    evaluate = pytest.importorskip("jphtr.evaluate")
    assert [line.text for line in evaluate.read_truth(tmp_path / "out")] == list(TEXTS)
    again = CliRunner().invoke(segment_command, command)
    assert again.exit_code == 1 and "is there already" in str(again.exception), "corrections are not written over"


def test_segment_goes_on_after_a_bad_page(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = CliRunner().invoke(
        segment_command, [str(tmp_path / "broken.png"), str(picture), "--detector", "classical", "--no-text"]
    )
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.startswith("jphtr: error: ") and "broken.png" in done.stderr


def broken_in_the_middle(path: Path) -> Path:
    """A TIFF of three pages, the second of which cannot be decoded."""
    first, *others = (Image.fromarray(page(way)[0]) for way in ("horizontal", "vertical", "vertical"))
    first.save(path, save_all=True, append_images=others, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        image.seek(1)
        start = image.tag_v2[273][0]  # type: ignore[attr-defined]  # where its pixels are
    data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)
    return path


def test_segment_goes_on_after_a_broken_page_of_a_file(tmp_path: Path) -> None:
    path = broken_in_the_middle(tmp_path / "letters.tif")
    done = CliRunner().invoke(segment_command, [str(path), "--detector", "classical"])
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["page"], len(row["lines"])) for row in found] == [(1, len(TEXTS)), (3, len(TEXTS))]
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1 and f"{path}, page 2: broken picture" in done.stderr


def test_segment_searches_folders_for_documents_too(picture: Path) -> None:
    Image.open(picture).save(picture.with_suffix(".pdf"))
    pytest.importorskip("pypdfium2", reason="it draws PDF")
    done = CliRunner().invoke(segment_command, [str(picture.parent), "--detector", "classical"])
    assert done.exit_code == 0, done.output
    assert [Path(json.loads(row)["path"]).name for row in done.stdout.splitlines()] == ["page.pdf", "page.png"]


def test_eval_page_counts(model: Path, tmp_path: Path) -> None:
    for number, direction in enumerate(("horizontal", "vertical")):
        gray, truth = page(direction)
        Image.fromarray(gray).save(tmp_path / f"{number}.png")
        with open(tmp_path / "pages.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(page_json(replace(truth, path=f"{number}.png"))) + "\n")
    command = [
        str(tmp_path),
        "--detector",
        "classical",
        "-m",
        str(model),
        "--decoder",
        "greedy",
        "--json",
        "--per-page",
        str(tmp_path / "p.tsv"),
    ]
    done = CliRunner().invoke(eval_page, command)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["pages"], found["lines"], found["f1"], found["in_order"]) == (2, 8, 1.0, 1.0)
    assert found["cer"] == found["cer_given"] == 0.0
    assert len((tmp_path / "p.tsv").read_text("utf-8").splitlines()) == 3
