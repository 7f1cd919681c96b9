"""Which photos make up a step, and every random choice made for them: pure functions of the step.

Nothing here depends on the number of processes or threads, so neither does training: each process
takes its share of one plan for the whole batch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from contrique_cli.distortions.bank import CLASSES, LEVELS, class_of
from contrique_cli.pretraining.views import COLOUR_SPACES

_DRAWS = 2**62
"""Seeds are drawn below this."""


class Halves(NamedTuple):
    """Numbers of photos by half: to be distorted, and ordinary ones."""

    synthetic: int
    authentic: int


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """One row per photo of a batch of B.

    Attributes:
        is_authentic: the half the photo is of, bool, shape (B,).
        photos: index within its half, int64, shape (B,).
        kinds, levels, seeds: of the distortion, int64, shape (B,); kind 0 leaves the photo as is.
        classes: of the distortion, int64, shape (B,); -1 for ordinary photos.
        corners: where the region and the close-up lie, as fractions: region top, region left,
            close-up top, close-up left; float64, shape (B, 4).
        is_full_first: the first view is the one at full scale, bool, shape (B,).
        colours: indices into `views.COLOUR_SPACES`, int64, shape (B, 2).
        flips: mirror left and right, bool, shape (B, 2).
    """

    is_authentic: np.ndarray
    photos: np.ndarray
    kinds: np.ndarray
    levels: np.ndarray
    seeds: np.ndarray
    classes: np.ndarray
    corners: np.ndarray
    is_full_first: np.ndarray
    colours: np.ndarray
    flips: np.ndarray

    def share(self, rank: int, world: int) -> BatchPlan:
        """Every `world`-th row from `rank` on, so that each process has both halves."""
        rows = slice(rank, None, world)
        return BatchPlan(
            **{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)}
        )


def split(batch_size: int, halves: Halves) -> Halves:
    """Photos of each half in a batch: half and half where both halves have photos."""
    if not halves.authentic:
        return Halves(batch_size, 0)
    if not halves.synthetic:
        return Halves(0, batch_size)
    return Halves(batch_size // 2, batch_size - batch_size // 2)


def steps_per_epoch(batch_size: int, halves: Halves) -> int:
    """Steps in which the larger half passes once; the smaller one is repeated."""
    parts = split(batch_size, halves)
    return max(-(-n // part) for n, part in zip(halves, parts, strict=True) if part)


def plan_batch(
    step: int,
    *,
    halves: Halves,
    batch_size: int,
    seed: int,
    photos_per_class: int = 1,
    pristine_share: float | None = None,
    recoloured_share: float = 0.8,
    is_distorting: bool = True,
) -> BatchPlan:
    """Make the plan of one step.

    Args:
        step: from 0.
        halves: numbers of photos to choose from.
        batch_size: photos of the step, over all processes.
        seed: of the run.
        photos_per_class: synthetic photos that share a distortion class.
        pristine_share: of undistorted among synthetic photos; None: as any other class.
        recoloured_share: of views in a colour space other than RGB; 0.8 makes all five equal.
        is_distorting: False for photos that were distorted beforehand.
    """
    rng = np.random.default_rng((seed, 1, step))
    parts = split(batch_size, halves)
    kinds, levels = _draw_distortions(rng, parts.synthetic, photos_per_class, pristine_share)
    if not is_distorting:
        kinds, levels = kinds * 0, levels * 0 + 1
    own = np.zeros(parts.authentic, np.int64)
    classes = [class_of(int(k), int(v)) for k, v in zip(kinds, levels, strict=True)]
    return BatchPlan(
        is_authentic=np.arange(batch_size) >= parts.synthetic,
        photos=np.concatenate(
            [
                _in_turn(step * part, part, n, seed, half)
                for half, (part, n) in enumerate(zip(parts, halves, strict=True))
            ]
        ),
        kinds=np.concatenate([kinds, own]),
        levels=np.concatenate([levels, own + 1]),
        seeds=rng.integers(0, _DRAWS, batch_size),
        classes=np.concatenate([np.array(classes, np.int64), own - 1]),
        corners=rng.random((batch_size, 4)),
        is_full_first=rng.random(batch_size) < 0.5,  # noqa: PLR2004 - an even chance
        colours=np.where(
            rng.random((batch_size, 2)) < recoloured_share,
            rng.integers(1, len(COLOUR_SPACES), (batch_size, 2)),
            0,
        ),
        flips=rng.random((batch_size, 2)) < 0.5,  # noqa: PLR2004 - an even chance
    )


def _draw_distortions(
    rng: np.random.Generator, n: int, photos_per_class: int, pristine_share: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Kinds and levels, shape (n,) each: uniform over `bank.CLASSES` draws."""
    cells = rng.integers(0, CLASSES, n)  # 0: undistorted, then kind by kind
    if pristine_share is not None:
        distorted = rng.integers(1, CLASSES, n)
        cells = np.where(rng.random(n) < pristine_share, 0, distorted)
    cells = cells[np.arange(n) // photos_per_class]
    kinds = np.where(cells == 0, 0, (cells - 1) // LEVELS + 1)
    levels = np.where(cells == 0, 1, (cells - 1) % LEVELS + 1)
    return kinds.astype(np.int64), levels.astype(np.int64)


def _in_turn(start: int, count: int, n: int, seed: int, half: int) -> np.ndarray:
    """Entries `start` to `start + count` of an endless row of shuffled passes over n photos."""
    if not count:
        return np.empty(0, np.int64)
    positions = np.arange(start, start + count)
    parts = [
        _shuffled(n, seed, half, int(turn))[positions[positions // n == turn] % n]
        for turn in range(int(positions[0] // n), int(positions[-1] // n) + 1)
    ]
    return np.concatenate(parts)


@lru_cache(maxsize=8)
def _shuffled(n: int, seed: int, half: int, turn: int) -> np.ndarray:
    return np.random.default_rng((seed, 2 + half, turn)).permutation(n).astype(np.int64)
