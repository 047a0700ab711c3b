"""Frames of a line -> its characters, as the options of a reader say: decoder, language model, characters allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jphtr.decode import DECODERS
from jphtr.decode.allowed import allowed, restricted
from jphtr.decode.beam import WIDTH, Hypothesis, Search, hypotheses, spans
from jphtr.decode.doublets import full_width, merge_doublets
from jphtr.decode.fusion import WEIGHT, Fusion
from jphtr.decode.lm import SHIPPED_LM, load_lm
from jphtr.decode.spans import FrameSpan
from jphtr.errors import SettingsError

DECODER = "beam"  # what reads best on balance
NO_LM = "none"


class LineDecoder:
    """Decodes the frames of lines.

    Parameters
    ----------
    chars : the net's characters by label, the blank first.
    decoder : a key of `DECODERS`; None takes the one that reads best on balance.
    lm : the language model that a beam asks, a file; None takes the one in the package, "none" none. It is read
        when it is first asked.
    lm_weight : of the model beside the net; None takes the tuned one.
    beam_width : texts that a beam keeps from frame to frame; None takes the tuned number.
    allow, block : characters, scripts or "@" files that alone may be read, or may not; see `allowed`.

    Raises
    ------
    SettingsError
        If there is no such decoder, or a list is not one.
    """

    def __init__(
        self, chars: Sequence[str], *, decoder: str | None = None, lm: Path | str | None = None,
        lm_weight: float | None = None, beam_width: int | None = None, allow: Sequence[str] = (),
        block: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.decoder = _known(decoder or DECODER)
        self.lm = None if str(lm) == NO_LM else SHIPPED_LM if lm is None else Path(lm)
        self._chars, self._wide = chars, full_width(chars)
        self._weight = WEIGHT if lm_weight is None else lm_weight
        self._width = WIDTH if beam_width is None else beam_width
        self._may = allowed(chars, allow, block)

    def __str__(self) -> str:
        if self.decoder != "beam":
            return self.decoder
        model = f"language model {self.lm.name}, weight {self._weight:g}" if self.lm else "no language model"
        return f"beam of {self._width}, {model}"

    @cached_property
    def search(self) -> Search:
        """How a beam looks for text; reads the language model.

        Raises
        ------
        ModelError
            If its file is not one.
        """
        fusion = Fusion(load_lm(self.lm), self._chars, self._weight) if self.lm else None
        return Search(fusion, self._width)

    def __call__(
        self, labels: NDArray[np.int64], log_probs: NDArray[np.float32], decoder: str | None = None
    ) -> list[FrameSpan]:
        """The characters of one line in reading order.

        Parameters
        ----------
        labels, log_probs : (T, K) classes of each of the line's own frames, best first, and their natural
            log-probabilities.
        decoder : another than this one's.
        """
        if self._may is not None:
            labels, log_probs = restricted(labels, log_probs, self._may)
        name = _known(decoder) if decoder else self.decoder
        search = self.search if name == "beam" else None
        return merge_doublets(DECODERS[name](labels, log_probs, search), self._wide)

    def texts(
        self, labels: NDArray[np.int64], log_probs: NDArray[np.float32], count: int
    ) -> list[tuple[tuple[int, ...], float]]:
        """The labels of the most probable texts of a line, best first, each with its share of all that a beam held.

        Parameters
        ----------
        labels, log_probs : as above.
        count : how many at most.
        """
        if self._may is not None:
            labels, log_probs = restricted(labels, log_probs, self._may)
        found = hypotheses(labels, log_probs, self.search, self._width)
        shares: dict[tuple[int, ...], float] = {}
        for one in found:
            text = tuple(span.label for span in self._merged(one, labels, log_probs))
            shares[text] = shares.get(text, 0.0) + math.exp(one.score - found[0].score)
        total = sum(shares.values())
        best = sorted(shares.items(), key=lambda item: -item[1])
        return [(text, share / total) for text, share in best[:count]]

    def _merged(self, found: Hypothesis, labels: NDArray[np.int64], log_probs: NDArray[np.float32]) -> list[FrameSpan]:
        return merge_doublets(spans(found, labels, log_probs, self.search), self._wide)


def _known(decoder: str) -> str:
    if decoder not in DECODERS:
        raise SettingsError(f"decoder {decoder!r}: there are {', '.join(DECODERS)}")
    return decoder
