"""Sizes: what is too small or too large, and the working size."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image

from contrique_cli.photos import bounds
from tests.conftest import make_photo
from tests.opened import open_any, reason


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (31, 400)])
def test_too_few_pixels_are_refused_with_both_sizes(tmp_path, size):
    make_photo(width=size[0], height=size[1]).save(tmp_path / "small.png")
    assert reason(tmp_path / "small.png").startswith(f"too small to judge: {size[0]}x{size[1]}")


def test_the_smallest_photo_that_counts_has_32_pixels(tmp_path):
    make_photo(width=32, height=32).save(tmp_path / "small.png")
    assert open_any(tmp_path / "small.png").image.size == (32, 32)


def test_a_panorama_is_too_thin_at_working_size_but_not_when_that_is_large(tmp_path):
    Image.new("RGB", (20000, 20)).save(tmp_path / "thin.png")
    assert "gives 1024x1" in reason(tmp_path / "thin.png", max_side=1024)
    Image.new("RGB", (20000, 200)).save(tmp_path / "wide.png")
    assert "gives 1024x10" in reason(tmp_path / "wide.png", max_side=1024)
    assert open_any(tmp_path / "wide.png", max_side=8192).image.size == (8192, 82)


def test_a_decompression_bomb_is_refused_from_its_header(tmp_path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 9) + b"IDAT" + b"\0" * 13
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert reason(tmp_path / "bomb.png").startswith(
        "60000x60000 is 3600 megapixels, over the limit"
    )
    make_photo().save(tmp_path / "a.png")
    assert "over the limit of 0.01" in reason(tmp_path / "a.png", max_megapixels=0.01)


def test_a_photo_is_never_enlarged(tmp_path):
    assert bounds.working_size(100, 50, 1024) == (100, 50)
    assert bounds.working_size(4000, 3000, 1024) == (1024, 768)
    assert bounds.working_size(3000, 4000, 1024) == (768, 1024)
    assert bounds.working_size(4000, 3000, 0) == (4000, 3000)
