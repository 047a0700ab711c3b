"""Training of character classifiers: nets, optimizers, and a toy world that is learned in seconds."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("torch", "timm", "cv2", "pydantic", "safetensors"):
    pytest.importorskip(module)

import torch
import toy_glyphs
import toy_lines
from click.testing import CliRunner
from safetensors.torch import load_file
from toy_glyphs import CHARS, settings

from jphtr.bundle import Header
from jphtr.charset import default, kana
from jphtr.cli.train_char import train_char as command
from jphtr.errors import CharsetError, JphtrError, ModelError, SettingsError
from jphtr.nets.glyph import TRUNK_PARTS, GlyphNet
from jphtr.nets.line import LineNet
from jphtr.records import Glyph
from jphtr.settings import AugmentSettings, OptimSettings, RunSettings, TrainCharSettings
from jphtr.settings import load as settings_of
from jphtr.store import Source, write_glyphs
from jphtr.training.char import train_char, validate
from jphtr.training.checkpoint import load_weights, save_weights
from jphtr.training.glyph_stream import Batch, GlyphStream, mix
from jphtr.training.glyphs import choose
from jphtr.training.hardware import Hardware
from jphtr.training.learner import Learner
from jphtr.training.run_folder import BEST, CONFIG, LAST, METRICS

CPU = torch.device("cpu")


@pytest.fixture
def toy() -> Path:
    """The glyph file of the toy world."""
    return toy_glyphs.file()


# ---- the net ----


def test_a_net_takes_any_backbone_and_never_answers_the_blank() -> None:
    gray = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32)).astype(np.uint8))
    for backbone in ("trunk", "test_resnet", "test_convnext", "test_vit", "test_efficientnet"):
        net = GlyphNet(7, backbone, 32, (8, 8, 16, 16))
        assert torch.isfinite(net(gray)).all() and net(gray).shape == (3, 7)
        net.eval()
        logits = net(gray)
        assert (logits[:, 0] == -torch.inf).all() and torch.isfinite(logits[:, 1:]).all()
        again = GlyphNet(**net.arch).eval()
        again.load_state_dict(net.state_dict())
        assert torch.equal(again(gray), logits)
        assert logits.argmax(1).min() > 0


def test_paper_is_zero_and_beyond_the_rim() -> None:
    net = GlyphNet(3, "trunk", 32, (8, 8, 16, 16))
    seen: list[torch.Tensor] = []
    net.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(torch.tensor([[[255, 0] * 16] * 32], dtype=torch.uint8).expand(2, -1, -1))
    assert seen[0][0, 0, 0, :2].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"backbone": "resnt18"}, r"net.backbone: timm has no model 'resnt18'; near it: .*resnet18"),
        ({"backbone": "trunk", "image_size": 40}, "net.image_size: 40 is not a multiple of 16"),
        ({"backbone": "trunk", "pretrained": True}, "trunk has no weights to fetch"),
        ({"backbone": "test_vit", "image_size": 33}, r"test_vit cannot"),
        ({"backbone": "test_convnext", "image_size": 8}, "net.image_size: test_convnext cannot take 8 px"),
    ],
)
def test_impossible_nets_are_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        GlyphNet(5, **({"image_size": 32} | values))
    assert "\n" not in str(error.value)


def test_pretrained_weights_that_cannot_be_fetched_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm.models._builder as builder

    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no route to host\nand a long tale")

    monkeypatch.setattr(builder, "load_pretrained", offline)
    with pytest.raises(SettingsError, match=r"net.pretrained: .*test_resnet .*\(no route to host\).*--no-pretrained$"):
        GlyphNet(5, "test_resnet", 32, pretrained=True)


# ---- the optimizer ----


@pytest.mark.parametrize("name", ["adamw", "sgd", "lamb", "nadamw", "adan", "lion", "adafactor"])
def test_an_optimizer_goes_on_where_it_was(tmp_path: Path, name: str) -> None:
    def learner() -> Learner[torch.nn.Sequential]:
        torch.manual_seed(1)
        net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(16, 3))
        return Learner(net, OptimSettings(name=name, warmup=1), RunSettings(steps=20), Hardware(CPU, None), ())

    def steps(of: Learner[Any], count: int) -> None:
        for _ in range(count):
            rng = of.draws()
            x = torch.from_numpy(rng.normal(size=(5, 1, 4, 4)).astype(np.float32))
            of.net(x).square().mean().backward()
            of.take(of.progress, time.perf_counter(), False)

    whole, first, second = learner(), learner(), learner()
    steps(whole, 8)
    steps(first, 4)
    first.save(tmp_path / "state")
    second.load(tmp_path / "state")
    steps(second, 4)
    for mine, theirs in zip(second.net.parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert second.state.step == 8


def test_unknown_optimizers_are_named() -> None:
    net = torch.nn.Linear(2, 2)
    with pytest.raises(SettingsError, match=r"optim.name: timm has no optimizer 'adamv'; near it: .*adamw"):
        Learner(net, OptimSettings(name="adamv"), RunSettings(), Hardware(CPU, None), ())


# ---- the loop ----


def test_mixing_keeps_the_shares() -> None:
    batch = Batch(np.repeat(np.arange(0, 250, 25, dtype=np.uint8), 256).reshape(10, 16, 16), np.arange(1, 11))
    value = {label: gray[0, 0] for gray, label in zip(batch.gray, batch.label.tolist(), strict=True)}
    seen: set[str] = set()
    for seed in range(30):
        mixup, cutmix = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))[seed % 3]
        chances = AugmentSettings(mixup=mixup, cutmix=cutmix, mixed=0.9)
        gray, first, second, share = mix(batch, chances, np.random.default_rng(seed))
        assert np.array_equal(first, batch.label)
        for picture, a, b in zip(gray.astype(float), first.tolist(), second.tolist(), strict=True):
            assert abs(picture.mean() - (share * value[a] + (1 - share) * value[b])) <= 0.51
        seen.add("not" if share == 1 else "patch" if np.ptp(gray, axis=(1, 2)).any() else "blend")
    assert seen == {"not", "patch", "blend"}


@pytest.fixture
def trained() -> Path:
    """A run that was not interrupted."""
    return toy_glyphs.trained()


def equal(a: Path, b: Path) -> bool:
    one, other = load_file(a), load_file(b)
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_the_toy_world_is_learned(toy: Path, trained: Path) -> None:
    header, weights = load_weights(trained / BEST)
    assert header.kind == "glyph" and set(header.charset) == set(CHARS) and header.name == "whole"
    assert header.scores["valid_balanced"] == header.scores["valid_top1"] == header.scores["valid_top5"] == 1
    assert header.input == {"size": 32, "fill": 0.9, "least": 0.35} and header.data == [
        {"name": "toy", "licence": "CC0"}
    ]
    assert {CONFIG, "charset.txt", METRICS, "log.txt", LAST, BEST} <= {p.name for p in trained.iterdir()}
    rows = [json.loads(row) for row in (trained / METRICS).read_text("utf-8").splitlines()]
    assert rows[-2]["accuracy"] > 0.95 > rows[0]["accuracy"] and rows[-2]["loss"] < rows[0]["loss"] / 3
    assert {"glyphs_per_s", "wait", "norm", "lr", "minutes"} <= rows[0].keys() and rows[-1]["valid_balanced"] == 1
    net = GlyphNet(**header.arch)
    net.load_state_dict(weights)
    chosen = choose(settings(toy).data, header.characters)
    every = GlyphStream(chosen.train, chosen.charset, settings(toy)).validation(chosen.train)
    assert validate(net.eval(), every)["top1"] > 0.99


def test_scores_by_hand() -> None:
    class Planted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.arch, self.head = {"classes": 8}, torch.nn.Linear(1, 1)

        def forward(self, gray: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(gray[:, 0, 0].long(), 8) - torch.arange(8) / 100

    answers = np.array([1, 1, 1, 2, 7, 2], np.uint8)
    labels = np.array([1, 1, 1, 1, 2, 6])  # 7 then 0, 1, 2, 3; 2 then 0, 1, 3, 4
    found = validate(Planted(), Batch(np.tile(answers[:, None, None], (1, 4, 4)), labels))  # type: ignore[arg-type]
    assert found == pytest.approx({"top1": 3 / 6, "top5": 5 / 6, "balanced": (3 / 4 + 0 + 0) / 3})


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python in a process group of its own; what still runs at the end of a test is killed with all its children."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        places = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"} | environment
        process = subprocess.Popen(
            [sys.executable, *arguments], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield go
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stderr is not None and not process.stderr.closed:
            process.communicate()


Start = Callable[..., "subprocess.Popen[str]"]

RUN = """
import sys
from pathlib import Path
from toy_glyphs import settings, train_char
train_char(settings(Path(sys.argv[1]), run__workers=1, run__save_minutes=1e-4), Path(sys.argv[2]))
"""


def test_a_killed_run_ends_where_the_uninterrupted_one_does(
    toy: Path, trained: Path, tmp_path: Path, start: Start
) -> None:
    killed = tmp_path / "whole"
    process = start("-c", RUN, str(toy), str(killed))
    for _ in range(15_000):  # five minutes, on a busy machine
        rows = (killed / METRICS).read_text("utf-8").splitlines() if (killed / LAST).exists() else []
        if len(rows) >= 3:
            break
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    outcome = train_char(settings_of(TrainCharSettings, killed / CONFIG, ["run.workers=0"]), killed, resume=True)
    assert outcome.finished and outcome.step == 60
    assert "resumed at step" in (killed / "log.txt").read_text("utf-8")
    assert equal(killed / LAST, trained / LAST) and equal(killed / BEST, trained / BEST)

    def told(folder: Path) -> list[Any]:
        every = [json.loads(row) for row in (folder / METRICS).read_text("utf-8").splitlines()]
        kept = ("step", "loss", "accuracy", "norm", "lr", "valid_top1")
        return [{key: row[key] for key in kept if key in row} for row in every]

    assert told(killed) == told(trained)


RANK = """
import sys
from pathlib import Path
from toy_glyphs import settings, train_char
train_char(settings(Path(sys.argv[1]), net__backbone="test_convnext", run__steps=6, optim__name="sgd", optim__lr=0.1,
                    data__batch=int(sys.argv[3]), run__valid_every=6), Path(sys.argv[2]))
