"""Photos of a report chosen by bounds, flaws and counts, found on the disk, and put elsewhere."""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contrique_cli.collection import transfer
from contrique_cli.collection.placement import COPY, MOVE, Placement
from contrique_cli.collection.undo import UndoFile
from contrique_cli.config import Condition, Pick
from contrique_cli.errors import BadReport, Unreadable
from contrique_cli.files import writing
from contrique_cli.files.reading import why
from contrique_cli.photos import kinds
from contrique_cli.reports import reading
from contrique_cli.reports.rows import (
    FLAW_PREFIX,
    Row,
    best_first,
    cells,
    columns,
    kind,
    printed,
)
from contrique_cli.words import plural

_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


def choose(rows: Iterable[Row], pick: Pick) -> list[Row]:
    """The photos that pass every condition, best first; see `rows.best_first`.

    Conditions on the photo itself come first (bounds, flaw), then the best of each folder, then
    the best of those. A share counts all scored photos of the report, whatever else is asked.

    Args:
        rows: of a report; those without a score are never taken.
        pick: the conditions.

    Raises:
        BadReport: a flaw, or a column, is asked for and the report knows none.
    """
    scored = [row for row in rows if row.score is not None]
    if pick.flaws and scored and all(row.flaw is None for row in scored):
        raise BadReport(
            "the report's column flaw is empty, so --flaw cannot choose; "
            "score again with a model that has a flaw probe, or leave --flaw out"
        )
    names = {condition.column for condition in pick.conditions} | ({pick.by} if pick.by else set())
    _check_columns(scored, names)
    scored.sort(key=best_first)
    if pick.reverse:
        scored.reverse()
    if pick.by is not None:
        scored = _sorted_by(scored, pick.by, is_reversed=pick.reverse)
    passing = [row for row in scored if _passes(row, pick)]
    return _first_of_each_folder(passing, pick.per_folder)[: pick.limit(len(scored))]


def _passes(row: Row, pick: Pick) -> bool:
    score = printed(row.score or 0.0)
    return (
        (pick.min_score is None or score >= pick.min_score)
        and (pick.max_score is None or score <= pick.max_score)
        and (not pick.flaws or row.flaw in pick.flaws)
        and not (pick.burst_best_only and row.is_burst_best is False)
        and all(_holds(cells(row).get(one.column), one) for one in pick.conditions)
    )


def _check_columns(rows: Sequence[Row], names: set[str]) -> None:
    known = columns(rows)
    missing = sorted(names - set(known))
    if rows and missing:
        flaw = missing[0].startswith(FLAW_PREFIX)
        advice = "`contrique score --flaws` has those of flaws" if flaw else ", ".join(known)
        raise BadReport(f"the report has no column {missing[0]}: {advice}")


def _sorted_by(rows: list[Row], column: str, *, is_reversed: bool) -> list[Row]:
    """The best by a column first, those without a value last; equal ones stay in their order."""
    if kind(column) not in ("int64", "double"):
        raise BadReport(f"--by {column}: it holds no numbers; give one such as score or width")
    is_least_first = column == "rank" or column.startswith(FLAW_PREFIX)
    sign = 1.0 if is_least_first != is_reversed else -1.0
    values = [(cells(row).get(column), row) for row in rows]
    known = [(value, row) for value, row in values if value is not None]
    if values and not known:
        raise BadReport(f"--by {column}: no photo of the report has a {column}; give another")
    known.sort(key=lambda one: sign * one[0])
    return [row for _, row in known] + [row for value, row in values if value is None]


def _holds(value: Any, condition: Condition) -> bool:
    """Whether a value is as a condition wants it; what is missing differs from everything."""
    wanted = condition.value
    if isinstance(wanted, float):
        if not isinstance(value, int | float):
            return condition.sign == "!="
    else:
        value, wanted = _word(value), wanted.casefold()
    return _SIGNS[condition.sign](value, wanted)


def _word(value: Any) -> str:
    return "" if value is None else str(value).casefold()


def _first_of_each_folder(rows: list[Row], limit: int | None) -> list[Row]:
    seen: Counter[str] = Counter()
    taken = []
    for row in rows:
        folder = str(row.path.parent)
        seen[folder] += 1
        if limit is None or seen[folder] <= limit:
            taken.append(row)
    return taken


