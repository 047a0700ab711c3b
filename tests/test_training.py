"""Training: the stream of lines, the losses against brute force, and a toy world that is learned in seconds."""

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
from dataclasses import replace
from itertools import islice, pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_lines
from safetensors.torch import load_file
from torch.nn import functional as F

from jphtr.charset import Charset
from jphtr.errors import CharsetError, DataError, ModelError, SettingsError
from jphtr.nets.line import LineNet
from jphtr.records import Line
from jphtr.settings import OptimSettings, TrainLineSettings
from jphtr.settings import load as settings_of
from jphtr.training.checkpoint import load_state, load_weights, save_state, save_weights
from jphtr.training.hardware import Hardware
from jphtr.training.learner import learning_rate, optimizer_of
from jphtr.training.loader import IGNORE, LineStream, Sample, collate, draw, frame_targets, sample, split
from jphtr.training.loop import train_line
from jphtr.training.losses import choose_columns, line_losses, targets, trust
from jphtr.training.run_folder import BEST, CONFIG, LAST, METRICS
from jphtr.training.trainer import Trainer

CPU = torch.device("cpu")


def stream(workers: int = 0, **changes: object) -> LineStream:
    options = {"seed": 3, "batch": 4, "pool": 3, "workers": workers} | changes
    return LineStream(toy_lines.ToyComposer, toy_lines.charset(), **options)  # type: ignore[arg-type]


def same(a: list[Sample], b: list[Sample]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(x.gray, y.gray) and np.array_equal(x.labels, y.labels) and np.array_equal(x.frames, y.frames)
        for x, y in zip(a, b, strict=True)
    )


# ---- the stream ----


def test_muon_turns_matrices_and_leaves_the_output_layer_to_adamw() -> None:
    net = LineNet(9, (4, 8, 8, 8), 8, 8)
    settings = OptimSettings(name="muon", lr=1e-2, weight_decay=0.0)
    optimizer = optimizer_of(net, settings)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    torch.manual_seed(0)
    for p in net.parameters():
        p.grad = torch.randn_like(p) * torch.linspace(0.1, 1, p.shape[0]).view(-1, *[1] * (p.ndim - 1))
    optimizer.step()
    moved = {name: (p.detach() - before[name]).flatten(1) for name, p in net.named_parameters() if p.ndim > 1}
    spread = {name: float(torch.linalg.cond(move)) for name, move in moved.items()}
    assert spread.pop("head.weight") > 5 and max(spread.values()) < 2.5


def test_batches_do_not_depend_on_workers_or_on_where_they_start() -> None:
    plain = list(islice(stream().batches(), 8))
    working = stream(workers=2).batches()
    assert all(same(a, b) for a, b in zip(plain, islice(working, 8), strict=True))
    working.close()
    assert all(same(a, b) for a, b in zip(plain[5:], islice(stream().batches(5), 3), strict=True))


def test_every_sample_of_a_pool_comes_once_in_batches_of_like_width() -> None:
    pool = list(islice(stream().batches(), 3))
    widths = [[s.gray.shape[1] for s in batch] for batch in pool]
    assert all(batch == sorted(batch) for batch in widths)
    ordered = sorted(widths)
    assert all(a[-1] <= b[0] for a, b in pairwise(ordered))
    composer, charset = toy_lines.ToyComposer(), toy_lines.charset()
    expected = sorted(tuple(draw(composer, charset, 3, i)[0].labels) for i in range(12))
    assert sorted(tuple(s.labels) for batch in pool for s in batch) == expected


def test_ranks_share_the_stream() -> None:
    composer, charset = toy_lines.ToyComposer(), toy_lines.charset()
    parts = [stream(rank=rank, ranks=2, pool=1) for rank in (0, 1)]
    got = sorted(tuple(s.labels) for part in parts for s in next(part.batches()))
    assert got == sorted(tuple(draw(composer, charset, 3, i)[0].labels) for i in range(8))


