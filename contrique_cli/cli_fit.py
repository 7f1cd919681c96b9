"""The commands that learn from opinion scores: fit-regressor, evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import cli_cache, config, console
from contrique_cli.cli_cache import NoCache
from contrique_cli.cli_score import Device, MaxMegapixels, Model, Quiet, Regressor
from contrique_cli.config import Opinions
from contrique_cli.errors import BadOption

if TYPE_CHECKING:
    from contrique_cli.labels import LeftOut

_NAMED = 5  # rows left out that are spelled out

Mos = Annotated[Path, typer.Option("--mos", help="CSV with a photo and its opinion per line.")]
Photos = Annotated[
    Path | None, typer.Option(help="Folder of relative paths [default: that of the CSV].")
]
PathColumn = Annotated[str | None, typer.Option(help="Column of the photo [default: by name].")]
MosColumn = Annotated[str | None, typer.Option(help="Column of the opinion [default: by name].")]
Group = Annotated[
    str | None,
    typer.Option("--group", help="Column: photos of one group stay on one side of a split."),
]
Reference = Annotated[
    str | None,
    typer.Option("--reference-column", help="Column of the undistorted photo, for `compare`."),
]
LowerIsBetter = Annotated[
    bool, typer.Option("--lower-is-better", help="The opinions are DMOS: lower is better.")
]


def fit_regressor(
    mos: Mos,
    *,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="A name for --regressor, or a file [default: the CSV's name]."
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
        typer.Option(help="Folder of clean photos: distorting them teaches what lowers a score."),
    ] = None,
    model: Model = None,
    max_side: Annotated[
        int, typer.Option(min=0, help="Working size: long side in pixels, 0 for full resolution.")
    ] = config.MAX_SIDE,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    device: Device = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
) -> None:
    """Fit the scale to your own opinions: ridge regression on the frozen encoder's features.

    Example: contrique fit-regressor --mos scores.csv
    """
    from contrique_cli import files, fit, ladders, weights
    from contrique_cli import regressor as noun
    from contrique_cli.model import pick_device

    if pristine is not None and reference_column is not None:
        raise BadOption("--pristine is for scores without a reference; leave one of the two out")
    output = mos.stem if output is None else output
    path = weights.destination(noun.KIND, output)
    with files.replacing(path, keep=False):
        pass  # better known before than after the work
    opinions = Opinions(
        table=mos,
        photos=photos,
        path_column=path_column,
        mos_column=mos_column,
        group_column=group,
        reference_column=reference_column,
        lower_is_better=lower_is_better,
    )
    place = pick_device(device)
    encoder, info = weights.load_encoder(model)
    climbed = None
    if pristine is not None:
        clean = ladders.choose(pristine)
        with _watching(quiet=quiet) as on_photo:
            climbed = ladders.climb(clean, encoder.to(place), on_photo=on_photo)
    with (
        cli_cache.opened(is_off=no_cache, quiet=quiet) as cache,
        _watching(quiet=quiet) as on_photo,
    ):
        report, fitted = fit.fit(
            opinions,
            encoder,
            info,
            device=place,
            max_side=max_side,
            max_megapixels=max_megapixels,
            ladders=climbed,
            cache=cache,
            on_photo=on_photo,
        )
    console.show_figures(f"median of {report.split}", "quartiles", report.figures)
    _tell(report.left_out, report.notes)
    if climbed is not None:
        for problem in climbed.unreadable[:_NAMED]:
            console.say(f"  clean photo left out: {problem}")
    noun.save(path, fitted)
    console.say(f"saved {path}: use it with --regressor {output}")


def evaluate(
    mos: Mos,
    *,
    photos: Photos = None,
    path_column: PathColumn = None,
    mos_column: MosColumn = None,
    group: Group = None,
    reference_column: Reference = None,
    lower_is_better: LowerIsBetter = False,
    model: Model = None,
    regressor: Regressor = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    device: Device = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well scores follow opinions on data the model has not seen.

    Example: contrique evaluate --mos scores.csv
    """
    from contrique_cli import evaluate as verb
    from contrique_cli import weights
    from contrique_cli.model import pick_device
    from contrique_cli.regressor import FULL_REFERENCE, NO_REFERENCE

    place = pick_device(device)
    task = FULL_REFERENCE if reference_column else NO_REFERENCE
    scorer = weights.load_scorer(model, regressor, task=task)
    opinions = Opinions(
        table=mos,
        photos=photos,
        path_column=path_column,
        mos_column=mos_column,
        group_column=group,
        reference_column=reference_column,
        lower_is_better=lower_is_better,
    )
    with (
        cli_cache.opened(is_off=no_cache, quiet=quiet) as cache,
        _watching(quiet=quiet) as on_photo,
    ):
        done = verb.evaluate(
            opinions,
            scorer,
            device=place,
            max_megapixels=max_megapixels,
            cache=cache,
            on_photo=on_photo,
        )
    groups = "" if done.groups is None else f" in {done.groups} groups"
    title = f"{done.regressor.stem} on {done.n} photos{groups}"
    console.show_figures(title, f"{config.CONFIDENCE} % interval", done.figures)
    _tell(done.left_out, done.notes)


@contextmanager
def _watching(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that takes its total from the first report."""
    with console.progress("features", None, quiet=quiet) as advance:
        yield lambda _done, total: advance(total)


def _tell(left_out: Sequence[LeftOut], notes: Sequence[str]) -> None:
    if left_out:
        console.say(f"{len(left_out)} lines could not be used:")
    for one in left_out[:_NAMED]:
        console.say(f"  line {one.line}: {one.path}: {one.reason}")
    if len(left_out) > _NAMED:
        console.say(f"  ... and {len(left_out) - _NAMED} more")
    for note in notes:
        console.say(f"note: {note}")
