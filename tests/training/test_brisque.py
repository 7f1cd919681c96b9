"""The classical baseline's statistics, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training import brisque


@pytest.mark.parametrize("shape", [0.7, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("left", "right"), [(1.0, 1.0), (0.5, 1.5)])
def test_moments_give_back_the_shape_and_both_deviations(shape, left, right):
    rng = np.random.default_rng(0)
    size = rng.gamma(1.0 / shape, size=400_000) ** (1.0 / shape)
    size *= np.sqrt(
        brisque.special.gamma(1.0 / shape) / brisque.special.gamma(3.0 / shape)
    )  # deviation 1
    is_left = rng.random(len(size)) < left / (left + right)
    values = np.where(is_left, -left * size, right * size)
    found = brisque.fit_aggd(values)
    assert found[:3] == pytest.approx((shape, left, right), rel=0.03)
    assert found[3] == pytest.approx(values.mean(), abs=0.01)


def test_a_photo_gives_36_finite_numbers_and_so_does_a_flat_one():
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    for picture in (Image.fromarray(noise), Image.new("RGB", (64, 80), (9, 9, 9))):
        numbers = brisque.features(picture)
        assert numbers.shape == (36,)
        assert np.isfinite(numbers).all()


def test_normalised_luminance_equals_its_formula_at_one_pixel():
    grey = np.random.default_rng(0).uniform(0, 255, (9, 9))
    steps = np.arange(-3, 4)
    window = np.exp(-(steps[:, None] ** 2 + steps[None] ** 2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    patch = grey[1:8, 1:8]
    mean = (window * patch).sum()
    deviation = np.sqrt((window * (patch - mean) ** 2).sum())
    assert brisque.normalise(grey)[4, 4] == pytest.approx((grey[4, 4] - mean) / (deviation + 1))
