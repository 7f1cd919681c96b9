"""The linear map: features to raw quality to the 0-100 scale, bound to one encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contrique_cli.encoder import tensorfile
from contrique_cli.errors import BadModelFile, RegressorMismatch

KIND = "regressor"
NO_REFERENCE = "no-reference"
FULL_REFERENCE = "full-reference"
TOP_SCORE = 100.0
LARGEST = 1e9
"""Weight, raw value or bias beyond which no scale of opinions reaches, up or down."""

_LONGEST_SIDE = 10**6


@dataclass(frozen=True, kw_only=True)
class Regressor:
    """Ridge weights and the way from their raw value to 0-100.

    Attributes:
        weights: shape (2F,), float32.
        bias: raw = features @ weights + bias.
        knots: raw values in order of rising quality, shape (K,), K >= 2.
        scores: their places on the 0-100 scale, rising, shape (K,).
        higher_is_better: False where the raw value is a DMOS.
        task: `NO_REFERENCE`, or `FULL_REFERENCE` for `compare`.
        encoder: fingerprint of the encoder that made the features.
        max_side: working size in pixels of those features; 0 is full resolution.
        figures: how good it is, and on what: plain facts.
        provenance: how it came to be: plain facts.
    """

    weights: np.ndarray = tensorfile.tensor(np.float32, dimensions=1)
    bias: float = tensorfile.tensor(np.float64, dimensions=0)
    knots: np.ndarray = tensorfile.tensor(np.float64, dimensions=1)
    scores: np.ndarray = tensorfile.tensor(np.float64, dimensions=1)
    higher_is_better: bool
    task: str
    encoder: str
    max_side: int
    figures: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, features: np.ndarray) -> NDArray[np.float64]:
        """Raw quality on the scale of the opinions it was fitted to.

        Args:
            features: shape (N, 2F).

        Returns:
            Shape (N,), float64.
        """
        raw: NDArray[np.float64] = features.astype(np.float64) @ self.weights + self.bias
        return raw

    def to_quality(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw values turned so that higher is better; unlike scores they are not clipped.

        Args:
            raw: any shape.
        """
        return raw if self.higher_is_better else -raw

    def to_score(self, raw: np.ndarray) -> NDArray[np.float64]:
        """Raw values to 0-100, higher is better, straight between knots, clipped at the ends.

        Args:
            raw: any shape.
        """
        sign = 1.0 if self.higher_is_better else -1.0
        scores: NDArray[np.float64] = np.interp(sign * raw, sign * self.knots, self.scores)
        return scores

    def slope(self, raw: float) -> float:
        """Score points per raw unit around a raw value, over a quarter of the scale's length.

        At the ends it is the slope of the last quarter: a photo at 0 or 100 has one too. Below 0
        where lower is better.
        """
        low, high = sorted((float(self.knots[0]), float(self.knots[-1])))
        half = (high - low) / 8.0
        middle = min(max(raw, low + half), high - half)
        below, above = self.to_score(np.array([middle - half, middle + half]))
        return float(above - below) / (2.0 * half)

    def check(self, *, encoder: str, max_side: int, task: str = NO_REFERENCE) -> None:
        """Refuse features it was not fitted on, rather than give wrong scores.

        Raises:
            RegressorMismatch: another encoder, working size or task; says how to mend it.
        """
        if self.task != task:
            uses = {
                FULL_REFERENCE: "`contrique compare`, or `evaluate` with --reference-column",
                NO_REFERENCE: "`contrique score`, or `evaluate` without --reference-column",
            }
            raise RegressorMismatch(
                f"this is a {self.task} regressor: use it with {uses[self.task]}"
            )
        if self.encoder != encoder:
            raise RegressorMismatch(
                f"the regressor was fitted on encoder {self.encoder[:12]}, not on "
                f"{encoder[:12]}: give that encoder as --model (see `contrique models`), or fit a "
                "regressor for this one: contrique fit-regressor --mos scores.csv --model ..."
            )
        if self.max_side != max_side:
            raise RegressorMismatch(
                f"the regressor was fitted at --max-side {self.max_side}, not {max_side}: leave "
                f"--max-side out, or refit: contrique fit-regressor --mos scores.csv "
                f"--max-side {max_side}"
            )


