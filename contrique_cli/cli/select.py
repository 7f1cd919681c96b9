"""The command that acts on a report: select."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli.cli import console, deliver
from contrique_cli.collection import placement
from contrique_cli.collection.placement import COPY, MOVE, SYMLINK, Placement
from contrique_cli.collection.select import check_inside, choose, locate, place
from contrique_cli.collection.undo import Moves, common_folder, create, free_path, read
from contrique_cli.config import Pick
from contrique_cli.errors import BadOption, BadReport, CannotWrite, NoImagesFound
from contrique_cli.files.reading import why
from contrique_cli.reports import reading
from contrique_cli.reports.rows import Row

if TYPE_CHECKING:
    from contrique_cli.collection.select import Located

_NAMED = 5  # failures spelled out
_DONE = {COPY: "copied", MOVE: "moved", SYMLINK: "linked"}


def select(
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A report, whatever its format; - reads standard input."),
    ] = None,
    top: Annotated[
        str | None, typer.Option(help="Take the best N photos, or N% of all scored ones.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Take photos with at least this score.")
    ] = None,
    max_score: Annotated[
        float | None, typer.Option(help="Take photos with at most this score.")
    ] = None,
    per_folder: Annotated[
        int | None, typer.Option(help="Take at most so many of each folder.")
    ] = None,
    flaw: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FLAW",
            help="Take photos with this dominant flaw, such as none; may be repeated.",
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", "-r", help="Take the worst instead of the best.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder they go to; made if need be.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy them there, verified.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Move them there; see --undo.")] = False,
    symlink: Annotated[bool, typer.Option("--symlink", help="Link to them from there.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Print their paths, best first.")] = False,
    nul: Annotated[
        bool, typer.Option("-0", "--null", help="With --list: end paths with NUL, for xargs -0.")
    ] = False,
    base: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report's relative paths, which holds all photos that are copied, "
            "moved or linked [default: the current one]."
        ),
    ] = None,
    sidecars: Annotated[
        bool, typer.Option("--sidecars", help="Take .xmp sidecars along, of both kinds of names.")
    ] = False,
    undo_file: Annotated[
        Path | None, typer.Option(help="With --move: where to write down the moves [default: DIR].")
    ] = None,
    undo: Annotated[
        Path | None,
        typer.Option(
            help="Take back the moves written down in this file, within --base; --to names the "
            "folder they went to, where that is neither in there nor the file's own."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")
    ] = False,
) -> None:
    """Copy, move, link or list the photos of a report that you want; nothing is overwritten.

    Example: contrique select --from report.csv --top 10% --to best --copy

    Exit status: 0 all done, 1 nothing could be done, 2 wrong usage, 3 some photos failed,
    130 interrupted (what was moved so far can be undone).
    """
    pick = Pick(
        top=top,
        min_score=min_score,
        max_score=max_score,
        per_folder=per_folder,
        flaws=tuple(flaw or ()),
        reverse=reverse,
    )
    actions = {COPY: copy, MOVE: move, SYMLINK: symlink, "list": list_}
    chosen = [name for name, is_wanted in actions.items() if is_wanted]
    if undo is not None:
        others = [source, undo_file, *chosen, sidecars, nul, pick != Pick()]
        if any(other not in (None, False) for other in others):
            raise BadOption("--undo stands alone, but for --base, --to, --dry-run and --quiet")
        raise typer.Exit(_undo(undo, base=base, to=to, is_dry_run=dry_run, quiet=quiet))
    action = _check(source, chosen, to, nul=nul, sidecars=sidecars, undo_file=undo_file)
    report = "-" if source is None else source

    rows = _read(report)
    picked = choose(rows, pick)
    if not picked:
        raise NoImagesFound(_nothing(rows, report))
    located = locate(picked, base)
    if action == "list":
        _print_paths(located.paths, b"\0" if nul else b"\n")
        raise typer.Exit(_sum_up_list(located, quiet=quiet))
    assert to is not None  # noqa: S101 - _check saw to it
    check_inside(located.paths, base)
    plan = placement.plan(
        located.paths, to, operation=action, root=base or Path(), has_sidecars=sidecars
    )
    work = _Work(plan, located, to, len(rows))
    raise typer.Exit(work.show() if dry_run else work.run(base or Path(), undo_file, quiet=quiet))


def _check(
    source: str | None,
    chosen: list[str],
    to: Path | None,
    *,
    nul: bool,
    sidecars: bool,
    undo_file: Path | None,
) -> str:
    """The one action asked for, with what belongs to it and nothing else."""
    if source is None:
        raise BadOption("--from is missing: give a report of `contrique score`, or - for a pipe")
    if len(chosen) != 1:
        raise BadOption("give one of --copy, --move, --symlink and --list")
    (action,) = chosen
    if action == "list" and (to is not None or sidecars):
        raise BadOption("--list only prints paths: leave --to and --sidecars out")
    if action != "list" and to is None:
        raise BadOption(f"--{action} needs --to, the folder to put photos in")
    if nul and action != "list":
        raise BadOption("-0 belongs to --list")
    if undo_file is not None and action != MOVE:
        raise BadOption("--undo-file belongs to --move: only moves can be undone")
    return action


def _read(source: str) -> list[Row]:
    if source == "-":
        return reading.read(sys.stdin.buffer.read(), "the report on standard input")
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise BadReport(
            f"{source} cannot be read ({why(error)}); "
            f"`contrique score PHOTOS --output {source}` makes it"
        ) from error
    return reading.read(data, source)


def _nothing(rows: list[Row], report: str) -> str:
    scored = sum(row.score is not None for row in rows)
    if not scored:
        return f"{report} has {len(rows):,} photos, and none with a score"
    return f"none of the {scored:,} scored photos of {report} passes; loosen the conditions"


def _print_paths(paths: list[Path], end: bytes) -> None:
    for path in paths:
        name = os.fsencode(path)
        sys.stdout.buffer.write((b"./" if name.startswith(b"-") else b"") + name + end)
    sys.stdout.buffer.flush()


def _name_failures(failures: list[str]) -> None:
    for line in failures[:_NAMED]:
        console.say(f"  {line}")
    if len(failures) > _NAMED:
        console.say(f"  ... and {len(failures) - _NAMED:,} more")


def _sum_up_list(located: Located, *, quiet: bool) -> int:
    if not quiet and located.missing:
        console.say(f"{len(located.missing):,} photos of the report are not there:")
        _name_failures([str(problem) for problem in located.missing])
    return deliver.SOME_FAILED if located.missing else deliver.DONE


class _Work:
    """A plan being carried out, and what came of it."""

    def __init__(self, plan: list[Placement], located: Located, to: Path, total: int) -> None:
        self.plan = plan
        self.to = to
        self.total = total
        self.chosen = len(located.paths) + len(located.missing)
        self.failures = [f"not there: {problem}" for problem in located.missing]
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
            line = f"{what} {console.printable(str(one.source))}"
            if not one.is_there:
                line += f" -> {console.printable(str(one.target))}"
            sys.stdout.buffer.write(f"{line}\n".encode())
        sys.stdout.buffer.flush()
        _name_failures(self.failures)
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
        with ExitStack() as stack:
            book = None
            moved = [one.source for one in self.plan if one.operation == MOVE and not one.is_there]
            if moved:
                moment = time.strftime("%Y%m%d-%H%M%S")
                self.undo_file = undo_file or free_path(self.to, moment)
                self.origin = common_folder(moved)
                book = stack.enter_context(
                    create(self.undo_file, source=self.origin, target=self.to)
                )
            advance = stack.enter_context(
                console.progress("placing", len(self.plan), quiet=quiet, unit="files")
            )
            for one, reason in place(self.plan, root=root, undo_file=book):
                if reason is not None:
                    self.failures.append(f"failed: {one.source}: {reason}")
                elif not one.is_photo:
                    self.done["sidecars"] += 1
                else:
                    self.done["there" if one.is_there else one.operation] += 1
                advance()

    def _is_near(self, undo_file: Path) -> bool:
        """Whether `--undo` will take the folder for known without being told."""
        return _is_known(self.to, None, undo_file) or _is_within(self.to, Path())

    def _sum_up(self) -> None:
        parts = [f"{self.done[name]:,} {word}" for name, word in _DONE.items() if self.done[name]]
        parts += [f"{self.done['there']:,} there already"] if self.done["there"] else []
        parts += [f"{self.done['sidecars']:,} sidecars with them"] if self.done["sidecars"] else []
        parts += [f"{len(self.failures):,} failed"] if self.failures else []
        what = ", ".join(parts) or "nothing done"
        console.say(f"{self.chosen:,} of {self.total:,} photos chosen for {self.to}: {what}")
        _name_failures(self.failures)
        if self.done[MOVE] and self.undo_file is not None:
            options = [
                *([] if _is_within(self.origin, Path()) else ["--base", str(self.origin)]),
                *([] if self._is_near(self.undo_file) else ["--to", str(self.to)]),
            ]
            command = shlex.join(["contrique", "select", "--undo", str(self.undo_file), *options])
            console.say(f"to take the moves back: {command}")


def _undo(path: Path, *, base: Path | None, to: Path | None, is_dry_run: bool, quiet: bool) -> int:
    """Take the moves of an undo file back and sum up."""
    from contrique_cli.collection import undo as collection_undo

    found = read(path)
    _confirm(found, path, base, to)
    done: Counter[str] = Counter()
    failures = []
    moves = found.moves
    with console.progress("undoing", len(moves), quiet=quiet, unit="files") as advance:
        for move, result, reason in collection_undo.undo(found, is_dry_run=is_dry_run):
            done[result] += 1
            if reason is not None:
                failures.append(f"left: {move.target}: {reason}")
            elif is_dry_run and result == collection_undo.RESTORED:
                source, target = map(console.printable, (str(move.source), str(move.target)))
                sys.stdout.buffer.write(f"move {target} -> {source}\n".encode())
            advance()
    sys.stdout.buffer.flush()
    if not quiet:
        verb = "would be moved back" if is_dry_run else "moved back"
        console.say(
            f"{done[collection_undo.RESTORED]:,} files {verb}, "
            f"{done[collection_undo.BACK]:,} there already, "
            f"{done[collection_undo.COPIED]:,} copies left, {done[collection_undo.FAILED]:,} failed"
        )
        console.say(f"  from {found.target} into {found.source}")
        _name_failures(failures)
    if not failures:
        return deliver.DONE
    return deliver.SOME_FAILED if len(failures) < len(moves) else deliver.NOTHING


def _confirm(moves: Moves, path: Path, base: Path | None, to: Path | None) -> None:
    """See that the user knows both folders: an undo file may come from anybody.

    Raises:
        BadReport: one is neither where the user works, nor given.
    """
    start = Path() if base is None else base
    if not _is_within(moves.source, start):
        raise BadReport(
            f"{path} moves files into {moves.source}, which lies outside of "
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
