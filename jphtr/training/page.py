"""Training of the page net: composed pages in, a run folder out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from jphtr import __version__
from jphtr.bundle import Header
from jphtr.charset import Charset
from jphtr.compose.page import PageComposer
from jphtr.errors import ModelError, SettingsError
from jphtr.nets.page import PageNet
from jphtr.settings import PageLossSettings, TrainPageSettings, assign
from jphtr.training.checkpoint import glyph_sources, load_weights
from jphtr.training.hardware import Hardware, settle
from jphtr.training.learner import Learner, judge_head
from jphtr.training.page_stream import PageBatch, PageFolder, PageStream, piece
from jphtr.training.page_targets import IGNORE
from jphtr.training.run_folder import LAST, RunFolder
from jphtr.training.sitting import Outcome, Sitting, Validation

_SUMS = ("pieces", "kinds", "extents")
_VALID_BATCH = 8


def train_page(
    settings: TrainPageSettings,
    folder: Path,
    *,
    open_pages: Callable[[], PageComposer],
    open_valid: Callable[[], PageComposer],
    load: Path | None = None,
    resume: bool = False,
) -> Outcome:
    """Train a page net.

    Parameters
    ----------
    settings : everything that can be told.
    folder : the run folder to write, or with `resume` the one to go on with.
    open_pages, open_valid : open what composes pages to learn from, and to validate on; called when one is missing.
    load : a page model (`.safetensors` or `.onnx`) to start from; its shape replaces `settings.net`.
    resume : go on with the run in `folder`.

    Returns
    -------
    How the run ended; its `best` is the lowest error (1 - F1 of the places inside lines) in a validation.

    Raises
    ------
    JphtrError
        If settings, data or files are not what they should be.
    """
    given = load_weights(load) if load is not None and not resume else None
    if given is not None and given[0].kind != "page":
        raise ModelError(f"{load}: a {given[0].kind} model; page training starts from page models")
    if given is not None:
        settings = assign(settings, {"net.widths": given[0].arch["widths"]}, str(load))
    hardware = settle(settings.run)
    try:
        torch.manual_seed(settings.run.seed)
        net = PageNet(settings.net.widths)
        if given is not None:
            fill(net, given[1], str(load))
        task = Pages(settings, net, hardware, folder, open_pages, open_valid)
        silent = hardware.rank > 0
        judge_head(settings.optim, known=resume or given is not None)
        with RunFolder(folder, resume=resume, silent=silent, tensorboard=settings.run.tensorboard) as run:
            if resume:
                task.learner.load(folder / LAST)
                run.forget_after(task.learner.state.step)
                run.say(f"resumed at step {task.learner.state.step}")
            else:
                run.describe(settings, Charset([]))
            return Sitting(task, run, settings.run, settings.optim.accumulate).go()
    finally:
        hardware.leave()


@torch.no_grad()
def fill(net: PageNet, weights: dict[str, Tensor], name: str) -> None:
    """Copy the weights of a model into a net of its shape.

    Raises
    ------
    ModelError
        If one is missing or of another shape.
    """
    for key, into in net.state_dict().items():
        if key.endswith("num_batches_tracked"):  # only counts steps; models leave it out
            continue
        if key not in weights or weights[key].shape != into.shape:
            raise ModelError(f"{name}: its weights {key!r} do not fit a page net of widths {net.arch['widths']}")
        into.copy_(weights[key].to(into.dtype))


class Pages:
    """Pieces of pages as a task of the training loop."""

    command, counted, score = "train-page", "pieces", "error"

    def __init__(
        self, settings: TrainPageSettings, net: PageNet, hardware: Hardware, folder: Path,
        open_pages: Callable[[], PageComposer], open_valid: Callable[[], PageComposer],
    ) -> None:  # fmt: skip
        self.settings, self.hardware, self.name = settings, hardware, folder.name
        self.learner: Learner[PageNet] = Learner(net, settings.optim, settings.run, hardware, _SUMS)
        data, seed = settings.data, settings.run.seed
        cache = data.cache or folder / "pages"
        if data.valid_seed == seed:
            raise SettingsError(f"data.valid_seed: {seed} is the seed of the run; choose another")
        self.stream = PageStream(
            PageFolder(cache, seed, open_pages), data, seed, settings.run.workers, hardware.rank, hardware.ranks
        )
        self._valid_pages = PageFolder(cache, data.valid_seed, open_valid)
        self._valid: PageBatch | None = None

    @property
    def waited(self) -> float:
        return self.stream.waited

    def about(self) -> str:
        data = self.settings.data
        return f"{data.pages} pages, {data.batch} pieces of {data.side} px a batch"

    def batches(self, start: int) -> Generator[PageBatch, None, None]:
        return self.stream.batches(start)

    def step(self, batches: Sequence[PageBatch], began: float, stop: bool) -> bool:
        learner, hardware, sums = self.learner, self.hardware, self.learner.state.sums
        progress = learner.progress
        learner.draws()
        for batch in batches:
            gray = torch.from_numpy(batch.gray).to(hardware.device)
            with hardware.autocast():
                logits, extents = learner.net(gray)
            kinds, reach = page_losses(logits, extents, *_truth(batch, hardware.device), self.settings.loss)
            loss = kinds + self.settings.loss.extent * reach
            (loss / len(batches) * learner.scale).backward()  # type: ignore[no-untyped-call]
            sums["kinds"] += float(kinds.detach()) * len(batch)
            sums["extents"] += float(reach.detach()) * len(batch)
            sums["pieces"] += len(batch)
        return learner.take(progress, began, stop)

    def row(self, sums: dict[str, float], speed: float) -> dict[str, Any]:
        count = max(1.0, sums["pieces"])
        return {"kinds": sums["kinds"] / count, "extents": sums["extents"] / count, "pieces_per_s": speed}

    def text(self, row: dict[str, Any]) -> str:
        return f"kinds {row['kinds']:.3f} extents {row['extents']:.3f} lr {row['lr']:.2e} {row['pieces_per_s']:.1f} pieces/s"

    def validate(self) -> Validation:
        if self._valid is None:
            self._valid = self._pieces()
        found = validate(self.learner.average, self._valid)
        return Validation(1 - found["f1"], {f"valid_{name}": value for name, value in found.items()}, found)

    def _pieces(self) -> PageBatch:
        """A fixed piece of each validation page."""
        data = self.settings.data
        parts = []
        for index in range(data.valid_pages):
            rng = np.random.default_rng([data.valid_seed, 5, index])
            parts.append(piece(*self._valid_pages.page(index), data, rng))
        grays, kinds, extents = zip(*parts, strict=True)
        return PageBatch(np.stack(grays), np.stack(kinds), np.stack(extents))

    def header(self, scores: dict[str, Any]) -> Header:
        settings, state = self.settings, self.learner.state
        return Header(
            name=self.name,
            charset="",
            kind="page",
            version=__version__,
            arch=self.learner.net.arch,
            scores=scores,
            training={"steps": state.step, "minutes": round(state.elapsed / 60, 1), "seed": settings.run.seed},
            data=glyph_sources(settings.data.glyphs),
            created=datetime.date.today().isoformat(),
        )


def _truth(batch: PageBatch, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(batch.kinds).to(device).long(), torch.from_numpy(batch.extents).to(device)


def page_losses(
    logits: Tensor, extents: Tensor, kinds: Tensor, reach: Tensor, settings: PageLossSettings
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the kinds (a weighted mean over places), and the error of the extents inside lines in octaves."""
    told = [1.0, settings.text, settings.text, settings.ruby, settings.ruby]  # in the order of KINDS
    weight = torch.tensor(told, device=logits.device)
    entropy = F.cross_entropy(logits, kinds, weight, ignore_index=IGNORE)
    inside = ((kinds > 0) & (kinds != IGNORE))[:, None].to(extents.dtype)
    apart = F.smooth_l1_loss(extents, reach, reduction="none", beta=0.2) * inside
    return entropy, apart.sum() / (2 * inside.sum()).clamp(min=1)


def validate(net: PageNet, batch: PageBatch) -> dict[str, float]:
    """Precision, recall and `f1` of the places inside lines, whose kind has to be right, and the error of their
    extents in octaves; in float32."""
    device = net.head.weight.device
    hits = said = there = 0
    apart = 0.0
    for start in range(0, len(batch), _VALID_BATCH):
        part = slice(start, start + _VALID_BATCH)
        one = PageBatch(batch.gray[part], batch.kinds[part], batch.extents[part])
        kinds, reach = _truth(one, device)
        with torch.inference_mode():
            logits, extents = net(torch.from_numpy(one.gray).to(device))
        best = logits.argmax(1)
        asked = kinds != IGNORE
        inside = (kinds > 0) & asked
        hits += int(((best == kinds) & inside).sum())
        said += int(((best > 0) & asked).sum())
        there += int(inside.sum())
        apart += float(((extents - reach).abs().mean(1) * inside).sum())
    precision, recall = hits / max(1, said), hits / max(1, there)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1, "extents": apart / max(1, there)}
