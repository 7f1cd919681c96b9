"""The 8x8 discrete cosine transform that JPEG and the denoiser share."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

BLOCK = 8
"""Side of a block, in pixels."""


@cache
def dct_basis() -> Tensor:
    """Write the orthonormal DCT-II of 8 samples as a matrix.

    Returns:
        float32 on the CPU, one frequency a row, shape (8, 8).
    """
    sample = torch.arange(BLOCK, dtype=torch.float64)
    basis = torch.cos(math.pi / BLOCK * (sample + 0.5) * sample[:, None]) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis.float()
