"""Photos of a report chosen by bounds, flaws and counts, found on the disk, and put elsewhere."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contrique_cli.collection import transfer
from contrique_cli.collection.placement import COPY, MOVE, Placement
from contrique_cli.collection.undo import Journal
from contrique_cli.config import Pick
from contrique_cli.errors import BadReport, Unreadable
from contrique_cli.reports import reading
from contrique_cli.reports.rows import Row, printed


def choose(rows: Iterable[Row], pick: Pick) -> list[Row]:
    """The photos that pass every condition, best first, equal scores by path.

    Conditions on the photo itself come first (bounds, flaw), then the best of each folder, then
    the best of those. A share counts all scored photos of the report, whatever else is asked.

    Args:
        rows: of a report; those without a score are never taken.
        pick: the conditions.

    Raises:
        BadReport: a flaw is asked for and the report knows none.
    """
    scored = [row for row in rows if row.score is not None]
    if pick.flaws and scored and all(row.flaw is None for row in scored):
        raise BadReport(
            "the report's column flaw is empty, so --flaw cannot choose; "
            "score again with a model that has a flaw probe, or leave --flaw out"
        )
    scored.sort(key=lambda row: (-_score(row), str(row.path)))
    if pick.reverse:
        scored.reverse()
    passing = [row for row in scored if _passes(row, pick)]
    return _first_of_each_folder(passing, pick.per_folder)[: pick.limit(len(scored))]


def _score(row: Row) -> float:
    return printed(row.score or 0.0)


def _passes(row: Row, pick: Pick) -> bool:
    score = _score(row)
    return (
        (pick.min_score is None or score >= pick.min_score)
        and (pick.max_score is None or score <= pick.max_score)
        and (not pick.flaws or row.flaw in pick.flaws)
    )


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
        paths: existing regular files, each once, in the order of the rows.
        missing: the others, each with a reason.
    """

    paths: list[Path]
    missing: list[Unreadable]


def locate(rows: Sequence[Row], base: Path | None) -> Located:
    """Find the photos that rows name.

    Args:
        rows: chosen ones.
        base: folder that relative paths start from; None for the current one.

    Raises:
        BadReport: not one of them exists.
    """
    found: dict[str, Path] = {}
    missing = []
    for row in rows:
        path = _existing(row.path, base)
        try:
            mode = path.stat().st_mode
        except OSError as error:
            missing.append(Unreadable(path, (error.strerror or str(error)).lower()))
            continue
        if stat.S_ISREG(mode):
            found.setdefault(os.path.abspath(path), path)  # noqa: PTH100 - takes ".." out as well
        else:
            missing.append(Unreadable(path, "not a regular file"))
    if rows and not found:
        raise BadReport(
            f"none of the {len(rows):,} photos chosen is there, such as {missing[0]}; paths in the "
            f"report start from {base or 'the current folder'}: give --base, the folder it was "
            "made in"
        )
    return Located(paths=list(found.values()), missing=missing)


def _existing(path: Path, base: Path | None) -> Path:
    """The first spelling of a path that exists, or the likeliest."""
    start = Path() if base is None else base
    paths = [start / spelling for spelling in reading.spellings(path)]
    return next((one for one in paths if os.path.lexists(one)), paths[0])


def place(
    placements: Iterable[Placement], *, root: Path, journal: Journal | None
) -> Iterator[tuple[Placement, str | None]]:
    """Carry out a plan, file by file.

    Args:
        placements: see `placement.plan`.
        root: see `transfer.link`.
        journal: where moves are written down before they are made.

    Yields:
        Each placement with None, or with the reason why it failed; the rest goes on.

    Raises:
        CannotWrite: a move could not be written down, so it was not made.
    """
    for one in placements:
        reason = None
        try:
            if not one.is_there:
                _place(one, root, journal)
        except FileExistsError:
            reason = f"{one.target} came to stand in its way; run again"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
        yield one, reason


def _place(one: Placement, root: Path, journal: Journal | None) -> None:
    if journal is not None:
        journal.record(one.source, one.target, is_copy=one.operation != MOVE)
    if one.operation == MOVE:
        transfer.move(one.source, one.target)
    elif one.operation == COPY:
        transfer.copy(one.source, one.target)
    else:
        transfer.link(one.source, one.target, root=root)
