"""Figures of agreement, against slow and obvious twins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from contrique_cli.opinions import metrics


def noisy(n: int, noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mos = rng.uniform(1.0, 5.0, n)
    return mos + 4.0 * noise * rng.normal(size=n), mos


def naive_pearson(a, b):
    n = len(a)
    mean_a, mean_b = sum(a) / n, sum(b) / n
    top = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    bottom_a = sum((x - mean_a) ** 2 for x in a)
    return top / (bottom_a * sum((y - mean_b) ** 2 for y in b)) ** 0.5


def naive_ranks(values):
    return [
        1 + sum(other < one for other in values) + (sum(other == one for other in values) - 1) / 2
        for one in values
    ]


def naive_kendall(a, b):
    agree, tied_a, tied_b = 0, 0, 0
    pairs = list(itertools.combinations(range(len(a)), 2))
    for i, j in pairs:
        agree += np.sign(a[i] - a[j]) * np.sign(b[i] - b[j])
        tied_a += a[i] == a[j]
        tied_b += b[i] == b[j]
    return agree / ((len(pairs) - tied_a) * (len(pairs) - tied_b)) ** 0.5


@pytest.mark.parametrize("digits", [6, 0], ids=["no ties", "ties"])
def test_correlations_equal_their_definitions(digits):
    a, b = (np.round(values, digits) for values in noisy(60))
    assert metrics.pearson(a, b) == pytest.approx(naive_pearson(a, b), abs=1e-12)
    twin = naive_pearson(naive_ranks(a), naive_ranks(b))
    assert metrics.spearman(a, b) == pytest.approx(twin, abs=1e-12)
    assert metrics.kendall(a, b) == pytest.approx(naive_kendall(a, b), abs=1e-12)


def logistic(x, low, high, middle, width):
    return low + (high - low) / (1 + np.exp(-(x - middle) / width))


@pytest.mark.parametrize(
    "parameters", [(1, 5, 50, 8), (0, 1, 20, 30), (-3, 90, 70, 3), (1000, 1004, 50, 10)]
)
def test_perfectly_logistic_data_have_plcc_1_and_no_error(parameters):
    x = np.linspace(0, 100, 80)
    figures = metrics.measure(x, logistic(x, *parameters))
    assert figures.plcc == pytest.approx(1.0, abs=1e-9)
    assert figures.rmse == pytest.approx(0.0, abs=1e-4)
    assert metrics.fit_logistic(x, logistic(x, *parameters)) == pytest.approx(parameters, rel=1e-3)


def test_the_logistic_is_a_least_squares_fit():
    predicted, mos = noisy(200)
    curve = metrics.fit_logistic(predicted, mos)
    best = np.sum((curve(predicted) - mos) ** 2)
    for place in range(4):
        for factor in (0.99, 1.01):
            other = list(curve)
            other[place] *= factor
            assert np.sum((logistic(predicted, *other) - mos) ** 2) >= best


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_figures_do_not_depend_on_the_scale_of_the_predictions(scale):
    predicted, mos = noisy(150)
    expected = metrics.measure(predicted, mos)
    got = metrics.measure(predicted * scale - 3 * scale, mos)
    for name in metrics.NAMES:
        assert getattr(got, name) == pytest.approx(getattr(expected, name), abs=1e-5)


def test_predictions_upside_down_have_negative_figures_of_the_same_size():
    predicted, mos = noisy(150)
    up, down = metrics.measure(predicted, mos), metrics.measure(-predicted, mos)
    assert down.srocc == pytest.approx(-up.srocc)
    assert down.plcc == pytest.approx(-up.plcc, abs=1e-6)
    assert down.rmse == pytest.approx(up.rmse, abs=1e-6)


@pytest.mark.parametrize(
    ("predicted", "mos"),
    [
        ([3.0] * 9, range(9)),
        ([1e9, *[1e9 + 1e-7] * 8], range(9)),
        (range(9), [1.0] * 9),
        ([1.0], [2.0]),
        ([], []),
    ],
    ids=["constant predictions", "rounding", "constant opinions", "one", "none"],
)
def test_without_variation_there_are_no_figures(predicted, mos):
    figures = metrics.measure(np.array(predicted, float), np.array(mos, float))
    assert (figures.srocc, figures.plcc, figures.krocc, figures.rmse) == (None,) * 4


@pytest.mark.parametrize(
    ("predicted", "mos"),
    [
        ([0, 1, 2], [1, 3, 2]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 0, 0, 0, 1], [5, 1, 2, 3, 4]),
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]),
        ([0, 1e9, 2e9, 3e9, 1e30, 5], [1, 2, 1, 2, 1, 2]),
    ],
)
def test_odd_data_give_finite_figures_without_a_warning(predicted, mos):
    figures = metrics.measure(np.array(predicted, float), np.array(mos, float))
    assert all(np.isfinite(getattr(figures, name)) for name in metrics.NAMES)
    assert -1 <= figures.plcc <= 1


def test_the_logistic_is_never_worse_than_a_line():
    for seed in range(20):
        predicted, mos = noisy(12, noise=0.5, seed=seed)
        plain = abs(naive_pearson(predicted, mos))
        assert abs(metrics.measure(predicted, mos).plcc) >= plain - 1e-9


def test_middle_half_is_the_median_and_the_quartiles():
    several = [
        metrics.Figures(n=9, srocc=value, plcc=None, krocc=0.5, rmse=1.0)
        for value in (0.1, 0.2, 0.3, 0.4, 0.9)
    ]
    assert metrics.middle_half(several) == {
        "srocc": (0.3, 0.2, 0.4),
        "plcc": (None, None, None),
        "krocc": (0.5, 0.5, 0.5),
        "rmse": (1.0, 1.0, 1.0),
    }


def bounds(predicted, mos, **options):
    return metrics.bootstrap(
        predicted, mos, **{"resamples": 200, "confidence": 95.0, "seed": 1, **options}
    )


def test_bootstrap_intervals_hold_the_figures_and_repeat():
    predicted, mos = noisy(80)
    found = bounds(predicted, mos)
    whole = metrics.measure(predicted, mos)
    for name in metrics.NAMES:
        assert found[name].low <= found[name].value <= found[name].high
        assert found[name].value == pytest.approx(getattr(whole, name), abs=1e-6)
    assert found == bounds(predicted, mos)


def test_bootstrap_intervals_cover_the_truth_about_as_often_as_they_say():
    truth = metrics.spearman(*noisy(100_000))
    inside = 0
    for seed in range(24):
        found = bounds(*noisy(50, seed=seed), confidence=80.0, resamples=60)["srocc"]
        inside += found.low <= truth <= found.high
    assert 13 <= inside <= 24  # 19 expected, three deviations of 2


def test_more_photos_make_the_interval_narrower_and_groups_wider():
    few, many = bounds(*noisy(40))["srocc"], bounds(*noisy(400))["srocc"]
    assert many.high - many.low < few.high - few.low
    predicted, mos = (np.repeat(values, 10) for values in noisy(40))  # ten copies of each photo
    grouped = bounds(predicted, mos, groups=np.repeat(np.arange(40), 10))["srocc"]
    assert grouped.high - grouped.low == pytest.approx(few.high - few.low, rel=0.35)


def test_bootstrap_of_constant_predictions_has_no_figures():
    assert bounds(np.zeros(20), np.arange(20.0))["srocc"] == (None, None, None)
