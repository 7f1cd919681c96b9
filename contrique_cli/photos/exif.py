"""What a photo says of itself: which side is up, when it was taken, and how it was exposed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from PIL import Image

ORIENTATION = 0x0112
UPRIGHT = 1

_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_SUBSECOND_ORIGINAL = 0x9291
_EXPOSURE_TIME = 0x829A
_F_NUMBER = 0x829D
_ISO_SPEED = 0x8827
_EXPOSURE_BIAS = 0x9204
_SUBJECT_DISTANCE = 0x9206
_MAKER_NOTE = 0x927C
_EXPOSURE_MODE = 0xA402
_AUTO_BRACKET = 2  # of ExposureMode
_FUJIFILM_BRACKETING = 0x1100  # 1 is on; of the maker's notes that Pillow reads
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


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How a photo was exposed, as far as its file says.

    Attributes:
        is_bracketed: whether the camera says that the photo is one of a bracket.
        bias: correction set by the photographer or the bracket, in stops; None where unknown.
        stops: light that the sensor got at this aperture, time and sensitivity, in stops; only
            differences mean something. None where the time is unknown.
        distance: that the lens was focused at, in metres; None where unknown.
    """

    is_bracketed: bool = False
    bias: float | None = None
    stops: float | None = None
    distance: float | None = None


UNKNOWN = Exposure()
"""The exposure of a photo whose file says nothing."""


def read_exposure(image: Image.Image) -> Exposure:
    """How the photo was exposed; nothing is known of it where its tags are broken.

    Source: Exif 2.32, section 4.6.5 (ExposureMode 2 is an auto bracket). Of makers' own notes
    Pillow reads those of Fujifilm.
    """
    return _exposure(image.getexif)


def read_raw_exposure(file: BinaryIO) -> Exposure:
    """How a RAW file was exposed, where it is built as a TIFF: DNG, NEF, CR2, ARW, PEF ..."""

    def load() -> Image.Exif:
        file.seek(0)
        exif = Image.Exif()
        exif.load_from_fp(file)
        return exif

    return _exposure(load)


def measure_stops(time: float | None, aperture: float | None, speed: float | None) -> float | None:
    """See `Exposure.stops`.

    Args:
        time: in seconds.
        aperture: F number; None where unknown, as in the two below.
        speed: ISO sensitivity.
    """
    return (
        math.log2(time) + math.log2(speed or 100) - 2 * math.log2(aperture or 1) if time else None
    )


def _exposure(load: Callable[[], Image.Exif]) -> Exposure:
    try:
        exif = load()
        tags = exif.get_ifd(_EXIF_IFD)
        notes = exif.get_ifd(_MAKER_NOTE) if _MAKER_NOTE in tags else {}
    except Exception:  # noqa: BLE001 - Pillow raises anything on a broken tag, which says nothing
        return UNKNOWN
    light = (_number(tags.get(tag)) for tag in (_EXPOSURE_TIME, _F_NUMBER, _ISO_SPEED))
    return Exposure(
        is_bracketed=tags.get(_EXPOSURE_MODE) == _AUTO_BRACKET
        or notes.get(_FUJIFILM_BRACKETING) == 1,
        bias=_number(tags.get(_EXPOSURE_BIAS), is_positive=False),
        stops=measure_stops(*light),
        distance=_number(tags.get(_SUBJECT_DISTANCE)),
    )


def _number(value: Any, *, is_positive: bool = True) -> float | None:
    """A tag's number, the first of several; None for what is none, or not above 0."""
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, ZeroDivisionError, IndexError, OverflowError):
        return None
    return number if math.isfinite(number) and (number > 0 or not is_positive) else None
