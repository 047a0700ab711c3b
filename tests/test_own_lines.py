"""Training on own lines: beside composed ones and alone, with new characters, killed and resumed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import toy_lines
from click.testing import CliRunner, Result
from PIL import Image

pytest.importorskip("torch")

import torch
import yaml
from safetensors.torch import load_file

from jphtr import cli
from jphtr.bundle import LINE_MODELS
from jphtr.charset import Charset
from jphtr.errors import CharsetError, DataError, SettingsError
from jphtr.geometry import prepare as strip
from jphtr.records import Glyph, Line
from jphtr.settings import TrainLineSettings, assign, to_yaml
from jphtr.settings import load as settings_of
from jphtr.splits import SPLITS
from jphtr.store import write_glyphs
from jphtr.store.lines import StoredLine
from jphtr.store.lines_write import write_lines
from jphtr.training.checkpoint import load_weights, save_weights
from jphtr.training.hardware import Hardware
from jphtr.training.loader import IGNORE, LineStream
from jphtr.training.loop import Outcome, train_line
from jphtr.training.own_lines import IN_PACKAGE, Mixed, OwnLines, prepare, sources, validation, vary
from jphtr.training.run_folder import BEST, CONFIG, LAST, METRICS
from jphtr.training.trainer import Trainer

NEW = "ん"


def own_composer(new: bool = False) -> toy_lines.ToyComposer:
    """The toy world; its characters stand a little closer, and one of them may be new."""
    composer = toy_lines.ToyComposer()
    if new:
        pattern = np.full((32, 32), 255, np.uint8)
        pattern[:8], pattern[24:], pattern[:, 12:20] = 0, 0, 0
        composer.patterns[NEW] = pattern
        known = composer.line

        def line(rng: np.random.Generator) -> Line:
            made = known(rng)
            place = int(rng.integers(len(made.text)))
            x0, y0, x1, y1 = (int(v) for v in made.spans[place].box)
            turned = np.rot90(pattern) if made.direction == "vertical" else pattern
            gray = made.gray.copy()
            gray[y0:y1, x0:x1] = np.rot90(turned, -1) if made.direction == "vertical" else turned
            return Line(gray, made.text[:place] + NEW + made.text[place + 1 :], "", "", made.direction)

        composer.line = line  # type: ignore[method-assign]
    return composer


def own_file(path: Path, train: int = 40, valid: int = 10, new: bool = False) -> Path:
    """A line file of the toy world."""
    composer, rng = own_composer(new), np.random.default_rng(9)

    def lines() -> list[StoredLine]:
        parts = [SPLITS["train"]] * train + [SPLITS["valid"]] * valid
        made = [(composer.line(rng), part) for part in parts]
        return [
            StoredLine(x.gray, x.text, f"w{i % 3}", "own", x.direction, "", part) for i, (x, part) in enumerate(made)
        ]

    write_lines(path, lines())
    return path


def own_settings(folder: Path, **values: object) -> TrainLineSettings:
    (folder / "chars.txt").write_text(toy_lines.CHARS, "utf-8")
    return toy_lines.settings(str(folder / "chars.txt"), **values)


def run(settings: TrainLineSettings, folder: Path, load: Path | None = None, resize: str = "fail") -> Outcome:
    ready = prepare(settings, folder, load=load, resize=resize)  # type: ignore[arg-type]
    open_source, open_valid = sources(ready.settings)
    return train_line(
        ready.settings, folder, open_source=open_source, open_valid=open_valid, load=load, resize=resize  # type: ignore[arg-type]
    )  # fmt: skip


# ---- the stream ----


@pytest.fixture
def mixed(tmp_path: Path) -> Callable[..., LineStream]:
    path = own_file(tmp_path / "own.h5")

    def open_source() -> Mixed:
        own = OwnLines([path], toy_lines.charset(), "train", varied=0.7)
        return Mixed(own, toy_lines.ToyComposer(), 0.3)

    def stream(workers: int = 0, **changes: object) -> LineStream:
        source = open_source()  # opened before workers are forked, as training does
        options = {"seed": 3, "batch": 8, "pool": 2, "workers": workers} | changes
        return LineStream(lambda: source, toy_lines.charset(), **options)  # type: ignore[arg-type]

    return stream


def test_own_lines_come_in_their_share_and_teach_no_boxes(mixed: Callable[..., LineStream]) -> None:
    samples = [s for batch in islice(mixed().batches(), 60) for s in batch]
    own = [s for s in samples if (s.frames == IGNORE).all()]
    assert len(own) / len(samples) == pytest.approx(0.3, abs=0.07)
    assert all((s.frames > 0).any() for s in samples if not (s.frames == IGNORE).all())


def test_batches_with_own_lines_do_not_depend_on_workers_or_on_where_they_start(
    mixed: Callable[..., LineStream],
) -> None:
    def same(a: list, b: list) -> bool:  # type: ignore[type-arg]
        return len(a) == len(b) and all(np.array_equal(x.gray, y.gray) for x, y in zip(a, b, strict=True))

    plain = list(islice(mixed().batches(), 8))
    working = mixed(workers=2).batches()
    assert all(same(a, b) for a, b in zip(plain, islice(working, 8), strict=True))
    working.close()
    assert all(same(a, b) for a, b in zip(plain[5:], islice(mixed().batches(5), 3), strict=True))
    assert not same(plain[0], next(mixed(seed=4).batches()))


def test_a_part_is_drawn_from_all_of_its_files_and_from_nothing_else(tmp_path: Path) -> None:
    files = [own_file(tmp_path / "a.h5", 5, 3), own_file(tmp_path / "b.h5", 4, 2, new=True)]
    own = OwnLines(files, toy_lines.charset(), "train")
    assert len(own) == 5 and own.left_out == 4  # the new character has no label
    own = OwnLines(files, Charset(toy_lines.CHARS + NEW), "valid")
    assert len(own) == 5 and own.left_out == 0
    drawn = {own.line(np.random.default_rng(i)).gray.tobytes() for i in range(100)}
    assert drawn == {own[place].gray.tobytes() for place in range(5)}


def test_a_validation_set_holds_each_line_once_and_is_found_again(tmp_path: Path) -> None:
    charset = toy_lines.charset()
    own = OwnLines([own_file(tmp_path / "a.h5", 1, 30)], charset, "valid")
    kept, passed = validation(own, charset, 20, 7)
    assert len({line.gray.tobytes() for line in kept}) == 20 and passed == 0
    again, _ = validation(own, charset, 20, 7)
    assert [line.text for line in again] == [line.text for line in kept]
    everything, _ = validation(own, charset, 200, 7)
    assert len(everything) == 30 and [x.text for x in validation(own, charset, 30, 7)[0]] == [
        x.text for x in everything
    ]


def test_variations_keep_the_line_and_follow_from_the_random_numbers() -> None:
    line = toy_lines.ToyComposer((6, 6)).line(np.random.default_rng(4)).gray
    line = line if line.shape[0] < line.shape[1] else np.ascontiguousarray(np.rot90(line))
    changed = 0
    for seed in range(40):
        one = vary(line, np.random.default_rng(seed))
        assert one.dtype == np.uint8 and one.shape[0] == line.shape[0] and 0.6 < one.shape[1] / line.shape[1] < 1.6
        assert np.array_equal(one, vary(line, np.random.default_rng(seed)))
        ink = [(255 - strip(x, "horizontal").gray.astype(float)).sum() for x in (one, line)]  # as a net will see it
        assert 0.6 < ink[0] / ink[1] < 1.7
        changed += one.shape != line.shape or bool((one != line).any())
    assert changed == 40


def glyph_file(path: Path) -> Path:
    """The characters of the toy world, to compose lines from."""
    patterns = toy_lines.patterns()
    glyphs = [
        Glyph(np.pad(gray, 16, constant_values=255), char, "toy", "toy", i, {"em": (12.0, 12.0, 52.0, 52.0)})
        for i, (char, gray) in enumerate(patterns.items())
    ]
    write_glyphs(path, glyphs, toy_lines.charset())
    return path


def test_composed_lines_stand_beside_own_ones_and_validate_where_these_do_not(tmp_path: Path) -> None:
    charset = toy_lines.charset()
    mine = {"data.glyphs": (glyph_file(tmp_path / "g.h5"),), "compose.mix": {"random": 1.0}}
    for valid in (4, 0):
        own = own_file(tmp_path / f"{valid}.h5", 6, valid)
        settings = prepare(assign(own_settings(tmp_path, data__lines=[own]), mine), tmp_path / f"run{valid}").settings
        assert settings.data.lines_share == 0.5 and settings.data.valid_lines == (valid or 24)
        open_source, open_valid = sources(settings)
        train, rng = open_source(charset), np.random.default_rng(1)
        assert {line.source for line in (train.line(rng) for _ in range(40))} == {"own", "composed"}
        assert open_valid is not None
        checked = {line.source for line in map(open_valid(charset).line, [rng] * 8)}
        assert checked == ({"own"} if valid else {"composed"})  # never the own lines that it learns from


# ---- one direction ----


def one_way(path: Path, ways: str) -> Path:
    """A line file of the toy world whose lines run as the letters say, h or v; every fourth validates."""
    names, rng = {"h": "horizontal", "v": "vertical"}, np.random.default_rng(2)
    composer = own_composer()
    drawn = (composer.line(rng) for _ in itertools.count())
    lines = [next(line for line in drawn if line.direction == names[way]) for way in ways]
    parts = [SPLITS["valid" if i % 4 == 3 else "train"] for i in range(len(lines))]
    write_lines(
        path, [StoredLine(x.gray, x.text, "w", "own", x.direction, "", p) for x, p in zip(lines, parts, strict=True)]
    )
    return path


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_a_net_for_one_direction_sees_no_other(tmp_path: Path, direction: str) -> None:
    own = one_way(tmp_path / "own.h5", "hhhhvvvvvvvv")
    settings = own_settings(tmp_path, data__lines=[own], data__direction=direction, run__steps=2, run__valid_every=2)
    mine = {"data.glyphs": (glyph_file(tmp_path / "g.h5"),), "compose.mix": {"random": 1.0}}
    ready = prepare(assign(settings, mine), tmp_path / "mixed")
    assert ready.notes[-1].startswith(f"own lines: {3 if direction == 'horizontal' else 6} to learn from")
    open_source, open_valid = sources(ready.settings)
    rng, train = np.random.default_rng(1), open_source(toy_lines.charset())
    seen = [train.line(rng) for _ in range(40)]
    assert {line.source for line in seen} == {"own", "composed"} and open_valid is not None
    seen += map(open_valid(toy_lines.charset()).line, [rng] * 8)
    assert {line.direction for line in seen} == {direction}
    run(settings, tmp_path / "run")
    assert load_weights(tmp_path / "run" / BEST)[0].direction == direction
    other = one_way(tmp_path / "other.h5", "hhhh" if direction == "vertical" else "vvvv")
    with pytest.raises(DataError, match=f"no {direction} line to learn from"):
        prepare(assign(settings, {"data.lines": (other,)}), tmp_path / "none")


def test_the_direction_is_that_of_the_model_or_of_the_own_lines(tmp_path: Path) -> None:
    header, weights = load_weights(toy_lines.trained() / BEST)
    loads: dict[str, Path | None] = {"none": None, "-": IN_PACKAGE}
    for way in ("", "vertical"):
        loads[way] = tmp_path / f"m{way}.safetensors"
        save_weights(tmp_path / f"m{way}.safetensors", weights, replace(header, direction=way))
    chosen = {}
    for ways in ("vvvv", "hhhh", "hhhhvvvv"):
        own = one_way(tmp_path / f"{ways}.h5", ways)
        for name, load in loads.items():
            settings = assign(own_settings(tmp_path, data__lines=[own]), {"data.charset": "default"})
            with suppress(CharsetError, DataError):
                ready = prepare(settings, tmp_path / f"{ways}{name}", load=load, resize="union")
                chosen[ways, name] = (ready.settings.data.direction, ready.load)
    vertical, horizontal = LINE_MODELS["vertical"], LINE_MODELS["horizontal"]
    assert chosen == {
        ("vvvv", "none"): ("both", None), ("hhhh", "none"): ("both", None), ("hhhhvvvv", "none"): ("both", None),
        ("vvvv", "-"): ("vertical", vertical), ("hhhh", "-"): ("horizontal", horizontal),
        ("hhhhvvvv", "-"): ("both", horizontal),
        ("vvvv", ""): ("both", loads[""]), ("hhhh", ""): ("both", loads[""]), ("hhhhvvvv", ""): ("both", loads[""]),
        ("vvvv", "vertical"): ("vertical", loads["vertical"]), ("hhhhvvvv", "vertical"): ("vertical", loads["vertical"]),
    }  # fmt: skip
    settings = assign(own_settings(tmp_path), {"data.direction": "both"})
    assert prepare(settings, tmp_path / "x", load=loads["vertical"]).settings.data.direction == "both"


# ---- learning ----


def test_own_lines_alone_teach_a_net_a_new_character(tmp_path: Path) -> None:
    """A net of the toy world meets a character that it has no label for, on own lines only."""
    weights = toy_lines.trained() / BEST
    own = own_file(tmp_path / "own.h5", 60, 20, new=True)
    settings = own_settings(tmp_path, data__lines=[own], run__steps=100, run__valid_every=50, loss__ctc_from=1.0,
                            data__lines_varied=0.0)  # fmt: skip
    with pytest.raises(CharsetError, match=r"own\.h5: 1 characters that the charset lacks: ん; add them with --resize"):
        prepare(settings, tmp_path / "fail", load=weights)
    outcome = run(settings, tmp_path / "run", weights, "union")
    header, _ = load_weights(tmp_path / "run" / BEST)
    assert header.charset == toy_lines.CHARS + NEW and outcome.finished
    assert outcome.cer < 0.05  # a third of the characters are new ones
    kept = settings_of(TrainLineSettings, tmp_path / "run" / CONFIG)
    assert kept.data.valid_lines == 20 and kept.data.lines_share == 1.0


def test_frozen_statistics_stay_those_of_the_model(tmp_path: Path) -> None:
    weights = toy_lines.trained() / BEST
    own = own_file(tmp_path / "own.h5", 12, 4)
    _, before = load_weights(weights)
    for frozen in (True, False):
        settings = own_settings(tmp_path, data__lines=[own], run__steps=3, run__valid_every=3, net__freeze_norm=frozen)
        run(settings, tmp_path / f"run{frozen}", weights)
        _, after = load_weights(tmp_path / f"run{frozen}" / BEST)
        names = [name for name in after if "running" in name]
        assert names and all(torch.equal(after[name], before[name]) == frozen for name in names)
        assert not torch.equal(after["head.weight"], before["head.weight"])


def test_a_share_of_the_weights_is_remembered(tmp_path: Path) -> None:
    """Of weights that training moves by far, the averaged ones keep what was asked for, whatever the number of steps."""
    weights = toy_lines.trained() / BEST
    own = own_file(tmp_path / "own.h5", 12, 4)
    for steps in (2, 5):
        folder = tmp_path / f"run{steps}"
        settings = own_settings(tmp_path, data__lines=[own], run__steps=steps, run__valid_every=steps, net__remember=0.25,
                                net__freeze_norm=True, optim__lr=1.0, optim__warmup=0, optim__decay="constant")  # fmt: skip
        ready = prepare(settings, folder, load=weights)
        header, old = load_weights(weights)
        trainer = Trainer(ready.settings, header.characters, Hardware(torch.device("cpu"), None))
        trainer.start_from(weights, old, header.characters)
        open_source, _ = sources(ready.settings)
        stream = LineStream(lambda: open_source(header.characters), header.characters, seed=1, batch=4, pool=2)  # noqa: B023
        seen = []
        for _, batch in zip(range(steps), stream.batches(), strict=False):
            trainer.step(batch, time.perf_counter(), stop=False)
            seen.append(trainer.net.head.bias.detach().clone())
        fade = 0.25 ** (1 / steps)
        by_hand = old["head.bias"]
        for now in seen:
            by_hand = fade * by_hand + (1 - fade) * now
        assert torch.allclose(trainer.learner.average.head.bias, by_hand, atol=1e-4)
        moved = (trainer.learner.average.head.bias - 0.25 * old["head.bias"]).abs().max()
        assert moved > 0.1 and fade**steps == pytest.approx(0.25)


def test_lines_with_unknown_characters_can_be_left_out(tmp_path: Path) -> None:
    files = [own_file(tmp_path / "a.h5", 5, 3), own_file(tmp_path / "b.h5", 4, 2, new=True)]
    settings = own_settings(tmp_path, data__lines=files, data__lines_unknown="skip")
    ready = prepare(settings, tmp_path / "run")
    assert ready.notes[-1] == (
        "own lines: 5 to learn from, 3 to validate with; 6 left out, whose characters the charset lacks"
    )
    assert ready.settings.data.charset == settings.data.charset


def test_a_charset_of_own_lines(tmp_path: Path) -> None:
    files = [own_file(tmp_path / "b.h5", 20, 5, new=True)]
    settings = assign(own_settings(tmp_path, data__lines=files), {"data.charset": "lines"})
    ready = prepare(settings, tmp_path / "run")
    chars = Path(ready.settings.data.charset).read_text("utf-8")
    assert NEW in chars and set(chars) <= set(toy_lines.CHARS + NEW) and chars == "".join(sorted(chars))


def table(folder: Path, count: int = 30) -> Path:
    """Toy lines as pictures and a table."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(count):
        line = own_composer().line(np.random.default_rng([5, i]))
        Image.fromarray(line.gray).save(folder / f"{i}.png")
        rows.append(f"{i}.png\t{line.text}\t{line.direction}\n")
    (folder / "own.tsv").write_text("path\ttext\tdirection\n" + "".join(rows), "utf-8")
    return folder / "own.tsv"


