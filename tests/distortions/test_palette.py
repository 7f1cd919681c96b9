"""Palettes and levels against brute force and Pillow."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the name torch's own documentation uses)
from PIL import Image
from torch import Tensor

from contrique_cli.distortions.palette import (
    _blue_noise,
    _choose_palette,
    _otsu_cuts,
    quantise_levels,
    reduce_colours,
)
from tests.synthetic_photos import from_pillow, make_photo, psnr, to_pillow


def diffuse_errors(photo: Tensor, count: int) -> Tensor:
    """Dither with our palette as Pillow does it, from pixel to pixel (Floyd and Steinberg)."""
    colours = _choose_palette((photo * 255).round(), count)[0]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.byte().flatten().tolist())
    dithered = to_pillow(photo[0]).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    return from_pillow(dithered)


@pytest.mark.parametrize("count", [64, 48, 32, 16, 8])
def test_the_image_has_at_most_the_colours_asked_for(count: int) -> None:
    reduced = reduce_colours(make_photo(0, 65, 97), count)
    colours = len(reduced[0].flatten(1).T.unique(dim=0))
    assert 0.8 * count <= colours <= count


@pytest.mark.parametrize("count", [64, 32, 8])
def test_dithering_is_as_close_to_the_photo_as_error_diffusion(count: int) -> None:
    photo = make_photo(1, 128, 160)
    ours, diffused = reduce_colours(photo, count)[0], diffuse_errors(photo, count)
    assert psnr(ours, photo[0]) == pytest.approx(psnr(diffused, photo[0]), abs=2)


@pytest.mark.parametrize("count", [64, 32, 16])
def test_dithering_keeps_the_mean_colour_of_patches_nearly_as_well(count: int) -> None:
    photo = make_photo(2, 128, 160)
    reduced = reduce_colours(photo, count)
    diffused = diffuse_errors(photo, count)[None]
    ours, pillows = (
        (F.avg_pool2d(dithered, 8) - F.avg_pool2d(photo, 8)).abs().mean()
        for dithered in (reduced, diffused)
    )
    assert ours < 2 * pillows


def test_few_colours_are_kept_as_they_are() -> None:
    codes = torch.tensor([[0, 40, 200], [255, 128, 0], [17, 90, 30], [250, 250, 250]])
    image = codes.repeat_interleave(64, dim=0).T.reshape(1, 3, 16, 16) / 255
    assert torch.equal(reduce_colours(image, 8), image)


def test_a_flat_image_keeps_its_colour() -> None:
    flat = torch.full((2, 3, 33, 40), 77 / 255)
    assert torch.equal(reduce_colours(flat, 16), flat)


def test_dither_pattern_has_each_threshold_once_and_no_low_frequencies() -> None:
    mask = _blue_noise()
    assert torch.equal(mask.flatten().sort().values * mask.numel(), torch.arange(mask.numel()))
    power = torch.fft.fft2(mask - mask.mean()).abs() ** 2
    frequency = torch.fft.fftfreq(len(mask))
    radius = torch.hypot(frequency[:, None], frequency)
    assert power[radius < 0.1].mean() < 0.01 * power.mean()


def test_otsu_cuts_are_the_best_of_all() -> None:
    generator = torch.Generator().manual_seed(3)
    counts = torch.randint(1, 50, (4, 12), generator=generator).double()
    codes = torch.arange(12).double()
    for histogram, found in zip(counts, _otsu_cuts(counts, 3), strict=True):

        def score(cuts: tuple[int, ...], histogram: Tensor = histogram) -> float:
            edges = [0, *cuts, 12]
            classes = [slice(a, b) for a, b in itertools.pairwise(edges)]
            return sum(
                float((histogram[c] * codes[c]).sum() ** 2 / histogram[c].sum()) for c in classes
            )

        best = max(itertools.combinations(range(1, 12), 3), key=score)
        assert list(best) == found.tolist()


@pytest.mark.parametrize("count", [20, 16, 13, 10, 7])
def test_quantising_leaves_one_value_more_than_thresholds(count: int) -> None:
    quantised = quantise_levels(make_photo(4, 65, 97), count)
    values = quantised.unique()
    assert len(values) <= count + 1
    assert len(values) >= count - 1
    assert values[0] == 0
    assert values[-1] == 1


def test_quantising_never_swaps_two_values() -> None:
    ramp = torch.linspace(0, 1, 3 * 40 * 40).reshape(1, 3, 40, 40)
    assert (quantise_levels(ramp, 7).flatten().diff() >= 0).all()


def test_quantising_a_flat_image_gives_a_flat_image() -> None:
    flat = quantise_levels(torch.full((1, 3, 33, 40), 0.3), 7)
    assert len(flat.unique()) == 1
