"""Ranking: what ladders teach a ridge, as hinges on pairs of versions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import optimize

from contrique_cli.opinions import ranking
from tests.ladders import made_up


def test_kinds_count_alike_however_many_ladders_they_have():
    climbed = made_up(n=9)
    found = ranking.learn(dataclasses.replace(climbed, kinds=np.array([1] * 6 + [10] * 2 + [7])))
    assert found.steps.shape == (6 * 4 + 3 * 5, 12)
    (sums,) = np.unique(np.round([found.shares[:24].sum(), found.shares[24:29].sum()], 9))
    assert sums == pytest.approx(found.shares[29:].sum())
    assert found.shares.mean() == pytest.approx(1)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_fit_is_the_least_of_squared_errors_and_squared_hinges(sign):
    lessons = ranking.learn(made_up())
    rng = np.random.default_rng(1)
    x, y, strength = rng.normal(size=(40, 12)), rng.normal(size=40), 0.7
    counts = rng.uniform(0.5, 1.5, size=40)

    def loss(values):
        short = np.maximum(0, 0.2 - sign * (lessons.steps.astype(float) @ values[:12]))
        errors = counts @ (y - x @ values[:12] - values[12]) ** 2
        hinges = 3.0 * 40 / len(lessons.steps) * (lessons.shares @ short**2)
        return errors + strength * values[:12] @ values[:12] + hinges

    ranker = ranking.Ranker(lessons, margin=sign * 0.2, weight=3.0)
    ranker.fit(x[:20], y[:20], counts[:20], strength)  # what it remembers changes no result
    weights, bias = ranker.fit(x, y, counts, strength)
    found = np.append(weights, bias)
    expected = optimize.minimize(loss, np.zeros(13), method="BFGS", options={"gtol": 1e-8}).x
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_order_that_opinions_know_moves_no_weight():
    x = made_up().features.reshape(-1, 12)
    quality = np.tile([5.0, 4, 3, 2, 1, 0], 30)
    plain = np.linalg.solve(
        (x - x.mean(0)).T @ (x - x.mean(0)) + 1e-3 * np.eye(12), (x - x.mean(0)).T @ quality
    )
    lessons = ranking.learn(made_up())
    margin = float((lessons.steps @ plain).min()) / 2
    assert margin > 0
    ranker = ranking.Ranker(lessons, margin=margin, weight=100.0)
    weights, _ = ranker.fit(x, quality, np.ones(len(x)), 1e-3)
    np.testing.assert_allclose(weights, plain, rtol=1e-4, atol=1e-6)


def test_levels_that_change_nothing_are_no_rung():
    assert ranking.rungs(1) == [0, 2, 3, 4, 5]
    assert ranking.rungs(10) == [0, 1, 2, 3, 4, 5]
