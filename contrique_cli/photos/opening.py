"""Photos opened to upright RGB at working size; the one place that decodes them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from contrique_cli import config
from contrique_cli.errors import Refused, Unreadable, lacks_memory
from contrique_cli.files import reading
from contrique_cli.photos import (
    bounds,
    content,
    damage,
    exif,
    jpeg,
    kinds,
    memory,
    png,
    raw,
    rgb,
    stars,
    tiff,
)
from contrique_cli.photos.bounds import Bounds
from contrique_cli.photos.content import Content
from contrique_cli.photos.exif import Exposure
from contrique_cli.photos.memory import Room
from contrique_cli.photos.raw import RawFile

PREPROCESSING = 1
"""Version of the pixels that reach the model; raised when they change, here or in `pixels`.

It is part of every encoder's fingerprint, so a regressor fitted on other pixels is refused instead
of giving wrong scores."""

MIN_SIDE = 32
"""Shortest side, in pixels at working size, that can be judged: one cell of the encoder's map."""

DRAFT_MARGIN = 1.5
"""JPEG may be decoded at 1/2, 1/4 or 1/8 size while this many times the working size remain, so
that the antialiasing filter, not the decoder, decides the result."""

FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "JPEG2000", "JXL"),
)
"""Pillow decoders that may touch a file. On purpose no others: fewer parsers face hostile files."""

_PLUGINS = ("Jpeg", "Mpo", "Png", "WebP", "Tiff", "Bmp", "Gif", "Avif", "Jpeg2K")
"""Pillow's names for the files of these decoders, but for those of other packages."""

PHOTO, PREVIEW, RAW = "photo", "preview", "raw"
"""What was decoded: an ordinary file, a RAW file's embedded preview, or its sensor data."""

PREVIEW_SHARE = 0.9
"""A preview this large beside the whole picture lacks its borders only, so it counts as whole."""

IN_MEMORY = Path("<image>")
"""What a photo without a file is called."""

MAX_BYTES = 1 << 30
"""Most that is read from a binary file, which has no size of its own."""

Source: TypeAlias = Path | bytes | bytearray | memoryview | BinaryIO
"""A regular file; or the bytes of one; or a binary file, read from where it stands to its end."""

_DRAFTED = ("JPEG", "MPO")


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
        exposure: as far as the file says.
        note: what is wrong with it that left it a picture; None where nothing is.
        rating: a person's stars inside the file, see `stars.parse`; None where there are none.
        digest: of the bytes that were decoded, see `content.digest`; None unless asked for, or
            where they changed meanwhile.
    """

    path: Path
    image: Image.Image
    width: int
    height: int
    profile: bytes | None = None
    source: str = PHOTO
    taken: datetime | None = None
    exposure: Exposure = exif.UNKNOWN
    note: str | None = None
    rating: float | None = None
    digest: bytes | None = None


class _UnknownKind(Exception):
    """A decoder knows the format, and not this file."""


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


# ---------------------------------------------------------------------------------- opening


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
        source: see `Source`; one of `FORMATS`, judged by content, or a RAW file.
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
        return _decode(picture.copy(), path, limits)
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
        return _open_raw(whole.file, path, limits)
    try:
        with _identify(whole, head) as image:
            if not tiff.is_raw(image):
                return _decode_file(image, whole, path, limits)
    except (Refused, MemoryError):
        raise
    except Exception:
        bare = _without_extras(whole)
        if bare is None:
            raise
    else:
        return _open_raw(whole.file, path, limits)
    # What stands beside the picture may be broken: that costs orientation and time, no more.
    with _identify(bare, head) as image:
        return _decode_file(image, bare, path, limits)


def _identify(whole: Content, head: bytes) -> Image.Image:
    """Read the header; only then is known how much the file wants.

    On purpose not by `Image.open`, whose own limit of pixels holds for the whole process.

    Raises:
        Refused: no decoder takes it.
    """
    if kinds.is_heif(head):
        _register_heif()
    if kinds.is_jxl(head):
        _register_jxl()
    _register_formats()
    complaint = ""
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None or (accept and accept(head[:16]) is not True):
            continue
        whole.file.seek(0)
        try:
            return factory(whole.file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            complaint = (
                f"damaged, or a {name} of a kind that cannot be read ({reading.why(error)}): open "
                "it elsewhere and save it anew"
            )
    raise _UnknownKind(complaint) if complaint else Refused(kinds.describe(head))


@cache
def _register_formats() -> None:
    """Load Pillow's decoders of `FORMATS`; all of them take as long as a photo."""
    for name in _PLUGINS:
        with suppress(ImportError):  # AVIF is younger than the oldest Pillow that is supported
            import_module(f"PIL.{name}ImagePlugin")
    tiff.know_more_kinds()


def _register_heif() -> None:
    try:
        import pillow_heif  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Refused("HEIC needs the extra package: pip install 'contrique[heif]'") from error
    pillow_heif.register_heif_opener()


def _register_jxl() -> None:
    try:
        import pylibjxl  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Refused("JPEG XL needs the extra package: pip install 'contrique[jxl]'") from error
    pylibjxl.register_pillow()


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


# ---------------------------------------------------------------------------------- decoding


