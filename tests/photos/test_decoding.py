"""Which pixels come out of a file: upright RGB, 8 bit, at working size."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_photo
from tests.opened import open_any, reason


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_a_heic_of_an_iphone_is_turned_once_though_it_says_so_twice(tmp_path, name):
    pillow_heif = pytest.importorskip("pillow_heif")
    upright = make_photo()
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = pillow_heif.from_pillow(upright.transpose(Image.Transpose.ROTATE_90))
    stored.save(tmp_path / name, exif=exif.tobytes(), quality=95)
    assert pillow_heif.open_heif(tmp_path / name).size == upright.size  # its container turns it
    assert b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" in (tmp_path / name).read_bytes()
    photo = open_any(tmp_path / name)
    assert (photo.width, photo.height) == upright.size
    difference = np.abs(np.asarray(photo.image, float) - np.asarray(upright, float)).mean()
    assert difference < 4


def test_a_heic_of_10_bit_keeps_its_brightness(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    photo = make_photo()
    deep = (np.asarray(photo, np.uint16) * 257).tobytes()
    pillow_heif.from_bytes("RGB;16", photo.size, deep).save(tmp_path / "a.heic", quality=95)
    opened = np.asarray(open_any(tmp_path / "a.heic").image, float)
    assert np.abs(opened - np.asarray(photo, float)).mean() < 4


def test_a_heic_is_judged_by_its_pixels_and_not_by_its_thumbnail(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    for name, thumbnails in (("with.heic", [160]), ("without.heic", [])):
        photo = pillow_heif.from_pillow(make_photo(width=320, height=240))
        photo.save(tmp_path / name, quality=90, thumbnails=thumbnails)
    reduced = [
        np.asarray(open_any(tmp_path / name, max_side=80).image)
        for name in ("with.heic", "without.heic")
    ]
    assert np.array_equal(*reduced)


def test_a_heic_of_several_pictures_gives_its_first(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    several = pillow_heif.from_pillow(make_photo(0))
    several.add_from_pillow(make_photo(1))
    several.save(tmp_path / "a.heic", quality=95)
    opened = np.asarray(open_any(tmp_path / "a.heic").image, float)
    assert np.abs(opened - np.asarray(make_photo(0), float)).mean() < 4


def test_grey_palette_bilevel_and_cmyk_become_rgb(tmp_path):
    photo = make_photo()
    for mode, name in (
        ("L", "l.png"),
        ("P", "p.png"),
        ("1", "1.png"),
        ("CMYK", "c.jpg"),
        ("LA", "la.png"),
    ):
        photo.convert(mode).save(tmp_path / name)
        assert open_any(tmp_path / name).image.mode == "RGB"
    grey = np.asarray(open_any(tmp_path / "l.png").image)
    assert (grey[..., 0] == np.asarray(photo.convert("L"))).all()


def test_transparency_lies_over_white(tmp_path):
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 20, 40))
    image.save(tmp_path / "a.png")
    opened = open_any(tmp_path / "a.png").image
    assert opened.getpixel((5, 5)) == (0, 0, 255)
    assert opened.getpixel((35, 5)) == (255, 255, 255)
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([9, 9, 9, 200, 100, 50])
    palette.paste(1, (0, 0, 20, 40))
    palette.save(tmp_path / "p.png", transparency=0)
    assert open_any(tmp_path / "p.png").image.getpixel((35, 5)) == (255, 255, 255)


def test_16_bit_and_float_samples_keep_their_brightness(tmp_path):
    grey = np.asarray(make_photo().convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "unit.tif")
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "byte.tif")
    Image.fromarray(grey.astype(np.int32) * 257).save(tmp_path / "int.tif")
    for name in ("deep.png", "unit.tif", "byte.tif", "int.tif"):
        opened = np.asarray(open_any(tmp_path / name).image)[..., 0]
        assert np.abs(opened.astype(int) - grey).max() <= 1, name


def test_a_16_bit_colour_png_opens(tmp_path):
    rows = b"".join(b"\0" + struct.pack(">120H", *([65535, 0, 30000] * 40)) for _ in range(40))
    chunks = b"\x89PNG\r\n\x1a\n"
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        chunks += (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )
    (tmp_path / "rgb16.png").write_bytes(chunks)
    red, green, blue = open_any(tmp_path / "rgb16.png").image.getpixel((3, 3))
    assert (red, green) == (255, 0)
    assert abs(blue - 30000 / 257) <= 1


def test_a_float_photo_with_holes_is_refused(tmp_path):
    samples = np.ones((40, 40), np.float32)
    samples[3, 3] = np.nan
    Image.fromarray(samples).save(tmp_path / "nan.tif")
    assert "not finite" in reason(tmp_path / "nan.tif")


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_an_animation_gives_its_first_frame(tmp_path, kind):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    path = tmp_path / f"a.{kind.lower()}"
    frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], duration=100)
    red, _green, blue = open_any(path).image.getpixel((20, 20))
    assert red > 200 > 50 > blue


@pytest.mark.parametrize("name", ["a.png", "a.tif", "lzw.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(tmp_path, orientation, name):
    upright = make_photo()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the operation that tilts it
    tilted = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {}
    tilted.save(tmp_path / name, exif=exif, **options)
    photo = open_any(tmp_path / name)
    assert (photo.width, photo.height) == upright.size
    assert np.array_equal(np.asarray(photo.image), np.asarray(upright))
    reduced = open_any(tmp_path / name, max_side=80).image
    assert reduced.size == (80, 60)


def test_a_large_jpeg_decoded_at_reduced_size_gives_nearly_the_same_pixels(tmp_path):
    make_photo(width=1600, height=1200).save(tmp_path / "a.jpg", quality=95)
    make_photo(width=1600, height=1200).save(tmp_path / "a.png")
    reduced = np.asarray(open_any(tmp_path / "a.jpg", max_side=256).image, float)
    exact = np.asarray(open_any(tmp_path / "a.png", max_side=256).image, float)
    assert reduced.shape == (192, 256, 3)
    assert np.abs(reduced - exact).mean() < 1.5
