"""Photo-like images made of numbers alone: soft gradients, hard edges, 1/f texture."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

TEXTURE = 0.12  # standard deviation
EDGES = 6


def make_photo(seed: int, rows: int, columns: int) -> Tensor:
    """Make an image in steps of 1/255, as a file would hold it, shape (1, 3, rows, columns)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    image = np.empty((3, rows, columns))
    for channel in image:
        across, down, base = *rng.uniform(-0.4, 0.4, 2), rng.uniform(0.3, 0.7)
        channel[:] = base + across * (x - 0.5) + down * (y - 0.5)
    for _ in range(EDGES):
        centre_y, centre_x, radius = *rng.uniform(0, 1, 2), rng.uniform(0.05, 0.25)
        measure = np.maximum if rng.random() < 0.5 else np.hypot  # a square or a disk
        distance = measure(abs(y - centre_y), abs(x - centre_x))
        colour = rng.uniform(0.05, 0.95, 3)[:, None, None]
        image = np.where(distance < radius, 0.7 * colour + 0.3 * image, image)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns))
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((rows, columns))) / frequency
    texture = np.fft.ifft2(spectrum).real
    image = image + TEXTURE * texture / texture.std()
    codes = (image.clip(0, 1) * 255).round().astype(np.float32)
    return torch.from_numpy(codes)[None] / 255


def to_pillow(image: Tensor) -> Image.Image:
    """Turn an image of shape (3, H, W) into Pillow's."""
    codes = (image * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(codes.numpy())


def from_pillow(photo: Image.Image) -> Tensor:
    """Turn Pillow's RGB into an image of shape (3, H, W)."""
    codes = torch.from_numpy(np.array(photo.convert("RGB")))
    return codes.permute(2, 0, 1).float() / 255


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio in dB; 120 stands for equal images."""
    error = (first - second).double().square().mean().clamp_min(1e-12)
    return float(-10 * error.log10())
