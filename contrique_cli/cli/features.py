"""The command that writes the encoder's features."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import console, deliver
from contrique_cli.cli.cache import opened
from contrique_cli.cli.options import (
    Device,
    Encoder,
    MaxMegapixels,
    MaxSide,
    NoCache,
    Paths,
    Precision,
    Quiet,
    Workers,
)
from contrique_cli.errors import NoImagesFound
from contrique_cli.words import plural


def features(
    paths: Paths,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A .npz or .parquet file.",
            show_default=False,
        ),
    ],
    quiet: Quiet = False,
    model: Encoder = None,
    max_side: MaxSide = config.MAX_SIDE,
    device: Device = None,
    workers: Workers = None,
    precision: Precision = config.PRECISION,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    no_cache: NoCache = False,
) -> None:
    """Write the encoder's features of photos, a row of numbers each.

    Example: contrique features ./photos --output features.npz
    """
    from contrique_cli.encoder import export
    from contrique_cli.encoder.backend import Embed
    from contrique_cli.encoder.cache import recall
    from contrique_cli.encoder.work import Work
    from contrique_cli.models import locating
    from contrique_cli.photos import finding

    export.check_suffix(output)
    work = Work(
        device=device,
        max_side=max_side,
        max_megapixels=max_megapixels,
        workers=workers,
        precision=precision,
    )
    work.check(None)
    encoder, info = locating.load_encoder(model)
    left_out: Counter[str] = Counter()
    listed = list(finding.find(deliver.sources(paths), left_out))
    if not listed:
        raise NoImagesFound(deliver.nothing(left_out))
    with (
        export.spooled(output) as spool,
        opened(is_off=no_cache, quiet=quiet) as cache,
        console.progress("features", len(listed), quiet=quiet) as advance,
    ):
        stream = recall.extract(
            listed,
            lambda: Embed(encoder.to(work.chosen_device), precision),
            recall.find_shelf(cache, info, work),
            work,
        )
        for item in console.counted(stream, advance):
            spool.add(item)
        if not spool.count:
            photos, first = plural(len(listed), "photo"), spool.failed[0]
            raise NoImagesFound(f"of {photos} none could be read, such as {first}")
        spool.save(encoder=info.fingerprint, max_side=max_side)
    if not quiet:
        console.say(f"{spool.count:,} of {plural(len(listed), 'photo')}, features in {output}")
        failed = spool.failed
        console.name_some((f"not read: {one}" for one in failed), len(failed))
        if left_out:
            console.say(f"  left out: {deliver.listed(left_out)}")
    raise typer.Exit(deliver.SOME_FAILED if spool.failed else deliver.DONE)
