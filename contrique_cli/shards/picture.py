"""One picture of a shard, with the names by which others know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from contrique_cli.errors import Unreadable
from contrique_cli.photos.finding import EXTENSIONS
from contrique_cli.photos.opening import Encoded, Pending

MAX_BYTES = 256 << 20
"""Larger members are refused unread: several are held at once, and a shard may be hostile."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of a shard, not yet decoded.

    Attributes:
        member: its name in the shard, or the number of its row in a Parquet file.
        key: of its sample: what the names of a WebDataset's sample share, or a Parquet file's own.
        photo: its bytes, its path, or why there is neither.
        kept: values of further columns.
    """

    member: str | None
    key: str | None
    photo: Pending
    kept: Mapping[str, Any] = field(default_factory=dict)


def key_of(member: str) -> str:
    """What the files of one WebDataset sample share: the name up to its first dot, with folders."""
    path = PurePosixPath(member)
    folder = "" if str(path.parent) in (".", "") else f"{path.parent}/"
    return folder + path.name.split(".", 1)[0]


def is_picture(member: str) -> bool:
    """Whether a name is that of a picture, and not hidden."""
    path = PurePosixPath(member)
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def held(name: Path, data: bytes | memoryview | None) -> Encoded | Unreadable:
    """Bytes from a shard as a photo to decode."""
    if data is None:
        return Unreadable(name, "there are no bytes in the row")
    if len(data) > MAX_BYTES:
        return too_large(name, len(data))
    return Encoded(path=name, data=data)


def too_large(name: Path, size: int) -> Unreadable:
    """The row of a member that is not read."""
    return Unreadable(
        name,
        f"{size / 1e6:.0f} MB is over the limit of {MAX_BYTES / 1e6:.0f} MB for pictures in "
        "shards: score it as a file",
    )
