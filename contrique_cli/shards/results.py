"""One result per shard, whole or not there at all: Parquet, CSV or JSON Lines in one folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from contrique_cli.errors import CannotWrite
from contrique_cli.files import tables
from contrique_cli.reports import rows as report_rows
from contrique_cli.reports.rows import SCHEMA, Row
from contrique_cli.shards import facts, places
from contrique_cli.shards.listing import ABOUT, Shard
from contrique_cli.shards.picture import Picture

COLUMNS = [
    *"shard member key score flaw flaw_probability raw width height".split(),
    *"source note error".split(),
]
"""Columns of every result in order, but for `FLAWLESS` with one for each flaw; kept ones follow."""

FLAWLESS = ("csv",)
"""Formats without a column for every flaw, as in reports: their rows fit on a screen."""

KEPT_PREFIX = "kept_"
"""Prefix of a kept column whose name is one of ours."""

ROWS_AT_ONCE = 2000
"""Rows held before they are written."""


class _File(Protocol):
    def write(self, rows: list[dict[str, Any]]) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where results go.

    Attributes:
        place: path or URL.
        format: one of `config.SHARD_FORMATS`.
        about: facts of the model, see `facts.of`, which every result here shares.
        flaws: names of the flaws that its probe knows.
        keep: columns carried along, as they were asked for; every result here has them too.
    """

    place: str
    format: str
    about: Mapping[str, Any] = field(default_factory=dict)
    flaws: Sequence[str] = ()
    keep: Sequence[str] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What stands in the folder, and in each Parquet file's metadata."""
        return {"schema": SCHEMA, **self.about, "keep_columns": list(self.keep)}

    @property
    def columns(self) -> list[str]:
        """Columns of every result, before those that are kept."""
        return columns(() if self.format in FLAWLESS else self.flaws)

    def target(self, shard: Shard) -> str:
        """The result of a shard."""
        return places.join(self.place, f"{shard.name}.{self.format}")

    def finished(self) -> set[str]:
        """Names of the shards that have a result; one that is there is whole."""
        found = places.walk(self.place) if places.is_folder(self.place) else ()
        end = f".{self.format}"
        return {name.removesuffix(end) for name in found if name.endswith(end)}

    def claim(self, finished: Collection[str]) -> None:
        """Say which results these are, or find that those here are such too; tidy up among them.

        Args:
            finished: names of what was found here before; without a word that they are results,
                they are somebody's tables.

        Raises:
            CannotWrite: the folder holds results of another model or with other columns, or
                tables that would be taken for results, or cannot be written to.
            ShardError: the store cannot be reached.
        """
        places.sweep(self.place)
        target = places.join(self.place, ABOUT)
        found = places.read(target)
        if found is None and finished:
            raise CannotWrite(
                f"{places.shown(self.place)} holds {min(finished)}.{self.format} and no {ABOUT}, "
                "so that it is no folder of results: give another one as --output"
            )
        if found is None:
            with places.written(target) as file:
                file.write(json.dumps(self.facts, indent=2).encode() + b"\n")
            return
        other = facts.difference(found, self.facts)
        if other is not None:
            raise CannotWrite(
                f"{places.shown(self.place)} holds other results ({other}; {ABOUT} there says "
                "all): give the same models and --keep-columns, or another folder as --output"
            )

    @contextmanager
    def written(self, shard: Shard, kept: Mapping[str, Any]) -> Iterator[Result]:
        """Open the result of a shard; it appears when the block ends without an error.

        Args:
            shard: whose.
            kept: Arrow types of the kept columns, by name.

        Raises:
            CannotWrite: see `writing.replacing`.
            ShardError: the upload failed.
        """
        with places.written(self.target(shard)) as file:
            written = _FILES[self.format](file, self.columns, kept, self.facts)
            result = Result(shard, written, self.columns)
            try:
                yield result
            except BaseException:
                with suppress(Exception):  # it is dropped, but pyarrow must not write to it later
                    written.close()
                raise
            result.close()


