"""A toy world of characters: the planted patterns of `toy_lines`, by a dozen noisy writers."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import toy_lines

from jphtr.charset import default
from jphtr.records import Glyph
from jphtr.settings import TrainCharSettings, assign
from jphtr.store import Source, write_glyphs
from jphtr.training.char import train_char

CHARS = toy_lines.CHARS
HIRAGANA, KANJI = [c for c in CHARS if c < "ん"], [c for c in CHARS if c > "ん"]


def glyphs(writers: int = 12, each: int = 1, chars: str = CHARS) -> Iterator[Glyph]:
    """The patterns, each writer's a little off the middle; writers are called toy:0, toy:1, ..."""
    rng = np.random.default_rng(8)
    for number in range(writers):
        x, y = rng.integers(4, 9, 2)
        for char in chars:
            for _ in range(each):
                gray = np.full((44, 44), 255, np.uint8)
                gray[y : y + 32, x : x + 32] = toy_lines.patterns()[char]
                gray = np.clip(gray + rng.normal(0, 10, gray.shape), 0, 255).astype(np.uint8)
                yield Glyph(gray, char, f"toy:{number}", "toy", number)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="jphtr-toy-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def file() -> Path:
    """A glyph file of twelve writers of twenty characters; written once in a test run."""
    write_glyphs(_folder() / "toy.h5", glyphs(), default(), sources=[Source("toy", licence="CC0")])
    return _folder() / "toy.h5"


def settings(path: Path, **values: object) -> TrainCharSettings:
    """Settings of a run that takes seconds on one thread; `values` such as run__steps=20 change them."""
    small: dict[str, object] = {
        "data.script": "kuzushiji", "data.files": [path], "data.batch": 32, "net.image_size": 32,
        "net.widths": (8, 16, 24, 32), "net.dropout": 0.0, "augment.strength": 0.3, "augment.tight": 0.0,
        "optim.lr": 1e-2, "optim.warmup": 10, "optim.ema": 0.9, "loss.smoothing": 0.02,
        "run.steps": 60, "run.workers": 0, "run.threads": 1, "run.device": "cpu", "run.precision": "fp32",
        "run.valid_every": 30, "run.log_every": 5, "run.tensorboard": False,
    }  # fmt: skip
    return assign(TrainCharSettings(), small | {key.replace("__", "."): value for key, value in values.items()})


@cache
def trained() -> Path:
    """A run folder whose net knows the toy world; trained once in a test run."""
    outcome = train_char(settings(file()), _folder() / "whole")
    assert outcome.finished and outcome.step == 60 and outcome.best == 0.0
    return outcome.folder
