"""Tables of any program: delimited text, JSON, Parquet and Excel, to rows that know their number.

On purpose text is taken apart by the standard library: it knows the line of every row, also behind
quoted line breaks and blank lines, which pandas does not, and refuses text behind a quote, which
pandas' quick parser takes in. What is binary is read by pandas, imported only then.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from contrique_cli.errors import ContriqueError, MissingExtra, Unreadable
from contrique_cli.files import reading

SEPARATORS = ";\t|,"
"""What stands between cells; in this order where a first line has as many cells by one as by
another, since decimal commas come between semicolons and not the other way round. Blanks count
where there are none."""

MOST_BYTES = 1_000_000_000
"""Bytes of a table at most, also unpacked: larger files are something else."""

LINE, ROW, PHOTO = "line", "row", "photo"
"""What the numbers of rows count: lines of text, rows of a sheet, entries of a list."""

Refusal: TypeAlias = type[ContriqueError]
"""What is raised where a table cannot be read."""

_MARKS = (  # the longer ones first: UTF-32's begins with UTF-16's
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
_SEPARATOR_LINE = re.compile(r'"?sep=([^"])"?[ ;,\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_FACTS = "contrique"  # the key that our own Parquet files have them under


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a file holds.

    Attributes:
        columns: names of the columns, without blanks around them.
        rows: the number and the cells of each row that is not blank; delimited text may have fewer
            or more cells than columns.
        unit: what the numbers count: `LINE`, `ROW` or `PHOTO`.
        header: number of the row that names the columns; 0 where it is none of the rows.
        is_text: whether every cell is text, as in CSV; else None stands for nothing, and numbers
            are numbers.
        facts: what a JSON document or a Parquet file of ours says around the rows.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[Any]]]
    unit: str
    header: int = 0
    is_text: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where each row stands, in words, and its cells by column, those that it has."""
        for number, cells in self.rows:
            yield f"{self.unit} {number}", dict(zip(self.columns, cells, strict=False))


def read(path: Path, refusal: Refusal) -> Table:
    """Read a table, whichever kind it is.

    Args:
        path: a regular file.
        refusal: what to raise.

    Raises:
        refusal: the file cannot be opened or is no table; says which line, where it is one.
        MissingExtra: Parquet without pyarrow, Excel without openpyxl.
    """
    try:
        with reading.opened(path) as file:
            data = file.read(MOST_BYTES + 1)
    except Unreadable as problem:
        raise refusal(f"{path}: {problem.reason}; give a table, such as a CSV file") from problem
    except (OSError, ValueError) as error:
        raise refusal(f"{path} cannot be read: {reading.why(error)}") from error
    return parse(data, str(path), refusal)


def parse(data: bytes, name: str, refusal: Refusal) -> Table:
    """A table from its bytes; their content says which kind it is.

    Text is UTF-8, or UTF-16 with its mark. JSON is a list of objects, one with such a list under
    `photos`, JSON Lines, or pandas' columns of rows. A first line such as `sep=;`, which Excel
    writes and reads, names the separator.

    Args:
        data: of the whole file.
        name: of the file, for messages.
        refusal: what to raise.

    Raises:
        refusal: see `read`.
        MissingExtra: see `read`.
    """
    if len(data) > MOST_BYTES:
        raise refusal(f"{name} is larger than any table of photos; give another file")
    if data.startswith(_PARQUET):
        return _parquet(data, name, refusal)
    if data.startswith(_ZIP):
        return _excel(data, name, refusal)
    text = _decode(data, name, refusal)
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(text, name, refusal)
    return _delimited(text, name, refusal)


