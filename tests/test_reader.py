"""Reading with a model whose behaviour is known exactly: text, boxes, directions, batches, failures."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image
from toy_model import CHARS, draw, header, places, write_toy

import jphtr
from jphtr.bundle import KEY, header_json
from jphtr.charset import Charset
from jphtr.decode import DECODERS
from jphtr.decode.lm_train import train
from jphtr.errors import ImageError, JphtrError, ModelError, SettingsError
from jphtr.reader import GETA, Reader
from jphtr.records import Recognition


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    # the toy is equally sure in all frames of a character, as no trained net is: only the best path is known exactly
    return Reader(write_toy(tmp_path_factory.mktemp("model") / "line.onnx"), threads=1, decoder="greedy")


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("text", ["あい", "漢字、"[::2], "いうえお漢、" * 5, "あああ"])
def test_text_direction_and_boxes(reader: Reader, text: str, direction: str) -> None:
    result = reader.read(draw(text, direction=direction))
    assert result.text == text == "".join(span.char for span in result.spans)
    assert result.direction == direction
    for span, place in zip(result.spans, places(text, direction=direction), strict=True):
        assert np.abs(np.subtract(span.box, place)).max() < 2.5
        assert 0.5 < span.confidence <= 1
        assert span.char not in dict(span.alternatives)
    assert result.confidence == pytest.approx(math.prod(s.confidence for s in result.spans) ** (1 / len(text)))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_light_on_dark_and_sizes(reader: Reader, direction: str) -> None:
    gray = draw("あい漢、お", direction=direction)
    assert reader.read(255 - gray).text == "あい漢、お"
    for factor in (0.5, 2.3):
        size = (round(gray.shape[1] * factor), round(gray.shape[0] * factor))
        result = reader.read(Image.fromarray(gray).resize(size))
        assert result.text == "あい漢、お"
        for span, place in zip(result.spans, places("あい漢、お", direction=direction), strict=True):
            assert np.abs(np.subtract(span.box, np.array(place) * factor)).max() < 2.5 * max(1, factor)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_where_the_shape_does_not_tell_both_ways_are_tried(reader: Reader, direction: str) -> None:
    for text in "あいう漢、":
        gray = draw(text, direction=direction)
        assert max(gray.shape) / min(gray.shape) < 1.8
        # upright in a horizontal line, lying in a column drawn by turning: only one way reads true
        assert reader.read(gray).text == text
        assert reader.read(gray, direction=direction).text == text  # type: ignore[arg-type]


def test_direction_can_be_forced(reader: Reader) -> None:
    gray = draw("あい漢、お")
    assert reader.read(gray, "horizontal").text == "あい漢、お"
    forced = reader.read(gray, "vertical")
    assert forced.direction == "vertical"
    assert forced.text != "あい漢、お"


def test_every_kind_of_picture(reader: Reader, tmp_path: Path) -> None:
    gray = draw("あい漢")
    path = tmp_path / "x.png"
    Image.fromarray(gray).save(path)
    with path.open("rb") as file, Image.open(path) as image:
        for picture in (path, str(path), file, image, gray, np.repeat(gray[..., None], 3, 2)):
            assert reader.read(picture).text == "あい漢"
    assert reader.read(path).path == str(path)
    assert reader.read(gray).path is None


@pytest.mark.parametrize(
    "gray",
    [
        np.full((48, 300), 255, np.uint8),
        np.full((48, 300), 0, np.uint8),
        np.full((300, 48), 130, np.uint8),
        np.full((1, 300), 7, np.uint8),
    ],
)
def test_nothing_written_is_nothing_read(reader: Reader, gray: np.ndarray) -> None:
    result = reader.read(gray)
    assert result.text == ""
    assert result.spans == ()
    assert result.confidence == 0


def test_a_picture_without_ink_does_not_run_the_net(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.reader.open_session", lambda *_: None)
    reader = Reader(model)
    assert reader.read(np.full((48, 300), 255, np.uint8)).text == ""


def test_spans_stay_inside_the_picture(reader: Reader) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        height, width = rng.integers(3, 120, 2)
        gray = rng.integers(0, 256, (max(8, height), width), np.uint8)
        for span in reader.read(gray).spans:
            x0, y0, x1, y1 = span.box
            assert 0 <= x0 <= x1 <= width
            assert 0 <= y0 <= y1 <= gray.shape[0]


def test_a_doubtful_character_becomes_a_geta(reader: Reader) -> None:
    gray = draw("あい漢")
    clear = reader.read(gray)
    floor = sorted(span.confidence for span in clear.spans)[-1]
    doubted = reader.read(gray, min_confidence=floor)
    assert doubted.text == "".join(s.char if s.confidence >= floor else GETA for s in clear.spans)
    assert GETA in doubted.text
    assert [s.box for s in doubted.spans] == [s.box for s in clear.spans]
    for before, after in zip(clear.spans, doubted.spans, strict=True):
        if after.char == GETA:
            assert after.alternatives[0] == (before.char, before.confidence)
    shorter = reader.read(gray, min_confidence=floor, unsure="drop")
    assert shorter.text == doubted.text.replace(GETA, "")
    assert shorter.spans == tuple(s for s in clear.spans if s.confidence >= floor)


def test_many_in_order_with_failures_in_their_places(reader: Reader, tmp_path: Path) -> None:
    texts = ["".join(c) for c in itertools.islice(itertools.permutations(CHARS, 3), 45)]
    texts = [text * (1 + i % 4) for i, text in enumerate(texts)]
    pictures: list[object] = []
    for i, text in enumerate(texts):
        gray = draw(text, direction="vertical" if i % 3 == 0 else "horizontal")
        pictures.append(gray)
    pictures[7] = tmp_path / "none.png"
    pictures[20] = np.full((48, 99), 255, np.uint8)
    pictures[44] = np.zeros((2, 2), np.uint8)
    for batch_size in (1, 2, 5, 16):
        results = list(reader.read_many(pictures, batch_size=batch_size))  # type: ignore[arg-type]
        assert len(results) == len(texts)
        for i, result in enumerate(results):
            if i in (7, 44):
                assert isinstance(result, ImageError)
            else:
                assert isinstance(result, Recognition)
                assert result.text == ("" if i == 20 else texts[i])


def test_a_line_reads_the_same_in_any_batch(reader: Reader) -> None:
    pictures = [draw("あい漢、お" * n) for n in (1, 7, 2, 5, 3, 1, 4)]
    alone = [reader.read(picture) for picture in pictures]
    assert list(reader.read_many(pictures, batch_size=7)) == alone


def test_many_are_taken_a_window_at_a_time(reader: Reader) -> None:
    taken = []

    def endless() -> object:
        for number in itertools.count():
            taken.append(number)
            yield draw("あい")

    results = reader.read_many(endless(), batch_size=2)  # type: ignore[arg-type]
    assert isinstance(next(results), Recognition)
    assert len(taken) <= 32
    assert list(reader.read_many([])) == []


def test_a_very_long_line_is_read_to_its_end(reader: Reader) -> None:
    text = "あい漢、うえお" * 51  # 20,000 pixels
    gray = draw(text)
    assert gray.shape[1] > 19_900
    result = reader.read(gray)
    assert result.text == text
    assert np.abs(np.subtract(result.spans[-1].box, places(text)[-1])).max() < 4


@pytest.mark.parametrize(
    ("shape", "why"),
    [((1, 1), "cannot hold"), ((7, 3), "cannot hold"), ((3, 60_000), "too long"), ((60_000, 3), "too long")],
)
def test_impossible_sizes(reader: Reader, shape: tuple[int, int], why: str) -> None:
    gray = np.full(shape, 255, np.uint8)
    gray[0, 0] = 0
    with pytest.raises(ImageError, match=why):
        reader.read(gray)


def test_models_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model"):
        Reader(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="glyph model"):
        Reader(write_toy(tmp_path / "glyph.onnx", header_json(replace(header(), kind="glyph"))))
    good = write_toy(tmp_path / "good.onnx")
    (tmp_path / "no-graph.onnx").write_bytes(_without_outputs(good))
    with pytest.raises(ModelError, match="log_probs"):
        Reader(tmp_path / "no-graph.onnx")
    few = write_toy(tmp_path / "few.onnx", header_json(replace(header(), charset="あい", arch={})))
    with pytest.raises(ModelError, match="more classes"):
        Reader(few).read(draw("あい漢、お"))


def test_a_model_that_the_runtime_refuses(tmp_path: Path) -> None:
    graph = helper.make_graph([helper.make_node("NoSuchOperator", ["gray"], ["labels"])], "x", [], [])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    helper.set_model_props(model, {KEY: header_json(header())})
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="refuses it") as caught:
        Reader(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)


def test_a_failing_run_is_an_error_in_place(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, *_: object) -> object:
            raise RuntimeError("bad allocation\nof memory")

    monkeypatch.setattr("jphtr.reader.open_session", lambda *_: Broken())
    results = list(Reader(model).read_many([draw("あい"), np.full((48, 99), 255, np.uint8)]))
    assert isinstance(results[0], JphtrError)
    assert "\n" not in str(results[0])
    assert isinstance(results[1], Recognition)


def _without_outputs(path: Path) -> bytes:
    model = onnx.load(path)
    del model.graph.output[1]
    return model.SerializeToString()


# ---- how the net's output becomes text ----


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "line.onnx")


def test_decoders_read_clear_lines_alike(model: Path) -> None:
    gray = draw("あい漢、おう")
    results = [Reader(model, decoder=name, lm="none").read(gray) for name in DECODERS]
    assert {r.text for r in results} == {"あい漢、おう"}
    assert len({r.spans for r in results}) == 1
    reader = jphtr.load(model, decoder="greedy")
    assert (str(reader.decoder), reader.read(gray)) == ("greedy", results[0])
    assert reader.read(gray, decoder="beam").text == "あい漢、おう"


class Planted:
    """A net that gives one peak a character, whatever the picture: sure of い and お, and torn between う and え."""

    def run(self, _: object, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        lines, _, width = feed["gray"].shape
        shape = (lines, width // 8, 8)
        labels, log_probs = np.tile(np.arange(8), (*shape[:2], 1)), np.full(shape, -12.0, np.float32)
        log_probs[..., 0] = 0
        for frame, given in [(2, {"い": 1.0}), (7, {"う": 0.5, "え": 0.45}), (12, {"お": 1.0})]:
            best = [CHARS.index(char) + 1 for char in given]
            labels[:, frame] = [*best, *(label for label in range(8) if label not in best)]
            log_probs[:, frame, : len(best)] = np.log(list(given.values()))
            log_probs[:, frame, len(best) :] = -12
        return [labels, log_probs]


def test_a_language_model_settles_what_the_picture_leaves_open(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("いえお\n" * 50 + "あ漢、う\n", "utf-8")
    lm = tmp_path / "x.lm"
    lm.write_bytes(train([(tmp_path / "a.txt", 1)], Charset(CHARS), order=3, min_count=1).to_bytes())
    monkeypatch.setattr("jphtr.reader.open_session", lambda *_: Planted())
    gray = draw("いうお")
    greedy, plain, told, silent = (
        Reader(model, **options).read(gray, "horizontal")  # type: ignore[arg-type]
        for options in ({"decoder": "greedy", "lm": lm}, {"lm": "none"}, {"lm": lm}, {"lm": lm, "lm_weight": 0.0})
    )
    assert [r.text for r in (greedy, plain, told, silent)] == ["いうお", "いうお", "いえお", "いうお"]
    assert told.spans[1].alternatives[0][0] == "う"
    assert told.spans[1].confidence > 0.5 and told.spans[1].box == plain.spans[1].box
    assert told.spans[::2] == plain.spans[::2] == greedy.spans[::2]


def test_the_most_probable_texts(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.reader.open_session", lambda *_: Planted())
    reader = Reader(model, lm="none")
    assert reader.read(draw("いうお"), "horizontal").nbest == ()
    result = reader.read(draw("いうお"), "horizontal", nbest=2)
    (first, p), (second, q) = result.nbest
    assert (first, second) == ("いうお", "いえお") and result.text == first
    assert q / p == pytest.approx(0.45 / 0.5, rel=0.01) and p + q <= 1


@pytest.mark.parametrize("decoder", DECODERS)
def test_only_what_is_allowed_is_read(model: Path, decoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.reader.open_session", lambda *_: Planted())
    for allow, block, text in [((), ["う"], "いえお"), (["いう"], (), "いう"), (["kana"], ["お"], "いう")]:
        found = Reader(model, decoder=decoder, lm="none", allow=allow, block=block).read(draw("いうお"), "horizontal")
        assert found.text == text
        assert not {char for span in found.spans for char, _ in span.alternatives} & set("".join(block))


def test_language_models_that_are_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "x.lm").write_bytes(b"nothing")
    reader = Reader(model, lm=tmp_path / "x.lm")  # read when it is asked
    with pytest.raises(ModelError, match="not a language model"):
        reader.read(draw("あい"))
    results = list(reader.read_many([draw("あい"), np.full((48, 99), 255, np.uint8)]))
    assert isinstance(results[0], ModelError) and isinstance(results[1], Recognition)
    with pytest.raises(SettingsError, match="there are"):
        Reader(model, decoder="best")
    with pytest.raises(SettingsError, match="knows none"):
        Reader(model, allow=["鬱"])


# ---- a net for each direction ----

TURNED = "アイウエオ感。"  # what the other toy takes the same patterns for


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Models in the place of those in the package: for vertical lines one that says something else."""
    made = {
        way: write_toy(tmp_path / f"{way}.onnx", header_json(header(direction=way, charset=chars)))
        for way, chars in (("horizontal", CHARS), ("vertical", TURNED))
    }
    monkeypatch.setattr("jphtr.reader.LINE_MODELS", made)
    return made


