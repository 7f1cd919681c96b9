"""Maps on a common grid: by areas, smoothed, the mean kept."""

from __future__ import annotations

import pytest
import torch

from contrique_cli import gridding


@pytest.mark.parametrize("inputs", [1, 3, 24, 32, 100])
def test_the_cells_of_a_grid_have_the_mean_of_the_map(inputs):
    values = torch.rand(inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((gridding.cells(24, inputs) @ values).mean(), values.mean())


def test_a_cell_takes_of_each_input_the_share_that_it_covers():
    expected = torch.tensor([[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], dtype=torch.float64)
    torch.testing.assert_close(gridding.cells(2, 3), expected)


@pytest.mark.parametrize(("count", "sigma"), [(1, 1.25), (2, 1.25), (32, 1.25), (5, 40.0)])
def test_smoothing_keeps_the_mean_and_what_is_constant(count, sigma):
    matrix = gridding.smoothing(count, sigma)
    ones = torch.ones(count, dtype=torch.float64)
    torch.testing.assert_close(matrix.sum(dim=0), ones)
    torch.testing.assert_close(matrix.sum(dim=1), ones)


def test_a_very_wide_smoothing_is_the_mean():
    torch.testing.assert_close(gridding.smoothing(4, 1e3), torch.full((4, 4), 0.25).double())


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(768, 1024, (24, 32)), (90, 60, (32, 21)), (9, 999, (1, 32))]
)
def test_the_long_side_has_the_cells_asked_for(height, width, expected):
    assert gridding.size(height, width, 32) == expected
