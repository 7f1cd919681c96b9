"""Tone curves and colour against SciPy's interpolation and naive formulas."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor
from torch.testing import assert_close

from contrique_cli.distortions import tone
from tests.synthetic_photos import make_photo

RAMP = torch.linspace(0, 1, 301).expand(1, 3, 1, 301)


def ask(value: float) -> Tensor:
    """Ask for one amount in one image."""
    return torch.full((1, 1, 1, 1), value)


def scipys_curve(x: list[float], y: list[float]) -> Tensor:
    """SciPy's pchip over the ramp."""
    curve = PchipInterpolator([0, *x, 1], [0, *y, 1])(RAMP[0, 0, 0].double().numpy())
    return torch.from_numpy(np.clip(curve, 0, 1)).float().expand(1, 3, 1, 301)


@pytest.mark.parametrize("amount", [0.05, 0.1, 0.2, 0.4, 0.8])
def test_darkening_follows_scipys_curve(amount: float) -> None:
    expected = scipys_curve([0.5], [0.5 - amount / 2])
    assert_close(tone.darken(RAMP, ask(amount)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("amount", [0.3, 0.15, 0, -0.4, -0.6])
def test_contrast_follows_scipys_curve(amount: float) -> None:
    expected = scipys_curve([0.3, 0.5, 0.7], [0.25 - amount / 4, 0.5, 0.75 + amount / 4])
    assert_close(tone.change_contrast(RAMP, ask(amount)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("amount", [0.1, 0.2, 0.4, 0.7, 1.1])
def test_brightening_lifts_every_grey_and_keeps_black_and_white(amount: float) -> None:
    bright = tone.brighten(RAMP, ask(amount))
    assert_close(bright[..., 0], torch.zeros(1, 3, 1), atol=1e-4, rtol=0)
    assert_close(bright[..., -1], torch.ones(1, 3, 1), atol=1e-4, rtol=0)
    assert (bright >= RAMP - 1e-4).all()
    assert (bright.diff() >= -1e-4).all()
    middle = float((2 * bright[0, 0, 0, 150] - 1) * 0.5 + 0.5)
    assert middle > 0.5 + amount / 4


@pytest.mark.parametrize("factor", [0.4, 0.2, 0.1, 0])
def test_saturation_equals_scaling_in_hsv(factor: float) -> None:
    photo = make_photo(0, 6, 7)
    scaled = tone.scale_hsv_saturation(photo, ask(factor))
    for before, after in zip(photo[0].flatten(1).T, scaled[0].flatten(1).T, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before.tolist())
        expected = colorsys.hsv_to_rgb(hue, saturation * factor, value)
        assert after.tolist() == pytest.approx(expected, abs=1e-5)


def test_negative_saturation_turns_red_into_cyan() -> None:
    red = torch.tensor([0.6, 0.3, 0.3]).reshape(1, 3, 1, 1)
    turned = tone.scale_hsv_saturation(red, ask(-0.4)).flatten().tolist()
    assert turned == pytest.approx([0.6, 0.72, 0.72])


def test_lab_colour_times_one_changes_nothing_and_times_zero_gives_grey() -> None:
    photo = make_photo(1, 20, 20)
    assert_close(tone.scale_lab_colour(photo, ask(1)), photo, atol=3e-5, rtol=0)
    grey = tone.scale_lab_colour(photo, ask(0))
    assert (grey.amax(dim=1) - grey.amin(dim=1)).max() < 1e-3


def test_colour_diffusion_keeps_lightness_edges_and_spreads_colour() -> None:
    image = torch.full((1, 3, 64, 64), 0.5)
    image[:, 0, :, 32:] = 0.7
    diffused = tone.diffuse_colour(image, 1)
    redness = diffused[0, 0] - diffused[0, 2]
    assert redness[32, 29] > 0.02  # was 0: the colour bleeds over the edge
    assert redness[32, 0].abs() < 0.01


def test_colour_shift_moves_green_alone_right_or_down_where_edges_are() -> None:
    image = torch.zeros(8, 3, 64, 64)
    image[:, :, 24:40, 24:40] = 1
    amounts = torch.full((8, 1, 1, 1), 6.0)
    shifted = tone.shift_green(image, amounts, torch.arange(8))
    assert torch.equal(shifted[:, 0], image[:, 0])
    assert torch.equal(shifted[:, 2], image[:, 2])
    loss = (image - shifted)[:, 1].sum(dim=(1, 2))
    change = (image - shifted)[:, 1].abs().sum(dim=(1, 2))
    assert (change > 0.1 * loss.abs()).all()
    assert (change > 20).all()
    assert torch.equal(shifted[:, 1, :24, :24], image[:, 1, :24, :24])  # above and left: nothing


def test_mean_shift_adds_and_clips() -> None:
    shifted = tone.shift_mean(RAMP, ask(0.15))
    assert_close(shifted, (RAMP + 0.15).clamp(0, 1))
