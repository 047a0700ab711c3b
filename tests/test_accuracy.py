"""Counts over answers, against slow counting; calibration against planted temperatures."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from jphtr.accuracy import (
    WRITERS,
    Answers,
    TemperatureFit,
    accuracy,
    alike,
    answers,
    confusions,
    ece,
    fit_temperature,
    joined,
    reliability,
    writer_interval,
)

CHARS = ("", *"へヘあべベ一ーつっ漢")


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def planted(
    count: int = 500, classes: int = len(CHARS), seed: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Logits whose blank is minus infinity, and what pictures show."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, classes, count).astype(np.int32)
    logits = rng.normal(0, 1, (count, classes))
    logits[np.arange(count), truth] += 2
    logits[:, 0] = -np.inf
    return logits.astype(np.float32), truth


def test_best_answers_by_sorting() -> None:
    logits, truth = planted()
    probabilities = softmax(logits)
    found = answers(probabilities, truth)
    for row, label in enumerate(truth):
        order = sorted(range(1, len(CHARS)), key=lambda c: -probabilities[row, c])[:5]
        assert found.best[row].tolist() == order
        assert found.confidence[row] == probabilities[row, order[0]] and found.given[row] == probabilities[row, label]
        for among in (1, 3, 5):
            assert found.hits(among=among)[row] == (label in order[:among])
    halves = joined([answers(probabilities[:200], truth[:200]), answers(probabilities[200:], truth[200:])])
    assert (halves.best == found.best).all() and (halves.truth == found.truth).all()


def test_the_blank_is_no_answer_and_few_classes_will_do() -> None:
    probabilities = np.array([[0.9, 0.06, 0.04], [0.0, 0.2, 0.8]], np.float32)
    found = answers(probabilities, np.array([2, 2], np.int32))
    assert found.best.tolist() == [[1, 2], [2, 1]]
    assert found.hits(among=5).all()


def test_look_alikes_share_a_shape_and_sizes_do_not() -> None:
    same = dict(zip(CHARS, alike(CHARS).tolist(), strict=True))
    assert same["へ"] == same["ヘ"] != same["べ"] == same["ベ"]
    assert same["一"] == same["ー"]
    assert len({same[c] for c in "あつっ漢"}) == 4
    probabilities = np.zeros((3, len(CHARS)), np.float32)
    for row, read in enumerate("ヘベっ"):
        probabilities[row, CHARS.index(read)] = 1
    found = answers(probabilities, np.array([CHARS.index(c) for c in "へあつ"], np.int32))
    assert found.hits().tolist() == [False] * 3 and found.hits(alike(CHARS)).tolist() == [True, False, False]


def test_accuracy_by_counting() -> None:
    logits, truth = planted()
    truth[:300] = 3  # あ comes often, so that the balanced rate differs
    found, writer = answers(softmax(logits), truth), (np.arange(500) % 7).astype(np.int32)
    counted = accuracy(found, writer)
    right = [found.best[i, 0] == truth[i] for i in range(500)]
    recalls = [np.mean([r for r, t in zip(right, truth, strict=True) if t == label]) for label in sorted(set(truth))]
    assert counted.glyphs == 500 and counted.writers == 7 and counted.classes == len(recalls)
    assert counted.top1 == pytest.approx(np.mean(right)) and counted.balanced == pytest.approx(np.mean(recalls))
    assert counted.top5 == pytest.approx(np.mean([truth[i] in found.best[i] for i in range(500)]))
    assert counted.low < counted.top1 < counted.high
    folded = accuracy(found, writer, alike(CHARS))
    assert folded.top1 > counted.top1 and folded.classes == counted.classes


def test_whole_writers_are_drawn() -> None:
    """Ten writers of which one fails: drawing pictures would make the interval four times too narrow."""
    writer = np.repeat(np.arange(10), [100] * 9 + [50]).astype(np.int32)
    right = writer != 9
    low, high = writer_interval(right, writer)
    rng = np.random.default_rng(5)
    rates = []
    for _ in range(4000):
        drawn = rng.integers(0, 10, 10)
        sizes = np.where(drawn == 9, 50, 100)
        rates.append(1 - sizes[drawn == 9].sum() / sizes.sum())
    assert (low, high) == pytest.approx(np.quantile(rates, [0.025, 0.975]), abs=0.02)
    few = np.minimum(writer, WRITERS - 2)
    assert writer_interval(right, few) == pytest.approx((0.933, 0.961), abs=0.004)  # 900 of 950: binomial
    assert accuracy(one_each(right), writer).over == "writers" and accuracy(one_each(right), few).over == "pictures"
    assert writer_interval(np.ones(10, np.bool_), np.zeros(10, np.int32)) == (1.0, 1.0)


def one_each(right: NDArray[np.bool_]) -> Answers:
    """Answers of which so many are right."""
    truth = np.ones(len(right), np.int32)
    sure = np.ones(len(right), np.float32)
    return Answers(truth, np.where(right, 1, 2).astype(np.int32)[:, None], sure, sure)


def test_confusions_by_hand() -> None:
    truth = np.array([1, 1, 1, 2, 2, 3, 4], np.int32)
    read = np.array([1, 2, 2, 1, 1, 3, 3], np.int32)
    found = Answers(truth, read[:, None], np.ones(7, np.float32), np.ones(7, np.float32))
    assert confusions(found) == [(2, 1, 2, 2), (1, 2, 2, 3), (4, 3, 1, 1)]
    assert confusions(found, 1) == [(2, 1, 2, 2)]
    assert confusions(found.take(found.hits())) == []


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.5, 1.0], np.float32)
    right = np.array([True, True, True, False, True, True])
    # bins of 0.933 to 1: five of mean 0.96, four right; 0.467 to 0.533: one
    assert ece(confidence, right) == pytest.approx((5 * abs(0.96 - 0.8) + 1 * abs(0.5 - 1)) / 6, abs=1e-6)
    assert [(b.glyphs, b.right) for b in reliability(confidence, right)] == [(1, 1.0), (5, 0.8)]
    assert ece(confidence[:0], right[:0]) == 0.0


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.7])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 2, (20_000, 8))
    scores[:, 0] = -np.inf
    gumbel = rng.gumbel(size=scores.shape)
    truth = (scores + gumbel).argmax(axis=1).astype(np.int32)  # drawn from the softmax of the scores
    logits = (scores * temperature).astype(np.float32)

    def loss(tried: float) -> float:
        return -float(np.log(softmax(logits / tried)[np.arange(len(truth)), truth].astype(np.float64)).mean())

    found = fit_temperature(logits, truth)
    tried = temperature * np.linspace(0.9, 1.1, 201)
    assert found == pytest.approx(tried[np.argmin([loss(t) for t in tried])], rel=0.005)
    assert found == pytest.approx(temperature, rel=0.03)
    fit = TemperatureFit()
    for start in range(0, len(truth), 7000):
        fit.add_probabilities(softmax(logits[start : start + 7000] / 1.7), truth[start : start + 7000])
    assert 1.7 * fit.temperature == pytest.approx(found, rel=0.005)
    assert fit.loss() == pytest.approx(loss(1.7), rel=1e-3)
    assert fit.ece(fit.temperature) < 0.02 < fit.ece()


def test_nothing_to_fit() -> None:
    fit = TemperatureFit()
    assert fit.temperature == 1.0 and fit.ece() == 0.0 and fit.loss() == 0.0
