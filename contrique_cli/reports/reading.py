"""Reports read back, whichever kind they are and whatever a spreadsheet did to them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contrique_cli.errors import BadReport
from contrique_cli.files import tables
from contrique_cli.files.tables import Table
from contrique_cli.reports.rows import COLUMNS, FLAW_PREFIX, Row

if TYPE_CHECKING:
    import pandas as pd

ESCAPE = re.compile(r"\\u(dc[89a-f][0-9a-f]|0009|000a|000d|003b|007c)")
"""How CSV shows a byte that is not UTF-8, and what would begin another cell."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def read(data: bytes, name: str) -> list[Row]:
    """The rows of a report, in its order.

    Of a photo listed twice the later row holds, as in a stream that goes on; and a RAW file whose
    JPEG comes later is that one's companion, no longer a photo of its own.

    Args:
        data: the whole report, of any kind that `tables.parse` knows, columns in any order.
        name: of the report, for messages.

    Returns:
        Rows as they were written, with the path as it stands there (see `spellings`). Where there
        are no ranks, raw values and scores together tell the quality; see `Row.quality`.

    Raises:
        BadReport: it is none, or row so-and-so has no path or a score that is no number.
        MissingExtra: see `tables.read`.
    """
    return rows_of(tables.parse(data, name, BadReport), name)


def rows_of(table: Table, name: str) -> list[Row]:
    """The rows of a report from its table; see `read`."""
    if table.is_text:  # reports one after the other, as `cat` joins them, have a header each
        own = table.frame[list(range(len(table.columns)))]
        table = replace(table, frame=table.frame[~(own == list(table.columns)).all(axis=1)])
    if table.frame.empty:
        raise BadReport(f"{name} lists no photo; give a report of `contrique score`")
    cells = {column.lower(): table.frame[index] for index, column in enumerate(table.columns)}
    if {"shard", "member"} <= cells.keys() and "path" not in cells:
        raise BadReport(
            f"{name} is the result of shards, whose pictures are no files of their own: join it by "
            "key, with pandas or jq, or give a report of `contrique score` over photos"
        )
    if missing := [column for column in ("path", "score") if column not in cells]:
        raise BadReport(
            f"{name} has no column {' and no column '.join(missing)} "
            f"(but {', '.join(filter(None, cells))[:200] or 'nothing'}); "
            "give a report of `contrique score`"
        )
    found = _attributes(_Sheet(table=table, cells=cells, name=name))
    kept: dict[Path, int] = {}
    for index, (path, companion) in enumerate(zip(found["path"], found["companion"], strict=True)):
        kept.pop(path, None)
        kept[path] = index
        kept.pop(companion, None)
    raws = found["raw"]
    sign = _direction([(found["score"][index], raws[index]) for index in kept.values()])
    found["quality"] = [None if None in (raw, sign) else raw * sign for raw in raws]
    rows = list(zip(*found.values(), strict=True))
    return [Row(**dict(zip(found, rows[index], strict=True))) for index in kept.values()]


def _direction(known: Sequence[tuple[float | None, float | None]]) -> float | None:
    """1 where raw values rise with the scores beside them, -1 where they fall."""
    both = [(score, raw) for score, raw in known if score is not None and raw is not None]
    if not both:
        return None
    low, high = (pick(both, key=itemgetter(0)) for pick in (min, max))
    return math.copysign(1.0, high[1] - low[1])


def unescape(escape: re.Match[str]) -> str:
    """The character behind one `ESCAPE`."""
    return chr(int(escape[1], 16))


