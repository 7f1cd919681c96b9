"""Tensors with a readable header in one safetensors file: data without code.

The header is safetensors' own metadata table (text to text), so any safetensors reader shows it.
Values other than text are JSON. Encoders and regressors are both such files, told apart by `kind`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from contrique_cli.errors import BadModelFile
from contrique_cli.files.writing import replacing

FORMAT = 1
"""Version of the header; a file of a newer one is refused with a word about upgrading."""


_USES = {
    "encoder": "an encoder: give it as --model",
    "regressor": "a regressor: give it as --regressor",
    "flaw probe": "a flaw probe: `contrique models import FILE` takes it in, and it is used "
    "with its encoder",
}
"""What there is, and what it is for."""


def another(path: Path, kind: str, wanted: str) -> BadModelFile:
    """The complaint about a file of another kind than the one wanted.

    Args:
        path: the file.
        kind: what it is.
        wanted: what it should be.
    """
    expected = _USES[wanted].partition(":")[0]
    return BadModelFile(f"{path} is not {expected} but {_USES.get(kind, f'a {kind}')}")


@dataclass(frozen=True, kw_only=True)
class TensorFile:
    """What a file holds: its kind, its header without the housekeeping, and its tensors."""

    kind: str
    header: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]


def write(
    path: Path, *, kind: str, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Write a file whole or not at all.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    metadata = {"format": json.dumps(FORMAT), "kind": json.dumps(f"contrique {kind}")}
    metadata |= {key: json.dumps(value) for key, value in header.items()}
    data = to_bytes({name: value.contiguous() for name, value in tensors.items()}, metadata)
    with replacing(path) as file:
        file.write(data)


def read_header(path: Path) -> tuple[str, dict[str, Any]]:
    """Kind and header only, without reading the tensors.

    Raises:
        BadModelFile: not such a file, damaged, or of a newer format.
    """
    with _opened(path) as file:
        return _parse(path, file.metadata())


def read(path: Path) -> TensorFile:
    """Read a file.

    Raises:
        BadModelFile: not such a file, damaged, or of a newer format.
    """
    with _opened(path) as file:
        kind, header = _parse(path, file.metadata())
        try:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise BadModelFile(f"{path} is damaged ({error}); fetch or make it again") from error
    return TensorFile(kind=kind, header=header, tensors=tensors)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError as error:
        raise BadModelFile(f"{path}: no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise BadModelFile(
            f"{path} is not a contrique model file, or is damaged ({error}); official CONTRIQUE "
            "files are converted with `contrique models import FILE`"
        ) from error


def _parse(path: Path, metadata: Mapping[str, str] | None) -> tuple[str, dict[str, Any]]:
    try:
        header = {key: json.loads(value) for key, value in (metadata or {}).items()}
        version = int(header.pop("format"))
        maker, kind = str(header.pop("kind")).split(" ", 1)
    except (KeyError, ValueError, TypeError) as error:
        raise BadModelFile(
            f"{path} is a safetensors file, but not one made by contrique"
        ) from error
    if maker != "contrique":
        raise BadModelFile(f"{path} is a safetensors file, but not one made by contrique")
    if version > FORMAT:
        raise BadModelFile(f"{path} was made by a newer contrique; upgrade this one to use it")
    return kind, header
