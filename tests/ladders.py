"""Ladders in numbers alone, for the tests of what they teach."""

from __future__ import annotations

import numpy as np

from contrique_cli.opinions.ladders import Ladders


def made_up(seed: int = 0, n: int = 30, width: int = 12) -> Ladders:
    """Ladders in a feature space where each kind moves along a direction of its own."""
    rng = np.random.default_rng(seed)
    kinds = np.array([2, 10, 11] * (n // 3))
    ways = {kind: np.r_[np.zeros(width // 2), rng.normal(size=width // 2)] for kind in (2, 10, 11)}
    start = rng.normal(size=(n, 1, width))
    steps = np.array([ways[kind] for kind in kinds])[:, None] * np.arange(6)[None, :, None]
    return Ladders(
        photos=np.arange(n),
        kinds=kinds,
        features=(start + 0.1 * steps + 0.001 * rng.normal(size=steps.shape)).astype(np.float32),
    )
