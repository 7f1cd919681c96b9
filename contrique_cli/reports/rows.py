"""Report rows: ranked, selected, and written as CSV, JSON or JSON Lines that anything can read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contrique_cli.config import Selection

SCHEMA = 1
"""Version of the columns and of the JSON around them; raised when one changes its meaning."""

COLUMNS = [
    *"rank path score flaw flaw_probability raw width height source".split(),
    *"burst burst_best note error".split(),
]
"""Of every report, in this order; `reference` comes second in full-reference reports."""

SCORE_DIGITS = 2
RAW_DIGITS = 6
PROBABILITY_DIGITS = 3

_FORMULA_STARTS = (
    *"=+-@\t\r\n\0",
    *"\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}",
    *"\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}",
)
_CELL_WITHIN = re.compile(rf"([;\t|\r\n])(?=[\s\"']*[{re.escape(''.join(_FORMULA_STARTS))}])")
"""What begins another cell, and there a formula, where a spreadsheet expects another separator or
takes a quote in mid-line for none."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One photo in a report.

    Attributes:
        rank: 1 for the best of the run; None while unranked or without a score.
        path: as found.
        score: 0-100, higher is better; None where the photo could not be scored.
        raw: the regressor's own value, on the scale and in the direction it was fitted on.
        flaw: the dominant flaw, "none" where none is seen with confidence; None where the encoder
            has no flaw probe.
        flaw_probability: of that flaw (or of none), in [0, 1].
        width, height: of the file, in upright pixels.
        source: what was decoded: "photo", or of a RAW file its "preview" or "raw" sensor data.
        burst: number of the group of near-duplicates it belongs to; None outside of groups.
        is_burst_best: whether it is the best of its group; None outside of groups.
        note: what is wrong with a photo that has a score all the same: parts of it are missing.
        error: why there is no score.
        reference: the photo compared with, in a full-reference report.
    """

    path: Path
    rank: int | None = None
    score: float | None = None
    raw: float | None = None
    flaw: str | None = None
    flaw_probability: float | None = None
    width: int | None = None
    height: int | None = None
    source: str | None = None
    burst: int | None = None
    is_burst_best: bool | None = None
    note: str | None = None
    error: str | None = None
    reference: Path | None = None


def rank(rows: Iterable[Row], selection: Selection | None = None) -> list[Row]:
    """Best first, equal scores by path, rows without a score last.

    A row keeps the rank it has among all rows, whichever the selection shows. A selection that
    leaves rows out also leaves out those without a score.
    """
    selection = selection or Selection()
    rows = list(rows)
    scored = sorted(
        (row for row in rows if row.score is not None),
        key=lambda row: (-(row.score or 0.0), str(row.path)),
    )
    ranked = [replace(row, rank=place) for place, row in enumerate(scored, start=1)]
    if selection.reverse:
        ranked.reverse()
    ranked = [row for row in ranked if is_within(row, selection)][: selection.top]
    failed = [] if selection.is_partial else [row for row in rows if row.score is None]
    return ranked + sorted(failed, key=lambda row: str(row.path))


def is_within(row: Row, selection: Selection) -> bool:
    """Whether a row's score, as printed, is within bounds, and none of its burst is better."""
    if selection.burst_best_only and row.is_burst_best is False:
        return False
    if row.score is None:
        return not selection.is_partial
    score, low, high = printed(row.score), selection.min_score, selection.max_score
    return (low is None or score >= low) and (high is None or score <= high)


def absolute(row: Row) -> Row:
    """The same row under the absolute path of its photo; links are not followed."""
    return replace(row, path=row.path.absolute())


def printed(score: float) -> float:
    """A score with the digits that reports show, so that a bound copied from one holds."""
    return round(score, SCORE_DIGITS)


def to_csv(rows: Sequence[Row]) -> bytes:
    """UTF-8 CSV with a header line.

    A cell that a spreadsheet could take for a formula is made harmless: a path gets "./" in front,
    which names the same file, other text an apostrophe. Within a cell the separator that would
    let one begin, for a reader of semicolons, say, and the bytes of a name that are not UTF-8
    appear as backslash escapes.
    """
    columns = _columns(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        cells = _cells(row)
        line = [_harmless(name, cells[name]) for name in columns]
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in line)
        (quoting if has_return else writer).writerow(line)  # Python 3.11 leaves "\r" unquoted
    return text.getvalue().encode("utf-8", "backslashreplace")


def to_json(rows: Sequence[Row], about: Mapping[str, Any]) -> bytes:
    """One JSON document: `schema`, what `about` says of the run, and `photos`, a list of rows."""
    columns = _columns(rows)
    photos = [{name: _cells(row)[name] for name in columns} for row in rows]
    document = {"schema": SCHEMA, **about, "photos": photos}
    return (_dump(document, indent=2) + "\n").encode("utf-8", "backslashreplace")


def to_json_line(row: Row) -> bytes:
    """One row as one line of JSON."""
    cells = _cells(row)
    line = {name: cells[name] for name in _columns([row])}
    return (_dump(line) + "\n").encode("utf-8", "backslashreplace")


def to_bytes(rows: Sequence[Row], file_format: str, about: Mapping[str, Any]) -> bytes:
    """A whole report as "csv", "json" or "jsonl"."""
    if file_format == "csv":
        return to_csv(rows)
    if file_format == "json":
        return to_json(rows, about)
    return b"".join(map(to_json_line, rows))


def _columns(rows: Sequence[Row]) -> list[str]:
    names = list(COLUMNS)
    if any(row.reference is not None for row in rows):
        names.insert(1, "reference")
    return names


def _cells(row: Row) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "path": str(row.path),
        "score": None if row.score is None else printed(row.score),
        "raw": None if row.raw is None else round(row.raw, RAW_DIGITS),
        "flaw": row.flaw,
        "flaw_probability": None
        if row.flaw_probability is None
        else round(row.flaw_probability, PROBABILITY_DIGITS),
        "width": row.width,
        "height": row.height,
        "source": row.source,
        "burst": row.burst,
        "burst_best": row.is_burst_best,
        "note": row.note,
        "error": row.error,
        "reference": None if row.reference is None else str(row.reference),
    }


def _harmless(column: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    is_path = column in ("path", "reference")
    if value.startswith(_FORMULA_STARTS):
        value = f"./{value}" if is_path else f"'{value}"
    return _CELL_WITHIN.sub(lambda found: f"\\u{ord(found[1]):04x}", value)


def _dump(value: Any, indent: int | None = None) -> str:
    # A name that is not UTF-8 holds lone surrogates; `backslashreplace` then writes them as the
    # very escapes that JSON has for them, so that a reader gets the name back exactly.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
