"""Random numbers that depend on (seed, index) alone, the same on every device.

`torch.Generator` draws other numbers on a GPU than on a CPU, and one generator serves a whole
batch, so an item's noise would hang on its neighbours. Here a number is a hash of its seed and of
its index: no state, no order, one seed per image.

Source: splitmix64, S. Vigna, https://prng.di.unimi.it/splitmix64.c (public domain), after
Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def _signed(word: int) -> int:
    """Read a 64-bit pattern as torch's int64 does."""
    return word - (1 << 64) if word >> 63 else word


GOLDEN = _signed(0x9E3779B97F4A7C15)
"""Step of splitmix64's counter."""

MULTIPLIER_1 = _signed(0xBF58476D1CE4E5B9)  # splitmix64: mixing constants
MULTIPLIER_2 = _signed(0x94D049BB133111EB)
SHIFTS = (30, 27, 31)
"""Bits by which splitmix64's mixing shifts."""

HALF_WORD = 32
"""Bits of half a word."""

HALF_MASK = (1 << HALF_WORD) - 1
FLOAT_BITS = 24
"""Bits that a float32 holds exactly."""


def fork(seeds: Tensor, stream: int) -> Tensor:
    """Derive new seeds, so that two uses of one seed draw unrelated numbers.

    Args:
        seeds: int64, shape (B,).
        stream: number of the use, 0 or more.

    Returns:
        int64, shape (B,), on the device of `seeds`.
    """
    return _mix(seeds + _signed((stream + 1) * GOLDEN & ((1 << 64) - 1)))


def uniform(seeds: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw numbers evenly spread over [0, 1).

    Args:
        seeds: int64, shape (B,).
        shape: shape of one item's numbers.

    Returns:
        float32, shape (B, *shape).
    """
    high, low = _halves(seeds, shape)
    shift = HALF_WORD - FLOAT_BITS
    bits = torch.cat([high >> shift, low >> shift], dim=1)[:, : math.prod(shape)]
    return (bits.to(torch.float32) * 2.0**-FLOAT_BITS).reshape(len(seeds), *shape)


def normal(seeds: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draw numbers from the normal distribution with mean 0 and variance 1.

    Args:
        seeds: int64, shape (B,).
        shape: shape of one item's numbers.

    Returns:
        float32, shape (B, *shape).

    Source: Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
    """
    high, low = _halves(seeds, shape)
    # The half keeps the logarithm finite; 32 bits let the tail reach 6.7 standard deviations.
    radius = (high.to(torch.float32) + 0.5).mul_(2.0**-HALF_WORD).log_().mul_(-2).sqrt_()
    angle = low.to(torch.float32).mul_(2 * math.pi * 2.0**-HALF_WORD)
    pairs = torch.cat([radius * angle.cos(), radius * angle.sin_()], dim=1)
    return pairs[:, : math.prod(shape)].reshape(len(seeds), *shape)


def _halves(seeds: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Hash (seed, index) into enough words and split each into two of 32 bits."""
    words = (math.prod(shape) + 1) // 2
    index = torch.arange(1, words + 1, device=seeds.device, dtype=torch.int64) * GOLDEN
    word = _mix(_mix(seeds)[:, None] + index)  # (B, words)
    return (word >> HALF_WORD) & HALF_MASK, word & HALF_MASK


def _mix(word: Tensor) -> Tensor:
    """Finish splitmix64: every bit of the input moves about half the bits of the output."""
    first, second, third = SHIFTS
    word = _xor_shift(word, first) * MULTIPLIER_1
    word = _xor_shift(word, second).mul_(MULTIPLIER_2)
    return _xor_shift(word, third)


def _xor_shift(word: Tensor, shift: int) -> Tensor:
    """Return word ^ (word >>> shift); `>>` on int64 keeps the sign, so it is masked away."""
    return (word >> shift).bitwise_and_((1 << (64 - shift)) - 1).bitwise_xor_(word)