def test_what_is_no_line_file_is_packed_into_the_run_folder(tmp_path: Path) -> None:
    path = table(tmp_path / "t")
    with path.open("a") as file:
        file.write("none.png\tあ\n")
    ready = prepare(own_settings(tmp_path, data__lines=[path]), tmp_path / "run")
    assert ready.settings.data.lines == (tmp_path / "run" / "lines.h5",)
    assert "left out: " in ready.notes[0] and "none.png: no such file" in ready.notes[0]
    assert "of one writer: a tenth validates" in ready.notes[1]
    assert ready.notes[2] == "own lines: 27 to learn from, 3 to validate with"
    again = prepare(ready.settings, tmp_path / "run2")
    assert again.settings == ready.settings
    (tmp_path / "run" / CONFIG).write_text("")  # from now on it holds a run, whose lines stay
    before = (tmp_path / "run" / "lines.h5").read_bytes()
    with pytest.raises(SettingsError, match="holds a run; continue it with --resume"):
        prepare(own_settings(tmp_path, data__lines=[table(tmp_path / "t2", 5)]), tmp_path / "run")
    assert (tmp_path / "run" / "lines.h5").read_bytes() == before


def test_own_lines_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for train, valid, wanted in ((0, 5, "no line to learn from"), (5, 0, "no line to validate with")):
        path = own_file(tmp_path / f"{train}.h5", train, valid)
        with pytest.raises(DataError, match=f"{train}.h5: {wanted}; pack them again"):
            prepare(own_settings(tmp_path, data__lines=[path]), tmp_path / "run")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        SettingsError, match=r"own\.tsv is no line file; with several processes, make one with jphtr pack"
    ):
        prepare(own_settings(tmp_path, data__lines=[table(tmp_path / "t", 3)]), tmp_path / "run")


