"""Opinion scores: a CSV file to labels, with complaints that name the line.

On purpose the standard library's csv, not pandas: it knows the line of every row, also behind
quoted line breaks and blank lines, and pandas took half a second to import for nothing else.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from contrique_cli.config import Opinions
from contrique_cli.errors import BadLabels
from contrique_cli.files import tables

PATH_NAMES = frozenset(
    "path file filename file_name file_names filepath file_path image image_name image_path "
    "imagename img img_name img_path name photo dist_img distorted".split()
)
"""Columns that hold the photo, in lower case, with underscores for blanks and hyphens."""

MOS_NAMES = frozenset(
    "mos dmos score scores opinion opinion_score mean mean_opinion_score quality quality_score "
    "rating ratings mean_rating".split()
)
"""Columns that hold the opinion."""

GROUP_NAMES = frozenset("group scene content reference ref ref_img reference_image".split())
"""Columns that look like groups; only a note, since to group or not is the user's choice."""
_LINES_NAMED = 8


class _Kind(NamedTuple):
    """What a column holds, in words, under which usual names, and the option that names it."""

    what: str
    names: frozenset[str]
    option: str


_PHOTOS = _Kind("photos", PATH_NAMES, "--path-column")
_SCORES = _Kind("opinion scores", MOS_NAMES, "--mos-column")


