"""How well predictions agree with opinions: SROCC, KROCC, and PLCC and RMSE after a logistic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

NAMES = ("srocc", "plcc", "krocc", "rmse")
"""Fields of `Figures` that are measured."""

_FEWEST = 5
"""Pairs below which four parameters would fit anything."""

_MAX_EVALUATIONS = 200


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Agreement of n predictions with n opinions.

    Attributes:
        n: number of photos.
        srocc: Spearman's rank correlation; None where either side is constant.
        plcc: Pearson's correlation after the 4-parameter logistic; negative where the logistic
            falls, that is where the predictions are upside down; None as for `srocc`.
        krocc: Kendall's rank correlation (tau-b); None as for `srocc`.
        rmse: after the logistic, on the scale of the opinions; None as for `srocc`.
    """

    n: int
    srocc: float | None
    plcc: float | None
    krocc: float | None
    rmse: float | None


class Range(NamedTuple):
    """A figure with the bounds it lies between."""

    value: float | None
    low: float | None
    high: float | None


class Logistic(NamedTuple):
    """The 4-parameter logistic: low + (high - low) / (1 + exp(-(x - middle) / width)).

    `width` is positive; `high` may lie below `low`, where the curve falls.
    Source: VQEG, final report on the validation of video quality models, phase I, 2000.
    """

    low: float
    high: float
    middle: float
    width: float

    def __call__(self, predicted: np.ndarray) -> np.ndarray:
        """The opinion that a prediction stands for, any shape."""
        inner = special.expit((predicted - self.middle) / self.width)
        mapped: np.ndarray = self.low + (self.high - self.low) * inner
        return mapped


def measure(predicted: np.ndarray, mos: np.ndarray, start: Logistic | None = None) -> Figures:
    """All figures at once.

    Where no logistic can be fitted (fewer than five photos, or no convergence), a straight line
    takes its place.

    Args:
        predicted, mos: shape (N,), finite, rising together when the predictions are right.
        start: a logistic fitted to similar data, which saves most of the work.
    """
    if not (_varies(predicted) and _varies(mos)):
        return Figures(n=len(mos), srocc=None, plcc=None, krocc=None, rmse=None)
    curve = fit_logistic(predicted, mos, start)
    mapped = _line(predicted, mos) if curve is None else curve(predicted)
    is_falling = curve.high < curve.low if curve else pearson(predicted, mos) < 0
    plcc = pearson(mapped, mos) if _varies(mapped) else 0.0
    return Figures(
        n=len(mos),
        srocc=spearman(predicted, mos),
        plcc=-plcc if is_falling else plcc,
        krocc=kendall(predicted, mos),
        rmse=float(np.sqrt(np.mean((mapped - mos) ** 2))),
    )


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two varying rows of numbers, shape (N,)."""
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, ties at their mean rank, of two varying rows, shape (N,)."""
    return pearson(stats.rankdata(a), stats.rankdata(b))


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b of two varying rows, shape (N,)."""
    return float(stats.kendalltau(a, b).statistic)


def fit_logistic(
    predicted: np.ndarray, mos: np.ndarray, start: Logistic | None = None
) -> Logistic | None:
    """Least-squares fit of the 4-parameter logistic.

    Both sides are brought to mean 0 and deviation 1 first, so that no scale is too large or small.

    Args:
        predicted, mos: shape (N,), both varying.
        start: where to begin; by default VQEG's usual place.

    Returns:
        The curve; None when there are too few pairs or the fit does not converge.
    """
    if len(mos) < _FEWEST:
        return None
    (x, x_mean, x_std), (y, y_mean, y_std) = _standardise(predicted), _standardise(mos)
    if start is None:
        begin = np.array([y.min(), y.max(), 0.0, 0.0])
        if pearson(x, y) < 0:
            begin[:2] = begin[1::-1]
    else:
        ends = (np.array([start.low, start.high]) - y_mean) / y_std
        middle, width = (start.middle - x_mean) / x_std, np.log(start.width / x_std)
        begin = np.array([*ends, middle, width])
    found = optimize.least_squares(
        _residuals, begin, _slopes, args=(x, y), method="lm", max_nfev=_MAX_EVALUATIONS
    )
    is_sound = found.success and np.isfinite(found.x).all() and abs(found.x[3]) < _WIDEST
    if not is_sound or 2.0 * found.cost > np.sum((_line(x, y) - y) ** 2):  # stuck: a line is better
        return None
    low, high, middle, log_width = found.x
    return Logistic(
        low=float(low * y_std + y_mean),
        high=float(high * y_std + y_mean),
        middle=float(middle * x_std + x_mean),
        width=float(np.exp(log_width) * x_std),
    )


_WIDEST = 50.0
"""Logarithm of a width beyond which the curve is a straight line, or a step, to every digit."""


def _residuals(parameters: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    low, high, middle, log_width = parameters
    inner = special.expit((x - middle) * np.exp(-np.clip(log_width, -_WIDEST, _WIDEST)))
    residuals: np.ndarray = low + (high - low) * inner - y
    return residuals


def _slopes(parameters: np.ndarray, x: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Derivatives of the residuals by the parameters, shape (N, 4)."""
    low, high, middle, log_width = parameters
    narrow = np.exp(-np.clip(log_width, -_WIDEST, _WIDEST))
    shifted = (x - middle) * narrow
    inner = special.expit(shifted)
    steep = (high - low) * inner * special.expit(-shifted)
    return np.stack([1.0 - inner, inner, -steep * narrow, -steep * shifted], axis=1)


