"""Features on disk for other programs: one row per photo, as NumPy .npz or Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contrique_cli.encoder.features import Features
from contrique_cli.errors import BadOption, Unreadable
from contrique_cli.files import tables
from contrique_cli.files.writing import replacing

SUFFIXES = (".npz", ".parquet")


def check_suffix(path: Path) -> None:
    """Refuse a file that could not be written, before hours of work go into it.

    Raises:
        BadOption: another suffix.
        MissingExtra: Parquet without pyarrow.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadOption(f"{path}: features are written as .npz or .parquet; choose one of them")
    if path.suffix.lower() == ".parquet":
        tables.arrow()


def save(
    path: Path,
    photos: Sequence[Features],
    failed: Sequence[Unreadable],
    *,
    encoder: str,
    max_side: int,
) -> None:
    """Write features whole or not at all.

    An .npz holds `path` (N,), `features` (N, 2F) float32, `width`, `height` (N,), `failed_path`,
    `failed_reason` (M,), and `encoder` (fingerprint) and `max_side`; it loads without pickle.
    A Parquet file has the columns path, width, height and features (a list of 2F floats); the
    encoder, working size and failed photos are in the schema's metadata under `contrique`.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    if path.suffix.lower() == ".parquet":
        _save_parquet(path, photos, failed, encoder=encoder, max_side=max_side)
        return
    arrays: dict[str, Any] = {
        "path": np.array([str(photo.path) for photo in photos], dtype=np.str_),
        "features": _stack(photos),
        "width": np.array([photo.width for photo in photos], dtype=np.int64),
        "height": np.array([photo.height for photo in photos], dtype=np.int64),
        "failed_path": np.array([str(one.path) for one in failed], dtype=np.str_),
        "failed_reason": np.array([one.reason for one in failed], dtype=np.str_),
        "encoder": np.array(encoder),
        "max_side": np.array(max_side),
    }
    with replacing(path) as file:
        np.savez(file, **arrays)


def _stack(photos: Sequence[Features]) -> np.ndarray:
    rows = [photo.values for photo in photos]
    return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)  # (N, 2F)


def _save_parquet(
    path: Path,
    photos: Sequence[Features],
    failed: Sequence[Unreadable],
    *,
    encoder: str,
    max_side: int,
) -> None:
    pa, parquet = tables.arrow()
    values = _stack(photos)
    facts = {
        "encoder": encoder,
        "max_side": max_side,
        "failed": {_utf8(one.path): one.reason for one in failed},
    }
    table = pa.table(
        {
            "path": pa.array([_utf8(photo.path) for photo in photos], pa.string()),
            "width": pa.array([photo.width for photo in photos], pa.int64()),
            "height": pa.array([photo.height for photo in photos], pa.int64()),
            "features": pa.FixedSizeListArray.from_arrays(
                pa.array(values.reshape(-1)), max(1, values.shape[1])
            ),
        }
    ).replace_schema_metadata({"contrique": json.dumps(facts)})
    with replacing(path) as file:
        parquet.write_table(table, file)


def _utf8(path: Path) -> str:
    """Parquet text is UTF-8; other bytes of a name become backslash escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")
