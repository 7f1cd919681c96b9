"""What the commands about opinions share: the table's options, its trouble in words, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli.cli import console
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.opinions.labels import LeftOut

TABLE = "Table"
"""Panel of the help."""

_MOS = typer.Option(
    "--mos",
    metavar="TABLE",
    help="Table (CSV, JSON, Parquet, Excel) of photos and opinions, one a row.",
    show_default=False,
)
Mos = Annotated[Path, _MOS]
MosOrRatings = Annotated[Path | None, _MOS]
Rated = Annotated[
    Path | None,
    typer.Option(
        "--ratings",
        metavar="DIR",
        help="Instead of a table: photos with your own stars, in sidecars or inside.",
        show_default=False,
    ),
]
Blend = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        min=0.0,
        max=0.9,
        help="With --ratings: how much of the installed taste to keep, such as 0.5.",
    ),
]
Photos = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that relative paths start from.",
        rich_help_panel=TABLE,
        show_default="the table's",
    ),
]
PathColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of the photo.",
        rich_help_panel=TABLE,
        show_default="by name",
    ),
]
MosColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of the opinion.",
        rich_help_panel=TABLE,
        show_default="by name",
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="COLUMN",
        help="Photos of one group stay on one side of a split.",
        rich_help_panel=TABLE,
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference-column",
        metavar="COLUMN",
        help="Column of the undistorted photo, for `compare`.",
        rich_help_panel=TABLE,
    ),
]
LowerIsBetter = Annotated[
    bool,
    typer.Option(
        "--lower-is-better",
        metavar="",
        help="The opinions are DMOS: lower is better.",
        rich_help_panel=TABLE,
    ),
]


@contextmanager
def watching(*, quiet: bool, label: str = "features") -> Iterator[Callable[[int, int], None]]:
    """A progress bar that takes its total from the first report."""
    with console.progress(label, None, quiet=quiet) as advance:
        yield lambda _done, total: advance(total)


def tell(left_out: Sequence[LeftOut], notes: Sequence[str]) -> None:
    """Say which rows of a table could not be used, and what else is to be known of it."""
    if left_out:
        console.say(f"{plural(len(left_out), 'row')} could not be used:")
    console.name_some(map(str, left_out), len(left_out))
    for note in notes:
        console.say(f"note: {note}")
