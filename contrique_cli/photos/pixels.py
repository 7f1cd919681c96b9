"""Pixels as tensors: from pictures, to the unit interval, and halved as the method does.

Everything that decides which pixels reach the model lies here and in `decoding`, in scoring and in
training alike; see `opening.PREPROCESSING`.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.nn import functional


def to_tensor(image: Image.Image) -> torch.Tensor:
    """RGB picture to a tensor.

    Returns:
        uint8 in [0, 255], shape (3, H, W).
    """
    array = np.array(image)  # (H, W, 3), a copy that owns its memory
    return torch.from_numpy(array).permute(2, 0, 1)


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 samples to float32 in [0, 1], any shape. On purpose no ImageNet mean or deviation."""
    return images.to(torch.float32).div_(255.0)


def halve(images: torch.Tensor) -> torch.Tensor:
    """Half width and half height, integer division: the method's second scale.

    Antialiased bicubic, rows before columns, each pass rounded to 8 bit: what Pillow's
    `resize(BICUBIC)` does to a photo, on any device, and the same in training and in scoring.
    In integers on a CPU, as Pillow does it; in floats, one sample in 300 falls to the other side
    of a tie.

    Args:
        images: RGB, float in [0, 1] or uint8, shape (B, 3, H, W), H and W at least 2.

    Returns:
        RGB of the same kind, shape (B, 3, H // 2, W // 2), on the 8-bit grid.

    Source: Madhusudana et al., IEEE TIP 2022, section III; Pillow's resampling filters.
    """
    if images.dtype == torch.uint8 and images.device.type == "cpu":
        height, width = images.shape[-2:]
        lying = images.contiguous(memory_format=torch.channels_last)  # its quick way
        return functional.interpolate(
            lying, (height // 2, width // 2), mode="bicubic", align_corners=False, antialias=True
        )
    if images.dtype == torch.uint8:
        return _halve_floats(to_unit(images)).mul_(255.0).round_().to(torch.uint8)
    return _halve_floats(images)


def _halve_floats(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[-2:]
    for size in ((height, width // 2), (height // 2, width // 2)):
        images = functional.interpolate(
            images, size=size, mode="bicubic", align_corners=False, antialias=True
        )
        images = images.mul(255.0).round_().clamp_(0.0, 255.0).div_(255.0)
    return images
