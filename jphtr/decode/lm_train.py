"""Texts -> a language model of a given size: counted, smoothed, pruned, quantised.

Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, "An empirical study of smoothing techniques for
language modeling"), then relative entropy pruning (Stolcke 1998, "Entropy-based pruning of backoff language models")
with the histories weighed by their plain counts, as Chelba et al. 2010 advise where lower orders are Kneser-Ney's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jphtr.charset import Charset, fold
from jphtr.decode.lm import MAX_ORDER, LanguageModel, LmHeader
from jphtr.decode.lm_counts import Counter, Ids, Keys, NGrams, blocks, count, token_table, tokens
from jphtr.errors import DataError

ALIKE = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")  # any digit is as likely as another

_TINY = 1e-9
_INNER, _LAST = 5, 3  # bytes that an n-gram takes, and one of the highest order
_RARE_FROM = 3  # order from which on n-grams seen too seldom are left out
Reals = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Level:
    """The n-grams of one order on their way into a model.

    Attributes
    ----------
    keys : (M,) ascending, as those of `NGrams`.
    p : (M,) of the last token after the others.
    parent : (M,) place of each without its last token in the level below.
    cost : (M,) what leaving it out would cost, in nats a character of text.
    """

    keys: Keys
    p: Reals
    parent: Places
    cost: Reals


def train(
    texts: Sequence[tuple[Path, int]],
    charset: Charset,
    *,
    order: int = 4,
    max_bytes: int = 6_000_000,
    min_count: int = 2,
    alike: Sequence[str] = ALIKE,
    valid: Sequence[Path] = (),
    old: int = 0,
    version: str = "",
) -> LanguageModel:
    """A language model of texts, the same for the same texts.

    Parameters
    ----------
    texts : files with one sentence a line, as `lm_counts.count` reads them, each with the weight of its counts.
    charset : the characters that the model knows; others break n-grams. Those that the texts lack get a floor.
    order : characters of the longest n-gram.
    max_bytes : the file is no larger; as many n-grams are kept as fit, the least useful are left out.
    min_count : n-grams of three or more characters seen more seldom are left out.
    alike : strings of characters that share all their statistics.
    valid : texts whose surprisal goes into the header.
    old : every so many sentences one is counted again in the spelling of before 1946; 0 counts none.
    version : of the jphtr that trains.

    Raises
    ------
    DataError
        If a text cannot be read or holds nothing of the charset, or the order is impossible.
    """
    if not 2 <= order <= MAX_ORDER:
        raise DataError(f"order {order}: a language model has 2 to {MAX_ORDER}")
    table, share = token_table(charset.chars, alike)
    counter = Counter(len(charset), order)
    sources = [asdict(count(path, counter, table, weight, old)) for path, weight in texts]
    known = [c for c in ("".join(m for m in members if charset.covers(m)) for members in alike) if len(c) > 1]
    header = LmHeader(
        order, charset.to_text(), known, [], [], [], [], sources=sources, version=version,
        training={"smoothing": "modified Kneser-Ney", "min_count": min_count, "max_bytes": max_bytes, "old": old},
    )  # fmt: skip
    lm = fit(counter.ngrams(), header, max_bytes=max_bytes, min_count=min_count)
    if not valid:
        return lm
    nats = [surprisal(lm, path, table, share) for path in valid]
    chars = sum(n for _, n in nats)
    if not chars:
        raise DataError(f"{valid[0]}: holds no character of the charset; give text like that of training")
    return lm.described(surprisal=round(sum(total for total, _ in nats) / chars, 4))


def surprisal(lm: LanguageModel, path: Path, table: Ids, share: NDArray[np.float32]) -> tuple[float, int]:
    """Nats that the characters of a text file cost together, and their number; `token_table` gives the tables.

    Raises
    ------
    DataError
        If the text cannot be read.
    """
    nats, chars = 0.0, 0
    for block in blocks(path):
        text = fold(block)
        ids = tokens(text, table)
        codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
        nats -= float(lm.score(ids.astype(np.int64)).sum(dtype=np.float64))
        nats -= float(share[codes[ids > 0]].sum(dtype=np.float64))
        chars += int((ids > 0).sum())
    return nats, chars


def fit(ngrams: Sequence[NGrams], header: LmHeader, *, max_bytes: int, min_count: int = 2) -> LanguageModel:
    """The model of counted n-grams, order 1 first; see `train`."""
    vocabulary = len(header.chars) + 1
    if not len(ngrams[0]):
        raise DataError("train-lm: the texts hold no character of the charset; give Japanese text in UTF-8")
    levels = _probabilities(ngrams, _members(header), min_count)
    return _assembled(_pruned(levels, max_bytes - 100 * len(levels) - 16 * vocabulary), header, vocabulary)


def _members(header: LmHeader) -> Reals:
    """(V,) how many characters each token stands for: next to none where another token stands for its character."""
    places = {char: place for place, char in enumerate(header.chars)}
    found = np.ones(len(header.chars))
    for members in header.classes:
        found[[places[char] for char in members]] = 1e-3
        found[places[members[0]]] = len(members)
    return found


def _continuations(ngrams: Sequence[NGrams], n: int, vocabulary: int) -> NDArray[np.int64]:
    """Before how many different tokens each n-gram of order n + 1 stands: Kneser and Ney's count of lower orders."""
    if n + 1 == len(ngrams):
        return ngrams[n].counts
    found, left = np.unique(ngrams[n + 1].keys % np.uint64(vocabulary ** (n + 1)), return_counts=True)
    counts = np.ones(len(ngrams[n]), np.int64)  # what stands only at the head of a line
    counts[np.searchsorted(ngrams[n].keys, found)] = left
    return counts


