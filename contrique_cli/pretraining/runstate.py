"""Checkpoints of a run: folders renamed into place when whole, the last two kept, each verified.

A checkpoint `step-00001200` holds `state.json` (plain facts, and size and sha256 of every other
file) and the tensors: `tensors.safetensors`, or the same bytes in parts `tensors.000`, ...
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import reprlib
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from contrique_cli.errors import CannotWrite, Unreadable
from contrique_cli.files import writing
from contrique_cli.files.reading import opened, why
from contrique_cli.pretraining.runfiles import read_object

FORMAT = 1
"""Version of the layout."""

KEPT = 2
"""Checkpoints that stay."""

_STATE = "state.json"

_NAME = re.compile(r"step-(\d{8,12})")
"""Name of a checkpoint's folder."""

_FILE = re.compile(r"tensors\.(safetensors|\d{3,})")
"""Name of a file in it, besides its state."""

_FACTS = {"photos": str, "scale": float, "micro_batch": int, "seconds": float, "is_complete": bool}
"""Plain values of a state, and their types."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """What a run needs to go on.

    Attributes:
        step: steps done.
        photos: identity of the photos in training.
        scale: of the gradients in fp16.
        micro_batch: views per forward pass.
        seconds: of training, over all sessions.
        is_complete: the run is at its end.
        tensors: by name, on the CPU.
    """

    step: int
    photos: str
    scale: float
    micro_batch: int
    seconds: float
    is_complete: bool
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
        with suppress(OSError):
            _remove(draft)
        draft.mkdir()
        data = to_bytes({name: value.contiguous() for name, value in state.tensors.items()})
        files = {}
        for name, part in _parts(data, part_size):
            _write(draft / name, part)
            files[name] = {"bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
        facts = {name: getattr(state, name) for name in _FACTS}
        content = {"format": FORMAT, "step": state.step, "facts": facts, "files": files}
        _write(draft / _STATE, json.dumps(content, indent=1).encode())
        if target.exists():  # a damaged one of the same step
            _remove(target)
        draft.replace(target)
        writing.sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            _remove(draft)
        raise CannotWrite(
            f"the checkpoint {target} cannot be written ({why(error)}); those before it are "
            "unchanged: free space, then run the same command again to go on"
        ) from error
    older = [path for path in _found(folder) if _step(path) < state.step]
    for path in older[: 1 - KEPT]:
        with suppress(OSError):
            _remove(path)
    return target


def _remove(folder: Path) -> None:
    if not stat.S_ISDIR(folder.lstat().st_mode):  # `rmtree` would wait for the writer of a pipe
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    shutil.rmtree(folder)


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
        except KeyError as error:
            damaged.append(f"{path} is damaged (it lacks {error})")
        except (OSError, ValueError, TypeError, AttributeError, SafetensorError) as error:
            damaged.append(f"{path} is damaged ({why(error)})")
    return None


def _load(path: Path) -> RunState:
    content = read_object(path / _STATE)
    if content["format"] > FORMAT:
        raise ValueError("it was made by a newer contrique")
    if content["step"] != _step(path):
        raise ValueError("it is of another step")
    data = bytearray()
    for name, expected in content["files"].items():
        if not _FILE.fullmatch(name):
            raise ValueError(f"{name!r} is no file of a checkpoint")
        data += _read(path / name, expected["bytes"], expected["sha256"])
    facts = {name: _fact(name, content["facts"][name], kind) for name, kind in _FACTS.items()}
    return RunState(step=_step(path), tensors=from_bytes(bytes(data)), **facts)


def _read(path: Path, size: int, digest: str) -> bytes:
    """A file of a checkpoint, as it was written."""
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size != size:
                raise ValueError(f"{path.name} is not what was written")
            data = file.read()
    except Unreadable as unreadable:
        raise ValueError(f"{path.name}: {unreadable.reason}") from unreadable
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path.name} is not what was written")
    return data


def _fact(name: str, value: Any, kind: type[Any]) -> Any:
    """A plain value of a state; numbers are finite and not negative."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is not str and not 0 <= value <= sys.float_info.max):
        raise ValueError(f"{name} is {reprlib.repr(value)}")
    return value


def _parts(data: bytes, size: int) -> Iterator[tuple[str, bytes]]:
    if not size or len(data) <= size:
        yield "tensors.safetensors", data
        return
    for number, start in enumerate(range(0, len(data), size)):
        yield f"tensors.{number:03d}", data[start : start + size]


def _found(folder: Path) -> list[Path]:
    """Folders with the name of a checkpoint, by step."""
    try:
        paths = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(paths, key=_step)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
