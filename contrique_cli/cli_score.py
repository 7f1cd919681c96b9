"""The commands that look at photos: score, compare, features."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import (
    cli_bursts,
    cli_cache,
    cli_gallery,
    cli_report,
    cli_watch,
    cli_xmp,
    completion,
    config,
    console,
    report,
)
from contrique_cli.cli_cache import NoCache
from contrique_cli.config import Selection
from contrique_cli.errors import BadOption

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Photos and folders; - reads a list from standard input."
    ),
]
Nul = Annotated[
    bool, typer.Option("-0", "--null", help="The list on standard input is NUL-separated.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write the report to FILE (.csv, .json or .jsonl)."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="table, csv, json or jsonl (streams).",
        autocompletion=completion.FORMATS,
    ),
]
Top = Annotated[int | None, typer.Option(help="Report the best N photos only.")]
MinScore = Annotated[float | None, typer.Option(help="Report photos with at least this score.")]
MaxScore = Annotated[float | None, typer.Option(help="Report photos with at most this score.")]
Reverse = Annotated[bool, typer.Option("--reverse", "-r", help="Report the worst first.")]
FailUnder = Annotated[
    float | None, typer.Option(help="Exit with status 4 if a photo scores below this.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]
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
Model = Annotated[
    str | None,
    typer.Option(
        help="Encoder: a name from `contrique models`, or a file.",
        autocompletion=completion.models,
    ),
]
Regressor = Annotated[
    str | None,
    typer.Option(
        help="Regressor: a name from `contrique models`, or a file.",
        autocompletion=completion.regressors,
    ),
]
MaxSide = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Working size: long side in pixels, 0 for full resolution "
        "[default: what the regressor was fitted at].",
    ),
]
MaxMegapixels = Annotated[float, typer.Option(min=0, help="Refuse larger photos, by their header.")]
Device = Annotated[
    str | None,
    typer.Option(
        help="cpu, cuda, cuda:1 or mps [default: the fastest there is].",
        autocompletion=completion.DEVICE,
    ),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Photos of one shape per step [default: by memory].")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads [default: by cores and memory].")]
Fast = Annotated[
    bool, typer.Option("--fast", help="Judge at a smaller working size, with its own regressor.")
]
Precision = Annotated[
    str,
    typer.Option(help="Of the encoder: auto (what the processor is quick at), fp32, bf16, fp16."),
]
Absolute = Annotated[
    bool, typer.Option("--absolute", help="Absolute paths in the report [default: as found].")
]


def score(
    paths: Paths,
    *,
    output: Output = None,
    file_format: Format = None,
    gallery: cli_gallery.Gallery = None,
    gallery_size: cli_gallery.GallerySize = None,
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
    xmp: cli_xmp.Xmp = False,
    xmp_name: cli_xmp.XmpName = None,
    xmp_stars: cli_xmp.XmpStars = None,
    dry_run: cli_xmp.DryRun = False,
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
    target = cli_report.target(
        output,
        file_format or ("jsonl" if watch and output is None else None),
        selection=selection,
        fail_under=fail_under,
        quiet=quiet,
        is_whole=bursts,
    )
    later = {"--gallery": gallery, "--xmp": xmp, "--absolute": absolute}
    watched = cli_watch.check(paths, target, later) if watch else None
    grouping = cli_bursts.Grouping(burst_gap, max_megapixels, quiet=quiet) if bursts else None
    page = gallery and cli_gallery.Step(
        path=gallery,
        target=target,
        size=gallery_size,
        max_megapixels=max_megapixels,
        workers=workers,
    )
    rating = cli_xmp.Rating(
        cli_xmp.wanted(xmp=xmp, name=xmp_name, stars=xmp_stars, is_dry_run=dry_run, output=output),
        quiet=quiet,
    )

    from contrique_cli import images, weights
    from contrique_cli import score as verb
    from contrique_cli.model import pick_device

    place = pick_device(device)
    scorer = weights.load_scorer(model, regressor, fast=fast)
    left_out: Counter[str] = Counter()
    with cli_cache.opened(is_off=no_cache, quiet=quiet) as cache:
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
        found = images.find(cli_report.sources(paths, is_nul_separated=nul), left_out)
        listed = found if target.is_streaming and "-" in paths else list(found)
        rows = scoring(listed)
        status = cli_report.deliver(
            map(report.absolute, rows) if absolute else rows,
            target,
            label="scoring",
            total=len(listed) if isinstance(listed, list) else None,
            about=lambda: weights.describe(scorer),
            left_out=left_out,
            steps=[step for step in (grouping, rating, page) if step],
        )
    raise typer.Exit(status)


def compare(
    reference: Annotated[Path, typer.Argument(help="The undistorted photo, or a folder of them.")],
    distorted: Annotated[Path, typer.Argument(help="The photo to judge, or a folder of them.")],
    *,
    output: Output = None,
    file_format: Format = None,
    top: Top = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    reverse: Reverse = False,
    fail_under: FailUnder = None,
    quiet: Quiet = False,
    model: Model = None,
    regressor: Regressor = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    device: Device = None,
    no_cache: NoCache = False,
) -> None:
    """Score photos against the ones they were made from; folders are matched by name.

    Needs a full-reference regressor: see `contrique fit-regressor --reference-column`.

    Example: contrique compare originals/ copies/ --regressor NAME
    """
    selection = Selection(top=top, min_score=min_score, max_score=max_score, reverse=reverse)
    target = cli_report.target(
        output, file_format, selection=selection, fail_under=fail_under, quiet=quiet
    )

    from contrique_cli import compare as verb
    from contrique_cli import pairs, weights
    from contrique_cli.model import pick_device
    from contrique_cli.regressor import FULL_REFERENCE

    place = pick_device(device)
    scorer = weights.load_scorer(model, regressor, task=FULL_REFERENCE)
    left_out: Counter[str] = Counter()
    matched = pairs.match(reference, distorted, left_out)
    with cli_cache.opened(is_off=no_cache, quiet=quiet) as cache:
        status = cli_report.deliver(
            verb.compare(matched, scorer, device=place, max_megapixels=max_megapixels, cache=cache),
            target,
            label="comparing",
            total=len(matched.pairs) + len(matched.unmatched),
            about=lambda: weights.describe(scorer),
            left_out=left_out,
        )
    raise typer.Exit(status)


def features(
    paths: Paths,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .npz or .parquet file.")],
    quiet: Quiet = False,
    nul: Nul = False,
    model: Model = None,
    max_side: Annotated[
        int, typer.Option(min=0, help="Working size: long side in pixels, 0 for full resolution.")
    ] = config.MAX_SIDE,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    device: Device = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    no_cache: NoCache = False,
    precision: Precision = config.PRECISION,
) -> None:
    """Write the encoder's features of photos: two scales, 4096 numbers with a ResNet-50.

    Example: contrique features ./photos --output features.npz
    """
    from contrique_cli import featurefile, images, recall, weights
    from contrique_cli import features as noun
    from contrique_cli.errors import NoImagesFound, Unreadable
    from contrique_cli.model import pick_device

    featurefile.check_suffix(output)
    place = pick_device(device)
    encoder, info = weights.load_encoder(model)
    left_out: Counter[str] = Counter()
    listed = list(images.find(cli_report.sources(paths, is_nul_separated=nul), left_out))
    done: list[noun.Features] = []
    failed: list[Unreadable] = []
    with (
        cli_cache.opened(is_off=no_cache, quiet=quiet) as cache,
        console.progress("features", len(listed), quiet=quiet) as advance,
    ):
        stream = recall.extract(
            listed,
            lambda: encoder.to(place),
            recall.find_shelf(cache, info, max_side=max_side, device=place, precision=precision),
            max_side=max_side,
            max_megapixels=max_megapixels,
            batch_size=batch_size,
            workers=workers,
            precision=precision,
        )
        for item in stream:
            if isinstance(item, Unreadable):
                failed.append(item)
            else:
                done.append(item)
            advance()
    if not done:
        raise NoImagesFound("no photo could be read; nothing was written")
    featurefile.save(output, done, failed, encoder=info.fingerprint, max_side=max_side)
    if not quiet:
        console.say(f"{len(done):,} of {len(listed):,} photos, features in {output}")
        for problem in failed:
            console.say(f"  left out: {problem}")
    raise typer.Exit(cli_report.SOME_FAILED if failed else cli_report.DONE)
