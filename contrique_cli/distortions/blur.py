"""Blurs: Gaussian, out-of-focus disk and motion line, and the unsharp mask that undoes them.

Every function takes RGB (or any channels) of shape (B, C, H, W), float32, on any device, and
repeats the edge pixels outside the image.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from contrique_cli.distortions import filters
from contrique_cli.distortions.colour import LIGHTNESS_MAX, lab_to_rgb, rgb_to_lab
from contrique_cli.distortions.randomness import uniform

LINE_RADIUS = 5
"""Pixels; holds half of the longest motion line (10) and its soft end."""

DISK_SAMPLES = 64
"""Columns per pixel in which the covered height is measured."""

SHARPEN_SIGMA = 3.0
"""Pixels; Radius of MATLAB's imsharpen in KADID."""


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian cut off at 2 sigma, as MATLAB's imgaussfilt does.

    Args:
        images: shape (B, C, H, W).
        sigma: standard deviation, px; the kernel has 2 * ceil(2 * sigma) + 1 taps.

    Returns:
        Shape (B, C, H, W).
    """
    taps = filters.gaussian(sigma, math.ceil(2 * sigma), device=images.device)
    down, across = (filters.matrix(taps, size, filters.repeat) for size in images.shape[-2:])
    return down @ images @ across.T


def lens_blur(images: Tensor, radius: float) -> Tensor:
    """Blur with a uniform disk whose rim is weighted by the area it covers.

    Args:
        images: shape (B, C, H, W).
        radius: radius of the disk, px.

    Returns:
        Shape (B, C, H, W).
    """
    kernel = _disk(radius).to(images.device, non_blocking=True)
    return _convolve(images, kernel.expand(len(images), -1, -1))


def motion_blur(images: Tensor, lengths: Tensor, seeds: Tensor) -> Tensor:
    """Blur along a line of random direction, weighted by the distance to the line.

    Args:
        images: shape (B, C, H, W).
        lengths: length of the line, 1 to 10 px, shape (B, 1, 1, 1); 1 leaves the image as it is.
        seeds: int64, shape (B,); they choose the angle in 0 to 180 degrees.

    Returns:
        Shape (B, C, H, W).

    Source: The kernel of MATLAB's fspecial("motion").
    """
    angle = uniform(seeds, (1, 1)) * math.pi  # (B, 1, 1)
    grid = torch.arange(-LINE_RADIUS, LINE_RADIUS + 1, device=images.device)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    along = x * angle.cos() - y * angle.sin()  # rows count downwards
    beside = x * angle.sin() + y * angle.cos()
    half = (lengths[:, 0] - 1) / 2  # (B, 1, 1)
    past_end = (along.abs() - half).clamp_min(0)
    kernels = (1 - torch.hypot(past_end, beside)).clamp_min(0)
    return _convolve(images, kernels / kernels.sum(dim=(1, 2), keepdim=True))


def sharpen(images: Tensor, amounts: Tensor) -> Tensor:
    """Add `amounts` times what a blur takes from the lightness (an unsharp mask).

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).
        amounts: strength, shape (B, 1, 1, 1).

    Returns:
        RGB in [0, 1], shape (B, 3, H, W).
    """
    lab = rgb_to_lab(images)
    lightness = lab[:, :1]
    detail = lightness - gaussian_blur(lightness, SHARPEN_SIGMA)
    sharpened = (lightness + amounts * detail).clamp(0, LIGHTNESS_MAX)
    return lab_to_rgb(torch.cat([sharpened, lab[:, 1:]], dim=1))


@cache
def _disk(radius: float) -> Tensor:
    """Share of each pixel that a disk covers, summing to 1, shape (1, K, K)."""
    reach = math.ceil(radius - 0.5)
    centres = torch.arange(-reach, reach + 1, dtype=torch.float64)
    inside = (torch.arange(DISK_SAMPLES, dtype=torch.float64) + 0.5) / DISK_SAMPLES - 0.5
    columns = (centres[:, None] + inside).abs()  # (K, samples)
    height = (radius**2 - columns**2).clamp_min(0).sqrt()
    top = torch.minimum(height, centres[:, None, None] + 0.5)  # (K rows, K, samples)
    bottom = torch.maximum(-height, centres[:, None, None] - 0.5)
    covered = (top - bottom).clamp_min(0).mean(dim=-1)
    return (covered / covered.sum()).float()[None]


def _convolve(images: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each image with its own (K, K) kernel."""
    batch, channels, rows, columns = images.shape
    reach = kernels.shape[-1] // 2
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    # One image of B * C channels: the layout for which CPUs have a fast depthwise kernel.
    flat = padded.reshape(1, batch * channels, *padded.shape[-2:])
    weights = kernels[:, None].expand(-1, channels, -1, -1).reshape(-1, 1, *kernels.shape[-2:])
    blurred = functional.conv2d(flat, weights, groups=batch * channels)
    return blurred.reshape(batch, channels, rows, columns)
