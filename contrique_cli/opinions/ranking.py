"""What known distortions teach a ridge regression: of two versions the worse one scores less.

Opinions on ordinary photos hold little noise or compression, so ridge weights fitted to them alone
leave the order along such flaws to chance. A ladder (a clean photo and its distorted versions) says
what the order is. With D the features of each version less those of the next worse, a margin m, and
a share s for each such pair, weights w minimise

    sum over opinions of c (y - X w - b)^2 + a |w|^2 + k sum over pairs of s max(0, m - D w)^2.

The last term asks for order and no more: what opinions put in order by themselves costs nothing,
where a target for each step would bend the scores of ordinary photos to meet it. For a given set of
pairs that fall short this is a ridge with some rows more, so Newton's method solves it in a few of
them. The regressor stays linear on the frozen features.

Source: Joachims, "Optimizing search engines using clickthrough data", KDD 2002; Chapelle and
Keerthi, "Efficient algorithms for ranking with SVMs", Information Retrieval 2010, for squared
hinges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from contrique_cli.distortions.bank import IDENTITIES, LEVELS
from contrique_cli.opinions.ladders import Ladders

_MOST_ROUNDS = 20
"""Rounds of Newton's method; it ends sooner when the pairs that fall short stay the same."""


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Ladders as pairs of versions.

    Attributes:
        steps: D, features of the better less those of the worse, float32, shape (P, F).
        shares: s, of each pair, 1 on average, shape (P,); each kind counts alike.
        clean, worst: features of the photos as they are and at level 5, shape (M, F).
    """

    steps: np.ndarray
    shares: np.ndarray
    clean: np.ndarray
    worst: np.ndarray


def learn(ladders: Ladders) -> Lessons:
    """Take apart ladders of kinds whose higher levels are worse."""
    present = np.unique(ladders.kinds)
    steps, shares = [], []
    for kind in present:
        versions = ladders.features[ladders.kinds == kind][:, rungs(int(kind))]  # (m, R, F)
        found = (versions[:, :-1] - versions[:, 1:]).reshape(-1, versions.shape[2])
        steps.append(found)
        shares.append(np.full(len(found), 1 / len(found)))
    everything = np.concatenate(shares)
    return Lessons(
        steps=np.concatenate(steps),
        shares=everything / everything.mean(),
        clean=ladders.features[:, 0],
        worst=ladders.features[:, -1],
    )


def rungs(kind: int) -> list[int]:
    """Places in a ladder that differ from one another: not those of levels that change nothing."""
    return [0, *(level for level in range(1, LEVELS + 1) if (kind, level) not in IDENTITIES)]


class Ranker:
    """Fits with the same lessons again and again.

    Between fits it remembers which pairs fell short and the sum of their products: from one set of
    opinions to another few of them change.

    Attributes:
        lessons: see `learn`.
    """

    def __init__(self, lessons: Lessons, *, margin: float, weight: float) -> None:
        """Begin with no pair that falls short.

        Args:
            lessons: see `learn`.
            margin: m, in units of the opinions; negative where the worse has the higher opinion.
            weight: of all pairs together, relative to all opinions together.
        """
        self.lessons = lessons
        self._steps = lessons.steps if margin > 0 else -lessons.steps
        self._shares = lessons.shares
        self._margin = abs(margin)
        self._weight = weight
        count, width = lessons.steps.shape
        self._is_short = np.zeros(count, dtype=bool)
        self._products = np.zeros((width, width))

    def fit(
        self, features: np.ndarray, mos: np.ndarray, counts: np.ndarray, strength: float
    ) -> tuple[np.ndarray, float]:
        """Weights, shape (F,), and the bias.

        Args:
            features: X, shape (N, F).
            mos: y, shape (N,).
            counts: c, of the opinions, shape (N,).
            strength: a.
        """
        shares = counts / counts.sum()
        middle, usual = shares @ features.astype(np.float64), float(shares @ mos)
        roots = np.sqrt(counts)
        centred = (features - middle) * roots[:, None]
        products = centred.T @ centred
        products[np.diag_indices_from(products)] += strength
        pull = centred.T @ ((mos - usual) * roots)
        weight = self._weight * len(mos) / len(self._steps)
        for _ in range(_MOST_ROUNDS):
            short = self._steps[self._is_short].T @ self._shares[self._is_short]  # (F,)
            weights = linalg.solve(
                products + weight * self._products,
                pull + weight * self._margin * short,
                assume_a="pos",
            )
            if not self._find_short(weights):
                break
        return weights, usual - float(middle @ weights)

    def _find_short(self, weights: np.ndarray) -> bool:
        """Whether other pairs than before fall short of the margin."""
        before = self._is_short
        self._is_short = self._steps @ weights < self._margin
        added, left = self._is_short & ~before, before & ~self._is_short
        if added.sum() + left.sum() < self._is_short.sum():
            self._products += self._sum(added) - self._sum(left)
        else:
            self._products = self._sum(self._is_short)
        return bool(added.any() or left.any())

    def _sum(self, chosen: np.ndarray) -> np.ndarray:
        rows = self._steps[chosen] * np.sqrt(self._shares[chosen])[:, None]
        products: np.ndarray = rows.T @ rows
        return products
