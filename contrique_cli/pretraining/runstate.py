"""Checkpoints of a run: folders renamed into place when whole, the last two kept, each verified.

A checkpoint `step-00001200` holds `state.json` (plain facts, and size and sha256 of every other
file) and the tensors: `tensors.safetensors`, or the same bytes in parts `tensors.000`, ...
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from contrique_cli.errors import CannotWrite

FORMAT = 1
"""Version of the layout."""

KEPT = 2
"""Checkpoints that stay."""

_STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class RunState:
    """What a run needs to go on.

    Attributes:
        step: steps done.
        facts: plain values (JSON).
        tensors: by name, on the CPU.
    """

    step: int
    facts: Mapping[str, Any]
    tensors: dict[str, torch.Tensor]


def save(folder: Path, state: RunState, *, part_size: int = 0) -> Path:
    """Write a checkpoint, whole or not at all, and remove all but the last two.

    Args:
        folder: of the run's checkpoints; made if missing.
        state: what to keep.
        part_size: bytes per file at most; 0: one file.

    Returns:
        The checkpoint's folder.

    Raises:
        CannotWrite: the folder is not writable or full.
    """
    target = folder / f"step-{state.step:08d}"
    draft = folder / f".{target.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        data = to_bytes({name: value.contiguous() for name, value in state.tensors.items()})
        files = {}
        for name, part in _parts(data, part_size):
            _write(draft / name, part)
            files[name] = {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        content = {"format": FORMAT, "step": state.step, "facts": state.facts, "files": files}
        _write(draft / _STATE, json.dumps(content, indent=1).encode())
        if target.exists():  # a damaged one of the same step
            shutil.rmtree(target)
        draft.replace(target)
        _flush(folder)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise CannotWrite(
            f"the checkpoint {target} cannot be written "
            f"({(error.strerror or str(error)).lower()}); those before it are unchanged: free "
            "space, then run the same command again to go on"
        ) from error
    for old in _found(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_last(folder: Path, damaged: list[str]) -> RunState | None:
    """The last whole checkpoint.

    Args:
        folder: of the run's checkpoints.
        damaged: what is wrong with later ones is added here, one line each.

    Returns:
        None where there is none.
    """
    for path in reversed(_found(folder)):
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            damaged.append(f"{path} is damaged ({error})")
    return None


def _load(path: Path) -> RunState:
    content = json.loads((path / _STATE).read_text(encoding="utf-8"))
    if content["format"] > FORMAT:
        raise ValueError("it was made by a newer contrique")
    data = bytearray()
    for name, expected in content["files"].items():
        part = (path / name).read_bytes()
        if hashlib.sha256(part).hexdigest() != expected["sha256"]:
            raise ValueError(f"{name} is not what was written")
        data += part
    tensors = from_bytes(bytes(data))
    return RunState(step=int(content["step"]), facts=content["facts"], tensors=tensors)


def _parts(data: bytes, size: int) -> Iterator[tuple[str, bytes]]:
    if not size or len(data) <= size:
        yield "tensors.safetensors", data
        return
    for number, start in enumerate(range(0, len(data), size)):
        yield f"tensors.{number:03d}", data[start : start + size]


def _found(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """Make the renaming itself survive a power cut, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
