"""The command that measures how well scores follow opinions."""

from __future__ import annotations

from contrique_cli import config
from contrique_cli.cli.cache import opened
from contrique_cli.cli.opinions import (
    Group,
    LowerIsBetter,
    Mos,
    MosColumn,
    PathColumn,
    Photos,
    Reference,
    tell,
    watching,
)
from contrique_cli.cli.options import (
    Device,
    MaxMegapixels,
    Model,
    NoCache,
    Quiet,
    Regressor,
)
from contrique_cli.config import Opinions
from contrique_cli.words import plural


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
    device: Device = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
    no_cache: NoCache = False,
    quiet: Quiet = False,
) -> None:
    """Measure how well scores follow opinions on data the model has not seen.

    Example: contrique evaluate --mos scores.csv
    """
    from contrique_cli.cli import display
    from contrique_cli.encoder.work import Work
    from contrique_cli.models.regressor import FULL_REFERENCE, NO_REFERENCE
    from contrique_cli.opinions import evaluate as verb
    from contrique_cli.scoring.pipeline import load_pipeline

    work = Work(device=device, max_megapixels=max_megapixels)
    work.check(None)
    task = FULL_REFERENCE if reference_column else NO_REFERENCE
    pipeline = load_pipeline(model, regressor, task=task)
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
        opened(is_off=no_cache, quiet=quiet) as cache,
        watching(quiet=quiet) as on_photo,
    ):
        done = verb.evaluate(
            opinions, pipeline, pipeline.sized(work), cache=cache, on_photo=on_photo
        )
    groups = "" if done.groups is None else f" in {plural(done.groups, 'group')}"
    title = f"{done.regressor.stem} on {plural(done.n, 'photo')}{groups}"
    display.show_figures(title, f"{config.CONFIDENCE} % interval", done.figures)
    tell(done.left_out, done.notes)
