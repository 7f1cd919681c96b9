"""Photos opened to upright RGB at working size: from files, from bytes and from memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from contrique_cli import config
from contrique_cli.errors import Refused, Unreadable, lacks_memory
from contrique_cli.files import reading
from contrique_cli.photos import content, decoders, decoding, jpeg, kinds, png, raw, stars, tiff
from contrique_cli.photos.bounds import Bounds
from contrique_cli.photos.content import Content
from contrique_cli.photos.decoding import Photo
from contrique_cli.photos.memory import Room

PREPROCESSING = 1
"""Version of the pixels that reach the model; raised when they change, in `decoding` or `pixels`.

It is part of every encoder's fingerprint, so a regressor fitted on other pixels is refused instead
of giving wrong scores."""

MIN_SIDE = 32
"""Shortest side, in pixels at working size, that can be judged: one cell of the encoder's map."""

IN_MEMORY = Path("<image>")
"""What a photo without a file is called."""

MAX_BYTES = 1 << 30
"""Most that is read from a binary file, which has no size of its own."""

Source: TypeAlias = Path | bytes | bytearray | memoryview | BinaryIO
"""A regular file; or the bytes of one; or a binary file, read from where it stands to its end."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A photo's file in memory, not yet decoded: a member of a shard, or bytes from Python.

    Attributes:
        path: what to call it; a RAW file is known by the suffix.
        data: the whole file.
    """

    path: Path
    data: bytes | bytearray | memoryview


Pending: TypeAlias = Path | Encoded | Photo | Unreadable
"""A photo on its way: to be opened, opened already, or known to be none."""


def open_rgb(
    source: Source,
    *,
    max_side: int,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    min_side: int = MIN_SIDE,
    name: Path | None = None,
    room: Room | None = None,
    is_hashed: bool = False,
) -> Photo:
    """Open a photo as upright 8-bit RGB at working size.

    The first frame of an animation; transparency over white; 16-bit samples to 8 bit; float
    samples read as [0, 1], or as [0, 255] or [0, 65535] where they exceed that; grey, palette and
    CMYK converted. Colour profiles are not applied, as in the published method.

    Of a RAW file the embedded preview, where its long side is at least the working size; else the
    sensor data, developed at half size where that suffices (see `raw.RawFile.develop`).

    Args:
        source: see `Source`; one of `decoders.FORMATS`, judged by content, or a RAW file.
        max_side: longest side in pixels of the result; 0 keeps every pixel.
        max_megapixels: refuse, from the header alone, a photo of more.
        min_side: refuse a photo whose shortest side has fewer pixels at working size.
        name: what to call it; by default its path, or `IN_MEMORY`.
        room: memory to wait for before it is decoded; None takes what it needs.
        is_hashed: whether to tell the `digest`.

    Returns:
        The photo; `image` has shape (H, W) with max(H, W) <= max_side.

    Raises:
        Unreadable: whatever is wrong with this one file.
    """
    path = name or (source if isinstance(source, Path) else IN_MEMORY)
    limits = Bounds(max_side=max_side, max_megapixels=max_megapixels, min_side=min_side, room=room)
    try:
        with _opened(source) as file:
            return _open(file, path, limits, is_hashed=is_hashed)
    except Exception as error:  # noqa: BLE001 - decoders of hostile bytes raise anything; it is one row
        reason = _reason(error)
    # On purpose out of the `except`: a reason that holds its error holds all pixels of the photo.
    raise Unreadable(path, reason)


def take(picture: Image.Image, path: Path, *, max_side: int, max_megapixels: float) -> Photo:
    """A picture in memory as `open_rgb` gives one of a file; the picture stays as it is.

    Args:
        picture: of any mode; an EXIF orientation that it still carries is followed.
        path: to name it by.
        max_side, max_megapixels: see `open_rgb`.

    Raises:
        Unreadable: it is too small or too large, or its file is damaged.
    """
    limits = Bounds(max_side=max_side, max_megapixels=max_megapixels, min_side=MIN_SIDE)
    try:
        return decoding.decode_picture(picture.copy(), path, limits)
    except Exception as error:  # noqa: BLE001 - a picture may still be an unread file
        reason = _reason(error)
    raise Unreadable(path, reason)


