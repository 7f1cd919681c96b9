"""JPEG: markers, scans, and what is left out without changing a pixel."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from contrique_cli.errors import Refused, Unreadable
from contrique_cli.photos import jpeg, opening
from tests import broken_photos
from tests.conftest import make_photo

PHOTO = make_photo(1, 320, 240)


def many_scans(side: int, scans: int) -> bytes:
    """A small progressive JPEG with so many empty scans, as in `progressive_scans.py`."""

    def segment(kind: int, body: bytes) -> bytes:
        return b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body

    def pack(bits: str) -> bytes:
        bits += "1" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")

    blocks = ((side + 7) // 8) ** 2
    head = b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    head += segment(0xC4, b"\0\1" + bytes(15) + b"\0") + segment(
        0xC4, b"\x10\1" + bytes(15) + b"\xe0"
    )
    head += segment(0xDA, b"\1\1\0\0\0\0") + pack("0" * blocks)
    one = segment(0xDA, b"\1\1\0\1\x3f\0") + pack(("0" + "1" * 14) * -(-blocks // 32767))
    return head + one * scans + b"\xff\xd9"


def test_thousands_of_scans_are_refused_before_any_is_decoded():
    with pytest.raises(Unreadable, match="a JPEG of more than 100 scans"):
        opening.open_rgb(many_scans(1000, 2000), max_side=128)
    assert opening.open_rgb(many_scans(256, 90), max_side=128).image.size == (128, 128)
    with pytest.raises(Refused):
        jpeg.parse(many_scans(64, jpeg.MAX_SCANS))


@pytest.mark.parametrize("name", ["baseline", "restarts", "optimized", "progressive"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_layout_of_what_pillow_writes_is_sound(name, mode):
    data = broken_photos.encode(PHOTO.convert(mode), name)
    layout = jpeg.parse(data + b"what follows the end \xff\xd9")
    assert (layout.end, layout.is_ended, layout.strays) == (len(data) - 2, True, 0)
    assert layout.is_complete
    assert layout.is_progressive == (name == "progressive")
    assert len(layout.scans) > 1 if layout.is_progressive else len(layout.scans) == 1


def test_a_progressive_photo_without_its_last_scans_is_incomplete():
    data = broken_photos.encode(PHOTO, "progressive")
    scans = jpeg.parse(data).scans
    assert not jpeg.parse(data[: scans[3].end] + b"\xff\xd9").is_complete


def test_markers_in_metadata_are_not_the_pictures():
    file = io.BytesIO()
    PHOTO.save(file, "JPEG", comment=b"\xff\xd9\xff\xda\xff\xd0" * 9)
    assert jpeg.parse(file.getvalue()).end == len(file.getvalue()) - 2


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_without_extras_every_pixel_is_the_same(mode):
    exif = Image.Exif()
    exif[0x0112] = 1
    file = io.BytesIO()
    PHOTO.convert(mode).save(file, "JPEG", exif=exif, comment=b"hello", quality=90)
    bare = jpeg.without_extras(file.getvalue())
    assert b"hello" in file.getvalue()
    assert b"hello" not in bare
    assert b"Exif" not in bare
    pixels = [np.asarray(Image.open(io.BytesIO(one))) for one in (file.getvalue(), bare)]
    assert np.array_equal(*pixels)


def test_a_feed_hands_out_its_end_in_small_steps():
    feed = jpeg.Feed(bytes(10_000), 9000)
    assert len(feed.read(65536)) == 9000 - 512
    assert len(feed.read(65536)) == 32
    feed.seek(0)
    assert len(feed.read()) == 10_000


def test_bytes_of_any_kind_are_parsed_without_an_error():
    rng = np.random.default_rng(0)
    whole = broken_photos.encode(PHOTO, "progressive")
    for _ in range(300):
        data = bytearray(whole)
        for index in rng.integers(2, len(data), 5):
            data[index] = rng.integers(0, 256)
        try:
            jpeg.parse(bytes(data[: rng.integers(4, len(data))]))
            jpeg.without_extras(bytes(data))
        except Refused as refused:
            assert "scans" in str(refused)
