"""Samples of any kind as 8-bit RGB: grey, palette, CMYK, transparent, 16-bit and float pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from PIL import Image

BAND = 1 << 22
"""Pixels converted at once, so that no second copy of a huge picture is made."""

Levels = Callable[[np.ndarray], np.ndarray]
"""Turns samples of any kind into uint8."""

_GREY = "L"
_FULL = 65535
_WIDEST = 32
_WHITE = (255, 255, 255)


def reduce(
    image: Image.Image,
    size: tuple[int, int],
    *,
    is_negative: bool = False,
    depth: int | None = None,
    levels: Levels | None = None,
) -> Image.Image:
    """8-bit RGB of any picture at a smaller size, or at its own; transparency over white.

    Band by band: each is converted and narrowed, and all are then lowered. Pillow resizes in this
    order, too, rounding in between, so every pixel is what converting and resizing at once gives.

    Args:
        image: any picture that Pillow opens.
        size: width and height of the result.
        is_negative: deep grey samples count from white.
        depth: bits of deep grey samples, where the file says so.
        levels: what makes uint8 of the samples, where Pillow has no mode for them.

    Raises:
        ValueError: float samples that are not finite.
    """
    image.load()
    levels = levels or _levels(image, is_negative=is_negative, depth=depth)
    convert = partial(_convert, levels=levels)
    if image.width * image.height <= BAND:
        pixels = convert(image)
        if pixels.size != size:
            pixels = pixels.resize(size, Image.Resampling.LANCZOS)
        return pixels.convert("RGB") if pixels.mode == _GREY else pixels
    wide = None
    for top, band in _bands(image):
        pixels = convert(band)
        if size[0] != image.width:
            pixels = pixels.resize((size[0], band.height), Image.Resampling.LANCZOS)
        wide = wide or Image.new(pixels.mode, (size[0], image.height))
        wide.paste(pixels, (0, top))
    assert wide is not None  # noqa: S101 - no picture is empty
    if wide.size != size:
        wide = wide.resize(size, Image.Resampling.LANCZOS)
    return wide.convert("RGB")


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    rows = max(1, BAND // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, _crop(image, top, min(top + rows, image.height))


def _crop(image: Image.Image, top: int, bottom: int) -> Image.Image:
    band = image.crop((0, top, image.width, bottom))
    band.info = image.info  # a transparent colour is told there
    return band


def _convert(image: Image.Image, levels: Levels | None) -> Image.Image:
    """8 bit, RGB, or grey where nothing else is in it: a third of the work."""
    if levels is not None:
        return Image.fromarray(levels(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, _WHITE)
        canvas.paste(rgba, mask=rgba.getchannel("A"))
        return canvas
    return image.convert(_GREY if image.mode in ("1", _GREY) else "RGB")


def _levels(image: Image.Image, *, is_negative: bool, depth: int | None) -> Levels | None:
    """What makes deep grey samples uint8; None for a picture of 8 bit.

    16 bit for integers, unless the file says otherwise; floats and 32 bit by their range.

    Raises:
        ValueError: float samples that are not finite.
    """
    if image.mode.startswith("I;16"):
        full = min(_FULL, (1 << (depth or 16)) - 1)
        table = _to_8_bit(np.arange(_FULL + 1), full, is_negative=is_negative)
        return lambda samples: table[samples]
    if image.mode not in ("I", "F"):
        return None
    if image.mode == "F":
        return partial(_to_8_bit, full=_range(image), is_negative=is_negative)
    if depth != _WIDEST or _most(image) <= _FULL:
        return partial(_to_8_bit, full=_FULL, is_negative=is_negative)
    whole = partial(_to_8_bit, full=(1 << _WIDEST) - 1, is_negative=is_negative)
    return lambda samples: whole(samples.view(np.uint32))


def _most(image: Image.Image) -> int:
    """The largest of 32-bit samples, which Pillow takes for signed ones."""
    return max(int(np.asarray(band).view(np.uint32).max()) for _, band in _bands(image))


def _range(image: Image.Image) -> float:
    most = 0.0
    for _, band in _bands(image):
        samples = np.asarray(band)
        if not np.isfinite(samples).all():
            raise ValueError("the samples hold values that are not finite")
        most = max(most, float(samples.max()))
    return next((top for top in (1.0, 255.0, float(_FULL)) if most <= top), most)


def _to_8_bit(samples: np.ndarray, full: float, *, is_negative: bool) -> np.ndarray:
    """Deep samples of any shape to uint8."""
    values = np.clip(samples / np.float64(full), 0.0, 1.0)
    levels: np.ndarray = np.rint((1.0 - values if is_negative else values) * 255.0).astype(np.uint8)
    return levels
