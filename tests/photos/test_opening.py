"""Photos from files, bytes and binary files, and what comes of damaged ones: one error each."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrique_cli.errors import Unreadable
from tests.conftest import make_photo
from tests.opened import open_any, reason


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