class Result:
    """A result being written: rows in order, a few held at once.

    Attributes:
        shard: whose, as reports call it.
    """

    def __init__(self, shard: Shard, file: _File, names: Sequence[str]) -> None:
        self.shard = places.shown(shard.source)
        self._file = file
        self._names = names
        self._rows: list[dict[str, Any]] = []

    def add(self, picture: Picture, row: Row) -> None:
        """Add a picture's row."""
        self.add_cells(cells(picture, row, self._names))

    def add_cells(self, row: dict[str, Any]) -> None:
        """Add a row as `cells` gives it."""
        self._rows.append({"shard": utf8(self.shard), **row})
        if len(self._rows) >= ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._rows:
            self._file.write(self._rows)
        self._rows = []


def columns(flaws: Sequence[str]) -> list[str]:
    """Columns of a result: as in a report, those of each flaw follow that of the dominant one's."""
    end = COLUMNS.index("flaw_probability") + 1
    return [*COLUMNS[:end], *map(report_rows.flaw_column, flaws), *COLUMNS[end:]]


def kind_of(column: str) -> str:
    """What one of our columns holds, in Parquet's words."""
    if column.startswith(report_rows.FLAW_PREFIX):
        return "double"
    return report_rows.KINDS.get(column, "string")


def cells(picture: Picture, row: Row, names: Sequence[str]) -> dict[str, Any]:
    """A picture's row in the result of its shard but for the shard, rounded as reports are.

    Args:
        picture, row: the picture, and what came of it.
        names: of the result's columns, the shard's first.
    """
    found = report_rows.cells(row) | {"member": picture.member, "key": picture.key}
    ours = {name: utf8(found.get(name)) for name in names[1:]}
    return ours | {kept_name(name): cell for name, cell in picture.kept.items()}


def kept_name(column: str) -> str:
    """What a kept column is called beside our own."""
    is_ours = column in COLUMNS or column.startswith(report_rows.FLAW_PREFIX)
    return f"{KEPT_PREFIX}{column}" if is_ours else column


def utf8(cell: Any) -> Any:
    """A cell whose bytes that are not UTF-8, where it is text, become backslash escapes."""
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell


# ---------------------------------------------------------------------------------- formats


class _Parquet:
    """Parquet; the metadata `contrique` holds the schema's version and the model's fingerprint."""

    def __init__(
        self,
        file: IO[bytes],
        names: Sequence[str],
        kept: Mapping[str, Any],
        about: Mapping[str, Any],
    ) -> None:
        pa, parquet = tables.arrow()
        kinds = {name: pa.type_for_alias(kind_of(name)) for name in names}
        kinds |= {kept_name(name): kind for name, kind in kept.items()}
        self._schema = pa.schema(list(kinds.items()), metadata={"contrique": json.dumps(about)})
        self._table = pa.Table
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: list[dict[str, Any]]) -> None:
        self._writer.write_table(self._table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _Csv:
    """CSV with a header line; cells that a spreadsheet could take for formulas are harmless."""

    def __init__(
        self,
        file: IO[bytes],
        names: Sequence[str],
        kept: Mapping[str, Any],
        _about: Mapping[str, Any],
    ) -> None:
        self._file = file
        self._names = [*names, *map(kept_name, kept)]
        self._put([self._names])

    def write(self, rows: list[dict[str, Any]]) -> None:
        self._put(
            [report_rows.harmless(name, row.get(name)) for name in self._names] for row in rows
        )

    def _put(self, lines: Any) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for line in lines:
            has_return = any(isinstance(cell, str) and "\r" in cell for cell in line)
            (quoting if has_return else writer).writerow(line)  # Python 3.11 leaves "\r" unquoted
        self._file.write(text.getvalue().encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Nothing stands after the last line."""


class _JsonLines:
    """One object per line."""

    def __init__(
        self,
        file: IO[bytes],
        _names: Sequence[str],
        _kept: Mapping[str, Any],
        _about: Mapping[str, Any],
    ) -> None:
        self._file = file

    def write(self, rows: list[dict[str, Any]]) -> None:
        lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
        self._file.write("".join(lines).encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Nothing stands after the last line."""


_FILES: dict[
    str, Callable[[IO[bytes], Sequence[str], Mapping[str, Any], Mapping[str, Any]], _File]
] = {
    "parquet": _Parquet,
    "csv": _Csv,
    "jsonl": _JsonLines,
}
"""One for each of `config.SHARD_FORMATS`."""
