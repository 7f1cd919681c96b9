"""JPEG against Pillow's encoder and decoder.

Measured on 12 photos, whole (768 px) and their middle 256 px, at qualities 43, 36, 24, 7, 4: the
PSNR to the photo differs from Pillow's by at most 0.1 dB; per quality, the two agree to 47 dB or
better in the mean over the photos, and the blockiness differs by about 1 % in the mean.
"""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image
from torch import Tensor

from contrique_cli.distortions.jpeg import jpeg
from tests.synthetic_photos import from_pillow, make_photo, psnr, to_pillow

QUALITIES = (43, 36, 24, 7, 4)


def pillows_jpeg(photo: Tensor, quality: int) -> Tensor:
    """Save and open with Pillow's defaults."""
    buffer = io.BytesIO()
    to_pillow(photo).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as decoded:
        return from_pillow(decoded)


def measure_blockiness(image: Tensor) -> float:
    """Mean step across block borders over the mean step elsewhere."""
    grey = image.mean(dim=0)
    steps = grey.diff(dim=1).abs()
    border = torch.arange(steps.shape[1]) % 8 == 7
    return float(steps[:, border].mean() / steps[:, ~border].mean())


@pytest.mark.parametrize("quality", [*QUALITIES, 75, 95])
@pytest.mark.parametrize(
    # One block rounded the other way is a twentieth of the smallest image, else of no weight.
    ("size", "agreement"),
    [((128, 160), 40), ((65, 97), 40), ((70, 70), 40), ((33, 40), 35)],
)
def test_jpeg_equals_pillow(quality: int, size: tuple[int, int], agreement: float) -> None:
    photo = make_photo(quality, *size)
    ours = jpeg(photo, torch.full((1, 1, 1, 1), float(quality)))[0]
    pillows = pillows_jpeg(photo[0], quality)
    assert psnr(ours, pillows) > agreement
    assert psnr(ours, photo[0]) == pytest.approx(psnr(pillows, photo[0]), abs=0.3)


@pytest.mark.parametrize("quality", QUALITIES)
def test_jpeg_is_as_blocky_as_pillows(quality: int) -> None:
    photo = make_photo(0, 128, 160)
    ours = jpeg(photo, torch.full((1, 1, 1, 1), float(quality)))[0]
    pillows = pillows_jpeg(photo[0], quality)
    assert measure_blockiness(ours) == pytest.approx(measure_blockiness(pillows), rel=0.05)
    assert measure_blockiness(ours) > measure_blockiness(photo[0])


def test_each_image_has_its_own_quality() -> None:
    photo = make_photo(1, 48, 48)
    qualities = torch.tensor([43.0, 4.0])[:, None, None, None]
    together = jpeg(photo.expand(2, -1, -1, -1), qualities)
    assert torch.equal(together[1:], jpeg(photo, qualities[1:]))
