"""Tone and colour: brighter, darker, more or less contrast and saturation, colours that bleed.

Every function takes RGB in [0, 1], shape (B, 3, H, W), and gives the same, clipped.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from contrique_cli.distortions.blur import gaussian_blur
from contrique_cli.distortions.colour import LIGHTNESS_MAX, lab_to_rgb, rgb_to_grey, rgb_to_lab
from contrique_cli.distortions.randomness import uniform

DIFFUSION_SIGMA_SLOPE, DIFFUSION_SIGMA_BASE = 1.5, 2.0
"""Pixels per amount, and pixels: sigma of the blur of colours."""

EDGE_SIGMA = 4.0
"""Pixels; of the blur of edges."""

EDGE_FLOOR = 0.1
"""Weakest edge that still shifts colour, of the strongest."""

STRETCH_SHARE = 0.01
"""Share of the pixels that saturate at either end."""

STRETCH_STEP = 2
"""Pixels: the mask is smooth, every other one tells its distribution."""

CONTRAST_KNOTS = (0.3, 0.5, 0.7)
"""Tones at which the contrast curve is given."""

CONTRAST_LOW, CONTRAST_HIGH = 0.25, 0.75
"""Heights of that curve at its outer knots, for the amount 0."""

GAMMA = 2.2
"""Light is about the tone to this power."""


def diffuse_colour(images: Tensor, amount: float) -> Tensor:
    """Blur the Lab colour channels with sigma 1.5 * amount + 2 and multiply them by amount."""
    lab = rgb_to_lab(images)
    sigma = DIFFUSION_SIGMA_SLOPE * amount + DIFFUSION_SIGMA_BASE
    colour = gaussian_blur(lab[:, 1:], sigma) * amount
    return lab_to_rgb(torch.cat([lab[:, :1], colour], dim=1))


def shift_green(images: Tensor, amounts: Tensor, seeds: Tensor) -> Tensor:
    """Shift green by up to `amounts` pixels, right and down, where the image has edges.

    The shift is a random unit vector times the amount, rounded; the blend follows a soft mask of
    the edges of the grey image.
    """
    direction = uniform(seeds, (2,))
    direction = direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-6)
    steps = (direction * amounts[:, :, 0, 0]).round().long()  # (B, 2), rows before columns
    rows, columns = images.shape[-2:]
    y = torch.arange(rows, device=images.device) - steps[:, :1]  # (B, H)
    x = torch.arange(columns, device=images.device) - steps[:, 1:]  # (B, W)
    y, x = y.clamp(0, rows - 1), x.clamp(0, columns - 1)
    item = torch.arange(len(images), device=images.device)[:, None, None]
    red, green, blue = images.chunk(3, dim=1)
    shifted = green[item, 0, y[:, :, None], x[:, None, :]][:, None]  # (B, 1, H, W)
    return torch.cat([red, torch.lerp(green, shifted, _edge_mask(images)), blue], dim=1)


def scale_hsv_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply the HSV saturation; a negative factor turns colours to their opposite.

    RGB is value - saturation * (a function of hue), so scaling the saturation scales the distance
    of each channel from the value: no hue needs to be computed.
    """
    value = images.amax(dim=1, keepdim=True)
    return (value - factors * (value - images)).clamp(0, 1)


def scale_lab_colour(images: Tensor, factors: Tensor) -> Tensor:
    """Multiply the Lab colour channels a and b."""
    lab = rgb_to_lab(images)
    return lab_to_rgb(torch.cat([lab[:, :1], lab[:, 1:] * factors], dim=1))


def brighten(images: Tensor, amounts: Tensor) -> Tensor:
    """Bend RGB and Lab lightness upwards through (0.5, 0.5 + amount / 2), weighed 2 to 1."""
    lab = rgb_to_lab(images)
    middle = (1 + amounts) / 2
    lightness = _bend(lab[:, :1] / LIGHTNESS_MAX, (0.5,), (middle,)) * LIGHTNESS_MAX
    lighter = lab_to_rgb(torch.cat([lightness, lab[:, 1:]], dim=1))
    return (2 * _bend(images, (0.5,), (middle,)) + lighter) / 3


def expose(images: Tensor, stops: Tensor) -> Tensor:
    """What so many stops more of light would have made, or less: what is too bright is lost."""
    return (images * 2.0 ** (stops / GAMMA)).clamp(max=1)


def darken(images: Tensor, amounts: Tensor) -> Tensor:
    """Bend RGB downwards through (0.5, 0.5 - amount / 2)."""
    return _bend(images, (0.5,), ((1 - amounts) / 2,))


