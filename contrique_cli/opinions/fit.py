"""Fit a regressor: opinions and a frozen encoder to ridge weights and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sklearn
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit

from contrique_cli import config
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.checkpoint import EncoderInfo
from contrique_cli.encoder.model import Contrique
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels
from contrique_cli.models import regressor
from contrique_cli.models.regressor import Regressor
from contrique_cli.opinions import dataset, labels, metrics, ranking, ridge
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.labels import LeftOut
from contrique_cli.opinions.ladders import Ladders
from contrique_cli.opinions.metrics import Figures, Range
from contrique_cli.opinions.ranking import Ranker

_TEST_SHARE = 0.2

_LEAST_SPREAD = 0.01
"""Share of the median deviation added to each."""


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """How a fit went.

    Attributes:
        task: `regressor.NO_REFERENCE` or `regressor.FULL_REFERENCE`.
        n: photos (or pairs) used.
        groups: how many groups they fall into; None without groups.
        split: what the figures come from, in words.
        figures: by name (`metrics.NAMES`): median over the splits, and its quartiles.
        strength: of the final ridge, chosen by cross-validation.
        higher_is_better: direction of the opinions.
        left_out: rows that could not be used.
        notes: what the user should know, a sentence each.
    """

    task: str
    n: int
    groups: int | None
    split: str
    figures: Mapping[str, Range]
    strength: float
    higher_is_better: bool
    left_out: Sequence[LeftOut]
    notes: Sequence[str]


def fit(
    opinions: config.Opinions,
    model: Contrique,
    info: EncoderInfo,
    work: Work,
    *,
    ladders: Ladders | None = None,
    cache: FeatureCache | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> tuple[FitReport, Regressor]:
    """Fit a ridge regression to the opinions in a table.

    Args:
        opinions: the table; with a reference column, the regressor is full-reference.
        model, info: see `locating.load_encoder`.
        work: see `features.extract`; scoring with the regressor will use the same working size.
        ladders: distorted photos that teach the order along distortions; no-reference only.
        cache: features of photos seen before; None does without.
        on_photo: told how many photos of how many are done.

    Raises:
        BadLabels: the table, its photos or its groups do not suffice.
    """
    table = labels.read_opinions(opinions)
    gathered = dataset.gather(
        table,
        model.to(work.chosen_device),
        work,
        at_least=config.MIN_LABELS,
        shelf=recall.find_shelf(cache, info, work),
        on_photo=on_photo,
    )
    return fit_dataset(
        gathered,
        encoder=info.fingerprint,
        max_side=work.max_side,
        higher_is_better=not opinions.lower_is_better,
        provenance={
            "table": opinions.table.name,
            "mos_column": table.mos_column,
            "arch": info.arch,
        },
        ladders=ladders,
    )


def fit_dataset(
    gathered: Dataset,
    *,
    encoder: str,
    max_side: int,
    higher_is_better: bool,
    provenance: Mapping[str, object],
    ladders: Ladders | None = None,
) -> tuple[FitReport, Regressor]:
    """Fit a ridge regression to features that are there already.

    Args:
        gathered: features and opinions.
        encoder: fingerprint of the encoder that made the features.
        max_side: working size in pixels of the features.
        higher_is_better: direction of the opinions.
        provenance: plain facts to keep beside those of the fit.
        ladders: see `fit`.

    Raises:
        BadLabels: too few groups.
    """
    _check_groups(gathered)
    spread = _spread(gathered.features)  # (F,)
    gathered = replace(gathered, features=gathered.features / spread)
    ranker = None
    if ladders is not None:
        margin = config.LADDER_MARGIN * float(gathered.mos.std())
        ranker = Ranker(
            ranking.learn(replace(ladders, features=ladders.features / spread)),
            margin=margin if higher_is_better else -margin,
            weight=config.LADDER_WEIGHT,
        )
    figures = metrics.middle_half(_split_figures(gathered, ranker))
    found = _fit_ridge(gathered, np.arange(len(gathered.mos)), ranker)
    report = FitReport(
        task=gathered.task,
        n=len(gathered.mos),
        groups=gathered.group_count,
        split=_split_in_words(gathered),
        figures=figures,
        strength=found.strength,
        higher_is_better=higher_is_better,
        left_out=gathered.left_out,
        notes=[*gathered.notes, *_doubts(found.choice, figures)],
    )
    knots, scores = _scale(gathered, found, ranker, higher_is_better=higher_is_better)
    return report, Regressor(
        weights=(found.weights / spread).astype(np.float32),
        bias=found.bias,
        knots=knots,
        scores=scores,
        higher_is_better=higher_is_better,
        task=gathered.task,
        encoder=encoder,
        max_side=max_side,
        figures={name: list(figures[name]) for name in metrics.NAMES}
        | {"n": report.n, "split": report.split},
        provenance={
            **provenance,
            "n": report.n,
            "strength": found.strength,
            "ladders": 0 if ladders is None else len(ladders.kinds),
            "left_out": len(gathered.left_out),
            "marks": "".join(gathered.marks),
            "scikit-learn": sklearn.__version__,
        },
    )


def _check_groups(gathered: Dataset) -> None:
    if (count := gathered.group_count) is not None and count < config.MIN_GROUPS:
        raise BadLabels(
            f"{config.MIN_GROUPS} groups are needed to keep some out for testing, and column "
            f"{gathered.group_column} has {count}; choose another --group, or leave it out"
        )


def _spread(features: np.ndarray) -> np.ndarray:
    """What each feature is divided by, so that a ridge holds all of them back alike, shape (F,).

    What hardly varies would else be mostly rounding, so a little of the usual is added.
    """
    deviations: np.ndarray = features.std(axis=0, dtype=np.float64)
    usual = float(np.median(deviations[deviations > 0])) if deviations.any() else 1.0
    return (deviations + _LEAST_SPREAD * usual).astype(features.dtype)


# ---------------------------------------------------------------------------------- splits


def splits(gathered: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on and rows to test on, of each random split; no group on both sides."""
    splitter = (ShuffleSplit if gathered.groups is None else GroupShuffleSplit)(
        n_splits=config.SPLITS, test_size=_TEST_SHARE, random_state=config.SEED
    )
    return list(splitter.split(gathered.features, groups=gathered.groups))


