"""Blurs against SciPy and against what their kernels must be."""

from __future__ import annotations

import math

import pytest
import scipy.ndimage
import torch
from torch import Tensor
from torch.testing import assert_close

from contrique_cli.distortions.blur import gaussian_blur, lens_blur, motion_blur, sharpen
from contrique_cli.distortions.colour import rgb_to_lab
from tests.synthetic_photos import make_photo


def spread_point(size: int) -> Tensor:
    """Make an image that is black but for its middle pixel."""
    image = torch.zeros(1, 3, size, size)
    image[:, :, size // 2, size // 2] = 1
    return image


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 5, 20])
@pytest.mark.parametrize("size", [(65, 97), (33, 40)])
def test_gaussian_blur_equals_scipys(sigma: float, size: tuple[int, int]) -> None:
    photo = make_photo(0, *size)
    expected = scipy.ndimage.gaussian_filter(
        photo[0].numpy(), (0, sigma, sigma), mode="nearest", radius=math.ceil(2 * sigma)
    )
    assert_close(gaussian_blur(photo, sigma)[0], torch.from_numpy(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("radius", [1, 2, 4, 6, 8])
def test_lens_blur_spreads_a_point_over_a_disk(radius: int) -> None:
    disk = lens_blur(spread_point(41), radius)[0, 0]
    y, x = torch.meshgrid(*[torch.arange(41) - 20.0] * 2, indexing="ij")
    distance = torch.hypot(y, x)
    inside = disk[distance < radius - 0.8]
    assert_close(inside, torch.full_like(inside, 1 / (math.pi * radius**2)), atol=1e-5, rtol=2e-3)
    assert disk[distance > radius + 0.8].abs().max() < 1e-6
    assert_close(disk.sum(), torch.tensor(1.0))


def test_lens_blur_of_radius_one_is_the_kernel_of_fspecial_disk() -> None:
    # MATLAB's documentation of fspecial("disk", 1) prints these shares.
    expected = torch.tensor(
        [[0.0251, 0.1453, 0.0251], [0.1453, 0.3183, 0.1453], [0.0251, 0.1453, 0.0251]]
    )
    actual = lens_blur(spread_point(9), 1)[0, 0, 3:6, 3:6]
    assert_close(actual, expected, atol=1e-3, rtol=0)


def test_motion_blur_spreads_a_point_along_a_line_of_its_length() -> None:
    seeds = torch.arange(20)
    points = spread_point(21).expand(20, -1, -1, -1)
    lines = motion_blur(points, torch.full((20, 1, 1, 1), 10.0), seeds)[:, 0]
    assert_close(lines.sum(dim=(1, 2)), torch.ones(20))
    y, x = torch.meshgrid(*[torch.arange(21) - 10.0] * 2, indexing="ij")
    middle = (lines * y).sum(dim=(1, 2)) ** 2 + (lines * x).sum(dim=(1, 2)) ** 2
    assert middle.max() < 1e-8  # does not move the image
    spread = (lines * (y**2 + x**2)).sum(dim=(1, 2))
    # A line of length 10 has the variance 10^2 / 12 along itself, and a little across.
    assert spread.min() > 7.5
    assert spread.max() < 9.5


def test_motion_blur_takes_every_direction() -> None:
    seeds = torch.arange(200)
    points = spread_point(21).expand(200, -1, -1, -1)
    lines = motion_blur(points, torch.full((200, 1, 1, 1), 10.0), seeds)[:, 0]
    y, x = torch.meshgrid(*[torch.arange(21) - 10.0] * 2, indexing="ij")
    slant = torch.atan2(
        2 * (lines * x * -y).sum(dim=(1, 2)), (lines * (x**2 - y**2)).sum(dim=(1, 2))
    )
    angle = slant.rad2deg() / 2 % 180
    shares = torch.histc(angle, bins=6, min=0, max=180) / 200
    assert shares.min() > 0.08
    assert shares.max() < 0.26


def test_motion_blur_of_one_pixel_changes_nothing() -> None:
    photo = make_photo(1, 33, 40)
    same = motion_blur(photo, torch.ones(1, 1, 1, 1), torch.tensor([5]))
    assert_close(same, photo, atol=1e-6, rtol=0)


def test_sharpening_steepens_lightness_and_leaves_flat_parts_alone() -> None:
    image = torch.full((1, 3, 32, 32), 0.4)
    image[..., 16:] = 0.6
    lightness = rgb_to_lab(image)[0, 0]
    sharpened = rgb_to_lab(sharpen(image, torch.ones(1, 1, 1, 1)))[0, 0]
    assert_close(sharpened[:, :8], lightness[:, :8], atol=0.01, rtol=0)
    assert (sharpened[:, 15] < lightness[:, 15] - 5).all()
    assert (sharpened[:, 16] > lightness[:, 16] + 5).all()
