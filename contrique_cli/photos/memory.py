"""The memory that photos may take while they are decoded: each waits until there is room."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from contrique_cli.errors import Refused

_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
"""Bytes of a pixel in Pillow's memory; 4 in every other mode."""

_BESIDE = {"WEBP": 20.0, "AVIF": 16.0, "HEIF": 12.0, "JPEG2000": 20.0, "JXL": 16.0, "TIFF": 4.0}
"""Bytes per pixel that decoders of a format take beside the picture, at most."""

_COEFFICIENTS = 6.0
"""Bytes per pixel, before any reduction, of a JPEG that is built up by several scans."""

_DEVELOPED = 20.0
"""Bytes per pixel of a sensor while LibRaw develops its data."""

_CONVERTED = 64e6
"""Bytes of a band in all its forms while it becomes RGB; see `rgb.BAND`."""


def needed(image: Image.Image, size: tuple[int, int], *, is_built_up: bool) -> float:
    """Bytes that decoding a picture takes at most.

    Args:
        image: identified, not loaded; at reduced size where its decoder reduces.
        size: width and height that its file has.
        is_built_up: a JPEG whose every coefficient stays in memory.
    """
    pixels = image.width * image.height
    beside = _BESIDE.get(image.format or "", 0.0)
    built = _COEFFICIENTS * size[0] * size[1] if is_built_up and image.format == "JPEG" else 0.0
    return pixels * (_BYTES.get(image.mode, 4) + beside) + built + min(_CONVERTED, 16.0 * pixels)


def needed_raw(stored: tuple[int, int]) -> float:
    """Bytes that developing sensor data of this size takes at most."""
    return _DEVELOPED * stored[0] * stored[1]


class Room:
    """Memory shared by all workers; a photo that needs more than is left waits for the others.

    Args:
        shared: bytes that photos under way may take together.
        most: bytes that one may take, while no other is under way.
    """

    def __init__(self, shared: float, most: float) -> None:
        self._shared = shared
        self.most = most
        self._changed = threading.Condition()
        self._held: dict[int, float] = {}  # bytes, by thread
        self._since: dict[int, float] = {}

    @contextmanager
    def take(self, needed: float) -> Iterator[None]:
        """Hold so many bytes during the block, once they are free.

        Raises:
            Refused: not even the whole room has so many.
        """
        if needed > self.most:
            raise Refused(
                f"decoding it takes some {needed / 1e9:.1f} GB of memory, and "
                f"{self.most / 1e9:.1f} GB are left: convert it to a smaller picture"
            )
        thread = threading.get_ident()
        with self._changed:
            self._since[thread] = float("inf")
            self._changed.wait_for(
                lambda: not self._held or sum(self._held.values()) + needed <= self._shared
            )
            self._held[thread] = needed
            self._since[thread] = time.monotonic()
        try:
            yield
        finally:
            self.give_back(thread)

    def give_back(self, thread: int | None) -> None:
        """Free what a thread holds."""
        with self._changed:
            self._held.pop(thread or 0, None)
            self._since.pop(thread or 0, None)
            self._changed.notify_all()

    def since(self, thread: int | None) -> float:
        """When a thread got its room, by the monotonic clock; never while it waits, 0 without."""
        with self._changed:
            return self._since.get(thread or 0, 0.0)
