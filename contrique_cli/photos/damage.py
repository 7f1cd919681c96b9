"""Damage that decoders paint over: a photo that is half there gets a score, and a note.

Told from the bytes, by what no encoder writes, and from the picture, by what no lens sees. A note
says what is sure; a sound photo gets none.
"""

from __future__ import annotations

import numpy as np

from contrique_cli.photos import jpeg, png

PAD = 64
"""Bytes before the end of a JPEG that need not be picture: encoders pad."""

RUN = 4096
"""Zero bytes of uncompressed samples, from sector to sector of the disk, that are no black."""

_SECTOR = 512
_WEBP_RUN = bytes(256)
_GREY = 128
_LEAST_ROWS = 4
_LEAST_SHARE = 0.02
"""Of the height: smaller bands are not told."""

_ABRUPT = 12
"""Levels by which the row before a missing part differs from it in the median."""

_FORMATS_OF_SAMPLES = ("TIFF", "BMP", "PPM")


def find(kind: str | None, data: bytes | None, layout: jpeg.Layout | None, fed: int) -> str | None:
    """What the bytes tell.

    Args:
        kind: the file's format as Pillow names it.
        data: the file.
        layout: of a JPEG.
        fed: bytes of a JPEG that its decoder took.

    Returns:
        A note; None where nothing is wrong.
    """
    if data is None:
        return None
    if layout is not None:
        return _of_jpeg(data, layout, fed)
    if kind == "PNG":
        bad = [chunk for chunk in png.chunks(data) if chunk.kind == b"IDAT" and not chunk.is_sound]
        return "damaged: a checksum of the picture does not hold" if bad else None
    if kind == "WEBP":
        is_empty = _webp_has_zeros(data)
        return "damaged: parts of the file are empty" if is_empty else None
    if kind in _FORMATS_OF_SAMPLES and _has_empty_sectors(data):
        return "damaged: parts of the file are empty"
    return None


def see(pixels: np.ndarray) -> str | None:
    """What the picture tells.

    Args:
        pixels: uint8 RGB as stored, not yet turned, shape (H, W, 3).

    Returns:
        A note; None where nothing is wrong.
    """
    rows = len(pixels)
    last = pixels[-1]
    if not (last == last[0]).all():
        return None
    is_missing = (pixels == last[0]).all(axis=(1, 2))
    count = rows if is_missing.all() else int(np.argmin(is_missing[::-1]))
    if count == rows or count < max(_LEAST_ROWS, _LEAST_SHARE * rows):
        return None
    if not _is_filled(last[0]) and not _is_abrupt(pixels, rows - count):
        return None
    return f"damaged: the last {max(1, round(100 * count / rows))} % of the picture are missing"


def _of_jpeg(data: bytes, layout: jpeg.Layout, fed: int) -> str | None:
    for scan in layout.scans:
        if not scan.may_be_zeros and data.find(jpeg.ZEROS, scan.start, scan.end) >= 0:
            return "damaged: parts of the file are empty"
    if layout.strays:
        return "damaged: parts of the file are garbled"
    if not layout.is_progressive and layout.is_ended and fed < layout.end - PAD:
        rest = data[fed : layout.end].strip(b"\0\xff")
        if len(rest) > PAD:
            return "damaged: parts of the file are garbled"
    return None


def _webp_has_zeros(data: bytes) -> bool:
    at = data.find(b"VP8", 12)
    return at >= 0 and data.find(_WEBP_RUN, at, len(data)) >= 0


def _has_empty_sectors(data: bytes) -> bool:
    """Whether zeros begin and end where sectors of a disk do, which black in a picture does not."""
    at = 0
    while (at := data.find(bytes(RUN), at)) >= 0:
        end = at + RUN
        codes = np.frombuffer(data, np.uint8, offset=end)
        rest = np.flatnonzero(codes[: 1 << 20])
        end += int(rest[0]) if len(rest) else min(len(codes), 1 << 20)
        if at % _SECTOR == 0 and end % _SECTOR == 0 and end < len(data):
            return True
        at = end
    return False


def _is_filled(colour: np.ndarray) -> bool:
    """Whether it is the grey that libjpeg puts where it has no samples."""
    return bool((abs(colour.astype(int) - _GREY) <= 1).all())


def _is_abrupt(pixels: np.ndarray, start: int) -> bool:
    """Whether the picture breaks off at a row, instead of fading or ending in a frame."""
    colour = pixels[-1, 0].astype(int)
    if (pixels[0] == pixels[-1, 0]).all() or colour.min() > 250:  # noqa: PLR2004 - a frame; a white page
        return False
    before = pixels[max(0, start - 10) : max(0, start - 2)].astype(int)
    return len(before) > 0 and float(np.median(abs(before - colour).max(axis=2))) > _ABRUPT
