"""Opinion scores: a table to labels, with complaints that name the line."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from contrique_cli.config import Opinions
from contrique_cli.errors import BadLabels
from contrique_cli.files import reading, tables
from contrique_cli.files.tables import Table
from contrique_cli.photos.finding import EXTENSIONS

PATH_NAMES = frozenset(
    "path file filename file_name file_names filepath file_path image image_name image_path "
    "imagename img img_name img_path name name_image photo dist_img dist_name distorted".split()
)
"""Columns that hold the photo, in lower case, with underscores for blanks and hyphens."""

MOS_NAMES = frozenset(
    "mos mos_image dmos elo_score score scores opinion opinion_score mean mean_opinion_score "
    "quality quality_score rating ratings mean_rating".split()
)
"""Columns that hold the opinion."""

GROUP_NAMES = frozenset(
    "group scene content reference ref ref_img ref_name hq_name reference_image".split()
)
"""Columns that look like groups; only a note, since to group or not is the user's choice."""

MOST_OPINION = 1e9
"""Largest score of either sign; sums of larger ones would overflow."""

_LINES_NAMED = 8


class _Kind(NamedTuple):
    """What a column holds, in words, under which usual names, and the option that names it.

    `fits` tells by its content a cell of a table whose first line does not name the columns.
    """

    what: str
    names: frozenset[str]
    option: str
    fits: Callable[[Any], bool]


def _is_number(cell: Any) -> bool:
    try:
        tables.number(cell)
    except ValueError:
        return False
    return True


def _is_photo(cell: Any) -> bool:
    return Path(_text(cell)).suffix.lower() in EXTENSIONS


_PHOTOS = _Kind("photos", PATH_NAMES, "--path-column", _is_photo)
_SCORES = _Kind("opinion scores", MOS_NAMES, "--mos-column", _is_number)


