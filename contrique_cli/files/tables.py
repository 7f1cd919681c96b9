"""Delimited text of any spreadsheet: encoding marks, separator, rows with their lines."""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Iterator
from pathlib import Path

from contrique_cli.errors import BadLabels

SEPARATORS = (",", ";", "\t")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def parse(table: Path) -> tuple[str, Iterator[tuple[int, list[str]]]]:
    """The separator, and the rows that are not blank with the line each begins on."""
    text = _text(table)
    if not text.strip():
        raise BadLabels(f"{table} is empty; its first line must name the columns, as in path,mos")
    header = next(line for line in text.splitlines() if line.strip())
    separator = max(SEPARATORS, key=lambda one: len(next(csv.reader([header], delimiter=one))))
    return separator, _rows(table, text, separator)


def _rows(table: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadLabels(f"{table}, line {line}: not readable as CSV ({error})") from error


def _text(table: Path) -> str:
    try:
        if not stat.S_ISREG(table.stat().st_mode):
            raise BadLabels(f"{table} is not a file; give the CSV file with the opinion scores")
        data = table.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadLabels(f"{table} cannot be read: {reason}") from error
    encoding = "utf-16" if data.startswith(_UTF_16_MARKS) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadLabels(
            f"{table} is not UTF-8 text (line {line}); save the table as CSV in UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadLabels(f"{table} is not a text file (line {line}); save the table as CSV in UTF-8")
    return text
