"""JPEG: what a baseline encoder and decoder at a given quality make of an image.

The steps are those of libjpeg with Pillow's defaults: 8-bit YCbCr, chroma halved both ways by a
box, 8x8 DCT, the standard tables scaled by quality, rounding; back with the triangle filter for
chroma. The lossless rest (zigzag, Huffman codes) changes no pixel and is left out.

Source: ITU-T T.81, Annexes A and K; the scaling of tables is libjpeg's (jcparam.c, documented in
its usage.txt).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from contrique_cli.distortions.colour import CODE_MAX, CODE_ZERO, rgb_to_ycbcr, ycbcr_to_rgb
from contrique_cli.distortions.dct import BLOCK, dct_basis

MIDDLE_QUALITY = 50
"""Quality at which libjpeg takes the standard tables as they are."""

TIE_GUARD = 1e-4
"""Share of a quantiser step: sums in float32 fall short of a half by less."""


# ITU-T T.81, tables K.1 and K.2, row by row.
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)


def jpeg(images: Tensor, qualities: Tensor) -> Tensor:
    """Compress and decompress.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).
        qualities: libjpeg quality, 1 to 100, shape (B, 1, 1, 1).

    Returns:
        RGB in [0, 1] in steps of 1/255, shape (B, 3, H, W).
    """
    rows, columns = images.shape[-2:]
    ycbcr = rgb_to_ycbcr((images * CODE_MAX).round()).round()
    luma = _repeat_edges(ycbcr[:, :1] - CODE_ZERO, BLOCK, BLOCK)
    luma = _requantise(luma, _table(LUMA_TABLE, qualities)) + CODE_ZERO
    # libjpeg fills a macroblock to the right before halving, downwards after it.
    chroma = _halve(_repeat_edges(ycbcr[:, 1:], 2, 2 * BLOCK))
    chroma = _requantise(_repeat_edges(chroma, BLOCK, BLOCK), _table(CHROMA_TABLE, qualities))
    # The decoder grows only the chroma that the image needs, so the padding does not bleed in.
    chroma = chroma[..., : (rows + 1) // 2, : (columns + 1) // 2]
    chroma = functional.interpolate(
        chroma, scale_factor=2, mode="bilinear", align_corners=False
    ).round()
    decoded = torch.cat([luma[..., :rows, :columns], chroma[..., :rows, :columns]], dim=1)
    return ycbcr_to_rgb(decoded).round().clamp(0, CODE_MAX) / CODE_MAX


def _repeat_edges(planes: Tensor, row_unit: int, column_unit: int) -> Tensor:
    """Repeat the last row and column up to whole units."""
    rows, columns = planes.shape[-2:]
    return functional.pad(
        planes, (0, -columns % column_unit, 0, -rows % row_unit), mode="replicate"
    )


def _halve(chroma: Tensor) -> Tensor:
    """Average 2x2 samples; halves round up and down in turn, so that none drifts."""
    mean = functional.avg_pool2d(chroma, 2)
    column = torch.arange(mean.shape[-1], device=chroma.device)
    bias = (column % 2 + 1) / 4
    return (mean + bias).floor()


def _table(table: tuple[tuple[int, ...], ...], qualities: Tensor) -> Tensor:
    """Scale a quantisation table by quality, shape (B, 1, 1, 8, 1, 8)."""
    percent = torch.where(
        qualities < MIDDLE_QUALITY, (5000 / qualities).floor(), 200 - 2 * qualities
    )
    base = torch.tensor(table).to(qualities.device, non_blocking=True)
    scaled = ((base * percent[:, 0] + 50) / 100).floor().clamp(1, CODE_MAX)  # (B, 8, 8)
    return scaled[:, None, None, :, None, :]


def _requantise(planes: Tensor, table: Tensor) -> Tensor:
    """Round the DCT of every 8x8 block to multiples of the table, and transform back."""
    batch, channels, rows, columns = planes.shape
    basis = dct_basis().to(planes.device, non_blocking=True)
    blocked = (batch, channels, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    spectrum = (basis @ planes.reshape(-1, BLOCK, columns)).reshape(blocked) @ basis.T
    # Halves go away from 0, as in libjpeg; means of whole numbers fall on halves often.
    size = (spectrum.abs() / table + (0.5 + TIE_GUARD)).floor() * table
    rounded = torch.where(spectrum < 0, -size, size)
    half = (rounded @ basis).reshape(-1, BLOCK, columns)
    samples = (basis.T @ half).reshape(planes.shape).round()
    return samples.clamp(-CODE_ZERO, CODE_MAX - CODE_ZERO)
