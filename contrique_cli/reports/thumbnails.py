"""Thumbnails: small upright copies of photos, made once each, ahead in threads, in order."""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path

from contrique_cli import config
from contrique_cli.errors import Unreadable
from contrique_cli.files.ahead import ahead
from contrique_cli.photos import opening

MIME = "image/webp"
"""What the bytes are."""

QUALITY = 65
"""WebP quality, 0 to 100: the flaws of a thumbnail stay below those it is there to show."""

EFFORT = 3
"""WebP's `method`, 0 (fast) to 6 (small); 4 took half as long again for 3 % fewer bytes."""

MAX_PROFILE_BYTES = 1024
"""Colour profiles up to this go along: Adobe RGB's, Display P3's and ProPhoto's are shorter, and
the longer ones are nearly always sRGB's, which is what no profile means."""

MAX_WORKERS = 8
"""Threads beyond which a disk, not the processor, is what they wait for."""


def make(
    paths: Iterable[Path],
    *,
    max_side: int,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    workers: int | None = None,
) -> Generator[bytes | Unreadable, None, None]:
    """Thumbnails of photos, in the order of the paths; one bad photo is one `Unreadable`.

    Args:
        paths: photos.
        max_side, max_megapixels: see `opening.open_rgb`.
        workers: threads; by default one per processor.
    """
    workers = workers or min(os.cpu_count() or 1, MAX_WORKERS)
    attempt = partial(_attempt, max_side=max_side, max_megapixels=max_megapixels)
    return ahead(attempt, paths, workers=workers)


def _attempt(path: Path, max_side: int, max_megapixels: float) -> bytes | Unreadable:
    try:
        return to_webp(path, max_side=max_side, max_megapixels=max_megapixels)
    except Unreadable as problem:
        return problem


def to_webp(path: Path, *, max_side: int, max_megapixels: float = config.MAX_MEGAPIXELS) -> bytes:
    """One thumbnail, as the bytes of a WebP file: upright, without metadata.

    A short colour profile goes along, so that wide-gamut photos keep their colours.

    Args:
        path, max_side, max_megapixels: see `opening.open_rgb`.

    Raises:
        Unreadable: whatever is wrong with this one file.
    """
    photo = opening.open_rgb(path, max_side=max_side, max_megapixels=max_megapixels, min_side=1)
    profile = photo.profile or b""
    file = io.BytesIO()
    photo.image.save(
        file,
        "WEBP",
        quality=QUALITY,
        method=EFFORT,
        icc_profile=profile if len(profile) <= MAX_PROFILE_BYTES else b"",
    )
    return file.getvalue()
