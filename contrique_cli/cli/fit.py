"""The command that fits the scale to opinion scores: fit-regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console
from contrique_cli.cli.cache import opened
from contrique_cli.cli.options import (
    MODEL,
    Device,
    Encoder,
    Group,
    LowerIsBetter,
    MaxMegapixels,
    MaxSide,
    Mos,
    MosColumn,
    NoCache,
    PathColumn,
    Photos,
    Quiet,
    Reference,
)
from contrique_cli.config import Opinions
from contrique_cli.errors import BadOption
from contrique_cli.files import writing

if TYPE_CHECKING:
    from contrique_cli.opinions.labels import LeftOut


def fit_regressor(
    mos: Mos,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME",
            help="A name for --regressor, or a file.",
            show_default="the table's name",
        ),
    ] = None,
    photos: Photos = None,
    path_column: PathColumn = None,
    mos_column: MosColumn = None,
    group: Group = None,
    reference_column: Reference = None,
    lower_is_better: LowerIsBetter = False,
    pristine: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of clean photos: distorting them teaches what lowers a score.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    model: Encoder = None,
    max_side: MaxSide = config.MAX_SIDE,
    device: Device = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    no_cache: NoCache = False,
    quiet: Quiet = False,
) -> None:
    """Fit the scale to your own opinions: ridge regression on the frozen encoder's features.

    Example: contrique fit-regressor --mos scores.csv
    """
    from contrique_cli.encoder.model import pick_device
    from contrique_cli.models import locating
    from contrique_cli.models import regressor as noun
    from contrique_cli.opinions import fit, ladders

    if pristine is not None and reference_column is not None:
        raise BadOption("--pristine is for scores without a reference; leave one of the two out")
    output = mos.stem if output is None else output
    path = locating.destination(noun.KIND, output)
    writing.check_writable(path)
    opinions = Opinions(
        table=mos,
        photos=photos,
        path_column=path_column,
        mos_column=mos_column,
        group_column=group,
        reference_column=reference_column,
        lower_is_better=lower_is_better,
    )
    chosen = pick_device(device)
    encoder, info = locating.load_encoder(model)
    climbed = None
    if pristine is not None:
        clean = ladders.choose(pristine)
        with watching(quiet=quiet) as on_photo:
            climbed = ladders.climb(clean, encoder.to(chosen), on_photo=on_photo)
    with (
        opened(is_off=no_cache, quiet=quiet) as cache,
        watching(quiet=quiet) as on_photo,
    ):
        report, fitted = fit.fit(
            opinions,
            encoder,
            info,
            device=chosen,
            max_side=max_side,
            max_megapixels=max_megapixels,
            ladders=climbed,
            cache=cache,
            on_photo=on_photo,
        )
    console.show_figures(f"median of {report.split}", "quartiles", report.figures)
    tell(report.left_out, report.notes)
    if climbed is not None:
        left_out = climbed.unreadable
        console.name_some((f"clean photo left out: {one}" for one in left_out), len(left_out))
    noun.save(path, fitted)
    console.say(f"saved {path}: use it with --regressor {output}")


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that takes its total from the first report."""
    with console.progress("features", None, quiet=quiet) as advance:
        yield lambda _done, total: advance(total)


def tell(left_out: Sequence[LeftOut], notes: Sequence[str]) -> None:
    """Say which lines of a table could not be used, and what else is to be known of it."""
    if left_out:
        console.say(f"{len(left_out)} lines could not be used:")
    console.name_some(
        (f"line {one.line}: {one.path}: {one.reason}" for one in left_out), len(left_out)
    )
    for note in notes:
        console.say(f"note: {note}")
