"""The options of star ratings, and the step that writes them once all photos are scored."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console, deliver
from contrique_cli.config import Ratings
from contrique_cli.errors import BadOption
from contrique_cli.reports.rows import Row

if TYPE_CHECKING:
    from contrique_cli.collection import ratings

_NAMED = 5  # sidecars not written that are spelled out

Xmp = Annotated[
    bool,
    typer.Option(
        "--xmp", help="Write stars into XMP sidecars; a person's rating is never changed."
    ),
]
XmpName = Annotated[
    str | None,
    typer.Option(
        help="Sidecars are called: full (a.jpg.xmp: darktable, digiKam), stem (a.xmp: Adobe) "
        "[default: full]."
    ),
]
XmpStars = Annotated[
    str | None,
    typer.Option(
        help="Scores from which 1 to 5 stars are given [default: 20,40,60,80,95; as a score is a "
        "percentile: the worst fifth gets 0, the best fifth 4, the best twentieth 5]."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="With --xmp: show all sidecars, write nothing.")
]


class Rating:
    """A step for `cli_report.deliver`: writes the sidecars, and knows afterwards how it went."""

    def __init__(self, wanted: Ratings | None, *, quiet: bool) -> None:
        self.wanted = wanted
        self.quiet = quiet
        self.failed = 0

    def __call__(self, rows: list[Row]) -> list[Row]:
        """Rate all scored photos and sum up; the rows stay as they are."""
        if self.wanted is not None:
            from contrique_cli.collection import ratings

            done = []
            for outcome in ratings.rate(
                rows,
                naming=self.wanted.naming,
                thresholds=self.wanted.thresholds,
                is_dry_run=self.wanted.is_dry_run,
            ):
                done.append(outcome)
                if self.wanted.is_dry_run:
                    console.say(_describe(outcome))
            self.failed = sum(outcome.result == ratings.FAILED for outcome in done)
            if not self.quiet:
                _sum_up(done, self.wanted)
        return rows

    def status(self, status: int) -> int:
        """An exit status, turned to "some failed" where all else went well."""
        return deliver.SOME_FAILED if self.failed and status == deliver.DONE else status


def wanted(
    *, xmp: bool, name: str | None, stars: str | None, is_dry_run: bool, output: Path | None
) -> Ratings | None:
    """The options together.

    Raises:
        BadOption: they make no sense together, or alone.
    """
    if not xmp:
        given = {"--xmp-name": name, "--xmp-stars": stars, "--dry-run": is_dry_run or None}
        for option, value in given.items():
            if value is not None:
                raise BadOption(f"{option} belongs to --xmp: give that too, or leave it out")
        return None
    if is_dry_run and output is not None:
        raise BadOption("--dry-run writes no file: leave --output out, or --dry-run")
    try:
        thresholds = tuple(map(float, stars.split(","))) if stars else config.XMP_STARS
    except ValueError:
        thresholds = ()
    return Ratings(
        naming=config.XMP_NAMES[0] if name is None else name,
        thresholds=thresholds,
        is_dry_run=is_dry_run,
    )


def _describe(outcome: ratings.Outcome) -> str:
    from contrique_cli.collection import ratings

    stars = f"{outcome.mark.stars} stars" if outcome.mark.stars != 1 else "1 star"
    what = {
        ratings.WRITTEN: f"would get {stars}, score {outcome.mark.score:g}"
        + (" (a new file)" if outcome.is_new else ""),
        ratings.UNCHANGED: f"has {stars} already",
        ratings.KEPT: "keeps the rating of a person",
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
        for outcome in failed[:_NAMED]:
            console.say(f"  not written: {outcome.sidecar}: {outcome.reason}")
        if len(failed) > _NAMED:
            console.say(f"  ... and {len(failed) - _NAMED:,} more")