def percentile_scale(
    raw: np.ndarray,
    *,
    higher_is_better: bool,
    worse: np.ndarray | None = None,
    better: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Knots that make a score the share of a collection that is worse.

    Between the 1st and 99th percentile the score is the percentile; past these it goes on straight
    to 0 and to 100 at the slope of the outer tenth. With `worse` or `better` that reach farther,
    the lowest or highest five points go from the collection's 5th or 95th percentile to the
    outermost hundredth of those photos, so that they stay in order.

    Args:
        raw: predictions for the photos of the collection that did not take part in the fit, (N,).
        higher_is_better: direction of `raw`.
        worse: predictions for photos worse than those of the collection, any shape.
        better: predictions for photos better than those of the collection, any shape.

    Returns:
        Knots (raw values in order of rising quality) and their scores, both of shape (K,).
    """
    sign = 1.0 if higher_is_better else -1.0
    percents = np.array([1, 2, 5, *range(10, 100, 5), 98, 99], dtype=np.float64)
    quality = np.percentile(sign * raw, percents)
    slopes = (quality[3] - quality[0]) / 9.0, (quality[-1] - quality[-4]) / 9.0  # per point
    lowest, highest = quality[0] - slopes[0], quality[-1] + slopes[1]
    inner = slice(None)
    if worse is not None and (far := float(np.percentile(sign * worse, 1))) < lowest:
        lowest, inner = far, slice(2, None)
    if better is not None and (far := float(np.percentile(sign * better, 99))) > highest:
        highest, inner = far, slice(inner.start, -2)
    quality = np.concatenate([[lowest], quality[inner], [highest]])
    percents = np.concatenate([[0.0], percents[inner], [TOP_SCORE]])
    if quality[-1] <= quality[0]:  # every photo alike: any rising line will do
        quality = quality[0] + np.linspace(-1.0, 1.0, len(quality))
    rising = np.concatenate([[True], np.diff(quality) > 0])
    return sign * quality[rising], percents[rising]


def range_scale(best: float, worst: float) -> tuple[np.ndarray, np.ndarray]:
    """Knots of a straight line from the worst opinion (0) to the best (100)."""
    return np.array([worst, best]), np.array([0.0, TOP_SCORE])


def save(path: Path, regressor: Regressor) -> None:
    """Write a regressor, whole or not at all; plain numbers and facts, no pickle.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    tensorfile.save(path, KIND, regressor)


def load(path: Path) -> Regressor:
    """Read a regressor.

    Raises:
        BadModelFile: not a regressor, damaged, or with numbers that cannot be.
    """
    content = tensorfile.read_arrays(path)
    header = content.header
    if header.kind != KIND:
        raise tensorfile.another(path, header.kind, KIND)
    regressor = Regressor(
        higher_is_better=header.flag("higher_is_better"),
        task=header.text("task"),
        encoder=header.text("encoder"),
        max_side=header.whole("max_side", low=0, high=_LONGEST_SIDE),
        figures=header.facts("figures"),
        provenance=header.facts("provenance"),
        **content.tensors_of(Regressor),
    )
    _check_numbers(path, regressor)
    return regressor


def _check_numbers(path: Path, regressor: Regressor) -> None:
    quality = regressor.knots if regressor.higher_is_better else -regressor.knots
    parts = (regressor.weights, regressor.knots, np.array(regressor.bias))
    is_sound = (
        regressor.task in (NO_REFERENCE, FULL_REFERENCE)
        and regressor.knots.shape == regressor.scores.shape
        and regressor.knots.size >= 2  # noqa: PLR2004 - a line needs two points
        and all(bool((np.abs(part) <= LARGEST).all()) for part in parts)
        and bool((np.diff(quality) > 0).all() and (np.diff(regressor.scores) > 0).all())
        and 0.0 <= regressor.scores[0] < regressor.scores[-1] <= TOP_SCORE
    )
    if not is_sound:
        raise BadModelFile(f"{path} holds numbers that no regressor can have; make it again")
