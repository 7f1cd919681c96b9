"""Thumbnails: upright, small, without metadata, in order, one bad photo at a time."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from contrique_cli.errors import Unreadable
from contrique_cli.reports import thumbnails
from tests.conftest import make_photo


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 48)), (6, (48, 64)), (8, (48, 64))])
def test_a_thumbnail_stands_upright_whatever_the_camera_was_held_like(tmp_path, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (160, 120), "white")
    image.paste("black", (0, 0, 160, 60))  # the top half of what the sensor saw
    image.save(tmp_path / "a.jpg", exif=exif)
    thumbnail = opened(thumbnails.to_webp(tmp_path / "a.jpg", max_side=64)).convert("L")
    assert thumbnail.size == size
    width, height = size
    dark = {1: (width // 2, 5), 6: (width - 5, height // 2), 8: (5, height // 2)}[orientation]
    light = (width - 1 - dark[0], height - 1 - dark[1])
    assert thumbnail.getpixel(dark) < 40
    assert thumbnail.getpixel(light) > 215


def test_where_a_photo_was_taken_stays_out_of_its_thumbnail(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    exif.get_ifd(0x8825)[1] = "N"
    make_photo().save(tmp_path / "a.jpg", exif=exif, comment=b"at home", xmp=b"<x>at home</x>")
    data = thumbnails.to_webp(tmp_path / "a.jpg", max_side=64)
    assert b"at home" not in data
    assert not {"exif", "xmp"} & set(opened(data).info)


def test_a_short_colour_profile_goes_along_and_a_long_one_does_not(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert len(profile) <= thumbnails.MAX_PROFILE_BYTES
    for name, data in (("short", profile), ("long", profile + bytes(4000))):
        make_photo().save(tmp_path / f"{name}.png", icc_profile=data)
    short = opened(thumbnails.to_webp(tmp_path / "short.png", max_side=64))
    long = opened(thumbnails.to_webp(tmp_path / "long.png", max_side=64))
    assert short.info["icc_profile"] == profile
    assert "icc_profile" not in long.info


def test_a_panorama_too_flat_to_score_at_that_size_still_has_a_thumbnail(tmp_path):
    make_photo(width=1000, height=50).save(tmp_path / "a.png")
    assert opened(thumbnails.to_webp(tmp_path / "a.png", max_side=100)).size == (100, 5)


def test_thumbnails_come_in_order_and_a_bad_photo_is_one_of_them(photos):
    (photos / "b.jpg").write_bytes(b"no photo")
    names = [photos / f"{name}.jpg" for name in "abc"] + [photos / "gone.jpg"]
    made = list(thumbnails.make(names, max_side=64, workers=2))
    assert [type(one) for one in made] == [bytes, Unreadable, bytes, Unreadable]
    assert [one.path for one in made if isinstance(one, Unreadable)] == [names[1], names[3]]
    assert made[0] == thumbnails.to_webp(names[0], max_side=64)


def test_only_a_few_thumbnails_are_made_ahead(monkeypatch):
    asked: list[Path] = []
    monkeypatch.setattr(thumbnails, "to_webp", lambda path, **_: bytes(asked.append(path) or 1))
    names = (Path(str(number)) for number in range(1000))
    made = thumbnails.make(names, max_side=64, workers=2)
    next(made)
    made.close()
    assert len(asked) < 20
