"""Photos as cards, cables and disks break them, in every format and kind of damage."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "baseline": ("JPEG", {"quality": 90}),
    "restarts": ("JPEG", {"quality": 90, "restart_marker_rows": 1}),
    "optimized": ("JPEG", {"quality": 85, "optimize": True}),
    "progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "lossless": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
}


def encode(photo: Image.Image, name: str) -> bytes:
    """The bytes of a photo in one of `FORMATS`."""
    kind, options = FORMATS[name]
    file = io.BytesIO()
    photo.save(file, kind, **options)
    return file.getvalue()


def cut_tail(data: bytes, rng: np.random.Generator) -> bytes:
    """The copy broke off."""
    return data[: int(len(data) * rng.uniform(0.4, 0.95))]


def zero_tail(data: bytes, rng: np.random.Generator) -> bytes:
    """The size was set before the bytes came."""
    start = int(len(data) * rng.uniform(0.4, 0.95)) // 512 * 512
    return data[:start] + bytes(len(data) - start)


def end_early(data: bytes, rng: np.random.Generator) -> bytes:
    """A repair tool closed a JPEG that broke off, which leaves its lower part grey."""
    return cut_tail(data, rng) + b"\xff\xd9"


def _block(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    size = min(int(rng.choice([4096, 8192, 16384, 32768, 65536])), len(data) // 3 // 512 * 512)
    start = int(rng.integers(len(data) // 5, max(len(data) - size - 1024, len(data) // 5 + 1)))
    return start // 512 * 512, max(512, size)


def zero_block(data: bytes, rng: np.random.Generator) -> bytes:
    """A block was never written."""
    start, size = _block(data, rng)
    return data[:start] + bytes(size) + data[start + size :]


def lose_block(data: bytes, rng: np.random.Generator) -> bytes:
    """A block is missing, and what follows has moved up."""
    start, size = _block(data, rng)
    return data[:start] + data[start + size :]


def repeat_block(data: bytes, rng: np.random.Generator) -> bytes:
    """A block stands where another belongs."""
    start, size = _block(data, rng)
    other = max(1024, start - size - 4096)
    return data[:start] + data[other : other + size] + data[start + size :]


def noise_block(data: bytes, rng: np.random.Generator) -> bytes:
    """A block holds other bytes."""
    start, size = _block(data, rng)
    return data[:start] + rng.bytes(size) + data[start + size :]


DAMAGES: list[Callable[[bytes, np.random.Generator], bytes]] = [
    *(cut_tail, zero_tail, end_early, zero_block, lose_block, repeat_block, noise_block),
]


def grey_part(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The lower part is one grey: another program saved what its decoder had filled in."""
    pixels = np.asarray(photo).copy()
    pixels[int(len(pixels) * rng.uniform(0.4, 0.9)) :] = 128
    return Image.fromarray(pixels)


def shift_band(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rows from one on stand aside: another program saved them so."""
    pixels = np.asarray(photo).copy()
    start = int(len(pixels) * rng.uniform(0.3, 0.8)) // 8 * 8
    aside = int(pixels.shape[1] * rng.uniform(0.1, 0.9))
    pixels[start:] = np.roll(pixels[start:], aside, axis=1)
    return Image.fromarray(pixels)


def zero_band(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rows are black: another program saved them so."""
    pixels = np.asarray(photo).copy()
    start = int(len(pixels) * rng.uniform(0.2, 0.7))
    pixels[start : start + len(pixels) // 6] = 0
    return Image.fromarray(pixels)


REPAINTED = [grey_part, shift_band, zero_band]
