"""A camera's RAW file: its sizes, its embedded preview, and its sensor data made a picture.

LibRaw reads it, through rawpy. What a header promises is checked before anything is unpacked, but
LibRaw is C++ in this process: a file made to exploit a fault in it can crash the run, which no
`except` stops. Who scores strangers' RAW files does so in a sandbox, with a current rawpy.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from contrique_cli.errors import Refused
from contrique_cli.photos import exif, kinds

EXTENSIONS = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf "
    ".pef .raf .rw2 .rwl .sr2 .srf .srw .x3f".split()
)
"""Lower-case suffixes of RAW files."""

MAX_BYTES = 1 << 30
"""Larger files are refused: LibRaw gets the whole file in memory, and no camera writes such."""

_ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}
"""LibRaw's flip to EXIF orientation."""


class RawFile:
    """An open RAW file.

    Attributes:
        width, height: of the developed picture, in upright pixels.
        stored: width and height of the sensor data, which can exceed those of the picture in it.
        orientation: EXIF orientation that turns the sensor's rows upright: 1, 3, 6 or 8.
        taken: by the camera's clock, to the second; None where the file does not say.
        stops: see `exif.Exposure`.
    """

    def __init__(self, libraw: Any) -> None:
        self._libraw = libraw
        sizes = libraw.sizes
        self.orientation = _ORIENTATIONS.get(sizes.flip, 1)
        sides = sizes.width, sizes.height
        self.width, self.height = sides[::-1] if self.orientation in (6, 8) else sides
        self.stored: tuple[int, int] = (sizes.raw_width, sizes.raw_height)
        self.taken = _taken(libraw)
        self.stops = _stops(libraw)

    def preview(self) -> bytes | np.ndarray | None:
        """The largest embedded preview.

        Returns:
            A JPEG file, not checked in any way; or RGB samples, shape (H, W, 3), uint8, in the
            sensor's orientation; None where there is none that can be read.
        """
        try:
            data = self._libraw.extract_thumb().data
        except Exception:  # noqa: BLE001 - LibRaw's many errors here all mean: no preview
            return None
        return data if isinstance(data, bytes) else _as_rgb(data)

    def develop(self, *, is_half: bool) -> np.ndarray:
        """The sensor data as a picture, upright.

        White balance as the camera set it, sRGB, and the sensor's own exposure: without LibRaw's
        automatic brightening, which would hide underexposure and depends on the motif. It comes
        out darker than most cameras' own JPEG.

        Args:
            is_half: join each 2x2 cell of the colour filter into one pixel instead of guessing
                the colours between; several times as fast.

        Returns:
            RGB, shape (H, W, 3) or about half of that, uint8.

        Raises:
            Refused: the sensor data is damaged or of a kind that LibRaw does not know.
        """
        try:
            pixels = self._libraw.postprocess(
                half_size=is_half, use_camera_wb=True, no_auto_bright=True, output_bps=8
            )
        except Exception as error:
            raise Refused(_reason(error)) from error
        developed = _as_rgb(pixels)
        if developed is None:
            raise Refused("damaged: LibRaw made no colour picture of it")
        return developed


def is_raw(head: bytes, path: Path) -> bool:
    """Whether LibRaw is to read it: by its first bytes, or by suffix, since many look like TIFF.

    An ordinary picture under such a suffix is none.
    """
    return kinds.is_raw(head) or (path.suffix.lower() in EXTENSIONS and not kinds.is_ordinary(head))


@contextmanager
def opened(file: BinaryIO) -> Iterator[RawFile]:
    """Read the headers of a RAW file; nothing of its pictures yet.

    Args:
        file: at its start. On purpose not its name, which LibRaw could not take
            where it is not UTF-8.

    Raises:
        Refused: rawpy is missing, or the file is nothing that LibRaw knows.
    """
    try:
        import rawpy  # noqa: PLC0415 - the optional extra, needed by such files only
    except ImportError as error:
        raise Refused("RAW needs the extra package: pip install 'contrique[raw]'") from error
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > MAX_BYTES:
        raise Refused(f"a RAW file of {size / 1e9:.1f} GB is over the limit of 1 GB")
    with ExitStack() as stack:
        try:
            libraw = rawpy.imread(file)
            stack.callback(libraw.close)
            raw = RawFile(libraw)
        except Exception as error:
            raise Refused(_reason(error)) from error
        yield raw


def _as_rgb(pixels: np.ndarray) -> np.ndarray | None:
    """Samples of our own, no longer LibRaw's memory; grey ones threefold, other kinds None."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        return None
    if pixels.ndim == 2 or pixels.shape[2] == 1:  # noqa: PLR2004 - rows and columns
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return pixels.copy() if pixels.shape[2] == 3 else None  # noqa: PLR2004 - red, green, blue


def _taken(libraw: Any) -> datetime | None:
    try:
        moment: datetime = libraw.other.timestamp
    except (AttributeError, OverflowError, OSError, ValueError):
        return None
    return None if moment.year <= 1970 else moment  # noqa: PLR2004 - 0 where unknown


def _stops(libraw: Any) -> float | None:
    try:
        known = libraw.other
        values = (float(known.shutter_speed), float(known.aperture), float(known.iso_speed))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None
    light = (value if math.isfinite(value) and value > 0 else None for value in values)
    return exif.measure_stops(*light)


def _reason(error: Exception) -> str:
    """LibRaw's complaint, which comes as the text of a bytes literal."""
    words = str(error).removeprefix("b'").removesuffix("'")
    if "nsupported file format" in words:
        return "not a RAW file that LibRaw knows, or damaged"
    return f"damaged: LibRaw says {words.lower() or type(error).__name__}"
