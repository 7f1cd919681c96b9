"""The commands that look at photos: score, compare, features."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import cli_report, config, console
from contrique_cli.config import Selection

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
    str | None, typer.Option("--format", "-f", help="table, csv, json or jsonl (streams).")
]
Top = Annotated[int | None, typer.Option(help="Report the best N photos only.")]
MinScore = Annotated[float | None, typer.Option(help="Report photos with at least this score.")]
MaxScore = Annotated[float | None, typer.Option(help="Report photos with at most this score.")]
Reverse = Annotated[bool, typer.Option("--reverse", "-r", help="Report the worst first.")]
FailUnder = Annotated[
    float | None, typer.Option(help="Exit with status 4 if a photo scores below this.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]
Model = Annotated[
    str | None, typer.Option(help="Encoder: a name from `contrique models`, or a file.")
]
Regressor = Annotated[
    str | None, typer.Option(help="Regressor: a name from `contrique models`, or a file.")
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
    str | None, typer.Option(help="cpu, cuda, cuda:1 or mps [default: the fastest there is].")
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


def score(
    paths: Paths,
    *,
    output: Output = None,
    file_format: Format = None,
    top: Top = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    reverse: Reverse = False,
    fail_under: FailUnder = None,
    quiet: Quiet = False,
    nul: Nul = False,
    model: Model = None,
    regressor: Regressor = None,
    max_side: MaxSide = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    device: Device = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    precision: Precision = config.PRECISION,
    fast: Fast = False,
) -> None:
    """Rank photos by technical quality, 0 (worst) to 100 (best).

    Example: contrique score ./photos --output report.csv

    Exit status: 0 all scored, 1 nothing could be done, 2 wrong usage, 3 some photos failed
    (their rows say why), 4 below --fail-under, 130 interrupted (what was scored is written).
    """
    selection = Selection(top=top, min_score=min_score, max_score=max_score, reverse=reverse)
    target = cli_report.target(
        output, file_format, selection=selection, fail_under=fail_under, quiet=quiet
    )

    from contrique_cli import images, weights
    from contrique_cli import score as verb
    from contrique_cli.model import pick_device

    place = pick_device(device)
    scorer = weights.load_scorer(model, regressor, fast=fast)
    left_out: Counter[str] = Counter()
    found = images.find(cli_report.sources(paths, is_nul_separated=nul), left_out)
    listed = found if target.is_streaming and "-" in paths else list(found)
    rows = verb.score(
        listed,
        scorer,
        device=place,
        max_side=max_side,
        max_megapixels=max_megapixels,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
    )
    status = cli_report.deliver(
        rows,
        target,
        label="scoring",
        total=len(listed) if isinstance(listed, list) else None,
        about=lambda: weights.describe(scorer),
        left_out=left_out,
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
    status = cli_report.deliver(
        verb.compare(matched, scorer, device=place, max_megapixels=max_megapixels),
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
    precision: Precision = config.PRECISION,
) -> None:
    """Write the encoder's features of photos: two scales, 4096 numbers with a ResNet-50.

    Example: contrique features ./photos --output features.npz
    """
    from contrique_cli import featurefile, images, weights
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
    stream = noun.extract(
        listed,
        encoder.to(place),
        max_side=max_side,
        max_megapixels=max_megapixels,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
    )
    with console.progress("features", len(listed), quiet=quiet) as advance:
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
