"""Opinion scores: a table to labels, with complaints that name the row."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from contrique_cli.config import Opinions
from contrique_cli.errors import BadLabels
from contrique_cli.files import reading, tables
from contrique_cli.files.tables import Position, Table
from contrique_cli.photos.finding import EXTENSIONS

if TYPE_CHECKING:
    import pandas as pd

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

_ROWS_NAMED = 8


class _Kind(NamedTuple):
    """What a column holds, in words, under which usual names, and the option that names it.

    `fits` tells by its content a cell of a table whose first row does not name the columns.
    """

    what: str
    names: frozenset[str]
    option: str
    fits: Callable[[Any], bool]


def _is_number(cell: Any) -> bool:
    return not math.isnan(_number(cell))


def _is_photo(cell: Any) -> bool:
    return Path(_text(cell)).suffix.lower() in EXTENSIONS


_PHOTOS = _Kind("photos", PATH_NAMES, "--path-column", _is_photo)
_SCORES = _Kind("opinion scores", MOS_NAMES, "--mos-column", _is_number)


@dataclass(frozen=True, kw_only=True)
class Label:
    """One photo with its opinion score.

    Attributes:
        position: of its row in the table; the first one where a photo stands in several.
        path: of the photo; it was there when the table was read.
        mos: on the table's own scale; the mean where a photo stands in several rows.
        group: photos of one group belong together; None without groups.
        reference: the undistorted photo; None without references.
    """

    position: Position
    path: Path
    mos: float
    group: str | None = None
    reference: Path | None = None


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A row of the table that takes no part, and why."""

    position: Position
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.position}: {self.path}: {self.reason}"


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

    Any kind that `tables.read` knows, with decimal points or commas. Where the first row holds a
    photo and a score instead of names, it is one of the rows, and columns are called by number.

    Args:
        table: a file whose first row names the columns.
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
    indices = {
        "path": _find(table, header, path_column, _PHOTOS, first),
        "mos": _find(table, header, mos_column, _SCORES, first),
        "group": _named(table, header, group_column, "--group"),
        "reference": _named(table, header, reference_column, "--reference-column"),
    }
    columns = {name: index for name, index in indices.items() if index is not None}
    if columns["path"] == columns["mos"]:
        name = header[columns["mos"]]
        raise BadLabels(f"{table}: photo and score cannot both be in column {name}")
    opinions = _opinions(table, found, columns, has_header=first is None)
    if opinions.empty:
        raise BadLabels(f"{table} names its columns but holds no rows; add a line for each photo")
    folder = photos or table.parent
    for name in ("path", "reference"):
        opinions[name] = [None if text is None else folder / text for text in opinions[name]]
    opinions, repeated = _merge_repeated(table, opinions, found.unit)
    there, left_out = _sort_out_missing(opinions, found)
    group = columns.get("group", columns.get("reference"))
    return Labels(
        rows=there,
        left_out=left_out,
        notes=[*notes, *repeated, *_hints(header, columns, is_told=lower_is_better)],
        mos_column=header[columns["mos"]],
        group_column=None if group is None else header[group],
    )


# ---------------------------------------------------------------------------------- columns


def _number_columns(found: Table) -> tuple[Sequence[Any] | None, list[str]]:
    """The first row where it names no columns but holds a photo and a score, as lists do."""
    is_named = any(_plain(cell) in PATH_NAMES | MOS_NAMES for cell in found.columns)
    is_row = any(map(_is_photo, found.columns)) and any(map(_is_number, found.columns))
    if found.header.empty or is_named or not is_row:
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


def _hints(header: Sequence[str], columns: Mapping[str, int], *, is_told: bool) -> Iterator[str]:
    name = header[columns["mos"]]
    if not is_told and _plain(name).startswith("dmos"):
        yield (
            f"The scores are called {name} and taken as better when higher, as in KADID-10k; in "
            "LIVE, CSIQ and most others a DMOS is better when lower, which --lower-is-better says."
        )
    if "group" not in columns and "reference" not in columns:
        groups = [cell for cell in header if _plain(cell) in GROUP_NAMES]
        if groups:
            yield (
                f"The column {groups[0]} looks like groups: --group {groups[0]} would keep photos "
                "of one group together, for more honest figures."
            )