"""


def two_ranks(start: Start, code: str, *arguments: object) -> None:
    """Let two processes train together, as torchrun starts them; only the first of them may say anything."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [
        start("-c", code, *map(str, arguments), MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2", RANK=rank,
              LOCAL_RANK=rank)
        for rank in "01"
    ]  # fmt: skip
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[1] == ""


def test_two_processes_take_the_steps_of_one_with_the_doubled_batch(toy: Path, tmp_path: Path, start: Start) -> None:
    """Without batch norm, whose statistics each process takes from its own half, to the rounding of floats."""
    two_ranks(start, RANK, toy, tmp_path / "both", 16)
    alone = train_char(
        settings(toy, net__backbone="test_convnext", run__steps=6, optim__name="sgd", optim__lr=0.1, data__batch=32,
                 run__valid_every=6), tmp_path / "alone",
    )  # fmt: skip
    assert alone.finished
    one, other = load_file(tmp_path / "alone" / LAST), load_file(tmp_path / "both" / LAST)
    fresh = one["net.head.weight"] - GlyphNet(21, "test_convnext", 32).head.weight
    assert fresh.abs().max() > 1e-3
    for name, weight in one.items():
        assert torch.allclose(weight, other[name], atol=2e-4), name


HALF = """
import sys
from pathlib import Path
from toy_glyphs import settings, train_char
train_char(settings(Path(sys.argv[1]), data__batch=16), Path(sys.argv[2]))
"""


