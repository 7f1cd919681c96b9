"""The linear map: raw values, the 0-100 scale, its file and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from contrique_cli.encoder import tensorfile
from contrique_cli.errors import BadModelFile, RegressorMismatch
from contrique_cli.models import regressor
from contrique_cli.models.regressor import Regressor


def make(**changes) -> Regressor:
    made = Regressor(
        weights=np.arange(6, dtype=np.float32),
        bias=1.5,
        knots=np.array([1.0, 2.0, 5.0]),
        scores=np.array([0.0, 50.0, 100.0]),
        higher_is_better=True,
        task=regressor.NO_REFERENCE,
        encoder="e" * 64,
        max_side=512,
        figures={"srocc": 0.5},
        provenance={"data": "none"},
    )
    return dataclasses.replace(made, **changes)


def test_raw_is_the_plain_dot_product():
    features = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = [sum(f * w for f, w in zip(row, range(6), strict=True)) + 1.5 for row in features]
    np.testing.assert_allclose(make().predict(features), expected, rtol=1e-6)


def test_scores_run_straight_between_knots_and_are_clipped_at_the_ends():
    scores = make().to_score(np.array([-9.0, 1.0, 1.5, 3.5, 5.0, 99.0]))
    np.testing.assert_allclose(scores, [0, 0, 25, 75, 100, 100])


def test_a_dmos_regressor_turns_its_scale_round():
    dmos = make(higher_is_better=False, knots=np.array([80.0, 40.0, 0.0]))
    np.testing.assert_allclose(dmos.to_score(np.array([100.0, 80, 60, 20, 0])), [0, 0, 25, 75, 100])


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_percentile_scale_spreads_a_collection_evenly(higher_is_better):
    raw = np.random.default_rng(0).normal(size=5000)
    knots, scores = regressor.percentile_scale(raw, higher_is_better=higher_is_better)
    made = make(knots=knots, scores=scores, higher_is_better=higher_is_better)
    sign = 1 if higher_is_better else -1
    for percent in (1, 10, 33, 50, 80, 99):
        value = sign * np.percentile(sign * raw, percent)
        assert made.to_score(np.array([value]))[0] == pytest.approx(percent, abs=0.6)
    ordered = made.to_score(sign * np.linspace(-5, 5, 200))
    assert (np.diff(ordered) >= 0).all()
    assert (ordered[0], ordered[-1]) == (0, 100)


def test_percentile_scale_of_equal_photos_is_still_a_scale():
    knots, scores = regressor.percentile_scale(np.full(30, 7.0), higher_is_better=True)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(scores) > 0).all()


def test_a_saved_regressor_is_the_same(tmp_path):
    made = make()
    regressor.save(tmp_path / "r.safetensors", made)
    loaded = regressor.load(tmp_path / "r.safetensors")
    for field in dataclasses.fields(made):
        if field.name != "provenance":
            np.testing.assert_equal(getattr(loaded, field.name), getattr(made, field.name))
    assert loaded.provenance["data"] == "none"


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": np.array([np.nan] * 6, np.float32)},
        {"bias": float("inf")},
        {"knots": np.array([2.0, 1.0, 3.0])},
        {"scores": np.array([0.0, 50.0, 50.0])},
        {"scores": np.array([0.0, 50.0, 312.0])},
        {"scores": np.array([-5.0, 50.0, 100.0])},
        {"bias": 1e299},
        {"knots": np.array([1.0, 2.0, 1e299])},
        {"weights": np.array([1e30] * 6, np.float32)},
        {"knots": np.array([1.0]), "scores": np.array([1.0])},
    ],
)
def test_impossible_numbers_are_refused(tmp_path, changes):
    regressor.save(tmp_path / "r.safetensors", make(**changes))
    with pytest.raises(BadModelFile, match="no regressor can have"):
        regressor.load(tmp_path / "r.safetensors")


def test_a_file_without_its_parts_or_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "r.safetensors"
    regressor.save(path, make())
    content = tensorfile.read(path)
    tensorfile.write(path, kind="regressor", header={}, tensors=content.tensors)
    with pytest.raises(BadModelFile, match="not a whole regressor"):
        regressor.load(path)
    tensorfile.write(path, kind="encoder", header={}, tensors=content.tensors)
    with pytest.raises(BadModelFile, match="--model"):
        regressor.load(path)


def test_foreign_features_are_refused_with_the_cure():
    made = make()
    made.check(encoder="e" * 64, max_side=512)
    with pytest.raises(RegressorMismatch, match="contrique fit-regressor --mos"):
        made.check(encoder="f" * 64, max_side=512)
    with pytest.raises(RegressorMismatch, match="--max-side 512, not 1024"):
        made.check(encoder="e" * 64, max_side=1024)
    with pytest.raises(RegressorMismatch, match="contrique score"):
        made.check(encoder="e" * 64, max_side=512, task=regressor.FULL_REFERENCE)


def test_a_scale_with_worse_photos_gives_them_its_lowest_five_points():
    raw = np.linspace(0, 1, 1001)
    knots, scores = regressor.percentile_scale(
        raw, higher_is_better=True, worse=np.linspace(-4, -3, 101)
    )
    found = np.interp([-3.99, -3.5, -1, 0.05, 0.5, 0.95], knots, scores)
    np.testing.assert_allclose(found, [0, 0.605, 3.706, 5, 50, 95], atol=0.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_scale_with_better_photos_gives_them_its_highest_five_points(sign):
    knots, scores = regressor.percentile_scale(
        sign * np.linspace(0, 1, 1001),
        higher_is_better=sign > 0,
        worse=sign * np.linspace(-4, -3, 101),
        better=sign * np.linspace(4, 5, 101),
    )
    made = make(knots=knots, scores=scores, higher_is_better=sign > 0)
    found = made.to_score(sign * np.array([-3.99, 0.05, 0.5, 0.95, 2, 4.5, 4.99]))
    np.testing.assert_allclose(found, [0, 5, 50, 95, 96.299, 99.394, 100], atol=0.01)


def test_a_scale_whose_worse_and_better_photos_are_not_so_stays_as_it_is():
    raw = np.linspace(0, 1, 1001)
    plain = regressor.percentile_scale(raw, higher_is_better=True)
    same = regressor.percentile_scale(raw, higher_is_better=True, worse=raw, better=raw)
    assert all(np.array_equal(a, b) for a, b in zip(plain, same, strict=True))


@pytest.mark.parametrize("raw", [-99.0, 0.0, 2.9, 99.0])
def test_the_slope_of_a_straight_scale_is_the_same_everywhere_and_beyond(raw, tiny_regressor):
    assert tiny_regressor.slope(raw) == pytest.approx(100 / 6)
