"""The beam against all paths there are, with and without a language model, and its spans against Bayes' rule."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import groupby, pairwise, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from jphtr.charset import BLANK, Charset
from jphtr.decode.align import align
from jphtr.decode.beam import Hypothesis, Search, beam, hypotheses, spans
from jphtr.decode.fusion import Fusion
from jphtr.decode.greedy import greedy
from jphtr.decode.lm_train import train

EVERYTHING = {"width": 10_000, "certain": 2.0, "least": 0.0, "margin": math.inf}
CHARS = Charset("かきくけ")
KA, KI, KU, KE = range(1, 5)


@pytest.fixture(scope="module")
def fusion(tmp_path_factory: pytest.TempPathFactory) -> Fusion:
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_text("かきく\nきくか\nくくか\n" * 9 + "けけき\n", "utf-8")
    return Fusion(train([(path, 1)], CHARS, order=3, min_count=1), CHARS.chars, weight=0.7)


def frames(probs: NDArray[np.float64], k: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    order = np.argsort(-probs, axis=1, kind="stable")[:, :k]
    return order.astype(np.int64), np.log(np.take_along_axis(probs, order, 1)).astype(np.float32)


def paths_of(probs: NDArray[np.float64]) -> dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]]:
    """Every text with the probability and the classes of every path that reads so."""
    steps, classes = probs.shape
    found = defaultdict(list)
    for path in product(range(classes), repeat=steps):
        text = tuple(label for label, _ in groupby(path) if label != BLANK)
        found[text].append((float(probs[np.arange(steps), path].prod()), path))
    return found


def gain(fusion: Fusion | None, text: tuple[int, ...]) -> float:
    if fusion is None:
        return 0.0
    total, context = 0.0, fusion.start
    for label in text:
        more, context = fusion.after(context, label)
        total += more
    return total


@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_every_text_is_scored_by_all_its_paths(seed: int, with_model: bool, fusion: Fusion) -> None:
    rng = np.random.default_rng(seed)
    steps, classes = int(rng.integers(1, 6)), int(rng.integers(2, 5))
    probs = rng.dirichlet(np.full(classes, 0.6), steps) + 1e-6
    model = fusion if with_model else None
    wanted = {text: math.log(sum(p for p, _ in paths)) + gain(model, text) for text, paths in paths_of(probs).items()}
    found = hypotheses(*frames(probs), Search(fusion=model, **EVERYTHING), 10_000)  # type: ignore[arg-type]
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert {h.labels for h in found} == set(wanted)
    for h in found:
        assert h.score == pytest.approx(wanted[h.labels], abs=1e-4)
    best = max(wanted, key=lambda text: wanted[text])
    decoded = [span.label for span in beam(*frames(probs), Search(fusion=model, **EVERYTHING))]  # type: ignore[arg-type]
    assert wanted[tuple(decoded)] == pytest.approx(wanted[best], abs=1e-4)


def test_a_text_of_many_paths_beats_the_single_best_path() -> None:
    probs = np.array([[0.4, 0.35, 0.25], [0.4, 0.35, 0.25]])
    assert greedy(*frames(probs)) == []
    assert [s.label for s in beam(*frames(probs))] == [KA]  # 0.35 * 0.35 + 2 * 0.4 * 0.35 > 0.4 * 0.4


@pytest.mark.parametrize("seed", range(20))
def test_short_cuts_change_nothing_that_matters(seed: int, fusion: Fusion) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.dirichlet(np.full(5, 0.4)) if rng.random() < 0.35 else np.full(5, 2e-5) for _ in range(14)]
    probs = np.array(rows)
    for row in probs:
        if row.sum() < 0.5:
            row[rng.choice([0, 0, 0, 1, 2, 3])] = 1 - 8e-5
    fast, slow = Search(fusion, width=60, margin=20.0), Search(fusion, **EVERYTHING | {"width": 200})  # type: ignore[arg-type]
    (quick,), (whole,) = hypotheses(*frames(probs), fast, 1), hypotheses(*frames(probs), slow, 1)
    assert quick.labels == whole.labels
    assert quick.score == pytest.approx(whole.score, abs=0.05)


def test_long_lines_keep_their_numbers() -> None:
    probs = np.tile([[0.05, 0.5, 0.45], [0.9, 0.05, 0.05]], (3_000, 1))
    (best,) = hypotheses(*frames(probs), Search(certain=2.0), 1)
    assert math.isfinite(best.score) and best.labels.count(KA) > 2_900


@pytest.mark.parametrize("seed", range(30))
def test_alignment_is_the_best_path_of_the_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(3, 0.7), int(rng.integers(1, 6))) + 1e-6
    labels, log_probs = frames(probs)
    for text, paths in paths_of(probs).items():
        runs = align(text, labels, log_probs)
        path = [BLANK] * len(probs)
        for label, (start, stop) in zip(text, runs, strict=True):
            assert start < stop
            path[start:stop] = [label] * (stop - start)
        assert tuple(label for label, _ in groupby(path) if label) == text
        assert probs[np.arange(len(probs)), path].prod() == pytest.approx(max(p for p, _ in paths), rel=1e-3)


def test_a_text_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="3 characters do not fit"):
        align([KA, KA, KI], *frames(np.full((3, 3), 1 / 3)))


def test_frames_are_those_of_greedy_where_the_text_is(fusion: Fusion) -> None:
    probs = np.array([[0.98, 0.01, 0.01], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.97, 0.02, 0.01], [0.1, 0.05, 0.85]])
    given = greedy(*frames(probs))
    assert beam(*frames(probs)) == given
    weighed = beam(*frames(probs), Search(fusion))
    assert [(s.label, s.start, s.stop, s.centre) for s in weighed] == [
        (s.label, s.start, s.stop, s.centre) for s in given
    ]


def test_the_model_settles_a_doubt_and_says_how_sure_it_is(fusion: Fusion) -> None:
    sure = [[0.9996, 0.0001, 0.0001, 0.0001, 0.0001]]
    row = lambda label: [[0.9996 if c == label else 0.0001 for c in range(5)]]  # noqa: E731
    doubt = [[0.02, 0.0, 0.0, 0.44, 0.54]]  # く or け behind かき
    probs = np.array(row(KA) + sure + row(KI) + sure + doubt + sure) + 1e-9
    assert [s.label for s in greedy(*frames(probs))] == [KA, KI, KE]
    found = beam(*frames(probs), Search(fusion))
    assert [s.label for s in found] == [KA, KI, KU]
    weights = {label: probs[4, label] * math.exp(gain(fusion, (KA, KI, label))) for label in (KU, KE)}
    blank = probs[4, BLANK] * math.exp(gain(fusion, (KA, KI)))
    total = sum(weights.values()) + blank
    assert found[2].confidence == pytest.approx(weights[KU] / total, rel=1e-3)
    assert found[2].alternatives[0] == (KE, pytest.approx(weights[KE] / total, rel=1e-3))
    assert found[2].confidence > 0.44
    assert (found[2].start, found[2].stop, found[2].centre) == (4, 5, pytest.approx(4.5))
    assert found[0].confidence == pytest.approx(0.9996)  # where the net is certain, the model has no say


def test_what_is_behind_counts_too(fusion: Fusion) -> None:
    row = lambda label: [[0.9996 if c == label else 0.0001 for c in range(5)]]  # noqa: E731
    doubt = [[0.02, 0.48, 0.0, 0.0, 0.5]]  # か or け
    for behind, wanted in (([KI, KU], KA), ([KE, KI], KE)):
        probs = np.array(doubt + row(BLANK) + row(behind[0]) + row(behind[1])) + 1e-9
        assert [s.label for s in beam(*frames(probs), Search(fusion))] == [wanted, *behind]


def test_spans_of_another_hypothesis(fusion: Fusion) -> None:
    probs = np.array([[0.1, 0.5, 0.4, 0, 0], [0.9, 0.05, 0.05, 0, 0], [0.2, 0, 0, 0.5, 0.3]]) + 1e-9
    search = Search(fusion)
    found = hypotheses(*frames(probs), search, 20)
    assert len({h.labels for h in found}) == len(found) > 3
    for h in found:
        laid = spans(h, *frames(probs), search)
        assert tuple(s.label for s in laid) == h.labels
        assert all(a.stop <= b.start for a, b in pairwise(laid))
        for s in laid:
            assert 0 < s.confidence <= 1 and s.label not in dict(s.alternatives)
            assert s.start <= s.centre <= s.stop
            assert s.confidence + sum(p for _, p in s.alternatives) <= 1 + 1e-6


def test_no_frames_no_text(fusion: Fusion) -> None:
    empty = np.empty((0, 8), np.int64), np.empty((0, 8), np.float32)
    assert hypotheses(*empty, Search(fusion), 5) == [Hypothesis((), 0.0)]
    assert beam(*empty, Search(fusion)) == []


def test_a_class_that_the_net_does_not_give_is_impossible(tmp_path: Path) -> None:
    probs = np.array([[0.3, 0.5, 0.2], [0.6, 0.3, 0.1]])
    found = hypotheses(*frames(probs, 2), Search(certain=2.0, least=0.0), 100)
    assert {label for h in found for label in h.labels} == {KA}
