"""Maps of any size brought to one grid: shares of cells, windows around them, smoothing.

Each function gives a matrix for one axis; a map is resampled as rows @ map @ columns.T.
"""

from __future__ import annotations

import torch

_REACH = 9.0
"""Standard deviations beyond which a Gaussian is nothing in float64."""


def size(height: int, width: int, cells: int) -> tuple[int, int]:
    """Rows and columns of a grid with so many cells on the long side, as square as can be."""
    longest = max(height, width)
    return max(1, round(cells * height / longest)), max(1, round(cells * width / longest))


def windows(cells: int, inputs: int, reach: float = 1.0) -> torch.Tensor:
    """Means over windows centred on the cells of a grid, by the share of each input they cover.

    Args:
        cells: of the grid along this axis.
        inputs: of the map along this axis; both divide the same length evenly.
        reach: length of a window in cells. At the ends a window moves inside, at its full length;
            one longer than the axis covers it all. At 1 the windows are the cells themselves, and
            then the mean over the grid is that of the map.

    Returns:
        Rows that sum to 1, shape (cells, inputs), float64.
    """
    length = min(reach / cells, 1.0)
    centres = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    starts = (centres - length / 2).clamp(0.0, 1.0 - length)[:, None]  # (cells, 1)
    edges = torch.arange(inputs + 1, dtype=torch.float64) / inputs
    covered = torch.minimum(starts + length, edges[1:]) - torch.maximum(starts, edges[:-1])
    return covered.clamp(min=0.0) / length  # (cells, inputs)


def smoothing(cells: int, sigma: float) -> torch.Tensor:
    """Gaussian smoothing that keeps the mean: what leaves at an end is mirrored back inside.

    Args:
        cells: along this axis.
        sigma: in cells, above 0.

    Returns:
        Rows and columns that sum to 1, shape (cells, cells), float64.
    """
    places = torch.arange(cells, dtype=torch.float64)
    mirrors = 1 + int(_REACH * sigma / (2 * cells))  # those further away add nothing
    turns = torch.arange(-mirrors, mirrors + 1, dtype=torch.float64) * 2 * cells
    straight = places[:, None, None] - places[None, :, None] - turns
    mirrored = places[:, None, None] + places[None, :, None] + 1 - turns
    far = torch.cat([straight, mirrored], dim=2)
    rows = torch.exp(-0.5 * (far / sigma) ** 2).sum(dim=2)  # (cells, cells)
    return rows / rows.sum(dim=1, keepdim=True)
