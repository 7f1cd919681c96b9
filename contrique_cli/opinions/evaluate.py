"""Evaluate a regressor: how well its scores agree with opinions it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contrique_cli import config
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels
from contrique_cli.models.regressor import FULL_REFERENCE, NO_REFERENCE, Regressor
from contrique_cli.opinions import dataset, labels, metrics
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.labels import LeftOut
from contrique_cli.opinions.metrics import Range
from contrique_cli.scoring.pipeline import Pipeline

_MARK_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a regressor agrees with opinions.

    Attributes:
        task: `regressor.NO_REFERENCE` or `regressor.FULL_REFERENCE`.
        regressor: the file that was judged.
        n: photos (or pairs) used.
        groups: how many groups they fall into, resampled whole; None without groups.
        figures: by name (`metrics.NAMES`): the figure and its confidence interval.
        seen: photos among them that the regressor was fitted to.
        left_out: rows that could not be used.
        notes: what the user should know, a sentence each.
    """

    task: str
    regressor: Path
    n: int
    groups: int | None
    figures: Mapping[str, Range]
    seen: int
    left_out: Sequence[LeftOut]
    notes: Sequence[str]


def evaluate(
    opinions: config.Opinions,
    pipeline: Pipeline,
    work: Work,
    *,
    cache: FeatureCache | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure an encoder and a regressor on a table of opinions.

    Args:
        opinions: the table; with a reference column, full-reference. Its direction may differ from
            the regressor's.
        pipeline: see `pipeline.load_pipeline`; full-reference where the opinions are.
        work: see `Pipeline.sized`.
        cache: features of photos seen before; None does without.
        on_photo: told how many photos of how many are done.

    Raises:
        BadLabels: the table or its photos do not suffice.
        RegressorMismatch: the regressor is for the other task, or another working size.
    """
    task = NO_REFERENCE if opinions.reference_column is None else FULL_REFERENCE
    pipeline.regressor.check(encoder=pipeline.info.fingerprint, max_side=work.max_side, task=task)
    table = labels.read_opinions(opinions)
    gathered = dataset.gather(
        table,
        pipeline.model.to(work.chosen_device),
        work,
        at_least=config.MIN_EVALUATED,
        shelf=recall.find_shelf(cache, pipeline.info, work),
        on_photo=on_photo,
    )
    return evaluate_dataset(
        gathered,
        pipeline.regressor,
        path=pipeline.regressor_path,
        higher_is_better=not opinions.lower_is_better,
    )


def evaluate_dataset(
    gathered: Dataset, regressor: Regressor, *, path: Path, higher_is_better: bool
) -> Evaluation:
    """Measure a regressor on features that are there already.

    Args:
        gathered: features and opinions.
        regressor: fitted to features of the same encoder.
        path: where the regressor came from.
        higher_is_better: direction of the opinions.

    Raises:
        BadLabels: a single group.
    """
    if gathered.group_count == 1:
        raise BadLabels(
            f"column {gathered.group_column} has one group only, which cannot be resampled; "
            "choose another --group, or leave it out"
        )
    raw = regressor.predict(gathered.features)
    figures = metrics.bootstrap(
        raw if regressor.higher_is_better else -raw,
        gathered.mos if higher_is_better else -gathered.mos,
        groups=gathered.groups,
        resamples=config.RESAMPLES,
        confidence=config.CONFIDENCE,
        seed=config.SEED,
    )
    seen = len(_marks(regressor).intersection(gathered.marks))
    return Evaluation(
        task=gathered.task,
        regressor=path,
        n=len(gathered.mos),
        groups=gathered.group_count,
        figures=figures,
        seen=seen,
        left_out=gathered.left_out,
        notes=[*gathered.notes, *_doubts(figures, seen, len(gathered.mos))],
    )


def _marks(regressor: Regressor) -> set[str]:
    """What tells the photos that the regressor was fitted to; see `dataset.Dataset.marks`."""
    joined = str(regressor.provenance.get("marks", ""))
    return {joined[at : at + _MARK_LENGTH] for at in range(0, len(joined), _MARK_LENGTH)}


def _doubts(figures: Mapping[str, Range], seen: int, n: int) -> list[str]:
    doubts = []
    if seen:
        doubts.append(
            f"The regressor was fitted to {seen} of these {n} photos: the figures flatter it."
        )
    srocc = figures["srocc"].value
    if srocc is None:
        doubts.append("Every photo gets the same score, so that no correlation has a meaning.")
    elif srocc < -config.WEAK_SROCC:
        doubts.append(
            "The scores run against the opinions: if the opinions are better when lower, say "
            "--lower-is-better."
        )
    return doubts
