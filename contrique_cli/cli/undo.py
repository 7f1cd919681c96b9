"""The command that takes moves and ratings back: undo."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli.cli import console, deliver, streams
from contrique_cli.cli.options import DryRun, Quiet
from contrique_cli.errors import BadReport
from contrique_cli.files import reading

if TYPE_CHECKING:
    from contrique_cli.collection.undo import Moves


def undo(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Undo file of `contrique select --move`, or of `rate` with a list of picks.",
            show_default=False,
        ),
    ],
    *,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder that holds all places the files came from.",
            show_default="the current one",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder that the files went to.",
            show_default="that of FILE, or in --base",
        ),
    ] = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Take back moves or ratings, the last first; nothing that changed since is touched.

    Example: contrique undo moves.jsonl

    Exit status: 0 all are back, 1 nothing could be done, 2 wrong usage, 3 some
    files stay where they are.
    """
    from contrique_cli.collection import undo as verb

    found = verb.read(file)
    _confirm(found, file, base, to)
    failures = [
        *_move_back(found, dry_run=dry_run, quiet=quiet),
        *_put_back(found, dry_run=dry_run, quiet=quiet),
    ]
    sys.stdout.buffer.flush()
    if not quiet:
        console.name_some(failures, len(failures))
        if failures and not reading.exists(found.target):
            console.say(
                f"{found.target} is not there: if that folder was moved or renamed, give it back "
                "its place, and undo again"
            )
    if failures:
        is_nothing = len(failures) == len(found)
        raise typer.Exit(deliver.NOTHING if is_nothing else deliver.SOME_FAILED)


def _move_back(found: Moves, *, dry_run: bool, quiet: bool) -> list[str]:
    """Take moves back and sum up.

    Returns:
        What is left, with reasons.
    """
    from contrique_cli.collection import undo as verb

    if found.rewrites and not found.moves:
        return []
    steps = (
        (f"move {move.target} -> {move.source}", move.target, result, reason)
        for move, result, reason in verb.undo(found, is_dry_run=dry_run)
    )
    done, failures = _go_through(steps, len(found.moves), dry_run=dry_run, quiet=quiet)
    if not quiet:
        words = "would be moved back" if dry_run else "moved back"
        console.say(
            f"files: {done[verb.RESTORED]:,} {words}, {done[verb.BACK]:,} there already, "
            f"{done[verb.COPIED]:,} left as copies, {done[verb.FAILED]:,} failed"
        )
        console.say(f"  from {found.target} into {found.source}")
    return failures


def _put_back(found: Moves, *, dry_run: bool, quiet: bool) -> list[str]:
    """Put sidecars back as they were and sum up.

    Returns:
        What is left, with reasons.
    """
    from contrique_cli.collection import undo as verb

    if not found.rewrites:
        return []
    steps = (
        (
            f"{'remove' if rewrite.before is None else 'restore'} {rewrite.sidecar}",
            rewrite.sidecar,
            result,
            reason,
        )
        for rewrite, result, reason in verb.undo_ratings(found, is_dry_run=dry_run)
    )
    done, failures = _go_through(steps, len(found.rewrites), dry_run=dry_run, quiet=quiet)
    if not quiet:
        words = "would be put back" if dry_run else "put back"
        console.say(
            f"sidecars: {done[verb.RESTORED]:,} {words}, {done[verb.BACK]:,} as before already, "
            f"{done[verb.FAILED]:,} failed"
        )
    return failures


def _go_through(
    steps: Iterable[tuple[str, Path, str, str | None]],
    count: int,
    *,
    dry_run: bool,
    quiet: bool,
) -> tuple[Counter[str], list[str]]:
    """Take steps back, and in a dry run print what each would do.

    Args:
        steps: what it does in words, the file it is about, how that ended, and why not.
        count: of them.
        dry_run, quiet: as for the command.

    Returns:
        How often each end came, and what is left, with reasons.
    """
    from contrique_cli.collection import undo as verb

    done: Counter[str] = Counter()
    failures = []
    with console.progress("undoing", count, quiet=quiet, unit="files") as advance:
        for words, path, result, reason in steps:
            done[result] += 1
            if reason is not None:
                failures.append(f"left: {path}: {reason}")
            elif dry_run and result == verb.RESTORED:
                sys.stdout.buffer.write(f"{streams.printable(words)}\n".encode())
            advance()
    return done, failures


def spell(file: Path, *, source: Path, target: Path) -> str:
    """The command, for a shell, that takes moves back from here.

    Args:
        file: the undo file.
        source, target: folders that the files came from, and went to.
    """
    is_near = _is_known(target, source, file) or _is_within(target, Path())
    options = [
        *([] if _is_within(source, Path()) else ["--base", str(source)]),
        *([] if is_near else ["--to", str(target)]),
    ]
    return shlex.join(["contrique", "undo", str(file), *options])


def _confirm(moves: Moves, path: Path, base: Path | None, to: Path | None) -> None:
    """See that the user knows both folders: an undo file may come from anybody.

    Raises:
        BadReport: one is neither where the user works, nor given.
    """
    start = Path() if base is None else base
    if not _is_within(moves.source, start):
        raise BadReport(
            f"{path} puts files into {moves.source}, which lies outside of "
            f"{'the current folder' if base is None else base}: if you want that, give "
            f"--base {shlex.quote(str(moves.source))}"
        )
    if not (_is_known(moves.target, to, path) or _is_within(moves.target, start)):
        raise BadReport(
            f"{path} moves files out of {moves.target}, which is neither its own folder nor in "
            f"{start.absolute()}: if you want that, give --to {shlex.quote(str(moves.target))}"
        )


def _is_known(folder: Path, to: Path | None, undo_file: Path) -> bool:
    """Whether files went to the folder given, or to that of the undo file, or below."""
    return _is_within(folder, undo_file.parent) or (to is not None and _is_within(folder, to))


def _is_within(folder: Path, other: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(other))
