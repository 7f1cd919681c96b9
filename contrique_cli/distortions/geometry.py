"""Geometry: pixels that jitter, patches that stray, blocks that cover, pixels that grow.

Every function takes images of shape (B, C, H, W) in [0, 1] and gives the same.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from contrique_cli.distortions.randomness import fork, normal, uniform

JITTER_ROUNDS = 5
"""Times that every pixel is moved."""

PATCH_SIZE = 16
"""Side of a patch that strays, in pixels."""

PATCH_RADIUS = 16
"""Pixels; twice the farthest that a patch moves, and its distance from the border."""

PATCH_COUNT_MAX = 100
"""Patches at most."""

BLOCK_SIZE = 32
"""Side of a block that covers, in pixels."""

BLOCK_COUNT_MAX = 10
"""Blocks at most."""

PIXELATE_BASE, PIXELATE_POWER = 0.95, 0.6
"""The zoom is the base less the amount to this power."""


def jitter(images: Tensor, amounts: Tensor, seeds: Tensor) -> Tensor:
    """Move every pixel by Gaussian steps of `amounts` pixels, five times over (bicubic)."""
    rows, columns = images.shape[-2:]
    y = torch.arange(rows, device=images.device) * 2 + 1
    x = torch.arange(columns, device=images.device) * 2 + 1
    centres = torch.stack(
        [(x / columns - 1).expand(rows, -1), (y[:, None] / rows - 1).expand(-1, columns)], dim=-1
    )  # (H, W, 2): columns before rows, as grid_sample wants them
    pixel = 2 / _pair(columns, rows, images.device)
    for turn in range(JITTER_ROUNDS):
        steps = normal(fork(seeds, turn), (rows, columns, 2))
        grid = centres + steps * amounts * pixel
        images = functional.grid_sample(
            images, grid, mode="bicubic", padding_mode="border", align_corners=False
        )
    return images.clamp(0, 1)


def stray_patches(images: Tensor, counts: Tensor, seeds: Tensor) -> Tensor:
    """Copy 16x16 patches at most 8 px away; a later patch covers an earlier one.

    Args:
        images: shape (B, C, H, W).
        counts: number of patches, at most 100, shape (B, 1, 1, 1).
        seeds: int64, shape (B,).

    Returns:
        Shape (B, C, H, W).
    """
    channels, rows, columns = images.shape[1:]
    size = min(PATCH_SIZE, rows, columns)
    room = _pair(rows - size, columns - size, images.device)
    margin = torch.minimum(torch.full_like(room, PATCH_RADIUS), room // 2)
    chance = uniform(seeds, (2, PATCH_COUNT_MAX, 2))
    start = margin + (chance[:, 0] * (room - 2 * margin + 1)).long()  # (B, patches, 2)
    step = ((chance[:, 1] - 0.5) * PATCH_RADIUS).round().long()
    target = torch.minimum((start + step).clamp_min(0), room)
    owner = _last_owner(target, size, counts, (rows, columns))  # (B, H * W), 0 where none

    moved = functional.pad(target - start, (0, 0, 1, 0))  # patch 0 moves nothing
    offset = moved[..., 0] * columns + moved[..., 1]  # (B, patches + 1)
    pixel = torch.arange(rows * columns, device=images.device)
    source = pixel - offset.gather(1, owner)
    flat = images.flatten(2)
    return flat.gather(2, source[:, None].expand(-1, channels, -1)).reshape(images.shape)


def cover_blocks(images: Tensor, counts: Tensor, seeds: Tensor) -> Tensor:
    """Cover 32x32 blocks with one random colour each.

    Args:
        images: shape (B, C, H, W).
        counts: number of blocks, at most 10, shape (B, 1, 1, 1).
        seeds: int64, shape (B,).

    Returns:
        Shape (B, C, H, W).
    """
    channels, rows, columns = images.shape[1:]
    size = min(BLOCK_SIZE, rows, columns)
    room = _pair(rows - size, columns - size, images.device)
    target = (uniform(fork(seeds, 0), (BLOCK_COUNT_MAX, 2)) * (room + 1)).long()
    colours = functional.pad(uniform(fork(seeds, 1), (channels, BLOCK_COUNT_MAX)), (1, 0))
    owner = _last_owner(target, size, counts, (rows, columns))[:, None].expand(-1, channels, -1)
    painted = colours.gather(2, owner).reshape(images.shape)
    return torch.where(owner.reshape(images.shape) > 0, painted, images)


def pixelate(images: Tensor, strength: float) -> Tensor:
    """Shrink by 0.95 - strength^0.6 and grow again, both to the nearest pixel."""
    zoom = PIXELATE_BASE - strength**PIXELATE_POWER
    rows, columns = (_shrunk(size, zoom, images.device) for size in images.shape[-2:])
    return images.index_select(2, rows).index_select(3, columns)


def _pair(first: int, second: int, device: torch.device) -> Tensor:
    """Put two numbers on a device without waiting for it, int64, shape (2,)."""
    return torch.tensor([first, second]).to(device, non_blocking=True)


def _last_owner(corners: Tensor, size: int, counts: Tensor, shape: tuple[int, int]) -> Tensor:
    """Tell for each pixel the last of the squares that cover it, counted from 1; 0 for none.

    Args:
        corners: first row and column of each square, int64, shape (B, squares, 2).
        size: side of the squares, px.
        counts: how many squares of each image count, shape (B, 1, 1, 1).
        shape: rows and columns of the images.

    Returns:
        int64, shape (B, H * W).
    """
    rows, columns = shape
    squares = corners.shape[1]
    inside = torch.arange(size, device=corners.device)
    down = corners[..., 0, None] + inside  # (B, squares, size)
    across = corners[..., 1, None] + inside
    pixels = down[..., :, None] * columns + across[..., None, :]  # (B, squares, size, size)
    number = torch.arange(1, squares + 1, device=corners.device)
    number = torch.where(number <= counts[:, :, 0, 0], number, 0)  # (B, squares)
    values = number[..., None, None].expand(pixels.shape)
    owner = torch.zeros(len(corners), rows * columns, dtype=torch.int64, device=corners.device)
    return owner.scatter_reduce_(1, pixels.flatten(1), values.flatten(1), "amax")


def _shrunk(size: int, zoom: float, device: torch.device) -> Tensor:
    """Source of each sample after shrinking to the nearest sample and growing back."""
    small = max(1, math.ceil(size * zoom))
    sample = torch.arange(size, device=device)
    reduced = (2 * sample + 1) * small // (2 * size)
    return (2 * reduced + 1) * size // (2 * small)
