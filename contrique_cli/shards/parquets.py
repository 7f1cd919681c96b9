"""Parquet files with a column of picture bytes, streamed; their other columns on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from contrique_cli.errors import DamagedShard, Refused, ShardError
from contrique_cli.files import reading, tables
from contrique_cli.shards.picture import Picture, held

COLUMNS = ("jpg", "image")
"""Where pictures are looked for: img2dataset's column, and that of Hugging Face's datasets."""

KEYS = ("key", "__key__")
"""Columns that name a row, as img2dataset and WebDataset call them; else its number does."""

EVERYTHING = "*"
"""What keeps every column but the pictures, given alone."""

ROWS_AT_ONCE = 16
"""Rows decoded from a row group at once: pictures are large."""

_BUFFER = 1 << 20  # bytes read ahead of a column, instead of all of its row group


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a Parquet file are wanted.

    Attributes:
        image: that of the pictures, as in "photo" or "photo.bytes"; None finds it.
        keep: further columns to carry along; `EVERYTHING` alone for all.
    """

    image: str | None = None
    keep: tuple[str, ...] = ()


class PictureTable:
    """An open Parquet file of pictures.

    Attributes:
        kept: Arrow types of the columns carried along, by name.
    """

    def __init__(self, parquet: Any, columns: Columns) -> None:
        self._parquet = parquet
        schema = parquet.schema_arrow
        self._image, self._bytes = _image_of(schema, columns.image)
        self._key = next((name for name in KEYS if name in schema.names), None)
        self.kept = {name: schema.field(name).type for name in self._keep(schema, columns.keep)}

    def _keep(self, schema: Any, wanted: Sequence[str]) -> list[str]:
        if list(wanted) == [EVERYTHING]:
            return [name for name in schema.names if name != self._image]
        missing = [name for name in wanted if name not in schema.names]
        if missing:
            raise Refused(
                f"--keep-columns: there is no column {missing[0]!r} but {', '.join(schema.names)}"
            )
        return list(wanted)

    def pictures(self) -> Iterator[Picture]:
        """The rows in order, a few of a row group at once.

        Raises:
            DamagedShard: its data is damaged; what came before stands.
            ShardError: the file cannot be read.
        """
        names = list(dict.fromkeys([self._image, *([self._key] if self._key else []), *self.kept]))
        number = 0
        try:
            for batch in self._parquet.iter_batches(ROWS_AT_ONCE, columns=names):
                for row in range(batch.num_rows):
                    yield self._picture(batch, row, str(number))
                    number += 1
        except (ShardError, DamagedShard):
            raise
        except Exception as error:  # damaged pages raise anything; it is one shard
            raise DamagedShard(f"damaged ({reading.why(error)})") from error

    def values(self) -> Iterator[dict[str, Any]]:
        """The kept columns alone, row by row."""
        for batch in self._parquet.iter_batches(columns=list(self.kept)):
            yield from batch.to_pylist()

    def _picture(self, batch: Any, row: int, number: str) -> Picture:
        value = batch.column(self._image)[row]
        path = Path(number)
        if self._bytes is not None and value.is_valid:
            named = value["path"].as_py() if "path" in value.type.names else None
            path = Path(str(named or number))  # a RAW file is known by its suffix
            value = value[self._bytes]
        data = memoryview(value.as_buffer()) if value.is_valid else None
        key = None if self._key is None else batch.column(self._key)[row].as_py()
        return Picture(
            member=number,
            key=number if key is None else str(key),
            photo=held(path, data),
            kept={name: batch.column(name)[row].as_py() for name in self.kept},
        )


@contextmanager
def opened(file: BinaryIO, columns: Columns) -> Iterator[PictureTable]:
    """Open a Parquet file of pictures.

    Raises:
        MissingExtra: pyarrow is not installed.
        DamagedShard: it is no Parquet file.
        Refused: it has no such column.
        ShardError: it cannot be read.
    """
    parquet = tables.arrow()[1]
    try:
        table = parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)
    except ShardError:
        raise
    except Exception as error:  # a hostile footer raises anything; it is one shard
        raise DamagedShard(f"no Parquet file, or damaged ({reading.why(error)})") from error
    yield PictureTable(table, columns)


def _image_of(schema: Any, wanted: str | None) -> tuple[str, str | None]:
    """The column of pictures, and where it is a structure the field of their bytes."""
    for name in (wanted,) if wanted else COLUMNS:
        column, _, inner = name.partition(".")
        if column in schema.names:
            kind = schema.field(column).type
            if _is_binary(kind) and not inner:
                return column, None
            inner = inner or "bytes"
            if (
                hasattr(kind, "names")
                and inner in kind.names
                and _is_binary(kind.field(inner).type)
            ):
                return column, inner
    binary = [field.name for field in schema if _is_binary(field.type)] or schema.names
    if wanted:
        raise Refused(
            f"--image-column {wanted}: there is no such column of bytes but {', '.join(binary)}"
        )
    raise Refused(
        f"no column {' or '.join(COLUMNS)} of picture bytes; name one with --image-column "
        f"({', '.join(binary)})"
    )


def _is_binary(kind: Any) -> bool:
    return str(kind) in ("binary", "large_binary", "binary_view")
