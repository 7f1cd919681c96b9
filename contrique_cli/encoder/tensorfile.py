"""Tensors with a readable header in one safetensors file: data without code.

The header is safetensors' own metadata table (text to text), so any safetensors reader shows it.
Values other than text are JSON. Encoders and regressors are both such files, told apart by `kind`.

Nothing in a file is trusted: every value of the header and every tensor is asked for with the type
and the shape it must have, and anything else is a `BadModelFile`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from contrique_cli.errors import BadModelFile, Unreadable
from contrique_cli.files import reading
from contrique_cli.files.reading import why
from contrique_cli.files.writing import replacing
from contrique_cli.version import __version__

if TYPE_CHECKING:
    import torch
    from _typeshed import DataclassInstance

FORMAT = 1
"""Version of the header; a file of a newer one is refused with a word about upgrading."""

SIZE_LIMIT = 1 << 30
"""Bytes; the largest network that is known has a tenth of that."""

_DEEPEST = 8  # levels of facts within facts in a header
_TENSOR = "tensor"  # what marks a field
_LONGEST = 200  # letters of foreign text in a message
_FAILURES = (SafetensorError, OSError, ValueError, TypeError, RuntimeError, MemoryError, KeyError)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says about itself.

    Attributes:
        path: of the file.
        kind: "encoder", "regressor" ...
        values: the header without the housekeeping.
    """

    path: Path
    kind: str
    values: Mapping[str, Any]

    def text(self, name: str, otherwise: str | None = None) -> str:
        """A text.

        Args:
            name: of the value.
            otherwise: what holds where there is none; None insists on one.

        Raises:
            BadModelFile: there is none, or it is something else. So say all that follow.
        """
        value = self.values.get(name, otherwise)
        if not isinstance(value, str):
            raise self._lacks(name, "a text")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._lacks(name, "a list of texts")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.values.get(name)
        if not isinstance(value, bool):
            raise self._lacks(name, "true or false")
        return value

    def whole(self, name: str, *, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.values.get(name)
        if type(value) is not int or not low <= value <= high:
            raise self._lacks(name, f"a whole number from {low} to {high}")
        return value

    def share(self, name: str) -> float:
        """A number in [0, 1]."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise _impossible(self, f"its {name} is not from 0 to 1")
        return float(value)

    def facts(self, name: str) -> dict[str, Any]:
        """Plain facts by name."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self._lacks(name, "facts by name")
        return value

    def _lacks(self, name: str, what: str) -> BadModelFile:
        return BadModelFile(
            f"{self.path} is not a whole {self.kind}: its {name} is not {what}; make it again"
        )


def _impossible(header: Header, what: str) -> BadModelFile:
    return BadModelFile(
        f"{header.path} holds numbers that no {header.kind} can have ({what}); make it again"
    )


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
    """A header and the tensors."""

    header: Header
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """A header and the tensors as arrays, which need no PyTorch."""

    header: Header
    arrays: Mapping[str, np.ndarray]

    def numbers(self, name: str, *, dimensions: int) -> np.ndarray:
        """An array of finite floating-point numbers, with so many dimensions.

        Raises:
            BadModelFile: it is missing, or something else.
        """
        value = self.arrays.get(name)
        if (
            value is None
            or value.dtype not in (np.float32, np.float64)
            or value.ndim != dimensions
            or not np.isfinite(value).all()
        ):
            raise _impossible(self.header, f"its {name} are not finite, or of another shape")
        return value

    def tensors_of(self, record: type[DataclassInstance]) -> dict[str, Any]:
        """What the `tensor` fields of a dataclass hold, by name; see `numbers`."""
        found = {
            one.name: self.numbers(one.name, dimensions=one.metadata[_TENSOR][1])
            for one in fields(record)
            if _TENSOR in one.metadata
        }
        return {name: value if value.ndim else float(value) for name, value in found.items()}


def tensor(dtype: type[np.floating[Any]], *, dimensions: int) -> Any:
    """A field of a dataclass that `save` writes as a tensor; a float where it has no dimension."""
    return field(metadata={_TENSOR: (dtype, dimensions)})


def save(path: Path, kind: str, record: DataclassInstance) -> None:
    """Write a dataclass, whole or not at all: its `tensor` fields, and the others as the header.

    Args:
        path: the file.
        kind: of it.
        record: its fields other than tensors are plain facts, among them `provenance`.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    header: dict[str, Any] = {}
    tensors: dict[str, np.ndarray] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if _TENSOR in one.metadata:
            tensors[one.name] = np.asarray(value, dtype=one.metadata[_TENSOR][0])
        else:
            header[one.name] = dict(value) if isinstance(value, Mapping) else value
    header["provenance"] = {"contrique": __version__, **header["provenance"]}
    write(path, kind=kind, header=header, tensors=tensors)


def write(
    path: Path,
    *,
    kind: str,
    header: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor] | Mapping[str, np.ndarray],
) -> None:
    """Write a file whole or not at all.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    metadata = {"format": json.dumps(FORMAT), "kind": json.dumps(f"contrique {kind}")}
    metadata |= {key: json.dumps(value) for key, value in header.items()}
    with replacing(path) as file:
        file.write(_to_bytes(tensors, metadata))


def read_header(path: Path) -> Header:
    """The header only, without reading the tensors.

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
    header, tensors = _read(path, "pt")
    return TensorFile(header=header, tensors=tensors)


def read_arrays(path: Path) -> ArrayFile:
    """Read a file without PyTorch.

    Raises:
        BadModelFile: see `read`; or it has numbers that NumPy lacks.
    """
    header, arrays = _read(path, "numpy")
    return ArrayFile(header=header, arrays=arrays)


def _read(path: Path, framework: str) -> tuple[Header, dict[str, Any]]:
    with _opened(path, framework) as file:
        header = _parse(path, file.metadata())
        try:
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except _FAILURES as error:
            raise BadModelFile(
                f"{path} is damaged ({short(error)}); fetch or make it again"
            ) from error
    return header, values


def _to_bytes(values: Mapping[str, Any], metadata: dict[str, str]) -> bytes:
    if all(isinstance(value, np.ndarray) for value in values.values()):
        from safetensors.numpy import save  # noqa: PLC0415 - needs no PyTorch

        return save({n: np.asarray(value, order="C") for n, value in values.items()}, metadata)
    from safetensors import torch as tensors  # noqa: PLC0415 - loads PyTorch

    return tensors.save({name: value.contiguous() for name, value in values.items()}, metadata)


def short(error: object) -> str:
    """Foreign text, such as a library's complaint about a file, on one line of bounded length."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _opened(path: Path, framework: str = "numpy") -> Any:
    try:
        with reading.opened(path) as file:  # the library itself would wait for a pipe
            if file.seek(0, 2) > SIZE_LIMIT:
                raise BadModelFile(f"{path} is too large for a model file")
        return safe_open(path, framework=framework)
    except Unreadable as problem:
        raise BadModelFile(f"{path}: {problem.reason}") from problem
    except OSError as error:
        raise BadModelFile(f"{path}: {why(error)}") from error
    except _FAILURES as error:
        raise BadModelFile(
            f"{path} is not a contrique model file, or is damaged ({short(error)}); official "
            "CONTRIQUE files are converted with `contrique models import FILE`"
        ) from error


def _parse(path: Path, metadata: Mapping[str, str] | None) -> Header:
    foreign = BadModelFile(f"{path} is a safetensors file, but not one made by contrique")
    try:
        values = {key: json.loads(value) for key, value in (metadata or {}).items()}
    except (ValueError, RecursionError) as error:
        raise foreign from error
    if not _is_shallow(values):
        raise foreign
    version, name = values.pop("format", None), values.pop("kind", None)
    maker, _, kind = name.partition(" ") if isinstance(name, str) else ("", "", "")
    if type(version) is not int or version < 1 or maker != "contrique" or not kind:
        raise foreign
    if version > FORMAT:
        raise BadModelFile(f"{path} was made by a newer contrique; upgrade this one to use it")
    return Header(path=path, kind=short(kind), values=values)


def _is_shallow(value: object, depth: int = _DEEPEST) -> bool:
    """Whether facts lie within few levels, so that nothing that walks through them can choke."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not inner or (depth > 0 and all(_is_shallow(one, depth - 1) for one in inner))
