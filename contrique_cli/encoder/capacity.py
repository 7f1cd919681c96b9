"""What the machine can carry at once: how many photos, on how many cores each."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

SHARE = 0.5
"""Part of the memory, or of a GPU's free memory, that photos under way may take."""

BYTES_PER_PIXEL = 200
"""Peak memory of one photo at working size, decoded and embedded, in any of our encoders."""

MOST_AT_ONCE = 64
"""Photos in a batch beyond which a GPU gains nothing."""

MOST_DECODERS = 16
"""Threads that decode for a GPU, beyond which Python itself is in the way."""

_FULL_RESOLUTION = 5000
"""Long side in pixels to reckon with where photos are not reduced."""

_UNKNOWN_MEMORY = 8e9
"""Bytes to reckon with where the system does not tell."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """How the work is spread.

    Attributes:
        workers: threads that decode; on a CPU they embed, too.
        cores: for each of them inside the encoder, on a CPU.
        batch_size: photos of one shape embedded at once; None lets each worker of a CPU embed its
            own photo, which keeps every core busy without waiting for a batch.
    """

    workers: int
    cores: int
    batch_size: int | None


def choose(
    device: torch.device,
    *,
    max_side: int,
    batch_size: int | None = None,
    workers: int | None = None,
    photos: int | None = None,
) -> Load:
    """Spread the work by cores and memory.

    Args:
        device: that of the encoder.
        max_side: working size in pixels, 0 for full resolution.
        batch_size, workers: what the user wants; None chooses.
        photos: how many there are at most, where that is known.
    """
    cores = torch.get_num_threads()
    if device.type != "cpu" or batch_size is not None:
        return Load(
            workers=workers or min(max(cores, 2), MOST_DECODERS),
            cores=cores,
            batch_size=batch_size or _fitting(_free_memory(device), max_side, MOST_AT_ONCE),
        )
    if workers is None:
        workers = _fitting(_memory(), max_side, cores)
    workers = min(workers, photos or workers)
    return Load(workers=workers, cores=max(1, cores // workers), batch_size=None)


def _fitting(memory: float, max_side: int, most: int) -> int:
    """Photos, 1 to `most`, that go into a share of so many bytes."""
    side = max_side or _FULL_RESOLUTION
    return max(1, min(most, int(SHARE * memory / (side * side * BYTES_PER_PIXEL))))


def _free_memory(device: torch.device) -> float:
    """Bytes that the device has left; of the whole machine where it shares its memory."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return _memory()


def _memory() -> float:
    """Bytes of the machine."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY
