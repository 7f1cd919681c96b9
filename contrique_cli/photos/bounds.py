"""How large a photo may be by its header, and how large it is judged: its working size."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from contrique_cli.errors import Refused
from contrique_cli.photos.memory import Room


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits that a photo's header must keep.

    Attributes:
        max_side: working size: longest side in pixels after reduction; 0 keeps every pixel.
        max_megapixels: refuse a photo of more.
        min_side: refuse a photo whose shortest side has fewer pixels at working size.
        room: memory shared by all photos under way; None does not limit it.
    """

    max_side: int
    max_megapixels: float
    min_side: int
    room: Room | None = None

    def check_pixels(self, width: int, height: int) -> None:
        """Refuse a photo of too many pixels.

        Raises:
            Refused: naming both numbers.
        """
        if width * height > self.max_megapixels * 1e6:
            raise Refused(
                f"{width}x{height} is {width * height / 1e6:.0f} megapixels, over the limit of "
                f"{self.max_megapixels:g} (see --max-megapixels)",
            )

    def take(self, needed: float) -> AbstractContextManager[None]:
        """Hold so many bytes of memory during the block; see `Room.take`."""
        return nullcontext() if self.room is None else self.room.take(needed)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Working size, (width, height), of a photo of this size.

        Raises:
            Refused: it is too small, or too thin, to be judged.
        """
        size = working_size(width, height, self.max_side)
        if min(size) < self.min_side:
            raise Refused(
                f"too small to judge: {width}x{height} gives {size[0]}x{size[1]} at working "
                f"size, the shortest side must have {self.min_side} pixels",
            )
        return size


def working_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Size in pixels after reduction to `max_side` on the long side (0: none); never enlarged."""
    longest = max(width, height)
    if max_side == 0 or longest <= max_side:
        return width, height
    return (
        max(1, round(width * max_side / longest)),
        max(1, round(height * max_side / longest)),
    )
