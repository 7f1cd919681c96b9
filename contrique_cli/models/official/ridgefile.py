"""The official regressors: a pickled scikit-learn ridge each, read as nothing but numbers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from contrique_cli.errors import BadModelFile
from contrique_cli.models.official import pickles, recognising


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """What counts of a fitted `sklearn.linear_model.Ridge`.

    Attributes:
        weights: shape (2F,), float32.
        bias: raw = features @ weights + bias.
        alpha: the strength it was fitted with; None where it is not stated.
    """

    weights: np.ndarray
    bias: float
    alpha: float | None


_KINDS = {code: np.dtype(code) for code in ("f4", "f8", "i4", "i8", "b1")}
"""Number types that a pickled ridge may hold; on purpose no objects, text or records."""


class _Type(pickles.Record):
    """Stands for a numpy.dtype."""

    def __init__(self, code: object, *_align_and_copy: object) -> None:
        if type(code) is not str or code not in _KINDS:
            raise ValueError(f"{pickles.printable(str(code)) if type(code) is str else 'a type'}")
        self.dtype = _KINDS[code]

    def build(self, state: object) -> None:
        if type(state) is not tuple or len(state) != 8:  # noqa: PLR2004 - numpy's layout
            raise ValueError("a number type's state")
        order: Any = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError("a byte order")
        if any(part is not None for part in state[2:5]):  # sub-array, names, fields
            raise ValueError("a number type with parts")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(pickles.Record):
    """Stands for a numpy.ndarray."""

    def __init__(self, kind: object, *_shape_and_code: object) -> None:
        if not isinstance(kind, pickles.Name) or str(kind) != "numpy.ndarray":
            raise ValueError("an array's type")
        self.values: np.ndarray = np.empty(0)

    def build(self, state: object) -> None:
        if type(state) is not tuple or len(state) != 5:  # noqa: PLR2004 - numpy's layout
            raise ValueError("an array's state")
        _version, shape, kind, is_fortran, data = state
        if type(shape) is not tuple or len(shape) > 2:  # noqa: PLR2004 - a matrix at most
            raise ValueError("an array's shape")
        if any(type(n) is not int or not 0 <= n <= pickles.SIZE_LIMIT for n in shape):
            raise ValueError("an array's shape")
        order: Any = "F" if is_fortran is True else "C"
        self.values = _numbers(kind, data, prod(shape)).reshape(shape, order=order)


def _numbers(kind: object, data: object, count: int) -> np.ndarray:
    if not isinstance(kind, _Type) or type(data) is not bytes:
        raise ValueError("numbers")
    if len(data) != count * kind.dtype.itemsize:
        raise ValueError(f"{len(data)} bytes for {count} numbers")
    return np.frombuffer(data, kind.dtype)


def _scalar(kind: object, data: object) -> object:
    return _numbers(kind, data, 1)[0].item()


def _encode(text: object, encoding: object) -> bytes:
    """Bytes as protocol 2 writes them."""
    if type(text) is not str or type(encoding) is not str or encoding != "latin1":
        raise ValueError("an encoding")
    return text.encode("latin1")


class _Estimator(pickles.Record):
    """Stands for a sklearn Ridge: its attributes and nothing else."""

    def __init__(self) -> None:
        self.state: dict[str, object] = {}

    def build(self, state: object) -> None:
        if type(state) is not dict:
            raise ValueError("a ridge's state")
        self.state = state


_LARGEST_INT = 1 << 53
"""Whole numbers below it are exact in float64."""

_NAMES: pickles.Names = {
    ("sklearn.linear_model._ridge", "Ridge"): _Estimator,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "_reconstruct"): _Array,  # the same, written by numpy 2
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): None,
    ("_codecs", "encode"): _encode,
}


def read(path: Path) -> Ridge:
    """The numbers of an official regressor, read as data.

    Raises:
        RefusedPickle: it asks for anything but a ridge of plain numbers.
        BadModelFile: damaged, too large, or with numbers that cannot be.
    """
    with recognising.opened(path) as file:
        data = file.read(pickles.SIZE_LIMIT + 1)
    if len(data) > pickles.SIZE_LIMIT:
        raise BadModelFile(
            f"{path} is too large for an official regressor, which has some 40,000 bytes"
        )
    stream = io.BytesIO(data)
    ridge = pickles.read(stream, path=path, names=_NAMES, persistent=None)
    if not isinstance(ridge, _Estimator) or stream.read(1):
        raise BadModelFile(f"{path} holds something else than one ridge regressor")
    with np.errstate(over="ignore"):  # becomes infinite, which is checked
        weights = _array(ridge.state.get("coef_")).astype(np.float32)
    bias = _array(ridge.state.get("intercept_"))
    is_sound = weights.ndim == 1 or (weights.ndim > 1 and weights.shape[0] == 1)
    if not is_sound or weights.size == 0 or bias.size != 1:
        raise BadModelFile(
            f"{path} holds no fitted ridge for one opinion: coef_ has shape {weights.shape}, "
            f"intercept_ {bias.shape}"
        )
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise BadModelFile(f"{path} holds numbers that are not finite; fetch it again")
    alpha = _array(ridge.state.get("alpha"))
    return Ridge(
        weights=weights.reshape(-1),
        bias=float(bias.reshape(-1)[0]),
        alpha=float(alpha.reshape(-1)[0]) if alpha.size == 1 and np.isfinite(alpha).all() else None,
    )


def _array(value: object) -> np.ndarray:
    """A number or numbers to float64; without any for anything else."""
    if isinstance(value, _Array) and value.values.dtype.kind == "f":
        return value.values.astype(np.float64)
    if type(value) is float or (type(value) is int and abs(value) < _LARGEST_INT):
        return np.array(value, dtype=np.float64)
    return np.empty(0)
