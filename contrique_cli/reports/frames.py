"""Reports as pandas' data frames, with numbers that are numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contrique_cli.errors import BadReport
from contrique_cli.files import tables
from contrique_cli.reports import reading, rows

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {"int64": "Int64", "bool": "boolean", "double": "float64"}
"""Types of Parquet's columns to those of pandas; the others hold text, or None."""


def read_report(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A report of any format as a frame: a row per photo, in the order of the report.

    Args:
        path: a report of `contrique score` or `compare`, also one that a spreadsheet saved.

    Returns:
        The columns of reports, numbers and booleans with gaps as pandas' nullable kinds, text as
        str or None; which model made it in `attrs`, where JSON or Parquet say so.

    Raises:
        BadReport: it cannot be opened or is no report; says which row, where it is one.
        MissingExtra: see `tables.read`.
    """
    table = tables.read(Path(path), BadReport)
    found = reading.rows_of(table, os.fspath(path))
    cells = [rows.cells(row) for row in found]
    columns = {name: [one.get(name) for one in cells] for name in rows.columns(found)}
    return to_frame(columns, table.facts)


def to_frame(columns: Mapping[str, Sequence[Any]], facts: Mapping[str, Any]) -> pd.DataFrame:
    """Columns of reports as a frame.

    Args:
        columns: values by name, None for what is missing.
        facts: what is to be said of the whole, as `attrs`.
    """
    import pandas as pd  # noqa: PLC0415 - takes half a second

    series = {
        name: pd.Series(list(values), dtype=_KINDS.get(rows.kind(name), "object"))
        for name, values in columns.items()
    }
    frame = pd.DataFrame(series)
    frame.attrs = dict(facts)
    return frame
