"""Geometry against slow twins that go from pixel to pixel."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from contrique_cli.distortions.geometry import cover_blocks, jitter, pixelate, stray_patches
from tests.synthetic_photos import make_photo

SEEDS = torch.arange(3)


def ask(value: float) -> Tensor:
    """Ask for one amount in three images."""
    return torch.full((3, 1, 1, 1), value)


def number_places(rows: int, columns: int) -> Tensor:
    """Make an image whose channels tell row and column of each pixel, (3, 3, rows, columns)."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([y, x, y * 0]).float().expand(3, -1, -1, -1) / 1000


@pytest.mark.parametrize("strength", [0.01, 0.05, 0.1, 0.2, 0.5])
@pytest.mark.parametrize("size", [(64, 64), (65, 97)])
def test_pixelation_equals_nearest_resizing_twice(strength: float, size: tuple[int, int]) -> None:
    photo = make_photo(0, *size)
    zoom = 0.95 - strength**0.6
    small = tuple(math.ceil(side * zoom) for side in size)
    shrunk = torch.nn.functional.interpolate(photo, small, mode="nearest-exact")
    expected = torch.nn.functional.interpolate(shrunk, size, mode="nearest-exact")
    different = (pixelate(photo, strength) != expected).float().mean()
    assert different < 0.02  # ties are broken otherwise by floating point


def test_jitter_without_steps_changes_nothing() -> None:
    photo = make_photo(1, 33, 40).expand(3, -1, -1, -1)
    assert_close(jitter(photo, ask(0), SEEDS), photo, atol=1e-5, rtol=0)


def test_jitter_moves_pixels_by_the_steps_asked_for() -> None:
    slope = torch.arange(96).float().expand(3, 3, 96, 96) / 96
    moved = (jitter(slope, ask(0.5), SEEDS) - slope)[..., 8:-8, 8:-8] * 96
    # The last step is kept whole, the four before are averaged by interpolation.
    assert 0.5 < float(moved.std()) < 0.5 * 5**0.5


def test_stray_patches_come_from_at_most_8_pixels_away() -> None:
    places = number_places(96, 128)
    moved = (stray_patches(places, ask(100), SEEDS) - places) * 1000
    assert moved.abs().max().round() <= 8
    share = (moved.abs().amax(dim=1) > 0.5).float().mean()
    assert 0.4 < share < 0.95


@pytest.mark.parametrize("count", [20, 100])
def test_stray_patches_cover_at_most_their_own_area(count: int) -> None:
    places = number_places(192, 192)
    moved = (stray_patches(places, ask(count), SEEDS) - places).abs().amax(dim=1) > 1e-4
    assert (moved.sum(dim=(1, 2)) <= count * 16**2).all()
    assert (moved.sum(dim=(1, 2)) > 0.4 * min(count, 80) * 16**2).all()


def test_more_stray_patches_keep_the_first_ones() -> None:
    places = number_places(192, 192)
    few = stray_patches(places, torch.tensor([1.0, 1, 1])[:, None, None, None], SEEDS)
    moved = ((few - places) * 1000).round().flatten(2).abs().amax(dim=1)
    assert (((moved > 0).sum(dim=1) == 256) | ((moved > 0).sum(dim=1) == 0)).all()


@pytest.mark.parametrize("count", [2, 10])
def test_blocks_are_squares_of_one_colour(count: int) -> None:
    black = torch.zeros(3, 3, 128, 128)
    covered = cover_blocks(black, ask(count), SEEDS)
    for image in covered:
        painted = image.amax(dim=0) > 0
        colours = image[:, painted].T.unique(dim=0)
        assert 1 <= len(colours) <= count
        assert 32**2 <= painted.sum() <= count * 32**2
        top = (image == colours[0][:, None, None]).all(dim=0)
        rows, columns = top.any(dim=1).nonzero(), top.any(dim=0).nonzero()
        assert rows.max() - rows.min() < 32
        assert columns.max() - columns.min() < 32


def test_images_smaller_than_a_block_work() -> None:
    small = torch.rand(3, 3, 20, 12, generator=torch.Generator().manual_seed(0))
    assert cover_blocks(small, ask(10), SEEDS).shape == small.shape
    assert stray_patches(small, ask(100), SEEDS).shape == small.shape
