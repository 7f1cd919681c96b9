"""The official checkpoint: a torch file of a state dict, vetted as data, then read by torch."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch

from contrique_cli.encoder.model import Contrique, Undrawn
from contrique_cli.errors import BadModelFile
from contrique_cli.models.official import pickles, recognising

SIZE_LIMIT = 1 << 30
"""Bytes; the published checkpoint has 0.11e9, a training state around it three times that."""


class _Ordered(dict[object, object], pickles.Record):
    """Stands for an OrderedDict; `_metadata`, which torch hangs on it, is dropped."""

    def build(self, state: object) -> None:
        if not isinstance(state, dict) or set(state) != {"_metadata"}:
            raise ValueError("attributes of an OrderedDict")


def _ordered() -> _Ordered:
    """An empty one: torch fills it by the pickle's own operations."""
    return _Ordered()


@dataclass(frozen=True)
class _Tensor:
    """Stands for a tensor, whose numbers lie outside the pickle."""


def _tensor(*arguments: object) -> _Tensor:
    storage, offset, size, stride, gradient, hooks = arguments
    numbers = [offset]
    for part in (size, stride):
        if type(part) is not tuple or len(part) > 4:  # noqa: PLR2004 - as many as a convolution has
            raise ValueError("a tensor's shape")
        numbers += part
    if not isinstance(storage, _Storage) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError("a tensor's place")
    if type(gradient) is not bool or not isinstance(hooks, _Ordered) or hooks:
        raise ValueError("a tensor's hooks")
    return _Tensor()


@dataclass(frozen=True)
class _Storage:
    """Stands for the numbers behind a tensor."""

    size: int


_ITEM_BYTES = {"FloatStorage": 4, "LongStorage": 8}

_NAMES: pickles.Names = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): None,
    ("torch", "LongStorage"): None,
}


def _storages(
    path: Path, sizes: Mapping[str, int] | None, limit: int
) -> Callable[[object], _Storage]:
    """Reader of references to storages, for files that do hold as many bytes as they claim.

    Args:
        path: for messages.
        sizes: bytes by key; None where they cannot be known beforehand.
        limit: bytes of all storages together.
    """
    seen: dict[str, int] = {}
    total = 0

    def storage(reference: object) -> _Storage:
        nonlocal total
        if type(reference) is not tuple or len(reference) not in (5, 6):
            raise ValueError("not a storage")
        word, kind, key, _place, count = reference[:5]
        is_known = isinstance(kind, pickles.Name) and kind.name in _ITEM_BYTES
        if type(word) is not str or word != "storage" or not is_known:
            raise ValueError("not a storage")
        if type(key) is not str or type(count) is not int or count < 0:
            raise ValueError("a storage's key or size")
        size = count * _ITEM_BYTES[kind.name]
        if key not in seen:
            seen[key] = size
            total += size
        held = seen if sizes is None else sizes
        if total > limit or held.get(key) != size:
            raise BadModelFile(f"{path} is damaged: it lacks numbers it speaks of; fetch it again")
        return _Storage(size)

    return storage


def read(path: Path) -> Contrique:
    """The model in an official checkpoint, in evaluation mode on the CPU.

    The state may lie bare, under "state_dict", and with "module." before its names. What its
    pickle asks for is vetted as data before torch sees the file.

    Raises:
        RefusedPickle: it asks for more than tensors.
        BadModelFile: damaged, or not the weights of a known architecture.
    """
    with recognising.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > SIZE_LIMIT:
            raise BadModelFile(f"{path} is too large for an official checkpoint ({size:,} bytes)")
        if file.read(len(recognising.ZIP)) == recognising.ZIP:
            _vet_zip(path, file, size)
        else:
            _vet_legacy(path, file, size)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BadModelFile(
            f"{path} is damaged ({pickles.printable(str(error))}); fetch it again"
        ) from error
    return _to_model(path, _bare(path, content))


