"""Take photos of a report: find them on the disk, and copy, move or link them one by one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contrique_cli import reportfile, transfer
from contrique_cli.errors import BadReport, Unreadable
from contrique_cli.placement import COPY, MOVE, Placement
from contrique_cli.report import Row
from contrique_cli.undofile import Journal


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
    paths = [start / spelling for spelling in reportfile.spellings(path)]
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