def _standardise(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    mean, std = float(values.mean()), float(values.std())
    return (values - mean) / std, mean, std


def _line(predicted: np.ndarray, mos: np.ndarray) -> np.ndarray:
    """Least-squares line through the pairs, at the predictions."""
    x, y = predicted - predicted.mean(), mos - mos.mean()
    line: np.ndarray = mos.mean() + x * (x @ y) / (x @ x)
    return line


def _varies(values: np.ndarray) -> bool:
    """Whether there is more to the values than rounding: only then has a correlation a meaning."""
    if len(values) < 2:  # noqa: PLR2004 - one value is constant
        return False
    return bool(np.ptp(values) > 1e-12 * max(1e-300, float(np.abs(values).max())))


def middle_half(several: Sequence[Figures]) -> dict[str, Range]:
    """Median and quartiles of each figure over several splits, by name; None values left out."""
    return {name: _percentiles(several, name, (50, 25, 75)) for name in NAMES}


def bootstrap(
    predicted: np.ndarray,
    mos: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Range]:
    """Each figure with its bootstrap interval (percentile method).

    Args:
        predicted, mos: shape (N,).
        groups: drawn whole where given, since photos of one group are no independent evidence;
            group numbers, shape (N,).
        resamples: how many; 1,000 hold the bounds to about a twentieth of the interval.
        confidence: percent of the resamples within the bounds.
        seed: of the draws.

    Returns:
        By name: the figure of all photos, and its bounds (widened to hold it).
    """
    rng = np.random.default_rng(seed)
    curve = fit_logistic(predicted, mos) if _varies(predicted) and _varies(mos) else None
    whole = measure(predicted, mos, curve)
    draws = (_draw(rng, len(mos), groups) for _ in range(resamples))
    several = [measure(predicted[index], mos[index], curve) for index in draws]
    outside = (100.0 - confidence) / 2.0
    figures = {}
    for name in NAMES:
        value = getattr(whole, name)
        _, low, high = _percentiles(several, name, (50, outside, 100.0 - outside))
        if value is not None and low is not None and high is not None:
            low, high = min(low, value), max(high, value)
        figures[name] = Range(value, low, high)
    return figures


def _draw(rng: np.random.Generator, n: int, groups: np.ndarray | None) -> np.ndarray:
    """Places of one resample: photos, or whole groups, drawn with replacement."""
    if groups is None:
        return rng.integers(n, size=n)
    names = np.unique(groups)
    members = {name: np.flatnonzero(groups == name) for name in names}
    return np.concatenate([members[name] for name in rng.choice(names, size=len(names))])


def _percentiles(
    several: Sequence[Figures], name: str, percents: tuple[float, float, float]
) -> Range:
    values = [value for one in several if (value := getattr(one, name)) is not None]
    if not values:
        return Range(None, None, None)
    return Range(*(float(value) for value in np.percentile(values, percents)))
