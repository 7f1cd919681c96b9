"""Which files a decoder takes, whatever they are called, and what the others are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_photo
from tests.opened import open_any, reason


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("a.png", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.bmp", {}),
        ("a.gif", {}),
        ("a.avif", {}),
    ],
)
def test_every_format_opens(tmp_path, name, options):
    path = tmp_path / name
    if Image.registered_extensions().get(path.suffix) not in Image.SAVE:
        pytest.skip(f"this Pillow has no {path.suffix}")
    photo = make_photo()
    photo.save(path, **options)
    opened = open_any(path)
    assert (opened.width, opened.height, opened.image.mode) == (160, 120, "RGB")
    difference = np.abs(np.asarray(opened.image, float) - np.asarray(photo, float)).mean()
    assert difference < 8  # a GIF's palette of 256 colours is the worst of them


def test_heic_opens_with_the_extra(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    photo = make_photo()
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(photo).save(path, quality=90)
    assert open_any(path).image.size == photo.size


def test_a_wrong_suffix_does_not_matter(tmp_path):
    make_photo().save(tmp_path / "a.png", format="JPEG")
    assert open_any(tmp_path / "a.png").image.size == (160, 120)


def test_what_is_no_picture_says_so(tmp_path):
    for name, content, expected in (
        ("empty.jpg", b"", "the file is empty"),
        ("text.jpg", b"hello, world\n" * 20, "not a photo but a text"),
        ("odd.jpg", bytes(range(7, 250)), "not a picture in a known format"),
        (
            "vector.jpg",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "not a photo but a PostScript drawing: export it as PNG",
        ),
        (
            "page.jpg",
            b"\n<!DOCTYPE html><html>",
            "not a photo but a web page: its pictures lie in files of their own",
        ),
        ("zeros.jpg", bytes(9999), "damaged: nothing but zeros; take it from a backup"),
        (
            "film.jpg",
            b"\0\0\0\x18ftypisom\0\0\2\0isommp42",
            "not a photo but a film: export its frames",
        ),
    ):
        (tmp_path / name).write_bytes(content)
        assert reason(tmp_path / name) == expected


def test_pillows_own_limit_is_left_as_it_was(tmp_path):
    make_photo().save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS
    open_any(tmp_path / "a.png")
    assert before == Image.MAX_IMAGE_PIXELS
