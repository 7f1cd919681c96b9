"""A person's stars: every place they stand in, and files that mean harm."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from contrique_cli.collection import ratings, xmp
from contrique_cli.errors import BadSidecar
from contrique_cli.photos import stars
from tests.conftest import make_photo
from tests.sidecars import BY_PROGRAM, RDF, XMP, packet

FOUR = packet('xmp:Rating="4"')


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('xmp:Rating="3"', 3),
        ('xmp:Rating="-1"', stars.REJECTED),
        ('xmp:Rating="0"', 0),
        ('xmp:Rating="0" m:Rating="50"', 3),
        ('xmp:Rating="12"', 5),
        ('xmp:Rating="many"', None),
        ('m:Rating="1"', 1),
        ('m:Rating="50"', 3),
        ('m:Rating="99"', 5),
        ('xmp:Rating="2" m:Rating="99"', 2),
        ('d:PickLabel="1" xmp:Rating="3"', stars.REJECTED),
        ('d:PickLabel="3"', 3),
        ('d:PickLabel="3" xmp:Rating="5"', 5),
        ('d:PickLabel="0"', None),
        ('xmp:Label="Rot"', None),
    ],
)
def test_what_properties_say(inside, expected):
    assert stars.parse(packet(inside)) == expected


def test_stars_of_ours_are_no_persons():
    ours = xmp.new(xmp.Mark(4, 88.0))
    assert stars.parse(ours) is None
    assert stars.parse(ours.replace(b'xmp:Rating="4"', b'xmp:Rating="2"')) == 2
    assert stars.parse(xmp.new(xmp.Mark(0, 8.0))) is None


def test_an_element_in_any_encoding_counts_and_a_name_of_another_space_does_not():
    element = (
        f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:xap="{XMP}"><rdf:Description rdf:about="">'
        "<xap:Rating> 5 </xap:Rating></rdf:Description></rdf:RDF>"
    )
    assert stars.parse(element.encode("utf-8-sig")) == 5
    assert stars.parse(element.encode("utf-16")) == 5
    assert stars.parse(element.replace(XMP, "urn:other").encode()) is None


@pytest.mark.parametrize("program", BY_PROGRAM)
def test_a_sidecar_without_stars_has_none(program):
    assert stars.parse(BY_PROGRAM[program].encode()) is None


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><a>&b;&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 100 + b"</a>" * 100,
        b"<a",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"<a>" + b" " * xmp.LIMIT + b"</a>",
    ],
)
def test_hostile_xml_is_refused(hostile):
    with pytest.raises(BadSidecar):
        stars.parse(hostile)


def test_an_endless_number_is_cut_off():
    assert stars.parse(packet('xmp:Rating="' + "9" * 10**6 + '"')) is None


def png(info: PngInfo) -> bytes:
    file = io.BytesIO()
    make_photo(0, 32, 24).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def itxt(*, is_compressed: bool) -> PngInfo:
    info = PngInfo()
    info.add_text("Comment", "before")
    info.add_itxt("XML:com.adobe.xmp", FOUR.decode(), zip=is_compressed)
    return info


def saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    make_photo(0, 32, 24).save(file, kind, **options)
    return file.getvalue()


def inside() -> dict[str, bytes]:
    return {
        "a.jpg": saved("JPEG", xmp=FOUR),
        "a.png": png(itxt(is_compressed=False)),
        "b.png": png(itxt(is_compressed=True)),
        "a.webp": saved("WEBP", xmp=FOUR),
        "a.tif": saved("TIFF", tiffinfo={700: FOUR, 50706: b"\1\4\0\0"}),
        "big.tif": b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 700, 1, len(FOUR), 26, 0) + FOUR,
    }


@pytest.mark.parametrize("name", inside())
def test_stars_inside_a_photo_are_found_and_no_cut_of_it_does_harm(tmp_path, name):
    content = inside()[name]
    (tmp_path / name).write_bytes(content)
    assert ratings.find_stars(tmp_path / name) == 4
    for end in range(1, len(content), 7):
        stars.find_packet(io.BytesIO(content[:end]))


def test_a_photo_without_stars_has_none(tmp_path):
    for name in ("a.jpg", "a.png", "a.webp", "a.tif", "a.gif", "a.bmp"):
        make_photo(0, 32, 24).save(tmp_path / name)
        assert ratings.find_stars(tmp_path / name) is None


def test_a_bomb_in_a_text_of_a_png_stays_small():
    bomb = zlib.compress(bytes(4 * xmp.LIMIT))
    content = b"XML:com.adobe.xmp\0\1\0\0\0" + bomb
    chunk = struct.pack(">I", len(content)) + b"iTXt" + content + bytes(4)
    found = stars.find_packet(io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk))
    assert found is not None
    assert len(found) == xmp.LIMIT + 1


def test_the_sidecar_counts_before_the_photo_and_that_of_another_photo_not_at_all(tmp_path):
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (32, 24)).save(photo, xmp=FOUR)
    (tmp_path / "a.xmp").write_bytes(packet('xmp:Rating="2"'))
    assert ratings.find_stars(photo) == 2
    (tmp_path / "a.jpg.xmp").write_bytes(packet('xmp:Rating="1"'))
    assert ratings.find_stars(photo) == 1
    (tmp_path / "a.jpg.xmp").write_bytes(packet('xmp:Rating="0"'))
    assert ratings.find_stars(photo) == 2
    (tmp_path / "a.xmp").unlink()
    assert ratings.find_stars(photo) is None
    (tmp_path / "a.jpg.xmp").write_bytes(xmp.new(xmp.Mark(0, 8.0)))  # ours is no person's word
    assert ratings.find_stars(photo) == 4
    twin = Path(f"{photo}.jpg")  # whose name.xmp is called as the name.ext.xmp of a.jpg
    Image.new("RGB", (32, 24)).save(twin)
    assert ratings.find_stars(twin) is None