def _decode_file(image: Image.Image, whole: Content, path: Path, limits: Bounds) -> Photo:
    """Pixels of an identified file, and what is wrong with it."""
    limits.check_pixels(*image.size)
    layout, feed = None, None
    if image.format in _DRAFTED and whole.data is not None:
        layout = jpeg.parse(whole.data)
        feed = jpeg.Feed(whole.data, layout.end)
        setattr(image, "fp", feed)  # noqa: B010 - pictures from files have it
    planes = tiff.read_planes(image, whole.file)
    if planes is not None:
        photo = _decode(planes, path, limits, exif.read_orientation(image) or exif.UPRIGHT)
        taken, exposure = exif.read_taken(image), exif.read_exposure(image)
        return replace(photo, taken=taken, exposure=exposure)
    is_built_up = layout is None or layout.is_progressive
    photo = _decode(image, path, limits, is_built_up=is_built_up)
    fed = feed.tell() if feed else 0
    note = damage.find(image.format, whole.data, layout, fed) or photo.note
    return replace(photo, note=note)


def _decode(
    image: Image.Image,
    path: Path,
    limits: Bounds,
    orientation: int | None = None,
    *,
    is_built_up: bool = False,
) -> Photo:
    """Pixels of an identified picture, whose own orientation counts unless another is given."""
    width, height = image.size
    limits.check_pixels(width, height)
    size = limits.size(width, height)
    if image.format in _DRAFTED:  # on purpose no others: HEIC would give its thumbnail
        margin = (round(size[0] * DRAFT_MARGIN), round(size[1] * DRAFT_MARGIN))
        image.draft("RGB", margin)  # never smaller than `margin`
    with limits.take(memory.needed(image, (width, height), is_built_up=is_built_up)):
        if orientation is None:
            orientation = exif.read_orientation(image) or exif.UPRIGHT
        taken, exposure = exif.read_taken(image), exif.read_exposure(image)
        profile = image.info.get("icc_profile") if image.mode == "RGB" else None
        if image.format == "TIFF":
            is_turned = exif.is_turned(orientation)
            orientation = exif.UPRIGHT  # Pillow turns it while it loads
            _load_tiff(image)
            if is_turned and image.size != (width, height):  # until Pillow 11, told as stored
                width, height, size = height, width, size[::-1]
        pixels = rgb.reduce(
            image,
            size,
            is_negative=tiff.is_negative(image),
            depth=tiff.depth(image),
            levels=tiff.levels(image),
        )
    if exif.is_turned(orientation):
        width, height = height, width
    return Photo(
        path=path,
        image=exif.turn_upright(pixels, orientation),
        width=width,
        height=height,
        profile=profile,
        taken=taken,
        exposure=exposure,
        note=damage.see(np.asarray(pixels)),
    )


def _load_tiff(image: Image.Image) -> None:
    """Load it without Pillow's own limit of pixels, which it asks where it makes the picture."""
    size = getattr(image, "_tile_size", image.size)
    image.im = Image.new(image.mode, size).im
    image.load()


def _open_raw(file: BinaryIO, path: Path, limits: Bounds) -> Photo:
    file.seek(0)
    with raw.opened(file) as opened:
        photo = _decode_raw(opened, path, limits)
        stops = opened.stops
    exposure = exif.read_raw_exposure(file)
    if exposure == exif.UNKNOWN:
        exposure = photo.exposure
    if exposure.stops is None:
        exposure = replace(exposure, stops=stops)
    return replace(photo, exposure=exposure)


def _decode_raw(file: RawFile, path: Path, limits: Bounds) -> Photo:
    limits.check_pixels(file.width, file.height)
    limits.check_pixels(*file.stored)
    longest = max(bounds.working_size(file.width, file.height, limits.max_side))
    photo = _decode_preview(file, path, limits, longest)
    if photo is None:
        is_half = max(file.width, file.height) // 2 >= longest
        with limits.take(memory.needed_raw(file.stored)):
            developed = Image.fromarray(file.develop(is_half=is_half))
        photo = replace(_decode(developed, path, limits, exif.UPRIGHT), source=RAW)
    taken = photo.taken or file.taken
    return replace(photo, width=file.width, height=file.height, taken=taken)


def _decode_preview(file: RawFile, path: Path, limits: Bounds, longest: int) -> Photo | None:
    """The embedded preview, where it is whole and at least `longest` pixels long."""
    preview = file.preview()
    if preview is None:
        return None
    try:
        if isinstance(preview, np.ndarray):
            image = Image.fromarray(preview)
        elif preview.startswith(jpeg.SIGNATURE):
            image = _identify(Content(io.BytesIO(preview), preview), preview[: kinds.HEAD])
        else:
            return None
        if max(image.size) < min(longest, PREVIEW_SHARE * max(file.width, file.height)):
            return None
        photo = _decode(image, path, limits, _preview_orientation(image, file))
    except Exception:  # noqa: BLE001 - a hostile or damaged preview: the sensor data remains
        return None
    return replace(photo, source=PREVIEW)


def _preview_orientation(image: Image.Image, file: RawFile) -> int:
    """Its own, else the RAW file's, else none: some writers turn the preview, some tag it wrongly.

    The first that makes it stand or lie as the whole picture does.
    """
    is_tall, has_to_be_tall = image.height > image.width, file.height > file.width
    for orientation in (exif.read_orientation(image), file.orientation, exif.UPRIGHT):
        if orientation is not None and exif.is_turned(orientation) == (is_tall != has_to_be_tall):
            return orientation
    return file.orientation


def _reason(error: BaseException) -> str:
    """A decoder's or the system's complaint in words for a photographer."""
    if isinstance(error, Refused | _UnknownKind):
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
