"""The command that takes photos of a report: select."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli.cli import console, deliver, given, streams
from contrique_cli.cli import source as cli_source
from contrique_cli.cli import undo as cli_undo
from contrique_cli.cli.options import (
    Base,
    BurstBestOnly,
    By,
    DryRun,
    Flaw,
    From,
    MaxScore,
    MinScore,
    PerFolder,
    Quiet,
    Reverse,
    Top,
    Where,
)
from contrique_cli.collection import placement
from contrique_cli.collection.placement import COPY, MOVE, SYMLINK, Placement
from contrique_cli.config import Pick
from contrique_cli.errors import BadOption, CannotWrite, NoImagesFound
from contrique_cli.files.reading import why
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.collection.select import Located
    from contrique_cli.reports.rows import Row

_TRANSFERS = {COPY: "copied", MOVE: "moved", SYMLINK: "linked"}
"""Actions that put files elsewhere, as a summary says that they were done."""

_SHOW, _LIST = "show", "list"
_ACTION, _SHOWN = "What to do with them", "How to show them"


def select(
    context: typer.Context,
    *,
    report: From,
    base: Base = None,
    top: Top = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    per_folder: PerFolder = None,
    flaw: Flaw = None,
    where: Where = None,
    by: By = None,
    burst_best_only: BurstBestOnly = False,
    reverse: Reverse = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write them as a report of their own, as `score` does.",
            rich_help_panel=_SHOWN,
        ),
    ] = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list", metavar="", help="Print paths and nothing else.", rich_help_panel=_SHOWN
        ),
    ] = False,
    nul: Annotated[
        bool,
        typer.Option(
            "-0",
            "--null",
            metavar="",
            help="With --list: end paths with NUL, for xargs -0.",
            rich_help_panel=_SHOWN,
        ),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder they go to; made if need be.", rich_help_panel=_ACTION
        ),
    ] = None,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy", metavar="", help="Copy them there, verified.", rich_help_panel=_ACTION
        ),
    ] = False,
    move: Annotated[
        bool,
        typer.Option(
            "--move",
            metavar="",
            help="Move them there; `contrique undo` takes it back.",
            rich_help_panel=_ACTION,
        ),
    ] = False,
    symlink: Annotated[
        bool,
        typer.Option(
            "--symlink", metavar="", help="Link to them from there.", rich_help_panel=_ACTION
        ),
    ] = False,
    sidecars: Annotated[
        bool,
        typer.Option(
            "--sidecars",
            metavar="",
            help="Take along what other programs left: .xmp, .aae, .pp3, .dop, Live Photos' .mov.",
            rich_help_panel=_ACTION,
        ),
    ] = False,
    undo_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --move: where to write down the moves.",
            rich_help_panel=_ACTION,
            show_default="in DIR",
        ),
    ] = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Take photos of a report: show, list, copy, move or link them; nothing is overwritten.

    Examples: contrique select --from report.csv --top 10

    contrique select --from report.csv --top 10% --to best --copy

    Exit status: 0 all done, 1 nothing could be done, 2 wrong usage, 3 some
    photos failed, 130 interrupted (what was moved so far can be undone).
    """
    pick = Pick(
        top=top,
        min_score=min_score,
        max_score=max_score,
        per_folder=per_folder,
        flaws=tuple(flaw or ()),
        where=tuple(where or ()),
        by=by,
        burst_best_only=burst_best_only,
        reverse=reverse,
    )
    actions = {COPY: copy, MOVE: move, SYMLINK: symlink, _LIST: list_}
    action = _settle(context, [name for name, is_wanted in actions.items() if is_wanted])
    if action in _TRANSFERS and to is None:
        raise BadOption(f"--{action} needs --to, the folder to put photos in")
    target = None
    if action == _SHOW:
        target = deliver.target(output, has_flaws=True, by=by, quiet=quiet)

    from contrique_cli.collection.select import check_inside, choose, locate

    rows = cli_source.read(report)
    picked = choose(rows, pick)
    if not picked:
        raise NoImagesFound(_nothing(rows, report, pick))
    if burst_best_only and not quiet and all(row.burst is None for row in rows):
        console.say(
            "note: no photo of the report is in a burst; `contrique score --bursts` looks for them"
        )
    if target is not None:
        raise typer.Exit(_show(picked, len(rows), target))
    located = locate(picked, base)
    if action == _LIST:
        raise typer.Exit(_list(located, b"\0" if nul else b"\n", quiet=quiet))
    assert to is not None  # noqa: S101 - refused above
    check_inside(located.paths, base)
    plan = placement.plan(
        [row.path for row in located.rows],
        to,
        operation=action,
        root=base or Path(),
        has_sidecars=sidecars,
        companions=located.companions,
    )
    work = _Transfer(plan, located, to, len(rows))
    raise typer.Exit(work.show() if dry_run else work.run(base or Path(), undo_file, quiet=quiet))


def _settle(context: typer.Context, chosen: list[str]) -> str:
    """The one action asked for, with what belongs to it and nothing else."""
    if len(chosen) > 1:
        raise BadOption(f"--{' and --'.join(chosen)}: give one of them")
    action = chosen[0] if chosen else _SHOW
    if action != _LIST:
        given.refuse(context, "nul", home="--list")
    if action != MOVE:
        given.refuse(context, "undo_file", home="--move: only moves can be undone")
    if action != _SHOW:
        given.refuse(context, "output", home=f"a report, and --{action} makes none")
    if action not in _TRANSFERS:
        transfers = "--copy, --move and --symlink: give one of them"
        given.refuse(context, "to", "sidecars", "dry_run", home=transfers)
    return action