def test_two_processes_learn_as_one_with_the_doubled_batch(
    toy: Path, trained: Path, tmp_path: Path, start: Start
) -> None:
    """With batch norm and AdamW, within noise: another seed is 0.05 away, half the batch alone 0.4."""

    def curve(folder: Path) -> tuple[list[float], float]:
        rows = [json.loads(row) for row in (folder / METRICS).read_text("utf-8").splitlines()]
        return [row["loss"] for row in rows if "loss" in row], rows[-1]["valid_top1"]

    two_ranks(start, HALF, toy, tmp_path / "both")
    train_char(settings(toy, data__batch=16), tmp_path / "half")
    one, best = curve(trained)
    both, found = curve(tmp_path / "both")
    half, _ = curve(tmp_path / "half")
    assert found == best == 1
    assert np.abs(np.subtract(both, one)).mean() < 0.1 < np.abs(np.subtract(half, one)).mean() / 2


def test_epochs_end_a_run(toy: Path, tmp_path: Path) -> None:
    count = len(choose(settings(toy).data).train)
    outcome = train_char(settings(toy, run__epochs=0.5), tmp_path / "run")
    assert outcome.step == -(-count // 2 // 32) and outcome.finished
    kept = settings_of(TrainCharSettings, tmp_path / "run" / CONFIG)
    assert kept.run.steps == outcome.step and train_char(kept, tmp_path / "run", resume=True).step == outcome.step


def test_lag_ends_a_run_that_gets_no_better(toy: Path, tmp_path: Path) -> None:
    outcome = train_char(
        settings(toy, optim__lr=1e-9, run__patience=2, run__valid_every=2, run__steps=50), tmp_path / "run"
    )
    assert outcome.finished and outcome.step < 12


def test_a_frozen_backbone_does_not_move(toy: Path, trained: Path, tmp_path: Path) -> None:
    asked = settings(toy, optim__freeze_backbone=True, run__steps=5, augment__mixup=0.4, augment__cutmix=1.0)
    train_char(asked, tmp_path / "run", load=trained / BEST)
    before, after = load_file(trained / BEST), load_file(tmp_path / "run" / LAST)
    moved = {name for name, weight in before.items() if not torch.equal(weight, after[f"net.{name}"])}
    assert moved == {"head.weight", "head.bias"}


# ---- fine-tuning ----


def test_fine_tuning_maps_rows_by_character(toy: Path, trained: Path, tmp_path: Path) -> None:
    asked = settings(toy, data__script="hiragana", run__steps=1, optim__lr=1e-12, net__widths=(4, 4, 4, 4))
    old, weights = load_weights(trained / BEST)
    hiragana = "".join(kana()["hiragana"])
    union = old.charset + "".join(c for c in hiragana if c not in old.charset)
    for how, chars in (("union", union), ("new", hiragana)):
        train_char(asked, tmp_path / how, load=trained / BEST, resize=how)  # type: ignore[arg-type]
        header, new = load_weights(tmp_path / how / BEST)
        assert header.charset == chars and header.arch["widths"] == [8, 16, 24, 32]
        for char in "あけ":
            mine, theirs = header.characters.label(char), old.characters.label(char)
            assert torch.allclose(new["head.weight"][mine], weights["head.weight"][theirs], atol=1e-6)
    with pytest.raises(CharsetError, match=r"differs from the characters to learn .*--resize union or --resize new"):
        train_char(asked, tmp_path / "fail", load=trained / BEST)
    with pytest.raises(SettingsError, match=r"a glyph model with the backbone trunk; leave out --backbone"):
        train_char(settings(toy, net__backbone="test_resnet"), tmp_path / "fail", load=trained / BEST)


def line_model(path: Path, widths: tuple[int, int, int, int] = (8, 16, 24, 32)) -> LineNet:
    net = LineNet(4, widths, 8, 8)
    save_weights(path, net.state_dict(), Header("line", "あいう", arch=net.arch))
    return net


def test_a_trunk_goes_from_lines_to_glyphs_and_back(toy: Path, trained: Path, tmp_path: Path) -> None:
    line = line_model(tmp_path / "line.safetensors").state_dict()
    asked = settings(toy, run__steps=1, optim__lr=1e-12, net__widths=(4, 4, 4, 4), optim__freeze_backbone=True)
    train_char(asked, tmp_path / "chars", load=tmp_path / "line.safetensors")
    header, glyph = load_weights(tmp_path / "chars" / BEST)
    shared = {name: t for name, t in line.items() if name.partition(".")[0] in TRUNK_PARTS}
    assert len(shared) > 40 and header.arch["widths"] == [8, 16, 24, 32]
    for name, weight in shared.items():
        assert torch.equal(weight, glyph[f"body.{name}"]), name
    # and back: the trunk of the classifier, everything behind it new
    from jphtr.training.loop import train_line

    (tmp_path / "chars.txt").write_text(CHARS, "utf-8")
    lines = toy_lines.settings(str(tmp_path / "chars.txt"), run__steps=1, optim__lr=1e-12, data__valid_lines=2)
    train_line(lines, tmp_path / "lines", open_source=lambda _: toy_lines.ToyComposer(), load=trained / BEST)
    _, learned = load_weights(tmp_path / "lines" / BEST)
    _, classifier = load_weights(trained / BEST)
    for name in shared:
        if "running" not in name and "num_batches" not in name:
            assert torch.allclose(learned[name], classifier[f"body.{name}"], atol=1e-6), name
    assert "took the trunk of" in (tmp_path / "lines" / "log.txt").read_text("utf-8")


def test_trunks_that_do_not_fit_are_named(toy: Path, tmp_path: Path) -> None:
    from jphtr.training.loop import train_line

    line_model(tmp_path / "line.safetensors")
    with pytest.raises(
        SettingsError, match=r"line.safetensors: a line model with the backbone trunk; leave out --backbone"
    ):
        train_char(settings(toy, net__backbone="test_resnet"), tmp_path / "run", load=tmp_path / "line.safetensors")
    other = GlyphNet(3, "test_resnet", 32)
    save_weights(tmp_path / "r.safetensors", other.state_dict(), Header("r", "あい", kind="glyph", arch=other.arch))
    with pytest.raises(ModelError, match=r"r.safetensors: a classifier with the backbone test_resnet"):
        train_line(toy_lines.settings("default"), tmp_path / "run", open_source=lambda _: toy_lines.ToyComposer(),
                   load=tmp_path / "r.safetensors")  # fmt: skip
    net = line_model(tmp_path / "line.safetensors")
    header = Header("line", "あいう", arch=net.arch | {"widths": [8, 16, 24, 40]})
    save_weights(tmp_path / "line.safetensors", net.state_dict(), header)
    with pytest.raises(ModelError, match=r"its trunk has \(32, 24, 3, 3\) at down4.conv.weight, where the net wants"):
        train_char(settings(toy), tmp_path / "run", load=tmp_path / "line.safetensors")


# ---- the command ----


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(word) for word in words])
    if isinstance(result.exception, JphtrError):  # the group says it in one line
        return 1, result.stdout, str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_command_trains(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets" / "mine").mkdir(parents=True)
    write_glyphs(tmp_path / "datasets" / "mine" / "a.h5", toy_glyphs.glyphs(), default())
    old = [Glyph(g.gray, "お", g.writer, "KMNIST", 0) for g in toy_glyphs.glyphs(12, chars="あ")]
    write_glyphs(tmp_path / "datasets" / "old.h5", old, default(), sources=[Source("KMNIST")])
    monkeypatch.chdir(tmp_path)
    small = ("--image-size", 32, "-s", "net.widths=[4, 8, 8, 8]", "--workers", 0, "--threads", 1, "--device", "cpu", "-s",
             "run.tensorboard=false", "--epochs", 0.3, "--batch", 8, "-s", "run.log_every=1")  # fmt: skip
    code, out, said = run("--script", "hiragana", "-o", "run", *small)
    assert (code, out) == (0, "run\n") and "88 characters" in said and "best valid error" in said
    assert "loss" in said or "ended at step" in said
    kept = settings_of(TrainCharSettings, Path("run") / CONFIG)
    assert [str(path) for path in kept.data.files] == ["datasets/mine/a.h5"] and kept.data.batch == 8
    # several files behind one --data, a file to validate on; old letters are taken when they are named or asked for
    code, _, _ = run("--script", "hiragana", "--data", toy, "datasets/old.h5", "--valid", toy, "-o", "two", *small)
    kept = settings_of(TrainCharSettings, Path("two") / CONFIG)
    assert code == 0 and kept.data.files == (toy, Path("datasets/old.h5")) and kept.data.valid == (toy,)
    code, _, said = run("--script", "kuzushiji", "-o", "old", *small)
    assert code == 0 and "1 characters" in said
    assert run("--resume", "old", "--workers", 0)[:2] == (0, "old\n")
    assert run("--script", "hiragana", "-o", "run", *small)[2].startswith(
        "run: holds a run; continue it with --resume run"
    )
    code, out, _ = run(
        "--config", "two/config.yaml", "--backbone", "test_vit", "--lag", 7, "--no-pretrained", "--template"
    )
    assert code == 0 and "backbone: test_vit" in out and "patience: 7" in out and "batch: 8" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--script", ""], "data.script: empty; choose --script hiragana"),
        ([], "data.script: empty; choose --script hiragana"),
        (["--script", "hirakana"], "data.script: there is no script 'hirakana'; choose from hiragana"),
        (["--script", "hiragana"], "datasets/: no glyph file for hiragana here; name some with --data, or make one from"),
        (["--script", "kuzushiji"], "jphtr unpack-kuzushiji FILES"),
        (["--script", "hiragana", "--data", "none.h5"], "none.h5: no such file"),
        (["--script", "hiragana", "--data", "broken.h5"], "broken.h5: not an HDF5 glyph file, or cut short"),
        (["--script", "katakana", "--data", "TOY"], "toy.h5: no glyph of katakana; choose another --script"),
        (["--script", "hiragana", "--data", "TOY", "--backbone", "resnt18"], "timm has no model 'resnt18'; near it: "),
        (["--script", "hiragana", "--data", "TOY", "--image-size", "50"], "net.image_size: 50 is not a multiple of 16"),
        (["--script", "hiragana", "--data", "TOY", "-s", "augment.chances.blurr=1"], "no augmentation 'blurr'"),
        (["--script", "hiragana", "--data", "TOY", "-s", "optim.name=adamv"], "timm has no optimizer 'adamv'"),
        (["--script", "hiragana", "--data", "TOY", "-s", "data.bach=2"], "data.bach: unknown setting; choose from script,"),
        (["--script", "kuzushiji", "--data", "TOY", "--load", "BEST-OF-ANOTHER"], "--resize union or --resize new"),
        (["--resume", "nowhere"], "nowhere/config.yaml: No such file"),
        (["--resume", "nowhere", "--script", "hiragana"], "leave out --script"),
    ],
)  # fmt: skip
def test_mistakes_give_one_clear_line(
    words: list[str], said: str, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.h5").write_bytes(toy.read_bytes()[:3000])
    net = GlyphNet(3, "trunk", 32, (4, 4, 4, 4))
    inputs = {"size": 32, "fill": 0.9, "least": 0.35}
    other = Header("other", "あん", kind="glyph", arch=net.arch, input=inputs)
    save_weights(tmp_path / "other.safetensors", net.state_dict(), other)
    places = {"TOY": str(toy), "BEST-OF-ANOTHER": "other.safetensors"}
    code, out, error = run(*(places.get(word, word) for word in words))
    assert code == 1 and out == "" and said in error and "\n" not in error
    assert not list(tmp_path.glob("runs/*/config.yaml"))


def test_every_flag_is_explained() -> None:
    code, out, _ = run("--help")
    wanted = (
        "--script --data --valid --backbone --image-size --pretrained --no-pretrained --freeze-backbone --batch --epochs "
        "--lag --compile --config --set --output --max-minutes --resume --load --resize --seed --workers --threads --device "
        "--precision --template"
    )
    assert code == 0 and all(flag in out for flag in wanted.split())
    assert all(getattr(option, "help", "") for option in command.params if option.param_type_name == "option")
