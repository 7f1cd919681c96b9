"""Scoring photos as they arrive in folders, until stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contrique_cli.cli import console, deliver
from contrique_cli.cli.deliver import Target
from contrique_cli.errors import BadOption
from contrique_cli.reports import rows
from contrique_cli.reports.rows import Row

if TYPE_CHECKING:
    from contrique_cli.scoring.watch import Watcher


@dataclass
class _Count:
    """Photos so far."""

    scored: int = 0
    failed: int = 0


def check(paths: Sequence[str], to: Target, others: Mapping[str, object]) -> list[Path]:
    """Whether these options can be watched with.

    Args:
        paths: to watch.
        to: the report.
        others: options that come after a report, by name; falsy where not given.

    Returns:
        The folders.

    Raises:
        BadOption: an option needs all photos at once, or a path is no folder.
    """
    if to.format != "jsonl":
        raise BadOption(
            f"--watch writes JSON Lines as photos arrive, not {to.format}: give --output "
            "FILE.jsonl or --format jsonl"
        )
    needs_all = {
        "--top": to.selection.top is not None,
        "--reverse": to.selection.reverse,
        "--bursts": to.is_whole,
        "--fail-under": to.fail_under is not None,
    }
    if options := ", ".join(option for option, is_given in needs_all.items() if is_given):
        raise BadOption(f"{options}: needs all photos at once, which --watch never has")
    if options := ", ".join(option for option, given in others.items() if given):
        raise BadOption(f"{options}: not with --watch; give it to a second run over the folder")
    for path in paths:
        if not Path(path).is_dir():
            raise BadOption(f"--watch needs folders, and {path} is none")
    return [Path(path) for path in paths]


def watch(
    folders: Sequence[Path],
    to: Target,
    score: Callable[[Iterable[Path]], Iterable[Row]],
    *,
    interval: float,
) -> int:
    """Score what is there and what arrives, a line each, until Ctrl-C or SIGTERM.

    Args:
        folders: see `check`.
        to: a JSON Lines file, continued where it exists, or standard output.
        score: photos to rows, as they come.
        interval: seconds between two looks.

    Returns:
        The exit status: stopping is how a watch ends, so that is no failure.

    Raises:
        CannotWrite: the report cannot be continued, or its disk is full.
        ContriqueError: whatever `score` says of its options.
    """
    from contrique_cli.reports import journal
    from contrique_cli.scoring.watch import Watcher

    score(())  # what cannot work says so now, not when the first photo arrives
    count = _Count()
    with ExitStack() as stack:
        book = None if to.path is None else stack.enter_context(journal.opened(to.path))
        if book is not None and book.is_mended:
            console.say(f"{to.path}: the last line was cut short and is removed")

        def is_known(path: Path, state: str) -> bool:
            return book is not None and book.states.get(str(path)) == state

        def write(row: Row, state: str | None = None) -> None:
            count.failed += row.error is not None
            count.scored += row.error is None
            if not rows.is_within(row, to.selection):
                return
            line = rows.to_json_line(row)
            if book is not None:
                book.append(line, state)
            else:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()

        try:
            if not to.quiet:
                console.say(f"watching {', '.join(map(str, folders))}; Ctrl-C stops")
            _loop(Watcher(folders, is_known=is_known), folders, score, write, interval)
        except KeyboardInterrupt:  # wanted
            pass
    if not to.quiet:
        where = "" if to.path is None else f", report in {to.path}"
        console.say(f"stopped: {count.scored:,} photos scored, {count.failed:,} failed{where}")
    return deliver.DONE


def _loop(
    watcher: Watcher,
    folders: Sequence[Path],
    score: Callable[[Iterable[Path]], Iterable[Row]],
    write: Callable[..., None],
    interval: float,
) -> None:
    while True:
        start = time.monotonic()
        ready, troubles = watcher.poll(start)
        looked = time.monotonic() - start
        for trouble in troubles:
            if trouble.path in folders:  # a drive unplugged, say: it may come back
                console.say(f"{trouble}; waiting for it")
            else:
                write(Row(path=trouble.path, error=trouble.reason))
        if ready:
            for row in score(ready):
                write(row, watcher.seen(row.path))
        time.sleep(max(interval, looked))  # a huge folder takes half of one processor at most
