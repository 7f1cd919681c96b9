"""JPEG 2000: what an encoder that must meet a compression ratio makes of an image.

The steps are those of the lossy path: 8-bit YCbCr, five levels of the 9/7 wavelet, dead-zone
quantisation. A real encoder codes bit planes arithmetically and stops where the budget ends. Here
the length is estimated instead, from how many coefficients of each 16x16 tile reach each power of
two, and the quantiser step is read off where the estimate meets the budget: one histogram an
image, no search.

Source: ISO/IEC 15444-1 (ITU-T T.800), Annexes E, F, G; bit-plane costs after D. Taubman, "High
Performance Scalable Image Compression with EBCOT", 2000.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from contrique_cli.distortions.colour import CODE_MAX, CODE_ZERO, rgb_to_ycbcr, ycbcr_to_rgb

SAMPLE_BITS = 8
"""Bits of a sample."""

WAVELET_LEVELS = 5
"""Levels of the wavelet: the usual default."""


# ITU-T T.800, table F.4: the lifting steps of the 9/7 filter, and the scaling of its low band.
LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
LOW_SCALE = 1.230174104914001

COMPONENT_NORMS = (1.732, 1.805, 1.573)
"""How much an error of 1 in Y, Cb or Cr moves RGB (Euclidean norm)."""

TILE = 16
"""Side, in coefficients, of the squares with a statistic of their own."""

STEPS_PER_OCTAVE = 4
"""Resolution of the table of quantiser steps."""

OCTAVES = 16
"""Powers of two that the table of quantiser steps spans."""

FINEST_STEP = 2.0**-2
"""First of the quantiser steps, in 8-bit codes."""

# Found against OpenJPEG (through Pillow) on photos: its contexts save this share of the
# tile-wise estimate, and headers take this much of a file.
LENGTH_SHARE = 0.97
HEADER_BITS = 8 * 200
LEAST_BITS = 8 * 30
"""Size of a file below which OpenJPEG never aims."""


def jpeg2000(images: Tensor, ratios: Tensor) -> Tensor:
    """Compress and decompress.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).
        ratios: size of the raw image over the size of the file, shape (B, 1, 1, 1).

    Returns:
        RGB in [0, 1] in steps of 1/255, shape (B, 3, H, W).
    """
    norms = torch.tensor(COMPONENT_NORMS)[:, None, None].to(images.device, non_blocking=True)
    codes = (images * CODE_MAX).round() - CODE_ZERO
    spectrum = _transform(rgb_to_ycbcr(codes) * norms, inverse=False)
    raw_bits = SAMPLE_BITS * images[0].numel()
    budget = (raw_bits / ratios[:, 0, 0, 0] - HEADER_BITS).clamp_min(LEAST_BITS)
    steps = _find_steps(spectrum, budget / LENGTH_SHARE)[:, None, None, None]
    level = (spectrum.abs() / steps).floor()
    restored = torch.where(level > 0, (level + 0.5) * steps, 0) * spectrum.sign()
    decoded = ycbcr_to_rgb(_transform(restored, inverse=True) / norms) + CODE_ZERO
    return decoded.round().clamp(0, CODE_MAX) / CODE_MAX


def _find_steps(spectrum: Tensor, budget: Tensor) -> Tensor:
    """Find the quantiser step at which the estimated length meets the budget.

    Args:
        spectrum: wavelet coefficients, shape (B, 3, H, W).
        budget: bits, shape (B,).

    Returns:
        Steps in 8-bit codes, shape (B,).
    """
    bits = _estimate_bits(spectrum)  # (B, steps), falling
    steps = bits.shape[1]
    enough = (bits > budget[:, None]).sum(dim=1).clamp(1, steps - 1)[:, None]
    before, after = bits.gather(1, enough - 1), bits.gather(1, enough)
    # Between two entries of the table the length falls nearly as a power of the step.
    before, after = before.clamp_min(1).log(), after.clamp_min(1).log()
    share = (before - budget[:, None].log()) / (before - after).clamp_min(1e-6)
    step = (enough - 1 + share.clamp(0, 1))[:, 0]
    return FINEST_STEP * 2 ** (step / STEPS_PER_OCTAVE)


def _estimate_bits(spectrum: Tensor) -> Tensor:
    """Estimate the code length for each quantiser step of the table, shape (B, steps)."""
    reached = _count_reaching(spectrum)  # (B, tiles, steps + an octave)
    here, above = reached[..., :-STEPS_PER_OCTAVE], reached[..., STEPS_PER_OCTAVE:]
    # Bit plane of threshold t: which of the coefficients below 2t reach t costs their entropy;
    # each that does adds a sign, each above 2t one bit of refinement.
    open_ones = TILE**2 - above
    share = (here - above) / open_ones.clamp_min(1)
    plane = open_ones * _entropy(share) + here
    plane = plane.sum(dim=1).reshape(len(plane), -1, STEPS_PER_OCTAVE)  # (B, octaves, steps)
    return plane.flip(1).cumsum(dim=1).flip(1).flatten(1)


def _count_reaching(spectrum: Tensor) -> Tensor:
    """Count for each tile the coefficients that reach each step of the table."""
    batch, _, rows, columns = spectrum.shape
    padded = functional.pad(spectrum, (0, -columns % TILE, 0, -rows % TILE))
    tiles = padded.unfold(2, TILE, TILE).unfold(3, TILE, TILE).reshape(batch, -1, TILE**2)
    steps = STEPS_PER_OCTAVE * (OCTAVES + 1)
    size = (tiles.abs() / FINEST_STEP).clamp_min(0.5).log2() * STEPS_PER_OCTAVE
    # Step 0 holds what is below the finest step; the rest moves up by one.
    step = (size.floor() + 1).clamp(0, steps - STEPS_PER_OCTAVE).long()
    counts = torch.zeros(*tiles.shape[:2], steps + 1, device=spectrum.device)
    counts.scatter_add_(2, step, torch.ones_like(tiles))
    return counts[..., 1:].flip(2).cumsum(dim=2).flip(2)


def _entropy(share: Tensor) -> Tensor:
    """Bits a yes-or-no costs that says yes in this share of cases."""
    return -(torch.xlogy(share, share) + torch.xlogy(1 - share, 1 - share)) / math.log(2)


def _transform(planes: Tensor, *, inverse: bool) -> Tensor:
    """Take all levels of the wavelet transform; each level halves the top left corner."""
    sizes = [tuple(planes.shape[-2:])]
    for _ in range(WAVELET_LEVELS - 1):
        rows, columns = sizes[-1]
        sizes.append(((rows + 1) // 2, (columns + 1) // 2))
    planes = planes.clone()
    for rows, columns in reversed(sizes) if inverse else sizes:
        down = _wavelet(rows, inverse=inverse).to(planes.device, non_blocking=True)
        across = _wavelet(columns, inverse=inverse).to(planes.device, non_blocking=True)
        planes[..., :rows, :columns] = down @ planes[..., :rows, :columns] @ across.T
    return planes


@lru_cache(maxsize=64)
def _wavelet(size: int, *, inverse: bool) -> Tensor:
    """Write one level of the 9/7 transform of a line as a matrix: low band first, then high.

    A product with it does in one call what lifting does in a dozen, and holds the mirrored ends.
    The bands are scaled to be nearly orthonormal, so that one step serves them all.
    """
    line = torch.eye(size, dtype=torch.float64)
    even, odd = line[0::2].clone(), line[1::2].clone()
    if len(odd):
        for i, weight in enumerate(LIFTING):
            if i % 2 == 0:
                right = torch.cat([even[1:], even[-1:]])[: len(odd)]
                odd += weight * (even[: len(odd)] + right)
            else:
                left = torch.cat([odd[:1], odd])[: len(even)]
                even += weight * (left + torch.cat([odd, odd[-1:]])[: len(even)])
        even *= 2**0.5 / LOW_SCALE
        odd *= LOW_SCALE / 2**0.5
    matrix = torch.cat([even, odd])
    return (torch.linalg.inv(matrix) if inverse else matrix).float()
