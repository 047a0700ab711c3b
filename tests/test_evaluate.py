"""Scoring lines through the reader, against counts made by hand."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import toy_model
from click.testing import CliRunner
from PIL import Image

from jphtr import evaluate
from jphtr.accuracy import ece
from jphtr.cli import main
from jphtr.cli.evaluate import eval_line
from jphtr.errors import DataError
from jphtr.evaluate import Report, Scored, Truth
from jphtr.metrics import FOLDINGS
from jphtr.reader import Reader
from jphtr.records import CharSpan


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
    assert evaluate.read_truth(tmp_path) == [Truth(tmp_path / "deep" / "a.png", "あ", document="deep")]


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
    assert [row[1:6] for row in table] == [
        ["errors", "chars", "sub", "del", "ins"], ["0", "3", "0", "0", "0"], ["2", "4", "1", "1", "0"],
        ["1", "2", "0", "0", "1"],
    ]  # fmt: skip
    assert table[3][-3:-1] == ["お あ", "おあい"]
    told = json.loads(runner.invoke(main, ["eval-line", str(model), str(data), "--json"]).output)
    assert told["folded"]["cer"] == pytest.approx(1 / 3) and told["strict"]["chars"] == 9
    assert [file["errors"] for file in told["files"]] == [0, 2, 1] and told["folding"] == "folded"
    assert all(0 <= group["ece"] <= 1 and group["loose"] == group["cer"] for group in told["groups"])
    done = runner.invoke(main, ["eval-line", str(model), str(data), "--fold", "strict"])
    assert done.exit_code == 0 and done.output.startswith("CER 33.33% (3 of 9") and "; NFC, without" in done.output


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


def written(text: str, read: str, confidences: list[float] | None = None, **known: object) -> Scored:
    """A line of `text` that was read as `read`, without a picture."""
    sure = confidences or [0.9] * len(read)
    spans = tuple(CharSpan(char, (0.0, 0.0, 1.0, 1.0), p) for char, p in zip(read, sure, strict=True))
    return Scored(Truth(Path("x.png"), text, **known), read, 0.5, "horizontal", spans=spans)  # type: ignore[arg-type]


def reported(*lines: Scored, **options: str) -> Report:
    return Report(Path("model.onnx"), lines, 1.0, "greedy", **options)  # type: ignore[arg-type]


def test_foldings_forgive_more_and_more() -> None:
    report = reported(written("舊ヘ１，", "旧へ1，"), written("①", "1"))
    assert {name: report.scores(name).errors.total for name in FOLDINGS} == {
        "strict": 4, "folded": 2, "forms": 1, "loose": 0,
    }  # fmt: skip
    lines = evaluate.table(report).splitlines()
    assert lines[0].startswith("CER 40.00% (2 of 5 characters") and "NFKC, without spaces)" in lines[0]
    assert "look-alikes as one" in next(line for line in lines if line.startswith("CER 0.00% loose"))
    told = evaluate.summary(reported(*report.lines, folding="loose"))
    assert told["folding"] == "loose" and told["confusions"] == [] and told["strict"]["cer"] == 4 / 5
    assert {name for name in FOLDINGS if told[name]["said"]} == set(FOLDINGS)


def test_the_command_offers_every_folding() -> None:
    (fold,) = [option for option in eval_line.params if option.name == "fold"]
    assert list(fold.type.choices) == list(FOLDINGS)  # type: ignore[attr-defined]


def test_characters_of_one_shape_are_told_apart_by_their_code_points() -> None:
    rows = evaluate.table(reported(written("へび", "ヘひ"))).splitlines()
    assert next(row for row in rows if row.startswith("へ")).endswith("U+3078 as U+30D8")
    assert "U+" not in next(row for row in rows if row.startswith("び"))


def test_small_signs_are_counted_apart_and_in_each_direction() -> None:
    across = written("待って、へ。", "待つて、へ", direction="horizontal")
    down = written("「きょ", "「き", direction="vertical")
    marks = {(m["mark"][:5], m["direction"]): m for m in evaluate.summary(reported(across, down))["marks"]}
    small = marks["small", ""]
    assert (small["hits"], small["chars"], small["left_out"], small["recall"]) == (0, 2, 1, 0)
    assert (marks["small", "vertical"]["left_out"], marks["small", "horizontal"]["left_out"]) == (1, 0)
    assert (marks["stops", ""]["hits"], marks["stops", ""]["chars"]) == (1, 2)
    assert (marks["brack", "vertical"]["hits"], marks["other", ""]["chars"]) == (1, 0)


def test_intervals_are_drawn_over_writers_if_there_are_enough() -> None:
    def lines(**known: object) -> list[Scored]:
        """Of five hands four read without a fault and one never, twenty lines each."""
        keys = {name: lambda hand, value=value: f"{value}{hand}" for name, value in known.items()}
        return [
            written("あ", "あ" if hand else "い", **{name: key(hand) for name, key in keys.items()})
            for hand in range(5)
            for _ in range(20)
        ]

    writers, sheets = reported(*lines(writer="w")).interval(), reported(*lines(document="d")).interval()
    alone = reported(*lines()).interval()
    assert (writers.over, writers.number, sheets.over, alone.over, alone.number) == (
        "writers",
        5,
        "documents",
        "lines",
        100,
    )
    assert writers[:2] == sheets[:2]
    assert writers.high - writers.low > 2 * (alone.high - alone.low)
    few = [line for line in lines(writer="w") if line.truth.writer != "w4"]
    assert reported(*few).interval().over == "lines"


def test_confidence_is_laid_beside_what_is_right() -> None:
    """Spaces and what is left out have no say; an invented character is a wrong one."""
    report = reported(written("あ い①", "あ うお①", [0.9, 0.1, 0.6, 0.7, 0.8]), written("え", ""))
    confidence, right = report.sureness()
    assert confidence.tolist() == pytest.approx([0.9, 0.6, 0.7, 0.8])
    assert right.tolist() == [True, False, False, True]
    told = evaluate.summary(report)["calibration"]
    assert told["ece"] == pytest.approx(ece(confidence, right)) == pytest.approx((0.1 + 0.6 + 0.7 + 0.2) / 4, abs=0.01)
    assert told["chars"] == 4 and told["right"] == 0.5 and sum(b["chars"] for b in told["bins"]) == 4
    assert evaluate.summary(reported(written("え", "")))["calibration"]["chars"] == 0


@pytest.mark.parametrize("made", [0.7, 1.0, 1.6])
def test_a_planted_temperature_is_found(made: float) -> None:
    """Truths drawn from known probabilities, which the model gives as if its logits had been divided by `made`."""
    rng = np.random.default_rng(3)
    chars = "あいうえおかき"
    logits = rng.normal(0, 3.5, (6000, len(chars)))
    lines = []
    for row in logits:
        true = np.exp(row) / np.exp(row).sum()
        said = np.exp(row / made) / np.exp(row / made).sum()
        order = np.argsort(-said)
        others = tuple((chars[k], float(said[k])) for k in order[1:5])
        read = chars[order[0]]
        span = CharSpan(read, (0.0, 0.0, 1.0, 1.0), float(said[order[0]]), others)
        truth = Truth(Path("x.png"), chars[rng.choice(len(chars), p=true)])
        lines.append(Scored(truth, read, 1.0, "horizontal", spans=(span,)))
    report = Report(Path("m.onnx"), tuple(lines), 1.0, "greedy", temperature=2.0)
    fitted = evaluate.fit_temperature(report)
    assert fitted.temperature == pytest.approx(2.0 / made, rel=0.1)
    assert fitted.after < 0.03 and fitted.chars == 3000
    assert made == 1 or fitted.after < 0.7 * fitted.before


def test_a_fitted_temperature_is_said_as_export_takes_it() -> None:
    report = reported(written("あい", "あう"), written("え", "え"))
    fitted = evaluate.fit_temperature(report)
    assert f"--temperature {fitted.temperature:.3f}" in evaluate.table(report, fitted=fitted)
    assert evaluate.summary(report, fitted=fitted)["calibration"]["fitted"]["chars"] == 1
    assert evaluate.fit_temperature(reported()).temperature == 1.0


# ---- boxes ----


def boxes(folder: Path, rows: dict[str, tuple[str, str]], shift: float = 0.0) -> None:
    """Pictures, truth.tsv and spans.jsonl whose boxes are moved along the reading axis by a part of their length."""
    table, spans = ["file\ttext\tdirection"], []
    for name, (text, direction) in rows.items():
        picture(folder / name, text, direction)
        table.append(f"{name}\t{text}\t{direction}")
        moved = np.array(toy_model.places(text, direction=direction), float)
        moved[:, [0, 2] if direction == "horizontal" else [1, 3]] += shift * toy_model.CELL
        chars = [{"char": char, "bbox": box} for char, box in zip(text, moved.tolist(), strict=True)]
        spans.append(json.dumps({"file": name, "chars": chars}))
    (folder / "truth.tsv").write_text("\n".join(table), "utf-8")
    (folder / "spans.jsonl").write_text("\n".join(spans), "utf-8")


LINES = {"a.png": ("漢あ、え", "horizontal"), "b.png": ("おあい漢", "vertical")}


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_distances_of_boxes_are_those_planted(model: Path, tmp_path: Path, shift: float) -> None:
    boxes(tmp_path, LINES, shift)
    told = evaluate.summary(evaluate.evaluate(Reader(model), evaluate.read_truth(tmp_path)))
    rows = {(row["of"], row["direction"]): row for row in told["boxes"]}
    assert {key: row["chars"] for key, row in rows.items()} == {
        ("kana and kanji", ""): 7, ("kana and kanji", "horizontal"): 3, ("kana", "horizontal"): 2,
        ("kanji", "horizontal"): 1, ("others", "horizontal"): 1, ("kana and kanji", "vertical"): 4,
        ("kana", "vertical"): 3, ("kanji", "vertical"): 1,
    }  # fmt: skip
    for row in rows.values():
        assert row["centre"] == pytest.approx(shift, abs=0.02) and row["centre90"] >= row["centre"]
        assert row["overlap"] == pytest.approx((1 - shift) / (1 + shift), abs=0.05)
    assert [file["centre_off"] for file in told["files"]] == pytest.approx([shift, shift], abs=0.02)


def test_only_what_was_read_right_has_a_distance(model: Path, tmp_path: Path) -> None:
    boxes(tmp_path, LINES)
    for name in ("truth.tsv", "spans.jsonl"):  # as if あ had stood where い was read
        text = (tmp_path / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("い", "う").replace("\\u3044", "\\u3046"), "utf-8")
    report = evaluate.evaluate(Reader(model), evaluate.read_truth(tmp_path))
    assert "".join(one.char for one in report.displaced) == "漢あ、えおあ漢"


def test_a_line_without_boxes_is_in_no_distance(model: Path, data: Path) -> None:
    report = evaluate.evaluate(Reader(model), evaluate.read_truth(data))
    assert report.displaced == [] and "boxes" not in evaluate.table(report)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "line 1: not a JSON object with file and chars"),
        ('{"file": "a.png"}', "line 1: not a JSON object with file and chars"),
        ('{"file": "a.png", "chars": [{"char": "あ", "bbox": [1, 2, 3]}]}', "line 1: not a JSON object"),
        (
            '{"file": "a.png", "chars": [{"char": "い", "bbox": [1, 2, 3, 4]}]}',
            "line 1: boxes of another text than 'あ'",
        ),
    ],
)
def test_wrong_boxes_are_named(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "t.tsv").write_text("a.png\tあ\n", "utf-8")
    (tmp_path / "spans.jsonl").write_text(row, "utf-8")
    with pytest.raises(DataError, match=re.escape(f"spans.jsonl, {said}")):
        evaluate.read_truth(tmp_path / "t.tsv")


# ---- the page, and what is said ----


def test_the_page_shows_the_worst_lines_first(model: Path, data: Path) -> None:
    pytest.importorskip("markupsafe")
    path = data / "out.html"
    done = CliRunner().invoke(main, ["eval-line", str(model), str(data), "--html", str(path)])
    assert done.exit_code == 0
    page = path.read_text("utf-8")
    assert page.count("<img ") == 2  # of the line that was read right there is none
    shown = [page.index(f"{data / name}") for name in ("img/b.png", "c.png")]
    assert shown == sorted(shown) and "a.png" not in page
    assert "<del>う</del>" in page and "<ins>え</ins>" in page and "CER 33.33%" in page
    heads = re.findall(r"<h2>(.*?)</h2>", page)
    assert heads == ["Groups", "Scripts", "Confidence", "Confusions", "Worst lines"]
    one = CliRunner().invoke(main, ["eval-line", str(model), str(data), "--html", str(path), "--worst", "1"])
    assert one.exit_code == 0 and path.read_text("utf-8").count("<img ") == 1


def test_a_vertical_line_stands_upright_on_the_page(model: Path, data: Path) -> None:
    pytest.importorskip("markupsafe")
    import base64
    import io

    from jphtr.evaluate.page import page

    report = evaluate.evaluate(Reader(model), evaluate.read_truth(data))
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(text)))
        for text in re.findall(r"base64,([^\"]+)\"", page(report))
    ]  # fmt: skip
    assert [picture.width > picture.height for picture in pictures] == [True, False]


def test_what_fails_and_what_is_turned_is_said(model: Path, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", "あいう", "vertical")
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "b.png")
    picture(tmp_path / "c.png", "おあ")
    (tmp_path / "t.tsv").write_text(
        "file\ttext\tdirection\na.png\tあいう\thorizontal\nb.png\tあ\t\nc.png\tおあ\thorizontal\n", "utf-8"
    )
    done = CliRunner().invoke(main, ["eval-line", str(model), str(tmp_path / "t.tsv")])
    assert done.exit_code == 1 and "lines taken to run the other way: 1" in done.output
    assert f"jphtr: error: {tmp_path / 'b.png'}: 3 x 3 pixels cannot hold a character" in done.output
    assert "lines read right 2 of 2" in done.output


def test_a_temperature_is_only_fitted_along_the_best_path(model: Path, data: Path) -> None:
    args = ["eval-line", str(model), str(data), "--fit-temperature"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 2 and "add --decoder greedy" in done.output
    done = CliRunner().invoke(main, [*args, "--decoder", "greedy", "--json"])
    assert done.exit_code == 0 and json.loads(done.output)["calibration"]["fitted"]["temperature"] > 0


def test_scripts_come_in_their_order() -> None:
    found = evaluate.summary(reported(written("7鬱亜アあa、", "7鬱亜アあa、")))["scripts"]
    order = ["hiragana", "katakana", "level1", "level2", "latin", "digit", "punctuation"]
    assert list(found) == order
    text = evaluate.table(reported(written("7鬱亜アあa、", "7鬱亜アあa、")))
    places = [re.search(f"^{name} ", text, re.M) for name in order]
    assert all(a is not None and b is not None and a.start() < b.start() for a, b in pairwise(places))


def test_a_table_of_which_nothing_can_be_measured_is_an_error(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture(Path("a.png"), "あい")
    for row, why in (
        ("lost.png\tあ\n", "no line could be read"),
        ("a.png\t\n", "no line that was read has a text"),
        ("a.png\t\nlost.png\tあ\n", "no line that was read has a text"),
    ):
        Path("t.tsv").write_text(row, "utf-8")
        result = CliRunner().invoke(main, ["eval-line", str(model), "t.tsv"])
        assert result.exit_code == 1 and "CER" not in result.output and f"t.tsv: {why}" in result.stderr
    Path("t.tsv").write_text("a.png\tあい\n", "utf-8")
    result = CliRunner().invoke(main, ["eval-line", str(model), "t.tsv", "--per-file", "new/m.tsv"])
    assert result.exit_code == 1 and "new/m.tsv: there is no folder new; make it first" in result.stderr
