"""The model in the package: it reads its samples, and nothing where nothing is written."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import jphtr
from jphtr.bundle import LINE_MODELS, read_header
from jphtr.charset import default
from jphtr.errors import ModelError
from jphtr.reader import Reader

SAMPLES = Path(__file__).parents[1] / "samples"
_TABLE = (SAMPLES / "truth.tsv").read_text("utf-8").splitlines()
TRUTH = list(csv.DictReader(_TABLE, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return jphtr.load()


def test_they_are_small_and_know_the_whole_charset() -> None:
    assert sum(path.stat().st_size for path in LINE_MODELS.values()) <= 12e6
    for direction, path in LINE_MODELS.items():
        header = read_header(path)
        assert header.charset == default().to_text() and header.data and header.scores
        assert header.direction == direction


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: Path(row["file"]).stem)
def test_samples(reader: Reader, row: dict[str, str]) -> None:
    result = reader.read(SAMPLES / row["file"])
    assert (result.text, result.direction) == (row["text"], row["direction"])


def test_they_go_by_their_names() -> None:
    row = next(row for row in TRUTH if row["direction"] == "vertical")
    for name in ("line-vertical", "line-horizontal"):  # which leaves vertical lines to the other
        assert Reader(name).read(SAMPLES / row["file"]).text == row["text"]
    with pytest.raises(ModelError, match=r"those in the package are called .*line-horizontal, line-vertical"):
        Reader("line-diagonal")
    command = [sys.executable, "-m", "jphtr", "read", "-m", "line-vertical", str(SAMPLES / row["file"])]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == row["text"]


def papers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    shape = (64, 700)
    dark = np.full(shape, 40, np.uint8)
    light = np.linspace(250, 120, shape[1])[None].repeat(shape[0], 0)
    ruled = np.full(shape, 245, np.uint8)
    ruled[[8, 55]] = 90
    return {
        "white": np.full(shape, 255, np.uint8),
        "black": np.zeros(shape, np.uint8),
        "gray": np.full(shape, 128, np.uint8),
        "uneven light": light.astype(np.uint8),
        "faint noise": np.clip(rng.normal(235, 6, shape), 0, 255).astype(np.uint8),
        "noise": rng.integers(0, 256, shape, dtype=np.uint8),
        "dark noise": np.clip(dark + rng.normal(0, 12, shape), 0, 255).astype(np.uint8),
        "blotches": cv2.GaussianBlur(rng.integers(0, 256, shape, dtype=np.uint8), (0, 0), 9),
        "rules": ruled,
        "specks": np.where(rng.random(shape) < 0.002, 30, 250).astype(np.uint8),
    }


@pytest.mark.parametrize("name", papers())
def test_paper_without_text_is_read_as_nothing(reader: Reader, name: str) -> None:
    gray = papers()[name]
    assert reader.read(gray).text == ""
    assert reader.read(np.ascontiguousarray(gray.T)).text == ""


def test_the_command_reads_a_sample_without_torch_from_an_empty_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from jphtr.cli import main; main(sys.argv[1:], standalone_mode=False);"
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'cv2', 'pydantic')], file=sys.stderr)"
    )
    row = TRUTH[0]
    done = subprocess.run(
        [sys.executable, "-c", code, "read", str(SAMPLES / row["file"]), "-f", "json"],
        cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert done.stderr.strip() == "[]"
    told = json.loads(done.stdout)
    assert row["text"] in done.stdout and told
