"""Reports read back, whichever kind they are and whatever a spreadsheet did to them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from contrique_cli.errors import BadReport
from contrique_cli.files import tables
from contrique_cli.files.tables import Table
from contrique_cli.reports.rows import COLUMNS, FLAW_PREFIX, Row

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
        BadReport: it is none, or line so-and-so has no path or a score that is no number.
        MissingExtra: see `tables.read`.
    """
    return rows_of(tables.parse(data, name, BadReport), name)


def rows_of(table: Table, name: str) -> list[Row]:
    """The rows of a report from its table; see `read`."""
    if not table.rows:
        raise BadReport(f"{name} lists no photo; give a report of `contrique score`")
    names = [column.lower() for column in table.columns]
    if missing := [column for column in ("path", "score") if column not in names]:
        raise BadReport(
            f"{name} has no column {' and no column '.join(missing)} "
            f"(but {', '.join(filter(None, names))[:200] or 'nothing'}); "
            "give a report of `contrique score`"
        )
    rows: dict[str, Row] = {}
    for number, cells in table.rows:
        record = dict(zip(names, cells, strict=False))
        row = _row(record, f"{name}, {table.unit} {number}", is_text=table.is_text)
        rows.pop(str(row.path), None)
        rows[str(row.path)] = row
        rows.pop(str(row.companion), None)
    return _with_quality(list(rows.values()))


def _with_quality(rows: list[Row]) -> list[Row]:
    """The direction of the raw values is that in which the scores rise."""
    known = [row for row in rows if row.score is not None and row.raw is not None]
    if not known:
        return rows
    low, high = (pick(known, key=lambda row: row.score or 0.0) for pick in (min, max))
    sign = math.copysign(1.0, (high.raw or 0.0) - (low.raw or 0.0))
    return [row if row.raw is None else replace(row, quality=sign * row.raw) for row in rows]


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


def _row(record: Mapping[str, Any], where: str, *, is_text: bool) -> Row:
    def text(name: str) -> str | None:
        value = record.get(name)
        if not isinstance(value, str) or not value:
            return None
        return value.removeprefix("'") if is_text else value

    def number(name: str) -> float | None:
        value = record.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            return tables.number(value)
        except ValueError:
            shown = str(value)[:40]
            raise BadReport(f"{where}: the {name} {shown!r} is not a number") from None

    def count(name: str) -> int | None:
        value = number(name)
        if value is not None and (value < 1 or value != int(value)):
            raise BadReport(f"{where}: the {name} {value:g} is not a whole number from 1")
        return None if value is None else int(value)

    def other(name: str) -> Path | None:
        value = record.get(name)
        return None if value in (None, "") else to_path(value, where)

    return Row(
        path=to_path(record.get("path"), where),
        reference=other("reference"),
        rank=count("rank"),
        score=number("score"),
        rating=number("rating"),
        raw=number("raw"),
        flaw=text("flaw"),
        flaw_probability=number("flaw_probability"),
        flaws=_flaws(record),
        width=count("width"),
        height=count("height"),
        source=text("source"),
        burst=count("burst"),
        is_burst_best=_BOOLEANS.get(str(record.get("burst_best")).strip().lower()),
        burst_kind=text("burst_kind"),
        companion=other("companion"),
        note=text("note"),
        error=text("error"),
    )


def _flaws(record: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Probabilities of flaws; what else is in columns so called, someone's notes, is none."""
    found = []
    for name, value in record.items():
        if not name.startswith(FLAW_PREFIX) or name in COLUMNS or value is None:
            continue
        with suppress(ValueError):
            if 0.0 <= (chance := tables.number(value)) <= 1.0:
                found.append((name.removeprefix(FLAW_PREFIX).replace("_", " "), chance))
    return tuple(found)


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
