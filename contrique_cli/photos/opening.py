"""Photos opened to upright RGB at working size; the one place that decodes them."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from contrique_cli import config
from contrique_cli.errors import Refused, Unreadable
from contrique_cli.files import reading
from contrique_cli.photos import bounds, exif, rgb
from contrique_cli.photos.bounds import Bounds
from contrique_cli.photos.raw import RawFile, is_raw, opened

MIN_SIDE = 32
"""Shortest side, in pixels at working size, that can be judged: one cell of the encoder's map."""

DRAFT_MARGIN = 1.5
"""JPEG may be decoded at 1/2, 1/4 or 1/8 size while this many times the working size remain, so
that the antialiasing filter, not the decoder, decides the result."""

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
"""Pillow decoders that may touch a file. On purpose no others: fewer parsers face hostile files."""

PHOTO, PREVIEW, RAW = "photo", "preview", "raw"
"""What was decoded: an ordinary file, a RAW file's embedded preview, or its sensor data."""

PREVIEW_SHARE = 0.9
"""A preview this large beside the whole picture lacks its borders only, so it counts as whole."""

IN_MEMORY = Path("<image>")
"""What a photo without a file is called."""

MAX_BYTES = 1 << 30
"""Most that is read into memory before a decoder sees it."""

_FTYP = 256  # bytes in which the brands of an ISO media file are looked for
_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs".split())

_DRAFTED = ("JPEG", "MPO")
_PILLOW_LIMIT_LOCK = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One decoded photo.

    Attributes:
        path: as found.
        image: RGB, 8 bit, upright, at working size.
        width, height: of the file, in upright pixels, before any reduction.
        profile: the ICC colour profile that the samples of an RGB file are in; None for none.
        source: what was decoded: `PHOTO`, `PREVIEW` or `RAW`.
        taken: when, by the camera's own clock; None where the file does not say.
    """

    path: Path
    image: Image.Image
    width: int
    height: int
    profile: bytes | None = None
    source: str = PHOTO
    taken: datetime | None = None


# ---------------------------------------------------------------------------------- opening


def open_rgb(
    source: Path | bytes | bytearray | memoryview | BinaryIO,
    *,
    max_side: int,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    min_side: int = MIN_SIDE,
    name: Path | None = None,
) -> Photo:
    """Open a photo as upright 8-bit RGB at working size.

    The first frame of an animation; transparency over white; 16-bit samples to 8 bit; float
    samples read as [0, 1], or as [0, 255] or [0, 65535] where they exceed that; grey, palette and
    CMYK converted. Colour profiles are not applied, as in the published method.

    Of a RAW file the embedded preview, where its long side is at least the working size; else the
    sensor data, developed at half size where that suffices (see `raw.RawFile.develop`).

    Args:
        source: a regular file; or the bytes of one; or a binary file, which is read from where it
            stands to its end and stays open. One of `FORMATS`, judged by content; or a RAW file,
            by the suffix of its name.
        max_side: longest side in pixels of the result; 0 keeps every pixel.
        max_megapixels: refuse, from the header alone, a photo of more.
        min_side: refuse a photo whose shortest side has fewer pixels at working size.
        name: what to call it; by default its path, or `IN_MEMORY`.

    Returns:
        The photo; `image` has shape (H, W) with max(H, W) <= max_side.

    Raises:
        Unreadable: whatever is wrong with this one file.
    """
    path = name or (source if isinstance(source, Path) else IN_MEMORY)
    limits = Bounds(max_side=max_side, max_megapixels=max_megapixels, min_side=min_side)
    try:
        with _opened(source) as file:
            return _open(file, path, limits)
    except Exception as error:  # decoders of hostile bytes raise anything; it is one row
        raise Unreadable(path, _reason(error)) from error


def _opened(source: Path | bytes | bytearray | memoryview | BinaryIO) -> BinaryIO:
    if isinstance(source, Path):
        return reading.opened(source)
    if not isinstance(source, bytes | bytearray | memoryview):
        source = source.read(MAX_BYTES + 1)
    if len(source) == 0:
        raise Refused("the file is empty")
    if len(source) > MAX_BYTES:
        raise Refused(f"over the limit of {MAX_BYTES / 1e9:.0f} GB for what is read into memory")
    return io.BytesIO(source)


def _open(file: BinaryIO, path: Path, limits: Bounds) -> Photo:
    if is_raw(file, path):
        with opened(file) as raw:
            return _decode_raw(raw, path, limits)
    with _identify(file) as image:
        return _decode(image, path, limits)


def take(picture: Image.Image, path: Path, *, max_side: int, max_megapixels: float) -> Photo:
    """A picture in memory as `open_rgb` gives one of a file; the picture stays as it is.

    Args:
        picture: of any mode; an EXIF orientation that it still carries is followed.
        path: to name it by.
        max_side, max_megapixels: see `open_rgb`.

    Raises:
        Unreadable: it is too small or too large, or its file is damaged.
    """
    try:
        limits = Bounds(max_side=max_side, max_megapixels=max_megapixels, min_side=MIN_SIDE)
        return _decode(picture.copy(), path, limits)
    except Exception as error:  # a picture may still be an unread file
        raise Unreadable(path, _reason(error)) from error


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


def _identify(file: BinaryIO) -> Image.Image:
    """Read the header; only then is known how much the file wants."""
    head = file.read(_FTYP)
    file.seek(0)
    if head[4:8] == b"ftyp" and not _HEIF_BRANDS.isdisjoint(_brands(head)):
        _register_heif()
    Image.init()
    return _open_unlimited(file, [name for name in FORMATS if name in Image.OPEN])


def _brands(head: bytes) -> set[bytes]:
    """Brands in the first box of an ISO media file: its own and those it is compatible with."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[start : start + 4] for start in range(8, end, 4)}


