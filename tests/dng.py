"""A minimal RAW file: an uncompressed Bayer DNG, with or without an embedded preview."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
WHITE = 4095
_FORMAT = {BYTE: "B", SHORT: "H", LONG: "I"}

Tag = tuple[int, int, list[float] | bytes]


def _bytes(kind: int, values: list[float] | bytes) -> tuple[int, bytes]:
    """Count and little-endian bytes of a tag's values."""
    if isinstance(values, bytes):
        return len(values), values
    if kind in (RATIONAL, SRATIONAL):
        pairs = [part for value in values for part in (round(value * 10000), 10000)]
        return len(values), struct.pack(f"<{len(pairs)}{'I' if kind == RATIONAL else 'i'}", *pairs)
    return len(values), struct.pack(f"<{len(values)}{_FORMAT[kind]}", *map(int, values))


def _folder(tags: list[Tag], at: int) -> bytes:
    """A TIFF image file directory that lies at this offset, its long values behind it."""
    entries, heap = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for number, kind, values in sorted(tags, key=lambda tag: tag[0]):
        count, data = _bytes(kind, values)
        if len(data) > 4:
            value = struct.pack("<I", start + len(heap))
            heap += data + b"\0" * (len(data) % 2)
        else:
            value = data.ljust(4, b"\0")
        entries += struct.pack("<HHI", number, kind, count) + value
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + heap


def mosaic(image: Image.Image) -> np.ndarray:
    """What a sensor behind an RGGB filter sees of a picture: linear, 12 bit, shape (H, W)."""
    linear = (np.asarray(image, float) / 255) ** 2.2 * WHITE
    samples = np.empty(linear.shape[:2], np.uint16)
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        samples[row::2, column::2] = linear[row::2, column::2, channel]
    return samples


def save_dng(
    path: Path,
    image: Image.Image,
    *,
    preview: Image.Image | bytes | None = None,
    orientation: int = 1,
    taken: str = "2024:05:06 07:08:09",
    promised: tuple[int, int] | None = None,
    exposure: Sequence[Tag] = (),
) -> None:
    """Write a DNG whose sensor saw `image`.

    Args:
        preview: an embedded JPEG, or bytes in its place.
        orientation: EXIF orientation of sensor and preview.
        taken: EXIF DateTimeOriginal.
        exposure: further EXIF tags.
        promised: width and height that the header tells instead of the true ones.
    """
    width, height = promised or image.size
    samples = mosaic(image).tobytes()
    jpeg, preview_size = b"", (0, 0)
    if isinstance(preview, Image.Image):
        file = io.BytesIO()
        preview.save(file, "JPEG", quality=92)
        jpeg, preview_size = file.getvalue(), preview.size
    elif preview is not None:
        jpeg, preview_size = preview, image.size
    jpeg += b"\0" * (len(jpeg) % 2)
    at_samples = 8
    at_jpeg = at_samples + len(samples)
    at_exif = at_jpeg + len(jpeg)
    exif = _folder([(0x9003, ASCII, taken.encode() + b"\0"), *exposure], at_exif)
    at_raw = at_exif + len(exif)
    about: list[Tag] = [
        (0x010F, ASCII, b"Contrique\0"),
        (0x0110, ASCII, b"Test camera\0"),
        (0x0112, SHORT, [orientation]),
        (0x8769, LONG, [at_exif]),
        (0xC612, BYTE, [1, 4, 0, 0]),
        (0xC614, ASCII, b"Contrique test camera\0"),
        (
            0xC621,
            SRATIONAL,
            [3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.204, 1.057],
        ),
        (0xC628, RATIONAL, [1, 1, 1]),
        (0xC65A, SHORT, [21]),
    ]
    raw: list[Tag] = [
        (0x00FE, LONG, [0]),
        (0x0100, LONG, [width]),
        (0x0101, LONG, [height]),
        (0x0102, SHORT, [16]),
        (0x0103, SHORT, [1]),
        (0x0106, SHORT, [32803]),
        (0x0111, LONG, [at_samples]),
        (0x0115, SHORT, [1]),
        (0x0116, LONG, [height]),
        (0x0117, LONG, [len(samples)]),
        (0x011C, SHORT, [1]),
        (0x828D, SHORT, [2, 2]),
        (0x828E, BYTE, [0, 1, 1, 2]),
        (0xC61D, LONG, [WHITE]),
    ]
    if not jpeg:
        body, first = _folder(raw + about, at_raw), at_raw
    else:
        inner = _folder(raw, at_raw)
        first = at_raw + len(inner)
        small: list[Tag] = [
            (0x00FE, LONG, [1]),
            (0x0100, LONG, [preview_size[0]]),
            (0x0101, LONG, [preview_size[1]]),
            (0x0102, SHORT, [8, 8, 8]),
            (0x0103, SHORT, [7]),
            (0x0106, SHORT, [6]),
            (0x0111, LONG, [at_jpeg]),
            (0x0115, SHORT, [3]),
            (0x0116, LONG, [preview_size[1]]),
            (0x0117, LONG, [len(jpeg)]),
            (0x014A, LONG, [at_raw]),
        ]
        body = inner + _folder(small + about, first)
    path.write_bytes(b"II*\0" + struct.pack("<I", first) + samples + jpeg + exif + body)
