"""Pictures with known text as a model sees them, and how many of their characters a net or a graph takes for what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from jphtr.bundle import LINE_MODELS, Header
from jphtr.cell import to_input
from jphtr.charset import BLANK, fold
from jphtr.errors import DataError
from jphtr.evaluate import Truth, evaluate, read_truth
from jphtr.evaluate_char.data import open_pictures
from jphtr.geometry import STRIDE, prepare
from jphtr.nets.glyph import GlyphNet
from jphtr.reader import Reader
from jphtr.records import Direction

MOST = 10_000  # pictures that are looked at; 0.1 point are ten of them

_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Squares `gray` (N, S, S) uint8 and the labels (N,) int64 of what they show."""

    gray: NDArray[np.uint8]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, places: NDArray[np.bool_]) -> Known:
        """Those where a mask is true."""
        return Known(self.gray[places], self.label[places])


def known(paths: Sequence[Path], header: Header) -> Known:
    """Pictures of characters that a model knows, from glyph files or folders; of more than MOST every so-many-th.

    Raises
    ------
    DataError
        If there are none, or files cannot be read.
    """
    labels = {char: label for label, char in enumerate(header.characters.chars) if label != BLANK}
    sets = [open_pictures(path, chars="".join(labels)) for path in paths]
    step = -(-sum(map(len, sets)) // MOST)
    squares: list[NDArray[np.uint8]] = []
    truth: list[int] = []
    for pictures in sets:
        for batch in pictures.batches(512):
            for gray, char in zip(batch.grays[::step], batch.chars[::step], strict=True):
                if label := labels.get(fold(char)):
                    squares.append(to_input(gray, **header.input))
                    truth.append(label)
        for error in pictures.failed:
            raise error
    if not squares:
        names = ", ".join(map(str, paths))
        raise DataError(f"{names}: no picture of a character that {header.name} knows; name others with --valid")
    return Known(np.stack(squares), np.array(truth, np.int64))


def by_net(net: GlyphNet, pictures: Known) -> float:
    """The part of the pictures that a net in evaluation mode takes for what they are."""

    def logits(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = net(torch.from_numpy(gray)).numpy()
        return found

    return _right(logits, pictures)


def by_graph(model: bytes, pictures: Known) -> float:
    """The part of the pictures that a serialised graph takes for what they are."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def logits(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        (found,) = session.run(["logits"], {"gray": gray})
        return found  # type: ignore[no-any-return]

    return _right(logits, pictures)


def _right(logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]], pictures: Known) -> float:
    right = 0
    for start in range(0, len(pictures), _BATCH):
        part = slice(start, start + _BATCH)
        right += int((logits(pictures.gray[part]).argmax(1) == pictures.label[part]).sum())
    return right / len(pictures)


def known_lines(paths: Sequence[Path], direction: str = "") -> list[Truth]:
    """Lines with known text from anything that `evaluate.read_truth` takes, of one direction if it is named.

    Raises
    ------
    DataError
        If there are none, or a file is not what it should be.
    """
    found = [line for path in paths for line in read_truth(path)]
    kept = [line for line in found if not direction or _runs(line) == direction]
    if found and not kept:
        raise DataError(f"{', '.join(map(str, paths))}: no {direction} line, which this model is for; name others")
    return kept


def _runs(line: Truth) -> Direction:
    """How a line runs, by its shape where nobody said it."""
    if line.direction in LINE_MODELS:
        return line.direction
    height, width = line.gray().shape
    return "vertical" if height > width else "horizontal"


def strips(lines: Iterable[Truth]) -> Iterator[NDArray[np.uint8]]:
    """Lines as a line net sees them: (48, W) uint8, W a multiple of 8."""
    for line in lines:
        strip = prepare(line.gray(), _runs(line)).gray
        yield np.pad(strip, ((0, 0), (0, -strip.shape[1] % STRIDE)), constant_values=255)


def of_characters(model: bytes, lines: Sequence[Truth]) -> float:
    """The part of the characters of some lines, 1 - CER, that a serialised graph reads, without a language model."""
    with TemporaryDirectory(prefix="jphtr-") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model)
        return 1 - evaluate(Reader(path, decoder="greedy"), lines).rate()
