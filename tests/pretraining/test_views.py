"""Views: colour spaces, mirror, scales."""

from __future__ import annotations

import colorsys

import pytest
import torch

from contrique_cli.photos import pixels
from contrique_cli.pretraining import views
from tests.conftest import make_photo


@pytest.fixture(scope="module")
def batch():
    photos = [pixels.to_tensor(make_photo(seed, 64, 64)) for seed in range(5)]
    return pixels.to_unit(torch.stack(photos))


@pytest.mark.parametrize("index", range(len(views.COLOUR_SPACES)))
def test_every_colour_space_keeps_shape_and_range(batch, index):
    result = views.recolour(batch, torch.full((5,), index))
    assert result.shape == batch.shape
    assert result.min() >= 0
    assert result.max() <= 1
    assert result.isfinite().all()


def test_images_of_one_batch_get_their_own_space(batch):
    mixed = views.recolour(batch, torch.arange(5))
    for index in range(5):
        alone = views.recolour(batch[index : index + 1], torch.tensor([index]))
        torch.testing.assert_close(mixed[index : index + 1], alone)


def test_hsv_is_that_of_the_standard_library(batch):
    pixel = batch[0, :, 10, 20]
    actual = views.to_hsv(batch)[0, :, 10, 20]
    torch.testing.assert_close(actual, torch.tensor(colorsys.rgb_to_hsv(*pixel.tolist())))


def test_white_is_the_lightest_neutral_in_lab():
    lab = views.to_lab(torch.ones(1, 3, 2, 2))
    torch.testing.assert_close(  # 1e-3: the white point has four digits
        lab[0, :, 0, 0], torch.tensor([1.0, 0.5, 0.5]), atol=1e-3, rtol=0
    )


def test_local_contrast_is_the_rest_after_a_gaussian_mean(batch):
    """Written out from the paper: 7x7 Gaussian of sigma 7/6, then min-max per channel."""
    offsets = torch.arange(-3.0, 4.0)
    line = torch.exp(-0.5 * (offsets / (7 / 6)) ** 2)
    window = torch.outer(line, line) / line.sum() ** 2
    rest = torch.zeros(64, 64)
    channel = batch[0, 1]
    mirror = [abs(i) if i < 64 else 126 - i for i in range(-3, 67)]
    padded = channel[mirror][:, mirror]
    for row in range(64):
        for column in range(64):
            mean = (padded[row : row + 7, column : column + 7] * window).sum()
            rest[row, column] = channel[row, column] - mean
    expected = (rest - rest.min()) / (rest.max() - rest.min())
    actual = views.to_local_contrast(batch)[0, 1]
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)  # stretched float32 sums


def test_a_flat_image_has_no_local_contrast_and_nothing_is_divided_by_zero():
    assert (views.to_local_contrast(torch.full((1, 3, 16, 16), 0.3)) == 0).all()


def test_mirror_turns_chosen_images_left_to_right(batch):
    result = views.mirror(batch, torch.tensor([True, False, True, False, False]))
    assert torch.equal(result[0], batch[0].flip(-1))
    assert torch.equal(result[1], batch[1])


def test_crop_cuts_at_the_given_corner(batch):
    result = views.crop(batch, torch.tensor([0, 1, 2, 3, 4]), torch.tensor([5, 6, 7, 8, 9]), 16)
    assert torch.equal(result[2], batch[2, :, 2:18, 7:23])


def test_the_scales_trade_places_and_the_halved_view_is_that_of_scoring(batch):
    full = batch[:2, :, :32, :32]
    regions = batch[:2]
    plain = {
        "colours": torch.zeros(2, 2, dtype=torch.long),
        "flips": torch.zeros(2, 2, dtype=torch.bool),
    }
    result = views.two_views(full, regions, is_full_first=torch.tensor([True, False]), **plain)
    half = pixels.halve(regions)
    assert torch.equal(result, torch.cat([full[:1], half[1:], half[:1], full[1:]]))