@dataclass(frozen=True, kw_only=True)
class Label:
    """One photo with its opinion score.

    Attributes:
        line: of the table, counted from 1; the first one where a photo stands on several.
        path: of the photo; it was there when the table was read.
        mos: on the table's own scale; the mean where a photo stands on several lines.
        group: photos of one group belong together; None without groups.
        reference: the undistorted photo; None without references.
    """

    line: int
    path: Path
    mos: float
    group: str | None = None
    reference: Path | None = None


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A row of the table that takes no part, and why."""

    line: int
    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What a table holds.

    Attributes:
        rows: one per photo that is there, in the order of the table.
        left_out: rows whose photo, or reference, is not there.
        notes: what the user should know, a sentence each.
        mos_column: name of the column the scores came from.
        group_column: of the groups; the reference's where none was named; None without groups.
    """

    rows: Sequence[Label]
    left_out: Sequence[LeftOut]
    notes: Sequence[str]
    mos_column: str
    group_column: str | None


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Places of the columns in a row."""

    path: int
    mos: int
    group: int | None
    reference: int | None

    @property
    def last(self) -> int:
        places = (self.path, self.mos, self.group, self.reference)
        return max(place for place in places if place is not None)


def read_opinions(opinions: Opinions) -> Labels:
    """Read a table as the user described it.

    Raises:
        BadLabels: see `read`.
    """
    return read(
        opinions.table,
        photos=opinions.photos,
        path_column=opinions.path_column,
        mos_column=opinions.mos_column,
        group_column=opinions.group_column,
        reference_column=opinions.reference_column,
    )


def read(
    table: Path,
    *,
    photos: Path | None = None,
    path_column: str | None = None,
    mos_column: str | None = None,
    group_column: str | None = None,
    reference_column: str | None = None,
) -> Labels:
    """Read a table of photos and opinion scores.

    UTF-8 or UTF-16 text; separated by commas, semicolons or tabs; with decimal points or, where
    the separator is no comma, decimal commas. Blank lines are skipped.

    Args:
        table: a CSV file whose first line names the columns.
        photos: folder that relative paths start from; by default the table's own.
        path_column, mos_column: by default found among `PATH_NAMES` and `MOS_NAMES`.
        group_column: photos of one group are never split; by default the reference's.
        reference_column: path of the undistorted photo.

    Raises:
        BadLabels: not such a table, columns that cannot be found, or rows that make no sense.
    """
    separator, rows = tables.parse(table)
    header = next(rows, (0, []))[1]
    columns = _Columns(
        path=_find(table, header, path_column, _PHOTOS),
        mos=_find(table, header, mos_column, _SCORES),
        group=_named(table, header, group_column, "--group"),
        reference=_named(table, header, reference_column, "--reference-column"),
    )
    if columns.path == columns.mos:
        raise BadLabels(f"{table}: photo and score cannot both be in column {header[columns.mos]}")
    number = _decimal_comma if separator != "," else float
    labels = _labels(table, rows, columns, photos or table.parent, number)
    if not labels:
        raise BadLabels(f"{table} names its columns but holds no rows; add a line for each photo")
    labels, notes = _merge_repeated(table, labels)
    there, left_out = _sort_out_missing(labels)
    notes += _hints(header, columns)
    group = columns.reference if columns.group is None else columns.group
    return Labels(
        rows=there,
        left_out=left_out,
        notes=notes,
        mos_column=header[columns.mos],
        group_column=None if group is None else header[group],
    )


# ---------------------------------------------------------------------------------- columns


def _find(table: Path, header: list[str], name: str | None, kind: _Kind) -> int:
    """Place of the column with this name, or of the only one with a usual name."""
    place = _named(table, header, name, kind.option)
    if place is not None:
        return place
    places = [index for index, cell in enumerate(header) if _plain(cell) in kind.names]
    if len(places) == 1:
        return places[0]
    there = ", ".join(header)
    if places:
        several = " and ".join(header[index] for index in places)
        raise BadLabels(
            f"{table}: the {kind.what} could be in {several}; name one with {kind.option} "
            f"(columns: {there})"
        )
    hint = ""
    if any(_is_number(cell) for cell in header):
        hint = "; its first line must name the columns, as in path,mos"
    raise BadLabels(
        f"{table}: no column with a usual name holds the {kind.what}; name it with "
        f"{kind.option} (columns: {there}){hint}"
    )


def _named(table: Path, header: list[str], name: str | None, option: str) -> int | None:
    if name is None:
        return None
    for places in (
        [index for index, cell in enumerate(header) if cell == name],
        [index for index, cell in enumerate(header) if _plain(cell) == _plain(name)],
    ):
        if len(places) == 1:
            return places[0]
        if places:
            raise BadLabels(f"{table} has {len(places)} columns called {name}; rename one")
    raise BadLabels(f"{table} has no column {name} ({option}); it has: {', '.join(header)}")


def _plain(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _hints(header: list[str], columns: _Columns) -> list[str]:
    notes = []
    if _plain(header[columns.mos]).startswith("dmos"):
        notes.append(
            f"The scores are called {header[columns.mos]}: in most collections a DMOS is better "
            "when lower, which --lower-is-better says."
        )
    if columns.group is None and columns.reference is None:
        groups = [cell for cell in header if _plain(cell) in GROUP_NAMES]
        if groups:
            notes.append(
                f"The column {groups[0]} looks like groups: --group {groups[0]} would keep photos "
                "of one group together, for more honest figures."
            )
    return notes


# ---------------------------------------------------------------------------------- rows


def _labels(
    table: Path,
    rows: Iterable[tuple[int, list[str]]],
    columns: _Columns,
    folder: Path,
    number: Callable[[str], float],
) -> list[Label]:
    """Every row as a label, whether its photo is there or not."""
    labels: list[Label] = []
    complaints: dict[str, list[int]] = {}
    for line, cells in rows:
        try:
            labels.append(_label(line, cells, columns, folder, number))
        except ValueError as error:
            complaints.setdefault(str(error), []).append(line)
    if complaints:
        said = "; ".join(f"{what}: {_lines(lines)}" for what, lines in complaints.items())
        raise BadLabels(f"{table}: {said}; mend or remove these rows")
    return labels


def _label(
    line: int,
    cells: list[str],
    columns: _Columns,
    folder: Path,
    number: Callable[[str], float],
) -> Label:
    if len(cells) <= columns.last:
        raise ValueError("too few columns")
    if not cells[columns.path]:
        raise ValueError("no photo named")
    try:
        mos = number(cells[columns.mos])
    except ValueError:
        raise ValueError("the score is not a number") from None
    if not math.isfinite(mos):
        raise ValueError("the score is not a number")
    reference = None if columns.reference is None else cells[columns.reference]
    if reference == "":
        raise ValueError("no reference named")
    group = reference if columns.group is None else cells[columns.group]
    if group == "":
        raise ValueError("no group named")
    return Label(
        line=line,
        path=_join(folder, cells[columns.path]),
        mos=mos,
        group=group,
        reference=None if reference is None else _join(folder, reference),
    )


def _join(folder: Path, name: str) -> Path:
    return folder / name


def _decimal_comma(cell: str) -> float:
    return float(cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell)


def _lines(lines: Sequence[int]) -> str:
    """`line 3`, `lines 3, 7` or `lines 3, 7, ... (120 in all)`."""
    named = ", ".join(str(line) for line in lines[:_LINES_NAMED])
    if len(lines) > _LINES_NAMED:
        named += f", ... ({len(lines)} in all)"
    return f"{'line' if len(lines) == 1 else 'lines'} {named}"


def _merge_repeated(table: Path, labels: list[Label]) -> tuple[list[Label], list[str]]:
    """One label per photo (and reference), with the mean of its scores.

    On purpose not two rows: one photo on both sides of a split would flatter every figure.
    """
    together: dict[tuple[Path, Path | None], list[Label]] = {}
    for label in labels:
        together.setdefault((label.path, label.reference), []).append(label)
    repeated = [same for same in together.values() if len(same) > 1]
    if not repeated:
        return labels, []
    for same in repeated:
        if len({label.group for label in same}) > 1:
            lines = _lines([label.line for label in same])
            raise BadLabels(f"{table}: {same[0].path} is in more than one group: {lines}")
    merged = [
        replace(same[0], mos=math.fsum(label.mos for label in same) / len(same))
        for same in together.values()
    ]
    lines = _lines([label.line for same in repeated for label in same])
    note = (
        f"{len(repeated)} photo{'s stand' if len(repeated) > 1 else ' stands'} on more than one "
        f"line; the mean of the scores counts: {lines}."
    )
    return merged, [note]


def _sort_out_missing(labels: list[Label]) -> tuple[list[Label], list[LeftOut]]:
    there, left_out = [], []
    known: dict[Path, str | None] = {}  # a reference stands on many rows
    for label in labels:
        for path in (label.path, label.reference):
            if path is None:
                continue
            if path not in known:
                known[path] = _absence(path)
            reason = known[path]
            if reason is not None:
                if path is label.reference:
                    reason = f"reference {path}: {reason}"
                left_out.append(LeftOut(line=label.line, path=label.path, reason=reason))
                break
        else:
            there.append(label)
    return there, left_out


def _absence(path: Path) -> str | None:
    """Why a photo cannot be opened at all; None when it is there."""
    try:
        is_regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError as error:
        return str(error)
    return None if is_regular else "not a regular file"
