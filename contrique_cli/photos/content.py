"""What a file holds: its bytes up to the end that its header tells, and their hash."""

from __future__ import annotations

import hashlib
import io
import os
from typing import BinaryIO, NamedTuple

from contrique_cli.errors import Refused
from contrique_cli.photos import kinds

DIGEST = 16
"""Bytes of a hash: among a million photos the odds of two alike are 1 in 10**26."""

MAX_IN_MEMORY = 64 << 20
"""Bytes up to which a file is read whole, so that it cannot change while it is decoded."""

MAX_WHOLE = 256 << 20
"""Bytes that a file may have whose decoder takes it whole: WebP, AVIF and HEIC."""

_BLOCK = 1 << 20


class Content(NamedTuple):
    """An open photo.

    Attributes:
        file: from its start; bytes in memory, or the file itself where those are too many.
        data: the bytes, where they are in memory.
    """

    file: BinaryIO
    data: bytes | None


def load(file: BinaryIO) -> Content:
    """Bring a photo into memory where it fits; what lies behind its end by its header stays out.

    Raises:
        Refused: its decoder would take more than `MAX_WHOLE`.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(kinds.HEAD)
    if kinds.is_decoded_whole(head):
        size = min(size, _end(file, head, size))
        if size > MAX_WHOLE:
            raise Refused(
                f"{size / 1e6:,.0f} MB, over the limit of {MAX_WHOLE / 1e6:.0f} MB for a "
                f"{kinds.name(head)} file, which is decoded in memory"
            )
    elif size > MAX_IN_MEMORY:
        file.seek(0)
        return Content(file, None)
    file.seek(0)
    data = file.read(size)
    return Content(io.BytesIO(data), data)


def digest(data: bytes) -> bytes:
    """A hash of every byte: proof of what was decoded, whatever the file's name, size and date.

    SHA-256, which processors since 2017 have in hardware: 1.6 GB/s where BLAKE2b does 0.8.
    """
    return hashlib.sha256(data, usedforsecurity=False).digest()[:DIGEST]


def digest_of(content: Content, file: BinaryIO) -> bytes:
    """The hash of a photo, read again where it is not in memory."""
    return digest_file(file) if content.data is None else digest(content.data)


def digest_file(file: BinaryIO) -> bytes:
    """`digest` of a file that need not fit into memory, from its start to its end."""
    found = hashlib.sha256(usedforsecurity=False)
    file.seek(0)
    while block := file.read(_BLOCK):
        found.update(block)
    return found.digest()[:DIGEST]


def _end(file: BinaryIO, head: bytes, size: int) -> int:
    """Where a RIFF or ISO media file ends by its own header, in bytes."""
    if head.startswith(b"RIFF"):
        return 8 + int.from_bytes(head[4:8], "little")
    end = 0
    while end < size:
        file.seek(end)
        box = file.read(16)
        length = int.from_bytes(box[:4], "big")
        if length == 1:
            length = int.from_bytes(box[8:16], "big")
        elif length == 0 and box[4:8].isalnum():
            return size  # on to the end of the file
        if length < 8 or not box[4:8].isascii():  # noqa: PLR2004 - a box has at least its own head
            return end  # no box any more: padding
        end += length
    return size
