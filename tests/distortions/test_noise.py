"""Noise against the variances it is asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from contrique_cli.distortions import noise
from contrique_cli.distortions.colour import rgb_to_studio_ycbcr
from tests.synthetic_photos import make_photo, psnr

GREY = 0.5
SHAPE = (4, 3, 64, 64)
SEEDS = torch.arange(4)
SHARE = 0.05  # relative error allowed to a variance over 49,152 samples: 8 standard errors


def ask(value: float) -> Tensor:
    """Ask for one strength in all images."""
    return torch.full((4, 1, 1, 1), value)


@pytest.mark.parametrize("variance", [0.001, 0.002, 0.003, 0.005, 0.01])
def test_white_noise_has_the_variance_asked_for(variance: float) -> None:
    noisy = noise.white_noise(torch.full(SHAPE, GREY), ask(variance), SEEDS)
    assert noisy.var() == pytest.approx(variance, rel=SHARE)
    assert noisy.mean() == pytest.approx(GREY, abs=0.003)


@pytest.mark.parametrize("variance", [0.0001, 0.0005, 0.001, 0.002, 0.003])
def test_colour_noise_has_the_variance_asked_for_in_each_component(variance: float) -> None:
    noisy = noise.colour_noise(torch.full(SHAPE, GREY), ask(variance), SEEDS)
    components = rgb_to_studio_ycbcr(noisy).var(dim=(0, 2, 3))
    assert components.tolist() == pytest.approx([variance] * 3, rel=2 * SHARE)


@pytest.mark.parametrize("density", [0.001, 0.005, 0.01, 0.02, 0.03])
def test_impulse_noise_turns_the_share_asked_for_to_black_and_white(density: float) -> None:
    noisy = noise.impulse_noise(torch.full(SHAPE, GREY), ask(density), SEEDS)
    chance = (density / 2 / noisy.numel()) ** 0.5  # standard error of either share
    for value in (0.0, 1.0):
        share = float((noisy == value).float().mean())
        assert share == pytest.approx(density / 2, abs=5 * chance)
    assert ((noisy == GREY) | (noisy == 0) | (noisy == 1)).all()


@pytest.mark.parametrize("variance", [0.001, 0.005, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("value", [0.25, 0.5])
def test_multiplicative_noise_grows_with_the_image(variance: float, value: float) -> None:
    noisy = noise.multiplicative_noise(torch.full(SHAPE, value), ask(variance), SEEDS)
    assert noisy.var() == pytest.approx(variance * value**2, rel=SHARE)
    assert noisy.mean() == pytest.approx(value, abs=0.003)


@pytest.mark.parametrize("variance", [0.01, 0.03, 0.05, 0.1, 0.15])
def test_denoising_comes_closer_to_the_photo_than_the_noise(variance: float) -> None:
    photo = make_photo(0, 64, 96)
    strength, seed = ask(variance)[:1], SEEDS[:1]
    noisy = noise.white_noise(photo, strength, seed)
    cleaned = noise.denoise(photo, strength, seed)
    assert psnr(cleaned, photo) > psnr(noisy, photo) + 3


def test_denoising_keeps_a_flat_image_flat() -> None:
    flat = torch.full((1, 3, 33, 41), GREY)
    cleaned = noise.denoise(flat, torch.full((1, 1, 1, 1), 0.01), SEEDS[:1])
    assert cleaned.var() < 0.01 / 10
    assert cleaned.mean() == pytest.approx(GREY, abs=0.01)


def test_denoising_nothing_gives_the_photo_back() -> None:
    photo = make_photo(1, 35, 50)
    same = noise.denoise(photo, torch.full((1, 1, 1, 1), 1e-12), SEEDS[:1])
    assert psnr(same, photo) > 80
