"""The command that fits the scale to opinion scores: fit-regressor."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console, given
from contrique_cli.cli.cache import opened
from contrique_cli.cli.opinions import (
    Blend,
    Group,
    LowerIsBetter,
    MosColumn,
    MosOrRatings,
    PathColumn,
    Photos,
    Rated,
    Reference,
    tell,
    watching,
)
from contrique_cli.cli.options import (
    MODEL,
    Device,
    Encoder,
    MaxMegapixels,
    MaxSide,
    NoCache,
    Quiet,
)
from contrique_cli.config import Opinions
from contrique_cli.errors import BadOption
from contrique_cli.files import writing
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.encoder.work import Work
    from contrique_cli.models.regressor import Regressor
    from contrique_cli.opinions.taste import CurvePoint, Taste

_OF_TABLE = (
    *("photos", "path_column", "mos_column", "group", "reference_column", "lower_is_better"),
    *("pristine", "max_side"),
)
"""Options that mean nothing with --ratings."""


def fit_regressor(
    context: typer.Context,
    *,
    mos: MosOrRatings = None,
    ratings: Rated = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME",
            help="A name for --regressor, or a file.",
            show_default="the table's name, or the folder's",
        ),
    ] = None,
    blend: Blend = 0.0,
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

    With --ratings, your own stars are the opinions; `score --regressor NAME` then ranks as you do.

    Example: contrique fit-regressor --mos scores.csv
    """
    from contrique_cli.encoder import checkpoint
    from contrique_cli.encoder.work import Work
    from contrique_cli.models import locating
    from contrique_cli.models import regressor as noun

    work = Work(device=device, max_side=max_side, max_megapixels=max_megapixels)
    if ratings is not None and mos is None:
        given.refuse(context, *_OF_TABLE, home="--mos: leave it out with --ratings")
        if not ratings.is_dir():
            raise BadOption(f"--ratings {ratings} is no folder")
        name = ratings.resolve().name if output is None else output
        learn = partial(_fit_ratings, ratings, blend=blend)
    elif mos is not None and ratings is None:
        given.refuse(context, "blend", home="--ratings: leave it out with --mos")
        opinions = Opinions(
            table=mos,
            photos=photos,
            path_column=path_column,
            mos_column=mos_column,
            group_column=group,
            reference_column=reference_column,
            lower_is_better=lower_is_better,
        )
        if pristine is not None and reference_column is not None:
            raise BadOption(
                "--pristine is for scores without a reference; leave one of the two out"
            )
        name = mos.stem if output is None else output
        learn = partial(_fit_table, opinions, pristine=pristine)
    else:
        raise BadOption("give opinions either as a table, --mos, or as your own stars, --ratings")
    path = locating.destination(noun.KIND, name)
    writing.check_writable(path)
    done = "replaced" if path.exists() else "saved"
    work.check(None)
    noun.save(path, learn(model=model, work=work, no_cache=no_cache, quiet=quiet))
    options = ["--regressor", name]
    if model is not None and not locating.is_installed(checkpoint.KIND, model):
        options += ["--model", model]  # a file, which nobody but the user finds
    console.say(f"{done} {path}: use it with {shlex.join(options)}")


def _fit_table(
    opinions: Opinions,
    *,
    pristine: Path | None,
    model: str | None,
    work: Work,
    no_cache: bool,
    quiet: bool,
) -> Regressor:
    """Fit the scale to a table of opinions, and say how well it follows them."""
    from contrique_cli.cli import display
    from contrique_cli.models import locating
    from contrique_cli.opinions import fit, ladders

    encoder, info = locating.load_encoder(model)
    climbed = None
    if pristine is not None:
        clean = ladders.choose(pristine)
        with watching(quiet=quiet) as on_photo:
            climbed = ladders.climb(clean, encoder.to(work.chosen_device), on_photo=on_photo)
    with (
        opened(is_off=no_cache, quiet=quiet) as cache,
        watching(quiet=quiet) as on_photo,
    ):
        report, fitted = fit.fit(
            opinions,
            encoder,
            info,
            work,
            ladders=climbed,
            cache=cache,
            on_photo=on_photo,
        )
    display.show_figures(f"median of {report.split}", "quartiles", report.figures)
    tell(report.left_out, report.notes)
    if climbed is not None:
        left_out = climbed.unreadable
        console.name_some((f"clean photo left out: {one}" for one in left_out), len(left_out))
    return fitted


def _fit_ratings(
    folder: Path,
    *,
    blend: float,
    model: str | None,
    work: Work,
    no_cache: bool,
    quiet: bool,
) -> Regressor:
    """Fit the scale to a person's stars, and say how sure it is."""
    from contrique_cli.encoder.cache import recall
    from contrique_cli.opinions import dataset, taste
    from contrique_cli.scoring.pipeline import load_pipeline

    pipeline = load_pipeline(model)
    work = pipeline.sized(work)  # stars are compared with the installed taste
    with watching(quiet=quiet, label="days and bursts") as on_photo:
        found = taste.find_stars(folder, on_photo=on_photo)
    with (
        opened(is_off=no_cache, quiet=quiet) as cache,
        watching(quiet=quiet) as on_photo,
    ):
        gathered = dataset.gather(
            found,
            pipeline.model.to(work.chosen_device),
            work,
            at_least=config.MIN_LABELS,
            shelf=recall.find_shelf(cache, pipeline.info, work),
            on_photo=on_photo,
        )
    with console.progress("fits", config.SPLITS, quiet=quiet, unit="splits") as advance:
        fitted, made = taste.fit_stars(
            gathered,
            pipeline.info,
            pipeline.regressor,
            blend=blend,
            provenance={"ratings": folder.name, "arch": pipeline.info.arch},
            on_split=lambda _done, _total: advance(),
        )
    _show_taste(fitted, pipeline.regressor_path.stem, blend)
    return made


def _show_taste(found: Taste, known: str, blend: float) -> None:
    from contrique_cli.cli import display

    report = found.report
    rows = [(f"0, as {known} ranks", found.known)]
    rows += [(_words(point, report.n), point.srocc) for point in found.curve]
    if found.blended is not None:
        rows.append((f"{blend:g} of {known} blended in", found.blended))
    display.show_curve(f"median of {report.split}", rows)
    value, between = display.spell(found.interval)
    interval = f", 95 % interval {between}" if between else ""
    console.say(f"SROCC of all {report.n:,} photos, each predicted by others: {value}{interval}")
    if found.enough is None:
        console.say(
            f"note: {known} follows your stars better than a scale fitted to {report.n:,} of them: "
            "rate more photos, or keep some of it with --blend 0.5"
        )
    else:
        console.say(f"from {found.enough:,} rated photos on it follows you better than {known}")
    console.say(
        f"{config.MIN_LABELS} rated photos are needed; the table says what more of them give"
    )
    if report.groups is None:
        console.say(
            "note: too few days and series to keep some out, so that photos of one scene may be on "
            "both sides: the figures flatter"
        )
    if report.left_out:
        console.say(f"{plural(len(report.left_out), 'photo')} could not be used:")
        console.name_some(
            (f"{one.path}: {one.reason}" for one in report.left_out), len(report.left_out)
        )


def _words(point: CurvePoint, count: int) -> str:
    return f"{point.n:,}" if point.n is not None else f"all, 80 % of {count:,}"
