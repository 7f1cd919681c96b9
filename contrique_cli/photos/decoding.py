"""A file whose decoder is known, to a photo: upright RGB at working size."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from contrique_cli.photos import (
    bounds,
    damage,
    decoders,
    exif,
    jpeg,
    kinds,
    memory,
    raw,
    rgb,
    tiff,
)
from contrique_cli.photos.bounds import Bounds
from contrique_cli.photos.content import Content
from contrique_cli.photos.exif import Exposure
from contrique_cli.photos.raw import RawFile

DRAFT_MARGIN = 1.5
"""JPEG may be decoded at 1/2, 1/4 or 1/8 size while this many times the working size remain, so
that the antialiasing filter, not the decoder, decides the result."""

PHOTO, PREVIEW, RAW = "photo", "preview", "raw"
"""What was decoded: an ordinary file, a RAW file's embedded preview, or its sensor data."""

PREVIEW_SHARE = 0.9
"""A preview this large beside the whole picture lacks its borders only, so it counts as whole."""

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


def decode_file(image: Image.Image, whole: Content, path: Path, limits: Bounds) -> Photo:
    """Pixels of an identified file, and what is wrong with it."""
    limits.check_pixels(*image.size)
    layout, feed = None, None
    if image.format in _DRAFTED and whole.data is not None:
        layout = jpeg.parse(whole.data)
        feed = jpeg.Feed(whole.data, layout.end)
        setattr(image, "fp", feed)  # noqa: B010 - pictures from files have it
    planes = tiff.read_planes(image, whole.file)
    if planes is not None:
        photo = decode_picture(planes, path, limits, exif.read_orientation(image) or exif.UPRIGHT)
        taken, exposure = exif.read_taken(image), exif.read_exposure(image)
        return replace(photo, taken=taken, exposure=exposure)
    is_built_up = layout is None or layout.is_progressive
    photo = decode_picture(image, path, limits, is_built_up=is_built_up)
    fed = feed.tell() if feed else 0
    note = damage.find(image.format, whole.data, layout, fed) or photo.note
    return replace(photo, note=note)


def decode_picture(
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


def decode_raw(file: BinaryIO, path: Path, limits: Bounds) -> Photo:
    """The embedded preview of a RAW file where that is large enough, else its sensor data."""
    file.seek(0)
    with raw.opened(file) as opened:
        photo = _decode_opened(opened, path, limits)
        stops = opened.stops
    exposure = exif.read_raw_exposure(file)
    if exposure == exif.UNKNOWN:
        exposure = photo.exposure
    if exposure.stops is None:
        exposure = replace(exposure, stops=stops)
    return replace(photo, exposure=exposure)


def _decode_opened(file: RawFile, path: Path, limits: Bounds) -> Photo:
    limits.check_pixels(file.width, file.height)
    limits.check_pixels(*file.stored)
    longest = max(bounds.working_size(file.width, file.height, limits.max_side))
    photo = _decode_preview(file, path, limits, longest)
    if photo is None:
        is_half = max(file.width, file.height) // 2 >= longest
        with limits.take(memory.needed_raw(file.stored)):
            developed = Image.fromarray(file.develop(is_half=is_half))
        photo = replace(decode_picture(developed, path, limits, exif.UPRIGHT), source=RAW)
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
            image = decoders.identify(Content(io.BytesIO(preview), preview), preview[: kinds.HEAD])
        else:
            return None
        if max(image.size) < min(longest, PREVIEW_SHARE * max(file.width, file.height)):
            return None
        photo = decode_picture(image, path, limits, _preview_orientation(image, file))
    except Exception:  # noqa: BLE001 - a hostile or damaged preview: the sensor data remains
        return None
    return replace(photo, source=PREVIEW)


def _preview_orientation(image: Image.Image, file: RawFile) -> int:
    """The preview's own, else the RAW file's, else none: some writers turn it, some tag it wrongly.

    The first that makes it stand or lie as the whole picture does.
    """
    is_tall, has_to_be_tall = image.height > image.width, file.height > file.width
    for orientation in (exif.read_orientation(image), file.orientation, exif.UPRIGHT):
        if orientation is not None and exif.is_turned(orientation) == (is_tall != has_to_be_tall):
            return orientation
    return file.orientation
