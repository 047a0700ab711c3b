"""A picture of one character -> what it most probably is, through ONNX Runtime: everything that classifying needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jphtr.bundle import find_model, read_header
from jphtr.cell import to_input
from jphtr.charset import BLANK
from jphtr.errors import ImageError, JphtrError, ModelError
from jphtr.image import Picture, load_gray, name_of
from jphtr.records import Gray
from jphtr.session import RUNTIME_ERRORS, gist, open_session

TOP = 5  # candidates of a character

_BATCH = 32  # pictures in one run; more are no faster
_LARGEST = 4096  # pixels of a net's side
_LEAST = 8  # pixels of the longer side that a character needs


@dataclass(frozen=True, slots=True)
class Classification:
    """What a picture of one character shows.

    Attributes
    ----------
    char : the most probable character; empty where the picture shows nothing.
    confidence : its probability, 0.0 where there is nothing.
    alternatives : the next ones (char, probability), best first.
    path : the file it came from, if any.
    """

    char: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()
    path: str | None = None

    @property
    def candidates(self) -> tuple[tuple[str, float], ...]:
        """All that was found (char, probability), best first."""
        return ((self.char, self.confidence), *self.alternatives) if self.char else ()


class Classifier:
    """Tells characters from pictures of one each, with one model.

    Parameters
    ----------
    model : an `.onnx` file of jphtr, or the name of a classifier in the package (`bundle.CLASSIFIERS`).
    threads : that the net may use for one batch; None or 0 takes all cores.

    Attributes
    ----------
    header : what the model says about itself.
    chars : the characters by label; label 0 is the blank, whose character is the empty string, and never an answer.

    Raises
    ------
    ModelError
        If the file is no model for classifying characters.
    """

    def __init__(self, model: Path | str, *, threads: int | None = None) -> None:
        self.path = find_model(model)
        self.header = read_header(self.path)
        if self.path.suffix == ".safetensors":
            raise ModelError(
                f"{self.path}: holds weights for training; make a model for classifying with: jphtr export"
            )
        if self.header.kind != "glyph":
            raise ModelError(
                f"{self.path}: a {self.header.kind} model does not classify characters; give a glyph model"
            )
        if not _says_how_to_frame(self.header.input):
            raise ModelError(f"{self.path}: its header does not say how pictures are framed; export it again")
        self.chars = self.header.characters.chars
        self._session = open_session(self.path, "glyph", ("gray", "logits", "probabilities"), threads)

    def __repr__(self) -> str:
        return f"Classifier({self.header.name}, {len(self.chars) - 1} characters)"

    def classify(self, picture: Picture, top_k: int = TOP) -> Classification:
        """What one picture shows.

        Parameters
        ----------
        picture : path, open binary file, Pillow image, or array (H, W[, channels]), of any size, dark on light or light
            on dark.
        top_k : how many candidates to give, the best among them.

        Raises
        ------
        ImageError
            If the picture cannot be read.
        """
        result = next(self.classify_many([picture], top_k))
        if isinstance(result, JphtrError):
            raise result
        return result

    def classify_many(self, pictures: Iterable[Picture], top_k: int = TOP) -> Iterator[Classification | JphtrError]:
        """What many pictures show, in their order; one that cannot be read yields its error in its place.

        They are taken from the iterable and run a batch at a time, which changes no answer.
        """
        source = iter(pictures)
        while window := list(islice(source, _BATCH)):
            squares = [self._square(picture) for picture in window]
            drawn = [square for square in squares if not isinstance(square, JphtrError)]
            rows = iter(self._run("probabilities", drawn))
            for picture, square in zip(window, squares, strict=True):
                if isinstance(square, JphtrError):
                    yield square
                else:
                    yield self._best(next(rows), square, top_k, name_of(picture))

    def logits(self, grays: Sequence[Gray]) -> NDArray[np.float32]:
        """Logits (N, C) float32, before the temperature, of pictures (H, W) uint8 of any sizes; label 0 has -inf."""
        return self._run("logits", [to_input(gray, **self.header.input) for gray in grays])

    def probabilities(self, grays: Sequence[Gray]) -> NDArray[np.float32]:
        """Probabilities (N, C) float32, calibrated by the temperature, of pictures (H, W) uint8; label 0 has 0."""
        return self._run("probabilities", [to_input(gray, **self.header.input) for gray in grays])

    def _run(self, output: str, squares: Sequence[Gray]) -> NDArray[np.float32]:
        """An output of the net (N, C) float32 for squares as it sees them."""
        parts = [np.empty((0, len(self.chars)), np.float32)]
        for start in range(0, len(squares), _BATCH):
            gray = np.stack(squares[start : start + _BATCH])
            try:
                (found,) = self._session.run([output], {"gray": gray})
            except RUNTIME_ERRORS as error:
                raise ModelError(f"{self.path}: failed on {gray.shape} pixels: {gist(error)}") from None
            if found.shape[1] != len(self.chars):
                raise ModelError(f"{self.path}: its net has not the classes of its charset; export it again")
            parts.append(found)
        return np.concatenate(parts)

    def _square(self, picture: Picture) -> Gray | JphtrError:
        """What the net sees of a picture, or why it cannot be seen."""
        try:
            gray = load_gray(picture)
        except JphtrError as error:
            return error
        if max(gray.shape) < _LEAST:
            size = f"{gray.shape[1]} x {gray.shape[0]} pixels"
            return ImageError(f"{name_of(picture) or 'picture'}: {size} cannot hold a character; give a larger picture")
        return to_input(gray, **self.header.input)

    def _best(self, row: NDArray[np.float32], square: Gray, top_k: int, path: str | None) -> Classification:
        if square.min() == 255:
            return Classification("", 0.0, (), path)
        characters = row[BLANK + 1 :]  # the blank, which comes first, is no answer
        count = max(1, min(top_k, len(characters)))
        places = np.argpartition(-characters, count - 1)[:count]
        places = places[np.lexsort((places, -characters[places]))]
        best, *others = ((self.chars[place + BLANK + 1], float(characters[place])) for place in places.tolist())
        return Classification(*best, tuple(others), path)


def _says_how_to_frame(values: Any) -> bool:
    """Whether values can be the arguments of `cell.to_input`."""
    if not isinstance(values, dict) or values.keys() != {"size", "fill", "least"}:
        return False
    size, fill, least = values["size"], values["fill"], values["least"]
    if not isinstance(size, int) or not all(isinstance(value, int | float) for value in (fill, least)):
        return False
    return 1 <= size <= _LARGEST and 0 < fill <= 1 and 0 <= least <= 1
