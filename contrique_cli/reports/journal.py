"""A JSON Lines report that grows by whole lines, each on the disk before the next is made."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from contrique_cli.errors import CannotWrite
from contrique_cli.files import writing
from contrique_cli.files.reading import irregular, why

STATE = "state"
"""The column that says which state of the file a line is of; see `OpenReport.append`."""


class OpenReport:
    """A report, being continued.

    Attributes:
        path: as the user named it.
        states: of each path that has a score in it, the state of the file that was scored, both as
            they stand there; None where the line does not say.
        is_mended: whether a last line that was cut short, by a kill or a full disk, was removed.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.states: dict[str, str | None] = {}
        self.is_mended = False
        with os.fdopen(os.dup(descriptor), "rb") as file:
            self._read(file)

    def _read(self, file: IO[bytes]) -> None:
        end = 0
        for number, line in enumerate(file, start=1):
            row = _parse(line)
            if row is None and not line.endswith(b"\n") and number > 1:
                os.ftruncate(self._descriptor, end)
                self.is_mended = True
                return
            if row is None:
                raise CannotWrite(
                    f"{self.path} cannot be continued: line {number} is no photo of a JSON Lines "
                    "report; give another --output"
                )
            self._note(row)
            end += len(line)
            if not line.endswith(b"\n"):
                writing.append(self._descriptor, b"\n")

    def _note(self, row: dict[str, Any]) -> None:
        """The last line of a path is the one that holds."""
        self.states.pop(row["path"], None)
        if row["score"] is not None:
            state = row.get(STATE)
            self.states[row["path"]] = state if isinstance(state, str) else None

    def append(self, line: bytes, state: str | None = None) -> None:
        """Add one line, with its end, and wait until it is on the disk.

        Args:
            line: a JSON object.
            state: of the photo's file when it was scored, kept in the line's last column.

        Raises:
            CannotWrite: the disk is full or gone; the lines before are whole.
        """
        if state is not None:
            line = line.rstrip()[:-1] + f', "{STATE}": {json.dumps(state)}}}\n'.encode()
        try:
            writing.append(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            raise CannotWrite(
                f"{self.path} cannot be written to ({why(error)}); its lines so far are whole: "
                "free space and start again, and it will be continued"
            ) from error


@contextmanager
def opened(path: Path) -> Iterator[OpenReport]:
    """Open a report to continue it, or begin one; no other process may do so meanwhile.

    Raises:
        CannotWrite: it cannot be opened, holds something else than such a report, or grows already.
    """
    if path.exists() and not path.is_file():  # before a lock is laid beside a device
        raise CannotWrite(f"{path} is {irregular(path.stat().st_mode)}, so it cannot be continued")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    with writing.locked(path, "another watch writes it; stop that one, or give another --output"):
        try:
            descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
        except OSError as error:
            raise CannotWrite(f"{path} cannot be opened ({why(error)})") from error
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise CannotWrite(f"{path} is {irregular(mode)}, so it cannot be continued")
            yield OpenReport(path, descriptor)
        finally:
            os.close(descriptor)


def _parse(line: bytes) -> dict[str, Any] | None:
    """One photo of a report; None for anything else."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_row = isinstance(row, dict) and isinstance(row.get("path"), str) and "score" in row
    return row if is_row else None
