"""Photos: found on disk, opened to RGB at working size, halved, turned into tensors.

Everything that decides which pixels reach the model lives here, in scoring and in training alike.
Raise `PREPROCESSING` whenever those pixels change: it is part of every encoder's fingerprint, so a
regressor fitted on other pixels is refused instead of giving wrong scores.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch.nn import functional

from contrique_cli import bounds, config, exif, rawfile, rgb
from contrique_cli.bounds import Bounds
from contrique_cli.errors import Unreadable

PREPROCESSING = 1
"""Version of the pixels that reach the model."""

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

_HEIF_EXTENSIONS = frozenset([".heic", ".heics", ".heif", ".heifs", ".hif"])
_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs".split())

EXTENSIONS = (
    frozenset(
        ".jpg .jpeg .jpe .jfif .mpo .png .webp .tif .tiff .bmp .dib .gif .avif .avifs".split()
    )
    | _HEIF_EXTENSIONS
    | rawfile.EXTENSIONS
)
"""Lower-case suffixes taken from folders; files named one by one are judged by content."""

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


# ---------------------------------------------------------------------------------- finding


def find(sources: Iterable[Path], left_out: Counter[str]) -> Iterator[Path | Unreadable]:
    """Walk files and folders to photos, lazily, each physical file once.

    Folders are searched to any depth in name order, through symbolic links but never round a loop.

    Args:
        sources: files and folders; a file is taken whatever its suffix.
        left_out: counts, by reason, what was left out on purpose; filled while iterating.

    Yields:
        A photo's path, or an `Unreadable` for a path that cannot be one.
    """
    seen: set[tuple[int, int]] = set()
    for source in sources:
        for path in _walk(source, left_out, seen):
            if isinstance(path, Unreadable):
                yield path
                continue
            identity = _identity(path)
            if isinstance(identity, Unreadable):
                yield identity
            elif identity in seen:
                left_out["further names of a photo already listed"] += 1
            else:
                seen.add(identity)
                yield path


def _identity(path: Path) -> tuple[int, int] | Unreadable:
    """Device and inode of a regular file, or why it is none."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        return Unreadable(path, _reason(error))
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(path, _irregular(status.st_mode))
    return status.st_dev, status.st_ino


