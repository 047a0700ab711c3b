"""Targets, the page net's training on a toy world, its graph, and the detector that comes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("pydantic")
torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from jphtr.errors import JphtrError, ModelError, SettingsError
from jphtr.export.page import check, export_page
from jphtr.nets.page import FOLD, PageNet
from jphtr.records import Gray, LineRegion, Page, PageLine, Recognition
from jphtr.segment import segment
from jphtr.segment.detector import Detector
from jphtr.segment.lines import Maps, lines_from
from jphtr.segment.quads import corners, overlap
from jphtr.segment.scores import score
from jphtr.settings import TrainPageSettings, assign
from jphtr.training.checkpoint import load_state, load_weights
from jphtr.training.page import fill, train_page
from jphtr.training.page_stream import PageFolder, PageStream, piece
from jphtr.training.page_targets import page_targets


def region(x0: float, y0: float, x1: float, y1: float, kind: str = "text") -> LineRegion:
    quad = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    return LineRegion(quad, "vertical" if y1 - y0 > x1 - x0 else "horizontal", kind=kind)  # type: ignore[arg-type]


class ToyPages:
    """Pages of some rows, or columns, of blocks."""

    def page(self, rng: np.random.Generator) -> tuple[Gray, Page]:
        size, cell = 256, 16
        gray = np.full((size, size), 240, np.uint8)
        upright = bool(rng.random() < 0.5)
        lines = []
        for far in range(int(rng.integers(10, 30)), size - 30, 32):
            start, count = int(rng.integers(8, 60)), int(rng.integers(4, 11))
            for n in range(count):
                strokes = np.kron(rng.random((4, 4)) < 0.6, np.ones((3, 3))).astype(bool)
                at = start + n * cell + 2
                gray[far + 2 : far + 14, at : at + 12][strokes] = 30
            lines.append((start, far, start + count * cell, far + cell))
        if upright:
            gray = np.ascontiguousarray(gray.T)
            lines = [(y0, x0, y1, x1) for x0, y0, x1, y1 in lines[::-1]]
        noise = rng.normal(0, 5, gray.shape)
        found = tuple(PageLine(r, Recognition("", 1.0, (), r.direction)) for r in (region(*line) for line in lines))
        return np.clip(gray + noise, 0, 255).astype(np.uint8), Page(size, size, found)


def settings(cache_folder: Path, **values: object) -> TrainPageSettings:
    """Settings of a run that takes seconds on one thread."""
    small: dict[str, object] = {
        "data.cache": cache_folder, "data.pages": 24, "data.batch": 4, "data.crops": 2, "data.side": 128,
        "data.em": (14.0, 18.0), "data.valid_pages": 4, "net.widths": (8, 12, 16, 16), "optim.lr": 1e-2, "optim.warmup": 10,
        "optim.ema": 0.9, "run.steps": 200, "run.workers": 0, "run.threads": 1, "run.device": "cpu",
        "run.precision": "fp32", "run.valid_every": 50, "run.log_every": 10, "run.tensorboard": False,
    }  # fmt: skip
    return assign(TrainPageSettings(), small | {key.replace("__", "."): value for key, value in values.items()})


def train(folder: Path, made: TrainPageSettings, **options: object) -> Path:
    outcome = train_page(made, folder, open_pages=ToyPages, open_valid=ToyPages, **options)  # type: ignore[arg-type]
    return outcome.folder


@cache
def trained(folder: Path) -> Path:
    return train(folder / "run", settings(folder / "pages"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("toy"))


@pytest.mark.parametrize("slope", [0.0, 0.04])
def test_targets_lead_back_to_the_lines(slope: float) -> None:
    lines = [region(40, 60 + 50 * n, 460, 92 + 50 * n) for n in range(8)]
    # sheared, as lines are that were written uphill: their ends stand upright all the same
    lines = [replace(r, quad=tuple((x, y + slope * x) for x, y in r.quad)) for r in lines]  # type: ignore[misc]
    lines.append(region(470, 40, 500, 480))
    scale, origin = 0.8, (10.0, 20.0)
    kinds, extents = page_targets(lines, scale, origin, (416, 416))
    assert set(np.unique(kinds)) == {0, 1, 2}
    one = np.stack([kinds == k for k in range(5)]).astype(np.float32)
    found = lines_from(Maps(one, 2.0**extents, (1.0, 1.0)))
    assert len(found) == 9
    there = [replace(r, quad=tuple(map(tuple, (corners([r])[0] - origin) * scale))) for r in lines]  # type: ignore[arg-type]
    for line in there:
        assert max(overlap(corners([line])[0], corners([other])[0]) for other in found) > 0.8


def test_narrow_and_small_lines() -> None:
    kinds, _ = page_targets([region(100, 100, 106, 130)], 1.0, (0, 0), (256, 256))
    assert (kinds == 2).any(), "a lone 1 leaves a mark"
    kinds, _ = page_targets([region(10, 10, 200, 14)], 1.0, (0, 0), (256, 256))
    assert set(np.unique(kinds)) == {0, 255}, "what is too small to be seen is not asked for"
    kinds, _ = page_targets([region(900, 900, 990, 930)], 1.0, (0, 0), (256, 256))
    assert not kinds.any()


def test_a_piece_shows_the_page_where_its_targets_say(tmp_path: Path) -> None:
    gray, page = ToyPages().page(np.random.default_rng(3))
    data = settings(tmp_path).data
    for seed in range(8):
        rng = np.random.default_rng(seed)
        shown, kinds, extents = piece(gray, page, data, rng)
        assert shown.shape == (128, 128) and kinds.shape == (32, 32) and extents.shape == (2, 32, 32)
        inside = np.kron((kinds > 0) & (kinds < 255), np.ones((FOLD, FOLD), bool))
        if inside.any() and np.median(shown) > 128:
            assert shown[inside].mean() < shown[~inside].mean() - 15


def test_pages_are_kept_and_the_same_from_any_worker(tmp_path: Path) -> None:
    made = settings(tmp_path / "a")
    streams = [
        PageStream(PageFolder(tmp_path / name, 1, ToyPages), made.data, 1, workers)
        for name, workers in (("a", 0), ("b", 1))
    ]
    for stream in streams:
        batches = stream.batches(0)
        first = [next(batches) for _ in range(3)]
        batches.close()
        if stream is streams[0]:
            expected = first
    for one, two in zip(expected, first, strict=True):
        assert np.array_equal(one.gray, two.gray) and np.array_equal(one.kinds, two.kinds)
    kept = PageFolder(tmp_path / "a", 1, lambda: pytest.fail("is there already"))
    assert np.array_equal(kept.page(0)[0], PageFolder(tmp_path / "c", 1, ToyPages).page(0)[0])
    broken = next((tmp_path / "a").glob("*.json"))
    broken.write_text("{", "utf-8")
    with pytest.raises(JphtrError, match="delete it"):
        kept.page(int(broken.stem.split("-")[1]))


def test_it_learns_to_find_lines(run: Path, tmp_path: Path) -> None:
    rows = [json.loads(row) for row in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    scores = [row["valid_f1"] for row in rows if "valid_f1" in row]
    assert scores[-1] > max(0.75, scores[0])
    detector = Detector(exported(run, tmp_path / "page.onnx"), threads=1)
    assert (detector.header.kind, detector.header.name) == ("page", "toy pages")
    total = None
    for seed in range(6):
        gray, page = ToyPages().page(np.random.default_rng([9, seed]))
        counts = score([line.region for line in page.lines], segment(gray, detector))
        total = counts if total is None else total + counts
    assert total is not None and total.f1 > 0.9 and total.in_order > 0.6


def exported(run: Path, path: Path) -> Path:
    return export_page(run / "best.safetensors", path, name="toy pages")


def test_the_graph_is_the_net_at_any_size(run: Path, tmp_path: Path) -> None:
    import onnxruntime

    header, weights = load_weights(run / "best.safetensors")
    net = PageNet(**header.arch)
    fill(net, weights, "toy")
    session = onnxruntime.InferenceSession(
        str(exported(run, tmp_path / "page.onnx")), providers=["CPUExecutionProvider"]
    )
    for shape in ((1, 32, 64), (2, 160, 96)):
        gray = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
        kinds, extents = session.run(["kinds", "extents"], {"gray": gray})
        with torch.no_grad():
            logits, reach = net.eval()(torch.from_numpy(gray))
        assert kinds.shape == (shape[0], 5, shape[1] // 4, shape[2] // 4)
        assert np.abs(kinds - logits.softmax(1).numpy()).max() < 0.01
        assert np.abs(np.log2(extents) - reach.numpy()).max() < 0.05
    with pytest.raises(ModelError, match="fault in the export"):
        check(exported(run, tmp_path / "page.onnx").read_bytes(), PageNet(tuple(header.arch["widths"])).eval(), "other")


def test_resumed_ends_as_uninterrupted(tmp_path: Path) -> None:
    # with a constant rate the first half does not know how long the whole will be
    made = settings(tmp_path / "pages", run__steps=24, run__valid_every=100, optim__decay="constant")
    whole = train(tmp_path / "whole", made)
    train(tmp_path / "parts", assign(made, {"run.steps": 12}))
    parts = train(tmp_path / "parts", made, resume=True)
    ends = [load_state(folder / "last.safetensors") for folder in (whole, parts)]
    assert ends[0][1]["step"] == ends[1][1]["step"] == 24
    for name, tensor in ends[0][0].items():
        assert torch.equal(tensor, ends[1][0][name]), name


def test_a_new_run_may_start_from_a_model(run: Path, tmp_path: Path) -> None:
    made = settings(tmp_path / "pages", run__steps=1, optim__lr=1e-9, optim__warmup=0, net__widths=(8, 8, 8, 8))
    again = train(tmp_path / "again", made, load=run / "best.safetensors")
    old, new = (load_weights(folder / "best.safetensors") for folder in (run, again))
    assert new[0].arch == old[0].arch
    for name, weight in old[1].items():
        if "running" not in name and "num_batches" not in name:
            assert torch.allclose(weight, new[1][name], atol=1e-6)
    with pytest.raises(SettingsError, match="seed of the run"):
        train(tmp_path / "other", settings(tmp_path / "pages", data__valid_seed=1))