def _vet_zip(path: Path, file: IO[bytes], size: int) -> None:
    """Check container, checksums and pickle of torch's present format; nothing is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
                raise BadModelFile(f"{path} is a compressed zip archive, not a torch checkpoint")
            if sum(one.file_size for one in entries) > size:
                raise BadModelFile(f"{path} claims more content than it has; fetch it again")
            found = [one for one in entries if one.filename.endswith("/data.pkl")]
            if len(found) != 1 or found[0].file_size > pickles.SIZE_LIMIT:
                raise BadModelFile(f"{path} is a zip archive, but not a torch checkpoint")
            if (damaged := archive.testzip()) is not None:
                raise BadModelFile(
                    f"{path} is damaged (in {pickles.printable(damaged)}); fetch it again"
                )
            folder = found[0].filename.removesuffix("data.pkl") + "data/"
            sizes = {
                one.filename.removeprefix(folder): one.file_size
                for one in entries
                if one.filename.startswith(folder)
            }
            pickle = io.BytesIO(archive.read(found[0]))
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, struct.error) as error:
        reason = pickles.printable(str(error))
        raise BadModelFile(f"{path} is a damaged zip archive ({reason}); fetch it again") from error
    pickles.read(pickle, path=path, names=_NAMES, persistent=_storages(path, sizes, SIZE_LIMIT))


def _vet_legacy(path: Path, file: IO[bytes], size: int) -> None:
    """Check the pickles of the format before torch 1.6; the numbers follow behind them."""
    file.seek(0)
    head = io.BytesIO(file.read(pickles.SIZE_LIMIT))
    for _ in ("magic number", "protocol", "byte order"):
        pickles.read(head, path=path, names={}, persistent=None)
    pickles.read(head, path=path, names=_NAMES, persistent=_storages(path, None, limit=size))
    pickles.read(head, path=path, names={}, persistent=None)  # the keys of the storages


def _bare(path: Path, content: object) -> dict[str, torch.Tensor]:
    """Tensors by name, without what training code wraps around them."""
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise BadModelFile(f"{path} holds no state dict: tensors by name were expected")
    state = {name.removeprefix("module."): value for name, value in content.items()}
    if len(state) != len(content):
        raise BadModelFile(f"{path} holds tensors of the same name with and without 'module.'")
    return state


def _to_model(path: Path, state: Mapping[str, torch.Tensor]) -> Contrique:
    """Check names, shapes, types and numbers, then build the model around them."""
    is_basic = _BLOCK.format(2) in state and _BLOCK.format(3) not in state
    arch = "resnet18" if is_basic else "resnet50"  # two or three convolutions in a block
    with torch.device("meta"), Undrawn():
        model = Contrique(arch)
    if found := _complaints(model.state_dict(), state):
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004
        raise BadModelFile(
            f"{path} does not hold the weights of a CONTRIQUE model; for a {arch}: "
            f"{'; '.join(found[:3])}{more}. Fetch CONTRIQUE_checkpoint25.tar again"
        )
    for name, value in state.items():
        if not torch.isfinite(value).all() or (name.endswith("var") and (value < 0).any()):
            raise BadModelFile(f"{path} holds impossible numbers in {name}; fetch it again")
    counters = {n: torch.tensor(0) for n in model.state_dict() if n.endswith(_COUNTER)}
    own = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()
    }
    model.load_state_dict(counters | own, assign=True)
    return model.eval()


_BLOCK = "encoder.4.0.conv{}.weight"
_COUNTER = "num_batches_tracked"
"""Batch norm's counter, which no feature depends on and torch before 0.4.1 did not store."""


def _complaints(
    expected: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]
) -> list[str]:
    """What the state has other than an architecture."""
    found = [f"{name} is missing" for name in expected if name not in state]
    found = [one for one in found if _COUNTER not in one]
    found += [f"{pickles.printable(n)} is not known" for n in state if n not in expected]
    for name, value in state.items():
        if name in expected and value.shape != expected[name].shape:
            shapes = tuple(value.shape), tuple(expected[name].shape)
            found.append(f"{name} has shape {shapes[0]} instead of {shapes[1]}")
        elif name in expected and value.dtype != expected[name].dtype:
            found.append(f"{name} is {value.dtype} instead of {expected[name].dtype}")
    return found
