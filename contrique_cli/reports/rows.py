"""Report rows: ranked, and written as CSV, JSON, JSON Lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contrique_cli.files import tables

SCHEMA = 1
"""Version of the columns and of the JSON around them; raised when one changes its meaning."""

COLUMNS = [
    *"rank path score rating flaw flaw_probability raw width height source".split(),
    *"burst burst_best burst_kind companion note error".split(),
]
"""Columns of every report, in this order; `reference` comes second in full-reference reports."""

KINDS = dict.fromkeys("rank width height burst".split(), "int64")
KINDS |= dict.fromkeys("score rating flaw_probability raw".split(), "double") | {
    "burst_best": "bool"
}
"""What the columns that do not hold text hold, in Parquet's words."""

FLAW_PREFIX = "flaw_"
"""Start of the columns that hold the probability of one flaw each, such as flaw_blur."""

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
        rating: a person's stars, 1 to 5, or -1 for a rejected photo; None where nobody gave any.
        raw: the regressor's own value, on the scale and in the direction it was fitted on.
        quality: the same, unclipped as well, turned so that higher is better; it ranks photos whose
            scores are equal, and is in no column. None where the direction is not known.
        flaw: the dominant flaw, "none" where none is seen with confidence; None where the encoder
            has no flaw probe.
        flaw_probability: of that flaw (or of none), in [0, 1].
        flaws: each flaw with its probability, whether it is the dominant one or not; none where
            the encoder has no flaw probe, or the report does not say.
        width, height: of the file, in upright pixels.
        source: what was decoded: "photo", or of a RAW file its "preview" or "raw" sensor data.
        burst: number of the group of near-duplicates it belongs to; None outside of groups.
        is_burst_best: whether it is the best of its burst; None outside of bursts.
        burst_kind: what its group is: "burst", "bracket" or "panorama"; None outside of groups.
        companion: the other file of the same shot: the RAW file of a JPEG that was scored.
        note: what is wrong with a photo that has a score all the same: parts of it are missing.
        error: why there is no score.
        reference: the photo compared with, in a full-reference report.
    """

    path: Path
    rank: int | None = None
    score: float | None = None
    rating: float | None = None
    raw: float | None = None
    quality: float | None = None
    flaw: str | None = None
    flaw_probability: float | None = None
    flaws: tuple[tuple[str, float], ...] = ()
    width: int | None = None
    height: int | None = None
    source: str | None = None
    burst: int | None = None
    is_burst_best: bool | None = None
    burst_kind: str | None = None
    companion: Path | None = None
    note: str | None = None
    error: str | None = None
    reference: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The photo and, where it has one, its companion."""
        return (self.path,) if self.companion is None else (self.path, self.companion)


def best_first(row: Row) -> tuple[float, float, float, str]:
    """Sorting key of rows with a score, ranked or not.

    Scores are clipped at both ends and reports round them: the rank of a report read back, else
    the quality behind the score, orders those that are equal; the path those that still are.
    """
    return (
        -(row.score or 0.0),
        math.inf if row.rank is None else row.rank,
        -(row.quality or 0.0),
        str(row.path),
    )


def rank(rows: Iterable[Row]) -> list[Row]:
    """Best first (see `best_first`), rows without a score last."""
    rows = list(rows)
    scored = sorted((row for row in rows if row.score is not None), key=best_first)
    failed = sorted((row for row in rows if row.score is None), key=lambda row: str(row.path))
    return [replace(row, rank=number) for number, row in enumerate(scored, start=1)] + failed


def printed(score: float) -> float:
    """A score with the digits that reports show, so that a bound copied from one holds."""
    return round(score, SCORE_DIGITS)


def to_csv(rows: Sequence[Row], *, has_flaws: bool = False) -> bytes:
    """UTF-8 CSV with a header line, and without a column for every flaw unless told.

    A cell that a spreadsheet could take for a formula is made harmless: a path gets "./" in front,
    which names the same file, other text an apostrophe. Within a cell the separator that would
    let one begin, for a reader of semicolons, say, and the bytes of a name that are not UTF-8
    appear as backslash escapes.
    """
    names = columns(rows, has_flaws=has_flaws)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    for row in rows:
        found = cells(row)
        line = [harmless(name, found.get(name)) for name in names]
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in line)
        (quoting if has_return else writer).writerow(line)  # Python 3.11 leaves "\r" unquoted
    return text.getvalue().encode("utf-8", "backslashreplace")


