"""What is to be computed where: as told, settled by PyTorch, or known from a run before.

A run whose photos are all in the cache computes nothing, and PyTorch takes longer to load than
such a run. But features are kept by what they were computed in, which only PyTorch can settle; so
the cache remembers what it settled, by everything that the answer depends on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from contrique_cli import config
from contrique_cli.errors import BadOption

if TYPE_CHECKING:
    import torch

    from contrique_cli.encoder.cache.featurecache import FeatureCache

_ALWAYS_THERE = (None, "auto", "cpu")
"""Devices that no machine lacks."""

_SETTINGS = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"),
    *("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "PYTORCH_NVML_BASED_CUDA_CHECK"),
)
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
"""What is there where PyTorch may find a GPU."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """How photos are to become features, as a user may choose it.

    Attributes:
        device: such as "cpu" or "cuda:1"; None for the fastest there is; or one picked already.
        max_side: working size in pixels, 0 for full resolution.
        max_megapixels: larger photos are refused.
        max_seconds: that looking at one photo may take.
        batch_size: photos of equal size embedded at once; None takes what a GPU's memory carries,
            and on a CPU lets each worker embed its own photos one by one.
        workers: threads; None takes what cores and memory allow.
        precision: one of `config.PRECISIONS`.

    Raises:
        BadOption: an unknown precision.
    """

    device: torch.device | str | None = None
    max_side: int = config.MAX_SIDE
    max_megapixels: float = config.MAX_MEGAPIXELS
    max_seconds: float = config.MAX_SECONDS
    batch_size: int | None = None
    workers: int | None = None
    precision: str = config.PRECISION

    def __post_init__(self) -> None:
        if self.precision not in config.PRECISIONS:
            raise BadOption(
                f"precision {self.precision!r}: choose one of {', '.join(config.PRECISIONS)}"
            )

    @cached_property
    def chosen_device(self) -> torch.device:
        """Where the encoder runs.

        Raises:
            UnknownDevice: the machine has no such device.
        """
        if self.device is not None and not isinstance(self.device, str):
            return self.device
        from contrique_cli.encoder.model import pick_device  # noqa: PLC0415 - loads PyTorch

        return pick_device(self.device)

    @cached_property
    def settled(self) -> str:
        """What the encoder computes in, as PyTorch has it.

        Raises:
            UnknownDevice: see `chosen_device`.
            BadOption: a precision that the processor lacks.
        """
        from contrique_cli.encoder import backend  # noqa: PLC0415 - loads PyTorch

        return backend.choose_precision(self.precision, self.chosen_device)

    def check(self, cache: FeatureCache | None) -> None:
        """Refuse, before there is anything to compute, what cannot be computed in.

        Raises:
            UnknownDevice, BadOption: see `settled`.
        """
        _ = self.settled if cache is None else self.recall(cache)

    def recall(self, cache: FeatureCache) -> str:
        """What the encoder computes in, as the cache remembers, else as PyTorch has it.

        Raises:
            UnknownDevice, BadOption: see `settled`.
        """
        if self.device not in _ALWAYS_THERE:
            return self.settled
        known = cache.find_fact(self._machine())
        if known in config.PRECISIONS[1:]:
            return known
        cache.keep_fact(self._machine(), self.settled)
        return self.settled

    def correct(self, cache: FeatureCache) -> str:
        """What PyTorch has settled, once it is loaded; what was remembered otherwise is mended."""
        if self.device in _ALWAYS_THERE and cache.find_fact(self._machine()) != self.settled:
            cache.keep_fact(self._machine(), self.settled)
        return self.settled

    def _machine(self) -> bytes:
        """16 bytes that stand for what the answer depends on."""
        spec = importlib.util.find_spec("torch")  # finds, and does not load
        version = Path(spec.origin or "").with_name("version.py") if spec else Path()
        facts = [
            *(self.device, self.precision, str(version), _changed(version), _processor()),
            *(os.environ.get(name) for name in _SETTINGS),
            *(os.path.exists(driver) for driver in _DRIVERS),  # noqa: PTH110 - may be unreadable
        ]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).digest()


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a user's file
            return next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor() or platform.machine()
