"""Samples of any kind as 8-bit RGB: grey, palette, CMYK, transparent, 16-bit and float pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

_WHITE = (255, 255, 255)


def convert(image: Image.Image) -> Image.Image:
    """8-bit RGB of any picture; transparency over white.

    Raises:
        ValueError: float samples that are not finite.
    """
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
