"""The command that turns scores, or picks of the gallery, into stars: rate."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console, deliver, given, source, streams
from contrique_cli.cli import undo as cli_undo
from contrique_cli.cli.options import Base, DryRun, Names, Quiet, Thresholds
from contrique_cli.config import Ratings
from contrique_cli.errors import BadReport
from contrique_cli.reports.rows import Row
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.collection import ratings
    from contrique_cli.collection.picks import Picks

_REJECTED = "-1 (rejected)"
_USUAL = ",".join(f"{score:g}" for score in config.XMP_THRESHOLDS)


def rate(
    context: typer.Context,
    *,
    report: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A report of `contrique score`, or the list of picks that the gallery downloads; "
            "- reads standard input.",
            show_default=False,
        ),
    ],
    names: Names = config.XMP_NAMES[0],
    thresholds: Thresholds = _USUAL,
    base: Base = None,
    undo_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With a list of picks: where to write down what stood in the sidecars.",
            show_default="in the photos' folder",
        ),
    ] = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Write stars into XMP sidecars beside photos: by scores, or as you gave them in the gallery.

    Scores never change a person's stars. A list of picks, a person's word,
    does so in the sidecar that holds them; `contrique undo` takes it back.

    Examples: contrique rate --from report.csv --dry-run

    contrique rate --from picks.json

    Exit status: 0 all done, 1 nothing could be done, 2 wrong usage, 3 some
    sidecars failed or photos are not there, 130 interrupted (each sidecar is
    old or new, never half-written).
    """
    try:
        scores = tuple(map(float, thresholds.split(",")))
    except ValueError:
        scores = ()
    wanted = Ratings(naming=names, thresholds=scores, is_dry_run=dry_run)

    from contrique_cli.collection import picks

    data = source.load(report)
    if picks.is_list(data):
        given.refuse(context, "thresholds", home="a report: a list of picks has stars, not scores")
        status = _give(picks.parse(data, source.name(report)), base, undo_file, wanted, quiet=quiet)
    else:
        picks_alone = "a list of picks, which may change a person's stars"
        given.refuse(context, "undo_file", home=picks_alone)
        status = _rate(source.parse(data, report), report, base, wanted, quiet=quiet)
    raise typer.Exit(status)


def _rate(rows: list[Row], report: str, base: Path | None, wanted: Ratings, *, quiet: bool) -> int:
    from contrique_cli.collection.select import check_inside, locate

    located = locate(source.scored(rows, report), base)
    check_inside(located.paths, base)
    source.name_missing(located.missing, quiet=quiet)
    status = write(located.rows, wanted, quiet=quiet)
    return deliver.SOME_FAILED if located.missing else status


def _give(
    found: Picks, base: Path | None, undo_file: Path | None, wanted: Ratings, *, quiet: bool
) -> int:
    """Write a person's stars and sum up."""
    from contrique_cli.collection import ratings
    from contrique_cli.collection.select import check_inside, locate

    located = locate(found.rows if base is not None else _resolve(found), base)
    check_inside(located.paths, base)
    source.name_missing(located.missing, quiet=quiet)
    stars: dict[Path, int] = {}
    for row in located.rows:
        stars |= dict.fromkeys(row.files, int(row.rating or 0))
    done = list(ratings.give(stars, naming=wanted.naming, is_dry_run=True))
    changing = [one.sidecar for one in done if one.result == ratings.WRITTEN]
    if changing and not wanted.is_dry_run:
        done = _write_given(stars, changing, undo_file, wanted, quiet=quiet)
    else:
        if wanted.is_dry_run:
            sys.stdout.writelines(f"{streams.printable(_describe(one))}\n" for one in done)
        if not quiet:
            _sum_up(done, wanted)
    return deliver.SOME_FAILED if located.missing else _status(done)


