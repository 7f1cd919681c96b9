"""The command that scores photos: score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import typer

from contrique_cli import config
from contrique_cli.cli import bursts as cli_bursts
from contrique_cli.cli import deliver, rate, shards
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
from contrique_cli.errors import BadOption
from contrique_cli.reports.rows import Row


def score(
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
    request = shards.Request(
        sources=deliver.names(paths),
        output=folder or "",
        format=file_format,
        turn=shard,
        keep_columns=keep_columns,
        image_column=image_column,
        max_failures=max_failures,
        is_on_ray=ray,
        quiet=quiet,
    )
    later = {"--gallery": gallery, "--xmp": xmp, "--bursts": bursts, "--fail-under": fail_under}
    later |= {"--flaws": flaws}
    work = Work(
        device=device,
        max_megapixels=max_megapixels,
        max_seconds=max_seconds,
        workers=workers,
        precision=precision,
    )
    if folder is not None:
        shards.refuse(later)
        status = shards.score(
            request,
            model=model,
            regressor=regressor,
            work=work,
        )
        raise typer.Exit(status)
    request.check_unused()
    report = None if output is None else Path(output)
    target = deliver.target(
        report,
        file_format,
        fail_under=fail_under,
        quiet=quiet,
        is_whole=bursts is not None,
        has_flaws=flaws,
    )
    acts: list[Callable[[list[Row]], int]] = []
    if xmp:
        acts.append(partial(rate.write, wanted=Ratings(), quiet=quiet))
    if gallery is not None:
        _check_page(gallery, report)
        acts.append(
            partial(
                cli_gallery.write,
                path=gallery,
                max_megapixels=max_megapixels,
                workers=workers,
                quiet=quiet,
            )
        )

    from contrique_cli.photos import finding
    from contrique_cli.scoring import score as verb
    from contrique_cli.scoring.pipeline import describe, load_pipeline

    pipeline = load_pipeline(model, regressor)
    if flaws and pipeline.probe is None:
        raise BadOption("--flaws: no flaw probe is installed for this encoder; leave it out")
    left_out: Counter[str] = Counter()
    with opened(is_off=no_cache, quiet=quiet) as cache:
        companions: dict[Path, Path] = {}
        found = finding.find(deliver.sources(paths), left_out, companions if pairs else None)
        listed = found if target.is_streaming and "-" in paths else list(found)
        run = partial(
            verb.score,
            pipeline=pipeline,
            work=pipeline.sized(work),
            cache=cache,
        )
        status = deliver.deliver(
            verb.rated(verb.pair(run(listed), companions, run)),
            target,
            label="scoring",
            total=len(listed) if isinstance(listed, list) else None,
            about=lambda: describe(pipeline),
            left_out=left_out,
            complete=lambda rows: (
                rows
                if bursts is None
                else cli_bursts.mark(rows, gap=bursts, max_megapixels=max_megapixels, quiet=quiet)
            ),
            then=acts,
        )
    raise typer.Exit(status)


def _check_page(page: Path, output: Path | None) -> None:
    cli_gallery.check(page, "--gallery")
    if output is not None and output.resolve() == page.resolve():
        raise BadOption(f"--gallery {page} and --output name the same file")
