"""Photos: what is found, what is opened and what is refused, and which pixels come out."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrique_cli.errors import Unreadable
from tests.conftest import make_photo
from tests.opened import open_any, reason

# ---------------------------------------------------------------------------------- opening


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_binary_files_give_the_pixels_of_the_file(tmp_path, kind, wrap):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo"
    make_photo(width=640, height=480).save(path, kind, exif=exif, quality=95)
    expected = open_any(path, max_side=128)
    found = open_any(wrap(path.read_bytes()), max_side=128, name=path)
    assert (found.path, found.width, found.height) == (path, 480, 640)
    assert np.array_equal(np.asarray(found.image), np.asarray(expected.image))


def test_a_binary_file_is_read_from_where_it_stands_and_stays_open(tmp_path):
    make_photo().save(tmp_path / "a.png")
    with io.BytesIO(b"header" + (tmp_path / "a.png").read_bytes()) as file:
        file.seek(6)
        assert open_any(file).image.size == (160, 120)
        assert not file.closed


def test_bytes_that_are_no_photo_are_refused_by_their_name(tmp_path):
    for data, expected in ((b"", "the file is empty"), (b"\1" * 99, "not a picture in a known")):
        with pytest.raises(Unreadable, match=f"^<image>: {expected}"):
            open_any(data)
        with pytest.raises(Unreadable, match=f"^a.tar/b.jpg: {expected}"):
            open_any(io.BytesIO(data), name=Path("a.tar/b.jpg"))
    with pytest.raises(Unreadable, match=r"^<image>: 160x120 is 0 megapixels, over the limit"):
        open_any(png_of(make_photo()), max_megapixels=0.01)


def png_of(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def test_heic_opens_with_the_extra(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    photo = make_photo()
    path = tmp_path / "a.heic"
    pillow_heif.from_pillow(photo).save(path, quality=90)
    assert open_any(path).image.size == photo.size


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_unreadable_not_half_a_photo(tmp_path, kind, share):
    whole = io.BytesIO()
    make_photo().save(whole, format=kind)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
    assert reason(path)


def test_bytes_flipped_at_random_never_escape_as_another_error(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "odd.jpg"
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
        whole = io.BytesIO()
        make_photo(width=64, height=48).save(whole, format=kind)
        for _ in range(30):
            data = np.frombuffer(whole.getvalue(), np.uint8).copy()
            at = rng.integers(0, min(len(data), 400), 8)
            data[at] = rng.integers(0, 256, 8)
            path.write_bytes(data.tobytes())
            try:
                open_any(path, max_megapixels=1)
            except Unreadable as problem:
                assert problem.reason


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


def test_pillows_own_limit_is_left_as_it_was(tmp_path):
    make_photo().save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS
    open_any(tmp_path / "a.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_large_jpeg_decoded_at_reduced_size_gives_nearly_the_same_pixels(tmp_path):
    make_photo(width=1600, height=1200).save(tmp_path / "a.jpg", quality=95)
    make_photo(width=1600, height=1200).save(tmp_path / "a.png")
    reduced = np.asarray(open_any(tmp_path / "a.jpg", max_side=256).image, float)
    exact = np.asarray(open_any(tmp_path / "a.png", max_side=256).image, float)
    assert reduced.shape == (192, 256, 3)
    assert np.abs(reduced - exact).mean() < 1.5
