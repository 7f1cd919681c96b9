"""What shots that belong together are: a burst to thin, or a bracket or panorama to keep whole.

A camera that says so is believed. Without a word from it, shots are a bracket where no two are
exposed, or focused, alike and the steps between them are even, and a panorama where each shows the
one before moved the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from contrique_cli.collection.likeness import Shot

BURST, BRACKET, PANORAMA = KINDS = ("burst", "bracket", "panorama")

LEAST = 3
"""Shots that make a bracket or a panorama where no camera says so."""

STEP = 0.3
"""Stops between two exposures that a photographer calls different; cameras step by a third."""

SPAN = 1.5
"""Stops between the darkest and the brightest of a bracket without a word from the camera: light
that changes during a burst changes less."""

UNEVEN = 1.5
"""Times the shortest step of a bracket that the longest may be."""

SAME_LIGHT = 0.7
"""Stops by which two shots of a sweep differ at most."""

LEAST_SHIFT, MOST_SHIFT = 0.08, 0.75
"""Share of the side by which the next shot of a sweep is moved."""

SIDEWAYS = 0.12
"""Share of the other side by which hands let it stray."""

LIKENESS = 0.8
"""Correlation of what two shots of a sweep share."""

_FLAT = 1.0  # variance per sample, of 255 squared, below which there is nothing to compare
_GAIN = 0.05  # by which the correlation of the moved shot exceeds that of the one in place


def kind(shots: Sequence[Shot]) -> str:
    """One of `KINDS`, of near-duplicates in order of time."""
    if is_bracket(shots):
        return BRACKET
    return PANORAMA if is_panorama(shots) else BURST


def is_bracket(shots: Sequence[Shot]) -> bool:
    """Whether shots of one motif, in order of time, are an exposure or focus bracket."""
    exposures = [shot.exposure for shot in shots]
    if len(shots) > 1 and all(exposure.is_bracketed for exposure in exposures):
        return True
    if len(shots) < LEAST:
        return False
    return (
        _is_stepped([exposure.bias for exposure in exposures], span=SPAN)
        or _is_stepped([exposure.stops for exposure in exposures], span=SPAN)
        or _is_focus_stepped([exposure.distance for exposure in exposures])
    )


def _is_stepped(values: Sequence[float | None], *, span: float) -> bool:
    """Whether every value occurs equally often, and they lie in even steps, far enough apart."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return False
    ordered = sorted(known)
    levels: list[list[float]] = [[ordered[0]]]
    for value in ordered[1:]:
        if value - levels[-1][-1] < STEP:
            levels[-1].append(value)
        else:
            levels.append([value])
    if len(levels) < LEAST or len({len(level) for level in levels}) > 1:
        return False
    middles = [sum(level) / len(level) for level in levels]
    steps = [after - before for before, after in pairwise(middles)]
    return middles[-1] - middles[0] >= span and max(steps) <= UNEVEN * min(steps)


def _is_focus_stepped(distances: Sequence[float | None]) -> bool:
    """Whether the lens moved one way from each shot to the next."""
    known = [distance for distance in distances if distance is not None]
    if len(known) < len(distances):
        return False
    steps = [after - before for before, after in pairwise(known)]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)


# ------------------------------------------------------------------------------ panoramas


def is_panorama(shots: Sequence[Shot]) -> bool:
    """Whether each shot, in order of time, shows the one before moved the same way."""
    if len(shots) < LEAST:
        return False
    way = _move(shots[0], shots[1])
    return way is not None and all(_move(*pair) == way for pair in pairwise(shots[1:]))


def panoramas(shots: Sequence[Shot], order: Sequence[int], *, gap: float) -> list[list[int]]:
    """Sweeps among shots that are no near-duplicates.

    Args:
        shots: of which some are looked at.
        order: indices of those with a time, in order of time.
        gap: longest pause within a sweep in seconds.

    Returns:
        Indices, each sweep in order of time.
    """
    sweeps: list[list[int]] = []
    way: tuple[int, int] | None = None
    for before, after in pairwise(order):
        move = _move(shots[before], shots[after]) if _is_next(shots, before, after, gap) else None
        if move is not None and sweeps and sweeps[-1][-1] == before and move == way:
            sweeps[-1].append(after)
        elif move is not None:
            sweeps.append([before, after])
        way = move
    return [sweep for sweep in sweeps if len(sweep) >= LEAST]


def _is_next(shots: Sequence[Shot], before: int, after: int, gap: float) -> bool:
    first, second = shots[before].taken, shots[after].taken
    return first is not None and second is not None and (second - first).total_seconds() <= gap


def _move(before: Shot, after: Shot) -> tuple[int, int] | None:
    """The axis and sign by which the view moved; None where it stood still or shows another."""
    one, other = before.grey, after.grey
    if one is None or other is None or one.shape != other.shape:
        return None
    light = (before.exposure.stops, after.exposure.stops)
    if light[0] is not None and light[1] is not None and abs(light[0] - light[1]) > SAME_LIGHT:
        return None
    likeness = _correlations(one, other)
    height, width = one.shape
    ups, lefts = _shifts(height)[:, None] / height, _shifts(width)[None] / width
    ways = {
        (0, -1): (-ups, lefts),
        (0, 1): (ups, lefts),
        (1, -1): (-lefts, ups),
        (1, 1): (lefts, ups),
    }
    best = {
        way: likeness[
            (along >= LEAST_SHIFT) & (along <= MOST_SHIFT) & (abs(across) <= SIDEWAYS)
        ].max(initial=-1.0)
        for way, (along, across) in ways.items()
    }
    way = max(best, key=lambda one: best[one])
    is_moved = best[way] >= LIKENESS and best[way] > likeness[0, 0] + _GAIN
    return way if is_moved else None


def _shifts(length: int) -> np.ndarray:
    """Samples by which each entry of a correlation of two rows moves one of them."""
    return np.fft.fftfreq(2 * length, d=1 / (2 * length))


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's correlation of what two views share, for every shift of one against the other.

    Args:
        one, other: brightness, shape (H, W).

    Returns:
        Shape (2H, 2W), by the shifts of `_shifts`; -1 where they share nothing, or flat areas only.

    Source: Padfield, "Masked object registration in the Fourier domain", IEEE TIP 2012.
    """
    size = (2 * one.shape[0], 2 * one.shape[1])
    first, second = one - one.mean(), other - other.mean()

    def transform(samples: np.ndarray) -> np.ndarray:
        return np.fft.rfft2(samples, size)

    def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(left * right.conj(), size)

    inside = transform(np.ones(one.shape))
    a, b = transform(first), transform(second)
    count = np.maximum(product(inside, inside).round(), 1)  # (2H, 2W), samples they share
    sums = product(a, inside), product(inside, b)
    squares = (
        product(transform(first**2), inside) - sums[0] ** 2 / count,
        product(inside, transform(second**2)) - sums[1] ** 2 / count,
    )
    spread = np.sqrt(np.maximum(squares[0], 0) * np.maximum(squares[1], 0))
    is_flat = spread < _FLAT * count
    shared = product(a, b) - sums[0] * sums[1] / count
    return np.where(is_flat, -1.0, shared / np.where(is_flat, 1.0, spread))
