"""train / valid / test that never divide a writer.

A writer's part follows from the key of the writer alone, so it is the same in every file, whatever else lies in it:
sha256 of the key, its first eight bytes as a big-endian number, modulo 10: 0 to 7 train, 8 valid, 9 test. Official
splits of a data set stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jphtr.records import GlyphBlock

SPLITS: dict[str, int] = {"train": 1, "valid": 2, "test": 3}  # values of the column `split`; 0 is none


def part_of(key: str) -> int:
    """The part (a value of SPLITS) of a writer's key."""
    tenth = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 10
    return SPLITS["train"] if tenth < 8 else SPLITS["valid"] if tenth == 8 else SPLITS["test"]


def assign(blocks: Iterable[GlyphBlock], *, seed: int | None = None) -> Iterator[GlyphBlock]:
    """Blocks with a meta column `split` (N,) uint8.

    Parameters
    ----------
    blocks : a meta column `published` in them, a split that comes with the data, is taken where it is not 0.
    seed : None splits by writer. A number splits at random, glyph by glyph, 80 : 10 : 10: writers of a test glyph are
        then known from training, and scores on it say so.
    """
    for block in blocks:
        if seed is None:
            own = np.array([part_of(key) for key in block.writers], np.uint8)[block.writer]
            published = block.meta.get("published")
            split: NDArray[np.uint8] = own if published is None else np.where(published > 0, published, own)
        else:
            tenth = _draws(block, seed) % 10
            split = np.select([tenth < 8, tenth == 8], [SPLITS["train"], SPLITS["valid"]], SPLITS["test"])
        yield replace(block, meta={**block.meta, "split": split.astype(np.uint8)})


def _draws(block: GlyphBlock, seed: int) -> NDArray[np.uint64]:
    """A number for each glyph from the seed and its place in the source, whatever blocks it came in (splitmix64)."""
    name = int.from_bytes(hashlib.sha256(f"{seed} {block.source}".encode()).digest()[:8], "big")
    place = block.index.astype(np.uint64) + (block.meta["file"].astype(np.uint64) << 40 if "file" in block.meta else 0)
    with np.errstate(over="ignore"):
        z = (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(name)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
