"""What is a photo by content."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from contrique_cli.errors import Unreadable
from contrique_cli.photos import kinds
from tests.conftest import make_photo


@pytest.mark.parametrize("form", "JPEG PNG WEBP TIFF BMP GIF AVIF MPO JPEG2000".split())
def test_what_pillow_writes_is_a_photo_whatever_its_name(tmp_path, form):
    Image.init()
    if form not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {form}")
    make_photo(0, 40, 30).save(tmp_path / "notes.txt", form)
    assert kinds.is_photo(tmp_path / "notes.txt")


@pytest.mark.parametrize("options", [{"big_tiff": True}, {"compression": "tiff_lzw"}])
def test_every_kind_of_tiff_is_a_photo(tmp_path, options):
    make_photo(0, 40, 30).save(tmp_path / "a", "TIFF", **options)
    assert kinds.is_photo(tmp_path / "a")


@pytest.mark.parametrize(
    "data",
    [
        *(b"-----BEGIN OPENSSH PRIVATE KEY-----", b"#!/bin/sh\n", b"BMX is a sport" * 9, b"PK\3\4"),
        *(b"RIFF1234WAVEfmt ", b"\0\0\0\x20ftypisom", b"%PDF-1.7", b"\x7fELF", b"\xff\xd8", b"I"),
        *(b"SQLite format 3\0", b"<?xml version='1.0'?><svg/>", b"\x80\x02}q\x00."),
    ],
)
def test_what_is_none_is_none_whatever_its_name(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    assert not kinds.is_photo(tmp_path / "a.jpg")


def test_what_is_no_file_says_so(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, reason in (("pipe.jpg", "a named pipe"), ("empty.jpg", "empty"), (".", "a folder")):
        with pytest.raises(Unreadable, match=reason):
            kinds.is_photo(tmp_path / name)
