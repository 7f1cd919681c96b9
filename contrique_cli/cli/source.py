"""A report, or a list, that a command works on: read, and spoken of."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contrique_cli.cli import console
from contrique_cli.errors import BadReport, NoImagesFound
from contrique_cli.files.reading import why
from contrique_cli.reports.rows import Row
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.errors import Unreadable


def read(source: str) -> list[Row]:
    """The rows of a report, from a file or, for `-`, from standard input.

    Raises:
        BadReport: it cannot be read, or is no report.
    """
    return parse(load(source), source)


def load(source: str) -> bytes:
    """What a file, or for `-` standard input, holds.

    Raises:
        BadReport: it cannot be read.
    """
    is_piped = source == "-"
    try:
        return sys.stdin.buffer.read() if is_piped else Path(source).read_bytes()
    except OSError as error:
        if is_piped:
            raise BadReport(f"standard input cannot be read ({why(error)})") from error
        raise BadReport(
            f"{source} cannot be read ({why(error)}); `contrique score PHOTOS --output FILE` makes "
            "a report"
        ) from error


def parse(data: bytes, source: str) -> list[Row]:
    """The rows of a report that was loaded; see `read`."""
    from contrique_cli.reports import reading

    return reading.read(data, name(source, "report"))


def name(source: str, what: str = "list") -> str:
    """What to call a report, or a list, in messages."""
    return f"the {what} on standard input" if source == "-" else source


def scored(rows: Sequence[Row], report: str) -> list[Row]:
    """The rows of a report that have a score.

    Raises:
        NoImagesFound: there is none.
    """
    found = [row for row in rows if row.score is not None]
    if not found:
        photos = plural(len(rows), "photo")
        raise NoImagesFound(f"{name(report, 'report')} has {photos}, and none with a score")
    return found


def name_missing(missing: Sequence[Unreadable], *, quiet: bool) -> None:
    """Say which photos of a report, or of a list, are not on the disk."""
    if missing and not quiet:
        console.say(f"not there: {plural(len(missing), 'photo')}")
        console.name_some(map(str, missing), len(missing))
