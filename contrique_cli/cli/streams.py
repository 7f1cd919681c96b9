"""The three standard streams as a program needs them: open, and in a state to say anything."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings

from contrique_cli.errors import CannotWrite
from contrique_cli.files.reading import why

STDIN, STDOUT, STDERR = 0, 1, 2


def settle() -> None:
    """Open what is closed, and make both outputs our own.

    Text that an output's encoding lacks is escaped. What cannot be written to standard output is
    an error in words; what cannot be written to standard error is dropped, since nobody reads it.
    Libraries' own lines, which go past Python to standard error, are dropped, too: a photo's
    oddities are rows of the report.
    """
    _open_closed()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.lastResort = None
    if os.name != "posix":  # the console of Windows is no file
        return
    stderr = os.dup(STDERR)
    _point_to_nothing(STDERR)
    sys.stderr = _text(_Forgiving(stderr, "wb"), getattr(sys.stderr, "encoding", None))
    sys.stdout = _text(_Strict(STDOUT, "wb", closefd=False), getattr(sys.stdout, "encoding", None))


def abandon_stdout() -> None:
    """Let what is left for standard output go nowhere, so that the end of the program is quiet."""
    _point_to_nothing(STDOUT)


def printable(text: str) -> str:
    """Control characters and undecodable bytes as escapes, so that no name can drive a terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _open_closed() -> None:
    """Give each closed stream a file that refuses its use, so that no other takes its number."""
    for number, flags in ((STDIN, os.O_WRONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(_Input(STDIN, "rb", closefd=False)))
    if sys.stdout is None:
        sys.stdout = _text(_Strict(STDOUT, "wb", closefd=False), None)
    if sys.stderr is None:
        sys.stderr = _text(_Forgiving(STDERR, "wb", closefd=False), None)


class _Input(io.FileIO):
    """Standard input that was closed: it may be there, but not be read."""

    def readable(self) -> bool:
        return True


class _Strict(io.FileIO):
    """Standard output: a full disk is an error that the user can mend, and told once."""

    _is_broken = False

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self._is_broken:  # what Python still holds goes the way of the rest
            return len(data)
        try:
            return super().write(data) or 0
        except BrokenPipeError:  # the reader has what it wanted
            raise
        except (OSError, ValueError) as error:
            self._is_broken = True
            raise CannotWrite(f"standard output cannot be written ({why(error)})") from error


class _Forgiving(io.FileIO):
    """Standard error: talk that nobody can hear is no trouble."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _text(file: io.FileIO, encoding: str | None) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=encoding or "utf-8",
        errors="backslashreplace",
        line_buffering=isinstance(file, _Forgiving) or file.isatty(),
    )


def _point_to_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)
