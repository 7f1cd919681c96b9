"""Colour spaces against naive formulas."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from contrique_cli.distortions import colour
from tests.synthetic_photos import from_pillow, make_photo, to_pillow

CORNERS = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3).T.reshape(1, 3, 3, 9)


def pixels(image: Tensor) -> list[list[float]]:
    """List the pixels of the first image."""
    listed: list[list[float]] = image[0].flatten(1).T.double().tolist()
    return listed


def naive_lab(red: float, green: float, blue: float) -> list[float]:
    """CIE Lab of one pixel, from the standards' numbers."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    x = (0.4124564 * linear[0] + 0.3575761 * linear[1] + 0.1804375 * linear[2]) / 0.95047
    y = 0.2126729 * linear[0] + 0.7151522 * linear[1] + 0.0721750 * linear[2]
    z = (0.0193339 * linear[0] + 0.1191920 * linear[1] + 0.9503041 * linear[2]) / 1.08883
    f = [t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z)]
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]


@pytest.mark.parametrize("image", [CORNERS, make_photo(0, 12, 10)])
def test_lab_equals_the_formula_for_one_pixel(image: Tensor) -> None:
    expected = torch.tensor([naive_lab(*pixel) for pixel in pixels(image)])
    actual = torch.tensor(pixels(colour.rgb_to_lab(image)))
    assert_close(actual, expected, atol=2e-3, rtol=0)  # float32 cube roots times 500


def test_lab_of_white_and_of_pure_red_are_the_textbook_ones() -> None:
    image = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 0.0]]).reshape(1, 3, 1, 2)
    expected = torch.tensor([[100.0, 0.0, 0.0], [53.24, 80.09, 67.20]])
    assert_close(
        torch.tensor(pixels(colour.rgb_to_lab(image))).float(), expected, atol=0.01, rtol=0
    )


@pytest.mark.parametrize("image", [CORNERS, make_photo(1, 12, 10)])
def test_hsv_equals_the_standard_library(image: Tensor) -> None:
    expected = torch.tensor([colorsys.rgb_to_hsv(*pixel) for pixel in pixels(image)])
    actual = torch.tensor(pixels(colour.rgb_to_hsv(image))).float()
    assert_close(actual, expected, atol=1e-5, rtol=0)


def test_ycbcr_equals_pillow_to_a_code() -> None:
    photo = make_photo(3, 12, 10)
    expected = torch.frombuffer(
        bytearray(to_pillow(photo[0]).convert("YCbCr").tobytes()), dtype=torch.uint8
    )
    codes = colour.rgb_to_ycbcr(photo)[0] * 255 + torch.tensor([0, 128, 128])[:, None, None]
    actual = codes.permute(1, 2, 0).flatten()
    assert (actual - expected).abs().max() <= 1


def test_grey_equals_pillow_to_a_code() -> None:
    photo = make_photo(4, 12, 10)
    grey = to_pillow(photo[0]).convert("L").convert("RGB")
    assert isinstance(grey, Image.Image)
    assert (colour.rgb_to_grey(photo)[0] - from_pillow(grey)).abs().max() <= 1 / 255


def test_studio_range_puts_black_at_16_and_white_at_235() -> None:
    image = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2)
    expected = torch.tensor([[16.0, 128.0, 128.0], [235.0, 128.0, 128.0]]) / 255
    actual = torch.tensor(pixels(colour.rgb_to_studio_ycbcr(image))).float()
    assert_close(actual, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("image", [CORNERS, make_photo(5, 33, 40)])
@pytest.mark.parametrize(
    ("there", "back"),
    [
        (colour.rgb_to_lab, colour.lab_to_rgb),
        (colour.rgb_to_ycbcr, colour.ycbcr_to_rgb),
        (colour.rgb_to_studio_ycbcr, colour.studio_ycbcr_to_rgb),
    ],
)
def test_there_and_back_is_the_same_image(
    image: Tensor, there: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor]
) -> None:
    assert_close(back(there(image)), image, atol=3e-5, rtol=0)


def test_colours_outside_rgb_are_clipped() -> None:
    lab = torch.tensor([60.0, 200.0, -200.0]).reshape(1, 3, 1, 1)
    rgb = colour.lab_to_rgb(lab)
    assert rgb.isfinite().all()
    assert rgb.min() >= 0
    assert rgb.max() <= 1