def test_an_error_in_a_worker_arrives_as_it_is() -> None:
    class Broken:
        def line(self, rng: np.random.Generator) -> Line:
            raise DataError("glyphs.h5: broken; render it again")

    broken = LineStream(Broken, toy_lines.charset(), seed=1, batch=2, pool=1, workers=1)
    with pytest.raises(DataError, match=r"^glyphs.h5: broken; render it again$"):
        next(broken.batches())


def test_lines_too_dense_to_read_are_passed_over_and_counted() -> None:
    class Dense:
        def line(self, rng: np.random.Generator) -> Line:
            line = toy_lines.ToyComposer().line(rng)
            return line if rng.random() < 0.5 else Line(line.gray, "あ" * 60)

    dense = LineStream(Dense, toy_lines.charset(), seed=1, batch=16, pool=1)
    assert len(next(dense.batches())) == 16 and dense.dropped > 3


def test_a_source_that_is_always_too_dense_is_an_error() -> None:
    class Dense:
        def line(self, rng: np.random.Generator) -> Line:
            return Line(toy_lines.ToyComposer().line(rng).gray, "あ" * 60)

    with pytest.raises(DataError, match="as many frames as characters"):
        draw(Dense(), toy_lines.charset(), 1, 0)


def test_boxes_that_are_not_the_text_are_an_error() -> None:
    line = toy_lines.ToyComposer((3, 3)).line(np.random.default_rng(0))
    with pytest.raises(DataError, match="2 boxes for the 3 characters"):
        sample(Line(line.gray, line.text, spans=line.spans[:2]), toy_lines.charset())


# ---- frame targets ----


def test_frame_targets_by_hand() -> None:
    # frames' centres lie at 4, 12, 20, ...; the middle half of 8..40 is 16..32, that of 47..49 has no centre
    boxes = np.array([[8.0, 40.0], [47.0, 49.0]])
    got = frame_targets(np.array([7, 9], np.int32), boxes, 80)
    assert got.tolist() == [0, IGNORE, 7, 7, IGNORE, 0, 9, 0, 0, 0]


def test_every_character_has_a_frame_and_blank_frames_are_bare() -> None:
    composer, charset = toy_lines.ToyComposer(), toy_lines.charset()
    for i in range(20):
        s, _ = draw(composer, charset, 11, i)
        told = s.frames[s.frames > 0]
        starts = np.flatnonzero(np.diff(np.concatenate([[0], np.where(s.frames > 0, s.frames, 0)])))
        read = [s.frames[t] for t in starts if s.frames[t] > 0]
        assert read == s.labels.tolist() and len(told) >= len(s.labels)
        ink = np.pad(s.gray < 128, ((0, 0), (0, -s.gray.shape[1] % 8))).any(axis=0).reshape(-1, 8).mean(axis=1)
        assert ink[s.frames == 0].max(initial=0) <= 0.5


