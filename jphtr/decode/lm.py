"""A character n-gram model: how probable a character is after those before it, looked up thousands at a time.

The n-grams are a trie in breadth-first order, children by token. So node i + 1 is the i-th entry of one ascending
array of `parent * vocabulary + token`, and finding the child of any node is one binary search in it. Probabilities and
back-off weights are 8-bit places on a grid of logarithms (Whittaker and Raj 2001, "Quantization-based language model
compression"). What a model has not seen backs off (Katz 1987); every character that it knows has a floor.

Lines are pieces of text: nothing marks their begin or end, and a line may start anywhere at no cost but that of its
first character alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jphtr.errors import ModelError

SHIPPED_LM = Path(__file__).resolve().parents[1] / "models" / "ja.lm"
MAGIC = b"jphtr-lm"
FORMAT = 1
MAX_ORDER = 8
_MANY = 255  # a child count from which on the number itself stands in a table of its own
_MAX_HEADER = 1 << 22

State = tuple[int, ...]
States = NDArray[np.int64]
LogProbs = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LmHeader:
    """What a language model says about itself.

    Attributes
    ----------
    order : characters of the longest n-gram.
    chars : character of token 1, 2, ... as one string.
    classes : strings of characters that share the token of their first, each as probable as the others: digits, say.
    sizes : n-grams of order 1, 2, ...
    grids : lowest and step of each order's natural log-probabilities.
    backoff_grids : the same of its log back-off weights, order 0 first.
    many : how many children those nodes have that have 255 or more.
    surprisal : nats a character on text that it was not trained on; 0.0 where none was given.
    sources : name, sha256, lines, characters, weight of each text.
    training : how it was made.
    version : of the jphtr that wrote it.
    created : "YYYY-MM-DD", or "" so that two runs give the same file.
    digest : sha256 of the arrays behind the header.
    format : of the file.
    """

    order: int
    chars: str
    classes: list[str]
    sizes: list[int]
    grids: list[list[float]]
    backoff_grids: list[list[float]]
    many: list[int]
    surprisal: float = 0.0
    sources: list[dict[str, Any]] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    created: str = ""
    digest: str = ""
    format: int = FORMAT


class LanguageModel:
    """A character n-gram model as it lies in its file.

    Parameters
    ----------
    header : see `LmHeader`.
    tokens : (M,) uint16 last token of each n-gram: by order, within an order by context, within that by token.
    places : (M,) uint8 places of their log-probabilities on the grid of their order.
    children : (1 + M - sizes[-1],) uint8 how many n-grams continue each, the empty one first; 255 stands for the next
        of `header.many`.
    backoffs : uint8 places of the log back-off weights of those that are continued.

    Raises
    ------
    ModelError
        If they do not fit each other.
    """

    def __init__(
        self,
        header: LmHeader,
        tokens: NDArray[np.uint16],
        places: NDArray[np.uint8],
        children: NDArray[np.uint8],
        backoffs: NDArray[np.uint8],
    ) -> None:
        self.header = header
        self.order = header.order
        self.vocabulary = len(header.chars) + 1
        self._arrays = (tokens, places, children, backoffs)
        if not set("".join(header.classes)) <= set(header.chars):
            raise ModelError("its classes name characters that it does not know; copy or train it again")
        many = np.flatnonzero(children == _MANY)
        counts = children.astype(np.int64)
        if len(many) != len(header.many):
            raise ModelError("its tables do not fit each other; copy it again")
        counts[many] = header.many
        inner = np.flatnonzero(counts)
        if counts.sum() != len(tokens) or len(inner) != len(backoffs) or tokens.max(initial=0) >= self.vocabulary:
            raise ModelError("its tables do not fit each other; copy it again")
        self._keys = np.repeat(np.arange(len(counts)) * self.vocabulary, counts)
        self._keys += tokens
        # row 0 of each is the empty n-gram
        self._log_p = np.zeros(len(tokens) + 1, np.float32)
        self._backoff = np.zeros(len(tokens) + 1, np.float32)
        ends = np.cumsum([1, *header.sizes])
        for start, stop, (low, step) in zip(ends[:-1], ends[1:], header.grids, strict=True):
            self._log_p[start:stop] = low + step * places[start - 1 : stop - 1].astype(np.float32)
        cuts = np.searchsorted(inner, ends[:-1])
        for at, which, (low, step) in zip(
            np.split(inner, cuts), np.split(backoffs, cuts), header.backoff_grids, strict=False
        ):
            self._backoff[at] = low + step * which.astype(np.float32)
        # one item of a memoryview costs less than one of an array
        self._view, self._log_p_view, self._backoff_view = self._keys.data, self._log_p.data, self._backoff.data
        self.floor = float(-math.log(self.vocabulary))

    def __repr__(self) -> str:
        return f"LanguageModel(order {self.order}, {len(self._keys)} n-grams)"

    def __len__(self) -> int:
        return len(self._keys)

    @cached_property
    def start(self) -> States:
        """(order,) the state in which nothing has been read."""
        state = np.full(self.order, -1, np.int64)
        state[0] = 0
        return state

    def labelled(self, chars: Sequence[str]) -> tuple[NDArray[np.int64], LogProbs]:
        """Tokens of a model's characters, and the log of each character's share in its token.

        Returns
        -------
        (len(chars),) int64, 0 for characters unknown here, and float32.
        """
        token = {char: t for t, char in enumerate(self.header.chars, 1)}
        share: dict[str, float] = {}
        for members in self.header.classes:
            for char in members:
                token[char], share[char] = token[members[0]], -math.log(len(members))
        return (
            np.array([token.get(char, 0) for char in chars], np.int64),
            np.array([share.get(char, 0.0) for char in chars], np.float32),
        )

    def extend(self, states: States, tokens: NDArray[np.int64]) -> tuple[LogProbs, States]:
        """Read one token after each of many states.

        Parameters
        ----------
        states : (S, order) int64, from `start` or from here.
        tokens : (S,) int64, one for each; 0, an unknown character, is as probable as any and ends the context.

        Returns
        -------
        (S,) float32 natural log p(token | state), and (S, order) states behind it.
        """
        children = self._children(states, tokens[:, None])
        hit = children >= 0
        longest = self.order - 1 - hit[:, ::-1].argmax(axis=1)
        # what is longer than the longest n-gram that is there costs its back-off weight, if it is there itself
        beyond = np.arange(self.order) > longest[:, None]
        weights = (beyond * self._backoff[np.maximum(states, 0)]).sum(axis=1)
        known = children[np.arange(len(states)), longest]
        log_p = np.where(tokens > 0, self._log_p[known] + weights, self.floor)
        after = np.empty_like(states)
        after[:, 0] = 0
        after[:, 1:] = children[:, :-1]
        return log_p.astype(np.float32), after

    def after(self, state: State, token: int) -> tuple[float, State]:
        """What `extend` does, for one state as a tuple: a few microseconds, where a call of numpy takes fifty."""
        if not token:
            return self.floor, (0,) + (-1,) * (self.order - 1)
        vocabulary, keys = self.vocabulary, self._view
        children = [token]  # the node of a single token has its number
        for node in state[1:]:
            child = -1
            if node >= 0:
                wanted = node * vocabulary + token
                at = bisect_left(keys, wanted)
                if at < len(keys) and keys[at] == wanted:
                    child = at + 1
            children.append(child)
        log_p, n = 0.0, self.order - 1
        while children[n] < 0:
            if state[n] > 0:
                log_p += self._backoff_view[state[n]]
            n -= 1
        return log_p + self._log_p_view[children[n]], (0, *children[:-1])

    def score(self, tokens: NDArray[np.int64]) -> LogProbs:
        """(T,) float32 natural log-probability of each token of one text after those before it, 0 where it is 0."""
        states = np.full((len(tokens) + 1, self.order), -1, np.int64)
        states[:, 0] = 0
        for n in range(1, self.order):  # an n-gram ends at a token where the one before it, less its first, ended
            states[1:, n] = self._children(states[:-1, n - 1], tokens)
        log_p, _ = self.extend(states[:-1], tokens)
        return np.where(tokens > 0, log_p, np.float32(0))

    def _children(self, nodes: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The node that `tokens` leads to from each of `nodes`, or -1."""
        wanted = nodes * self.vocabulary + tokens
        at = np.searchsorted(self._keys, wanted)
        found = self._keys[np.minimum(at, len(self._keys) - 1)] == wanted  # a node of -1 makes no key
        return np.where(found, at + 1, -1)

    def described(self, **changes: Any) -> LanguageModel:
        """The same model with other remarks in its header, such as `surprisal`."""
        return LanguageModel(replace(self.header, **changes), *self._arrays)

    def to_bytes(self) -> bytes:
        """The file: magic, length of the header, header in JSON, the four arrays, little-endian."""
        body = b"".join(np.ascontiguousarray(a, a.dtype.newbyteorder("<")).tobytes() for a in self._arrays)
        values = asdict(self.header) | {"digest": hashlib.sha256(body).hexdigest()}
        head = json.dumps(values, ensure_ascii=False, sort_keys=True).encode()
        return MAGIC + len(head).to_bytes(4, "little") + head + body


