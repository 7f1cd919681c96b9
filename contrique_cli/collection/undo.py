"""Undo files: a line of JSON before each move or rating, from which it is taken back."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contrique_cli.collection import rewrites, transfer
from contrique_cli.collection.placement import FILMS, SIDECARS
from contrique_cli.collection.rewrites import Rewrite
from contrique_cli.errors import BadReport, BadSidecar, CannotWrite, Unreadable
from contrique_cli.files import reading, writing
from contrique_cli.files.reading import why
from contrique_cli.photos import kinds

FORMAT, VERSION = "contrique-undo", 2
"""What the first line of an undo file says, beside its folders."""


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


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What an undo file says.

    Attributes:
        source, target: absolute folders that all files came from, and went to; nothing outside of
            them is touched.
        moves: in their order.
        rewrites: sidecars that were rated, in their order.
    """

    source: Path
    target: Path
    moves: list[Move]
    rewrites: list[Rewrite] = field(default_factory=list)

    def __len__(self) -> int:
        """How many files it is about."""
        return len(self.moves) + len(self.rewrites)


class UndoFile:
    """An undo file being written.

    Attributes:
        path: as the user named it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def record(self, source: Path, target: Path, *, is_copy: bool = False) -> None:
        """Write down a move that is about to be made; it is on the disk when this returns.

        Raises:
            CannotWrite: the disk is full, say; the move must not be made then.
            OSError: the source is not there.
        """
        status = source.lstat()
        self.write(
            {
                "operation": "copy" if is_copy else "move",
                "from": str(_real(source)),
                "to": str(_real(target)),
                "size": status.st_size,
                "mtime_ns": status.st_mtime_ns,
            }
        )

    def record_rating(self, sidecar: Path, before: bytes | None, after: bytes) -> None:
        """Write down a rating that is about to be written; on the disk when this returns.

        Raises:
            CannotWrite: the disk is full, say; the rating must not be written then.
        """
        self.write(rewrites.to_record(_real(sidecar), before, after))

    def write(self, line: dict[str, Any]) -> None:
        """Add a line, which is on the disk when this returns.

        Raises:
            CannotWrite: the disk is full, say; the lines before are whole.
        """
        try:
            writing.append(self._descriptor, (json.dumps(line) + "\n").encode("ascii"))
            os.fsync(self._descriptor)
        except OSError as error:
            raise CannotWrite(
                f"{self.path} cannot be written ({why(error)}); nothing was done after its last "
                "line: free space, or choose another --undo-file"
            ) from error


@contextmanager
def create(path: Path, *, source: Path, target: Path) -> Iterator[UndoFile]:
    """Begin an undo file.

    Args:
        path: of the file.
        source, target: folders that all files come from, and go to.

    Raises:
        CannotWrite: something stands at `path`, or the folder cannot be written to.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be made ({why(error)}); give another --undo-file"
        ) from error
    try:
        file = UndoFile(path, descriptor)
        file.write(
            {
                "format": FORMAT,
                "version": VERSION,
                "from": os.path.realpath(source),
                "to": os.path.realpath(target),
            }
        )
        yield file
    finally:
        is_empty = os.fstat(descriptor).st_size == 0
        os.close(descriptor)
        if is_empty:
            with suppress(OSError):
                path.unlink()


def _real(path: Path) -> Path:
    """Where a file itself lies, whatever links lead there; it may be a link."""
    return Path(os.path.realpath(path.parent)) / path.name


def common_folder(paths: Sequence[Path]) -> Path:
    """The deepest folder that holds all of some files, links of folders followed."""
    return Path(os.path.commonpath([_real(path).parent for path in paths]))


def free_path(folder: Path, moment: str) -> Path:
    """A name for a new undo file in `folder`, which need not exist yet."""
    path, number = folder / f"{FORMAT}-{moment}.jsonl", 1
    while os.path.lexists(path):
        number += 1
        path = folder / f"{FORMAT}-{moment}-{number}.jsonl"
    return path


def read(path: Path) -> Moves:
    """What an undo file says.

    A last line that was cut off is left out: its move had not begun.

    Raises:
        BadReport: it cannot be read, is no undo file, or a line in it is damaged.
    """
    try:
        with reading.opened(path) as file:
            *lines, _cut = file.read().split(b"\n")
    except Unreadable as problem:
        raise BadReport(f"{path} is not an undo file ({problem.reason})") from problem
    except OSError as error:
        raise BadReport(f"{path} cannot be read ({why(error)})") from error
    header = _parse(lines[0]) if lines else None
    known = {"format": FORMAT, "version": VERSION}
    if not isinstance(header, dict) or {name: header.get(name) for name in known} != known:
        raise BadReport(f"{path} is not an undo file that this version knows")
    folders = [_absolute(header.get(name)) for name in ("from", "to")]
    moves, rewritten = [], []
    for number, line in enumerate(lines[1:], start=2):
        record = _parse(line)
        step = _to_move(record) or _to_rewrite(record)
        if step is None:
            raise BadReport(f"{path}, line {number} is damaged; mend it, or remove that line")
        if isinstance(step, Move):
            moves.append(step)
        else:
            rewritten.append(step)
    if folders[0] is None or folders[1] is None:
        raise BadReport(f"{path}, line 1 is damaged; it must name the folders from and to")
    return Moves(source=folders[0], target=folders[1], moves=moves, rewrites=rewritten)


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _absolute(text: Any) -> Path | None:
    """An absolute path without detours; None for anything else."""
    is_path = isinstance(text, str) and "\0" not in text and ".." not in Path(text).parts
    return Path(text) if is_path and Path(text).is_absolute() else None


