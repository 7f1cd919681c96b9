"""Processes as cheap as a fork: the command line in a state of its own, killed where one likes."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from contrique_cli.cli import app

DROPPED = 99
"""Exit status of a child whose work raised something."""


def fork(work: Callable[[], object]) -> int:
    """Begin work in a process of its own, which ends with status 0, or `DROPPED` for an exception.

    Returns:
        The number of the process.
    """
    with warnings.catch_warnings():  # about threads, which idle here
        warnings.simplefilter("ignore")
        child = os.fork()
    if child:
        return child
    status = DROPPED
    try:
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    finally:
        os._exit(status)


def wait(child: int) -> int:
    """The exit status of a process, or minus the number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(args: Sequence[object], streams: Sequence[int | None]) -> int:
    """`contrique ARGS` as the shell starts it.

    Args:
        args: after the name.
        streams: descriptors for standard input, output and error; None for a closed one.

    Returns:
        See `wait`.
    """

    def work() -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        kept = [None if one is None else os.dup(one) for one in streams]
        for number, one in enumerate(kept):
            if one is None:
                os.close(number)
            else:
                os.dup2(one, number)
        sys.argv = ["contrique", *map(str, args)]
        modes = ("r", "w", "w")
        sys.stdin, sys.stdout, sys.stderr = (
            None
            if one is None
            else io.TextIOWrapper(os.fdopen(number, f"{mode}b", closefd=False), encoding="ascii")
            for number, (one, mode) in enumerate(zip(kept, modes, strict=True))
        )
        app.main()

    return wait(fork(work))


def killed(work: Callable[[], object], names: Sequence[str], call: int) -> int:
    """Do work in a process that is killed at one of its system calls.

    Args:
        work: to do.
        names: of functions of `os` that count.
        call: which of these calls, from 0, is the last thing that the process begins. Even ones
            are never made, odd ones are: a kill may come before or after.

    Returns:
        See `wait`; 0 where the work has fewer calls.
    """
    count = [0]

    def counting(real: Callable[..., object]) -> Callable[..., object]:
        def call_it(*args: object, **options: object) -> object:
            count[0] += 1
            if count[0] > call // 2:
                if call % 2:
                    real(*args, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call_it

    def counted() -> None:
        for name in names:
            setattr(os, name, counting(getattr(os, name)))
        work()

    return wait(fork(counted))


def read_all(path: Path) -> str:
    """The text in a file, which need not exist."""
    return path.read_text(errors="replace") if path.exists() else ""
