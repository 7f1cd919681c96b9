"""The command that scores photos as they arrive in folders, until stopped: watch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console, deliver
from contrique_cli.cli.cache import opened
from contrique_cli.cli.options import (
    REPORT,
    Device,
    Interval,
    MaxMegapixels,
    Model,
    NoCache,
    Pairs,
    Precision,
    Quiet,
    Regressor,
    Workers,
)
from contrique_cli.errors import BadOption
from contrique_cli.reports.rows import Row, to_json_line
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.scoring.watch import Watcher


def watch(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER", help="Watched to any depth, new subfolders too.", show_default=False
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.jsonl",
            help="Report to begin or to continue.",
            rich_help_panel=REPORT,
            show_default="standard output",
        ),
    ] = None,
    interval: Interval = config.WATCH_INTERVAL,
    pairs: Pairs = True,
    quiet: Quiet = False,
    model: Model = None,
    regressor: Regressor = None,
    device: Device = None,
    workers: Workers = None,
    precision: Precision = config.PRECISION,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    no_cache: NoCache = False,
) -> None:
    """Score photos as they arrive in folders, a line of JSON each, until Ctrl-C.

    A RAW file and its JPEG are one photo (--no-pairs: two); the line comes again
    when the second of them does.

    Example: contrique watch incoming/ --output report.jsonl

    Exit status: 0 stopped by Ctrl-C or SIGTERM, 1 it cannot go on, 2 wrong usage.
    """
    if output is not None and deliver.SUFFIXES.get(output.suffix.lower()) != "jsonl":
        raise BadOption(f"--output {output}: a watch writes JSON Lines, so end it in .jsonl")
    for folder in folders:
        if not folder.is_dir():
            raise BadOption(f"{folder} is no folder, and only folders are watched")

    from contrique_cli.encoder.work import Work
    from contrique_cli.scoring import score as verb
    from contrique_cli.scoring.pipeline import load_pipeline

    pipeline = load_pipeline(model, regressor)
    work = Work(device=device, max_megapixels=max_megapixels, workers=workers, precision=precision)
    with opened(is_off=no_cache, quiet=quiet) as cache:
        score = partial(verb.score, pipeline=pipeline, work=pipeline.sized(work), cache=cache)
        score(())  # what cannot work says so now, not when the first photo arrives
        _watch(folders, output, score, interval=interval, has_pairs=pairs, quiet=quiet)


@dataclass
class _Count:
    """Photos so far."""

    scored: int = 0
    failed: int = 0


def _watch(
    folders: Sequence[Path],
    output: Path | None,
    score: Callable[[Iterable[Path]], Iterable[Row]],
    *,
    interval: float,
    has_pairs: bool,
    quiet: bool,
) -> None:
    """Score what is there and what arrives, a line each, until Ctrl-C or SIGTERM.

    Raises:
        CannotWrite: the report cannot be continued, or its disk is full.
    """
    from contrique_cli.reports import journal
    from contrique_cli.scoring.watch import Watcher

    count = _Count()
    with ExitStack() as stack:
        book = None if output is None else stack.enter_context(journal.opened(output))
        if book is not None and book.is_mended:
            console.say(f"{output}: the last line was cut short and is removed")

        def is_known(path: Path, state: str) -> bool:
            return book is not None and book.states.get(str(path)) == state

        def write(row: Row, state: str | None = None) -> None:
            count.failed += row.error is not None
            count.scored += row.error is None
            line = to_json_line(row)
            if book is not None:
                book.append(line, state)
            else:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()

        try:
            if not quiet:
                console.say(f"watching {', '.join(map(str, folders))}; Ctrl-C stops")
            watcher = Watcher(folders, is_known=is_known, has_pairs=has_pairs)
            _loop(watcher, folders, score, write, interval)
        except KeyboardInterrupt:  # wanted
            pass
    if not quiet:
        where = "" if output is None else f", report in {output}"
        scored = plural(count.scored, "photo")
        console.say(f"stopped: {scored} scored, {count.failed:,} failed{where}")


def _loop(
    watcher: Watcher,
    folders: Sequence[Path],
    score: Callable[[Iterable[Path]], Iterable[Row]],
    write: Callable[..., None],
    interval: float,
) -> None:
    from contrique_cli.scoring import score as verb

    while True:
        start = time.monotonic()
        ready, companions, troubles = watcher.poll(start)
        looked = time.monotonic() - start
        for trouble in troubles:
            if trouble.path in folders:  # a drive unplugged, say: it may come back
                console.say(f"{trouble}; waiting for it")
            else:
                write(Row(path=trouble.path, error=trouble.reason))
        if ready:
            for row in verb.rated(verb.pair(score(ready), companions, score)):
                write(row, watcher.seen(row.path))
        time.sleep(max(interval, looked))  # a huge folder takes half of one processor at most
