"""Delimited text of any program to a frame of its cells, which knows what a spreadsheet shows.

On purpose by pandas' parser in Python: it refuses what it cannot take apart, such as text behind a
quote, where the quick one takes that in. It does not always say which row that is, and must know
how wide a table is before it reads one; both are found out here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ";\t|,"
"""What stands between cells; in this order where a first row has as many cells by one as by
another, since decimal commas come between semicolons and not the other way round. Blanks count
where there are none."""

MOST_COLUMNS = 16_384
"""Columns of a table at most, as of a sheet in Excel."""

MOST_CELLS, MOST_CELLS_EACH = 4_000_000, 4
"""Cells of a table at most, and as many again for each character of its text: a frame has room for
those that short rows lack, too, so that a small file could take gigabytes."""

MOST_SURPLUS = 16
"""Cells that a row may have beyond the names of columns, as decimal commas without quotes make."""

_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[ ;,\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


def read(text: str) -> tuple[pd.DataFrame, int]:
    """Take text apart.

    A first line such as `sep=;`, which Excel writes and does not show, names the separator.

    Returns:
        Every row, also a blank one, as str and None for what a short one lacks; and how many of its
        columns the first row that is not blank has, which should name them.

    Raises:
        ValueError: it is no table; what to say of the file, such as ", row 3: not readable ...".
    """
    import pandas as pd  # noqa: PLC0415 - takes half a second

    told = _SEPARATOR_LINE.match(text)
    if told is not None:
        text = text[told.end() :]
    if not text.strip():
        raise ValueError(" is empty; its first line must name the columns, as in path,mos")
    separator = _separator(text) if told is None else told[1]
    head = _head(text, separator)
    most = max(map(len, head)) + MOST_SURPLUS
    if is_too_large(text.count("\n") + text.count("\r"), most, len(text)):
        raise ValueError(" is larger than any table of photos; give another file")
    try:
        frame = pd.read_csv(
            io.StringIO(text, newline=""),
            engine="python",
            sep=separator,
            skipinitialspace=separator == " ",
            skip_blank_lines=False,  # they count
            header=None,
            names=range(most),
            dtype=object,
            na_filter=False,
        )
    except ValueError as error:
        row = _broken(text, separator, most)
        raise ValueError(
            f", row {row}: not readable as CSV ({error}); mend or remove that row"
        ) from error
    return frame, len(head[-1])


def is_too_large(rows: int, columns: int, characters: int) -> bool:
    """Whether a frame would take far more memory than the text of any table of photos does."""
    most = MOST_CELLS + MOST_CELLS_EACH * characters
    return columns > MOST_COLUMNS or rows * columns > most


def _separator(text: str) -> str:
    headers = {one: _head(text, one)[-1] for one in SEPARATORS}
    best = max(SEPARATORS, key=lambda one: len(headers[one]))
    return " " if len(headers[best]) == 1 and len(headers[best][0].split()) > 1 else best


def _head(text: str, separator: str) -> list[list[str]]:
    """Rows up to the first that is not blank: a frame's width must be known before it is read."""
    head = []
    with suppress(csv.Error):
        for row in _rows(text, separator):
            head.append(row)
            if any(cell.strip(SEPARATORS).strip() for cell in row):
                return head
    return [*head, [""]]


def _broken(text: str, separator: str, most: int) -> int:
    """Number of the row that cannot be taken apart or has too many cells; pandas counts others."""
    number = 1
    with suppress(csv.Error):
        for row in _rows(text, separator):
            if len(row) > most:
                break
            number += 1
    return number


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline="")
    is_padded = separator == " "
    return csv.reader(lines, delimiter=separator, skipinitialspace=is_padded, strict=True)
