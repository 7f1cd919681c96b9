"""`--gallery`: from the rows of a report to the page, with progress and a word on how it went."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console
from contrique_cli.cli.deliver import INTERRUPTED, Target
from contrique_cli.errors import BadOption, CannotWrite, Unreadable
from contrique_cli.files import writing
from contrique_cli.reports.rows import Row, rank

Gallery = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.html",
        help="Write a page to look at and pick from, FILE.html; it needs no network.",
    ),
]
GallerySize = Annotated[
    int | None,
    typer.Option(
        min=config.MIN_THUMBNAIL,
        max=config.MAX_THUMBNAIL,
        help="Long side of the gallery's thumbnails in pixels [default: 480, fewer in large ones].",
    ),
]

_SUFFIXES = (".html", ".htm")
_NAMED = 5


@dataclass(kw_only=True)
class Step:
    """A step of `cli_report.deliver` that writes the gallery and gives the rows back as they are.

    Whatever goes wrong here waits until the report is written: see `status`.

    Attributes:
        path: of the page.
        target: of the report, whose selection and quiet hold for the page too.
        size: see `GallerySize`.
        max_megapixels, workers: see `thumbnails.make`.
    """

    path: Path
    target: Target
    size: int | None
    max_megapixels: float
    workers: int | None
    failed: list[Unreadable] = field(default_factory=list)
    problem: CannotWrite | KeyboardInterrupt | None = None

    def __post_init__(self) -> None:
        if self.path.suffix.lower() not in _SUFFIXES:
            raise BadOption(f"--gallery {self.path}: end it in .html")
        if self.target.path is not None and self.target.path.resolve() == self.path.resolve():
            raise BadOption(f"--gallery {self.path} and --output name the same file")
        writing.check_writable(self.path)

    def __call__(self, rows: list[Row]) -> list[Row]:
        """Write the page of the rows that the report will show."""
        try:
            self._write(rank(rows, self.target.selection))
        except (CannotWrite, KeyboardInterrupt) as problem:
            self.problem = problem
        return rows

    def _write(self, rows: list[Row]) -> None:
        from contrique_cli.reports import gallery

        count = sum(row.score is not None for row in rows)
        size = self.size or gallery.size_for(count)
        with (
            writing.replacing(self.path) as file,
            closing(self._thumbnails(rows, size, count)) as made,
        ):
            gallery.write(file, rows, made, folder=self.path.parent)
            length = file.tell()
        if not self.target.quiet:
            console.say(f"gallery of {count:,} photos in {self.path} ({length / 1e6:.1f} MB)")
            for problem in self.failed[:_NAMED]:
                console.say(f"  no thumbnail: {problem}")
            if len(self.failed) > _NAMED:
                console.say(f"  ... and {len(self.failed) - _NAMED:,} more")

    def _thumbnails(
        self, rows: Iterable[Row], size: int, count: int
    ) -> Generator[bytes | None, None, None]:
        from contrique_cli.reports import thumbnails

        made = thumbnails.make(
            (row.path for row in rows if row.score is not None),
            max_side=size,
            max_megapixels=self.max_megapixels,
            workers=self.workers,
        )
        with console.progress("thumbnails", count, quiet=self.target.quiet) as advance:
            for one in made:
                if isinstance(one, Unreadable):
                    self.failed.append(one)
                yield one if isinstance(one, bytes) else None
                advance()

    def status(self, status: int) -> int:
        """The command's exit status, now that the report is out.

        Raises:
            CannotWrite: the gallery could not be written.
        """
        if isinstance(self.problem, CannotWrite):
            raise self.problem
        if self.problem is not None:
            console.say(f"interrupted: no gallery in {self.path}; the report is complete")
            return INTERRUPTED
        return status