def _irregular(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket", stat.S_ISDIR: "a folder"}
    kind = next((name for test, name in kinds.items() if test(mode)), "a device")
    return f"not a regular file but {kind}"


def _walk(
    source: Path, left_out: Counter[str], seen: set[tuple[int, int]]
) -> Iterator[Path | Unreadable]:
    """Photos below `source`, which is itself yielded when it is not a folder."""
    if not source.is_dir():
        yield source
        return
    pending = [source]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield Unreadable(folder, _reason(error))
            continue
        if (status.st_dev, status.st_ino) in seen:  # a symlink loop, or a folder named twice
            left_out["folders already searched"] += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        inner = []
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                left_out["hidden"] += 1
            elif _is_folder(entry):
                inner.append(path)
            elif path.suffix.lower() in EXTENSIONS:
                yield path
            else:
                left_out["not a photo format"] += 1
        pending.extend(reversed(inner))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link to itself
        return False


# ---------------------------------------------------------------------------------- opening


def open_rgb(
    path: Path,
    *,
    max_side: int,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    min_side: int = MIN_SIDE,
) -> Photo:
    """Open a photo as upright 8-bit RGB at working size.

    The first frame of an animation; transparency over white; 16-bit samples to 8 bit; float
    samples read as [0, 1], or as [0, 255] or [0, 65535] where they exceed that; grey, palette and
    CMYK converted. Colour profiles are not applied, as in the published method.

    Of a RAW file the embedded preview, where its long side is at least the working size; else the
    sensor data, developed at half size where that suffices (see `rawfile.RawFile.develop`).

    Args:
        path: a regular file of one of `FORMATS`, judged by content; or a RAW file, by suffix.
        max_side: longest side in pixels of the result; 0 keeps every pixel.
        max_megapixels: refuse, from the header alone, a photo of more.
        min_side: refuse a photo whose shortest side has fewer pixels at working size.

    Returns:
        The photo; `image` has shape (H, W) with max(H, W) <= max_side.

    Raises:
        Unreadable: whatever is wrong with this one file.
    """
    limits = Bounds(max_side=max_side, max_megapixels=max_megapixels, min_side=min_side)
    try:
        with _open_regular(path) as file:
            if rawfile.is_raw(file, path):
                with rawfile.opened(file, path) as raw:
                    return _decode_raw(raw, path, limits)
            with _identify(file, path) as image:
                return _decode(image, path, limits)
    except Unreadable:
        raise
    except Exception as error:  # decoders of hostile bytes raise anything; it is one row
        raise Unreadable(path, _reason(error)) from error


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
    except Unreadable:
        raise
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


def _open_regular(path: Path) -> BinaryIO:
    """Open without ever blocking on a pipe that took the file's name."""
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise Unreadable(path, _irregular(mode))
    if os.fstat(descriptor).st_size == 0:
        os.close(descriptor)
        raise Unreadable(path, "the file is empty")
    return os.fdopen(descriptor, "rb")


def _identify(file: IO[bytes], path: Path) -> Image.Image:
    """Read the header; only then is known how much the file wants."""
    head = file.read(12)
    file.seek(0)
    if path.suffix.lower() in _HEIF_EXTENSIONS or (
        head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS
    ):
        _register_heif(path)
    Image.init()
    return _open_unlimited(file, [name for name in FORMATS if name in Image.OPEN])


def _open_unlimited(file: IO[bytes], formats: list[str]) -> Image.Image:
    """`Bounds` checks sizes itself, so Pillow's fixed limit steps aside."""
    with _PILLOW_LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _register_heif(path: Path) -> None:
    try:
        import pillow_heif  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Unreadable(
            path, "HEIC needs the extra package: pip install 'contrique[heif]'"
        ) from error
    pillow_heif.register_heif_opener()


def _decode(
    image: Image.Image, path: Path, limits: Bounds, orientation: int | None = None
) -> Photo:
    """Pixels of an identified file, whose own orientation counts unless another is given."""
    width, height = image.size
    limits.check_pixels(width, height, path)
    size = limits.size(width, height, path)
    if orientation is None:
        orientation = exif.read_orientation(image) or exif.UPRIGHT
    taken = exif.read_taken(image)
    profile = image.info.get("icc_profile") if image.mode == "RGB" else None
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


def _decode_raw(raw: rawfile.RawFile, path: Path, limits: Bounds) -> Photo:
    limits.check_pixels(raw.width, raw.height, path)
    limits.check_pixels(*raw.stored, path)
    longest = max(bounds.working_size(raw.width, raw.height, limits.max_side))
    photo = _decode_preview(raw, path, limits, longest)
    if photo is None:
        is_half = max(raw.width, raw.height) // 2 >= longest
        developed = Image.fromarray(raw.develop(is_half=is_half))
        photo = replace(_decode(developed, path, limits, exif.UPRIGHT), source=RAW)
    taken = photo.taken or raw.taken
    return replace(photo, width=raw.width, height=raw.height, taken=taken)


def _decode_preview(raw: rawfile.RawFile, path: Path, limits: Bounds, longest: int) -> Photo | None:
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


def _preview_orientation(image: Image.Image, raw: rawfile.RawFile) -> int:
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
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split()) or type(error).__name__
    return f"damaged: {text}"


# ---------------------------------------------------------------------------------- tensors


def to_tensor(image: Image.Image) -> torch.Tensor:
    """RGB picture to a tensor.

    Returns:
        uint8 in [0, 255], shape (3, H, W).
    """
    array = np.array(image)  # (H, W, 3), a copy that owns its memory
    return torch.from_numpy(array).permute(2, 0, 1)


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 samples to float32 in [0, 1], any shape. On purpose no ImageNet mean or deviation."""
    return images.to(torch.float32).div_(255.0)


def halve(images: torch.Tensor) -> torch.Tensor:
    """Half width and half height, integer division: the method's second scale.

    Antialiased bicubic, rows before columns, each pass rounded to 8 bit: what Pillow's
    `resize(BICUBIC)` does to a photo, on any device, and the same in training and in scoring.
    In integers on a CPU, as Pillow does it; in floats, one sample in 300 falls to the other side
    of a tie.

    Args:
        images: RGB, float in [0, 1] or uint8, shape (B, 3, H, W), H and W at least 2.

    Returns:
        RGB of the same kind, shape (B, 3, H // 2, W // 2), on the 8-bit grid.

    Source: Madhusudana et al., IEEE TIP 2022, section III; Pillow's resampling filters.
    """
    if images.dtype == torch.uint8 and images.device.type == "cpu":
        height, width = images.shape[-2:]
        lying = images.contiguous(memory_format=torch.channels_last)  # its quick way
        return functional.interpolate(
            lying, (height // 2, width // 2), mode="bicubic", align_corners=False, antialias=True
        )
    if images.dtype == torch.uint8:
        return _halve_floats(to_unit(images)).mul_(255.0).round_().to(torch.uint8)
    return _halve_floats(images)


def _halve_floats(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[-2:]
    for size in ((height, width // 2), (height // 2, width // 2)):
        images = functional.interpolate(
            images, size=size, mode="bicubic", align_corners=False, antialias=True
        )
        images = images.mul(255.0).round_().clamp_(0.0, 255.0).div_(255.0)
    return images