def predict_left_out(gathered: Dataset, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Predictions for rows by a ridge that was fitted to others, all choices made inside those.

    Args:
        gathered: features and opinions.
        train: rows to fit to.
        test: rows to predict, shape (N,).
    """
    spread = _spread(gathered.features[train])
    found = _fit_ridge(replace(gathered, features=gathered.features / spread), train, None)
    predicted: np.ndarray = gathered.features[test] / spread @ found.weights + found.bias
    return predicted


def _split_figures(gathered: Dataset, ranker: Ranker | None) -> list[Figures]:
    """Figures on the test part of each random split, all choices made inside its training part."""
    features, mos = gathered.features, gathered.mos
    several = []
    for train, test in splits(gathered):
        found = _fit_ridge(gathered, train, ranker)
        several.append(metrics.measure(features[test] @ found.weights + found.bias, mos[test]))
    return several


@dataclass(frozen=True)
class _Fitted:
    weights: np.ndarray  # (F,)
    bias: float
    strength: float
    choice: ridge.Choice  # by the opinions alone


def _fit_ridge(gathered: Dataset, rows: np.ndarray, ranker: Ranker | None) -> _Fitted:
    """A ridge whose strength the opinions choose, and to which ladders may then teach an order."""
    features, mos, counts = gathered.features[rows], gathered.mos[rows], _counts(gathered, rows)
    parts = folds(mos, None if gathered.groups is None else gathered.groups[rows])
    choice = ridge.choose(features, mos, parts, counts)
    if ranker is None:
        weights, bias = _solve(features, mos, counts, choice.strength)
        return _Fitted(weights, bias, choice.strength, choice)
    strength = config.LADDER_SHRINKAGE * choice.strength
    weights, bias = ranker.fit(features, mos, counts, strength)
    return _Fitted(weights, bias, strength, choice)


def _out_of_fold(gathered: Dataset, found: _Fitted, ranker: Ranker | None) -> np.ndarray:
    """Predictions for each row by fits of the same strength that did not see its fold, (N,)."""
    if ranker is None:
        return found.choice.out_of_fold
    everything = np.arange(len(gathered.mos))
    predicted = np.empty(len(everything))
    for part in folds(gathered.mos, gathered.groups):
        rest = np.delete(everything, part)
        weights, bias = ranker.fit(
            gathered.features[rest], gathered.mos[rest], _counts(gathered, rest), found.strength
        )
        predicted[part] = gathered.features[part] @ weights + bias
    return predicted


def _scale(
    gathered: Dataset, found: _Fitted, ranker: Ranker | None, *, higher_is_better: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Knots of the scale and their scores; ladders say how far its ends reach."""
    worse = better = None
    if ranker is not None:
        ends = (ranker.lessons.worst, ranker.lessons.clean)
        worse, better = (features @ found.weights + found.bias for features in ends)
    return regressor.percentile_scale(
        _out_of_fold(gathered, found, ranker),
        higher_is_better=higher_is_better,
        worse=worse,
        better=better,
    )


def _counts(gathered: Dataset, rows: np.ndarray) -> np.ndarray:
    """How much each of some rows counts, 1 on average, shape (N,)."""
    counts = np.ones(len(rows)) if gathered.weights is None else gathered.weights[rows]
    scaled: np.ndarray = counts / counts.mean()
    return scaled


def folds(mos: np.ndarray, groups: np.ndarray | None) -> list[np.ndarray]:
    """Row numbers of each fold, no group in two of them."""
    if groups is None or len(np.unique(groups)) == 1:
        splitter = KFold(config.FOLDS, shuffle=True, random_state=config.SEED)
    else:
        splitter = GroupKFold(min(config.FOLDS, len(np.unique(groups))))
    return [fold for _, fold in splitter.split(mos, groups=groups)]


def _solve(
    features: np.ndarray, mos: np.ndarray, counts: np.ndarray, strength: float
) -> tuple[np.ndarray, float]:
    """Ridge weights, shape (F,), and the bias."""
    model = Ridge(alpha=strength).fit(features.astype(np.float64), mos, sample_weight=counts)
    return model.coef_, float(model.intercept_)


def _split_in_words(gathered: Dataset) -> str:
    how = f"{config.SPLITS} random 80/20 splits"
    if gathered.groups is None:
        return f"{how} of {len(gathered.mos)} photos"
    return (
        f"{how} of {len(gathered.mos)} photos by {gathered.group_column} "
        f"({gathered.group_count} groups, none on both sides)"
    )


def _doubts(choice: ridge.Choice, figures: Mapping[str, Range]) -> list[str]:
    doubts = []
    if choice.is_at_end:
        doubts.append("The ridge strength is at the end of its grid: a better one may lie beyond.")
    srocc = figures["srocc"].value
    if srocc is None or srocc < config.WEAK_SROCC:
        doubts.append(
            "The scores of left-out photos hardly follow the opinions: check the columns, or use "
            "another encoder or more photos."
        )
    return doubts
