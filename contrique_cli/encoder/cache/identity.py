"""Which photo a file holds: a hash of its every byte, known again by what the system tells."""

from __future__ import annotations

import os
import stat
import struct
import time
from pathlib import Path
from typing import NamedTuple

from contrique_cli.errors import Refused, Unreadable
from contrique_cli.files import reading
from contrique_cli.photos import content, raw

_SETTLED_NS = 1_000_000_000
"""Age of the last change from which a further one cannot bear the same time."""

_COARSE_NS = 10_000_000
"""Times in whole steps of this are those of a card's file system, where anybody can set them."""


class Status(NamedTuple):
    """What the system tells of a file.

    Attributes:
        device, inode: which file it is.
        size: in bytes.
        mtime_ns: time of the last change, which anybody can set.
        ctime_ns: time of the last change of any kind, which nobody can set back.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @property
    def file_id(self) -> bytes:
        """Which file it is, in 16 bytes."""
        return struct.pack("<QQ", self.device & (1 << 64) - 1, self.inode & (1 << 64) - 1)

    @property
    def state(self) -> bytes:
        """How it stands, in 24 bytes."""
        return struct.pack("<qqq", self.size, self.mtime_ns, self.ctime_ns)


def read_status(path: Path) -> Status | None:
    """What the system tells of a regular file; None for whatever is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Status(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def is_proof(status: Status, now_ns: int) -> bool:
    """Whether a file that has this status later on is unchanged since `now_ns`.

    Not where the last change is so fresh that another may bear the same time, nor where the system
    keeps no time that nobody can set: on cards (FAT, exFAT) and on Windows.
    """
    is_kept = os.name != "nt" and status.ctime_ns % _COARSE_NS != 0
    return is_kept and now_ns - status.ctime_ns > _SETTLED_NS


def read_digest(path: Path, status: Status) -> tuple[bytes, bool] | None:
    """The hash of a photo's every byte; see `content.digest`.

    Args:
        path: a file.
        status: as just read.

    Returns:
        The hash, and whether the status stands for it from now on; None where the file cannot be
        read.
    """
    now_ns = time.time_ns()
    try:
        with reading.opened(path) as file:
            digest = content.digest_of(content.load(file), file)
    except (OSError, ValueError, MemoryError, Refused, Unreadable):
        return None
    return digest, is_proof(status, now_ns) and read_status(path) == status


def make_key(digest: bytes, path: Path) -> bytes:
    """What features are kept under: the bytes, and whether the name makes a RAW file of them."""
    return digest + (b"r" if path.suffix.lower() in raw.EXTENSIONS else b"")
