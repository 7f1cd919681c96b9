"""The choice of the ridge strength, against scikit-learn fitted fold by fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_predict

from contrique_cli.opinions import ridge


@pytest.mark.parametrize("columns", [8, 90], ids=["fewer columns than rows", "more columns"])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_out_of_fold_predictions_equal_those_of_a_fit_for_each_fold(columns, scale):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, columns)) * scale + 5.0 * scale
    mos = features[:, :4].sum(axis=1) / scale + rng.normal(size=60)
    splits = list(KFold(5, shuffle=True, random_state=0).split(features))
    choice = ridge.choose(features, mos, [fold for _, fold in splits])
    twin = cross_val_predict(Ridge(alpha=choice.strength), features, mos, cv=splits)
    np.testing.assert_allclose(choice.out_of_fold, twin, rtol=1e-6, atol=1e-6)

    unit = np.sum((features - features.mean(axis=0)) ** 2) / 60
    errors = [
        np.mean((cross_val_predict(Ridge(alpha=s * unit), features, mos, cv=splits) - mos) ** 2)
        for s in ridge.GRID
    ]
    assert choice.index == int(np.argmin(errors))
    assert choice.strength == pytest.approx(ridge.GRID[choice.index] * unit)


def test_opinions_without_noise_get_the_weakest_ridge_and_the_end_is_said():
    features = np.random.default_rng(0).normal(size=(40, 6))
    choice = ridge.choose(features, features.sum(axis=1), np.array_split(np.arange(40), 5))
    assert choice.is_at_end
    assert choice.index == 0


def test_equal_features_predict_the_mean_of_the_others():
    mos, folds = np.arange(10.0), np.array_split(np.arange(10), 5)
    choice = ridge.choose(np.ones((10, 3)), mos, folds)
    expected = np.concatenate([np.full(2, np.delete(mos, fold).mean()) for fold in folds])
    np.testing.assert_allclose(choice.out_of_fold, expected)


def test_rows_weigh_as_they_do_in_a_fit_for_each_fold():
    rng = np.random.default_rng(1)
    features, weights = rng.normal(size=(60, 8)) + 3.0, rng.uniform(0.1, 2.0, 60)
    mos = features[:, :4].sum(axis=1) + rng.normal(size=60)
    weights /= weights.mean()
    folds = np.array_split(np.arange(60), 5)
    choice = ridge.choose(features, mos, folds, weights)
    expected = np.empty(60)
    for fold in folds:
        kept = np.setdiff1d(np.arange(60), fold)
        model = Ridge(alpha=choice.strength)
        model.fit(features[kept], mos[kept], sample_weight=weights[kept])
        expected[fold] = model.predict(features[fold])
    np.testing.assert_allclose(choice.out_of_fold, expected, rtol=1e-6)
