"""Kinds: what a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from contrique_cli.photos import kinds, opening
from tests.conftest import make_photo


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"%PDF-1.7", "not a photo but a PDF document: export its pictures"),
        (b"8BPS\0\1", "not a photo but a Photoshop document: export it as TIFF or JPEG"),
        (b"  <svg xmlns=", "not a photo but an SVG drawing: export it as PNG"),
        (b"PK\3\4....", "not a photo but a ZIP archive: unpack it"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "not a photo but a film: export its frames"),
        (b"a,b\n1,2\n", "not a photo but a text"),
        (b"\1\2\3\x80", "not a picture in a known format"),
        (bytes(100), "damaged: nothing but zeros; take it from a backup"),
    ],
)
def test_what_is_no_photo_says_what_it_is(head, words):
    assert kinds.describe(head) == words


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "JPEG2000"])
@pytest.mark.parametrize("suffix", [".nef", ".dng", ".heic", ".jxl", ".txt"])
def test_the_content_decides_not_the_suffix(tmp_path, kind, suffix):
    make_photo().save(tmp_path / f"a{suffix}", kind)
    photo = opening.open_rgb(tmp_path / f"a{suffix}", max_side=0)
    assert (photo.source, photo.image.size) == ("photo", (160, 120))


def test_raw_files_are_known_without_their_suffix():
    for head in (b"FUJIFILMCCD-RAW 0201", b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx \0\0\0\1"):
        assert kinds.is_raw(head)
        assert not kinds.is_ordinary(head)
    assert not kinds.is_raw(b"II*\0\x08\0\0\0\x10\0\0\1")


def test_jpeg_xl_opens_with_the_extra(tmp_path):
    pylibjxl = pytest.importorskip("pylibjxl")
    Image.init()
    pylibjxl.register_pillow()
    file = io.BytesIO()
    make_photo().save(file, "JXL")
    assert opening.open_rgb(file.getvalue(), max_side=0).image.size == (160, 120)


def test_jpeg_xl_without_the_extra_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pylibjxl", None)
    with pytest.raises(opening.Unreadable, match=r"pip install 'contrique\[jxl\]'"):
        opening.open_rgb(b"\xff\x0a" + bytes(99), max_side=0)
