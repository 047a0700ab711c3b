"""Texts -> how often every run of one to N characters stands in them, counted in blocks of bounded size."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import fold
from jphtr.errors import DataError
from jphtr.orthography import historical

Ids = NDArray[np.uint16]
Keys = NDArray[np.uint64]

_BLOCK = 1 << 22  # characters that are counted at a time
_PENDING = 1 << 24  # n-grams of one order that wait to be merged
_MOST = 1 << 25  # n-grams of one order that are kept; beyond, those seen once are forgotten


@dataclass(frozen=True, slots=True)
class Source:
    """A text that was counted: its file name, sha256 of the text itself, sentences, characters, weight."""

    name: str
    sha256: str
    lines: int
    chars: int
    weight: int


@dataclass(frozen=True, slots=True)
class NGrams:
    """The n-grams of one order.

    Attributes
    ----------
    keys : (M,) uint64 ascending: the tokens as digits of a number to the base of the vocabulary, the first the highest.
    counts : (M,) int64.
    """

    keys: Keys
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)


class Counter:
    """Counts the n-grams of token streams.

    Parameters
    ----------
    vocabulary : tokens there are, the 0 that breaks an n-gram included.
    order : of the longest n-grams; `vocabulary ** order` must fit into 64 bits.

    Raises
    ------
    DataError
        If it does not.
    """

    def __init__(self, vocabulary: int, order: int) -> None:
        if vocabulary**order > 1 << 64:
            raise DataError(f"order {order} of {vocabulary} tokens does not fit into 64 bits; choose a lower order")
        self.vocabulary, self.order = vocabulary, order
        self._merged = [NGrams(np.empty(0, np.uint64), np.empty(0, np.int64)) for _ in range(order)]
        self._pending: list[list[NGrams]] = [[] for _ in range(order)]

    def add(self, ids: Ids, weight: int = 1) -> None:
        """Count the n-grams of one stream `weight` times; none reaches over a 0."""
        keys, whole = ids.astype(np.uint64), ids > 0
        for n in range(self.order):
            if n:
                keys = keys[:-1] * np.uint64(self.vocabulary) + ids[n:]
                whole = whole[:-1] & (ids[n:] > 0)
            found, counts = np.unique(keys[whole], return_counts=True)
            self._pending[n].append(NGrams(found, counts * weight))
            if sum(map(len, self._pending[n])) > _PENDING:
                self._merge(n)

    def ngrams(self) -> list[NGrams]:
        """All n-grams counted so far, order 1 first."""
        for n in range(self.order):
            self._merge(n)
        return list(self._merged)

    def _merge(self, n: int) -> None:
        parts = [self._merged[n], *self._pending[n]]
        self._pending[n] = []
        keys = np.concatenate([part.keys for part in parts])
        counts = np.concatenate([part.counts for part in parts])
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.int64)
        merged = NGrams(keys[first], np.add.reduceat(counts, first) if len(first) else counts)
        if len(merged) > _MOST:
            often = merged.counts > 1
            merged = NGrams(merged.keys[often], merged.counts[often])
        self._merged[n] = merged


def tokens(text: str, table: Ids) -> Ids:
    """The tokens of a folded text; `table` gives that of every code point, 0 for what breaks n-grams."""
    return table[np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)]


def count(path: Path, counter: Counter, table: Ids, weight: int = 1, old: int = 0) -> Source:
    """Count a text file, one sentence a line: .txt or .tsv (its first column, below a header), plain, .xz or .gz.

    Parameters
    ----------
    path, counter, weight : what is counted, where, and how many times.
    table : from `token_table`.
    old : every so many lines one is counted again in the spelling of before 1946; 0 counts none.

    Raises
    ------
    DataError
        If the file is missing, broken, or not UTF-8 text.
    """
    digest, lines, chars = hashlib.sha256(), 0, 0
    for block in blocks(path):
        digest.update(block.encode())
        sentences = block.split("\n")
        ids = tokens(fold(block), table)
        counter.add(ids, weight)
        if old:
            again = "\n".join(historical(line) for line in sentences[(-lines) % old :: old])
            counter.add(tokens(fold(again), table), weight)
        lines += sum(1 for line in sentences if line)
        chars += int((ids > 0).sum())
    return Source(path.name, digest.hexdigest(), lines, chars, weight)


def blocks(path: Path) -> Iterator[str]:
    """Whole lines of a text file, joined by line feeds, some millions of characters at a time.

    Raises
    ------
    DataError
        As `count`.
    """
    try:
        with _opened(path) as file:
            table = ".tsv" in path.suffixes
            held: list[str] = []
            size = 0
            for number, line in enumerate(file):
                if table:
                    line = line.split("\t", 1)[0].rstrip("\n") + "\n" if number else ""
                held.append(line)
                size += len(line)
                if size >= _BLOCK:
                    yield "".join(held)
                    held, size = [], 0
            if held:
                yield "".join(held)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; give UTF-8 text, plain, .xz or .gz") from None
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: is not whole ({error}); copy it again") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; save it as UTF-8") from None


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", newline="\n")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return open(path, encoding="utf-8", newline="\n")


def token_table(chars: Sequence[str], classes: Sequence[str]) -> tuple[Ids, NDArray[np.float32]]:
    """Which token every code point is, and the part of its token that it has.

    Parameters
    ----------
    chars : characters by token; the first, token 0, is that of everything else.
    classes : strings of characters that share the token of their first.

    Returns
    -------
    (0x110000,) uint16 tokens, and float32 natural logs of p(character | token).
    """
    table, share = np.zeros(0x110000, np.uint16), np.zeros(0x110000, np.float32)
    for token, char in enumerate(chars):
        if char:
            table[ord(char)] = token
    for members in classes:
        codes = [ord(c) for c in members if table[ord(c)]]
        table[codes] = table[codes[0]] if codes else 0
        share[codes] = -np.log(len(codes)) if codes else 0
    return table, share
