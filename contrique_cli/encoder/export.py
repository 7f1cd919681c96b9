"""Features on disk for other programs: one row per photo, as NumPy .npz or Parquet."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from contrique_cli.encoder.seen import Features
from contrique_cli.errors import BadOption, CannotWrite, Unreadable
from contrique_cli.files import tables
from contrique_cli.files.reading import why
from contrique_cli.files.writing import replacing

SUFFIXES = (".npz", ".parquet")

BLOCK = 1024
"""Photos per row group of a Parquet file: 16 MB at 4,096 numbers each."""


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


@contextmanager
def spooled(path: Path) -> Iterator[Spool]:
    """Collect features for a file on the disk beside it: memory does not grow with their number.

    Raises:
        CannotWrite: the folder is missing or not writable.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(dir=path.resolve().parent))
        except OSError as error:
            raise _cannot_write(path, error) from error
        yield Spool(path, file)


class Spool:
    """Features on their way to a file.

    Attributes:
        path: where they are to go.
        count: photos so far.
        failed: those that cannot be used.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.count = 0
        self.failed: list[Unreadable] = []
        self._file = file
        self._length = 0
        self._facts: list[tuple[str, int, int]] = []  # path, width, height

    def add(self, photo: Features | Unreadable) -> None:
        """Take one more photo.

        Raises:
            CannotWrite: the disk is full, say.
        """
        if isinstance(photo, Unreadable):
            self.failed.append(photo)
            return
        try:
            self._file.write(photo.values.astype(np.float32, copy=False).tobytes())
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._facts.append((str(photo.path), photo.width, photo.height))
        self._length = photo.values.size
        self.count += 1

    def save(self, *, encoder: str, max_side: int) -> None:
        """Write the file whole or not at all.

        An .npz holds `path` (N,), `features` (N, 2F) float32, `width`, `height` (N,),
        `failed_path`, `failed_reason` (M,), and `encoder` (fingerprint) and `max_side`; it loads
        without pickle. A Parquet file has the columns path, width, height and features (a list of
        2F floats); the encoder, working size and failed photos are in the schema's metadata under
        `contrique`.

        Raises:
            CannotWrite: see `writing.replacing`.
        """
        self._file.seek(0)
        if self.path.suffix.lower() == ".parquet":
            self._save_parquet(encoder, max_side)
        else:
            self._save_npz(encoder, max_side)

    def _save_npz(self, encoder: str, max_side: int) -> None:
        paths, widths, heights = zip(*self._facts, strict=True) if self._facts else ((), (), ())
        arrays = {
            "path": np.array(paths, dtype=np.str_),
            "width": np.array(widths, dtype=np.int64),
            "height": np.array(heights, dtype=np.int64),
            "failed_path": np.array([str(one.path) for one in self.failed], dtype=np.str_),
            "failed_reason": np.array([one.reason for one in self.failed], dtype=np.str_),
            "encoder": np.array(encoder),
            "max_side": np.array(max_side),
        }
        header = {"descr": "<f4", "fortran_order": False, "shape": (self.count, self._length)}
        with replacing(self.path) as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
            with archive.open("features.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, header)
                shutil.copyfileobj(self._file, entry)

    def _save_parquet(self, encoder: str, max_side: int) -> None:
        pa, parquet = tables.arrow()
        failed = {_utf8(str(one.path)): one.reason for one in self.failed}
        facts = {"encoder": encoder, "max_side": max_side, "failed": failed}
        length = max(1, self._length)
        schema = pa.schema(
            [
                ("path", pa.string()),
                ("width", pa.int64()),
                ("height", pa.int64()),
                ("features", pa.list_(pa.float32(), length)),
            ],
            metadata={"contrique": json.dumps(facts)},
        )
        with replacing(self.path) as file, parquet.ParquetWriter(file, schema) as writer:
            for start in range(0, self.count, BLOCK):
                part = self._facts[start : start + BLOCK]
                values = np.frombuffer(self._file.read(4 * length * len(part)), np.float32)
                columns = [
                    pa.array([_utf8(path) for path, _, _ in part], pa.string()),
                    pa.array([width for _, width, _ in part], pa.int64()),
                    pa.array([height for _, _, height in part], pa.int64()),
                    pa.FixedSizeListArray.from_arrays(pa.array(values), length),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _cannot_write(path: Path, error: OSError) -> CannotWrite:
    return CannotWrite(f"{path} cannot be written ({why(error)}); free space or give another file")


def _utf8(path: str) -> str:
    """Parquet text is UTF-8; other bytes of a name become backslash escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
