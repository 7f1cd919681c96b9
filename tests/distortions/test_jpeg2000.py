"""JPEG 2000 against OpenJPEG through Pillow.

Measured on 12 photos, whole (768 px) and their middle 256 px, at ratios 16, 32, 45, 120, 400: the
PSNR to the photo differs from Pillow's by -0.1 to +0.25 dB in the mean, by 0.85 dB at most.
Pillow must be told to decorrelate the colours (mct=1), as MATLAB's encoder does.
"""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image, features
from torch import Tensor
from torch.testing import assert_close

from contrique_cli.distortions.jpeg2000 import _transform, _wavelet, jpeg2000
from tests.synthetic_photos import from_pillow, make_photo, psnr, to_pillow

RATIOS = (16, 32, 45, 120, 400)
# ITU-T T.800, table F.2 in its normalised form: the low-pass analysis taps of the 9/7 filter.
LOW_TAPS = (0.6029490182, 0.2668641184, -0.0782232665, -0.0168641184, 0.0267487574)


def pillows_jpeg2000(photo: Tensor, ratio: int) -> Tensor:
    """Save at a compression ratio and open, with Pillow."""
    buffer = io.BytesIO()
    to_pillow(photo).save(
        buffer, "JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, mct=1
    )
    with Image.open(buffer) as decoded:
        return from_pillow(decoded)


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow lacks JPEG 2000")
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("size", [(256, 256), (191, 257)])
def test_jpeg2000_comes_as_close_to_the_photo_as_pillows(ratio: int, size: tuple[int, int]) -> None:
    photo = make_photo(ratio, *size)
    ours = jpeg2000(photo, torch.full((1, 1, 1, 1), float(ratio)))[0]
    pillows = pillows_jpeg2000(photo[0], ratio)
    assert psnr(ours, photo[0]) == pytest.approx(psnr(pillows, photo[0]), abs=1)


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (33, 40), (3, 5)])
def test_the_transform_can_be_undone(size: tuple[int, int]) -> None:
    photo = make_photo(0, *size)
    same = _transform(_transform(photo, inverse=False), inverse=True)
    assert_close(same, photo, atol=1e-5, rtol=0)


def test_the_low_band_has_the_taps_of_the_standard() -> None:
    row = _wavelet(32, inverse=False)[8] / 2**0.5
    expected = torch.tensor([*LOW_TAPS[:0:-1], *LOW_TAPS])
    assert_close(row[12:21], expected, atol=1e-6, rtol=0)


def test_the_transform_nearly_keeps_energy() -> None:
    photo = make_photo(1, 128, 128) - 0.5
    spectrum = _transform(photo, inverse=False)
    assert_close(spectrum.square().sum(), photo.square().sum(), atol=0, rtol=0.1)


def test_each_image_has_its_own_ratio() -> None:
    photo = make_photo(2, 64, 64)
    ratios = torch.tensor([16.0, 120.0])[:, None, None, None]
    together = jpeg2000(photo.expand(2, -1, -1, -1), ratios)
    assert_close(together[1:], jpeg2000(photo, ratios[1:]))


def test_a_flat_image_stays_flat() -> None:
    flat = torch.full((1, 3, 48, 48), 100 / 255)
    assert (jpeg2000(flat, torch.full((1, 1, 1, 1), 400.0)) - flat).abs().max() < 0.05
