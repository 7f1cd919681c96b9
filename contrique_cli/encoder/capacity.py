"""What the machine can carry at once: how many photos, on how many cores each."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from contrique_cli.encoder.work import Work

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

SHARE = 0.5
"""Part of the memory, or of a GPU's free memory, that photos under way may take."""

MOST = 0.9
"""Part of the memory that one photo may take while it is decoded, when no other is."""

BYTES_PER_PIXEL = 200
"""Peak memory of one photo at working size, decoded and embedded, in any of our encoders."""

LEAST = 256 << 20
"""Bytes that a limit of the process must leave: with less, libraries under PyTorch end it without
a word."""

MOST_AT_ONCE = 64
"""Photos in a batch beyond which a GPU gains nothing."""

MOST_DECODERS = 16
"""Threads that decode for a GPU, beyond which Python itself is in the way."""

_FULL_RESOLUTION = 5000
"""Long side in pixels to reckon with where photos are not reduced."""

_UNKNOWN_MEMORY = 4 * 2**30
"""Bytes to reckon with where the system does not tell."""

_ROOT = Path("/")
"""Where the system's own files are; tests have others."""

_QUOTA = ("quota", "period")
"""Microseconds of work per microseconds of time, as version 1 names its files."""

_GROUPS = Path("sys/fs/cgroup")
"""Where a container's limits are, from the root."""


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


def choose(work: Work, device: torch.device, *, photos: int | None = None) -> Load:
    """Spread the work by cores and memory.

    Args:
        work: what the user wants; None chooses.
        device: that of the encoder.
        photos: how many there are at most, where that is known.
    """
    cores = count_cores()
    if device.type != "cpu" or work.batch_size is not None:
        most = _fitting(_free_memory(device), work.max_side, MOST_AT_ONCE)
        return Load(
            workers=work.workers or min(max(cores, 2), MOST_DECODERS),
            cores=cores,
            batch_size=work.batch_size or most,
        )
    workers = work.workers or _fitting(free_memory(), work.max_side, cores)
    workers = min(workers, photos or workers)
    return Load(workers=workers, cores=max(1, cores // workers), batch_size=None)


def count_workers(max_side: int, *, part: float) -> int:
    """Threads of a process that has a part of the machine's memory, and PyTorch's threads."""
    return _fitting(part * free_memory(), max_side, count_cores())


def count_cores() -> int:
    """Threads to compute with: as many as PyTorch's, or as a container may keep busy."""
    quotas = [quota for folder in _folders("cpu") if (quota := _read_quota(folder)) is not None]
    return min([torch.get_num_threads(), *(math.ceil(quota) for quota in quotas)])


def check_limit() -> None:
    """Refuse to begin where a limit of this process (`ulimit -v`) leaves too little memory.

    Raises:
        MemoryError: it leaves less than `LEAST`.
    """
    free = _address_space()
    if free < LEAST:
        raise MemoryError(f"the limit leaves {free >> 20} MB, and {LEAST >> 20} are needed")


def needed(height: int, width: int) -> float:
    """Bytes that embedding a photo of this size takes at most."""
    return float(BYTES_PER_PIXEL * height * width)


def free_memory() -> int:
    """Bytes of main memory that may still be taken, of the machine's and of a container's."""
    rooms = [room for folder in _folders("memory") if (room := _read_room(folder)) is not None]
    return min([_machine_memory(), _address_space(), *rooms])


def _fitting(memory: float, max_side: int, most: int) -> int:
    """Photos, 1 to `most`, that go into a share of so many bytes."""
    side = max_side or _FULL_RESOLUTION
    return max(1, min(most, int(SHARE * memory / (side * side * BYTES_PER_PIXEL))))


def _free_memory(device: torch.device) -> float:
    """Bytes that the device has left; of the whole machine where it shares its memory."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return free_memory()


def _address_space() -> int:
    """Bytes that a limit of this process (`ulimit -v`) leaves; very many without one."""
    if resource is None:
        return sys.maxsize
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    try:
        pages = int((_ROOT / "proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return limit
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))


def _machine_memory() -> int:
    """Bytes that are free on Linux; elsewhere all there are."""
    try:
        words = (_ROOT / "proc/meminfo").read_text(encoding="ascii").split()
        return int(words[words.index("MemAvailable:") + 1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY


# ---------------------------------------------------------------------------- control groups


def _folders(controller: str) -> Iterator[Path]:
    """Where limits of this process may stand: of its control group and of each one around it.

    Both versions of control groups may be there at once. A container often shows its own group as
    the outermost, whatever its name outside, so that some of these folders do not exist.

    Source: the Linux man page cgroups(7), sections on /proc/PID/cgroup and both versions.
    """
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        top = _ROOT / _GROUPS / controllers  # version 2 has no such folder, and no name here
        group = Path(path.lstrip("/"))
        yield from (top / one for one in (group, *group.parents))


def _read_room(folder: Path) -> int | None:
    """Bytes that a group may still take; None without a limit."""
    names = ("memory.max", "memory.current", "inactive_file")
    if not (folder / names[0]).exists():
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit, used, cached = names
    try:
        taken = _read_number(folder / used) - _read_cached(folder / "memory.stat", cached)
        return max(0, _read_number(folder / limit) - taken)
    except (OSError, ValueError):  # "max" is no number: no limit
        return None


def _read_number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _read_cached(path: Path, name: str) -> int:
    """Bytes of files that the system drops when memory is wanted; 0 where it does not tell."""
    try:
        words = path.read_text(encoding="ascii").split()
        return int(words[words.index(name) + 1])
    except (OSError, ValueError):
        return 0


def _read_quota(folder: Path) -> float | None:
    """Processors that a group may keep busy; None without a limit."""
    try:
        if (folder / "cpu.max").exists():
            words = (folder / "cpu.max").read_text(encoding="ascii").split()
            quota, period = map(int, words)
        else:
            quota, period = (_read_number(folder / f"cpu.cfs_{one}_us") for one in _QUOTA)
        return quota / period if quota > 0 else None
    except (OSError, ValueError):  # "max" again, or -1: no limit
        return None
