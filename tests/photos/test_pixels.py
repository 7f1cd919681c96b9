"""Pixels to what the encoder sees: half sizes and unit samples."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from contrique_cli.photos import pixels
from tests.conftest import make_photo

# ---------------------------------------------------------------------------------- tensors


@pytest.mark.parametrize("size", [(160, 120), (161, 119), (33, 32)])
def test_halving_is_pillows_bicubic_within_one_level(size):
    image = make_photo(width=size[0], height=size[1])
    expected = pixels.to_tensor(
        image.resize((size[0] // 2, size[1] // 2), Image.Resampling.BICUBIC)
    )
    halved = pixels.halve(pixels.to_unit(pixels.to_tensor(image))[None])[0] * 255
    difference = (halved - expected).abs()
    assert halved.shape == expected.shape
    assert difference.max() <= 1.001  # Pillow rounds in fixed point: ties may fall the other way
    assert (difference > 0.5).float().mean() < 0.01


def test_halving_does_not_depend_on_the_batch():
    batch = torch.stack([pixels.to_unit(pixels.to_tensor(make_photo(seed))) for seed in range(3)])
    assert torch.equal(pixels.halve(batch)[1:2], pixels.halve(batch[1:2]))


def test_unit_samples_span_zero_to_one():
    unit = pixels.to_unit(torch.tensor([0, 255], dtype=torch.uint8))
    assert unit.tolist() == [0.0, 1.0]
