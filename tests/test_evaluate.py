"""Scoring lines through the reader, against counts made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toy_model
from click.testing import CliRunner
from PIL import Image

from jphtr import evaluate
from jphtr.cli import main
from jphtr.errors import DataError
from jphtr.evaluate import Truth
from jphtr.reader import Reader


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_model.write_toy(tmp_path_factory.mktemp("model") / "toy.onnx")


def picture(path: Path, text: str, direction: str = "horizontal") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(toy_model.draw(text, direction=direction)).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three lines: one right, one whose truth has う for え and one character more, one vertical with い left out."""
    picture(tmp_path / "img" / "a.png", "あいう")
    picture(tmp_path / "img" / "b.png", "漢あえ")
    picture(tmp_path / "c.png", "おあい", "vertical")
    (tmp_path / "truth.tsv").write_text(
        "file\ttext\tkind\tdirection\tlicence\n"
        "img/a.png\tあいう\tplain\thorizontal\tx\n"
        "img/b.png\t漢あうう\tplain\thorizontal\tx\n"
        "c.png\tお あ\tturned\tvertical\tx\n",
        "utf-8",
    )
    return tmp_path


def test_counts_by_hand(model: Path, data: Path) -> None:
    report = evaluate.evaluate(Reader(model), evaluate.read_truth(data))
    assert [line.text for line in report.lines] == ["あいう", "漢あえ", "おあい"]
    errors = report.scores().errors
    assert (errors.substitutions, errors.deletions, errors.insertions, errors.chars) == (1, 1, 1, 9)
    assert errors.rate == pytest.approx(3 / 9)
    told = evaluate.summary(report)
    assert told["folded"]["line_accuracy"] == pytest.approx(1 / 3) and told["lines"] == 3
    groups = {(g["column"], g["value"]): (g["cer"], g["lines"]) for g in told["groups"]}
    assert groups == {
        ("kind", "plain"): (pytest.approx(2 / 7), 2), ("kind", "turned"): (0.5, 1),
        ("direction", "horizontal"): (pytest.approx(2 / 7), 2), ("direction", "vertical"): (0.5, 1),
    }  # fmt: skip
    assert sum(s["chars"] for s in told["scripts"].values()) == 9
    assert {(c["truth"], c["read"], c["count"]) for c in told["confusions"]} == {
        ("う", "え", 1),
        ("う", "", 1),
        ("", "い", 1),
    }


def test_tables_with_and_without_a_header(tmp_path: Path) -> None:
    plain = tmp_path / "plain.tsv"
    plain.write_text("a.png\tあ\n\nb.png\tい\n", "utf-8")
    assert evaluate.read_truth(plain) == [Truth(tmp_path / "a.png", "あ"), Truth(tmp_path / "b.png", "い")]
    turned = tmp_path / "turned.tsv"
    turned.write_text("\ufeffText\tStyle\tPath\nあ\tpen\ta.png\n", "utf-8")
    assert evaluate.read_truth(turned) == [Truth(tmp_path / "a.png", "あ", "pen")]


def test_a_folder_with_text_beside_each_picture(tmp_path: Path) -> None:
    picture(tmp_path / "deep" / "a.png", "あ")
    picture(tmp_path / "b.png", "い")
    (tmp_path / "deep" / "a.txt").write_text("あ\n", "utf-8")
    assert evaluate.read_truth(tmp_path) == [Truth(tmp_path / "deep" / "a.png", "あ")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.png あ\n", "line 1: no tab"),
        ("file\ttext\n\tあ\n", "line 2: lacks a path or a text"),
        ("file\ttext\tdirection\na.png\tあ\tup\n", "line 2: direction 'up'; write horizontal or vertical"),
        ("file\ttext\n", "holds no line"),
        ("", "holds no line"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.tsv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said):
        evaluate.read_truth(tmp_path / "t.tsv")


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\xfa")
    for path, said in ((tmp_path / "none.tsv", "No such file"), (tmp_path, "holds neither truth.tsv nor"),
                       (tmp_path / "binary.tsv", "not UTF-8")):  # fmt: skip
        with pytest.raises(DataError, match=said):
            evaluate.read_truth(path)


def test_directions_can_be_given(model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", "あいう", "vertical")
    truth = [Truth(tmp_path / "a.png", "あいう", direction="horizontal")]
    found = [evaluate.evaluate(Reader(model), truth, direction=way).lines[0].direction for way in ("auto", "given")]
    assert found == ["vertical", "horizontal"]


def test_the_command(model: Path, data: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["eval-line", str(model), str(data), "--per-file", str(data / "out.tsv")])
    assert done.exit_code == 0 and done.output.startswith("CER 33.33% (3 of 9 characters")
    assert "kind turned" in done.output and "う" in done.output
    table = [row.split("\t") for row in (data / "out.tsv").read_text("utf-8").splitlines()]
    assert [row[1:3] for row in table] == [["errors", "chars"], ["0", "3"], ["2", "4"], ["1", "2"]]
    told = json.loads(runner.invoke(main, ["eval-line", str(model), str(data), "--json"]).output)
    assert told["folded"]["cer"] == pytest.approx(1 / 3) and told["strict"]["chars"] == 9


def test_a_picture_that_fails_is_said_and_not_scored(model: Path, data: Path) -> None:
    (data / "img" / "a.png").write_bytes(b"")
    done = CliRunner().invoke(main, ["eval-line", str(model), str(data)])
    assert done.exit_code == 1 and "CER 50.00% (3 of 6 characters" in done.output
    assert done.output.count("jphtr: error: ") == 1 and "a.png" in done.output


def test_the_decoder_is_always_said(model: Path, data: Path) -> None:
    runner = CliRunner()
    for args, said in [(["--decoder", "greedy"], "greedy"), (["--lm", "none"], "beam of 8, no language model"),
                       (["--lm", "none", "--beam-width", "3"], "beam of 3, no language model")]:  # fmt: skip
        done = runner.invoke(main, ["eval-line", str(model), str(data), *args])
        assert done.exit_code == 0 and f"\n{said}: " in done.output
        told = json.loads(runner.invoke(main, ["eval-line", str(model), str(data), "--json", *args]).output)
        assert told["decoder"] == said and told["folded"]["cer"] == pytest.approx(1 / 3)
    report = evaluate.evaluate(Reader(model, lm="none"), evaluate.read_truth(data), decoder="greedy")
    assert report.decoder == "greedy"


def test_lists_of_characters_hold_for_scores(model: Path, data: Path) -> None:
    args = ["eval-line", str(model), str(data), "--lm", "none", "--blocklist", "い", "--json"]
    told = json.loads(CliRunner().invoke(main, args).output)
    assert not [c for c in told["confusions"] if c["read"] == "い"]
