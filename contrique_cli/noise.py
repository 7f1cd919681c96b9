"""Noise: white, in colour, impulse, multiplicative, and what a denoiser leaves of it.

Every function takes RGB in [0, 1], shape (B, 3, H, W), a strength of shape (B, 1, 1, 1) and one
int64 seed per image, and gives RGB in [0, 1] of the same shape.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)
from torch import Tensor

from contrique_cli.colour import rgb_to_studio_ycbcr, studio_ycbcr_to_rgb
from contrique_cli.dct import BLOCK, dct_basis
from contrique_cli.randomness import normal, uniform

DCT_STRIDE = 2  # px between windows; 1 would be 4 times slower for about 0.1 dB
DCT_THRESHOLD = 2.7  # standard deviations of the noise; the usual choice for hard thresholding


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
    it: hard thresholding of overlapping 8x8 DCT windows, which as well smooths texture away,
    keeps strong edges and leaves faint ringing.

    Source:
        Yu and Sapiro, "DCT Image Denoising: a Simple and Effective Image Denoising Algorithm",
        IPOL 2011.
    """
    noisy = white_noise(images, variances, seeds)
    return _threshold_dct(noisy, DCT_THRESHOLD * variances.sqrt()).clamp(0, 1)


def _threshold_dct(images: Tensor, thresholds: Tensor) -> Tensor:
    """Zero the small coefficients of every window and average the windows."""
    batch, channels, rows, columns = images.shape
    before = BLOCK - DCT_STRIDE
    # Padding lets each pixel lie in the same number of windows.
    after_rows, after_columns = (before + size % DCT_STRIDE for size in (rows, columns))
    padded = F.pad(images, (before, after_columns, before, after_rows), mode="replicate")
    basis = dct_basis().to(images.device)  # (8 frequencies, 8)
    down, across = basis[:, None, :, None], basis[:, None, None, :]
    stride_down, stride_across = (DCT_STRIDE, 1), (1, DCT_STRIDE)

    flat = padded.reshape(batch * channels, 1, *padded.shape[-2:])
    half = F.conv2d(flat, down, stride=stride_down)  # (B*C, 8, windows, W)
    half_flat = half.reshape(-1, 1, *half.shape[-2:])
    spectrum = F.conv2d(half_flat, across, stride=stride_across)  # (B*C*8, 8, windows, windows)
    grouped = spectrum.reshape(batch, -1, *spectrum.shape[-2:])
    kept = torch.where(grouped.abs() < thresholds, 0, grouped).reshape(spectrum.shape)
    means = slice(None, None, BLOCK)  # the windows' means are never touched
    kept[means, 0] = spectrum[means, 0]
    half = F.conv_transpose2d(kept, across, stride=stride_across).reshape(half.shape)
    image = F.conv_transpose2d(half, down, stride=stride_down)
    windows = (BLOCK // DCT_STRIDE) ** 2
    image = image.reshape(padded.shape)[..., before : before + rows, before : before + columns]
    return image / windows