def spellings(path: Path) -> Iterator[Path]:
    """Names that a path in a report may stand for, the likeliest first.

    CSV shows as backslash escapes bytes that are not UTF-8 and what would begin another cell, and
    some programs put an apostrophe before a name that looks like a formula. (The "./" that a report
    puts before such a name is gone already: to `Path` it means nothing.)
    """
    yield path
    text = str(path)
    if ESCAPE.search(text):
        yield Path(ESCAPE.sub(unescape, text))
    if text.startswith("'"):
        yield Path(text[1:])


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """A report's cells by column, in lower case, and its name for messages."""

    table: Table
    cells: Mapping[str, pd.Series]
    name: str

    def read(self, column: str, convert: Callable[[Any], Any]) -> list[Any]:
        """What each row has in a column; None where nothing stands or the column is not there.

        Args:
            column: its name.
            convert: of a cell; by a `ValueError` it says what the cell is not.
        """
        cells = self.cells.get(column)
        if cells is None:
            return [None] * len(self.table.frame)
        found: list[Any] = []
        try:
            for cell in cells:
                found.append(None if tables.is_blank(cell) else convert(cell))  # noqa: PERF401
        except ValueError as problem:
            position = self.table.position(cells.index[len(found)])
            raise BadReport(f"{self.name}, {position}: the {column} {problem}") from None
        return found

    def paths(self, column: str) -> list[Path | None]:
        """The path in each row; every row has its own, and perhaps that of another file."""
        if column not in self.cells:
            return [None] * len(self.table.frame)
        where = f"{self.name}, {self.table.unit}"
        return [
            None if tables.is_blank(cell) and column != "path" else to_path(cell, f"{where} {row}")
            for row, cell in self.cells[column].items()
        ]

    def text(self, cell: Any) -> str | None:
        """A cell that holds text, without what CSV puts before a formula."""
        if not isinstance(cell, str):
            return None
        return cell.removeprefix("'") if self.table.is_text else cell


def _attributes(sheet: _Sheet) -> dict[str, list[Any]]:
    """What each row has, by the names of `Row`'s attributes, but for the quality."""
    found = {name: sheet.paths(name) for name in ("path", "reference", "companion")}
    kinds = {
        _count: ("rank", "width", "height", "burst"),
        tables.number: ("score", "rating", "raw", "flaw_probability"),
        sheet.text: ("flaw", "source", "burst_kind", "note", "error"),
    }
    found |= {name: sheet.read(name, kind) for kind, names in kinds.items() for name in names}
    return found | {
        "is_burst_best": sheet.read("burst_best", _truth),
        "flaws": _flaws(sheet),
    }


def _count(cell: Any) -> int:
    value = tables.number(cell)
    if value < 1 or value != int(value):
        raise ValueError(f"{value:g} is not a whole number from 1")
    return int(value)


def _truth(cell: Any) -> bool | None:
    return _BOOLEANS.get(str(cell).strip().lower())


def _flaws(sheet: _Sheet) -> list[tuple[tuple[str, float], ...]]:
    """The probabilities of flaws in each row."""
    columns = [name for name in sheet.cells if name.startswith(FLAW_PREFIX) and name not in COLUMNS]
    names = [column.removeprefix(FLAW_PREFIX).replace("_", " ") for column in columns]
    rows = zip(*(sheet.read(column, _chance) for column in columns), strict=True)
    return [
        tuple(pair for pair in zip(names, row, strict=True) if pair[1] is not None) for row in rows
    ] or [()] * len(sheet.table.frame)


def _chance(cell: Any) -> float | None:
    """A probability; what else is in columns of flaws, someone's notes, is none."""
    with suppress(ValueError):
        if 0.0 <= (chance := tables.number(cell)) <= 1.0:
            return chance
    return None


def to_path(value: Any, where: str) -> Path:
    """A path from a stranger's file.

    Args:
        value: what stands there.
        where: in words, for the message.

    Raises:
        BadReport: it is no text, or none that a file could be called.
    """
    try:
        if isinstance(value, str) and value and b"\0" not in os.fsencode(value):
            return Path(value)
    except UnicodeEncodeError:  # half a character, which no file system takes
        pass
    raise BadReport(f"{where} has no path that a file could have")
