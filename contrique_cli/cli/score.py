"""The commands that look at photos: score, compare, features."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import deliver, ratings
from contrique_cli.cli import watch as cli_watch
from contrique_cli.cli.bursts import Grouping
from contrique_cli.cli.cache import NoCache, opened
from contrique_cli.cli.gallery import Gallery, GallerySize, Step
from contrique_cli.cli.options import (
    BatchSize,
    Device,
    FailUnder,
    Format,
    MaxMegapixels,
    MaxScore,
    MaxSide,
    MinScore,
    Model,
    Nul,
    Output,
    Paths,
    Precision,
    Quiet,
    Regressor,
    Reverse,
    Top,
    Workers,
)
from contrique_cli.config import Selection
from contrique_cli.errors import BadOption
from contrique_cli.reports import rows as report_rows

Bursts = Annotated[
    bool, typer.Option("--bursts", help="Group near-duplicates and mark the best of each group.")
]
BurstGap = Annotated[
    float | None,
    typer.Option(
        min=0,
        help=f"Longest pause within a burst in seconds [default: {config.BURST_GAP:g}]; "
        "with --bursts.",
    ),
]
BurstBestOnly = Annotated[
    bool,
    typer.Option(
        "--burst-best-only", help="Report the best of each burst only, and photos outside of any."
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Score photos as they arrive, a line of JSON each, until Ctrl-C."),
]
WatchInterval = Annotated[
    float, typer.Option(min=0.1, max=86400, help="Seconds between two looks at the folders.")
]
Fast = Annotated[
    bool, typer.Option("--fast", help="Judge at a smaller working size, with its own regressor.")
]
Absolute = Annotated[
    bool, typer.Option("--absolute", help="Absolute paths in the report [default: as found].")
]


def score(
    paths: Paths,
    *,
    output: Output = None,
    file_format: Format = None,
    gallery: Gallery = None,
    gallery_size: GallerySize = None,
    top: Top = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    reverse: Reverse = False,
    fail_under: FailUnder = None,
    bursts: Bursts = False,
    burst_gap: BurstGap = None,
    burst_best_only: BurstBestOnly = False,
    watch: Watch = False,
    watch_interval: WatchInterval = config.WATCH_INTERVAL,
    quiet: Quiet = False,
    nul: Nul = False,
    model: Model = None,
    regressor: Regressor = None,
    max_side: MaxSide = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    device: Device = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    absolute: Absolute = False,
    xmp: ratings.Xmp = False,
    xmp_name: ratings.XmpName = None,
    xmp_stars: ratings.XmpStars = None,
    dry_run: ratings.DryRun = False,
    no_cache: NoCache = False,
    precision: Precision = config.PRECISION,
    fast: Fast = False,
) -> None:
    """Rank photos by technical quality, 0 (worst) to 100 (best).

    Example: contrique score ./photos --output report.csv

    Exit status: 0 all scored, 1 nothing could be done, 2 wrong usage, 3 some photos failed
    (their rows say why), 4 below --fail-under, 130 interrupted (what was scored is written). To
    stop a --watch is no failure: 0.
    """
    selection = Selection(
        top=top,
        min_score=min_score,
        max_score=max_score,
        reverse=reverse,
        burst_best_only=burst_best_only,
    )
    bursts = bursts or burst_best_only
    if burst_gap is not None and not bursts:
        raise BadOption("--burst-gap needs --bursts")
    target = deliver.target(
        output,
        file_format or ("jsonl" if watch and output is None else None),
        selection=selection,
        fail_under=fail_under,
        quiet=quiet,
        is_whole=bursts,
    )
    later = {"--gallery": gallery, "--xmp": xmp, "--absolute": absolute}
    watched = cli_watch.check(paths, target, later) if watch else None
    grouping = Grouping(burst_gap, max_megapixels, quiet=quiet) if bursts else None
    page = gallery and Step(
        path=gallery,
        target=target,
        size=gallery_size,
        max_megapixels=max_megapixels,
        workers=workers,
    )
    rating = ratings.Rating(
        ratings.wanted(xmp=xmp, name=xmp_name, stars=xmp_stars, is_dry_run=dry_run, output=output),
        quiet=quiet,
    )

    from contrique_cli.encoder.model import pick_device
    from contrique_cli.photos import finding
    from contrique_cli.scoring import score as verb
    from contrique_cli.scoring.scorer import describe, load_scorer

    place = pick_device(device)
    scorer = load_scorer(model, regressor, fast=fast)
    left_out: Counter[str] = Counter()
    with opened(is_off=no_cache, quiet=quiet) as cache:
        scoring = partial(
            verb.score,
            scorer=scorer,
            device=place,
            max_side=max_side,
            max_megapixels=max_megapixels,
            batch_size=batch_size,
            workers=workers,
            precision=precision,
            cache=cache,
        )
        if watched is not None:
            raise typer.Exit(cli_watch.watch(watched, target, scoring, interval=watch_interval))
        found = finding.find(deliver.sources(paths, is_nul_separated=nul), left_out)
        listed = found if target.is_streaming and "-" in paths else list(found)
        rows = scoring(listed)
        status = deliver.deliver(
            map(report_rows.absolute, rows) if absolute else rows,
            target,
            label="scoring",
            total=len(listed) if isinstance(listed, list) else None,
            about=lambda: describe(scorer),
            left_out=left_out,
            steps=[step for step in (grouping, rating, page) if step],
        )
    raise typer.Exit(status)