def _discounts(counts: NDArray[np.int64]) -> Reals:
    """(4,) what is taken off a count of 0, 1, 2, and 3 or more (Chen and Goodman 1998, equation 26)."""
    n1, n2, n3, n4 = (max(1, int((counts == k).sum())) for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    found = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.clip(found, [0, 0.1, 0.1, 0.1], [0, 0.95, 1.9, 2.85])  # a small text may give what is no discount


def _probabilities(ngrams: Sequence[NGrams], members: Reals, min_count: int) -> list[_Level]:
    vocabulary = len(members) + 1
    base, everything = np.uint64(vocabulary), float(ngrams[0].counts.sum())
    seen, (share, _, _) = ngrams[0].keys.astype(np.int64) - 1, _shares(_continuations(ngrams, 0, vocabulary), None)
    p = max(1 - share.sum(), _TINY) * members / members.sum()  # the floor of every character
    p[seen] += share
    often = np.zeros(vocabulary - 1)
    often[seen] = ngrams[0].counts / everything
    keys = np.arange(1, vocabulary, dtype=np.uint64)
    levels = [_Level(keys, p / p.sum(), np.zeros(len(keys), np.int64), np.full(len(keys), np.inf))]
    for n, level in enumerate(ngrams[1:], 1):
        below = levels[-1]
        contexts = level.keys // base
        share, group, heads = _shares(_continuations(ngrams, n, vocabulary), contexts)
        kept = level.counts >= (min_count if n + 1 >= _RARE_FROM else 1)
        keys, share, group = level.keys[kept], share[kept], group[kept]
        # a context all of whose n-grams are left out may be gone from the level below: its place is never used
        parent = np.searchsorted(below.keys, contexts[heads])[group]
        left = 1 - np.bincount(group, share, len(heads))  # for what the context was not seen with
        low = below.p[np.searchsorted(below.keys, keys % np.uint64(vocabulary**n))]
        p = share + left[group] * low
        cost = often[parent] * _loss(p, low, group, len(heads))
        levels.append(_Level(keys, p, parent, cost))
        often = level.counts[kept] / everything
    return levels


def _shares(counts: NDArray[np.int64], contexts: Keys | None) -> tuple[Reals, Places, Places]:
    """Discounted part that each n-gram has in its context, the number of its context, and where contexts begin."""
    if contexts is None:
        heads = np.zeros(1, np.int64)
    else:
        heads = np.flatnonzero(np.concatenate([[True], contexts[1:] != contexts[:-1]]))[: len(contexts)]
    group = np.repeat(np.arange(len(heads)), np.diff(np.append(heads, len(counts))))
    totals = np.bincount(group, counts, len(heads))
    return (counts - _discounts(counts)[np.minimum(counts, 3)]) / totals[group], group, heads


def _loss(p: Reals, low: Reals, group: Places, groups: int) -> Reals:
    """Relative entropy of a context's distribution with and without each n-gram (Stolcke 1998, equation 5)."""
    rest = np.maximum(1 - np.bincount(group, p, groups), _TINY)[group]
    rest_low = np.maximum(1 - np.bincount(group, low, groups), _TINY)[group]
    backoff, after = np.log(rest / rest_low), np.log((rest + p) / (rest_low + low))
    loss: Reals = -p * (np.log(low) + after - np.log(p)) - rest * (after - backoff)
    return loss


def _pruned(levels: Sequence[_Level], budget: int) -> list[_Level]:
    """The n-grams that are worth most, as many as fit; one stays where one that continues it does."""
    costs = [level.cost.copy() for level in levels]
    for n in range(len(levels) - 1, 0, -1):
        np.maximum.at(costs[n - 1], levels[n].parent, costs[n])
    every = np.concatenate(costs[1:])
    size = np.full(len(every), _INNER)
    size[len(every) - len(costs[-1]) :] = _LAST
    order = np.argsort(-every, kind="stable")
    first_out = int(np.searchsorted(np.cumsum(size[order]), budget, "right"))
    least = every[order[first_out]] if first_out < len(order) else -np.inf
    pruned = [levels[0]]
    place = np.arange(len(levels[0].keys))
    for level, cost in zip(levels[1:], costs[1:], strict=True):
        kept = cost > least
        pruned.append(_Level(level.keys[kept], level.p[kept], place[level.parent[kept]], cost[kept]))
        place = np.cumsum(kept) - 1
    return pruned


def _assembled(levels: Sequence[_Level], header: LmHeader, vocabulary: int) -> LanguageModel:
    """The model, its back-off weights such that what follows a context sums to 1, but for their last bit."""
    base = np.uint64(vocabulary)
    children = [np.array([len(levels[0].keys)])]
    grids, places = [], []
    backoff_grids, backoff_places = [[0.0, 0.0]], [np.zeros(1, np.uint8)]
    log_p: list[Reals] = []
    weights: list[Reals] = []  # of the n-grams of order 1, 2, ...
    for n, level in enumerate(levels):
        grid, place, rounded = _on_grid(np.log(level.p))
        grids.append(grid)
        places.append(place)
        log_p.append(rounded)
        if n == 0:
            continue
        size = len(levels[n - 1].keys)
        low = _backed_off(levels, log_p, weights, level.keys % np.uint64(vocabulary**n), n - 1, base)
        rest = 1 - np.bincount(level.parent, np.exp(rounded), size)
        rest_low = 1 - np.bincount(level.parent, np.exp(low), size)
        count = np.bincount(level.parent, minlength=size)
        inner = count > 0
        # where rounding leaves nothing for the rest, it gets one part in a thousand
        grid, place, rounded = _on_grid(np.log(np.maximum(rest[inner], 1e-3) / np.maximum(rest_low[inner], 1e-3)))
        children.append(count)
        backoff_grids.append(grid)
        backoff_places.append(place)
        weights.append(np.zeros(size))
        weights[-1][inner] = rounded
    counts = np.concatenate(children)
    return LanguageModel(
        replace(
            header,
            order=len(levels),
            sizes=[len(level.keys) for level in levels],
            grids=grids,
            backoff_grids=backoff_grids,
            many=counts[counts >= 255].tolist(),
        ),
        np.concatenate([(level.keys % base).astype(np.uint16) for level in levels]),
        np.concatenate(places),
        np.minimum(counts, 255).astype(np.uint8),
        np.concatenate(backoff_places),
    )


def _on_grid(values: Reals) -> tuple[list[float], NDArray[np.uint8], Reals]:
    """Lowest and step of an even grid of 256 values, the place of each of `values` on it, and what stands there."""
    if not len(values):
        return [0.0, 0.0], np.empty(0, np.uint8), values
    low = round(float(values.min()), 5)
    step = round((float(values.max()) - low) / 255, 7)
    places = np.clip(np.rint((values - low) / (step or 1)), 0, 255).astype(np.uint8)
    return [low, step], places, low + step * places.astype(np.float64)


def _backed_off(
    levels: Sequence[_Level], log_p: Sequence[Reals], weights: Sequence[Reals], keys: Keys, n: int, base: np.uint64
) -> Reals:
    """Log-probability of n-grams of order n + 1 in the model as far as it has come."""
    found, open_ = np.zeros(len(keys)), np.arange(len(keys))
    while len(open_):  # at the latest every single character is there
        at, there = _places_of(keys, levels[n].keys)
        found[open_[there]] += log_p[n][at[there]]
        open_, keys = open_[~there], keys[~there]
        if len(open_):
            at, there = _places_of(keys // base, levels[n - 1].keys)
            found[open_[there]] += weights[n - 1][at[there]]
            keys = keys % base ** np.uint64(n)
            n -= 1
    return found


def _places_of(keys: Keys, among: Keys) -> tuple[Places, NDArray[np.bool_]]:
    """Where each of `keys` stands in an ascending array, and whether it is there at all."""
    at = np.searchsorted(among, keys)
    there = at < len(among)
    there[there] = among[at[there]] == keys[there]
    return np.where(there, at, 0), there