def number(cell: Any) -> float:
    """A cell as a finite number: 1.5, "1.5" and, as many spreadsheets write it, "1,5".

    Raises:
        ValueError: it is none.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if not _NUMBER.fullmatch(text):
            raise ValueError("not a number")
        cell = text.replace(",", ".")
    elif isinstance(cell, bool) or not hasattr(cell, "__float__"):
        raise ValueError("not a number")
    try:
        found = float(cell)
    except (TypeError, OverflowError) as error:
        raise ValueError("not a number") from error
    if not math.isfinite(found):
        raise ValueError("not a number")
    return found


def arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet.

    Raises:
        MissingExtra: they are not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - the optional extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(
            "Parquet needs an extra package: pip install 'contrique[parquet]', or choose another "
            "kind of file"
        ) from error
    return pa, parquet


# ---------------------------------------------------------------------------------- text


def _decode(data: bytes, name: str, refusal: Refusal) -> str:
    codec = next((codec for mark, codec in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(
            f"{name} is not {codec.removesuffix('-sig').upper()} text (line {line}); save the "
            "table as CSV in UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refusal(f"{name} is not a text file (line {line}); save the table as CSV in UTF-8")
    return text


def _delimited(text: str, name: str, refusal: Refusal) -> Table:
    told = _SEPARATOR_LINE.match(text)
    if told is not None:
        text = text[told.end() :]
    if not text.strip():
        raise refusal(f"{name} is empty; its first line must name the columns, as in path,mos")
    line = first = 1 if told is None else 2
    rows = []
    try:
        separator = _separator(text) if told is None else told[1]
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator,
            skipinitialspace=separator == " ",
            strict=True,
        )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + first
    except (csv.Error, TypeError, ValueError) as error:  # a separator may be none, too
        raise refusal(f"{name}, line {line}: not readable as CSV ({error})") from error
    return _headed(rows, LINE, is_text=True)


def _separator(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    counts = {one: len(next(csv.reader([header], delimiter=one))) for one in SEPARATORS}
    best = max(SEPARATORS, key=lambda one: counts[one])
    return " " if counts[best] == 1 and len(header.split()) > 1 else best


def _headed(
    rows: Sequence[tuple[int, Sequence[Any]]], unit: str, *, is_text: bool = False
) -> Table:
    """A table whose first row names the columns."""
    number, names = rows[0] if rows else (0, [])
    columns = ["" if name is None else str(name).strip() for name in names]
    return Table(columns=columns, rows=rows[1:], unit=unit, header=number, is_text=is_text)


def _from_json(text: str, name: str, refusal: Refusal) -> Table:
    facts: dict[str, Any] = {}
    unit = PHOTO
    try:
        found: Any = json.loads(text)
    except RecursionError as error:
        raise refusal(f"{name} is nested too deeply for a table") from error
    except ValueError:
        found, unit = list(_json_lines(text, name, refusal)), LINE
    if isinstance(found, dict) and "photos" in found:
        facts = {key: value for key, value in found.items() if key != "photos"}
        found = found["photos"]
        if not isinstance(found, list):
            raise refusal(f"{name}: `photos` is not a list")
    elif isinstance(found, dict):
        found = _by_row(found)
    if unit == PHOTO:
        found = list(enumerate(found, start=1))
    for number, record in found:
        if not isinstance(record, dict):
            raise refusal(f"{name}, {unit} {number} is not a row: {{...}} was expected")
    columns = list(dict.fromkeys(key for _, record in found for key in record))
    rows = [(number, [record.get(key) for key in columns]) for number, record in found]
    return Table(columns=[one.strip() for one in columns], rows=rows, unit=unit, facts=facts)


def _by_row(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Records from pandas' columns of rows; else the document is JSON Lines of one line."""
    columns = list(document.values())
    if not columns or not all(isinstance(column, dict) for column in columns):
        return [document]
    return [{name: column.get(key) for name, column in document.items()} for key in columns[0]]


def _json_lines(text: str, name: str, refusal: Refusal) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise refusal(
                    f"{name}, line {number} is not JSON ({error}); mend or remove that line"
                ) from error


# ---------------------------------------------------------------------------------- binary


def _parquet(data: bytes, name: str, refusal: Refusal) -> Table:
    _, parquet = arrow()

    def load() -> Table:
        import pandas as pd  # noqa: PLC0415 - takes half a second

        meta = parquet.read_metadata(io.BytesIO(data))
        if sum(meta.row_group(n).total_byte_size for n in range(meta.num_row_groups)) > MOST_BYTES:
            raise ValueError("larger than any table of photos")
        told = (meta.metadata or {}).get(_FACTS.encode(), b"{}")
        rows = _cells(pd.read_parquet(io.BytesIO(data), engine="pyarrow"))
        columns, *cells = rows
        return Table(
            columns=[str(column).strip() for column in columns],
            rows=list(enumerate(cells, start=1)),
            unit=ROW,
            facts=dict(json.loads(told)),
        )

    return _guarded(load, name, "Parquet", refusal)


def _excel(data: bytes, name: str, refusal: Refusal) -> Table:
    try:
        import openpyxl  # noqa: F401, PLC0415 - the optional extra, which pandas uses
    except ImportError as error:
        raise MissingExtra(
            "Excel needs an extra package: pip install 'contrique[excel]', or save the sheet as CSV"
        ) from error

    def load() -> Table:
        import pandas as pd  # noqa: PLC0415 - takes half a second

        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(one.file_size for one in packed.infolist()) > MOST_BYTES:
                raise ValueError("larger than any table of photos")
        with warnings.catch_warnings(action="ignore"):  # on styles and validations that go lost
            frame = pd.read_excel(io.BytesIO(data), header=None, dtype=object, engine="openpyxl")
        rows = enumerate(_cells(frame)[1:], start=1)
        return _headed(
            [(number, cells) for number, cells in rows if any(one is not None for one in cells)],
            ROW,
        )

    return _guarded(load, name, "Excel", refusal)


def _cells(frame: Any) -> list[Sequence[Any]]:
    """Names of a frame's columns, then its rows as plain objects, None for what is missing."""
    plain = frame.astype(object)
    plain = plain.where(frame.notna(), None)
    return [list(frame.columns), *plain.itertuples(index=False, name=None)]


def _guarded(load: Callable[[], Table], name: str, kind: str, refusal: Refusal) -> Table:
    try:
        return load()
    except Exception as error:  # readers of hostile bytes raise anything
        raise refusal(
            f"{name} is not readable as {kind} ({reading.why(error)[:200]}); save it again, or as "
            "CSV in UTF-8"
        ) from error
