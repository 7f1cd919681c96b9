"""Compare photos with the ones they were made from: pairs to report rows, full-reference."""

from __future__ import annotations

from collections.abc import Iterator

from contrique_cli.encoder import pairs
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.pairs import Matched, Pair
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.errors import RegressorMismatch, Unreadable
from contrique_cli.models.regressor import FULL_REFERENCE, Regressor
from contrique_cli.reports.rows import Row
from contrique_cli.scoring.pipeline import Pipeline


def compare(
    matched: Matched,
    pipeline: Pipeline,
    work: Work,
    *,
    cache: FeatureCache | None = None,
) -> Iterator[Row]:
    """Score distorted photos against their references, in order, those without a partner last.

    Args:
        matched: see `pairs.match`.
        pipeline: see `pipeline.load_pipeline`, with the task `FULL_REFERENCE`.
        work: see `Pipeline.sized`.
        cache: features of photos seen before; None does without.

    Yields:
        One unranked row per photo; what cannot be compared has its reason as `error`. Identical
        photos get the regressor's intercept.

    Raises:
        RegressorMismatch: the regressor is no full-reference one; says how to fit one.
    """
    if pipeline.regressor.task != FULL_REFERENCE:
        raise RegressorMismatch(
            f"comparing needs a {FULL_REFERENCE} regressor, and {pipeline.regressor_path} is a "
            f"{pipeline.regressor.task} one; fit one to opinions about distorted photos: contrique "
            "fit-regressor --mos scores.csv --reference-column COLUMN --output NAME"
        )
    stream = pairs.extract(
        matched.pairs,
        pipeline.model.to(work.chosen_device),
        work,
        shelf=recall.find_shelf(cache, pipeline.info, work),
    )
    return _rows(matched, stream, pipeline.regressor)


def _rows(
    matched: Matched, stream: Iterator[Features | Unreadable], regressor: Regressor
) -> Iterator[Row]:
    for pair, found in zip(matched.pairs, stream, strict=True):
        yield _row(pair, found, regressor)
    for photo in matched.unmatched:
        yield Row(path=photo.path, error=photo.reason)


def _row(pair: Pair, found: Features | Unreadable, regressor: Regressor) -> Row:
    if isinstance(found, Unreadable):
        return Row(path=pair.path, reference=pair.reference, error=found.reason)
    raw = regressor.predict(found.values[None])  # (1, 2F) -> (1,)
    return Row(
        path=pair.path,
        reference=pair.reference,
        score=float(regressor.to_score(raw)[0]),
        raw=float(raw[0]),
        quality=float(regressor.to_quality(raw)[0]),
        width=found.width,
        height=found.height,
        source=found.source,
        note=found.note,
    )