def _write_given(
    stars: dict[Path, int],
    changing: list[Path],
    undo_file: Path | None,
    wanted: Ratings,
    *,
    quiet: bool,
) -> list[ratings.Outcome]:
    """Write what stood in the sidecars into an undo file, each before it changes."""
    from contrique_cli.collection import ratings, undo

    folder = undo.common_folder(changing)
    path = undo_file or undo.free_path(folder, time.strftime("%Y%m%d-%H%M%S"))
    done: list[ratings.Outcome] = []
    with undo.create(path, source=folder, target=folder) as book:
        try:
            done.extend(ratings.give(stars, naming=wanted.naming, record=book.record_rating))
        finally:
            if not quiet:
                _sum_up(done, wanted)
                command = cli_undo.spell(path, source=folder, target=folder)
                console.say(f"to take them back: {command}")
    return done


def _resolve(found: Picks) -> list[Row]:
    """The rows of a list of picks, with relative paths that start from the current folder.

    Raises:
        BadReport: the list was made elsewhere, where photos of the same names may be others.
    """
    if found.folder is None:
        return found.rows
    folder, here = (Path(os.path.realpath(path)) for path in (found.folder, Path()))
    if folder.is_relative_to(here):
        return found.moved_to(folder.relative_to(here))
    if all(row.path.is_absolute() for row in found.rows):
        return found.rows
    raise BadReport(
        f"the list of picks was made in {found.folder}, not in the current folder: give --base "
        f"{shlex.quote(str(found.folder))}, or --base . if the photos are here now"
    )


def write(rows: Iterable[Row], wanted: Ratings, *, quiet: bool) -> int:
    """Write the sidecars of scored photos, or show what would be written, and sum up.

    Args:
        rows: those without a score are passed over.
        wanted: how scores become stars.
        quiet: no summary.

    Returns:
        The exit status.
    """
    from contrique_cli.collection import ratings

    done = []
    try:
        for outcome in ratings.rate(
            rows,
            naming=wanted.naming,
            thresholds=wanted.thresholds,
            is_dry_run=wanted.is_dry_run,
        ):
            done.append(outcome)
            if wanted.is_dry_run:
                sys.stdout.write(streams.printable(_describe(outcome)) + "\n")
    finally:
        if not quiet:
            _sum_up(done, wanted)
    return _status(done)


def _status(done: Iterable[ratings.Outcome]) -> int:
    from contrique_cli.collection import ratings

    has_failed = any(outcome.result == ratings.FAILED for outcome in done)
    return deliver.SOME_FAILED if has_failed else deliver.DONE


def _describe(outcome: ratings.Outcome) -> str:
    from contrique_cli.collection import ratings

    stars = _REJECTED if outcome.mark.stars < 0 else plural(outcome.mark.stars, "star")
    behind = "" if outcome.mark.score is None else f", score {outcome.mark.score:g}"
    what = {
        ratings.WRITTEN: f"would get {stars}{behind}" + (" (a new file)" if outcome.is_new else ""),
        ratings.UNCHANGED: f"has {stars} already",
        ratings.KEPT: "keeps the rating of a person"
        if outcome.reason is None
        else f"is not made: a person's rating is in {outcome.reason}",
        ratings.FAILED: f"cannot be written: {outcome.reason}",
    }
    return f"{outcome.sidecar} {what[outcome.result]}"


def _sum_up(done: list[ratings.Outcome], wanted: Ratings) -> None:
    from contrique_cli.collection import ratings

    count = Counter(outcome.result for outcome in done)
    verb = "would be written" if wanted.is_dry_run else "written"
    is_given = any(outcome.mark.score is None for outcome in done)
    kept = "" if is_given else f"{count[ratings.KEPT]:,} kept (rated by a person), "
    console.say(
        f"sidecars: {count[ratings.WRITTEN]:,} {verb}, {count[ratings.UNCHANGED]:,} unchanged, "
        f"{kept}{count[ratings.FAILED]:,} failed"
    )
    shared = sum(len(outcome.photos) > 1 for outcome in done)
    if shared:
        what = "rating" if is_given else "score"
        console.say(f"  {shared:,} of them for several photos each: the best {what} counts")
    failed = [outcome for outcome in done if outcome.result == ratings.FAILED]
    if not wanted.is_dry_run:
        console.name_some(
            (f"not written: {one.sidecar}: {one.reason}" for one in failed), len(failed)
        )
