"""A person's stars in XMP: in a sidecar, or inside a JPEG, TIFF, DNG, PNG or WebP.

Nothing of it is trusted: a file is walked by its lengths in bounded steps, no more than `LIMIT`
bytes are parsed, and a DOCTYPE, without which no entity can be declared, is refused.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Literal
from xml.parsers import expat

from contrique_cli.errors import BadSidecar

REJECTED = -1.0

LIMIT = 16 * 2**20
"""Bytes of XMP above which it is not read."""

DEPTH = 64
"""Levels of elements above which it is not read: XMP has about ten."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
OURS = "urn:contrique:xmp:1/"
"""Namespaces. Ours ends in a slash because Exiv2 (darktable, digiKam) appends one otherwise."""

RATING = (XMP, "Rating")
GIVEN = (OURS, "GivenRating")
"""Properties: what people see; and the same as we wrote it, which tells our stars from a person's.
On purpose not contrique:Rating: `exiftool -Rating` would find two."""

NUMBER = re.compile(rb"\s{0,99}[+-]?\d{1,9}(\.\d{0,9})?\s{0,99}")

_MICROSOFT = "http://ns.microsoft.com/photo/1.0"
_DIGIKAM = "http://www.digikam.org/ns/1.0/"
_RATING, _GIVEN = (" ".join(name) for name in (RATING, GIVEN))
_PERCENTS = (f"{_MICROSOFT} Rating", f"{_MICROSOFT}/ Rating")
_PICK = f"{_DIGIKAM} PickLabel"
_PICK_REJECTED, _PICK_ACCEPTED = 1.0, 3.0
_ACCEPTED_STARS = 3.0  # no stars, but better than rejected: the middle
_MOST_STARS = 5.0
_WANTED = {_RATING, _GIVEN, *_PERCENTS, _PICK}
_RDF, _DESCRIPTION = f"{RDF} RDF", f"{RDF} Description"
_LONGEST = 32  # characters of a number

_JPEG_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_HEAD = b"XML:com.adobe.xmp\0"
_TIFF_TAG = 700
_MOST_PARTS = 100_000
"""Segments, chunks or tags of a file that are walked through."""


def parse(packet: bytes) -> float | None:
    """A person's stars in XMP.

    Ours, which `contrique:GivenRating` tells, are no person's. 0 is what cameras and programs
    write for "not rated" (XMP specification, part 1): no opinion, but in a sidecar, which programs
    read before the photo, the word that stars inside the photo no longer hold.

    Args:
        packet: a sidecar, or XMP from inside a photo.

    Returns:
        1 to 5, `REJECTED`, 0 for "not rated", or None where nothing is said of it.

    Raises:
        BadSidecar: it is no well-formed XML, has a DOCTYPE, or is too large or too deep.
    """
    if len(packet) > LIMIT:
        raise BadSidecar(f"larger than {LIMIT // 2**20} MB")
    is_wide = b"\0" in packet[:4]  # UTF-16; in other texts zeros only fill up the end
    reader = _Reader()
    try:
        reader.parser.Parse(packet if is_wide else packet.rstrip(b"\0"), True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: its encoding
        raise BadSidecar(f"not well-formed XML ({error})") from error
    return _judge(reader.values)


def refuse_doctype(*_: object) -> None:
    """Refuse what alone declares entities: the parser's handler of a DOCTYPE."""
    raise BadSidecar("a DOCTYPE, which XMP does not have")


def _judge(values: dict[str, str]) -> float | None:
    numbers = {name: _number(text) for name, text in values.items()}
    rating, pick = numbers.get(_RATING), numbers.get(_PICK)
    percent = next((numbers[name] for name in _PERCENTS if numbers.get(name)), None)
    if rating is not None and rating == numbers.get(_GIVEN):
        rating = None
    if pick == _PICK_REJECTED or (rating or 0.0) < 0.0:
        return REJECTED
    if rating:
        return min(rating, _MOST_STARS)
    if percent and percent > 0:  # 1, 25, 50, 75 and 99 are 1 to 5 stars
        return min(1.0 + round(percent / 25), _MOST_STARS)
    return _ACCEPTED_STARS if pick == _PICK_ACCEPTED else rating


def _number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text.encode()) else None


