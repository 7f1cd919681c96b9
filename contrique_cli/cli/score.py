"""The command that scores photos: score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from contrique_cli import config
from contrique_cli.cli import bursts as cli_bursts
from contrique_cli.cli import deliver, given, rate, shards
from contrique_cli.cli import gallery as cli_gallery
from contrique_cli.cli.cache import opened
from contrique_cli.cli.options import (
    Bursts,
    Device,
    FailUnder,
    Flaws,
    Format,
    Gallery,
    ImageColumn,
    KeepColumns,
    MaxFailures,
    MaxMegapixels,
    MaxSeconds,
    Model,
    NoCache,
    Pairs,
    Paths,
    Precision,
    Quiet,
    Ray,
    Regressor,
    ReportOrResults,
    Shard,
    Workers,
    Xmp,
)
from contrique_cli.config import Ratings
from contrique_cli.errors import BadOption, NoImagesFound
from contrique_cli.reports.rows import Row

if TYPE_CHECKING:
    from contrique_cli.encoder.work import Work
    from contrique_cli.scoring.pipeline import Pipeline

_OF_PHOTOS = "gallery xmp bursts flaws fail_under".split()
_OF_SHARDS = "shard keep_columns image_column max_failures ray".split()
"""Options of the two kinds of run that mean nothing in the other."""


def score(
    context: typer.Context,
    paths: Paths,
    *,
    output: ReportOrResults = None,
    file_format: Format = None,
    gallery: Gallery = None,
    xmp: Xmp = False,
    pairs: Pairs = True,
    bursts: Bursts = None,
    flaws: Flaws = False,
    fail_under: FailUnder = None,
    quiet: Quiet = False,
    shard: Shard = None,
    keep_columns: KeepColumns = None,
    image_column: ImageColumn = None,
    max_failures: MaxFailures = None,
    ray: Ray = False,
    model: Model = None,
    regressor: Regressor = None,
    device: Device = None,
    workers: Workers = None,
    precision: Precision = config.PRECISION,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    max_seconds: MaxSeconds = config.MAX_SECONDS,
    no_cache: NoCache = False,
) -> None:
    """Rank photos by technical quality, 0 (worst) to 100 (best).

    Example: contrique score ./photos --output report.csv

    What is done with a report is a command of its own: select lists, copies or
    moves the best photos, gallery shows them, rate gives them stars.

    Exit status: 0 all scored, 1 nothing could be done, 2 wrong usage, 3 some
    photos failed (their rows say why), 4 below --fail-under, 5 more failed than
    --max-failures, 130 interrupted: what was scored is in the report, and no
    page and no stars are written.

    Shards (.tar, .tar.gz, .parquet, folders of them) have a result each in a
    folder: contrique score shards/*.tar --output scores/
    """
    from contrique_cli.encoder.work import Work

    folder = shards.folder_for(paths, output)
    work = Work(
        device=device,
        max_megapixels=max_megapixels,
        max_seconds=max_seconds,
        workers=workers,
        precision=precision,
    )
    if folder is not None:
        given.refuse(context, *_OF_PHOTOS, home="a report of photos; shards have results instead")
        request = shards.Request(
            sources=list(deliver.names(paths)),
            output=folder,
            format=file_format,
            turn=shard,
            keep_columns=keep_columns,
            image_column=image_column,
            max_failures=max_failures,
            is_on_ray=ray,
            quiet=quiet,
            model=model,
            regressor=regressor,
            work=work,
        )
        raise typer.Exit(shards.score(request))
    given.refuse(context, *_OF_SHARDS, home="shards: give a folder for results as --output")
    report = None if output is None else Path(output)
    target = deliver.target(
        report,
        file_format,
        fail_under=fail_under,
        quiet=quiet,
        is_whole=bursts is not None,
        has_flaws=flaws,
    )
    if gallery is not None:
        _check_page(gallery, report)

    from contrique_cli.scoring.pipeline import load_pipeline

    pipeline = load_pipeline(model, regressor)
    if flaws and pipeline.probe is None:
        raise BadOption("--flaws: no flaw probe is installed for this encoder; leave it out")
    status = _score_photos(
        paths,
        target,
        pipeline=pipeline,
        work=pipeline.sized(work),
        no_cache=no_cache,
        has_pairs=pairs,
        gap=bursts,
        then=_acts(xmp=xmp, gallery=gallery, work=work, quiet=quiet),
    )
    raise typer.Exit(status)


def _acts(
    *, xmp: bool, gallery: Path | None, work: Work, quiet: bool
) -> list[Callable[[list[Row]], int]]:
    """What is done with the ranked rows; each gives an exit status."""
    acts: list[Callable[[list[Row]], int]] = []
    if xmp:
        acts.append(partial(rate.write, wanted=Ratings(), quiet=quiet))
    if gallery is not None:
        write = partial(cli_gallery.write, path=gallery, workers=work.workers, quiet=quiet)
        acts.append(partial(write, max_megapixels=work.max_megapixels))
    return acts


def _score_photos(
    paths: Paths,
    target: deliver.Target,
    *,
    pipeline: Pipeline,
    work: Work,
    no_cache: bool,
    has_pairs: bool,
    gap: float | None,
    then: list[Callable[[list[Row]], int]],
) -> int:
    """Score photos into a report, and go on with it.

    Args:
        paths, no_cache: as given.
        target: where the report goes.
        pipeline, work: what scores, at its working size.
        has_pairs: whether a RAW file and its JPEG are one photo.
        gap: longest pause within a burst in seconds; None looks for none.
        then: see `_acts`.

    Returns:
        The exit status.
    """
    from contrique_cli.photos import finding
    from contrique_cli.scoring import score as verb
    from contrique_cli.scoring.pipeline import describe

    left_out: Counter[str] = Counter()
    companions: dict[Path, Path] = {}
    with opened(is_off=no_cache, quiet=target.quiet) as cache:
        found = finding.find(deliver.sources(paths), left_out, companions if has_pairs else None)
        listed = found if target.is_streaming and "-" in paths else list(found)
        run = partial(verb.score, pipeline=pipeline, work=work, cache=cache)
        mark = partial(cli_bursts.mark, max_megapixels=work.max_megapixels, quiet=target.quiet)
        try:
            return deliver.deliver(
                verb.rated(verb.pair(run(listed), companions, run)),
                target,
                label="scoring",
                total=len(listed) if isinstance(listed, list) else None,
                about=lambda: describe(pipeline),
                left_out=left_out,
                complete=lambda rows: rows if gap is None else mark(rows, gap=gap),
                then=then,
            )
        except NoImagesFound as nothing:
            raise NoImagesFound(f"{nothing}{shards.advice(left_out)}") from nothing


def _check_page(page: Path, output: Path | None) -> None:
    cli_gallery.check(page, "--gallery")
    if output is not None and output.resolve() == page.resolve():
        raise BadOption(f"--gallery {page} and --output name the same file")
