"""Noise: white, in colour, impulse, multiplicative, and what a denoiser leaves of it.

Every function takes RGB in [0, 1], shape (B, 3, H, W), a strength of shape (B, 1, 1, 1) and one
int64 seed per image, and gives RGB in [0, 1] of the same shape.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from contrique_cli.distortions.colour import rgb_to_studio_ycbcr, studio_ycbcr_to_rgb
from contrique_cli.distortions.dct import BLOCK, dct_basis
from contrique_cli.distortions.randomness import normal, uniform

DCT_STRIDE = BLOCK // 2
"""Pixels between windows; 2 would be 5 times slower for 0.3 dB."""

DCT_THRESHOLD = 3.3
"""Standard deviations of the noise; lets 1 coefficient in 1,000 pass by chance."""


def white_noise(images: Tensor, variances: Tensor, seeds: Tensor) -> Tensor:
    """Add Gaussian noise, independent in each pixel and channel."""
    noise = normal(seeds, tuple(images.shape[1:]))
    return (images + variances.sqrt() * noise).clamp(0, 1)


def colour_noise(images: Tensor, variances: Tensor, seeds: Tensor) -> Tensor:
    """Add Gaussian noise to Y, Cb and Cr at studio range, as MATLAB's rgb2ycbcr gives them."""
    noise = normal(seeds, tuple(images.shape[1:]))
    noisy = (rgb_to_studio_ycbcr(images) + variances.sqrt() * noise).clamp(0, 1)
    return studio_ycbcr_to_rgb(noisy).clamp(0, 1)


def impulse_noise(images: Tensor, densities: Tensor, seeds: Tensor) -> Tensor:
    """Turn a share of the samples to 0 and an equal one to 1, each channel on its own."""
    chance = uniform(seeds, tuple(images.shape[1:]))
    peppered = torch.where(chance < densities / 2, 0, images)
    return torch.where(chance >= 1 - densities / 2, 1, peppered)


def multiplicative_noise(images: Tensor, variances: Tensor, seeds: Tensor) -> Tensor:
    """Add noise in proportion to the image; evenly spread, as in MATLAB's imnoise speckle."""
    spread = (12 * variances).sqrt()  # an even spread of width w has the variance w^2 / 12
    noise = spread * (uniform(seeds, tuple(images.shape[1:])) - 1 / 2)
    return (images + images * noise).clamp(0, 1)


def denoise(images: Tensor, variances: Tensor, seeds: Tensor) -> Tensor:
    """Add Gaussian noise and take it off again, with the marks that leaves.

    KADID uses the neural network DnCNN on each channel. Here a classical denoiser stands in for
    it: overlapping 8x8 DCT windows, whose small coefficients are zeroed, and then once more with
    every coefficient weighed by the first result (Wiener). As DnCNN does it smooths texture away,
    keeps strong edges and leaves blotches.

    Source: Yu and Sapiro, "DCT Image Denoising: a Simple and Effective Image Denoising Algorithm",
    IPOL 2011; the second pass as in Dabov et al., BM3D, IEEE TIP 2007.
    """
    noisy = white_noise(images, variances, seeds)
    shape = images.shape[-2:]
    spectrum = _split_windows(noisy)
    deviations = variances.sqrt()[..., None, None]  # (B, 1, 1, 1, 1, 1)
    kept = torch.where(spectrum.abs() < DCT_THRESHOLD * deviations, 0, spectrum)
    power = _split_windows(_join_windows(_keep_means(kept, spectrum), shape)).square_()
    weighed = spectrum * (power / (power + deviations**2))
    return _join_windows(_keep_means(weighed, spectrum), shape).clamp(0, 1)


def _split_windows(images: Tensor) -> Tensor:
    """Take the DCT of overlapping windows, shape (B, C, 8, 8, windows down, windows across)."""
    batch, channels, rows, columns = images.shape
    before = BLOCK - DCT_STRIDE
    after_rows, after_columns = (before + -size % DCT_STRIDE for size in (rows, columns))
    # Mirrored, for a repeated edge pixel would turn its noise into a stripe.
    padded = functional.pad(images, (before, after_columns, before, after_rows), mode="reflect")
    down, across = _dct_filters(images.device)
    half = functional.conv2d(padded.flatten(0, 1)[:, None], down, stride=(DCT_STRIDE, 1))
    half = half.reshape(-1, 1, *half.shape[-2:])  # (B * C * 8, 1, windows, W)
    spectrum = functional.conv2d(
        half, across, stride=(1, DCT_STRIDE)
    )  # (B * C * 8, 8, windows, windows)
    return spectrum.reshape(batch, channels, BLOCK, BLOCK, *spectrum.shape[-2:])


def _join_windows(spectrum: Tensor, shape: torch.Size) -> Tensor:
    """Undo `_split_windows`; windows fade into each other, else their grid would show."""
    batch, channels, _, _, windows_down, _ = spectrum.shape
    sample = torch.arange(BLOCK, device=spectrum.device)
    fade = torch.sin(math.pi / BLOCK * (sample + 0.5)) ** 2  # adds up to 1 at half a window's step
    down, across = _dct_filters(spectrum.device)
    flat = spectrum.reshape(-1, BLOCK, *spectrum.shape[-2:])
    half = functional.conv_transpose2d(flat, across * fade, stride=(1, DCT_STRIDE))
    half = half.reshape(batch * channels, BLOCK, windows_down, -1)
    padded = functional.conv_transpose2d(half, down * fade[:, None], stride=(DCT_STRIDE, 1))
    before = BLOCK - DCT_STRIDE
    rows, columns = (slice(before, before + size) for size in shape)
    return padded.reshape(batch, channels, *padded.shape[-2:])[..., rows, columns]


def _dct_filters(device: torch.device) -> tuple[Tensor, Tensor]:
    """One filter per frequency, down (8, 1, 8, 1) and across (8, 1, 1, 8)."""
    basis = dct_basis().to(device, non_blocking=True)
    return basis[:, None, :, None], basis[:, None, None, :]


def _keep_means(spectrum: Tensor, original: Tensor) -> Tensor:
    """Put the windows' means back, which no denoiser should touch; changes `spectrum`."""
    spectrum[:, :, 0, 0] = original[:, :, 0, 0]
    return spectrum
