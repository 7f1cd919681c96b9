"""Undo files: a line of JSON before each move, from which moves are taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from contrique_cli.collection import transfer
from contrique_cli.errors import BadReport, CannotWrite

FORMAT, VERSION = "contrique-undo", 1
"""What the first line of an undo file says."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """One file on its way.

    Attributes:
        source, target: absolute paths, from and to.
        size: of the file, in bytes.
        mtime_ns: its time of modification, in nanoseconds.
        is_copy: whether the original was to stay, as a sidecar that others share does.
    """

    source: Path
    target: Path
    size: int
    mtime_ns: int
    is_copy: bool = False


class Journal:
    """An undo file being written."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.path = path
        self._file = file
        self._write({"format": FORMAT, "version": VERSION})

    def record(self, source: Path, target: Path, *, is_copy: bool = False) -> None:
        """Write down a move that is about to be made; it is on the disk when this returns.

        Raises:
            CannotWrite: the disk is full, say; the move must not be made then.
            OSError: the source is not there.
        """
        status = source.lstat()
        self._write(
            {
                "operation": "copy" if is_copy else "move",
                "from": str(source.absolute()),
                "to": str(target.absolute()),
                "size": status.st_size,
                "mtime_ns": status.st_mtime_ns,
            }
        )

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write((json.dumps(line) + "\n").encode("ascii"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise CannotWrite(
                f"{self.path} cannot be written ({(error.strerror or str(error)).lower()}); no "
                "file was moved after its last line: free space, or choose another --undo-file"
            ) from error


@contextmanager
def create(path: Path) -> Iterator[Journal]:
    """Begin an undo file.

    Raises:
        CannotWrite: something stands at `path`, or the folder cannot be written to.
    """
    try:
        file = path.open("xb")
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be made ({(error.strerror or str(error)).lower()}); "
            "give another --undo-file"
        ) from error
    with file:
        yield Journal(file, path)


def free_path(folder: Path, moment: str) -> Path:
    """A name for a new undo file in `folder`, which need not exist yet."""
    path, number = folder / f"{FORMAT}-{moment}.jsonl", 1
    while os.path.lexists(path):
        number += 1
        path = folder / f"{FORMAT}-{moment}-{number}.jsonl"
    return path


def read(path: Path) -> list[Move]:
    """The moves in an undo file, in their order.

    A last line that was cut off is left out: its move had not begun.

    Raises:
        BadReport: it cannot be read, is no undo file, or a line in it is damaged.
    """
    try:
        *lines, _cut = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BadReport(
            f"{path} cannot be read ({(error.strerror or str(error)).lower()})"
        ) from error
    if not lines or _parse(lines[0]) != {"format": FORMAT, "version": VERSION}:
        raise BadReport(f"{path} is not an undo file of `contrique select` that this version knows")
    moves = []
    for number, line in enumerate(lines[1:], start=2):
        move = _to_move(_parse(line))
        if move is None:
            raise BadReport(f"{path}, line {number} is damaged; mend it, or remove that line")
        moves.append(move)
    return moves


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _to_move(record: Any) -> Move | None:
    if not isinstance(record, dict) or record.get("operation") not in ("move", "copy"):
        return None
    paths = [record.get("from"), record.get("to")]
    numbers = [record.get("size"), record.get("mtime_ns")]
    if not all(isinstance(path, str) and Path(path).is_absolute() for path in paths):
        return None
    if not all(type(number) is int for number in numbers):
        return None
    return Move(
        source=Path(record["from"]),
        target=Path(record["to"]),
        size=record["size"],
        mtime_ns=record["mtime_ns"],
        is_copy=record["operation"] == "copy",
    )


RESTORED, BACK, COPIED, FAILED = "restored", "back", "copied", "failed"
"""What became of a move: taken back; there already; a copy, which stays; not possible."""

CLOCK_NS = 2 * 10**9
"""By how much a time of modification may differ: FAT keeps it in steps of two seconds."""


def undo(
    moves: Sequence[Move], *, is_dry_run: bool = False
) -> Iterator[tuple[Move, str, str | None]]:
    """Move files back to where they came from.

    Args:
        moves: see `read`.
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
