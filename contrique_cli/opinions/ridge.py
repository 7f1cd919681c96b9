"""The strength of a ridge regression: cross-validated for a whole grid from one decomposition.

With the centred features X = U sqrt(L) V', ridge of strength a predicts H y, where
H = 1 1'/n + U (L / (L + a)) U'. Leaving out a fold f changes its predictions to
y_f - (I - H_ff)^-1 (y - H y)_f, exactly, so that no fold and no strength needs a fit of its own.

Source: Stone, "Cross-validatory choice and assessment of statistical predictions", 1974, for
single rows; Cook and Weisberg, "Residuals and Influence in Regression", 1982, for sets of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

GRID = np.logspace(-5.0, 2.0, 15)
"""Strengths tried, in units of the mean eigenvalue: half decades, whatever the features' scale."""

_ZERO = 1e-11
"""Eigenvalues below this share of the largest are rounding."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The strength that predicts best what took no part.

    Attributes:
        strength: the `alpha` of a ridge regression on these features.
        place: of it in `GRID`; an end says that better ones may lie beyond.
        out_of_fold: predictions for each row by ridges that did not see its fold, shape (N,).
    """

    strength: float
    place: int
    out_of_fold: np.ndarray

    @property
    def is_at_end(self) -> bool:
        """Whether the grid ended before the error rose again."""
        return self.place in (0, len(GRID) - 1)


def choose(features: np.ndarray, mos: np.ndarray, folds: Sequence[np.ndarray]) -> Choice:
    """The strength of `GRID` with the least squared error on left-out folds.

    Args:
        features: shape (N, F).
        mos: shape (N,).
        folds: row numbers of each fold; every row is in exactly one.
    """
    basis, values = _decompose(features.astype(np.float64))
    unit = values.sum() / len(mos) if len(values) else 1.0
    tried = [_out_of_fold(basis, values, mos, folds, strength * unit) for strength in GRID]
    errors = [float(np.mean((predicted - mos) ** 2)) for predicted in tried]
    place = int(np.argmin(errors))
    return Choice(strength=float(GRID[place] * unit), place=place, out_of_fold=tried[place])


def out_of_fold(
    features: np.ndarray, mos: np.ndarray, folds: Sequence[np.ndarray], strength: float
) -> np.ndarray:
    """Predictions for each row by ridges of a given strength that did not see its fold, (N,).

    Args:
        features, mos, folds: see `choose`.
        strength: the `alpha` of the ridge.
    """
    basis, values = _decompose(features.astype(np.float64))
    return _out_of_fold(basis, values, mos, folds, strength)


def _decompose(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors U, (N, R), and eigenvalues L, (R,), of the centred features."""
    centred = features - features.mean(axis=0)
    rows, columns = centred.shape
    if columns < rows:
        values, vectors = linalg.eigh(centred.T @ centred, driver="evd")
    else:
        values, vectors = linalg.eigh(centred @ centred.T, driver="evd")
    is_real = values > _ZERO * max(values[-1], np.finfo(np.float64).tiny)
    values, vectors = values[is_real], vectors[:, is_real]
    return (centred @ vectors / np.sqrt(values) if columns < rows else vectors), values


def _out_of_fold(
    basis: np.ndarray,
    values: np.ndarray,
    mos: np.ndarray,
    folds: Sequence[np.ndarray],
    strength: float,
) -> np.ndarray:
    """Predictions for each row by a ridge fitted without its fold, shape (N,)."""
    shrink = values / (values + strength)  # (R,)
    centred = mos - mos.mean()
    residuals = centred - basis @ (shrink * (basis.T @ centred))  # (N,)
    predicted = np.empty(len(mos))
    for fold in folds:
        part = basis[fold] * np.sqrt(shrink)  # (M, R)
        remainder = np.eye(len(fold)) - 1.0 / len(mos) - part @ part.T  # I - H_ff
        predicted[fold] = mos[fold] - linalg.solve(remainder, residuals[fold], assume_a="pos")
    return predicted
