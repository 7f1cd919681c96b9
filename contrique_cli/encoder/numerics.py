"""What is computed where: settled by PyTorch, or known from a run before on this machine.

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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from contrique_cli import config
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.errors import BadOption

if TYPE_CHECKING:
    import torch

_ALWAYS_THERE = (None, "auto", "cpu")
"""Devices that no machine lacks."""

_SETTINGS = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"),
    *("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "PYTORCH_NVML_BASED_CUDA_CHECK"),
)
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")
"""What is there where PyTorch may find a GPU."""


class Choice:
    """A device and a precision as the user named them, or left them open.

    Args:
        device: such as "cpu" or "cuda:1"; None for the fastest there is; or one picked already.
        precision: one of `config.PRECISIONS`.

    Raises:
        UnknownDevice: the machine has no such device.
        BadOption: an unknown precision.
    """

    def __init__(
        self, device: torch.device | str | None, precision: str = config.PRECISION
    ) -> None:
        if precision not in config.PRECISIONS:
            raise BadOption(
                f"precision {precision!r}: choose one of {', '.join(config.PRECISIONS)}"
            )
        self.precision = precision
        self._named = device
        if device not in _ALWAYS_THERE:
            _ = self.device

    @cached_property
    def device(self) -> torch.device:
        """Where the encoder runs."""
        if self._named is not None and not isinstance(self._named, str):
            return self._named
        from contrique_cli.encoder.model import pick_device  # noqa: PLC0415 - loads PyTorch

        return pick_device(self._named)

    @cached_property
    def settled(self) -> str:
        """What the encoder computes in, as PyTorch has it.

        Raises:
            BadOption: a precision that the processor lacks.
        """
        from contrique_cli.encoder import backend  # noqa: PLC0415 - loads PyTorch

        return backend.choose_precision(self.precision, self.device)

    def check(self, cache: FeatureCache | None) -> None:
        """Refuse, before there is anything to compute, what cannot be computed in.

        Raises:
            BadOption: see `settled`.
        """
        _ = self.settled if cache is None else self.recall(cache)

    def recall(self, cache: FeatureCache) -> str:
        """What the encoder computes in, as the cache remembers, else as PyTorch has it.

        Raises:
            BadOption: see `settled`.
        """
        if self._named not in _ALWAYS_THERE:
            return self.settled
        known = cache.find_fact(self._machine())
        if known in config.PRECISIONS[1:]:
            return known
        cache.keep_fact(self._machine(), self.settled)
        return self.settled

    def correct(self, cache: FeatureCache) -> str:
        """What PyTorch has settled, once it is loaded; what was remembered otherwise is mended."""
        if self._named in _ALWAYS_THERE and cache.find_fact(self._machine()) != self.settled:
            cache.keep_fact(self._machine(), self.settled)
        return self.settled

    def _machine(self) -> bytes:
        """16 bytes that stand for what the answer depends on."""
        spec = importlib.util.find_spec("torch")  # finds, and does not load
        version = Path(spec.origin or "").with_name("version.py") if spec else Path()
        facts = [
            *(self._named, self.precision, str(version), _changed(version), _processor()),
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
