"""The command that makes a page of a report: gallery."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console, deliver, source
from contrique_cli.cli.options import Base, From, GallerySize, MaxMegapixels, Quiet
from contrique_cli.errors import BadOption, Unreadable
from contrique_cli.files import writing
from contrique_cli.reports.rows import Row, rank
from contrique_cli.words import plural

SUFFIXES = (".html", ".htm")


def gallery(
    *,
    report: From,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="The page to write.", show_default=False
        ),
    ],
    size: GallerySize = None,
    base: Base = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    quiet: Quiet = False,
) -> None:
    """Write a page of a report's photos, to look at, filter and pick from; it needs no network.

    The photos come in the order of the report; select makes a smaller one.
    Stars given there are downloaded as picks.json, which `contrique rate` writes
    into sidecars. Probabilities of flaws to sort and filter by come from JSON,
    Parquet, or CSV of `contrique score --flaws`.

    Example: contrique gallery --from report.csv --output gallery.html

    Exit status: 0 all shown, 1 nothing could be done, 2 wrong usage, 3 some
    photos have no picture, 130 interrupted (an older page stays as it was).
    """
    check(output, "--output")
    rows = source.read(report)
    scored = source.scored(rows, report)

    from contrique_cli.collection.select import locate

    located = locate(scored, base)
    source.name_missing(located.missing, quiet=quiet)
    found = [*located.rows, *(row for row in rows if row.score is None)]
    shown = found if all(row.rank for row in located.rows) else rank(found)
    status = write(shown, output, size=size, max_megapixels=max_megapixels, quiet=quiet)
    raise typer.Exit(deliver.SOME_FAILED if located.missing else status)


def check(path: Path, option: str) -> None:
    """Refuse a page that could not be written, before the work.

    Raises:
        BadOption: it does not end in .html.
        CannotWrite: see `writing.check_writable`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadOption(f"{option} {path}: end it in .html")
    writing.check_writable(path)


def write(
    rows: list[Row],
    path: Path,
    *,
    size: int | None = None,
    max_megapixels: float,
    workers: int | None = None,
    quiet: bool,
) -> int:
    """Write the page and sum up.

    Args:
        rows: ranked; those without a score are listed with their reason.
        path: of the page.
        size: see `GallerySize`.
        max_megapixels, workers: see `thumbnails.make`.
        quiet: no progress and no summary.

    Returns:
        The exit status.

    Raises:
        CannotWrite: the disk is full, say.
    """
    from contrique_cli.reports import gallery as page

    count = sum(row.score is not None for row in rows)
    side = size or page.size_for(count)
    failed: list[Unreadable] = []
    made = _thumbnails(rows, side, failed, max_megapixels, workers)
    with (
        writing.replacing(path) as file,
        console.progress("thumbnails", count, quiet=quiet) as advance,
        closing(made),
    ):
        page.write(file, rows, console.counted(made, advance), folder=path.parent)
        length = file.tell()
    if not quiet:
        console.say(f"gallery of {plural(count, 'photo')} in {path} ({length / 1e6:.1f} MB)")
        console.name_some((f"no thumbnail: {problem}" for problem in failed), len(failed))
    return deliver.SOME_FAILED if failed else deliver.DONE


def _thumbnails(
    rows: Iterable[Row],
    side: int,
    failed: list[Unreadable],
    max_megapixels: float,
    workers: int | None,
) -> Generator[bytes | None, None, None]:
    from contrique_cli.reports import thumbnails

    paths = (row.path for row in rows if row.score is not None)
    for one in thumbnails.make(
        paths, max_side=side, max_megapixels=max_megapixels, workers=workers
    ):
        if isinstance(one, Unreadable):
            failed.append(one)
        yield one if isinstance(one, bytes) else None