# ---------------------------------------------------------------------------------- rows


def _opinions(
    table: Path, found: Table, columns: Mapping[str, int], *, has_header: bool
) -> pd.DataFrame:
    """Path, score, group and reference of every row; None for those the table does not have."""
    import pandas as pd  # noqa: PLC0415 - takes half a second

    cells = found.frame if has_header else pd.concat([found.header, found.frame])
    text = {number: [_text(cell) for cell in cells[number]] for number in cells}
    opinions = pd.DataFrame(
        {name: text.get(columns.get(name)) for name in ("path", "mos", "group", "reference")},
        index=cells.index,
        dtype=object,  # the kind for text that pandas would take refuses half a character
    )
    opinions["mos"] = [_number(cell) for cell in cells[columns["mos"]]]
    surplus = [text[number] for number in cells if number >= len(found.columns)]
    is_long = [any(row) for row in zip(*surplus, strict=True)] or False
    wrong = {
        "too few columns": cells[[*columns.values()]].isna().any(axis=1) & found.is_text,
        "more cells than columns (a decimal comma without quotes?)": pd.Series(
            is_long, cells.index
        ),
        "no photo named": opinions["path"] == "",
        "the score is not a number": opinions["mos"].isna(),
        "the score is no opinion but an absurd number": opinions["mos"].abs() > MOST_OPINION,
        "no reference named": opinions["reference"] == "",
        "no group named": opinions["group"] == "",
    }
    fine = cells.index
    complaints = []
    for what, is_wrong in wrong.items():
        if len(rows := fine[is_wrong[fine]]):
            complaints.append(f"{what}: {_rows(rows, found.unit)}")
            fine = fine.difference(rows)
    if complaints:
        raise BadLabels(f"{table}: {'; '.join(complaints)}; mend or remove these rows")
    if "group" not in columns:
        opinions["group"] = opinions["reference"]
    return opinions


def _number(cell: Any) -> float:
    try:
        return tables.number(cell)
    except ValueError:
        return math.nan


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _rows(numbers: Sequence[int], unit: str) -> str:
    """`row 3`, `rows 3, 7` or `rows 3, 7, ... (120 in all)`."""
    named = ", ".join(str(number) for number in numbers[:_ROWS_NAMED])
    if len(numbers) > _ROWS_NAMED:
        named += f", ... ({len(numbers)} in all)"
    return f"{unit}{'' if len(numbers) == 1 else 's'} {named}"


def _merge_repeated(
    table: Path, opinions: pd.DataFrame, unit: str
) -> tuple[pd.DataFrame, list[str]]:
    """One row per photo (and reference), with the mean of its scores.

    On purpose not two rows: one photo on both sides of a split would flatter every figure.
    """
    photo = ["path", "reference"]
    repeated = opinions[opinions.duplicated(photo, keep=False)]
    if repeated.empty:
        return opinions, []
    together = repeated.groupby(photo, sort=False, dropna=False)
    for (path, _), same in together:
        if len(set(same["group"])) > 1:
            rows = _rows(same.index, unit)
            raise BadLabels(f"{table}: {path} is in more than one group: {rows}")
    opinions.loc[repeated.index, "mos"] = together["mos"].transform("mean")
    several = together.ngroups
    note = (
        f"{several} photo{'s stand' if several > 1 else ' stands'} in more than one {unit}; the "
        f"mean of the scores counts: {_rows(repeated.index, unit)}."
    )
    return opinions.drop_duplicates(photo), [note]


def _sort_out_missing(opinions: pd.DataFrame, found: Table) -> tuple[list[Label], list[LeftOut]]:
    there, left_out = [], []
    absence = cache(_absence)  # a reference stands in many rows
    for number, path, mos, group, reference in opinions.itertuples(name=None):
        position = found.position(number)
        reason = absence(path)
        if reason is None and reference is not None and absence(reference) is not None:
            reason = f"reference {reference}: {absence(reference)}"
        if reason is None:
            there.append(
                Label(position=position, path=path, mos=mos, group=group, reference=reference)
            )
        else:
            left_out.append(LeftOut(position=position, path=path, reason=reason))
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