def load_lm(path: Path | str) -> LanguageModel:
    """The language model in a file.

    Raises
    ------
    ModelError
        Missing, not a language model of jphtr, cut short, newer than this jphtr, or at odds with itself.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such language model; make one with: jphtr train-lm") from None
    except IsADirectoryError:
        raise ModelError(f"{path}: is a folder; name the .lm file in it") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError:  # an empty file cannot be mapped
        raise ModelError(f"{path}: is empty (0 bytes); copy or train it again") from None
    try:
        return _parsed(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        raise ModelError(f"{path}: is not a whole language model; copy or train it again") from None


def _parsed(data: mmap.mmap) -> LanguageModel:
    start = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC:
        raise ModelError("is not a language model of jphtr; make one with: jphtr train-lm")
    length = int.from_bytes(data[len(MAGIC) : start], "little")
    if length > _MAX_HEADER or start + length > len(data):
        raise ModelError("is not a whole language model; copy or train it again")
    values = json.loads(data[start : start + length])
    if not isinstance(values["format"], int) or values["format"] > FORMAT:
        raise ModelError(
            f"language model format {values['format']} is newer than this jphtr, which reads up to {FORMAT};"
            " upgrade with: pip install -U jphtr"
        )
    known = {f.name for f in fields(LmHeader)}
    header = LmHeader(**{key: value for key, value in values.items() if key in known})
    sizes = header.sizes
    if not 1 <= header.order <= MAX_ORDER or len(sizes) != header.order or min(sizes) < 0:
        raise ModelError("its header is at odds with itself; copy or train it again")
    total, at = sum(sizes), start + length
    arrays: list[NDArray[Any]] = []
    for dtype, size in (("<u2", total), ("u1", total), ("u1", 1 + total - sizes[-1])):
        arrays.append(np.frombuffer(data, dtype, size, at))
        at += arrays[-1].nbytes
    arrays.append(np.frombuffer(data, "u1", offset=at))
    return LanguageModel(header, *arrays)
