"""Photos: found on disk, opened to RGB at working size, halved, turned into tensors.

Everything that decides which pixels reach the model lives here, in scoring and in training alike.
Raise `PREPROCESSING` whenever those pixels change: it is part of every encoder's fingerprint, so a
regressor fitted on other pixels is refused instead of giving wrong scores.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch.nn import functional

from contrique_cli import config
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

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .tif .tiff .bmp .dib .gif .avif .avifs "
    ".heic .heif .hif".split()
)
"""Lower-case suffixes taken from folders; files named one by one are judged by content."""

_HEIF_EXTENSIONS = frozenset([".heic", ".heif", ".hif"])
_PILLOW_LIMIT_LOCK = threading.Lock()
_WHITE = (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One decoded photo.

    Attributes:
        path: as found.
        image: RGB, 8 bit, upright, at working size.
        width, height: of the file, in upright pixels, before any reduction.
    """

    path: Path
    image: Image.Image
    width: int
    height: int


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


def open_rgb(path: Path, *, max_side: int, max_megapixels: float = config.MAX_MEGAPIXELS) -> Photo:
    """Open a photo as upright 8-bit RGB at working size.

    The first frame of an animation; transparency over white; 16-bit samples to 8 bit; float
    samples read as [0, 1], or as [0, 255] or [0, 65535] where they exceed that; grey, palette and
    CMYK converted. Colour profiles are not applied, as in the published method.

    Args:
        path: a regular file of one of `FORMATS`, judged by content.
        max_side: longest side in pixels of the result; 0 keeps every pixel.
        max_megapixels: refuse, from the header alone, a photo of more.

    Returns:
        The photo; `image` has shape (H, W) with max(H, W) <= max_side.

    Raises:
        Unreadable: whatever is wrong with this one file.
    """
    try:
        with _open_regular(path) as file, _identify(file, path) as image:
            return _decode(image, path, max_side, max_megapixels)
    except Unreadable:
        raise
    except Exception as error:  # decoders of hostile bytes raise anything; it is one row
        raise Unreadable(path, _reason(error)) from error


def _open_regular(path: Path) -> IO[bytes]:
    """Open without ever blocking on a pipe that took the file's name."""
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise Unreadable(path, _irregular(mode))
    return os.fdopen(descriptor, "rb")


def _identify(file: IO[bytes], path: Path) -> Image.Image:
    """Read the header; `open_rgb` checks its size itself, so Pillow's fixed limit steps aside."""
    if os.fstat(file.fileno()).st_size == 0:
        raise Unreadable(path, "the file is empty")
    if path.suffix.lower() in _HEIF_EXTENSIONS:
        _register_heif(path)
    with _PILLOW_LIMIT_LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=_known_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _register_heif(path: Path) -> None:
    try:
        import pillow_heif  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Unreadable(
            path, "HEIC needs the extra package: pip install 'contrique[heif]'"
        ) from error
    pillow_heif.register_heif_opener()


def _decode(image: Image.Image, path: Path, max_side: int, max_megapixels: float) -> Photo:
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise Unreadable(
            path,
            f"{width}x{height} is {width * height / 1e6:.0f} megapixels, over the limit of "
            f"{max_megapixels:g} (see --max-megapixels)",
        )
    size = working_size(width, height, max_side)
    if min(size) < MIN_SIDE:
        raise Unreadable(
            path,
            f"too small to judge: {width}x{height} gives {size[0]}x{size[1]} at working size, "
            f"the shortest side must have {MIN_SIDE} pixels",
        )
    orientation = image.getexif().get(0x0112, 1)
    margin = (round(size[0] * DRAFT_MARGIN), round(size[1] * DRAFT_MARGIN))
    image.draft("RGB", margin)  # JPEG only; never smaller than `margin`
    rgb = _to_rgb(image)
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    if orientation in range(5, 9):
        width, height = height, width
    return Photo(path=path, image=_upright(rgb, orientation), width=width, height=height)


def working_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Size in pixels after reduction to `max_side` on the long side (0: none); never enlarged."""
    longest = max(width, height)
    if max_side == 0 or longest <= max_side:
        return width, height
    return (
        max(1, round(width * max_side / longest)),
        max(1, round(height * max_side / longest)),
    )


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 0x0112) to the operation that turns the picture upright."""


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    operation = _TRANSPOSE.get(orientation)
    return image if operation is None else image.transpose(operation)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bit(np.asarray(image)), "L").convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgba.load()
        canvas = Image.new("RGB", image.size, _WHITE)
        canvas.paste(rgba, mask=rgba.getchannel("A"))
        return canvas
    return image.convert("RGB")


def _to_8_bit(samples: np.ndarray) -> np.ndarray:
    """Deep samples, shape (H, W), to uint8: 16-bit integers by 257, floats by their range."""
    values = samples.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the samples hold values that are not finite")
    if samples.dtype.kind != "f":
        full = 65535.0
    else:
        full = next((top for top in (1.0, 255.0, 65535.0) if values.max() <= top), values.max())
    return np.rint(np.clip(values / full, 0.0, 1.0) * 255.0).astype(np.uint8)


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
