"""A picture of a line -> its text, through ONNX Runtime: everything that reading needs."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from jphtr.bundle import LINE_MODELS, find_model, read_header
from jphtr.decode.line import LineDecoder
from jphtr.decode.spans import FrameSpan, boxes
from jphtr.errors import ImageError, JphtrError, ModelError
from jphtr.geometry import HEIGHT, STRIDE, Strip, guess_direction, prepare
from jphtr.image import Picture, load_gray, name_of
from jphtr.records import CharSpan, Direction, Gray, Recognition
from jphtr.session import RUNTIME_ERRORS, cores, gist, open_session

GETA = "〓"  # what printers set where the type was missing
Unsure = Literal["mark", "drop"]  # what becomes of characters that are less sure than was asked
BATCH = 16

_WINDOW = 8  # batches that are looked at together, so that lines of like width share one
_BATCH_COLUMNS = 16_384  # pixels of strip in one run; bounds the memory, a longer line runs alone
_LONGEST = 65_536  # pixels of strip in one line, some 1,500 characters
_LEAST = 8  # pixels of the longer side that a character needs
_SHAPE_COUNTS = 0.5  # read both ways, the less likely way must halve the doubt to be believed


class Reader:
    """Reads pictures of single lines: those of each direction with the net for it.

    Parameters
    ----------
    model : an `.onnx` file of jphtr, or one in the package by its name; None takes those in the package. A model that says
        which direction it is for reads lines of that direction, and those of the other are left to the one in the package.
    threads : that the net may use for one batch; None takes all cores.
    decoder, lm, lm_weight, beam_width, allow, block : how its output becomes text, see `LineDecoder`; the defaults
        are what reads best on balance, with the language model in the package.

    Attributes
    ----------
    path, header : of the model, and what it says about itself; of those in the package, the one for horizontal lines.

    Raises
    ------
    ModelError
        If the file is no model for reading lines.
    SettingsError
        If there is no such decoder, or a list of characters is not one.
    """

    def __init__(
        self, model: Path | str | None = None, *, threads: int | None = None, decoder: str | None = None,
        lm: Path | str | None = None, lm_weight: float | None = None, beam_width: int | None = None,
        allow: Sequence[str] = (), block: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._threads = threads
        self._decoding: dict[str, Any] = {
            "decoder": decoder, "lm": lm, "lm_weight": lm_weight, "beam_width": beam_width, "allow": allow, "block": block
        }  # fmt: skip
        self._decoders: dict[str, LineDecoder] = {}
        first = _Net(LINE_MODELS["horizontal"] if model is None else find_model(model), threads)
        self.path, self.header = first.path, first.header
        self._nets: dict[Direction, _Net] = {way: first for way in LINE_MODELS if first.header.direction in ("", way)}
        if model is not None:
            first.session  # noqa: B018  # what is wrong with a user's graph is said here
        self._decoder_of(first)

    def __repr__(self) -> str:
        return f"Reader({self.header.name}, {len(self.header.characters) - 1} characters)"

    @property
    def decoder(self) -> LineDecoder:
        """How the output of the net becomes text; as a string it says what it is."""
        return self._decoder_of(next(iter(self._nets.values())))

    def decoding(self, **changes: Any) -> Self:
        """The same nets under other arguments from `decoder` on."""
        other = copy.copy(self)
        other._decoding, other._decoders = self._decoding | changes, {}
        other._decoder_of(next(iter(self._nets.values())))
        return other

    def _net(self, direction: Direction) -> _Net:
        """The net for lines of a direction."""
        if direction not in self._nets:
            self._nets[direction] = _Net(LINE_MODELS[direction], self._threads)
        return self._nets[direction]

    def _decoder_of(self, net: _Net) -> LineDecoder:
        """What decodes the output of a net; nets of one charset share it, for it may hold a language model."""
        known = self._decoders.get(net.header.charset)
        if known is None:
            known = self._decoders[net.header.charset] = LineDecoder(net.chars, **self._decoding)
        return known

    @overload
    def read(
        self, picture: Picture, direction: Direction | Literal["auto"] = "auto", *, min_confidence: float = 0.0,
        unsure: Unsure = "mark", decoder: str | None = None, nbest: int = 0,
    ) -> Recognition: ...  # fmt: skip

    @overload
    def read(
        self, picture: list[Any] | tuple[Any, ...], direction: Direction | Literal["auto"] = "auto", *,
        min_confidence: float = 0.0, unsure: Unsure = "mark", decoder: str | None = None, nbest: int = 0,
    ) -> list[Recognition]: ...  # fmt: skip

    def read(
        self,
        picture: Picture | list[Any] | tuple[Any, ...],
        direction: Direction | Literal["auto"] = "auto",
        *,
        min_confidence: float = 0.0,
        unsure: Unsure = "mark",
        decoder: str | None = None,
        nbest: int = 0,
    ) -> Recognition | list[Recognition]:
        """Text of a picture of a line, or of several.

        Parameters
        ----------
        picture : path, open binary file, Pillow image, or array (H, W[, channels]); dark on light or light
            on dark. A list or tuple of them gives a list; the first that cannot be read raises its error, where
            `read_many` goes on.
        direction : how the line runs; "auto" goes by the shape, and where that is not clear reads both ways.
        min_confidence : characters less sure than this become 〓, and are kept as first alternative;
        unsure : or, with "drop", are left out with their boxes.
        decoder : a key of `DECODERS`, if another than this reader's.
        nbest : how many of the most probable texts to give as well; a beam finds them, whatever the decoder.

        Returns
        -------
        Recognition; its boxes are in pixels of the upright picture, its confidence is the geometric mean
        over the characters, 0.0 for an empty text.

        Raises
        ------
        ImageError
            If the picture cannot be read.
        ModelError
            If the language model cannot.
        SettingsError
            If there is no such decoder.
        """
        several = isinstance(picture, list | tuple)
        found = []
        for result in self.read_many(
            picture if isinstance(picture, list | tuple) else [picture], direction,
            min_confidence=min_confidence, unsure=unsure, decoder=decoder, nbest=nbest,
        ):  # fmt: skip
            if isinstance(result, JphtrError):
                raise result
            found.append(result)
        return found if several else found[0]

    def read_many(
        self,
        pictures: Iterable[Picture],
        direction: Direction | Literal["auto"] = "auto",
        *,
        min_confidence: float = 0.0,
        unsure: Unsure = "mark",
        decoder: str | None = None,
        nbest: int = 0,
        batch_size: int = BATCH,
    ) -> Iterator[Recognition | JphtrError]:
        """Text of many pictures, in their order.

        A picture that cannot be read yields its error in its place; the others are read all the same.
        Pictures are taken from the iterable a few batches ahead and run together with others of like width,
        which does not change what is read. The other parameters are those of `read`.
        """
        options = _Options(direction, min_confidence, unsure, decoder, nbest)
        source = iter(pictures)
        while window := list(islice(source, batch_size * _WINDOW)):
            yield from self._read_window(window, options, batch_size)

    def _read_window(
        self, pictures: Sequence[Picture], options: _Options, batch_size: int
    ) -> list[Recognition | JphtrError]:
        results: list[Recognition | JphtrError | None] = [None] * len(pictures)
        tries: list[_Try] = []
        doubts: dict[int, float] = {}
        for index, picture in enumerate(pictures):
            try:
                strips = _strips(picture, options.direction)
            except JphtrError as error:
                results[index] = error
                continue
            tries += [
                _Try(index, strip, strip is strips[0], self._net(strip.direction)) for strip in strips if strip.has_ink
            ]
            results[index] = Recognition("", 0.0, (), strips[0].direction, name_of(picture))
        batches = list(_batches(tries, batch_size))
        for batch, found in zip(batches, self._run_all(batches, options), strict=True):
            if isinstance(found, JphtrError):
                for one in batch:
                    results[one.index] = found
                continue
            for one, reading in zip(batch, found, strict=True):
                doubt = (1 - reading.confidence) * (_SHAPE_COUNTS if one.likely else 1)
                if reading.text and doubt < doubts.get(one.index, math.inf):
                    doubts[one.index] = doubt
                    results[one.index] = replace(reading, path=name_of(pictures[one.index]))
        return [result for result in results if result is not None]

    def _run_all(
        self, batches: Sequence[Sequence[_Try]], options: _Options
    ) -> Iterable[list[Recognition] | JphtrError]:
        """What each batch says, or why it cannot be read."""

        def one(batch: Sequence[_Try]) -> list[Recognition] | JphtrError:
            try:
                return self._run(batch, options)
            except JphtrError as error:
                return error

        alone = all(batch[0].net.alone for batch in batches)
        lanes = min(self._threads or cores(), len(batches)) if alone else 1
        if lanes < 2:
            return map(one, batches)
        for net in {batch[0].net for batch in batches[1:]}:
            net.session  # noqa: B018  # opened once, before they share it
        first = one(batches[0])  # which loads the language model
        with ThreadPoolExecutor(lanes, "jphtr") as pool:  # ONNX Runtime lets go of the interpreter while it computes
            return [first, *pool.map(one, batches[1:])]

    def _run(self, batch: Sequence[_Try], options: _Options) -> list[Recognition]:
        """One run of the net over strips of like width."""
        widths = np.array([one.strip.gray.shape[1] for one in batch], np.int64)
        frames = -(-widths // STRIDE)
        gray = np.full((len(batch), HEIGHT, int(frames.max()) * STRIDE), 255, np.uint8)
        for row, one in zip(gray, batch, strict=True):
            row[:, : one.strip.gray.shape[1]] = one.strip.gray
        net = batch[0].net
        labels, log_probs = net.run(gray, widths)
        decoder = self._decoder_of(net)
        found = []
        for n, (one, length) in enumerate(zip(batch, frames.tolist(), strict=True)):
            line = labels[n, :length], log_probs[n, :length]
            result = _recognition(decoder(*line, options.decoder), one.strip, net.chars, options)
            if options.nbest:
                texts = decoder.texts(*line, options.nbest)
                shares = (("".join(net.chars[label] for label in text), share) for text, share in texts)
                result = replace(result, nbest=tuple(shares))
            found.append(result)
        return found


class _Net:
    """A model of lines; its session is opened when the first line needs it.

    Raises
    ------
    ModelError
        If the file is no model for reading lines.
    """

    def __init__(self, path: Path, threads: int | None) -> None:
        self.path, self.header = path, read_header(path)
        if path.suffix == ".safetensors":
            raise ModelError(f"{path}: holds weights for training; make a model for reading with: jphtr export")
        if self.header.kind != "line":
            raise ModelError(f"{path}: a {self.header.kind} model does not read lines; give a line model")
        self.chars = self.header.characters.chars
        # an int8 LSTM scales by what all lines of a batch hold; alone a line reads the same in any company, and lines
        # share the cores better than the parts of one do
        self.alone = self.header.storage == "int8"
        self._threads = 1 if self.alone else threads

    @cached_property
    def session(self) -> Any:
        """Of ONNX Runtime."""
        return open_session(self.path, "line", ("gray", "widths", "labels", "log_probs"), self._threads)

    def run(self, gray: NDArray[np.uint8], widths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The best classes (N, T, K) of each frame of strips (N, 48, W), best first, and their log-probabilities.

        Raises
        ------
        ModelError
            If the graph fails.
        """
        try:
            labels, log_probs = self.session.run(["labels", "log_probs"], {"gray": gray, "widths": widths})
        except RUNTIME_ERRORS as error:
            raise ModelError(f"{self.path}: failed on {gray.shape} pixels: {gist(error)}") from None
        if labels.max(initial=0) >= len(self.chars):
            raise ModelError(f"{self.path}: its net has more classes than its charset; export it again")
        return labels, log_probs


