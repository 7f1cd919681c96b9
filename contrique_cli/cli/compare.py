"""The command that scores photos against the ones they were made from: compare."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import deliver
from contrique_cli.cli.cache import opened
from contrique_cli.cli.options import (
    Device,
    FailUnder,
    Format,
    MaxMegapixels,
    Model,
    NoCache,
    Output,
    Pairwise,
    Quiet,
)


def compare(
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="REFERENCE",
            help="The undistorted photo, or a folder of them.",
            show_default=False,
        ),
    ],
    distorted: Annotated[
        Path,
        typer.Argument(
            metavar="DISTORTED", help="The photo to judge, or a folder of them.", show_default=False
        ),
    ],
    *,
    output: Output = None,
    file_format: Format = None,
    fail_under: FailUnder = None,
    quiet: Quiet = False,
    model: Model = None,
    regressor: Pairwise = None,
    device: Device = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    no_cache: NoCache = False,
) -> None:
    """Score photos against the ones they were made from; folders are matched by name.

    Needs a full-reference regressor: see `contrique fit-regressor --reference-column`.

    Example: contrique compare originals/ copies/ --regressor NAME
    """
    target = deliver.target(output, file_format, fail_under=fail_under, quiet=quiet)

    from contrique_cli.encoder import pairs
    from contrique_cli.encoder.work import Work
    from contrique_cli.models.regressor import FULL_REFERENCE
    from contrique_cli.scoring import compare as verb
    from contrique_cli.scoring.pipeline import describe, load_pipeline

    work = Work(device=device, max_megapixels=max_megapixels)
    work.check(None)
    pipeline = load_pipeline(model, regressor, task=FULL_REFERENCE)
    left_out: Counter[str] = Counter()
    matched = pairs.match(reference, distorted, left_out)
    with opened(is_off=no_cache, quiet=quiet) as cache:
        status = deliver.deliver(
            verb.compare(matched, pipeline, pipeline.sized(work), cache=cache),
            target,
            label="comparing",
            total=len(matched.pairs) + len(matched.unmatched),
            about=lambda: describe(pipeline),
            left_out=left_out,
        )
    raise typer.Exit(status)
