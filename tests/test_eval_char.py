"""Scoring a classifier whose every answer is planted: each character is a pattern, and the graph knows the patterns."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from jphtr.bundle import KEY, Header, header_json
from jphtr.charset import Charset
from jphtr.cli import main
from jphtr.errors import DataError
from jphtr.evaluate_char import Report, evaluate
from jphtr.evaluate_char.data import em_square, open_pictures
from jphtr.evaluate_char.report import html, per_glyph, summary, table
from jphtr.records import Glyph, Gray
from jphtr.store import Source, open_glyphs, write_glyphs

CHARS = "あいへヘ漢0"
SIDE = 16
CHARSET = Charset(CHARS + "ん|")  # of the glyph file; the model lacks the last two
PATTERNS = np.random.default_rng(7).random((len(CHARS), 8, 8)) < 0.5

# (shown by the pixels, said by the file, set, style, writer)
PLANTED = [
    *(("あ", "あ", "one", "print", f"w{i}") for i in range(6)),
    *(("い", "い", "one", "hand", f"w{i}") for i in range(6)),
    ("い", "あ", "one", "print", "w0"), ("い", "あ", "one", "print", "w0"), ("漢", "い", "two", "hand", "w1"),
    ("ヘ", "へ", "two", "hand", "w2"), ("へ", "へ", "two", "print", "w3"), ("漢", "漢", "two", "print", "w4"),
    ("0", "ん", "two", "print", "w5"), ("0", "|", "two", "print", "w5"), ("0", "ん", "two", "print", "w5"),
]  # fmt: skip
RIGHT, LOOK_ALIKE, WRONG, LACKING = 14, 1, 3, 3


def draw(char: str) -> Gray:
    """The square of a character, ink in its corners so that no frame moves it."""
    dark = PATTERNS[CHARS.index(char)].copy()
    dark[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    return np.kron(np.where(dark, 0, 255), np.ones((2, 2))).astype(np.uint8)


def header(**changes: object) -> Header:
    values: dict[str, object] = {
        "name": "toy", "charset": CHARS, "kind": "glyph", "arch": {"classes": len(CHARS) + 1},
        "input": {"size": SIDE, "fill": 1.0, "least": 0.0}, "temperature": 2.0,
    }  # fmt: skip
    return Header(**(values | changes))  # type: ignore[arg-type]


class Stand:
    """A classifier that knows the patterns, and remembers how many pictures it was handed at once."""

    def __init__(self) -> None:
        self.header = header()
        self.batches: list[int] = []

    def probabilities(self, grays: Sequence[Gray]) -> NDArray[np.float32]:
        self.batches.append(len(grays))
        known = np.stack([draw(char) for char in CHARS]).astype(np.float32)
        apart = np.array([((known - gray) ** 2).mean(axis=(1, 2)) for gray in grays]) / 255**2
        powers = np.exp(-10 * apart / self.header.temperature)
        powers /= powers.sum(axis=1, keepdims=True)
        return np.pad(powers, ((0, 0), (1, 0))).astype(np.float32)


def glyphs() -> Iterator[Glyph]:
    for number, (shown, said, source, style, writer) in enumerate(PLANTED):
        gray = np.zeros((SIDE + 8, SIDE + 8), np.uint8)  # dark around its em square, which would mislead
        gray[4 : SIDE + 4, 4 : SIDE + 4] = draw(shown)
        meta = {"em": (4.0, 4.0, SIDE + 4.0, SIDE + 4.0), "style": style}
        yield Glyph(gray, said, f"{style}/{writer}", source, number, meta)
    yield Glyph(gray, "あ", "print/w0", "two", 99, {**meta, "form": 1})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "planted.h5"
    write_glyphs(path, glyphs(), CHARSET, sources=[Source("one"), Source("two")])
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patterns as an ONNX model of the shape that `jphtr export` writes."""
    return write_model(tmp_path_factory.mktemp("model") / "toy.onnx", header())


