"""The command that turns scores into stars: rate."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from contrique_cli import config
from contrique_cli.cli import console, deliver, source, streams
from contrique_cli.cli.options import Base, DryRun, From, Names, Quiet, Thresholds
from contrique_cli.config import Ratings
from contrique_cli.errors import NoImagesFound
from contrique_cli.reports.rows import Row

if TYPE_CHECKING:
    from contrique_cli.collection import ratings

_USUAL = ",".join(f"{score:g}" for score in config.XMP_THRESHOLDS)


def rate(
    *,
    report: From,
    names: Names = config.XMP_NAMES[0],
    thresholds: Thresholds = _USUAL,
    base: Base = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Write stars into XMP sidecars beside the photos of a report; a person's are never changed.

    Example: contrique rate --from report.csv --dry-run

    Exit status: 0 all done, 1 nothing could be done, 2 wrong usage, 3 some
    sidecars failed or photos are not there, 130 interrupted (each sidecar is
    old or new, never half-written).
    """
    try:
        scores = tuple(map(float, thresholds.split(",")))
    except ValueError:
        scores = ()
    wanted = Ratings(naming=names, thresholds=scores, is_dry_run=dry_run)

    from contrique_cli.collection.select import check_inside, locate

    rows = source.read(report)
    scored = [row for row in rows if row.score is not None]
    if not scored:
        raise NoImagesFound(f"{report} has {len(rows):,} photos, and none with a score")
    located = locate(scored, base)
    check_inside(located.paths, base)
    source.name_missing(located.missing, quiet=quiet)
    status = write(located.rows, wanted, quiet=quiet)
    raise typer.Exit(deliver.SOME_FAILED if located.missing else status)


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
    is_whole = all(outcome.result != ratings.FAILED for outcome in done)
    return deliver.DONE if is_whole else deliver.SOME_FAILED


def _describe(outcome: ratings.Outcome) -> str:
    from contrique_cli.collection import ratings

    stars = f"{outcome.mark.stars} stars" if outcome.mark.stars != 1 else "1 star"
    what = {
        ratings.WRITTEN: f"would get {stars}, score {outcome.mark.score:g}"
        + (" (a new file)" if outcome.is_new else ""),
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
    console.say(
        f"sidecars: {count[ratings.WRITTEN]:,} {verb}, {count[ratings.UNCHANGED]:,} unchanged, "
        f"{count[ratings.KEPT]:,} kept (rated by a person), {count[ratings.FAILED]:,} failed"
    )
    shared = sum(len(outcome.photos) > 1 for outcome in done)
    if shared:
        console.say(f"  {shared:,} belong to several photos each: the best score counts")
    failed = [outcome for outcome in done if outcome.result == ratings.FAILED]
    if not wanted.is_dry_run:
        console.name_some(
            (f"not written: {one.sidecar}: {one.reason}" for one in failed), len(failed)
        )