# ---- the command ----


def train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["train-line", *map(str, arguments)])


def config(folder: Path, **values: object) -> Path:
    (folder / "own.yaml").write_text(to_yaml(own_settings(folder, **values)), "utf-8")
    return folder / "own.yaml"


def test_the_command_without_anything_to_learn_from(tmp_path: Path) -> None:
    done = train("--config", config(tmp_path), "-o", tmp_path / "run")
    assert done.exit_code == 1 and done.output.startswith("jphtr: error: data.glyphs: empty; name glyph files")
    done = train("--resume", tmp_path, "--lines", tmp_path / "a.h5")
    assert done.exit_code == 1 and "leave out --lines" in done.output
    done = train("--lines", tmp_path / "none.tsv", "-o", tmp_path / "run2")
    assert done.exit_code == 1 and "none.tsv: No such file" in done.output and not (tmp_path / "run2").exists()


def test_fine_tuning_has_settings_of_its_own_unless_others_are_given(tmp_path: Path) -> None:
    own = own_file(tmp_path / "own.h5", 2, 1)
    arguments = ["--lines", own, "--load", "-", "--template", "-s", "optim.warmup=7"]
    told = yaml.safe_load(train(*arguments).output)
    assert told["net"]["freeze_norm"] and told["run"]["steps"] == 100 and told["optim"]["warmup"] == 7
    assert told["optim"]["lr"] == 3e-4 and told["net"]["remember"] == 0.3 and told["data"]["lines"] == [str(own)]
    again = yaml.safe_load(train("-s", f"data.lines=[{own}]", *arguments[2:]).output)
    assert again == told
    told = yaml.safe_load(train(*arguments, "--config", config(tmp_path)).output)
    assert not told["net"]["freeze_norm"] and told["run"]["steps"] == 300


