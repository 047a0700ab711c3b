"""A toy world: twenty characters, each a planted pattern of blocks, pasted in a row with exact boxes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from jphtr.charset import Charset
from jphtr.records import CharSpan, Line
from jphtr.settings import TrainLineSettings, assign
from jphtr.training.loop import train_line

CHARS = "あいうえおかきくけこ日月火水木金土人口山"
_CELL, _BLOCK = 32, 8  # pixels of a character and of a block of its pattern


def charset() -> Charset:
    return Charset(CHARS)


def patterns() -> dict[str, np.ndarray]:
    """A picture (32, 32) uint8 for each character: 4 x 4 blocks of ink, half of them dark, no two alike."""
    rng = np.random.default_rng(5)
    found: dict[str, np.ndarray] = {}
    for char in CHARS:
        blocks = rng.permutation(np.arange(16) % 2).reshape(4, 4)
        blocks[[0, 3], [0, 3]] = 1  # every cell reaches its corners, so that all lines have the same height
        found[char] = np.kron(np.where(blocks, 0, 255), np.ones((_BLOCK, _BLOCK))).astype(np.uint8)
    return found


class ToyComposer:
    """Lines of two to six characters on white paper, some of them vertical."""

    def __init__(self, length: tuple[int, int] = (2, 6)) -> None:
        self.patterns, self.length = patterns(), length

    def line(self, rng: np.random.Generator) -> Line:
        text = "".join(rng.choice(list(CHARS), int(rng.integers(self.length[0], self.length[1] + 1))))
        vertical = bool(rng.random() < 0.3)
        starts = np.cumsum(rng.integers(4, 12, len(text)) + _CELL) - _CELL
        # along the reading axis first; a column of text is turned back to stand upright
        gray = np.full((_CELL + 12, int(starts[-1]) + _CELL + 8), 255, np.uint8)
        spans = []
        for char, x in zip(text, starts.tolist(), strict=True):
            cell = np.rot90(self.patterns[char]) if vertical else self.patterns[char]
            gray[6 : 6 + _CELL, x : x + _CELL] = cell
            box = (x, 6.0, x + _CELL, 6.0 + _CELL)
            if vertical:
                box = (gray.shape[0] - box[3], box[0], gray.shape[0] - box[1], box[2])
            spans.append(CharSpan(char, tuple(float(v) for v in box)))
        if vertical:
            gray = np.ascontiguousarray(np.rot90(gray, -1))
        noise = rng.normal(0, 6, gray.shape)
        gray = np.clip(gray + noise, 0, 255).astype(np.uint8)
        return Line(gray, text, "toy", "toy", "vertical" if vertical else "horizontal", tuple(spans))


def settings(charset_file: str, **values: object) -> TrainLineSettings:
    """Settings of a run that takes seconds on one thread; `values` such as run__steps=20 change them."""
    small: dict[str, object] = {
        "data.charset": charset_file, "data.batch": 8, "data.pool": 4, "data.valid_lines": 24,
        "net.widths": (8, 16, 24, 32), "net.hidden": 32, "net.bottleneck": 32,
        "loss.sampled": 0, "optim.lr": 6e-3, "optim.warmup": 20, "optim.ema": 0.97,
        "run.steps": 300, "run.workers": 0, "run.threads": 1, "run.device": "cpu", "run.precision": "fp32",
        "run.valid_every": 100, "run.log_every": 5, "run.tensorboard": False,
    }  # fmt: skip
    return assign(TrainLineSettings(), small | {k.replace("__", "."): v for k, v in values.items()})


@cache
def trained() -> Path:
    """A run folder whose net reads the toy world without a mistake; trained once in a test run."""
    folder = Path(tempfile.mkdtemp(prefix="jphtr-toy-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "charset.txt").write_text(CHARS, "utf-8")
    outcome = train_line(settings(str(folder / "charset.txt")), folder / "run", open_source=lambda _: ToyComposer())
    assert outcome.finished and outcome.cer == 0.0
    return outcome.folder