@dataclass(frozen=True, slots=True)
class _Options:
    """How to read, the same for every picture of a call."""

    direction: Direction | Literal["auto"]
    min_confidence: float
    unsure: Unsure
    decoder: str | None
    nbest: int


@dataclass(frozen=True, slots=True)
class _Try:
    """One way to look at the picture at `index`; `likely` is the way that its shape suggests, `net` what reads it."""

    index: int
    strip: Strip
    likely: bool
    net: _Net


def _recognition(found: Sequence[FrameSpan], strip: Strip, chars: Sequence[str], options: _Options) -> Recognition:
    spans = []
    for span, (x0, y0, x1, y1) in zip(found, boxes(found, strip.gray), strict=True):
        char = chars[span.label]
        others = tuple((chars[label], p) for label, p in span.alternatives)
        if span.confidence < options.min_confidence:
            if options.unsure == "drop":
                continue
            char, others = GETA, ((char, span.confidence), *others)
        spans.append(CharSpan(char, strip.to_source(x0, x1, y0, y1), span.confidence, others))
    text = "".join(span.char for span in spans)
    return Recognition(text, _geometric_mean([s.confidence for s in spans]), tuple(spans), strip.direction)


def _strips(picture: Picture, direction: Direction | Literal["auto"]) -> list[Strip]:
    """The strip of a picture, or both if its shape does not say how it runs, the likelier first.

    Raises
    ------
    ImageError
        If it cannot be read, is too small to hold a character or too long for one line.
    """
    gray = load_gray(picture)
    name = name_of(picture) or "picture"
    shorter, longer = sorted(gray.shape)
    size = f"{gray.shape[1]} x {gray.shape[0]} pixels"
    if longer < _LEAST:
        raise ImageError(f"{name}: {size} cannot hold a character; give a larger picture")
    if longer * HEIGHT > shorter * 2 * _LONGEST:  # before a strip of that length is made
        raise ImageError(f"{name}: {size} is too long for one line; cut it into parts")
    strips = [prepare(gray, way) for way in _ways(gray, direction)]
    if max(strip.gray.shape[1] for strip in strips) > _LONGEST:
        raise ImageError(f"{name}: {size} is too long for one line; cut it into parts")
    return strips


def _ways(gray: Gray, direction: Direction | Literal["auto"]) -> tuple[Direction, ...]:
    if direction != "auto":
        return (direction,)
    likely, sure = guess_direction(gray)
    other: Direction = "horizontal" if likely == "vertical" else "vertical"
    return (likely,) if sure else (likely, other)


def _batches(tries: Sequence[_Try], batch_size: int) -> Iterator[list[_Try]]:
    """Strips of one net and of like width: at most `batch_size`, and so many that a run keeps within its memory."""
    batch: list[_Try] = []
    for one in sorted(tries, key=lambda t: (str(t.net.path), t.strip.gray.shape[1])):
        most = 1 if one.net.alone else batch_size
        columns = (len(batch) + 1) * one.strip.gray.shape[1]
        if batch and (one.net is not batch[0].net or len(batch) >= most or columns > _BATCH_COLUMNS):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _geometric_mean(values: Sequence[float]) -> float:
    """Of probabilities; 0.0 of none, because nothing read is nothing to be sure of."""
    if not values:
        return 0.0
    return math.exp(sum(math.log(max(v, 1e-12)) for v in values) / len(values))
