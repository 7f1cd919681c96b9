"""Maps of any size brought to one grid by areas, and smoothed, without a change of the mean.

Each function gives a matrix for one axis; a map is resampled as rows @ map @ columns.T.
"""

from __future__ import annotations

import torch

_REACH = 9.0
"""Standard deviations beyond which a Gaussian is nothing in float64."""


def size(height: int, width: int, longest: int) -> tuple[int, int]:
    """Rows and columns of a grid with so many cells on the long side, as square as can be."""
    share = longest / max(height, width)
    return max(1, round(height * share)), max(1, round(width * share))


def cells(count: int, inputs: int) -> torch.Tensor:
    """Means over the cells of a grid, by the share of each input that they cover.

    The mean over the grid is that of the map, whether it is reduced or enlarged.

    Args:
        count: cells of the grid along this axis.
        inputs: of the map along this axis; both divide the same length evenly.

    Returns:
        Rows that sum to 1, columns that all sum to the same, shape (count, inputs), float64.
    """
    ends = torch.arange(count + 1, dtype=torch.float64)[:, None] / count
    edges = torch.arange(inputs + 1, dtype=torch.float64) / inputs
    covered = torch.minimum(ends[1:], edges[1:]) - torch.maximum(ends[:-1], edges[:-1])
    return covered.clamp(min=0.0) * count  # (count, inputs)


def smoothing(count: int, sigma: float) -> torch.Tensor:
    """Gaussian smoothing that keeps the mean: what leaves at an end is mirrored back inside.

    Args:
        count: cells along this axis.
        sigma: in cells, above 0.

    Returns:
        Rows and columns that sum to 1, shape (count, count), float64.
    """
    places = torch.arange(count, dtype=torch.float64)
    mirrors = 1 + int(_REACH * sigma / (2 * count))  # those further away add nothing
    turns = torch.arange(-mirrors, mirrors + 1, dtype=torch.float64) * 2 * count
    straight = places[:, None, None] - places[None, :, None] - turns
    mirrored = places[:, None, None] + places[None, :, None] + 1 - turns
    far = torch.cat([straight, mirrored], dim=2)
    rows = torch.exp(-0.5 * (far / sigma) ** 2).sum(dim=2)  # (count, count)
    return rows / rows.sum(dim=1, keepdim=True)
