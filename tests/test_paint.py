"""Plans drawn in tensors: against glyphs pasted one by one, box by box, wear by wear."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")

import toy_blocks
from toy_blocks import CHARS, PRINT

from jphtr.compose import Composer
from jphtr.compose.atlas import Patch
from jphtr.compose.ink import INKS, paste
from jphtr.compose.layout import Placed
from jphtr.compose.paper import PAPERS
from jphtr.compose.plan import Plan, Planner
from jphtr.geometry import prepare
from jphtr.settings import ComposeSettings, TrainLineSettings
from jphtr.training.loader import collate, draw
from jphtr.training.loop import train_line
from jphtr.training.paint import Painter
from jphtr.training.paint_wear import WEARS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    """Of blocks with white bars: the light of a line is measured by its paper, of which solid ones leave none."""
    found = toy_blocks.composer(tmp_path_factory.mktemp("glyphs"))
    for gray in found.atlas.grays:
        gray[:, np.arange(64) // 6 % 2 == 1] = 255
    return found


def plans(composer: Composer, count: int, seed: int = 1) -> list[Plan]:
    planner = Planner(composer)
    return [planner.line(np.random.default_rng([seed, i])) for i in range(count)]


def painted(composer: Composer, some: list[Plan]) -> np.ndarray:
    width = -(-max(plan.width for plan in some) // 8) * 8
    strips: np.ndarray = Painter(composer.atlas.grays, CPU).paint(some, width).numpy()
    return strips


def pasted(composer: Composer, plan: Plan) -> np.ndarray:
    """The picture of a plan without bends and wear, by the way that composes one line at a time."""
    ink = np.zeros((plan.size[1], plan.size[0]), np.uint8)
    grays = np.concatenate([np.asarray(gray) for gray in composer.atlas.grays])
    for row, matrix in zip(plan.glyphs, plan.matrices, strict=True):
        patch = Patch(grays[row], np.zeros(4, np.float32), 1.0, 0, int(row))
        placed = Placed("", patch, matrix.astype(np.float64) / plan.em, 0, 0)
        paste(ink, placed, plan.em, 0, 0, np.zeros(4, np.float32))
    return 255 - ink


def test_strips_are_those_of_the_reader(composer: Composer) -> None:
    some = [replace(plan, baseline=plan.baseline * 0, wave=0.0, worn=(), beside=False) for plan in plans(composer, 30)]
    for plan, strip in zip(some, painted(composer, some), strict=True):
        picture = pasted(composer, plan)
        x0, y0 = plan.origin
        matrix = np.array([[plan.scale, 0, -x0 * plan.scale], [0, plan.scale, -y0 * plan.scale]])
        matrix[:, 2] += (plan.scale - 1) / 2
        wanted = cv2.warpAffine(picture, matrix, (plan.width, 48), flags=cv2.INTER_LINEAR, borderValue=255)
        away = np.abs(strip[:, : plan.width].astype(int) - wanted)
        assert away.mean() < 8, plan.text
        assert (strip[:, plan.width :] == 255).all()


def test_plans_crop_as_the_reader_does(composer: Composer) -> None:
    found, planned = [], []
    for plan in plans(composer, 120):
        strip = prepare(pasted(composer, plan), "horizontal", invert=False)
        found.append((strip.scale, *np.array(strip.origin) * strip.scale))
        planned.append((plan.scale, *np.array(plan.origin) * plan.scale))
    scales, left, _ = (np.array(found) - planned).T
    assert abs(np.median(np.array(found)[:, 0]) / np.median(np.array(planned)[:, 0]) - 1) < 0.15
    assert (
        np.median(np.abs(left)) < 4 and np.median(np.abs(scales)) < 0.4
    )  # blocks without a middle vary more than letters


def test_boxes_hold_the_ink(composer: Composer) -> None:
    bent = composer.with_settings(
        ComposeSettings(**PRINT, degraded=0.0, worn_ink=0.0, neighbours=0.0, empty=0.0, min_chars=2, max_chars=12)  # type: ignore[arg-type]
    )
    some = [plan for plan in plans(bent, 60, seed=2) if "low_contrast" not in plan.worn]
    for plan, strip in zip(some, painted(bent, some), strict=True):
        dark = (strip < 128).any(axis=0)
        inside = np.zeros(len(dark), np.bool_)
        for char, (start, stop) in zip(plan.text, plan.along(), strict=True):
            if char not in " 、。ーっ":  # a cut may leave low signs out
                assert dark[int(max(0, start)) : int(stop) + 1].mean() > 0.3, plan.text
            inside[max(0, int(start) - 2) : int(stop) + 3] = True
        assert (dark & ~inside).sum() <= 2, plan.text


def test_the_same_plans_give_the_same_strips(composer: Composer) -> None:
    worn = composer.with_settings(ComposeSettings(**PRINT, min_chars=2, max_chars=12))  # type: ignore[arg-type]
    some = plans(worn, 12)
    assert (painted(worn, some) == painted(worn, plans(worn, 12))).all()
    assert len({plan.worn for plan in some}) > 3


@pytest.mark.parametrize("name", list(WEARS))
def test_each_wear_changes_a_picture_and_leaves_its_text(composer: Composer, name: str) -> None:
    clean = [replace(plan, worn=(), beside=False) for plan in plans(composer, 8, seed=4)]
    worn = [replace(plan, worn=(name,)) for plan in clean]
    before, after = painted(composer, clean).astype(float), painted(composer, worn).astype(float)
    assert (before != after).any()
    for plan, a, b in zip(clean, before, after, strict=True):
        a, b = a[:, : plan.width], b[:, : plan.width]
        if name not in ("specks", "salt_pepper", "stain", "edge", "rules", "crease", "binarise", "outline", "noise"):
            assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.4, plan.text


def test_wears_are_those_of_composed_lines() -> None:
    assert list(WEARS) == [*INKS, *(name for name in PAPERS if name != "invert")]


def test_pictures_without_text_and_parts_of_other_lines(composer: Composer) -> None:
    empty = composer.with_settings(ComposeSettings(**PRINT, empty=1.0, degraded=0.0, min_chars=2, max_chars=12))  # type: ignore[arg-type]
    some = plans(empty, 6)
    assert all(not plan.text and not len(plan.boxes) for plan in some)
    assert (painted(empty, some) > 200).all()
    alone = [  # cut as wide as their pictures are
        replace(plan, worn=(), beside=False, band=(0.0, float(plan.size[1]))) for plan in plans(composer, 20, seed=6)
    ]
    beside = painted(composer, [replace(plan, beside=True) for plan in alone])
    assert (beside.astype(int).sum(axis=(1, 2)) < painted(composer, alone).astype(int).sum(axis=(1, 2))).any()


def test_plans_and_pictures_in_one_batch(composer: Composer) -> None:
    samples = [draw(source, CHARS, 5, i)[0] for i in range(3) for source in (composer, Planner(composer))]
    assert sum(isinstance(s.gray, Plan) for s in samples) == 3
    batch = collate(samples, Painter(composer.atlas.grays, CPU))
    assert batch.gray.shape[0] == 6 and batch.frames.shape[1] * 8 == batch.gray.shape[2]
    for sample, row in zip(samples, batch.gray.numpy(), strict=True):
        assert (row[:, : sample.width] < 128).any() and (row[:, sample.width :] == 255).all()
        if not isinstance(sample.gray, Plan):
            assert (row[:, : sample.width] == sample.gray).all()


def test_a_net_learns_from_plans(composer: Composer, tmp_path: Path) -> None:
    (tmp_path / "charset.txt").write_text(CHARS.to_text(), "utf-8")
    settings = TrainLineSettings.model_validate({
        "data": {"charset": str(tmp_path / "charset.txt"), "batch": 8, "pool": 2, "valid_lines": 8, "drawn": "device"},
        "net": {"widths": (8, 8, 16, 16), "hidden": 16, "bottleneck": 16}, "loss": {"sampled": 0},
        "optim": {"lr": 4e-3, "warmup": 5}, "run": {"steps": 150, "threads": 1, "workers": 0, "valid_every": 150, "log_every": 20, "tensorboard": False},
    })  # fmt: skip
    outcome = train_line(settings, tmp_path / "run", open_source=lambda charset: Planner(composer))
    rows = (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    assert outcome.finished and len(rows) >= 3
    ce = [json.loads(row)["ce"] for row in rows if "ce" in json.loads(row)]
    assert ce[-1] < 0.8 * ce[0]
