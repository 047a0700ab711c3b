"""Classifying: a toy whose answers are known by definition, through Python and the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import toy_model
from click.testing import CliRunner, Result
from PIL import Image
from test_image import bomb
from toy_classifier import CHARS, INPUT, draw, header, logits_of, write_toy

import jphtr
from jphtr import bundle
from jphtr.bundle import header_json
from jphtr.classifier import Classification, Classifier
from jphtr.cli import main
from jphtr.cli.classify import FORMATS
from jphtr.errors import ImageError, ModelError, SettingsError
from jphtr.reader import Reader

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "toy.onnx")


@pytest.fixture(scope="module")
def toy(model: Path) -> Classifier:
    return Classifier(model, threads=1)


@pytest.fixture
def run(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: object, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(main, ["classify", "-m", str(model), *map(str, args)], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def save(name: str, char: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw(char)).save(path)
    return path


# ---- in Python ----


def test_a_character_is_known_whatever_its_picture(toy: Classifier) -> None:
    for char in CHARS:
        gray = draw(char)
        light = Image.new("RGBA", gray.shape[::-1], (255, 255, 255, 0))
        light.putalpha(Image.fromarray(255 - gray))
        pictures = {
            "gray": gray,
            "white on black": 255 - gray,
            "tight": gray[8:-8, 8:-8],
            "lost in a sheet": np.pad(gray, ((300, 40), (9, 500)), constant_values=245),
            "large": draw(char, 640, 100),
            "small": draw(char, 16, 3),
            "deep": gray.astype(np.uint16) * 257,
            "floats": gray / 255,
            "colour": np.stack([gray, gray, gray // 2], axis=2),
            "light on nothing": light,
        }
        for name, picture in pictures.items():
            found = toy.classify(picture)
            assert found.char == char and found.confidence > 0.8, (char, name, found)
            assert found.path is None


def test_logits_and_probabilities_are_those_of_the_definition(toy: Classifier) -> None:
    rng = np.random.default_rng(0)
    grays = [np.clip(draw(char, margin=m) + rng.normal(0, 25, (40 + 2 * m,) * 2), 0, 255).astype(np.uint8)
             for char in CHARS for m in (4, 9, 20)] * 4  # fmt: skip
    assert len(grays) > 64  # several runs of the net
    logits, shares = toy.logits(grays), toy.probabilities(grays)
    wanted = np.stack([logits_of(gray) for gray in grays])
    assert logits.shape == shares.shape == (len(grays), len(CHARS) + 1) and logits.dtype == shares.dtype == np.float32
    assert np.allclose(logits, wanted, rtol=1e-4) and (logits[:, 0] == -np.inf).all()
    warm = np.exp(wanted / header().temperature)
    assert np.allclose(shares, warm / warm.sum(1, keepdims=True), atol=1e-5) and not shares[:, 0].any()
    assert np.array_equal(toy.logits(grays[5:6])[0], logits[5])
    assert toy.logits([]).shape == (0, len(CHARS) + 1)


def test_candidates_come_best_first(toy: Classifier) -> None:
    gray = np.clip(draw("漢") + np.random.default_rng(3).normal(0, 60, (56, 56)), 0, 255).astype(np.uint8)
    shares = toy.probabilities([gray])[0]
    order = np.argsort(-shares[1:], kind="stable")
    for count in (1, 2, len(CHARS), 99):
        found = toy.classify(gray, count)
        wanted = [(CHARS[place], float(shares[place + 1])) for place in order[:count]]
        assert found.candidates == tuple(wanted)
        assert (found.char, found.confidence) == wanted[0] and found.alternatives == tuple(wanted[1:])
    assert len(toy.classify(gray).candidates) == 5


def test_a_picture_of_nothing_is_no_character(toy: Classifier) -> None:
    for gray in (np.full((40, 40), 255, np.uint8), np.zeros((9, 300), np.uint8), np.full((64, 64), 130, np.uint8)):
        found = toy.classify(gray)
        assert found == Classification("", 0.0) and found.candidates == ()


def test_what_cannot_be_read_is_an_error_in_its_place(toy: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("これは絵ではない", "utf-8")
    Image.fromarray(draw("う")).save(tmp_path / "good.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:70])
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    (tmp_path / "huge.png").write_bytes(bomb())
    names = ["good", "empty", "text", "cut", "dot", "huge", "none", "good"]
    whys = [
        "",
        "is empty",
        "not a picture",
        "broken picture",
        "1 x 1 pixels cannot hold",
        "more than",
        "no such file",
        "",
    ]
    results = list(toy.classify_many(tmp_path / f"{name}.png" for name in names))
    for name, why, result in zip(names, whys, results, strict=True):
        path = str(tmp_path / f"{name}.png")
        if why:
            assert isinstance(result, ImageError) and str(result).startswith(f"{path}: ") and why in str(result)
            with pytest.raises(ImageError, match=why):
                toy.classify(path)
        else:
            assert isinstance(result, Classification) and (result.char, result.path) == ("う", path)


def test_many_are_taken_as_they_come(toy: Classifier) -> None:
    taken = 0

    def pictures():  # type: ignore[no-untyped-def]
        nonlocal taken
        for char in CHARS * 30:
            taken += 1
            yield draw(char)

    answers = toy.classify_many(pictures())
    first = next(answers)
    assert isinstance(first, Classification) and first.char == CHARS[0] and taken < 100
    assert [a.char for a in answers if isinstance(a, Classification)] == list(CHARS * 30)[1:]


def test_models_that_are_refused(tmp_path: Path) -> None:
    toy_model.write_toy(tmp_path / "line.onnx")
    (tmp_path / "none.onnx").write_bytes(b"nothing")
    write_toy(tmp_path / "port.onnx", lacking="probabilities")
    write_toy(tmp_path / "classes.onnx", header_json(header(charset=CHARS + "ん", arch={"classes": len(CHARS) + 2})))
    frames = [{}, {"size": 32}, INPUT | {"size": 0}, INPUT | {"size": "32"}, INPUT | {"fill": 0}, INPUT | {"least": None},
              INPUT | {"more": 1}]  # fmt: skip
    for number, given in enumerate(frames):
        write_toy(tmp_path / f"frame{number}.onnx", header_json(header(input=given)))
        with pytest.raises(ModelError, match="does not say how pictures are framed"):
            Classifier(tmp_path / f"frame{number}.onnx")
    for name, why in {
        "line": "a line model does not classify", "none": "not an ONNX model", "port": "without probabilities",
        "gone": "no such model file",
    }.items():  # fmt: skip
        with pytest.raises(ModelError, match=why) as caught:
            Classifier(tmp_path / f"{name}.onnx")
        assert str(caught.value).startswith(str(tmp_path)) and "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="not the classes of its charset"):
        Classifier(tmp_path / "classes.onnx").classify(draw("あ"))
    write_toy(tmp_path / "size.onnx", header_json(header(input=INPUT | {"size": 33})))
    with pytest.raises(ModelError, match=r"failed on \(1, 33, 33\) pixels"):
        Classifier(tmp_path / "size.onnx").classify(draw("あ"))


def test_load_gives_what_the_model_is_for(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(jphtr.load(model), Classifier) and isinstance(jphtr.load(), Reader)
    assert isinstance(jphtr.load(toy_model.write_toy(tmp_path / "line.onnx")), Reader)
    with pytest.raises(SettingsError, match="single characters"):
        jphtr.load(model, decoder="beam")
    monkeypatch.setattr(bundle, "MODELS", tmp_path)
    with pytest.raises(ModelError, match=r"^hiragana: no such model file; the package holds none$"):
        jphtr.load("hiragana")
    write_toy(tmp_path / "hiragana.onnx")
    assert jphtr.load("hiragana").classify(draw("お")).char == "お"
    for name in ("kanji", "hiragna"):
        with pytest.raises(ModelError, match=f"^{name}: no such model file; those in the package are called hiragana$"):
            jphtr.load(name)


# ---- the command ----


def test_one_picture_prints_its_candidates(run: Run) -> None:
    result = run(save("a.png", "あ"), "-k", 2)
    char, p, second, q = result.stdout.split()
    assert (result.exit_code, result.stderr, char) == (0, "", "あ") and second != "あ" and 1 >= float(p) >= float(q)
    assert run("a.png", "-k", 1).stdout == f"あ {p}\n"


def test_several_print_their_paths(run: Run) -> None:
    save("s/a.png", "あ")
    save("s/deep/b.webp", "漢")
    Image.new("L", (30, 30), 255).save("s/c.png")
    lines = run("s", "-k", 1).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["s/a.png:", "あ"], ["s/c.png:"], ["s/deep/b.webp:", "漢"]]
    assert run("s/*/*.webp", "-k", 1).stdout.startswith("漢 ")


def test_formats_say_the_same(run: Run) -> None:
    save("a\tb.png", "い")
    save("c.png", "う")
    objects = json.loads(run("a\tb.png", "c.png", "-f", "json", "-k", 3).stdout)
    assert [one["char"] for one in objects] == ["い", "う"] and objects[0]["model"] == "toy 0.0"
    assert [len(one["alternatives"]) for one in objects] == [2, 2] and objects[0]["path"] == "a\tb.png"
    lines = run("a\tb.png", "c.png", "-f", "jsonl", "-k", 3).stdout.splitlines()
    assert [json.loads(line) for line in lines] == objects
    for row, one in zip(run("a\tb.png", "c.png", "-f", "tsv", "-k", 3).stdout.splitlines(), objects, strict=True):
        path, *cells = row.split("\t")
        candidates = [one, *one["alternatives"]]
        assert cells == [c for each in candidates for c in (each["char"], f"{each['confidence']:.4f}")]
        assert path == one["path"].replace("\t", "\\t")
    assert json.loads(run("none.png", "-f", "json").stdout) == []
    for suffix, name in [("txt", "text"), ("json", "json"), ("jsonl", "jsonl"), ("tsv", "tsv")]:
        assert name in FORMATS
        assert run("c.png", "-o", f"out.{suffix}").stdout == ""
        assert Path(f"out.{suffix}").read_text("utf-8") == run("c.png", "-f", name).stdout
    assert run("c.png", "-o", "out.xyz").exit_code == 2


def test_standard_input(run: Run) -> None:
    data = save("a.png", "え").read_bytes()
    assert run("-", stdin=data).stdout == run("a.png").stdout
    assert json.loads(run("-", "-f", "jsonl", stdin=data).stdout)["path"] == "-"
    result = run("-", stdin=b"")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "jphtr: error: -: is empty (0 bytes)\n")


def test_a_bad_picture_does_not_stop_the_others(run: Run) -> None:
    save("a.png", "あ")
    save("z.png", "い")
    Path("m.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("n\n.png").write_text("no picture")
    result = run("a.png", "m.png", "n\n.png", "gone.png", "z.png", "-k", 1)
    assert result.exit_code == 1
    assert [line[:8] for line in result.stdout.splitlines()] == ["a.png: あ", "z.png: い"]
    errors = result.stderr.splitlines()
    assert len(errors) == 3 and all(line.startswith("jphtr: error: ") for line in errors)


def test_a_model_that_is_not_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MODELS", tmp_path)
    path = str(save("a.png", "あ"))
    result = CliRunner().invoke(main, ["classify", path, "-m", "kanji"])
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("jphtr: error: ") and "no such model file; the package holds" in result.stderr
    assert result.stderr.count("\n") == 1
    result = CliRunner().invoke(main, ["classify", path])
    assert result.exit_code == 2 and "say with -m what may be written: hiragana, katakana" in result.stderr


def test_it_needs_neither_torch_nor_onnx(model: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(draw("お")).save(buffer, "PNG")
    code = (
        "import sys; from jphtr.cli.classify import classify;"
        "classify(['-m', sys.argv[1], '-', '-k', '1'], standalone_mode=False);"
        "assert not {'torch', 'timm', 'onnx', 'cv2', 'h5py'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], input=buffer.getvalue(), capture_output=True, check=True, cwd=tmp_path
    )
    assert done.stdout.decode().startswith("お ")


def test_a_model_with_another_temperature_is_surer(model: Path, tmp_path: Path) -> None:
    # the graph divides by what it was made with; the header only tells
    told = write_toy(tmp_path / "m.onnx", header_json(replace(header(), temperature=9.0)))
    assert Classifier(told).classify(draw("あ")) == Classifier(model).classify(draw("あ"))
