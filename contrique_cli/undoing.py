"""Take moves back, the last one first, where nothing has changed since."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from contrique_cli import transfer
from contrique_cli.undofile import Move

RESTORED, BACK, COPIED, FAILED = "restored", "back", "copied", "failed"
"""What became of a move: taken back; there already; a copy, which stays; not possible."""

CLOCK_NS = 2 * 10**9
"""By how much a time of modification may differ: FAT keeps it in steps of two seconds."""


def undo(
    moves: Sequence[Move], *, is_dry_run: bool = False
) -> Iterator[tuple[Move, str, str | None]]:
    """Move files back to where they came from.

    Args:
        moves: see `undofile.read`.
        is_dry_run: look at everything and move nothing.

    Yields:
        Each move, the last first, with one of the four words above and, if failed, the reason.
    """
    for move in reversed(moves):
        try:
            yield move, *_undo(move, is_dry_run=is_dry_run)
        except FileExistsError:
            yield move, FAILED, f"{move.source} is taken"
        except OSError as error:
            yield move, FAILED, (error.strerror or str(error)).lower()


def _undo(move: Move, *, is_dry_run: bool) -> tuple[str, str | None]:
    if move.is_copy:
        return COPIED, None
    is_home, is_away = os.path.lexists(move.source), os.path.lexists(move.target)
    if not is_away:
        if is_home and _is_same(move.source, move):
            return BACK, None
        return FAILED, "it is no longer there"
    if not _is_same(move.target, move):
        return FAILED, "it has changed since"
    if is_home and not os.path.samestat(move.source.lstat(), move.target.lstat()):
        return FAILED, f"{move.source} is taken"
    if not is_dry_run:
        if is_home:  # killed between its two names: a move gives the second before it takes one
            move.target.unlink()
        else:
            move.source.parent.mkdir(parents=True, exist_ok=True)
            transfer.move(move.target, move.source)
    return RESTORED, None


def _is_same(path: Path, move: Move) -> bool:
    status = path.lstat()
    return status.st_size == move.size and abs(status.st_mtime_ns - move.mtime_ns) <= CLOCK_NS
