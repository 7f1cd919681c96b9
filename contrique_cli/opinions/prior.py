"""What known distortions tell a ridge regression before it meets opinions: a prior on weights.

Opinions on ordinary photos hold little noise or compression, so ridge weights fitted to them alone
leave the order along such flaws to chance. A ladder (a clean photo and its distorted versions) says
what the order is: of any two versions, the one that is l levels worse should score l steps less.
Over all pairs that is a regression inside each ladder: with features D and targets t that the
ladder's mean is taken from, and a weight c, the penalty of the ridge becomes

    a (|w|^2 + c |D w - t|^2) = a (w - m)' S (w - m) + const,   S = I + c D'D,  m = c S^-1 D't,

which is the plain ridge on features X V P^-1/2 with targets y - X m, S being V P V': a Gaussian
prior with mean m and covariance S^-1. The regressor stays linear on the frozen features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import linalg

from contrique_cli.distortions.bank import IDENTITIES, LEVELS
from contrique_cli.opinions.ladders import OVEREXPOSED, UNDEREXPOSED, Ladders

EMPHASIS: Mapping[int, float] = MappingProxyType(
    {
        **dict.fromkeys((1, 2, 3, 10), 0.02),
        **dict.fromkeys((11, 12, 13, 14, 15, 21), 0.1),
        **dict.fromkeys((19, 24), 0.4),
        **dict.fromkeys((8, 9, OVEREXPOSED), 0.5),
        **dict.fromkeys((7, 16, 23, UNDEREXPOSED), 2.0),
        **dict.fromkeys((6, 20, 22), 3.0),
        5: 6.0,
        17: 8.0,
    }
)
"""How much more or less the ladders of some kinds count. Opinions alone order blur, compression and
noise, and know hardly anything of shifted colours, dark middle tones, stray patches and too few
tones. All others count 1, however many ladders a kind has."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A Gaussian prior on the weights of a linear regressor.

    Attributes:
        mean: m, shape (F,).
        vectors: V, eigenvectors of S, shape (F, F).
        precision: P, its eigenvalues, shape (F,).
    """

    mean: np.ndarray
    vectors: np.ndarray
    precision: np.ndarray

    def whitened(self, features: np.ndarray) -> np.ndarray:
        """Features on which the prior is a plain ridge penalty, shape (N, F)."""
        values: np.ndarray = features.astype(np.float64) @ self.vectors / np.sqrt(self.precision)
        return values

    def foretold(self, features: np.ndarray) -> np.ndarray:
        """What the mean weights say before any opinion, but for a constant, shape (N,)."""
        values: np.ndarray = features.astype(np.float64) @ self.mean
        return values

    def weights(self, fitted: np.ndarray) -> np.ndarray:
        """Weights on the features from those fitted on whitened ones, shape (F,)."""
        values: np.ndarray = self.mean + self.vectors @ (fitted / np.sqrt(self.precision))
        return values


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Ladders boiled down to what a prior needs of them, whatever its step and weight.

    Attributes:
        count: rows of D, six a ladder.
        values: eigenvalues of D'D, D's rows times the roots of `shares`, shape (F,).
        vectors: its eigenvectors, shape (F, F).
        pull: D't for a step of 1, along the eigenvectors, shape (F,).
        clean, worst: features of the photos as they are and at level 5, shape (M, F).
    """

    count: int
    values: np.ndarray
    vectors: np.ndarray
    pull: np.ndarray
    clean: np.ndarray
    worst: np.ndarray

    def prior(self, *, step: float, weight: float) -> Prior:
        """The prior for opinions on some scale.

        Args:
            step: what one level adds to the opinion: negative where higher is better.
            weight: c, of one squared error in D, relative to one squared weight.
        """
        precision = 1.0 + weight * self.values
        return Prior(
            mean=self.vectors @ (step * weight * self.pull / precision),
            vectors=self.vectors,
            precision=precision,
        )


def learn(ladders: Ladders) -> Lessons:
    """Boil down ladders of kinds whose higher levels are worse."""
    versions = ladders.features.astype(np.float64)  # (M, 6, F)
    root = np.sqrt(shares(ladders.kinds))[:, None, None]  # (M, 1, 1)
    rows = (root * _centred(versions)).reshape(-1, versions.shape[2])  # (6M, F)
    down = (root * _centred(rungs(ladders.kinds)[:, :, None])).reshape(-1)  # (6M,)
    values, vectors = linalg.eigh(rows.T @ rows, driver="evd")
    return Lessons(
        count=len(rows),
        values=np.clip(values, 0.0, None),
        vectors=vectors,
        pull=vectors.T @ (rows.T @ down),
        clean=ladders.features[:, 0],
        worst=ladders.features[:, -1],
    )


def shares(kinds: np.ndarray) -> np.ndarray:
    """How much each ladder counts, shape (M,): each kind alike, 1 on average, times `EMPHASIS`."""
    present, kind_of, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    emphasis = np.array([EMPHASIS.get(int(kind), 1.0) for kind in present])
    values: np.ndarray = (emphasis * len(kinds) / len(present) / counts)[kind_of]
    return values


def _centred(versions: np.ndarray) -> np.ndarray:
    values: np.ndarray = versions - versions.mean(axis=1, keepdims=True)
    return values


def rungs(kinds: np.ndarray) -> np.ndarray:
    """How many steps each version of each kind goes down, shape (M, 6).

    It is 0 for the clean photo, and for levels that change nothing.
    """
    levels = range(1, LEVELS + 1)
    return np.array(
        [
            [0, *(0 if (int(kind), level) in IDENTITIES else level for level in levels)]
            for kind in kinds
        ],
        dtype=np.float64,
    )
