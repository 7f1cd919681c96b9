"""The strength of a ridge regression: cross-validated for a whole grid from one decomposition.

With the centred features X = U sqrt(L) V', ridge of strength a predicts H y, where
H = 1 1'/n + U (L / (L + a)) U'. Leaving out a fold f changes its predictions to
y_f - (I - H_ff)^-1 (y - H y)_f, exactly, so that no fold and no strength needs a fit of its own.
Where rows weigh differently, all of that holds for rows times the roots r of their weights, and
r r'/r'r takes the place of 1 1'/n.

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
        index: of it in `GRID`; an end says that better ones may lie beyond.
        out_of_fold: predictions for each row by ridges that did not see its fold, shape (N,).
    """

    strength: float
    index: int
    out_of_fold: np.ndarray

    @property
    def is_at_end(self) -> bool:
        """Whether the grid ended before the error rose again."""
        return self.index in (0, len(GRID) - 1)


def choose(
    features: np.ndarray,
    mos: np.ndarray,
    folds: Sequence[np.ndarray],
    weights: np.ndarray | None = None,
) -> Choice:
    """The strength of `GRID` with the least squared error on left-out folds.

    Args:
        features: shape (N, F).
        mos: shape (N,).
        folds: row numbers of each fold; every row is in exactly one.
        weights: of the rows, 1 on average, shape (N,); None: all alike.
    """
    weights = np.ones(len(mos)) if weights is None else weights
    known = _decompose(features.astype(np.float64), mos, np.sqrt(weights))
    unit = known.values.sum() / len(mos) if len(known.values) else 1.0
    tried = [_out_of_fold(known, folds, strength * unit) for strength in GRID]
    errors = [float(np.mean(weights * (predicted - mos) ** 2)) for predicted in tried]
    index = int(np.argmin(errors))
    return Choice(strength=float(GRID[index] * unit), index=index, out_of_fold=tried[index])


@dataclass(frozen=True)
class _Decomposed:
    basis: np.ndarray  # U, left singular vectors of the centred rows, (N, R)
    values: np.ndarray  # L, their eigenvalues, (R,)
    roots: np.ndarray  # r, of the rows' weights, (N,)
    targets: np.ndarray  # centred opinions times r, (N,)
    mos: np.ndarray  # (N,)


def _decompose(features: np.ndarray, mos: np.ndarray, roots: np.ndarray) -> _Decomposed:
    """All that does not depend on the strength."""
    shares = roots**2 / np.sum(roots**2)
    centred = (features - shares @ features) * roots[:, None]
    rows, columns = centred.shape
    if columns < rows:
        values, vectors = linalg.eigh(centred.T @ centred, driver="evd")
    else:
        values, vectors = linalg.eigh(centred @ centred.T, driver="evd")
    is_real = values > _ZERO * max(values[-1], np.finfo(np.float64).tiny)
    values, vectors = values[is_real], vectors[:, is_real]
    return _Decomposed(
        basis=centred @ vectors / np.sqrt(values) if columns < rows else vectors,
        values=values,
        roots=roots,
        targets=(mos - shares @ mos) * roots,
        mos=mos,
    )


def _out_of_fold(known: _Decomposed, folds: Sequence[np.ndarray], strength: float) -> np.ndarray:
    """Predictions for each row by a ridge fitted without its fold, shape (N,)."""
    shrink = known.values / (known.values + strength)  # (R,)
    basis, roots = known.basis, known.roots
    residuals = known.targets - basis @ (shrink * (basis.T @ known.targets))  # (N,)
    total = float(roots @ roots)
    predicted = np.empty(len(roots))
    for fold in folds:
        part = basis[fold] * np.sqrt(shrink)  # (M, R)
        own = roots[fold]
        remainder = np.eye(len(fold)) - np.outer(own, own) / total - part @ part.T  # I - H_ff
        error = linalg.solve(remainder, residuals[fold], assume_a="pos") / own
        predicted[fold] = known.mos[fold] - error
    return predicted
