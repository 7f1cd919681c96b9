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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "JPEG2000", "TIFF", "AVIF"])
def test_whatever_is_opened_is_a_photo(tmp_path, kind):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip("Pillow came without it")
    make_photo().save(tmp_path / "a", kind)
    assert kinds.is_photo(tmp_path / "a")
    assert opening.open_rgb(tmp_path / "a", max_side=64).width == 160


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"II\x1a\0\0\0HEAPCCDR", True),  # CRW, which `select` took for no photo
        (b"\xff\x4f\xff\x51", True),
        (b"MM\0+", True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0heic", True),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", True),
        (b"\xff\x0a", True),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", False),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42", False),
        (b"BMX is a sport, and this a text about it", False),
        (b"RIFF\0\0\0\0WAVE", False),
        (b"GIF8 but no more", False),
    ],
)
def test_a_photo_is_known_by_its_first_bytes(tmp_path, head, expected):
    (tmp_path / "a").write_bytes(head + bytes(20))
    assert kinds.is_photo(tmp_path / "a") is expected


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
