"""Samples of any kind as 8-bit RGB: grey, palette, CMYK, transparent, 16-bit and float pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

BAND = 1 << 22
"""Pixels converted at once, so that no second copy of a huge picture is made."""

_WHITE = (255, 255, 255)


def reduce(image: Image.Image, size: tuple[int, int], *, is_negative: bool = False) -> Image.Image:
    """8-bit RGB of any picture at a smaller size, or at its own; transparency over white.

    Band by band: each is converted and narrowed, and all are then lowered. Pillow resizes in this
    order, too, rounding in between, so every pixel is what converting and resizing at once gives.

    Args:
        image: any picture that Pillow opens.
        size: width and height of the result.
        is_negative: deep grey samples count from white.

    Raises:
        ValueError: float samples that are not finite.
    """
    image.load()
    full = _full_scale(image) if _is_deep(image) else 0.0
    if image.width * image.height <= BAND:
        pixels = _to_rgb(image, full, is_negative=is_negative)
        return pixels if pixels.size == size else pixels.resize(size, Image.Resampling.LANCZOS)
    wide = Image.new("RGB", (size[0], image.height))
    for top, band in _bands(image):
        pixels = _to_rgb(band, full, is_negative=is_negative)
        if size[0] != image.width:
            pixels = pixels.resize((size[0], band.height), Image.Resampling.LANCZOS)
        wide.paste(pixels, (0, top))
    return wide if wide.size == size else wide.resize(size, Image.Resampling.LANCZOS)


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


def _is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _to_rgb(image: Image.Image, full: float, *, is_negative: bool) -> Image.Image:
    if full:
        levels = _to_8_bit(np.asarray(image), full)
        return Image.fromarray(255 - levels if is_negative else levels).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, _WHITE)
        canvas.paste(rgba, mask=rgba.getchannel("A"))
        return canvas
    return image.convert("RGB")


def _full_scale(image: Image.Image) -> float:
    """What counts as full brightness in a picture of deep samples.

    16 bit for integers; floats by their range.

    Raises:
        ValueError: float samples that are not finite.
    """
    if image.mode != "F":
        return 65535.0
    most = 0.0
    for _, band in _bands(image):
        samples = np.asarray(band)
        if not np.isfinite(samples).all():
            raise ValueError("the samples hold values that are not finite")
        most = max(most, float(samples.max()))
    return next((top for top in (1.0, 255.0, 65535.0) if most <= top), most)


def _to_8_bit(samples: np.ndarray, full: float) -> np.ndarray:
    """Deep samples, shape (H, W), to uint8."""
    values = samples / np.float64(full)
    levels: np.ndarray = np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
    return levels