def from_array(samples: np.ndarray, path: Path) -> Image.Image:
    """Samples in memory as a picture.

    Args:
        samples: uint8 in [0, 255] or floats in [0, 1], RGB of shape (H, W, 3) or grey (H, W).
        path: to name it by.

    Raises:
        Unreadable: another shape, type or range; nothing is guessed.
    """
    if samples.ndim not in (2, 3) or samples.shape[2:] not in ((), (3,)) or samples.size == 0:
        raise Unreadable(path, f"neither RGB nor grey: samples of shape {samples.shape}")
    if samples.dtype.kind == "f":
        if not (samples.min() >= 0.0 and samples.max() <= 1.0):  # not so for NaN
            raise Unreadable(path, "floating-point samples must lie in [0, 1]")
        samples = np.rint(samples * 255.0).astype(np.uint8)
    if samples.dtype != np.uint8:
        raise Unreadable(path, f"samples must be uint8, or floats in [0, 1], not {samples.dtype}")
    return Image.fromarray(np.ascontiguousarray(samples))


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with reading.opened(source) as file:
            yield file
        return
    if not isinstance(source, bytes | bytearray | memoryview):
        source = source.read(MAX_BYTES + 1)
    if len(source) == 0:
        raise Refused("the file is empty")
    if len(source) > MAX_BYTES:
        raise Refused(f"over the limit of {MAX_BYTES / 1e9:.0f} GB for what is read into memory")
    yield io.BytesIO(source)


def _open(file: BinaryIO, path: Path, limits: Bounds, *, is_hashed: bool) -> Photo:
    head = file.read(kinds.HEAD)
    whole = content.load(file)
    digest = content.digest_of(whole, file) if is_hashed else None
    photo = _open_kind(whole, head, path, limits)
    if digest is not None and whole.data is None and content.digest_of(whole, file) != digest:
        digest = None  # it changed while it was decoded
    return replace(photo, digest=digest, rating=stars.find(whole.file))


def _open_kind(whole: Content, head: bytes, path: Path, limits: Bounds) -> Photo:
    if raw.is_raw(head, path) or (whole.data is not None and tiff.is_dng(whole.data)):
        return decoding.decode_raw(whole.file, path, limits)
    try:
        with decoders.identify(whole, head) as image:
            if not tiff.is_raw(image):
                return decoding.decode_file(image, whole, path, limits)
    except (Refused, MemoryError):
        raise
    except Exception:
        bare = _without_extras(whole)
        if bare is None:
            raise
    else:
        return decoding.decode_raw(whole.file, path, limits)
    # What stands beside the picture may be broken: that costs orientation and time, no more.
    with decoders.identify(bare, head) as image:
        return decoding.decode_file(image, bare, path, limits)


def _without_extras(whole: Content) -> Content | None:
    """The file with its picture alone; None where nothing else is in it."""
    data = whole.data
    if data is None:
        return None
    if data.startswith(png.SIGNATURE):
        bare = png.without_extras(data)
    elif data.startswith(jpeg.SIGNATURE):
        bare = jpeg.without_extras(data)
    else:
        return None
    return None if len(bare) == len(data) else Content(io.BytesIO(bare), bare)


def _reason(error: BaseException) -> str:
    """A decoder's or the system's complaint in words for a photographer."""
    if isinstance(error, Refused | decoders.UnknownKind):
        return str(error)
    if isinstance(error, Unreadable):
        return error.reason
    if lacks_memory(error):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return "over Pillow's own limit for pictures of this format: save it as TIFF or PNG"
    if isinstance(error, OSError) and error.strerror:
        return reading.why(error)
    return f"damaged: {reading.why(error)}"