def _to_move(record: Any) -> Move | None:
    if not isinstance(record, dict) or record.get("operation") not in ("move", "copy"):
        return None
    source, target = _absolute(record.get("from")), _absolute(record.get("to"))
    numbers = [record.get("size"), record.get("mtime_ns")]
    if source is None or target is None or not all(type(number) is int for number in numbers):
        return None
    return Move(
        source=source,
        target=target,
        size=record["size"],
        mtime_ns=record["mtime_ns"],
        is_copy=record["operation"] == "copy",
    )


def _to_rewrite(record: Any) -> Rewrite | None:
    if not isinstance(record, dict) or record.get("operation") != rewrites.OPERATION:
        return None
    sidecar, digest = _absolute(record.get("sidecar")), record.get("after_sha256")
    if sidecar is None or not isinstance(digest, str) or "before" not in record:
        return None
    try:
        before = rewrites.before_of(record["before"])
    except ValueError:
        return None
    return Rewrite(sidecar=sidecar, before=before, digest=digest)


RESTORED, BACK, COPIED, FAILED = "restored", "back", "copied", "failed"
"""What became of a move: taken back; there already; a copy, which stays; not possible."""

CLOCK_NS = 2 * 10**9
"""Nanoseconds by which a time of modification may differ: FAT keeps it in steps of two seconds."""


def undo(moves: Moves, *, is_dry_run: bool = False) -> Iterator[tuple[Move, str, str | None]]:
    """Move files back to where they came from.

    Only photos and sidecars are moved, and only between the two folders that the undo file names,
    whatever its lines and links on the disk say.

    Args:
        moves: see `read`.
        is_dry_run: look at everything and move nothing.

    Yields:
        Each move, the last first, with one of the four words above and, if failed, the reason.
    """
    for move in reversed(moves.moves):
        try:
            yield move, *_undo(move, moves, is_dry_run=is_dry_run)
        except FileExistsError:
            yield move, FAILED, f"{move.source} is taken"
        except Unreadable as problem:
            yield move, FAILED, problem.reason
        except (OSError, ValueError) as error:
            yield move, FAILED, why(error)


def undo_ratings(
    found: Moves, *, is_dry_run: bool = False
) -> Iterator[tuple[Rewrite, str, str | None]]:
    """Put sidecars back as they were before they were rated; see `undo`."""
    for rewrite in reversed(found.rewrites):
        result, reason = FAILED, None
        try:
            if not _is_inside(rewrite.sidecar, found.source):
                reason = "it lies outside of the folders that the undo file names"
            elif rewrites.put_back(rewrite, is_dry_run=is_dry_run):
                result = RESTORED
            else:
                result = BACK
        except Unreadable as problem:
            reason = problem.reason
        except (BadSidecar, CannotWrite) as error:
            reason = str(error)
        except (OSError, ValueError) as error:
            reason = why(error)
        yield rewrite, result, reason


def _undo(move: Move, moves: Moves, *, is_dry_run: bool) -> tuple[str, str | None]:
    reason = _why_not(move, moves)
    if reason is not None:
        return FAILED, reason
    if move.is_copy:
        return COPIED, None
    if _is_home(move):
        return BACK, None
    if not is_dry_run:
        if os.path.lexists(move.source):
            move.target.unlink()  # of its two names, see `_is_home`
        else:
            move.source.parent.mkdir(parents=True, exist_ok=True)
            transfer.move(move.target, move.source)
    return RESTORED, None


def _why_not(move: Move, moves: Moves) -> str | None:
    """Why a file cannot be moved back; None where it can, or need not."""
    if not (_is_inside(move.source, moves.source) and _is_inside(move.target, moves.target)):
        return "it lies outside of the folders that the undo file names"
    if move.is_copy:
        return None
    is_home, is_away = os.path.lexists(move.source), os.path.lexists(move.target)
    if not is_away:
        return None if is_home and _is_same(move.source, move) else "it is no longer there"
    if not _is_same(move.target, move):
        return "it has changed since"
    if not _is_ours(move):
        return "it is no photo, nor the sidecar of one"
    is_taken = is_home and not (
        _is_same(move.source, move) and transfer.is_same_content(move.source, move.target)
    )
    return f"{move.source} is taken" if is_taken else None


def _is_home(move: Move) -> bool:
    """Whether a file, which can be moved back, stands where it came from already.

    A move that was killed between the two names of a file is not at home: one is taken away. A
    move to another disk that was killed before it took the original away leaves two files, and on
    purpose so do we: some mounts show one file as two, of other devices and inodes. And where the
    old path leads to the new one, by a link or a mount, there is nothing to do.
    """
    if not os.path.lexists(move.target):
        return True
    return os.path.lexists(move.source) and not transfer.is_second_name(move.source, move.target)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file, or the place for one, lies in a folder, as named or with links followed.

    Both must hold: a detour by links out of the folder is outside, too.
    """
    is_named = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))  # noqa: PTH100
    return is_named and Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder))


def _is_ours(move: Move) -> bool:
    """Whether a file that is to be moved back is a photo by content, or a sidecar by name."""
    if move.source.suffix != move.target.suffix:
        return False
    return move.target.suffix in (*SIDECARS, *FILMS) or kinds.is_photo(move.target)


def _is_same(path: Path, move: Move) -> bool:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    return status.st_size == move.size and abs(status.st_mtime_ns - move.mtime_ns) <= CLOCK_NS