def _open_unlimited(file: BinaryIO, formats: list[str]) -> Image.Image:
    """`Bounds` checks sizes itself, so Pillow's fixed limit steps aside."""
    with _PILLOW_LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _register_heif() -> None:
    try:
        import pillow_heif  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Refused("HEIC needs the extra package: pip install 'contrique[heif]'") from error
    pillow_heif.register_heif_opener()


def _decode(
    image: Image.Image, path: Path, limits: Bounds, orientation: int | None = None
) -> Photo:
    """Pixels of an identified file, whose own orientation counts unless another is given."""
    width, height = image.size
    limits.check_pixels(width, height)
    size = limits.size(width, height)
    if orientation is None:
        orientation = exif.read_orientation(image) or exif.UPRIGHT
    taken = exif.read_taken(image)
    profile = image.info.get("icc_profile") if image.mode == "RGB" else None
    if image.format == "TIFF":
        orientation = exif.UPRIGHT  # Pillow turns it while it loads, and tells the size as seen
    if image.format in _DRAFTED:  # on purpose no others: HEIC would give its thumbnail
        margin = (round(size[0] * DRAFT_MARGIN), round(size[1] * DRAFT_MARGIN))
        image.draft("RGB", margin)  # never smaller than `margin`
    pixels = rgb.convert(image)
    if pixels.size != size:
        pixels = pixels.resize(size, Image.Resampling.LANCZOS)
    if exif.is_turned(orientation):
        width, height = height, width
    upright = exif.turn_upright(pixels, orientation)
    return Photo(path=path, image=upright, width=width, height=height, profile=profile, taken=taken)


def _decode_raw(raw: RawFile, path: Path, limits: Bounds) -> Photo:
    limits.check_pixels(raw.width, raw.height)
    limits.check_pixels(*raw.stored)
    longest = max(bounds.working_size(raw.width, raw.height, limits.max_side))
    photo = _decode_preview(raw, path, limits, longest)
    if photo is None:
        is_half = max(raw.width, raw.height) // 2 >= longest
        developed = Image.fromarray(raw.develop(is_half=is_half))
        photo = replace(_decode(developed, path, limits, exif.UPRIGHT), source=RAW)
    taken = photo.taken or raw.taken
    return replace(photo, width=raw.width, height=raw.height, taken=taken)


def _decode_preview(raw: RawFile, path: Path, limits: Bounds, longest: int) -> Photo | None:
    """The embedded preview, where it is whole and at least `longest` pixels long."""
    preview = raw.preview()
    if preview is None:
        return None
    try:
        if isinstance(preview, bytes):
            image = _open_unlimited(io.BytesIO(preview), ["JPEG"])
        else:
            image = Image.fromarray(preview)
        if max(image.size) < min(longest, PREVIEW_SHARE * max(raw.width, raw.height)):
            return None
        photo = _decode(image, path, limits, _preview_orientation(image, raw))
    except Exception:  # noqa: BLE001 - a hostile or damaged preview: the sensor data remains
        return None
    return replace(photo, source=PREVIEW)


def _preview_orientation(image: Image.Image, raw: RawFile) -> int:
    """Its own, else the RAW file's, else none: some writers turn the preview, some tag it wrongly.

    The first that makes it stand or lie as the whole picture does.
    """
    is_tall, has_to_be_tall = image.height > image.width, raw.height > raw.width
    for orientation in (exif.read_orientation(image), raw.orientation, exif.UPRIGHT):
        if orientation is not None and exif.is_turned(orientation) == (is_tall != has_to_be_tall):
            return orientation
    return raw.orientation


def _reason(error: BaseException) -> str:
    """A decoder's or the system's complaint in words for a photographer."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, Unreadable):
        return error.reason
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return reading.why(error)
    return f"damaged: {reading.why(error)}"
