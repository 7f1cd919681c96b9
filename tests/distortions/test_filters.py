"""Filters as matrices: what `numpy.pad` and a convolution give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contrique_cli.distortions import filters


@pytest.mark.parametrize(
    ("border", "mode"),
    [(filters.repeat, "edge"), (filters.reflect, "reflect"), (filters.mirror, "symmetric")],
)
@pytest.mark.parametrize(("size", "reach"), [(9, 3), (5, 4)])
def test_a_product_is_the_convolution_of_the_padded_line(border, mode, size, reach):
    line = np.random.default_rng(0).random(size)
    weights = filters.gaussian(1.5, reach, dtype=torch.float64)
    expected = np.convolve(np.pad(line, reach, mode=mode), weights.numpy(), mode="valid")
    actual = filters.matrix(weights, size, border) @ torch.from_numpy(line)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-12)


def test_a_mirror_folds_as_often_as_it_takes_and_keeps_the_mean():
    line = np.random.default_rng(0).random(3)
    weights = filters.gaussian(4.0, 20, dtype=torch.float64)
    found = filters.matrix(weights, 3, filters.mirror)
    expected = np.convolve(np.pad(line, 20, mode="symmetric"), weights.numpy(), mode="valid")
    np.testing.assert_allclose((found @ torch.from_numpy(line)).numpy(), expected, rtol=1e-12)
    torch.testing.assert_close(found.sum(dim=0), torch.ones(3, dtype=torch.float64))


def test_a_gaussian_sums_to_one_and_falls_as_it_should():
    weights = filters.gaussian(2.0, 5)
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights[7] / weights[5]) == pytest.approx(np.exp(-0.5))
