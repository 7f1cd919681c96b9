"""Natural-scene statistics of BRISQUE: 36 numbers per photo, the classical baseline.

Written from the formulas of Mittal, Moorthy and Bovik, "No-Reference Image Quality Assessment in
the Spatial Domain", IEEE TIP 21(12), 2012, sections III-A to III-C; equation numbers are theirs.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage, special

SIGMA = 7.0 / 6.0
"""Deviation of the 7x7 Gaussian window, in pixels: K = L = 3, sampled to 3 deviations (eq. 2)."""

STABILISER = 1.0
"""C of eq. 1, on the scale of 0 to 255."""

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Right, below and both diagonals (eqs. 7 to 10)."""

_SHAPES = np.arange(0.2, 10.0, 0.001)
_GGD_RATIO = special.gamma(2 / _SHAPES) ** 2 / (
    special.gamma(1 / _SHAPES) * special.gamma(3 / _SHAPES)
)
"""E|x|^2 / E[x^2] of a generalised Gaussian of each shape."""


def features(image: Image.Image) -> np.ndarray:
    """Statistics at two scales, the second half as wide and high.

    Args:
        image: RGB.

    Returns:
        Shape (36,), float64.
    """
    grey = image.convert("L")
    half = grey.resize((grey.width // 2, grey.height // 2), Image.Resampling.BICUBIC)
    return np.concatenate([_one_scale(np.asarray(one, dtype=np.float64)) for one in (grey, half)])


def _one_scale(grey: np.ndarray) -> np.ndarray:
    """Shape and variance of the normalised luminance, and four numbers per neighbour product."""
    field = normalise(grey)
    shape, left, right, _ = fit_aggd(field)
    numbers = [shape, (left**2 + right**2) / 2.0]
    height, width = field.shape
    for down, across in NEIGHBOURS:
        here = field[: height - down, max(0, -across) : width - max(0, across)]
        there = field[down:, max(0, across) : width + min(0, across)]
        shape, left, right, mean = fit_aggd(here * there)
        numbers += [shape, mean, left**2, right**2]
    return np.array(numbers)


def normalise(grey: np.ndarray) -> np.ndarray:
    """Mean-subtracted, contrast-normalised luminance, (H, W) (eqs. 1 to 3)."""
    mean = ndimage.gaussian_filter(grey, SIGMA, radius=3, mode="nearest")
    square = ndimage.gaussian_filter(grey * grey, SIGMA, radius=3, mode="nearest")
    deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return (grey - mean) / (deviation + STABILISER)


def fit_aggd(values: np.ndarray) -> tuple[float, float, float, float]:
    """Asymmetric generalised Gaussian by matching moments (eqs. 11 to 15).

    Args:
        values: any shape.

    Returns:
        Shape, left and right deviation, and mean eta.

    Source: Lasmar, Stitou and Berthoumieu, "Multiscale skewed heavy tailed model for texture
    analysis", ICIP 2009.
    """
    tiny = 1e-12
    left = float(np.sqrt(np.mean(values[values < 0] ** 2))) if (values < 0).any() else tiny
    right = float(np.sqrt(np.mean(values[values > 0] ** 2))) if (values > 0).any() else tiny
    skew = left / right
    ratio = np.mean(np.abs(values)) ** 2 / max(float(np.mean(values**2)), tiny)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin(np.abs(_GGD_RATIO - ratio))])
    spread = np.sqrt(special.gamma(1 / shape) / special.gamma(3 / shape))
    mean = (right - left) * spread * special.gamma(2 / shape) / special.gamma(1 / shape)
    return shape, left, right, float(mean)