def _show(picked: list[Row], total: int, target: deliver.Target) -> int:
    """Write the photos taken as a report, and sum up.

    Returns:
        The exit status.
    """
    deliver.write(picked, target, {})
    if not target.quiet:
        written = "" if target.path is None else f", report in {target.path}"
        console.say(f"{len(picked):,} of {plural(total, 'photo')}{written}")
    return deliver.DONE


def _nothing(rows: list[Row], report: str, pick: Pick) -> str:
    """Why no photo of a report was picked."""
    scored = cli_source.scored(rows, report)
    flaws = {row.flaw for row in scored if row.flaw is not None}
    advice = "loosen the conditions"
    if pick.flaws and flaws.isdisjoint(pick.flaws):
        advice = f"--flaw {pick.flaws[0]}: their flaws are {', '.join(sorted(flaws))}"
    photos = plural(len(scored), "scored photo")
    return f"of {photos} in {cli_source.name(report, 'report')} none passes; {advice}"


def _list(located: Located, end: bytes, *, quiet: bool) -> int:
    """Print paths for other programs, and say what is missing.

    Returns:
        The exit status.
    """
    for path in located.paths:
        name = os.fsencode(path)
        sys.stdout.buffer.write((b"./" if name.startswith(b"-") else b"") + name + end)
    sys.stdout.buffer.flush()
    cli_source.name_missing(located.missing, quiet=quiet)
    return deliver.SOME_FAILED if located.missing else deliver.DONE


class _Transfer:
    """A plan being carried out, and what came of it."""

    def __init__(self, plan: list[Placement], located: Located, to: Path, total: int) -> None:
        self.plan = plan
        self.to = to
        self.total = total
        self.chosen = len(located.rows) + len(located.missing)
        self.failures = [f"not there: {problem}" for problem in located.missing]
        self.companions = set(located.companions.values())
        self.done: Counter[str] = Counter()
        self.undo_file: Path | None = None
        self.origin = Path()

    def show(self) -> int:
        """Print the plan on standard output, a line per file.

        Returns:
            The exit status.
        """
        for one in self.plan:
            what = "there already:" if one.is_there else one.operation
            line = f"{what} {streams.printable(str(one.source))}"
            if not one.is_there:
                line += f" -> {streams.printable(str(one.target))}"
            sys.stdout.buffer.write(f"{line}\n".encode())
        sys.stdout.buffer.flush()
        console.name_some(self.failures, len(self.failures))
        return deliver.SOME_FAILED if self.failures else deliver.DONE

    def run(self, root: Path, undo_file: Path | None, *, quiet: bool) -> int:
        """Carry the plan out and sum up.

        Returns:
            The exit status.

        Raises:
            CannotWrite: the folder cannot be made, or a move not be written down.
        """
        try:
            self.to.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(
                f"{self.to} cannot be made ({why(error)}); give another folder"
            ) from error
        is_interrupted = False
        try:
            self._carry_out(root, undo_file, quiet=quiet)
        except KeyboardInterrupt:
            is_interrupted = True
        finally:
            if not quiet:
                self._sum_up()
        if is_interrupted:
            console.say("interrupted: the rest was left where it is")
            return deliver.INTERRUPTED
        if not self.failures:
            return deliver.DONE
        return deliver.SOME_FAILED if self.done else deliver.NOTHING

    def _carry_out(self, root: Path, undo_file: Path | None, *, quiet: bool) -> None:
        from contrique_cli.collection import undo
        from contrique_cli.collection.select import carry_out

        with ExitStack() as stack:
            book = None
            moved = [one.source for one in self.plan if one.operation == MOVE and not one.is_there]
            if moved:
                moment = time.strftime("%Y%m%d-%H%M%S")
                self.undo_file = undo_file or undo.free_path(self.to, moment)
                self.origin = undo.common_folder(moved)
                book = stack.enter_context(
                    undo.create(self.undo_file, source=self.origin, target=self.to)
                )
            advance = stack.enter_context(
                console.progress("placing", len(self.plan), quiet=quiet, unit="files")
            )
            for one, reason in carry_out(self.plan, root=root, undo_file=book):
                if reason is not None:
                    self.failures.append(f"failed: {one.source}: {reason}")
                elif one.source in self.companions:
                    self.done["companion"] += 1
                elif not one.is_photo:
                    self.done["sidecar"] += 1
                else:
                    self.done["there" if one.is_there else one.operation] += 1
                advance()

    def _sum_up(self) -> None:
        words = _TRANSFERS | {"there": "there already"}
        parts = [f"{self.done[name]:,} {word}" for name, word in words.items() if self.done[name]]
        parts += [
            f"with {plural(self.done[name], name)}"
            for name in ("companion", "sidecar")
            if self.done[name]
        ]
        parts += [f"{len(self.failures):,} failed"] if self.failures else []
        what = ", ".join(parts) or "nothing done"
        chosen = f"{self.chosen:,} of {plural(self.total, 'photo')} chosen"
        console.say(f"{chosen} for {self.to}: {what}")
        console.name_some(self.failures, len(self.failures))
        if self.done[MOVE] and self.undo_file is not None:
            command = cli_undo.spell(self.undo_file, source=self.origin, target=self.to)
            console.say(f"to take the moves back: {command}")