def to_json(rows: Sequence[Row], about: Mapping[str, Any]) -> bytes:
    """One JSON document: `schema`, what `about` says of the run, and `photos`, a list of rows."""
    names = columns(rows)
    photos = [{name: found.get(name) for name in names} for found in map(cells, rows)]
    document = {"schema": SCHEMA, **about, "photos": photos}
    return (_dump(document, indent=2) + "\n").encode("utf-8", "backslashreplace")


def to_json_line(row: Row) -> bytes:
    """One row as one line of JSON."""
    found = cells(row)
    line = {name: found[name] for name in columns([row])}
    return (_dump(line) + "\n").encode("utf-8", "backslashreplace")


def to_parquet(rows: Sequence[Row], about: Mapping[str, Any]) -> bytes:
    """A Parquet file with `schema` and what `about` says of the run as metadata, under `contrique`.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    pa, parquet = tables.arrow()
    found = [cells(row) for row in rows]
    table = pa.table(
        {
            name: pa.array([_utf8(one.get(name)) for one in found], pa.type_for_alias(kind(name)))
            for name in columns(rows)
        }
    ).replace_schema_metadata({"contrique": json.dumps({"schema": SCHEMA, **about})})
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def to_bytes(
    rows: Sequence[Row], file_format: str, about: Mapping[str, Any], *, has_flaws: bool = False
) -> bytes:
    """A whole report as "csv", "json", "jsonl" or "parquet".

    Args:
        rows, about: see `to_json`.
        file_format: one of the four.
        has_flaws: whether CSV has a column for every flaw, too.
    """
    if file_format == "csv":
        return to_csv(rows, has_flaws=has_flaws)
    if file_format == "parquet":
        return to_parquet(rows, about)
    if file_format == "json":
        return to_json(rows, about)
    return b"".join(map(to_json_line, rows))


def kind(column: str) -> str:
    """What a column holds, in Parquet's words."""
    return KINDS.get(column, "double" if column.startswith(FLAW_PREFIX) else "string")


def columns(rows: Sequence[Row], *, has_flaws: bool = True) -> list[str]:
    """Names of the columns of a report; those of each flaw follow that of the dominant one's."""
    names = list(COLUMNS)
    if has_flaws:
        flaws = dict.fromkeys(flaw_column(name) for row in rows for name, _ in row.flaws)
        column = names.index("flaw_probability") + 1
        names[column:column] = [name for name in flaws if name not in COLUMNS]
    if any(row.reference is not None for row in rows):
        names.insert(1, "reference")
    return names


def flaw_column(flaw: str) -> str:
    """Name of the column of a flaw's probability, such as flaw_motion_blur."""
    return FLAW_PREFIX + flaw.replace(" ", "_")


def cells(row: Row) -> dict[str, Any]:
    """What a row holds in each column, with the digits that reports show."""
    flaws = {flaw_column(name): round(chance, PROBABILITY_DIGITS) for name, chance in row.flaws}
    return flaws | {
        "rank": row.rank,
        "path": str(row.path),
        "score": None if row.score is None else printed(row.score),
        "raw": None if row.raw is None else round(row.raw, RAW_DIGITS),
        "rating": _short(row.rating),
        "flaw": row.flaw,
        "flaw_probability": None
        if row.flaw_probability is None
        else round(row.flaw_probability, PROBABILITY_DIGITS),
        "width": row.width,
        "height": row.height,
        "source": row.source,
        "burst": row.burst,
        "burst_best": row.is_burst_best,
        "burst_kind": row.burst_kind,
        "companion": None if row.companion is None else str(row.companion),
        "note": row.note,
        "error": row.error,
        "reference": None if row.reference is None else str(row.reference),
    }


def _short(number: float | None) -> float | None:
    """The same number, a whole one as people write it."""
    return int(number) if number is not None and number.is_integer() else number


def _utf8(value: Any) -> Any:
    """Parquet's text is UTF-8; other bytes of a name become backslash escapes, as in CSV."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def harmless(column: str, value: Any) -> Any:
    """The cell so that no spreadsheet takes it for a formula."""
    if not isinstance(value, str):
        return value
    is_path = column in ("path", "reference", "companion")
    if value.startswith(_FORMULA_STARTS):
        value = f"./{value}" if is_path else f"'{value}"
    return _CELL_WITHIN.sub(lambda found: f"\\u{ord(found[1]):04x}", value)


def _dump(value: Any, indent: int | None = None) -> str:
    # A name that is not UTF-8 holds lone surrogates; `backslashreplace` then writes them as the
    # very escapes that JSON has for them, so that a reader gets the name back exactly.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
