"""Orientation and size of every format, against exiftool and ImageMagick; and the time of a shot."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from contrique_cli.photos import exif, opening
from tests.conftest import make_photo
from tests.shots import save

PHOTO = make_photo(3, 96, 64)
FORMATS = {
    "a.jpg": {"quality": 95},
    "progressive.jpg": {"quality": 95, "progressive": True},
    "a.png": {},
    "a.webp": {"lossless": True},
    "a.tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "deflate.tif": {"compression": "tiff_adobe_deflate"},
    "jpeg.tif": {"compression": "jpeg", "quality": 95},
    "a.avif": {"quality": 95},
    "a.mpo": {"quality": 95},
}
IMAGEMAGICK = shutil.which("magick") or shutil.which("convert")
TILT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation to what tilts an upright picture


def tag(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[exif.ORIENTATION] = orientation
    return found


@pytest.fixture
def table(tmp_path):
    """Every format in every orientation, all of which show the same picture upright."""
    paths = []
    for orientation in range(1, 9):
        tilted = PHOTO if orientation == 1 else PHOTO.transpose(TILT[orientation])
        for name, options in FORMATS.items():
            path = tmp_path / f"{orientation}-{name}"
            if Image.registered_extensions().get(path.suffix) in Image.SAVE:
                tilted.save(path, exif=tag(orientation), **options)
                paths.append(path)
    return paths


def test_every_format_stands_upright_in_every_orientation(table):
    upright = np.asarray(PHOTO, int)
    for path in table:
        photo = opening.open_rgb(path, max_side=0)
        assert (photo.width, photo.height, photo.image.size) == (96, 64, (96, 64)), path.name
        assert np.abs(np.asarray(photo.image) - upright).mean() < 8, path.name
        assert opening.open_rgb(path, max_side=48).image.size == (48, 32), path.name
    assert len(table) >= 64


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
def test_exiftool_reads_the_same_sizes_and_orientations(table):
    command = ["exiftool", "-json", "-n", "-ImageWidth", "-ImageHeight", "-Orientation", *table]
    done = subprocess.run(command, capture_output=True, check=True)
    for path, facts in zip(table, json.loads(done.stdout), strict=True):
        photo = opening.open_rgb(path, max_side=0)
        stored = [photo.width, photo.height]
        if exif.is_turned(facts.get("Orientation", 1)):
            stored.reverse()
        told = [facts["ImageWidth"], facts["ImageHeight"]]
        if path.suffix == ".avif":  # whose container turns it: its own size may be either
            assert sorted(told) == sorted(stored), path.name
        else:
            assert told == stored, path.name
            assert facts["Orientation"] == int(path.name[0]), path.name


@pytest.mark.skipif(IMAGEMAGICK is None, reason="needs ImageMagick")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_imagemagick_shows_the_same_pixels(table, orientation):
    for path in table:
        if path.name[0] != str(orientation) or path.name.endswith((".avif", "jpeg.tif")):
            continue
        # On purpose without -auto-orient, which knows JPEG and TIFF alone.
        command = [IMAGEMAGICK, path, "-depth", "8", "ppm:-"]
        done = subprocess.run(command, capture_output=True, check=True)
        stored = Image.open(io.BytesIO(done.stdout))
        expected = np.asarray(exif.turn_upright(stored, orientation), int)
        found = np.asarray(opening.open_rgb(path, max_side=0).image, int)
        assert found.shape == expected.shape, path.name
        assert np.abs(found - expected).mean() < 1, path.name


@pytest.mark.parametrize("value", [0, 9, 65535, (6, 6), "6", b"6"])
def test_an_orientation_that_does_not_exist_is_none(value):
    picture = PHOTO.copy()
    picture.getexif()[exif.ORIENTATION] = value
    assert exif.read_orientation(picture) is None


def test_a_block_that_cannot_be_parsed_says_nothing():
    for kind in ("JPEG", "PNG", "WEBP"):
        file = io.BytesIO()
        PHOTO.save(file, kind, exif=b"Exif\0\0" + bytes(20) if kind == "JPEG" else bytes(20))
        photo = opening.open_rgb(file.getvalue(), max_side=0)
        assert (photo.image.size, photo.taken) == ((96, 64), None)


@pytest.mark.parametrize(
    ("taken", "fraction", "expected"),
    [
        ("2024:05:06 07:08:09", "", datetime(2024, 5, 6, 7, 8, 9)),  # noqa: DTZ001
        ("2024:05:06 07:08:09", "25", datetime(2024, 5, 6, 7, 8, 9, 250000)),  # noqa: DTZ001
        ("2024:05:06 07:08:09", "x", datetime(2024, 5, 6, 7, 8, 9)),  # noqa: DTZ001
        ("0000:00:00 00:00:00", "", None),
        ("    :  :     :  :  ", "12", None),
        ("yesterday", "", None),
        ("", "", None),
    ],
)
def test_the_time_is_read_to_its_fraction_or_not_at_all(tmp_path, taken, fraction, expected):
    save(tmp_path / "a.jpg", make_photo(), taken, fraction)
    assert opening.open_rgb(tmp_path / "a.jpg", max_side=64).taken == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_exif_block_costs_the_time_and_not_the_photo(tmp_path):
    save(tmp_path / "a.jpg", make_photo(), "2024:05:06 07:08:09")
    data = (tmp_path / "a.jpg").read_bytes()
    at = data.index(b"Exif\0\0") + 6
    for offset in range(8, 60):
        broken = bytearray(data)
        broken[at + offset] ^= 0xFF
        (tmp_path / "b.jpg").write_bytes(broken)
        assert opening.open_rgb(tmp_path / "b.jpg", max_side=64).width > 0
