"""Decoded photos, kept in memory and on the device as far as their budgets go."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional

from contrique_cli.errors import BadTrainingData, Unreadable
from contrique_cli.photos import opening
from contrique_cli.photos.pixels import to_tensor
from contrique_cli.words import plural


class PhotoStore:
    """Photos by index; each is decoded once, as long as there is room to keep it.

    Photos that cannot be read or are too small are left out by name, and the next one of the same
    half takes their place, so that the order of all others is the same on every run.

    Attributes:
        skipped: reasons by path of the photos left out so far.
        kept_bytes: decoded photos in main memory.
        device_bytes: decoded photos on the device.
    """

    def __init__(
        self,
        halves: Sequence[Sequence[Path]],
        *,
        region: int,
        least: Sequence[int],
        max_side: int,
        memory_budget: int,
        device: torch.device,
        device_budget: int = 0,
        classes: Sequence[int] | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            halves: paths, in order, by half.
            region: side of the regions that will be cut; smaller photos are mirrored outwards.
            least: usable photos needed, by half.
            max_side: longest side to keep.
            memory_budget: bytes of main memory for decoded photos.
            device: where photos are kept first, unless it is the CPU.
            device_budget: bytes of the device's memory for decoded photos.
            classes: of the first half, where it was distorted beforehand.
        """
        self.halves = halves
        self.region = region
        self.least = least
        self.max_side = max_side
        self.memory_budget = memory_budget
        self.device = device
        self.device_budget = device_budget
        self.classes = classes
        self.skipped: dict[Path, str] = {}
        self.kept_bytes = 0
        self.device_bytes = 0
        self._kept: list[dict[int, torch.Tensor]] = [{} for _ in halves]
        self._bad: list[set[int]] = [set() for _ in halves]
        self._lock = threading.Lock()

    def get(self, half: int, index: int) -> tuple[int, torch.Tensor]:
        """A photo, or the next one of its half that can be used.

        Returns:
            Its index and its pixels: uint8, shape (3, H, W), both sides at least `region`.

        Raises:
            BadTrainingData: fewer photos of this half are usable than are needed.
        """
        while True:
            kept = self._kept[half].get(index)
            if kept is not None:
                return index, kept
            if index not in self._bad[half]:
                try:
                    return index, self._keep(half, index, self._decode(self.halves[half][index]))
                except Unreadable as unreadable:
                    self._leave_out(half, index, unreadable)
            index = (index + 1) % len(self.halves[half])

    def _decode(self, path: Path) -> torch.Tensor:
        photo = opening.open_rgb(path, max_side=self.max_side)
        shortest = min(photo.image.size)
        if shortest < self.region // 2:
            raise Unreadable(
                path, f"too small to train on: {shortest} pixels, {self.region // 2} are needed"
            )
        return mirror_outwards(to_tensor(photo.image), self.region)

    def _keep(self, half: int, index: int, pixels: torch.Tensor) -> torch.Tensor:
        size = pixels.numel()
        with self._lock:
            if index in self._kept[half]:
                return self._kept[half][index]
            if self.device_bytes + size <= self.device_budget:
                self.device_bytes += size
                pixels = pixels.contiguous().to(self.device)
            elif self.kept_bytes + size <= self.memory_budget:
                self.kept_bytes += size
            else:
                return pixels
            self._kept[half][index] = pixels
        return pixels

    def _leave_out(self, half: int, index: int, unreadable: Unreadable) -> None:
        with self._lock:
            self._bad[half].add(index)
            self.skipped[unreadable.path] = unreadable.reason
            usable = len(self.halves[half]) - len(self._bad[half])
            first = next(iter(self.skipped.items()))
        if usable < max(1, self.least[half]):
            raise BadTrainingData(
                f"{plural(len(self.skipped), 'photo')} cannot be used (the first: {first[0]}: "
                f"{first[1]}), {usable} are left where at least {self.least[half]} are needed; add "
                "photos, or lower --batch-size or --image-size"
            ) from unreadable


def mirror_outwards(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Reflect a photo at its right and lower border until both sides have `side` pixels.

    On purpose no black border: it would tell the network which photos were small.

    Args:
        pixels: uint8, shape (3, H, W), H and W at least 2.
        side: wanted, in pixels.
    """
    while min(pixels.shape[-2:]) < side:
        height, width = pixels.shape[-2:]
        right = min(max(side - width, 0), width - 1)
        below = min(max(side - height, 0), height - 1)
        pixels = functional.pad(pixels[None], (0, right, 0, below), mode="reflect")[0]
    return pixels
