"""PNG: chunks, checksums, and a sound picture among broken ones (issue 16.8)."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from contrique_cli.photos import opening, png
from tests.conftest import make_photo

PHOTO = make_photo(2, 96, 64)


def chunk(kind: bytes, data: bytes, *, is_sound: bool = True) -> bytes:
    checksum = zlib.crc32(kind + data) ^ (not is_sound)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def with_chunk(extra: bytes) -> bytes:
    file = io.BytesIO()
    PHOTO.save(file, "PNG")
    return file.getvalue()[:33] + extra + file.getvalue()[33:]


BROKEN = {
    "exif": chunk(b"eXIf", b"\0\0\x11\0\0\1\4\0"),
    "raw profile": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 9\nzz")),
    "text is not deflated": chunk(b"zTXt", b"Comment\0\0rubbish"),
    "text bomb": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 27))),
    "profile": chunk(b"iCCP", b"p\0\0rubbish"),
    "checksum": chunk(b"tEXt", b"a\0b", is_sound=False),
    "short": chunk(b"pHYs", b"\0"),
    "gamma": chunk(b"gAMA", b""),
    "animation": chunk(b"acTL", b"\0"),
    "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0rubbish"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_stands_beside_the_picture_costs_no_score(name):
    photo = opening.open_rgb(with_chunk(BROKEN[name]), max_side=0)
    assert np.array_equal(np.asarray(photo.image), np.asarray(PHOTO))
    assert photo.note is None


def test_without_extras_the_picture_and_its_transparency_stay():
    palette = PHOTO.quantize(16)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=3, dpi=(72, 72))
    bare = png.without_extras(file.getvalue())
    assert [one.kind for one in png.chunks(bare)] == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    pixels = [
        np.asarray(opening.open_rgb(one, max_side=0).image) for one in (file.getvalue(), bare)
    ]
    assert np.array_equal(*pixels)


def test_a_checksum_that_does_not_hold_is_told():
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG", compress_level=0)
    data = bytearray(file.getvalue())
    data[500] ^= 1
    assert [one.is_sound for one in png.chunks(bytes(data))] == [True, False, True]
    note = opening.open_rgb(bytes(data), max_side=0).note
    assert note == "damaged: a checksum of the picture does not hold"
