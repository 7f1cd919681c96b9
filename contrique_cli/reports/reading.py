"""Reports read back: CSV, JSON and JSON Lines to rows, whatever a spreadsheet did to them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from contrique_cli.errors import BadReport
from contrique_cli.reports.rows import Row

_ESCAPE = re.compile(r"\\udc([89a-f][0-9a-f])")  # how CSV shows a byte that is not UTF-8
_DELIMITERS = ",;\t"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read(data: bytes, name: str) -> list[Row]:
    """The rows of a report, in its order.

    The form is told by the content: a brace begins JSON or JSON Lines, anything else is CSV with
    commas, semicolons or tabs, in any order of columns. Of a photo listed twice the later row
    holds, as in a stream that goes on.

    Args:
        data: the whole report: UTF-8, or UTF-16 with a byte order mark.
        name: of the report, for messages.

    Returns:
        Rows with the path as written (see `spellings`), score, flaw and error.

    Raises:
        BadReport: it is none, or line so-and-so has no path or a score that is no number.
    """
    text = _decode(data, name)
    is_json = text.lstrip()[:1] in ("{", "[")
    records = _json_records(text, name) if is_json else _csv_records(text, name)
    rows: dict[str, Row] = {}
    for place, record in records:
        row = _row(record, f"{name}, {place}", is_json=is_json)
        rows.pop(str(row.path), None)
        rows[str(row.path)] = row
    if not rows:
        raise BadReport(f"{name} lists no photo; give a report of `contrique score`")
    return list(rows.values())


def spellings(path: Path) -> Iterator[Path]:
    """Names that a path in a report may stand for, the likeliest first.

    CSV shows bytes that are not UTF-8 as backslash escapes, and some programs put an apostrophe
    before a name that looks like a formula. (The "./" that a report puts before such a name is
    gone already: to `Path` it means nothing.)
    """
    yield path
    text = str(path)
    if _ESCAPE.search(text):
        yield Path(_ESCAPE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), text))
    if text.startswith("'"):
        yield Path(text[1:])


def _decode(data: bytes, name: str) -> str:
    codec = next((codec for mark, codec in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise BadReport(
            f"{name} is not {codec.upper()} text; save it as CSV UTF-8, or give the original"
        ) from error


def _csv_records(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    names = [(column or "").strip().lower() for column in table.fieldnames or []]
    if missing := [column for column in ("path", "score") if column not in names]:
        raise BadReport(
            f"{name} has no column {' and no column '.join(missing)} "
            f"(but {', '.join(filter(None, names))[:200] or 'nothing'}); "
            "give a report of `contrique score`"
        )
    table.fieldnames = names
    try:
        for record in table:
            yield f"line {table.line_num}", record
    except csv.Error as error:
        raise BadReport(f"{name}, line {table.line_num}: {error}") from error


def _json_records(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document: Any = json.loads(text)
    except RecursionError as error:
        raise BadReport(f"{name} is nested too deeply for a report") from error
    except ValueError:
        document = None
    if isinstance(document, dict) and "photos" not in document:
        document = [document]  # JSON Lines of one line
    if isinstance(document, dict):
        document = document["photos"]
    if document is None:
        yield from _json_lines(text, name)
    elif isinstance(document, list):
        yield from ((f"photo {number}", one) for number, one in enumerate(document, start=1))
    else:
        raise BadReport(f"{name}: `photos` is not a list; give a report of `contrique score`")


def _json_lines(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadReport(
                    f"{name}, line {number} is not JSON ({error}); mend or remove that line"
                ) from error


def _row(record: Any, place: str, *, is_json: bool) -> Row:
    if not isinstance(record, dict):
        raise BadReport(f"{place} is not a row of a report")
    path = record.get("path")
    if not isinstance(path, str) or not path or "\0" in path:
        raise BadReport(f"{place} has no path")
    return Row(
        path=Path(path),
        score=_score(record.get("score"), place),
        flaw=_text(record.get("flaw"), is_json=is_json),
        error=_text(record.get("error"), is_json=is_json),
    )


def _score(value: Any, place: str) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        score = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        score = math.nan
    if isinstance(value, bool) or not math.isfinite(score):
        raise BadReport(f"{place}: the score {str(value)[:40]!r} is not a number")
    return score


def _text(value: Any, *, is_json: bool) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value if is_json else value.removeprefix("'")
