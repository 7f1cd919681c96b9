"""Tables of any program, as pandas' frames whose rows know their number.

JSON is nested, so that pandas only makes its frame. pandas is imported where a table is read.
"""

from __future__ import annotations

import io
import json
import math
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from contrique_cli.errors import ContriqueError, MissingExtra, Unreadable
from contrique_cli.files import delimited, reading

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 1_000_000_000
"""Bytes of a table at most, also unpacked: larger files are something else."""

LINE, ROW, PHOTO = "line", "row", "photo"
"""What the numbers of rows count: lines of JSON, rows as a spreadsheet shows them, entries of a
list."""

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
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_FACTS = "contrique"  # the key that our own Parquet files have them under


class Position(NamedTuple):
    """Where a row stands, such as row 7: what to look for in the file."""

    number: int
    unit: str

    def __str__(self) -> str:
        return f"{self.unit} {self.number}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """What a file holds.

    Attributes:
        columns: names of the columns, without blanks around them; one may come twice.
        frame: every row that is not blank, by its number; columns are numbered from 0, and rows of
            text with more cells than names have some of those, too. None stands for nothing; in
            text, where each cell is a str, for a cell that a short row lacks.
        header: the row that names the columns, by its number; none where it is none of the rows.
        unit: what the numbers count: `LINE`, `ROW` or `PHOTO`.
        is_text: whether every cell is text, as in CSV; else numbers are numbers.
        facts: what a JSON document or a Parquet file of ours says around the rows.
    """

    columns: Sequence[str]
    frame: pd.DataFrame
    header: pd.DataFrame
    unit: str
    is_text: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def position(self, number: int) -> Position:
        """Where the row of this number stands."""
        return Position(number, self.unit)


def read(path: Path, refusal: Refusal) -> Table:
    """Read a table, whichever kind it is.

    Args:
        path: a regular file.
        refusal: what to raise.

    Raises:
        refusal: the file cannot be opened or is no table; says which row, where it is one.
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
    `photos`, JSON Lines, or pandas' columns of rows; delimited text see `delimited.read`.

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
    try:
        frame, columns = delimited.read(text)
    except ValueError as problem:
        raise refusal(f"{name}{problem}") from problem
    return _headed(frame, columns, is_text=True)


def is_blank(cell: Any) -> bool:
    """Whether nothing stands in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def number(cell: Any) -> float:
    """A cell as a finite number: 1.5, "1.5" and, as many spreadsheets write it, "1,5".

    Raises:
        ValueError: it is none; says so of the cell.
    """
    try:
        if isinstance(cell, str):
            found = float(cell.replace(",", ".")) if _NUMBER.fullmatch(cell.strip()) else math.nan
        else:
            found = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{str(cell)[:40]!r} is not a number")
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


def _headed(frame: pd.DataFrame, columns: int, *, is_text: bool = False) -> Table:
    """A table whose first row that is not blank names the columns."""
    frame.index += 1
    blank = frame.index
    for column in frame:
        blank = blank[[is_blank(cell) for cell in frame.loc[blank, column]]]
    frame = frame.drop(blank)
    names = [] if frame.empty else frame.iloc[0, :columns]
    return Table(
        columns=["" if cell is None else str(cell).strip() for cell in names],
        frame=frame.iloc[1:],
        header=frame.iloc[:1],
        unit=ROW,
        is_text=is_text,
    )


def _named(
    frame: pd.DataFrame, unit: str, facts: Mapping[str, Any], numbers: Sequence[int] = ()
) -> Table:
    """A table whose columns have their names already, of rows counted from 1 unless told."""
    rows = _plain(frame)
    rows.columns = range(frame.shape[1])
    rows.index = numbers or range(1, len(frame) + 1)
    return Table(
        columns=[str(column).strip() for column in frame.columns],
        frame=rows,
        header=rows.iloc[:0],
        unit=unit,
        facts=facts,
    )


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same cells as plain objects, None for what is missing."""
    return frame.astype(object).where(frame.notna(), None)


# ---------------------------------------------------------------------------------- JSON


def _from_json(text: str, name: str, refusal: Refusal) -> Table:
    import pandas as pd  # noqa: PLC0415 - takes half a second

    found: Any
    facts: dict[str, Any] = {}
    unit, numbers = PHOTO, ()
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise refusal(f"{name} is nested too deeply for a table") from error
    except ValueError:
        unit = LINE
        numbers, found = zip(*_json_lines(text, name, refusal), strict=True)
    if isinstance(found, dict) and "photos" in found:
        facts = {key: value for key, value in found.items() if key != "photos"}
        found = found["photos"]
        if not isinstance(found, list):
            raise refusal(f"{name}: `photos` is not a list")
    elif isinstance(found, dict) and not all(isinstance(one, dict) for one in found.values()):
        found = [found]  # JSON Lines of one line; else pandas' columns of rows
    if isinstance(found, dict):
        rows, columns = len(set().union(*found.values())), len(found)
    else:
        for index, record in enumerate(found):
            if not isinstance(record, dict):
                number = numbers[index] if numbers else index + 1
                raise refusal(f"{name}, {unit} {number} is not a row: {{...}} was expected")
        rows, columns = len(found), len(set().union(*found))
    if delimited.is_too_large(rows, columns, len(text)):
        raise refusal(f"{name} is larger than any table of photos; give another file")
    with _guarded(name, "a table", refusal):
        return _named(pd.DataFrame(found, dtype=object), unit, facts, numbers)


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
    with _guarded(name, "Parquet", refusal):
        import pandas as pd  # noqa: PLC0415 - takes half a second

        meta = parquet.read_metadata(io.BytesIO(data))
        _check_size(meta.row_group(n).total_byte_size for n in range(meta.num_row_groups))
        told = (meta.metadata or {}).get(_FACTS.encode(), b"{}")
        frame = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
        return _named(frame, ROW, dict(json.loads(told)))


def _excel(data: bytes, name: str, refusal: Refusal) -> Table:
    try:
        import openpyxl  # noqa: F401, PLC0415 - the optional extra, which pandas uses
    except ImportError as error:
        raise MissingExtra(
            "Excel needs an extra package: pip install 'contrique[excel]', or save the sheet as CSV"
        ) from error
    with _guarded(name, "Excel", refusal):
        import pandas as pd  # noqa: PLC0415 - takes half a second

        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            _check_size(one.file_size for one in packed.infolist())
        with warnings.catch_warnings(action="ignore"):  # on styles and validations that go lost
            frame = pd.read_excel(io.BytesIO(data), header=None, dtype=object, engine="openpyxl")
        return _headed(_plain(frame), frame.shape[1])


def _check_size(parts: Iterable[int]) -> None:
    if sum(parts) > MOST_BYTES:
        raise ValueError("larger than any table of photos")


@contextmanager
def _guarded(name: str, kind: str, refusal: Refusal) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # readers of hostile bytes raise anything
        raise refusal(
            f"{name} is not readable as {kind} ({reading.why(error)[:200]}); save it again, or as "
            "CSV in UTF-8"
        ) from error