class _Reader:
    """Follows the parser and notes the properties that say how a person rates the photo."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self.parser.StartDoctypeDeclHandler = refuse_doctype
        self._path: list[str] = []
        self._open: str | None = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= DEPTH:
            raise BadSidecar(f"nested more than {DEPTH} levels deep")
        self._path.append(name)
        if self._path[-2:] == [_RDF, _DESCRIPTION]:
            for wanted in _WANTED & attributes.keys():
                self.values.setdefault(wanted, attributes[wanted])
        elif self._path[-3:-1] == [_RDF, _DESCRIPTION] and name in _WANTED - self.values.keys():
            self.values[name], self._open = "", name

    def _end(self, _name: str) -> None:
        self._path.pop()
        self._open = None

    def _add(self, text: str) -> None:
        if self._open is not None:
            self.values[self._open] = (self.values[self._open] + text)[:_LONGEST]


# ---------------------------------------------------------------------------------- inside photos


def find(file: BinaryIO) -> float | None:
    """A person's stars inside a photo; None without any, or where its XMP makes no sense.

    Args:
        file: a photo, read from its start.
    """
    file.seek(0)
    packet = find_packet(file)
    try:
        return None if packet is None else parse(packet) or None
    except BadSidecar:
        return None


def find_packet(file: BinaryIO) -> bytes | None:
    """XMP inside a photo, cut off soon after `LIMIT`; None where there is none.

    Args:
        file: at its start; a file of another kind, or a damaged one, holds none for us.
    """
    head = file.read(12)
    if head.startswith(b"\xff\xd8\xff"):
        return _in_jpeg(file)
    if head.startswith(b"\x89PNG"):
        return _in_png(file)
    if head.startswith(b"RIFF") and head[8:] == b"WEBP":
        return _in_webp(file)
    if head.startswith((b"II*\0", b"MM\0*")):
        return _in_tiff(file, "little" if head.startswith(b"II") else "big")
    return None


def _in_jpeg(file: BinaryIO) -> bytes | None:
    file.seek(2)
    for _ in range(_MOST_PARTS):
        head = file.read(4)
        length = int.from_bytes(head[2:], "big") - 2
        if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA or length < 0:  # noqa: PLR2004 - markers
            return None
        if head[1] != 0xE1:  # noqa: PLR2004 - APP1
            file.seek(length, 1)
        elif (content := file.read(length)).startswith(_JPEG_HEAD):
            return content[len(_JPEG_HEAD) :]
    return None


def _chunks(
    file: BinaryIO, start: int, order: Literal["little", "big"], around: int
) -> Iterator[tuple[bytes, int]]:
    """Names and lengths of chunks, the file left at their content; `around`: bytes after it."""
    for _ in range(_MOST_PARTS):
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:  # noqa: PLR2004 - a name and a length
            return
        name, length = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        size = int.from_bytes(length, order)
        yield name, size
        start += 8 + size + (around if order == "big" else size % 2)


def _in_png(file: BinaryIO) -> bytes | None:
    for name, size in _chunks(file, 8, "big", 4):
        if name != b"iTXt":
            continue
        content = file.read(min(size, LIMIT + 1))
        if not content.startswith(_PNG_HEAD):
            continue
        is_compressed = content[len(_PNG_HEAD) :][:1] == b"\1"
        text = content[len(_PNG_HEAD) + 2 :].split(b"\0", 2)[-1]  # after language and translation
        if not is_compressed:
            return text
        try:
            return zlib.decompressobj().decompress(text, LIMIT + 1)
        except zlib.error:
            return None
    return None


def _in_webp(file: BinaryIO) -> bytes | None:
    for name, size in _chunks(file, 12, "little", 0):
        if name == b"XMP ":
            return file.read(min(size, LIMIT + 1))
    return None


def _in_tiff(file: BinaryIO, order: Literal["little", "big"]) -> bytes | None:
    file.seek(4)
    file.seek(int.from_bytes(file.read(4), order))
    count = int.from_bytes(file.read(2), order)
    tags = file.read(12 * count)
    for at in range(0, len(tags) - 11, 12):
        number, kind = (int.from_bytes(tags[at + by : at + by + 2], order) for by in (0, 2))
        length, offset = (int.from_bytes(tags[at + by : at + by + 4], order) for by in (4, 8))
        if number == _TIFF_TAG and kind in (1, 7):
            file.seek(offset)
            return file.read(min(length, LIMIT + 1))
    return None
