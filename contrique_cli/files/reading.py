"""Regular files, opened without ever blocking, and the system's complaints in words."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from contrique_cli.errors import Unreadable


def why(error: BaseException) -> str:
    """The system's complaint about a file in words, lower case, without the path."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__


def irregular(mode: int) -> str:
    """Why something with these mode bits is no regular file."""
    kinds = {
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISDIR: "a folder",
        stat.S_ISLNK: "a link",
    }
    kind = next((name for test, name in kinds.items() if test(mode)), "a device")
    return f"not a regular file but {kind}"


def opened(path: Path, *, may_be_empty: bool = False) -> BufferedReader:
    """Open a regular file without ever blocking on a pipe that took its name.

    Raises:
        Unreadable: it is no regular file, or empty where it must not be.
        OSError: it cannot be opened.
    """
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Unreadable(path, irregular(status.st_mode))
    if status.st_size == 0 and not may_be_empty:
        os.close(descriptor)
        raise Unreadable(path, "the file is empty")
    return os.fdopen(descriptor, "rb")


def exists(path: Path) -> bool:
    """Whether something can be seen there; what may not be looked at is not there for us.

    `Path.exists` raises for a folder that may not be entered.
    """
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True