@dataclass(frozen=True, kw_only=True)
class Located:
    """Photos of a report on the disk.

    Attributes:
        rows: those whose photo is there, each file once, in their order, with the path under which
            it was found, and that of its companion.
        missing: the others, each with a reason.
    """

    rows: list[Row]
    missing: list[Unreadable]

    @property
    def paths(self) -> list[Path]:
        """Where the photos lie, each before its companion."""
        return [path for row in self.rows for path in row.files]

    @property
    def companions(self) -> dict[Path, Path]:
        """The companion of each photo that has one."""
        return {row.path: row.companion for row in self.rows if row.companion is not None}


def locate(rows: Sequence[Row], base: Path | None) -> Located:
    """Find the photos that rows name; what is no photo by content is none of them.

    Args:
        rows: chosen ones.
        base: folder that relative paths start from, before the current one; None for that alone.

    Raises:
        BadReport: not one of them exists.
    """
    found: dict[str, Row] = {}
    missing = []
    for row in rows:
        path = _located(row.path, base)
        if isinstance(path, Unreadable):
            missing.append(path)
        else:
            found.setdefault(_key(path), replace(row, path=path))
    taken = set(found)
    for key, row in found.items():
        companion = None if row.companion is None else _located(row.companion, base)
        if isinstance(companion, Unreadable):
            missing.append(companion)
            companion = None
        elif companion is not None and _key(companion) in taken:  # a photo of its own as well
            companion = None
        elif companion is not None:
            taken.add(_key(companion))
        found[key] = replace(row, companion=companion)
    if rows and not found:
        raise BadReport(
            f"of {plural(len(rows), 'chosen photo')} none is there, such as {missing[0]}; paths in "
            f"the report start from {base or 'the current folder'}: give --base, the folder it "
            "was made in"
        )
    return Located(rows=list(found.values()), missing=missing)


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - takes ".." out as well


def _located(path: Path, base: Path | None) -> Path | Unreadable:
    """A path of a report as it is on the disk, or why no photo is there."""
    path = _existing(path, base)
    try:
        return path if kinds.is_photo(path) else Unreadable(path, "not a photo")
    except Unreadable as problem:
        return problem
    except (OSError, ValueError) as error:
        return Unreadable(path, why(error))


def check_inside(paths: Sequence[Path], base: Path | None) -> None:
    """Refuse files outside of the folder that the user works in: a stranger may have named them.

    Args:
        paths: to be copied, moved or linked.
        base: that folder; None for the current one.

    Raises:
        BadReport: some lie outside.
    """
    top = Path(os.path.realpath(base or Path()))
    folders = {path: Path(os.path.realpath(path.parent)) for path in paths}
    outside = [path for path, folder in folders.items() if not folder.is_relative_to(top)]
    if outside:
        folder = os.path.commonpath([folders[path] for path in outside])
        raise BadReport(
            f"outside of {'the current folder' if base is None else base}: {len(outside):,} of "
            f"{plural(len(paths), 'chosen photo')}, such as {outside[0]}: if you trust the report, "
            f"give --base, a folder that holds them all, such as {folder}"
        )


def _existing(path: Path, base: Path | None) -> Path:
    """The first spelling of a path that exists, below `base` or as it is, or the likeliest."""
    starts = [Path()] if base is None else [base, Path()]
    paths = [start / spelling for start in starts for spelling in reading.spellings(path)]
    return next((one for one in paths if _is_there(one)), paths[0])


def _is_there(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def carry_out(
    placements: Sequence[Placement], *, root: Path, undo_file: UndoFile | None
) -> Iterator[tuple[Placement, str | None]]:
    """Carry out a plan, file by file.

    Args:
        placements: see `placement.plan`.
        root: see `transfer.link`.
        undo_file: where moves are written down before they are made.

    Yields:
        Each placement with None, or with the reason why it failed; the rest goes on.

    Raises:
        CannotWrite: a move could not be written down, so it was not made.
    """
    for folder in {one.target.parent for one in placements}:
        writing.sweep(folder)
    for one in placements:
        reason = None
        try:
            if not one.is_there:
                _carry_out(one, root, undo_file)
        except FileExistsError:
            reason = f"{one.target} came to stand in its way; run again"
        except OSError as error:
            reason = why(error)
        yield one, reason


def _carry_out(one: Placement, root: Path, undo_file: UndoFile | None) -> None:
    if undo_file is not None:
        undo_file.record(one.source, one.target, is_copy=one.operation != MOVE)
    if one.operation == MOVE:
        transfer.move(one.source, one.target)
    elif one.operation == COPY:
        transfer.copy(one.source, one.target)
    else:
        transfer.link(one.source, one.target, root=root)
