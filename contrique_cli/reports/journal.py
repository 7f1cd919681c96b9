"""A JSON Lines report that grows by whole lines, each on the disk before the next is made."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from contrique_cli.errors import CannotWrite


class Journal:
    """An open report, being continued.

    Attributes:
        path: as the user named it.
        scored: paths that have a score in it, as they stand there.
        written_ns: when it was last written to before it was opened, in nanoseconds.
        is_mended: whether a last line that was cut short, by a kill or a full disk, was removed.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.written_ns = os.fstat(descriptor).st_mtime_ns
        self.scored: set[str] = set()
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
            if row.get("score") is not None:
                self.scored.add(row["path"])
            end += len(line)
            if not line.endswith(b"\n"):
                self._write(b"\n")

    def append(self, line: bytes) -> None:
        """Add one line, with its end, and wait until it is on the disk.

        Raises:
            CannotWrite: the disk is full or gone; the lines before are whole.
        """
        try:
            self._write(line)
            os.fsync(self._descriptor)
        except OSError as error:
            raise CannotWrite(
                f"{self.path} cannot be written to ({(error.strerror or str(error)).lower()}); its "
                "lines so far are whole: free space and start again, and it will be continued"
            ) from error

    def _write(self, data: bytes) -> None:
        """All of it or, whatever happens, nothing."""
        start = os.fstat(self._descriptor).st_size
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except BaseException:
            if done < len(data):
                with suppress(OSError):
                    os.ftruncate(self._descriptor, start)
            raise


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open a report to continue it, or begin one.

    Raises:
        CannotWrite: it cannot be opened, or holds something else than such a report.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be opened ({(error.strerror or '').lower()})") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CannotWrite(f"{path} is no regular file, so it cannot be continued")
        yield Journal(path, descriptor)
    finally:
        os.close(descriptor)


def _parse(line: bytes) -> dict[str, Any] | None:
    """One photo of a report; None for anything else."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    is_row = isinstance(row, dict) and isinstance(row.get("path"), str) and "score" in row
    return row if is_row else None
