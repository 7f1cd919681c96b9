"""Bands: a picture converted part by part has the pixels of one converted at once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from contrique_cli.photos import rgb
from tests.conftest import make_photo

PHOTO = make_photo(6, 400, 301)
GREY = np.asarray(PHOTO.convert("L"))


def picture(mode: str) -> Image.Image:
    if mode == "RGBA":
        image = PHOTO.convert("RGBA")
        image.putalpha(PHOTO.convert("L"))
        return image
    if mode == "transparent":
        image = PHOTO.quantize(32)
        image.info["transparency"] = 5
        return image
    if mode == "I;16":
        return Image.fromarray(GREY.astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(GREY.astype(np.float32) / 255)
    return PHOTO.convert(mode)


MODES = ("RGB", "L", "1", "P", "CMYK", "LA", "RGBA", "transparent", "I;16", "F", "I")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(400, 301), (200, 150), (200, 301)])
def test_bands_change_no_pixel(mode, size, monkeypatch):
    whole = np.asarray(rgb.reduce(picture(mode), size))
    assert whole.shape == (size[1], size[0], 3)
    monkeypatch.setattr(rgb, "BAND", 400 * 37)
    assert np.array_equal(np.asarray(rgb.reduce(picture(mode), size)), whole)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_it_is_what_pillow_gives_in_two_steps(mode):
    expected = picture(mode).convert("RGB").resize((200, 150), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(rgb.reduce(picture(mode), (200, 150))), np.asarray(expected))


def test_deep_samples_that_count_from_white_are_turned_over():
    found = np.asarray(rgb.reduce(picture("I;16"), PHOTO.size, is_negative=True))
    assert np.array_equal(found[..., 0], 255 - GREY)
