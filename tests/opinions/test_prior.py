"""The prior: what ladders teach, as a penalty of the ridge."""

from __future__ import annotations

import numpy as np
import pytest

from contrique_cli.models.regressor import NO_REFERENCE
from contrique_cli.opinions import fit, prior
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.ladders import Ladders


def test_kinds_count_alike_however_many_ladders_they_have_but_some_more(monkeypatch):
    monkeypatch.setattr(prior, "EMPHASIS", {7: 3.0})
    kinds = np.array([2] * 6 + [10] * 2 + [7])
    found = prior.shares(kinds)
    assert found[kinds == 2].sum() == pytest.approx(3)
    assert found[kinds == 10].sum() == pytest.approx(3)
    assert found[kinds == 7].sum() == pytest.approx(3 * prior.EMPHASIS[7])


def made_up(seed=0, n=30, width=12):
    """Ladders in a feature space where each kind moves along a direction of its own."""
    rng = np.random.default_rng(seed)
    kinds = np.array([2, 10, 11] * (n // 3))
    ways = {kind: np.r_[np.zeros(width // 2), rng.normal(size=width // 2)] for kind in (2, 10, 11)}
    start = rng.normal(size=(n, 1, width))
    steps = np.array([ways[kind] for kind in kinds])[:, None] * np.arange(6)[None, :, None]
    return Ladders(
        photos=np.arange(n),
        kinds=kinds,
        features=(start + 0.1 * steps + 0.001 * rng.normal(size=steps.shape)).astype(np.float32),
    )


def test_the_prior_is_the_ridge_whose_penalty_holds_the_ladders(monkeypatch):
    monkeypatch.setattr(prior, "EMPHASIS", {})
    climbed = made_up()
    rng = np.random.default_rng(1)
    x, y, strength, weight, step = rng.normal(size=(40, 12)), rng.normal(size=40), 0.7, 3.0, -0.2
    known = prior.learn(climbed).prior(step=step, weight=weight)
    z, rest = known.whitened(x), y - known.foretold(x)
    fitted = np.linalg.solve(z.T @ z + strength * np.eye(12), z.T @ rest)
    # The same by stacking rows: a (|w|^2 + c / 6 sum over pairs (d w - t)^2) + |X w - y|^2.
    better, worse = np.triu_indices(6, 1)
    features = climbed.features.astype(float)
    rows = (features[:, worse] - features[:, better]).reshape(-1, 12)
    levels = np.array([0, 1, 2, 3, 4, 5])  # of kinds 2, 10 and 11 every level counts
    targets = np.tile(step * (levels[worse] - levels[better]), 30)
    share = np.sqrt(strength * weight / 6)
    stacked = np.concatenate([x, np.sqrt(strength) * np.eye(12), share * rows])
    aims = np.concatenate([y, np.zeros(12), share * targets])
    expected = np.linalg.lstsq(stacked, aims)[0]
    np.testing.assert_allclose(known.weights(fitted), expected, atol=1e-9)


def test_levels_that_change_nothing_lower_nothing():
    assert prior.rungs(np.array([1, 10])).tolist() == [[0, 0, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]


def opinions(n=60, width=12):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, width))
    x[:, width // 2 :] *= 0.01  # ordinary photos hardly differ in what distortions change
    return Dataset(
        features=x.astype(np.float32),
        mos=x[:, 0] + 0.1 * rng.normal(size=n),
        groups=None,
        group_column=None,
        task=NO_REFERENCE,
        marks=[],
        left_out=[],
        notes=[],
    )


def fitted(climbed, *, higher_is_better=True):
    """Report and regressor on `opinions`."""
    return fit.fit_dataset(
        opinions(),
        encoder="f" * 64,
        max_side=0,
        higher_is_better=higher_is_better,
        provenance={},
        ladders=climbed,
    )