def write_model(path: Path, head: Header) -> Path:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    known = np.stack([draw(char) for char in CHARS]).reshape(len(CHARS), -1).astype(np.float32) / 255
    scale = 10 / known.shape[1]
    weights = np.pad(2 * scale * known.T, ((0, 0), (1, 0)))
    bias = np.concatenate([[-np.inf], -scale * (known**2).sum(axis=1)])
    arrays = {"white": 255.0, "weights": weights, "bias": bias, "temperature": head.temperature}
    nodes = [
        helper.make_node("Cast", ["gray"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["light"]),
        helper.make_node("Flatten", ["light"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Div", ["logits", "temperature"], ["cooled"]),
        helper.make_node("Softmax", ["cooled"], ["probabilities"], axis=1),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", None]) for n in ("logits", "probabilities")]
    graph = helper.make_graph(
        nodes, "toy", [helper.make_tensor_value_info("gray", TensorProto.UINT8, ["N", SIDE, SIDE])], ports,
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in arrays.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(made, {KEY: header_json(head)})
    onnx.save(made, str(path))
    return path


def scored(store: Path, **options: object) -> Report:
    return evaluate(Stand(), "toy", [open_pictures(store)], **options)  # type: ignore[arg-type]


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["eval-char", *(str(word) for word in words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_everything_is_counted(store: Path) -> None:
    told = summary(scored(store))
    assert told["glyphs"] == RIGHT + LOOK_ALIKE + WRONG
    assert told["strict"]["top1"] == pytest.approx(RIGHT / 18)
    assert told["folded"]["top1"] == pytest.approx((RIGHT + LOOK_ALIKE) / 18)
    assert told["strict"]["balanced"] == pytest.approx(np.mean([6 / 8, 6 / 7, 1 / 2, 1]))
    assert told["lacking"] == {"glyphs": 3, "characters": {"ん": 2, "|": 1}}
    assert told["left_out"] == {"forms for vertical lines": 1}
    assert [(c["truth"], c["answer"], c["count"], c["of"], c["look_alike"]) for c in told["confusions"]] == [
        ("あ", "い", 2, 8, False), ("へ", "ヘ", 1, 2, True), ("い", "漢", 1, 7, False),
    ]  # fmt: skip
    assert sorted((w["truth"], w["answer"]) for w in told["worst"]) == [("あ", "い"), ("あ", "い"), ("い", "漢")]
    assert [w["confidence"] for w in told["worst"]] == sorted((w["confidence"] for w in told["worst"]), reverse=True)
    by_writer = {w["writer"]: (w["glyphs"], w["top1"]) for w in told["writers"]}
    assert by_writer["print/w0"] == (3, pytest.approx(1 / 3)) and len(by_writer) == 12
    assert told["strict"]["writers"] == 12 and told["strict"]["over"] == "writers"


def test_groups_by_hand(store: Path) -> None:
    told = summary(scored(store))
    groups = {
        (g["column"], g["value"]): (g["strict"]["glyphs"], g["strict"]["writers"], g["strict"]["top1"])
        for g in told["groups"]
    }
    assert groups == {
        ("script", "hiragana"): (17, 12, pytest.approx(13 / 17)), ("script", "level1"): (1, 1, 1.0),
        ("set", "one"): (14, 12, pytest.approx(12 / 14)), ("set", "two"): (4, 4, pytest.approx(2 / 4)),
        ("style", "print"): (10, 6, pytest.approx(8 / 10)), ("style", "hand"): (8, 6, pytest.approx(6 / 8)),
    }  # fmt: skip


def test_batches_change_nothing_and_stay_small(store: Path) -> None:
    stand = Stand()
    small = evaluate(stand, "toy", [open_pictures(store)], batch_size=4)
    assert max(stand.batches) <= 4 and sum(stand.batches) == 18
    assert per_glyph(small) == per_glyph(scored(store))


def test_glyphs_are_chosen(store: Path, tmp_path: Path) -> None:
    chosen = evaluate(Stand(), "toy", [open_pictures(store, [("set", "two"), ("style", "hand")], "いへ")])
    assert len(chosen.answers) == 2 and not chosen.answers.hits().any()
    with pytest.raises(DataError, match="ETL8G"):
        open_pictures(store, [("set", "ETL8G")])
    with pytest.raises(DataError, match=r"only of ん\|; take another model"):
        evaluate(Stand(), "toy", [open_pictures(store, chars="ん|")])
    (tmp_path / "あ").mkdir()
    with pytest.raises(DataError, match="chosen by set"):
        open_pictures(tmp_path, [("set", "two")])


def test_em_squares_reach_beyond_the_picture() -> None:
    gray = np.arange(20, dtype=np.uint8).reshape(4, 5)
    unknown = np.full(4, np.nan, np.float32)
    assert em_square(gray, unknown) is gray
    assert (em_square(gray, np.array([1, 0, 4, 3], np.float32)) == gray[:3, 1:4]).all()
    cut = em_square(gray, np.array([-1, 2, 2, 5], np.float32))
    assert cut.tolist() == [[255, 10, 11], [255, 15, 16], [255, 255, 255]]


def spread(folder: Path) -> None:
    """The planted glyphs as pictures in folders of their characters, in the order of PLANTED."""
    for number, (shown, said, *_) in enumerate(PLANTED):
        place = folder / f"U{ord(said):04X}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(shown)).save(place / f"{number:02d}.png")


def test_folders_and_lists_score_as_glyph_files(store: Path, tmp_path: Path) -> None:
    spread(tmp_path / "tree")
    lines = [f"tree/U{ord(s):04X}/{n:02d}.png\t{s}\t{w}" for n, (_, s, _, _, w) in enumerate(PLANTED)]
    (tmp_path / "list.tsv").write_text("file\tchar\twriter\n" + "\n".join(lines), "utf-8")
    stored = summary(scored(store))
    for path, writers in ((tmp_path / "tree", 1), (tmp_path / "list.tsv", 6)):
        report = evaluate(Stand(), "toy", [open_pictures(path)])
        told = summary(report)
        assert told["confusions"] == stored["confusions"] and told["lacking"] == stored["lacking"]
        assert told["strict"]["top1"] == stored["strict"]["top1"] and told["strict"]["writers"] == writers
        number = int(np.flatnonzero(~report.answers.hits())[0])
        assert Path(report.place(number)).is_file() and report.picture(number).shape == (SIDE, SIDE)
    both = evaluate(Stand(), "toy", [open_pictures(store), open_pictures(tmp_path / "tree")])
    assert len(both.answers) == 36 and both.lacking == Counter({"ん": 4, "|": 2})


def test_pages_show_the_mistakes(store: Path, tmp_path: Path) -> None:
    pytest.importorskip("markupsafe")
    page = html(scored(store))
    assert (
        page.count("<img") == 3 + 2 * WRONG
    )  # a strip for each confusion, and each mistake as it is and as it is seen
    assert "あ" in page and "planted.h5:12" in page


def test_the_command(model: Path, store: Path, tmp_path: Path) -> None:
    markdown, rows = tmp_path / "r.md", tmp_path / "r.tsv"
    code, out, err = run(model, store, "--markdown", markdown, "--per-glyph", rows, "--fit-temperature", "--threads", 1)
    assert (code, err) == (0, "")
    assert out.startswith("top-1 77.78% of 18 pictures of 4 characters by 12 writers")
    assert "3 pictures of 2 characters that the model lacks: ん|" in out and "temperature fitted" in out
    shown = re.findall(r"!\[\]\(([^)]*)\)", markdown.read_text("utf-8"))
    assert len(shown) == 3 + 2 * WRONG
    for name in shown:
        with Image.open(markdown.parent / name) as picture:
            assert picture.height == 64
    head, *table_rows = (line.split("\t") for line in rows.read_text("utf-8").splitlines())
    column = {name: [row[i] for row in table_rows] for i, name in enumerate(head)}
    assert Counter(column["right"]) == {"yes": RIGHT, "look-alike": LOOK_ALIKE, "no": WRONG}
    assert column["answer"] == [shown for shown, said, *_ in PLANTED if said not in "ん|"]
    assert all(best[0] == answer for best, answer in zip(column["best"], column["answer"], strict=True))


def test_json_is_what_the_library_says(model: Path, store: Path) -> None:
    code, out, _ = run(model, store, "--json", "--confusions", 50)
    told, known = json.loads(out), summary(scored(store))
    assert code == 0
    for key in ("strict", "folded", "groups", "confusions", "writers", "lacking", "left_out"):
        assert told[key] == known[key]
    assert told["calibration"]["ece"] == pytest.approx(known["calibration"]["ece"], abs=1e-4)
    assert told["calibration"]["temperature"] == 2.0


def test_a_temperature_is_that_of_the_logits(store: Path) -> None:
    """A model with another temperature has other probabilities and the same fitted temperature."""
    found = []
    for temperature in (2.0, 0.7):
        stand = Stand()
        stand.header = header(temperature=temperature)
        report = evaluate(stand, "toy", [open_pictures(store)], fit=True)
        assert report.fitted is not None
        found.append(report.fitted)
    assert found[0] == pytest.approx(found[1], rel=0.01)
    assert "temperature fitted on these pictures" in table(report)


def test_what_cannot_be_read_is_said(model: Path, tmp_path: Path) -> None:
    spread(tmp_path / "tree")
    (tmp_path / "tree" / "U3042" / "zz.png").write_bytes(b"no picture")
    code, out, err = run(model, tmp_path / "tree")
    assert code == 1 and "top-1 77.78% of 18" in out and "1 pictures that could not be read" in out
    assert err.startswith("jphtr: error: ") and "zz.png" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["MODEL", "nowhere.h5"], "nowhere.h5: no such file"),
        (["MODEL", "nowhere"], "nowhere: no such file or folder"),
        (["nowhere.onnx", "STORE"], "nowhere.onnx: no such model file"),
        (["LINE", "STORE"], "a line model does not classify characters"),
        (["MODEL", "STORE", "--where", "style"], "--where style: give a column and its value"),
        (["MODEL", "STORE", "--where", "pen=1"], "no column pen; there are: class, writer"),
        (["MODEL", "STORE", "--per-glyph", "not/there/r.tsv"], "r.tsv: cannot be written"),
    ],
)
def test_one_clear_line(model: Path, store: Path, tmp_path: Path, words: list[str], says: str) -> None:
    line = write_model(tmp_path / "line.onnx", header(kind="line"))
    places = {"MODEL": model, "STORE": store, "LINE": line}
    code, out, err = run(*(places.get(word, tmp_path / word if "nowhere" in word else word) for word in words))
    assert code == 1 and out == ""
    assert err.startswith("jphtr: error: ") and says in err and err.count("\n") == 1


def test_torch_is_never_imported(model: Path, store: Path) -> None:
    words = ["eval-char", str(model), str(store), "--threads", "1"]
    code = f"import sys; from jphtr.cli import main; main({words!r}, standalone_mode=False); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "top-1 77.78%" in done.stdout


def test_weights_of_training_are_scored_too(store: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from jphtr.nets.glyph import GlyphNet
    from jphtr.training.checkpoint import save_weights

    torch.manual_seed(1)
    net = GlyphNet(len(CHARS) + 1, image_size=SIDE, widths=(4, 4, 4, 4)).eval()
    (tmp_path / "run").mkdir()
    save_weights(tmp_path / "run" / "best.safetensors", net.state_dict(), header(arch=net.arch))
    rows = tmp_path / "r.tsv"
    assert run(tmp_path / "run", store, "--per-glyph", rows, "--threads", 1)[0] == 0
    squares = np.stack([draw(shown) for shown, said, *_ in PLANTED if said not in "ん|"])
    with torch.inference_mode():
        best = net(torch.from_numpy(squares)).argmax(dim=1).tolist()
    answers = [line.split("\t")[5] for line in rows.read_text("utf-8").splitlines()[1:]]
    assert answers == ["" if label == 0 else CHARS[label - 1] for label in best]


def test_frozen_sets_are_made_twice_the_same(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    tool = Path(__file__).parents[1] / "tools" / "valid_glyphs.py"
    font = [
        Glyph(glyph.gray, glyph.char, f"{style}/{face}", "font", ord(glyph.char), {**glyph.meta, "style": style})
        for glyph in list(glyphs())[:18]
        for style, face in (("print", "a"), ("print", "b"), ("hand", "c"), ("display", "d"))
    ]
    write_glyphs(tmp_path / "fonts.h5", font, CHARSET)
    digests = []
    for name in ("one.h5", "two.h5", "one.h5"):
        words = [sys.executable, str(tool), str(tmp_path / "fonts.h5"), "-o", str(tmp_path / name)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        digests.append(done.stdout.rpartition("digest ")[2])
    assert digests[0] == digests[1] != "" and digests[2] == "" and "frozen sets are written once" in done.stderr
    with open_glyphs(tmp_path / "one.h5") as made:
        names = [
            (made.sources[s].name, made.styles[made.writers[w]]) for s, w in zip(made.source, made.writer, strict=True)
        ]
    assert Counter(names) == {
        ("hiragana print", "print"): 3 * 12, ("hiragana hand", "hand"): 3 * 12,
        ("kanji print", "print"): 2, ("kanji hand", "hand"): 1,
    }  # fmt: skip