def shift_mean(images: Tensor, amounts: Tensor) -> Tensor:
    """Add a constant."""
    return (images + amounts).clamp(0, 1)


def change_contrast(images: Tensor, amounts: Tensor) -> Tensor:
    """Bend RGB through (0.3, 0.25 - amount / 4), (0.5, 0.5) and (0.7, 0.75 + amount / 4)."""
    low, high = CONTRAST_LOW - amounts / 4, CONTRAST_HIGH + amounts / 4
    return _bend(images, CONTRAST_KNOTS, (low, torch.full_like(low, 0.5), high))


def _bend(values: Tensor, knots: tuple[float, ...], heights: tuple[Tensor, ...]) -> Tensor:
    """Map [0, 1] through (0, 0), the given points and (1, 1), without overshoot, and clip.

    The curve is a piecewise cubic Hermite interpolant whose slopes are the weighted harmonic
    means of Fritsch and Butland (MATLAB's pchip), at the ends the three-point formula.

    Args:
        values: in [0, 1], shape (B, C, H, W).
        knots: positions strictly between 0 and 1, rising.
        heights: one tensor a knot, each of shape (B, 1, 1, 1).

    Returns:
        In [0, 1], shape (B, C, H, W).
    """
    x = (0.0, *knots, 1.0)
    zero = torch.zeros_like(heights[0])
    y = (zero, *heights, zero + 1)
    widths = [right - left for left, right in pairwise(x)]
    rises = [(y[i + 1] - y[i]) / width for i, width in enumerate(widths)]
    slopes = [_end_slope(widths[0], widths[1], rises[0], rises[1])]
    slopes += [
        _middle_slope(widths[i - 1], widths[i], rises[i - 1], rises[i])
        for i in range(1, len(widths))
    ]
    slopes.append(_end_slope(widths[-1], widths[-2], rises[-1], rises[-2]))

    bent = torch.zeros_like(values)
    for i, width in enumerate(widths):
        t = (values - x[i]) / width
        cubic = slopes[i] + slopes[i + 1] - 2 * rises[i]
        square = 3 * rises[i] - 2 * slopes[i] - slopes[i + 1]
        piece = y[i] + width * t * (slopes[i] + t * (square + t * cubic))
        bent = piece if i == 0 else torch.where(values >= x[i], piece, bent)
    return bent.clamp(0, 1)


def _middle_slope(width_0: float, width_1: float, rise_0: Tensor, rise_1: Tensor) -> Tensor:
    """Slope at an inner knot: 0 at a peak, else a weighted harmonic mean."""
    weight_0, weight_1 = 2 * width_1 + width_0, width_1 + 2 * width_0
    same_way = rise_0 * rise_1 > 0
    safe_0, safe_1 = torch.where(same_way, rise_0, 1), torch.where(same_way, rise_1, 1)
    mean = (weight_0 + weight_1) / (weight_0 / safe_0 + weight_1 / safe_1)
    return torch.where(same_way, mean, 0)


def _end_slope(width_0: float, width_1: float, rise_0: Tensor, rise_1: Tensor) -> Tensor:
    """Slope at an end: the parabola's, kept from turning the curve back."""
    slope = ((2 * width_0 + width_1) * rise_0 - width_0 * rise_1) / (width_0 + width_1)
    slope = torch.where(slope * rise_0 <= 0, 0, slope)
    overshoots = (rise_0 * rise_1 <= 0) & (slope.abs() > 3 * rise_0.abs())
    return torch.where(overshoots, 3 * rise_0, slope)


def _edge_mask(images: Tensor) -> Tensor:
    """Soft map of where the edges are, in [0, 1], shape (B, 1, H, W)."""
    grey = rgb_to_grey(images)
    down, across = torch.gradient(grey, dim=(2, 3))
    strength = gaussian_blur(torch.hypot(down, across), EDGE_SIGMA)
    low, high = _range(strength)
    strength = ((strength - low) / (high - low).clamp_min(1e-6)).clamp(EDGE_FLOOR, 1)
    sample = strength[..., ::STRETCH_STEP, ::STRETCH_STEP].flatten(1).sort(dim=1).values
    cut = round(STRETCH_SHARE * (sample.shape[1] - 1))
    low, high = sample[:, cut, None, None, None], sample[:, -1 - cut, None, None, None]
    return ((strength - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)


def _range(images: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of each image, shape (B, 1, 1, 1)."""
    return images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