def test_collate_pads_with_paper() -> None:
    batch = collate(next(stream().batches()))
    assert batch.gray.shape[2] == -(-batch.widths.max() // 8) * 8 and batch.gray.shape[2] // 8 == batch.frames.shape[1]
    for row, width, frames in zip(batch.gray, batch.widths, batch.frames, strict=True):
        assert (row[:, width:] == 255).all() and (frames[-(-width // 8) :] == IGNORE).all()
    assert batch.lengths.sum() == len(batch.labels)


def test_split_keeps_within_its_frames() -> None:
    samples = next(stream(batch=32).batches())
    parts = split(samples, 60)
    assert sum(map(len, parts)) == 32 and len(parts) > 1
    assert all(collate(part).frames.size <= 60 or len(part) == 1 for part in parts)


# ---- losses ----


def brute_force_ctc(log_probs: np.ndarray, labels: list[int]) -> float:
    total = 0.0
    for path in product(range(log_probs.shape[1]), repeat=len(log_probs)):
        merged = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        if [c for c in merged if c] == labels:
            total += float(np.exp(sum(row[c] for row, c in zip(log_probs, path, strict=True))))
    return -float(np.log(total)) if total else 0.0


def test_losses_against_brute_force_and_their_gradients_against_torch() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([1, 1, 2, 3, 2], np.int32)
    lengths, steps = np.array([2, 0, 3], np.int64), np.array([4, 3, 3], np.int64)
    frames = rng.choice([IGNORE, 0, 2, 3], (3, 4)).astype(np.int32)
    frames[1:, 3] = IGNORE
    logits = torch.tensor(rng.normal(size=(3, 4, 4)), requires_grad=True)
    target = targets(labels, lengths, frames, steps, None, CPU)
    got = line_losses(logits, target, 0.3)
    log_probs = logits.log_softmax(2)
    plain = log_probs.detach().numpy()
    texts = [[1, 1], [], [2, 3, 2]]
    by_hand = [brute_force_ctc(row[:n], text) for row, n, text in zip(plain, steps, texts, strict=True)]
    assert got.ctc.tolist() == pytest.approx(by_hand)
    weight = torch.tensor([0.3, 1.0, 1.0, 1.0], dtype=torch.float64)
    ce = F.cross_entropy(logits.transpose(1, 2), target.frames, weight, ignore_index=IGNORE, reduction="none").sum(1)
    assert got.ce.tolist() == pytest.approx(ce.tolist(), rel=1e-5)
    ctc = F.ctc_loss(log_probs.transpose(0, 1), target.labels, target.steps, target.lengths, reduction="none")
    lines = torch.tensor([0.25, 1.0, 0.5])
    (mine,) = torch.autograd.grad((lines * (2 * got.ctc + 3 * got.ce)).sum(), logits)
    (torchs,) = torch.autograd.grad((lines * (2 * ctc + 3 * ce)).sum(), logits)
    assert torch.allclose(mine, torchs, atol=1e-5)


def test_a_text_that_cannot_fit_teaches_nothing() -> None:
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    frames = np.full((1, 2), IGNORE, np.int32)
    target = targets(np.array([1, 1], np.int32), np.array([2]), frames, np.array([2]), None, CPU)
    losses = line_losses(logits, target, 0.3)
    (losses.ctc + losses.ce).sum().backward()
    assert losses.ctc.item() == 0 and logits.grad is not None and (logits.grad == 0).all()


def test_lines_that_nobody_can_read_count_less() -> None:
    ctc, lengths = torch.tensor([4.0, 10.0, 80.0, 7.0, 0.0]), torch.tensor([10, 10, 10, 0, 3])
    weights = trust(ctc, lengths, 1.0)
    assert weights.tolist() == pytest.approx([1, 1, 1 / 8, 1, 1])  # the fourth has no text: noise that must stay unread
    assert (trust(ctc, lengths, 0.0) == 1).all()
    # a loss that doubles moves the net no more
    logits = torch.tensor([[[0.0, -9.0], [0.0, -9.0]]], requires_grad=True)
    frames = np.full((1, 2), IGNORE, np.int32)
    target = targets(np.array([1], np.int32), np.array([1]), frames, np.array([2]), None, CPU)
    losses = line_losses(logits, target, 0.3)
    (full,) = torch.autograd.grad(losses.ctc.sum(), logits, retain_graph=True)
    (less,) = torch.autograd.grad((trust(losses.ctc, target.lengths, 1.0) * losses.ctc).sum(), logits)
    assert torch.allclose(less * losses.ctc.item(), full, atol=1e-6)


def test_sampled_columns_with_every_label() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([5, 90, 5, 41], np.int32)
    columns = choose_columns(labels, 100, 30, rng)
    assert columns is not None and len(columns) == 30 and (np.diff(columns) > 0).all() and columns[0] == 0
    assert np.isin(labels, columns).all()
    assert choose_columns(labels, 100, 0, rng) is None and choose_columns(labels, 100, 100, rng) is None
    frames = np.array([[90, IGNORE, 0, 5]], np.int32)
    target = targets(labels[:2], np.array([2]), frames, np.array([4]), columns, CPU)
    assert columns[target.labels.numpy()].tolist() == [[5, 90]]
    assert [columns[f] if f >= 0 else f for f in target.frames[0].tolist()] == frames[0].tolist()
    # over the same columns the loss is that of a net with no others
    logits = torch.randn(1, 4, 30)
    few = line_losses(logits, target, 0.3)
    places = np.searchsorted(columns, labels[:2]).astype(np.int32)
    small = np.where(frames == IGNORE, IGNORE, np.searchsorted(columns, frames)).astype(np.int32)
    alone = line_losses(logits, targets(places, np.array([2]), small, np.array([4]), None, CPU), 0.3)
    assert torch.equal(few.ctc, alone.ctc) and torch.equal(few.ce, alone.ce)


def test_learning_rate() -> None:
    linear, cosine = OptimSettings(lr=1.0, warmup=10), OptimSettings(lr=1.0, warmup=10, decay="cosine")
    assert learning_rate(linear, 0, 0) == pytest.approx(0.1) and learning_rate(linear, 20, 0.25) == 0.75
    assert learning_rate(cosine, 20, 0.5) == pytest.approx(0.5) and learning_rate(cosine, 20, 1) == pytest.approx(0)


# ---- the loop ----


def charset_file(folder: Path, chars: str = toy_lines.CHARS) -> str:
    (folder / "chars.txt").write_text(chars, "utf-8")
    return str(folder / "chars.txt")


def rows(folder: Path) -> list[dict[str, float]]:
    """The metrics of a run without what a clock says."""
    told = [json.loads(row) for row in (folder / METRICS).read_text("utf-8").splitlines()]
    return [{k: v for k, v in row.items() if k in {"step", "ctc", "ce", "norm", "lr", "valid_cer"}} for row in told]


def equal(a: Path, b: Path) -> bool:
    one, other = load_file(a), load_file(b)
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_the_toy_world_is_learned() -> None:
    folder = toy_lines.trained()
    assert {"config.yaml", "charset.txt", "metrics.jsonl", "log.txt", LAST, BEST} <= {p.name for p in folder.iterdir()}
    header, _ = load_weights(folder / BEST)
    assert header.characters == toy_lines.charset() and header.scores["valid_cer"] == 0
    told = rows(folder)
    assert told[-1] == {"step": 300, "valid_cer": 0.0} and told[-2]["ctc"] < told[0]["ctc"] / 20


RUN = """
import sys
from pathlib import Path
import toy_lines
from jphtr.training.loop import train_line
folder, chars, workers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
settings = toy_lines.settings(chars, run__steps=40, run__valid_every=15, run__workers=workers, run__save_minutes=1e-4,
                              loss__sampled=12, loss__full_softmax_from=0.7, data__max_frames=200)
train_line(settings, folder, open_source=lambda _: toy_lines.ToyComposer())
"""


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python in a process group of its own; what still runs at the end of a test is killed with all its children."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        places = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"} | environment
        started.append(
            subprocess.Popen(
                [sys.executable, *arguments], env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
            )
        )
        return started[-1]

    yield go
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stderr is not None and not process.stderr.closed:
            process.communicate()


Start = Callable[..., "subprocess.Popen[str]"]


def until_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Wait until a run has noted a step and has a checkpoint."""
    for _ in range(15_000):  # five minutes, on a busy machine
        metrics = folder / METRICS
        if (folder / LAST).exists() and metrics.exists() and len(metrics.read_text("utf-8").splitlines()) >= step // 5:
            return
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    raise AssertionError("the run does not come forward")


def test_a_killed_run_ends_where_the_uninterrupted_one_does(tmp_path: Path, start: Start) -> None:
    chars = charset_file(tmp_path)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start("-c", RUN, str(killed), chars, "1")
    until_step(process, killed, 20)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    settings = toy_lines.settings(
        chars, run__steps=40, run__valid_every=15, loss__sampled=12, loss__full_softmax_from=0.7, data__max_frames=200
    )
    outcome = train_line(settings, killed, open_source=lambda _: toy_lines.ToyComposer(), resume=True)
    assert outcome.finished and outcome.step == 40
    assert "resumed at step" in (killed / "log.txt").read_text("utf-8")
    train_line(settings, whole, open_source=lambda _: toy_lines.ToyComposer())
    assert equal(killed / LAST, whole / LAST) and equal(killed / BEST, whole / BEST)
    assert rows(killed) == rows(whole)


def test_a_signal_saves_and_ends_well(tmp_path: Path, start: Start) -> None:
    process = start(
        "-c", RUN.replace("run__steps=40", "run__steps=40000"), str(tmp_path / "run"), charset_file(tmp_path), "1"
    )
    until_step(process, tmp_path / "run", 10)
    os.killpg(process.pid, signal.SIGTERM)  # as schedulers do: to the composing processes too
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped by SIGTERM" in said and "--resume" in said


RANK = """
import sys
from pathlib import Path
import torch, toy_lines
from safetensors.torch import save_file
from jphtr.training.hardware import settle
from jphtr.training.loader import LineStream
from jphtr.training.trainer import Trainer
settings = toy_lines.settings(sys.argv[2], optim__warmup=1)
hardware = settle(settings.run)
trainer = Trainer(settings, toy_lines.charset(), hardware)
lines = LineStream(toy_lines.ToyComposer, toy_lines.charset(), seed=1, batch=4, pool=2, rank=hardware.rank, ranks=hardware.ranks)
asked = [trainer.step(samples, 0.0, stop=hardware.rank == 1 and i == 2) for i, samples in zip(range(3), lines.batches())]
assert hardware.ranks == 2 and asked == [False, False, True], asked
weights = {k: v.contiguous() for k, v in trainer.net.state_dict().items()}
save_file(weights | {"elapsed": torch.tensor(trainer.state.elapsed)}, sys.argv[1] + str(hardware.rank))
hardware.leave()
"""


def test_two_processes_hold_the_same_weights(tmp_path: Path, start: Start) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [
        start("-c", RANK, str(tmp_path / "rank"), charset_file(tmp_path), MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
              WORLD_SIZE="2", RANK=rank, LOCAL_RANK=rank)
        for rank in "01"
    ]  # fmt: skip
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert equal(tmp_path / "rank0", tmp_path / "rank1")
    fresh = Trainer(
        toy_lines.settings(charset_file(tmp_path)), toy_lines.charset(), Hardware(CPU, None)
    ).net.state_dict()
    assert not torch.equal(fresh["head.weight"], load_file(tmp_path / "rank0")["head.weight"])


def test_a_time_budget_ends_the_schedule(tmp_path: Path) -> None:
    settings = toy_lines.settings(charset_file(tmp_path), run__max_minutes=0.03, run__steps=100_000)
    outcome = train_line(settings, tmp_path / "run", open_source=lambda _: toy_lines.ToyComposer())
    assert outcome.finished and outcome.step < 10_000
    assert load_weights(tmp_path / "run" / BEST)[0].training["minutes"] < 1


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    settings = toy_lines.settings(
        charset_file(tmp_path), optim__lr=1e-9, run__patience=2, run__valid_every=2, run__steps=500
    )
    outcome = train_line(settings, tmp_path / "run", open_source=lambda _: toy_lines.ToyComposer())
    assert outcome.finished and outcome.step < 12


def test_steps_that_are_not_finite_are_skipped(tmp_path: Path) -> None:
    trainer = Trainer(toy_lines.settings(charset_file(tmp_path)), toy_lines.charset(), Hardware(CPU, None))
    lines = next(stream().batches())
    trainer.net.neck.register_forward_hook(lambda *_: _[2] * float("inf"))
    before = {k: v.clone() for k, v in trainer.net.named_parameters()}
    trainer.step(lines, time.perf_counter(), stop=False)
    assert trainer.state.skipped == 1 and trainer.state.step == 1
    assert all(torch.equal(v, before[k]) for k, v in trainer.net.named_parameters())


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_takes_like_steps(tmp_path: Path, half: torch.dtype) -> None:
    lines = next(stream(batch=16).batches())
    norms = {}
    for kind in (None, half):
        settings = toy_lines.settings(charset_file(tmp_path))
        trainer = Trainer(settings, toy_lines.charset(), Hardware(CPU, kind))
        trainer.step(lines, time.perf_counter(), stop=False)
        assert trainer.state.skipped == 0
        norms[kind] = trainer.state.sums["norm"]
    assert norms[half] == pytest.approx(norms[None], rel=0.1)


# ---- fine-tuning ----


def test_fine_tuning_maps_rows_by_character(tmp_path: Path) -> None:
    weights = toy_lines.trained() / BEST
    wanted = charset_file(tmp_path, "んか山")
    settings = toy_lines.settings(wanted, run__steps=1, optim__lr=1e-12, net__hidden=7)
    _, old = load_weights(weights)
    old_charset = toy_lines.charset()
    expected = {"union": toy_lines.CHARS + "ん", "new": "んか山"}

    def source(charset: Charset) -> toy_lines.ToyComposer:
        composer = toy_lines.ToyComposer()
        composer.line = lambda rng: Line(np.where(np.eye(48), 0, 255).astype(np.uint8), "か")  # type: ignore[method-assign]
        return composer

    for how, chars in expected.items():
        run = tmp_path / how
        train_line(settings, run, open_source=source, load=weights, resize=how)  # type: ignore[arg-type]
        header, new = load_weights(run / BEST)
        assert header.charset == chars and header.arch["hidden"] == 32
        for char in "か山":
            mine, theirs = header.characters.label(char), old_charset.label(char)
            assert torch.allclose(new["head.weight"][mine], old["head.weight"][theirs], atol=1e-6)
        assert torch.allclose(new["head.bias"][0], old["head.bias"][0], atol=1e-6)
        # the run goes on with the shape and the charset that it was given then
        kept = settings_of(TrainLineSettings, run / CONFIG)
        assert train_line(kept, run, open_source=source, resume=True).finished
        with pytest.raises(ModelError, match="state of another net"):
            train_line(settings, run, open_source=source, resume=True)
    with pytest.raises(CharsetError, match="--resize union or --resize new"):
        train_line(settings, tmp_path / "fail", open_source=source, load=weights)


def test_an_output_layer_may_learn_slowly_or_not_at_all(tmp_path: Path) -> None:
    weights = toy_lines.trained() / BEST
    _, before = load_weights(weights)
    moved: dict[tuple[str, float], dict[str, float]] = {}
    for name, share in product(("adamw", "muon"), (0.0, 0.1, 1.0)):
        settings = toy_lines.settings(
            charset_file(tmp_path), run__steps=1, optim__name=name, optim__head_lr=share, optim__ema=0.0,
            optim__warmup=0, optim__weight_decay=0.0,
        )  # fmt: skip
        run = tmp_path / f"{name}{share}"
        train_line(settings, run, open_source=lambda _: toy_lines.ToyComposer(), load=weights)
        _, after = load_weights(run / BEST)
        moved[name, share] = {key: float((after[key] - before[key]).abs().max()) for key in before}
    for name in ("adamw", "muon"):
        still, slow, all_of_it = (moved[name, share] for share in (0.0, 0.1, 1.0))
        for layer in ("head.weight", "head.bias"):
            assert still[layer] == 0 < slow[layer]
            assert slow[layer] == pytest.approx(all_of_it[layer] / 10, rel=0.05)
        assert still["neck.weight"] == pytest.approx(all_of_it["neck.weight"], rel=0.2)


def test_an_output_layer_that_is_new_cannot_stay_as_it_is(tmp_path: Path) -> None:
    settings = toy_lines.settings(charset_file(tmp_path, toy_lines.CHARS + "ん"), optim__head_lr=0.0)
    for load in (None, toy_lines.trained() / BEST):
        with pytest.raises(SettingsError, match=r"^optim\.head_lr: 0 leaves .* start with --load"):
            train_line(
                settings, tmp_path / "run", open_source=lambda _: toy_lines.ToyComposer(), load=load, resize="union"
            )
        assert not (tmp_path / "run").exists()


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    header, weights = load_weights(toy_lines.trained() / BEST)
    settings = toy_lines.settings(charset_file(tmp_path))
    for change, said in (
        ({k: v for k, v in weights.items() if k != "neck.weight"}, "has no weights 'neck.weight'"),
        (weights | {"neck.weight": torch.zeros(3, 3)}, r"neck.weight is \(3, 3\), the net wants"),
        (weights | {"head.bias": torch.zeros(3)}, r"head.bias is \(3,\), the net wants"),
    ):
        save_weights(tmp_path / "other.safetensors", change, header)
        with pytest.raises(ModelError, match=said):
            train_line(settings, tmp_path / "run", open_source=lambda _: toy_lines.ToyComposer(),
                       load=tmp_path / "other.safetensors")  # fmt: skip
        assert not (tmp_path / "run" / "config.yaml").exists()


def test_checkpoints_of_version_0_1_are_read() -> None:
    folder = toy_lines.trained()
    tensors, state = load_state(folder / LAST)
    assert state.pop("optimizer")["groups"]  # the state of version 0.1 knew neither this nor another prefix
    old = folder / "old.safetensors"
    save_state(old, {f"adam.{n[6:]}" if n.startswith("optim.") else n: t for n, t in tensors.items()}, state)
    again = []
    for path in (folder / LAST, old):
        trainer = Trainer(
            toy_lines.settings(str(folder.parent / "charset.txt")), toy_lines.charset(), Hardware(CPU, None)
        )
        trainer.learner.load(path)
        trainer.state.step = 100  # the schedule of the run is at its end, where nothing moves
        trainer.step(next(stream().batches()), time.perf_counter(), stop=False)
        again.append({name: t.clone() for name, t in trainer.net.state_dict().items()})
    assert all(torch.equal(again[0][name], again[1][name]) for name in again[0])
    assert not torch.equal(again[0]["head.weight"], tensors["net.head.weight"])


def test_a_folder_with_a_run_is_not_written_over(tmp_path: Path) -> None:
    folder = toy_lines.trained()
    with pytest.raises(SettingsError, match="holds a run; continue it with --resume"):
        train_line(toy_lines.settings(charset_file(tmp_path)), folder, open_source=lambda _: toy_lines.ToyComposer())


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises((ModelError, SettingsError), match=r"no such file|cannot be read"):
        train_line(toy_lines.settings(charset_file(tmp_path)), tmp_path / "none", resume=True,
                   open_source=lambda _: toy_lines.ToyComposer())  # fmt: skip
    assert not (tmp_path / "none").exists()


# ---- the mean of two nets ----


def test_the_mean_of_two_nets(tmp_path: Path) -> None:
    header, end = load_weights(toy_lines.trained() / BEST)
    state, _ = load_state(toy_lines.trained() / LAST)
    before = Charset([*reversed(toy_lines.CHARS[:-1]), "犬"])  # lacks the last character, and has one of its own
    labels = {char: label for label, char in enumerate(before.chars)}
    rows = [labels.get(char) for char in header.characters.chars]
    other = {name: t + 1.0 if t.is_floating_point() else t for name, t in end.items()}
    for name in ("head.weight", "head.bias"):
        moved = torch.zeros_like(end[name])
        for row, at in enumerate(rows):
            if at is not None:
                moved[at] = end[name][row] + 1.0
        other[name] = moved
    save_weights(tmp_path / "before.safetensors", other, replace(header, charset=before.to_text()))
    tool = Path(__file__).parents[1] / "tools" / "average.py"

    def mean(after: Path, share: float) -> dict[str, torch.Tensor]:
        words = [tool, tmp_path / "before.safetensors", after, "-o", tmp_path / "mean.safetensors", "--share", share]
        subprocess.run([sys.executable, *map(str, words)], check=True)
        made, weights = load_weights(tmp_path / "mean.safetensors")
        assert made.characters == header.characters and made.arch == header.arch
        return weights

    for name, got in mean(toy_lines.trained() / BEST, 0.75).items():
        away = torch.full_like(got, 0.25)
        if name.startswith("head."):
            away[[row for row, at in enumerate(rows) if at is None]] = 0.0
        assert torch.allclose(got, end[name] + away, atol=1e-6) or not got.is_floating_point(), name
    for name, got in mean(toy_lines.trained(), 1.0).items():  # of a run, what it averaged to its end
        assert torch.allclose(got, state[f"average.{name}"]), name
