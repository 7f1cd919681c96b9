"""What a photo says of itself: which side is up, and when it was taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
UPRIGHT = 1

_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_SUBSECOND_ORIGINAL = 0x9291
_DATE_TIME_FORMAT = "%Y:%m:%d %H:%M:%S"
_DATE_TIME_LENGTH = len("2000:01:01 00:00:00")

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to the operation that turns the picture upright."""


def read_orientation(image: Image.Image) -> int | None:
    """EXIF orientation, 1 to 8; None where the file does not say, or says nothing sensible."""
    try:
        value = image.getexif().get(ORIENTATION)
    except Exception:  # noqa: BLE001 - Pillow raises anything on a broken block, which says nothing
        return None
    return value if isinstance(value, int) and value in range(UPRIGHT, 9) else None


def is_turned(orientation: int) -> bool:
    """Whether turning it upright swaps width and height."""
    return orientation in range(5, 9)


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as seen; an orientation that does not exist turns nothing."""
    operation = _TRANSPOSE.get(orientation)
    return image if operation is None else image.transpose(operation)


def read_taken(image: Image.Image) -> datetime | None:
    """When the shutter opened, by the camera's own clock, to the fraction it wrote.

    On purpose without the time zone that newer cameras write beside it: LibRaw does not tell it
    and editors drop it, so the copies of one photo would lie hours apart.

    Returns:
        None where the file does not say, or what it says is no time.
    """
    try:
        tags = image.getexif().get_ifd(_EXIF_IFD)
        return _moment(tags.get(_DATE_TIME_ORIGINAL), tags.get(_SUBSECOND_ORIGINAL))
    except Exception:  # noqa: BLE001 - Pillow raises anything on a broken tag, which says no time
        return None


def _moment(text: Any, fraction: Any) -> datetime | None:
    try:
        moment = datetime.strptime(str(text)[:_DATE_TIME_LENGTH], _DATE_TIME_FORMAT)  # noqa: DTZ007 - see `read_taken`
    except ValueError:
        return None
    digits = str(fraction or "").split("\0")[0].strip()
    if digits.isascii() and digits.isdigit():
        moment += timedelta(seconds=float(f"0.{digits}"))
    return moment
