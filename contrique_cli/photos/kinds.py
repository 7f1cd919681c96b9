"""What kind of file it is, by its first bytes: the content decides, not the suffix."""

from __future__ import annotations

import re
from pathlib import Path

from contrique_cli.files import reading

HEAD = 256
"""Bytes that tell the kind of a file."""

_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs".split())
_PICTURE_BRANDS = _HEIF_BRANDS | frozenset(b"avif avis mif1 msf1".split())
_JXL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")
_ORDINARY = re.compile(
    rb"\xff\xd8\xff"  # JPEG
    rb"|\x89PNG\r\n\x1a\n"
    rb"|GIF8[79]a"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"  # BMP, by the length of its header
    rb"|\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",  # JPEG 2000
    re.DOTALL,
)
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW = (
    *(b"FUJIFILMCCD-RAW", b"FOVb", b"\x00MRM", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00"),
    *(b"II\x1a\x00\x00\x00HEAPCCDR",),
)
_CR2 = b"CR\x02"  # at byte 8 of a TIFF

_FOREIGN = (
    (b"%PDF", "a PDF document: export its pictures"),
    (b"%!PS", "a PostScript drawing: export it as PNG"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript drawing: export it as PNG"),
    (b"8BPS", "a Photoshop document: export it as TIFF or JPEG"),
    (b"8BPB", "a Photoshop document: export it as TIFF or JPEG"),
    (b"gimp xcf", "a GIMP document: export it as TIFF or JPEG"),
    (b"<svg", "an SVG drawing: export it as PNG"),
    (b"<?xml", "an XML text"),
    (b"<!doctype html", "a web page: its pictures lie in files of their own"),
    (b"<html", "a web page: its pictures lie in files of their own"),
    (b"v/1\x01", "an OpenEXR picture: export it as TIFF or JPEG"),
    (b"#?RADIANCE", "a Radiance HDR picture: export it as TIFF or JPEG"),
    (b"II\xbc", "a JPEG XR picture: convert it to TIFF or JPEG"),
    (b"AT&TFORM", "a DjVu document: export its pages"),
    (b"PK\x03\x04", "a ZIP archive: unpack it"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"\x00\x00\x01\x00", "an icon: export it as PNG"),
    (b"\x1aE\xdf\xa3", "a film: export its frames"),
    (b"ID3", "a sound"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the photo with git lfs pull"),
)
_FILMS = (b"avc1", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"qt  ", b"3gp")


def brands(head: bytes) -> set[bytes]:
    """Brands of an ISO media file: its own and those it is compatible with; empty for others."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[start : start + 4] for start in range(8, end, 4)}


def is_heif(head: bytes) -> bool:
    """Whether it is a HEIC or HEIF picture."""
    return not _HEIF_BRANDS.isdisjoint(brands(head))


def is_jxl(head: bytes) -> bool:
    """Whether it is a JPEG XL picture, bare or in its container."""
    return head.startswith(_JXL)


def is_decoded_whole(head: bytes) -> bool:
    """Whether its decoder takes the whole file at once: WebP, AVIF, HEIC, JPEG XL."""
    is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return is_webp or is_jxl(head) or (head[4:8] == b"ftyp" and not is_raw(head))


def is_ordinary(head: bytes) -> bool:
    """Whether it is a picture that no camera's RAW file looks like."""
    return _ORDINARY.match(head) is not None or is_decoded_whole(head)


def is_raw(head: bytes) -> bool:
    """Whether it is surely a camera's RAW file; many look like TIFF: see `tiff.is_raw`."""
    return head.startswith(_RAW) or head[8:11] == _CR2 or b"crx " in brands(head)


def name(head: bytes) -> str:
    """What people call a file whose decoder takes it whole."""
    if head.startswith(b"RIFF"):
        return "WebP"
    if is_jxl(head):
        return "JPEG XL"
    return "HEIC" if is_heif(head) else "AVIF"


def describe(head: bytes) -> str:
    """What a file is that cannot be judged, and what to do about it."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, words in _FOREIGN:
        if head.startswith(magic) or start.startswith(magic.lower()):
            return f"not a photo but {words}"
    if any(brand.startswith(_FILMS) for brand in brands(head)):
        return "not a photo but a film: export its frames"
    if head[257:262] == b"ustar":
        return "not a photo but a tar archive: unpack it"
    if not head.strip(b"\0"):
        return "damaged: nothing but zeros; take it from a backup"
    if head and all(byte in b"\t\r\n\f" or 32 <= byte < 127 for byte in head):  # noqa: PLR2004 - printable ASCII
        return "not a photo but a text"
    return "not a picture in a known format"


def is_photo(path: Path) -> bool:
    """Whether a regular file, links followed, begins as a photo does.

    Raises:
        Unreadable: it is no regular file, or empty.
        OSError: it cannot be opened.
    """
    with reading.opened(path) as file:
        head = file.read(HEAD)
    if is_raw(head) or head.startswith(_TIFF):
        return True
    if found := brands(head):
        return not _PICTURE_BRANDS.isdisjoint(found)
    return is_ordinary(head)
