"""Sidecars rewritten by a list of picks: written down before, and put back as they were."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contrique_cli.collection import ratings, xmp
from contrique_cli.errors import BadSidecar
from contrique_cli.photos import kinds
from contrique_cli.photos.stars import LIMIT

OPERATION = "rate"
"""What a line of an undo file calls it."""

SUFFIXES = (".xmp", ".XMP")


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """One sidecar.

    Attributes:
        sidecar: its absolute path.
        before: its bytes as they were; None where there was no file.
        digest: SHA-256 of the bytes that were written, in hexadecimal.
    """

    sidecar: Path
    before: bytes | None
    digest: str


def to_record(sidecar: Path, before: bytes | None, after: bytes) -> dict[str, Any]:
    """The line of an undo file for a sidecar that is about to change."""
    packed = None if before is None else base64.b64encode(zlib.compress(before)).decode("ascii")
    return {
        "operation": OPERATION,
        "sidecar": os.fspath(sidecar),
        "before": packed,
        "after_sha256": hashlib.sha256(after).hexdigest(),
    }


def before_of(packed: Any) -> bytes | None:
    """The bytes that a line holds, never more than a sidecar may have.

    Raises:
        ValueError: they are no such bytes.
    """
    if packed is None:
        return None
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(packed, validate=True), LIMIT + 1)
    except (TypeError, binascii.Error, zlib.error) as error:
        raise ValueError("damaged") from error
    if not unpacking.eof or len(data) > LIMIT:
        raise ValueError("cut off or too large")
    return data


def put_back(rewrite: Rewrite, *, is_dry_run: bool = False) -> bool:
    """Give a sidecar its bytes of before, or take it away where there was none.

    Args:
        rewrite: the sidecar must still hold what was written, and lie beside a photo.
        is_dry_run: look at everything and write nothing.

    Returns:
        Whether anything was, or is, to be done.

    Raises:
        BadSidecar: it has changed since, or is none.
        Unreadable: it, or the photo beside it, is no regular file.
        CannotWrite: see `writing.replacing`.
        OSError: it cannot be read or removed.
    """
    sidecar, before = rewrite.sidecar, rewrite.before
    now = ratings.read(sidecar)
    if now == before:
        return False
    if now is None or hashlib.sha256(now).hexdigest() != rewrite.digest:
        raise BadSidecar("it has changed since" if now else "it is no longer there")
    if sidecar.suffix not in SUFFIXES or not _is_beside_photo(sidecar):
        raise BadSidecar("it is no sidecar of a photo")
    if before is not None:
        xmp.is_rated(before)  # reads as a sidecar
    if is_dry_run:
        return True
    if before is None:
        Path(os.path.realpath(sidecar)).unlink()  # a link to it stays, as it was
    else:
        ratings.replace_by(sidecar, now, before)
    return True


def _is_beside_photo(sidecar: Path) -> bool:
    """Whether a.jpg.xmp lies beside a.jpg, or a.xmp beside a photo of that stem."""
    owner = sidecar.with_suffix("")
    if owner.is_file():
        return kinds.is_photo(owner)
    return any(
        path.is_file() and kinds.is_photo(path)
        for path in sidecar.parent.iterdir()
        if path.stem == owner.name and path.suffix not in SUFFIXES
    )
