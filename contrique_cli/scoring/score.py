"""Score photos: paths to report rows, on one encoder and one regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from contrique_cli.collection.ratings import Sidecars
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.errors import Unreadable
from contrique_cli.photos.opening import Pending
from contrique_cli.reports.rows import Row
from contrique_cli.scoring.pipeline import Pipeline


def score(
    paths: Iterable[Pending],
    pipeline: Pipeline,
    work: Work,
    *,
    cache: FeatureCache | None = None,
) -> Iterator[Row]:
    """Score photos as they come, in the order of the paths.

    Args:
        paths: see `finding.find`; photos in memory are taken as they are.
        pipeline: see `pipeline.load_pipeline`.
        work: see `Pipeline.sized`.
        cache: features of photos seen before; None does without.

    Yields:
        One unranked row per path; a photo that cannot be scored has its reason as `error`.

    Raises:
        UnknownDevice, BadOption: see `Work.check`.
        RegressorMismatch: the regressor was fitted at another working size.
    """
    pipeline.regressor.check(encoder=pipeline.info.fingerprint, max_side=work.max_side)
    work.check(cache)  # better known now than with the first photo
    stream = recall.extract(
        paths,
        lambda: pipeline.prepare(work.chosen_device, work.precision),
        recall.find_shelf(cache, pipeline.info, work),
        work,
    )
    return (_row(item, pipeline) for item in stream)


def pair(
    rows: Iterable[Row],
    companions: Mapping[Path, Path],
    score_again: Callable[[list[Path]], Iterable[Row]],
) -> Iterator[Row]:
    """Give photos their companions; where one cannot be scored, its companion takes its place.

    Args:
        rows: see `score`.
        companions: see `finding.find`; may grow while rows come.
        score_again: the rows of some paths.

    Yields:
        As many rows, each naming the other file of its pair.
    """
    for row in rows:
        companion = companions.get(row.path)
        if companion is None or row.error is None:
            yield replace(row, companion=companion)
            continue
        (instead,) = score_again([companion])
        note = f"scored instead of {row.path.name}: {row.error}"
        notes = note if instead.note is None else f"{note}; {instead.note}"
        yield (
            replace(instead, companion=row.path, note=notes)
            if instead.error is None
            else replace(row, companion=companion)
        )


def rated(rows: Iterable[Row]) -> Iterator[Row]:
    """Give photos on the disk a person's stars: in a sidecar, else inside, else the companion's.

    What a sidecar says is looked up in its folder's listing, made when the first photo of the
    folder comes; what is inside a photo was read, or remembered, with its features.
    """
    beside = Sidecars()
    for row in rows:
        rating = beside.find(row.files, inside=row.rating)
        yield row if rating == row.rating else replace(row, rating=rating)


def _row(item: Features | Unreadable, pipeline: Pipeline) -> Row:
    if isinstance(item, Unreadable):
        return Row(path=item.path, error=item.reason)
    size = item.width, item.height
    return pipeline.judge(
        item.path,
        item.values,
        size=size,
        source=item.source,
        note=item.note,
        rating=item.rating,
    )