def said(text: str, direction: str) -> str:
    return text.translate(str.maketrans(CHARS, TURNED)) if direction == "vertical" else text


LINES = [("あい", "horizontal"), ("漢お、あ", "vertical"), ("いうえ", "vertical"), ("おえ漢", "horizontal")] * 3


@pytest.mark.parametrize("storage", ["float16", "int8"])  # read in batches, and each alone in a lane of its own
def test_a_line_is_read_by_the_net_for_its_direction(pair: dict[str, Path], storage: str) -> None:
    for way, chars in (("horizontal", CHARS), ("vertical", TURNED)):
        write_toy(pair[way], header_json(header(direction=way, charset=chars, storage=storage)))
    reader = Reader(threads=2, decoder="greedy")
    for direction in ("auto", "given"):
        for way in ("horizontal", "vertical"):
            lines = [line for line in LINES if direction == "auto" or line[1] == way]
            pictures = [draw(text, direction=of) for text, of in lines]
            results = list(reader.read_many(pictures, "auto" if direction == "auto" else way))  # type: ignore[arg-type]
            assert [(r.text, r.direction) for r in results] == [(said(*line), line[1]) for line in lines]  # type: ignore[union-attr]


def test_a_model_for_one_direction_leaves_the_other_to_the_package(pair: dict[str, Path], model: Path) -> None:
    text = "いお漢"
    found = {
        name: [Reader(path, decoder="greedy").read(draw(text, direction=way)).text for way in pair]
        for name, path in {"both": model, **pair}.items()
    }
    both = [said(text, way) for way in pair]
    assert found == {"both": [text, text], "horizontal": both, "vertical": both}
    assert Reader(pair["vertical"]).header.direction == "vertical"


def test_other_decoding_on_the_same_nets(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jphtr.reader.open_session", lambda *_: Planted())
    reader = Reader(model, lm="none")
    monkeypatch.setattr("jphtr.reader.open_session", None)  # nothing is opened again
    other = reader.decoding(block=["う"])
    assert [r.read(draw("いうお"), "horizontal").text for r in (reader, other)] == ["いうお", "いえお"]
    with pytest.raises(SettingsError):
        reader.decoding(allow=["鬱"])


def test_a_header_of_no_direction(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="diagonal lines"):
        Reader(write_toy(tmp_path / "m.onnx", header_json(header(direction="diagonal"))))