def test_a_killed_run_on_own_lines_ends_where_the_uninterrupted_one_does(tmp_path: Path) -> None:
    file = config(tmp_path, run__steps=40, run__valid_every=15, run__save_minutes=1e-4, run__workers=1)
    own = table(tmp_path / "t")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    command = ["-m", "jphtr", "train-line", "--config", str(file), "--lines", str(own), "-o", str(killed)]
    process = subprocess.Popen(
        [sys.executable, *command], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for _ in range(15_000):
            metrics = killed / METRICS
            if (killed / LAST).exists() and len(metrics.read_text("utf-8").splitlines()) >= 4:
                break
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    for picture in own.parent.glob("*.png"):  # what the run needs is in its folder
        picture.unlink()
    done = train("--resume", killed)
    assert done.exit_code == 0 and "own lines: 27 to learn from, 3 to validate with" in done.output
    assert "resumed at step" in (killed / "log.txt").read_text("utf-8")
    table(tmp_path / "t")
    assert train("--config", file, "--lines", own, "-o", whole, "--workers", "0").exit_code == 0
    for name in (LAST, BEST):
        one, other = load_file(killed / name), load_file(whole / name)
        assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    told = [[json.loads(row) for row in (f / METRICS).read_text("utf-8").splitlines()] for f in (killed, whole)]
    assert [row.get("ctc", row.get("valid_cer")) for row in told[0]] == [
        row.get("ctc", row.get("valid_cer")) for row in told[1]
    ]