@dataclass(frozen=True, kw_only=True)
class Label:
    """One photo with its opinion score.

    Attributes:
        line: of the table, or row of a sheet, counted from 1; the first one where a photo stands
            on several.
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
    """Numbers of the columns in a row, from 0, and how many there are."""

    count: int
    path: int
    mos: int
    group: int | None
    reference: int | None

    @property
    def last(self) -> int:
        used = (self.path, self.mos, self.group, self.reference)
        return max(number for number in used if number is not None)


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
        lower_is_better=opinions.lower_is_better,
    )


def read(
    table: Path,
    *,
    photos: Path | None = None,
    path_column: str | None = None,
    mos_column: str | None = None,
    group_column: str | None = None,
    reference_column: str | None = None,
    lower_is_better: bool = False,
) -> Labels:
    """Read a table of photos and opinion scores.

    Any kind that `tables.read` knows, with decimal points or commas. Where the first line holds a
    photo and a score instead of names, it is the first row, and columns are called by number.

    Args:
        table: a file whose first line names the columns.
        photos: folder that relative paths start from; by default the table's own.
        path_column, mos_column: by default found among `PATH_NAMES` and `MOS_NAMES`.
        group_column: photos of one group are never split; by default the reference's.
        reference_column: path of the undistorted photo.
        lower_is_better: the direction of the scores was given, and needs no hint.

    Raises:
        BadLabels: not such a table, columns that cannot be found, or rows that make no sense.
    """
    found = tables.read(table, BadLabels)
    first, notes = _number_columns(found)
    header = found.columns if first is None else [str(n + 1) for n in range(len(first))]
    columns = _Columns(
        count=len(header),
        path=_find(table, header, path_column, _PHOTOS, first),
        mos=_find(table, header, mos_column, _SCORES, first),
        group=_named(table, header, group_column, "--group"),
        reference=_named(table, header, reference_column, "--reference-column"),
    )
    if columns.path == columns.mos:
        raise BadLabels(f"{table}: photo and score cannot both be in column {header[columns.mos]}")
    rows = [*found.rows] if first is None else [(found.header, first), *found.rows]
    labels = _labels(table, rows, columns, photos or table.parent, found.unit)
    if not labels:
        raise BadLabels(f"{table} names its columns but holds no rows; add a line for each photo")
    labels, repeated = _merge_repeated(table, labels)
    there, left_out = _sort_out_missing(labels)
    group = columns.reference if columns.group is None else columns.group
    return Labels(
        rows=there,
        left_out=left_out,
        notes=[*notes, *repeated, *_hints(header, columns, is_told=lower_is_better)],
        mos_column=header[columns.mos],
        group_column=None if group is None else header[group],
    )


# ---------------------------------------------------------------------------------- columns


def _number_columns(found: Table) -> tuple[Sequence[Any] | None, list[str]]:
    """The first row where it names no columns but holds a photo and a score, as lists do."""
    is_named = any(_plain(cell) in PATH_NAMES | MOS_NAMES for cell in found.columns)
    is_row = any(map(_is_photo, found.columns)) and any(map(_is_number, found.columns))
    if found.header == 0 or is_named or not is_row:
        return None, []
    note = (
        f"The first {found.unit} names no columns but is taken for a photo; columns are called by "
        "number, from 1."
    )
    return found.columns, [note]


def _find(
    table: Path, header: Sequence[str], name: str | None, kind: _Kind, first: Sequence[Any] | None
) -> int:
    """Number of the column with this name, or of the only one with a usual name or content."""
    named = _named(table, header, name, kind.option)
    if named is not None:
        return named
    if first is None:
        numbers = [index for index, cell in enumerate(header) if _plain(cell) in kind.names]
    else:
        numbers = [index for index, cell in enumerate(first) if kind.fits(cell)]
    if len(numbers) == 1:
        return numbers[0]
    there = ", ".join(header)
    if numbers:
        several = " and ".join(header[index] for index in numbers)
        raise BadLabels(
            f"{table}: the {kind.what} could be in {several}; name one with {kind.option} "
            f"(columns: {there})"
        )
    hint = ""
    if any(map(_is_number, header)):
        hint = "; its first line must name the columns, as in path,mos"
    raise BadLabels(
        f"{table}: no column with a usual name holds the {kind.what}; name it with "
        f"{kind.option} (columns: {there}){hint}"
    )


def _named(table: Path, header: Sequence[str], name: str | None, option: str) -> int | None:
    if name is None:
        return None
    for numbers in (
        [index for index, cell in enumerate(header) if cell == name],
        [index for index, cell in enumerate(header) if _plain(cell) == _plain(name)],
    ):
        if len(numbers) == 1:
            return numbers[0]
        if numbers:
            raise BadLabels(f"{table} has {len(numbers)} columns called {name}; rename one")
    raise BadLabels(f"{table} has no column {name} ({option}); it has: {', '.join(header)}")


def _plain(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def _hints(header: Sequence[str], columns: _Columns, *, is_told: bool) -> Iterator[str]:
    if not is_told and _plain(header[columns.mos]).startswith("dmos"):
        yield (
            f"The scores are called {header[columns.mos]} and taken as better when higher, as in "
            "KADID-10k; in LIVE, CSIQ and most others a DMOS is better when lower, which "
            "--lower-is-better says."
        )
    if columns.group is None and columns.reference is None:
        groups = [cell for cell in header if _plain(cell) in GROUP_NAMES]
        if groups:
            yield (
                f"The column {groups[0]} looks like groups: --group {groups[0]} would keep photos "
                "of one group together, for more honest figures."
            )


# ---------------------------------------------------------------------------------- rows


def _labels(
    table: Path,
    rows: Sequence[tuple[int, Sequence[Any]]],
    columns: _Columns,
    folder: Path,
    unit: str,
) -> list[Label]:
    """Every row as a label, whether its photo is there or not."""
    labels: list[Label] = []
    complaints: dict[str, list[int]] = {}
    for line, cells in rows:
        try:
            labels.append(_label(line, cells, columns, folder))
        except ValueError as error:
            complaints.setdefault(str(error), []).append(line)
    if complaints:
        said = "; ".join(f"{what}: {_lines(lines, unit)}" for what, lines in complaints.items())
        raise BadLabels(f"{table}: {said}; mend or remove these rows")
    return labels


def _label(line: int, cells: Sequence[Any], columns: _Columns, folder: Path) -> Label:
    if len(cells) <= columns.last:
        raise ValueError("too few columns")
    if any(map(_text, cells[columns.count :])):
        raise ValueError("more cells than columns (a decimal comma without quotes?)")
    path = _text(cells[columns.path])
    if not path:
        raise ValueError("no photo named")
    try:
        mos = tables.number(cells[columns.mos])
    except ValueError:
        raise ValueError("the score is not a number") from None
    if abs(mos) > MOST_OPINION:
        raise ValueError("the score is no opinion but an absurd number")
    reference = None if columns.reference is None else _text(cells[columns.reference])
    if reference == "":
        raise ValueError("no reference named")
    group = reference if columns.group is None else _text(cells[columns.group])
    if group == "":
        raise ValueError("no group named")
    return Label(
        line=line,
        path=folder / path,
        mos=mos,
        group=group,
        reference=None if reference is None else folder / reference,
    )


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _lines(lines: Sequence[int], unit: str = tables.LINE) -> str:
    """`line 3`, `lines 3, 7` or `lines 3, 7, ... (120 in all)`."""
    named = ", ".join(str(line) for line in lines[:_LINES_NAMED])
    if len(lines) > _LINES_NAMED:
        named += f", ... ({len(lines)} in all)"
    return f"{unit}{'' if len(lines) == 1 else 's'} {named}"


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
        return reading.why(error)
    except ValueError as error:
        return str(error)
    return None if is_regular else "not a regular file"
