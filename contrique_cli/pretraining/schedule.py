"""The learning rate as a pure function of how far a run is."""

from __future__ import annotations

import math


def learning_rate(progress: float, *, peak: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to zero.

    Args:
        progress: of the run, in [0, 1]: steps over all steps, or seconds over all seconds.
        peak: rate at the end of the warm-up.
        warmup: share of the run that the warm-up takes.
    """
    if progress < warmup:
        return peak * progress / warmup
    fall = (min(progress, 1.0) - warmup) / (1.0 - warmup)
    return peak * 0.5 * (1.0 + math.cos(math.pi * fall))
