"""Few colours: an adaptive palette with dithering, and few levels at Otsu's thresholds.

Both take RGB in [0, 1], shape (B, 3, H, W), and give the same, every choice made on the device.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from contrique_cli.distortions.colour import CODE_MAX
from contrique_cli.distortions.randomness import uniform

SAMPLE_SIDE = 64
"""The palette is chosen from about so many pixels of the image, squared."""

LOOKUP_BITS = 5
"""Bits of each channel to look the nearest colour up by."""

MIX_COUNT = 4
"""Colours whose mean stands for a pixel."""

MASK_SIDE = 64
"""Pixels after which the dither pattern repeats."""

MASK_ROUNDS = 40
"""Rounds in which white noise becomes blue."""

MASK_SIGMA = 1.5
"""Pixels; of the Gaussian that tells low frequencies."""

TIE_BREAK = 1e-3
"""Squared codes; one pixel in another class moves more."""


def reduce_colours(images: Tensor, count: int) -> Tensor:
    """Draw the image in `count` colours chosen for it, mixed by dithering.

    The palette comes from splitting, time after time, the set of pixels that varies most at its
    mean (minimum variance quantisation, as MATLAB's rgb2ind). MATLAB then diffuses errors from
    pixel to pixel (Floyd and Steinberg), which runs in sequence. Here each pixel finds on its own
    four palette colours whose mean is its colour, and a blue-noise pattern says which of them it
    takes: the same fine grain, and the same mean colour.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).
        count: number of colours.

    Returns:
        RGB in [0, 1], shape (B, 3, H, W).

    Source: The mixing of colours: T. Knoll, US patent 6606166 (expired 2019).
    """
    rows, columns = images.shape[-2:]
    codes = (images * CODE_MAX).round()
    palette = _choose_palette(codes, count)  # (B, count, 3)
    nearest = _nearest_colours(palette)  # (B, cells)
    pixels = codes.flatten(2).transpose(1, 2)  # (B, H * W, 3)
    error = torch.zeros_like(pixels)
    picks = []
    for _ in range(MIX_COUNT):
        pick = nearest.gather(1, _cell(pixels + error))  # (B, H * W)
        picks.append(pick)
        error += pixels - palette.gather(1, pick[..., None].expand(-1, -1, 3))
    ordered = torch.stack(picks).sort(dim=0).values  # the palette rises in brightness
    mask = _blue_noise().to(images.device, non_blocking=True)
    repeats = (-(-rows // MASK_SIDE), -(-columns // MASK_SIDE))
    turn = (mask.repeat(repeats)[:rows, :columns] * MIX_COUNT).long().flatten()
    pick = ordered.gather(0, turn.expand(1, len(images), -1))[0]
    colours = palette.gather(1, pick[..., None].expand(-1, -1, 3))
    return colours.transpose(1, 2).reshape(images.shape) / CODE_MAX


def quantise_levels(images: Tensor, count: int) -> Tensor:
    """Cut the values of all channels at `count` thresholds, the best in Otsu's sense.

    As in KADID, red, green and blue share the thresholds; what lies below the first becomes 0,
    above the last 1, and between two the upper one. The thresholds are the optimum (dynamic
    programming over the histogram), where MATLAB's multithresh searches for it.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).
        count: number of thresholds.

    Returns:
        RGB in [0, 1], shape (B, 3, H, W), at most count + 1 values.
    """
    codes = (images * CODE_MAX).round().long().flatten(1)
    counts = torch.zeros(len(images), CODE_MAX + 1, dtype=torch.float64, device=images.device)
    counts.scatter_add_(1, codes, torch.ones_like(codes, dtype=torch.float64))
    cuts = _otsu_cuts(counts, count)  # (B, count), first code of the class above
    code = torch.arange(CODE_MAX + 1, device=images.device)
    group = (code[:, None] >= cuts[:, None]).sum(dim=2)  # (B, 256)
    first, last = torch.zeros_like(cuts[:, :1]), torch.full_like(cuts[:, :1], CODE_MAX)
    ends = torch.cat([first, cuts[:, 1:], last], dim=1)  # (B, count + 1)
    lookup = ends.gather(1, group).float() / CODE_MAX
    return lookup.gather(1, codes).reshape(images.shape)


def _choose_palette(codes: Tensor, count: int) -> Tensor:
    """Choose colours by splitting the set with the largest squared error at its mean.

    Args:
        codes: RGB in whole numbers from 0 to 255, shape (B, 3, H, W).
        count: number of colours.

    Returns:
        Whole numbers, shape (B, count, 3), rising in brightness.
    """
    strides = [max(1, size // SAMPLE_SIDE) for size in codes.shape[-2:]]
    # Sums of whole numbers are exact in float64, so every device splits alike.
    sample = codes[:, :, :: strides[0], :: strides[1]].flatten(2).transpose(1, 2).double()
    moments = torch.cat([torch.ones_like(sample[..., :1]), sample, sample**2], dim=2)
    member = torch.zeros(sample.shape[:2], dtype=torch.int64, device=codes.device)
    sums = moments.new_zeros(len(codes), count, moments.shape[2])
    sums[:, 0] = moments.sum(dim=1)
    item = torch.arange(len(codes), device=codes.device)
    for new in range(1, count):
        size, total, squares = sums[..., :1], sums[..., 1:4], sums[..., 4:]
        errors = squares - total**2 / size.clamp_min(1)
        worst = errors.flatten(1).argmax(dim=1)
        old, channel = worst // 3, worst % 3
        mean = total[item, old, channel] / size[item, old, 0].clamp_min(1)
        values = sample.gather(2, channel[:, None, None].expand(-1, sample.shape[1], 1))[..., 0]
        moved = (member == old[:, None]) & (values > mean[:, None])
        member = torch.where(moved, new, member)
        sums[:, new] = (moved.double()[:, None] @ moments)[:, 0]
        sums[item, old] -= sums[:, new]
    palette = (sums[..., 1:4] / sums[..., :1].clamp_min(1)).round()
    # An image with fewer colours leaves sets empty: they repeat the first colour.
    palette = torch.where(sums[..., :1] > 0, palette, palette[:, :1])
    order = palette.sum(dim=2).argsort(dim=1, stable=True)
    return palette.gather(1, order[..., None].expand(-1, -1, 3)).float()


def _nearest_colours(palette: Tensor) -> Tensor:
    """Tabulate the nearest palette colour over a coarse grid of RGB, shape (B, cells)."""
    side = 1 << LOOKUP_BITS
    width = (CODE_MAX + 1) // side
    centres = torch.arange(side, device=palette.device) * width + (width - 1) / 2
    cells = torch.cartesian_prod(centres, centres, centres)  # (cells, 3)
    # |cell - colour|^2 without |cell|^2, which does not change which one is least
    distance = (palette**2).sum(dim=2)[:, None] - 2 * cells @ palette.transpose(1, 2)
    return distance.argmin(dim=2)


def _cell(codes: Tensor) -> Tensor:
    """Number of the lookup cell of each colour, shape (B, N)."""
    side = 1 << LOOKUP_BITS
    red, green, blue = (codes.clamp(0, CODE_MAX) * (side / (CODE_MAX + 1))).long().unbind(-1)
    return (red * side + green) * side + blue


@cache
def _blue_noise() -> Tensor:
    """Make a dither pattern: each threshold once, neighbours far apart; always on the CPU.

    White noise, time after time freed of its low frequencies and made even again, settles on
    blue noise.

    Returns:
        float32 in [0, 1), shape (64, 64), periodic.
    """
    frequency = torch.fft.fftfreq(MASK_SIDE, dtype=torch.float64)
    squared = frequency[:, None] ** 2 + frequency**2
    high_pass = 1 - torch.exp(-2 * (torch.pi * MASK_SIGMA) ** 2 * squared)
    mask = uniform(torch.zeros(1, dtype=torch.int64), (MASK_SIDE, MASK_SIDE))[0].double()
    for _ in range(MASK_ROUNDS):
        filtered = torch.fft.ifft2(torch.fft.fft2(mask) * high_pass).real
        rank = filtered.flatten().argsort().argsort()
        mask = (rank.double() / MASK_SIDE**2).reshape(MASK_SIDE, MASK_SIDE)
    return mask.float()


def _otsu_cuts(counts: Tensor, cuts: int) -> Tensor:
    """Find the cuts of a histogram with the largest variance between classes.

    Args:
        counts: whole numbers, float64, shape (B, codes).
        cuts: number of cuts; there is one class more.

    Returns:
        First code above each cut, rising, int64, shape (B, cuts).
    """
    codes = torch.arange(counts.shape[1], dtype=torch.float64, device=counts.device)
    zero = torch.zeros_like(counts[:, :1])
    mass = torch.cat([zero, counts.cumsum(dim=1)], dim=1)  # (B, codes + 1)
    total = torch.cat([zero, (counts * codes).cumsum(dim=1)], dim=1)
    # gain[a, b]: what the class of the codes a to b - 1 adds to the variance between classes
    between = total[:, None] - total[:, :, None]
    gain = between**2 / (mass[:, None] - mass[:, :, None]).clamp_min(1)
    edge = torch.arange(counts.shape[1] + 1, device=counts.device)
    # Empty codes leave the cut open: the tie-break closes it alike on every device.
    gain = torch.where(edge[:, None] < edge, gain - TIE_BREAK * edge[:, None], -torch.inf)
    best, choices = gain[:, 0], []
    for _ in range(cuts):
        best, choice = (best[:, :, None] + gain).max(dim=1)
        choices.append(choice)  # (B, codes + 1): start of the last class, for each end
    end = torch.full_like(choices[0][:, :1], counts.shape[1])
    found = []
    for choice in reversed(choices):
        end = choice.gather(1, end)
        found.append(end)
    return torch.cat(found[::-1], dim=1)
