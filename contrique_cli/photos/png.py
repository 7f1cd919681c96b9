"""How a PNG file is laid out: its chunks, their checksums, and those that are no picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_TRANSPARENCY = b"tRNS"
_LOWER = 0x20  # of the first letter: a chunk that decoders may leave out


class Chunk(NamedTuple):
    """One chunk.

    Attributes:
        kind: four letters.
        start, end: of the chunk in the file with its head and checksum, in bytes.
        is_sound: whether its checksum holds.
    """

    kind: bytes
    start: int
    end: int
    is_sound: bool


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a file in order; what is cut short ends them."""
    view = memoryview(data)
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            return
        checksum = int.from_bytes(data[end - 4 : end], "big")
        yield Chunk(data[at + 4 : at + 8], at, end, zlib.crc32(view[at + 4 : end - 4]) == checksum)
        at = end


def without_extras(data: bytes) -> bytes:
    """The file with its picture alone: without texts, times, profiles and EXIF."""
    parts, at = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for chunk in chunks(data):
        at = chunk.end
        if chunk.kind == _TRANSPARENCY or not chunk.kind[0] & _LOWER:
            parts.append(data[chunk.start : chunk.end])
    return b"".join([*parts, data[at:]])
