"""A person's stars as opinions: found, fitted, blended with a known taste, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from contrique_cli import config
from contrique_cli.collection import ratings
from contrique_cli.encoder.checkpoint import EncoderInfo
from contrique_cli.errors import BadLabels, BadSidecar, Unreadable
from contrique_cli.files.reading import why
from contrique_cli.models import regressor
from contrique_cli.models.regressor import Regressor
from contrique_cli.opinions import fit, metrics
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.fit import FitReport
from contrique_cli.opinions.labels import Label, Labels, LeftOut
from contrique_cli.opinions.metrics import Range
from contrique_cli.photos import exif, finding

STARS = "stars"

_PAUSE = timedelta(minutes=10)
"""Between two photos of one series at most, where all were taken on a few days."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """How well the scale follows a person's stars.

    Attributes:
        n: photos fitted to; None for as many as there are.
        srocc: rank correlation on photos of other groups: median over the splits, and quartiles.
    """

    n: int | None
    srocc: Range


@dataclass(frozen=True, kw_only=True)
class Taste:
    """How a fit to a person's stars went.

    Attributes:
        report: of the fit to the stars alone.
        known: how well the known taste follows the stars, on the same test photos.
        curve: from few photos to all.
        blended: what the saved regressor reaches; None without a blend.
        interval: rank correlation of all photos, each predicted by others, and its confidence
            interval, groups drawn whole.
    """

    report: FitReport
    known: Range
    curve: Sequence[CurvePoint]
    blended: Range | None
    interval: Range

    @property
    def enough(self) -> int | None:
        """Photos from which on the fit follows the person better than the known taste does."""
        known = self.known.value or 0.0
        for step in self.curve:
            if (step.srocc.value or 0.0) > known:
                return self.report.n if step.n is None else step.n
        return None


def find_stars(folder: Path) -> Labels:
    """Photos of a folder that a person has rated, grouped by day.

    Where all were taken on fewer days than are needed to keep some out, a pause parts two groups;
    photos that do not say when they were taken are grouped by folder.

    Raises:
        BadLabels: no photo has stars.
    """
    rows: list[Label] = []
    left_out: list[LeftOut] = []
    seen = 0
    for found in finding.find([folder], Counter()):
        seen += 1
        given = _look(found)
        if isinstance(given, Unreadable):
            left_out.append(LeftOut(line=seen, path=given.path, reason=given.reason))
        elif given is not None and not isinstance(found, Unreadable):
            rows.append(Label(line=seen, path=found, mos=given))
    if not rows:
        raise BadLabels(
            f"{folder}: none of {seen:,} photos has stars that a person gave, in a sidecar or "
            "inside; rate some in your photo program, and let it save them to XMP"
        )
    grouped, column = _group(rows)
    return Labels(rows=grouped, left_out=left_out, notes=[], mos_column=STARS, group_column=column)


def _look(photo: Path | Unreadable) -> float | Unreadable | None:
    """Its stars, or why they cannot be read."""
    if isinstance(photo, Unreadable):
        return photo
    try:
        return ratings.find_stars(photo)
    except Unreadable as problem:
        return problem
    except BadSidecar as problem:
        return Unreadable(photo, str(problem))
    except OSError as error:
        return Unreadable(photo, why(error))


def _group(rows: Sequence[Label]) -> tuple[list[Label], str | None]:
    taken = [exif.taken(row.path) for row in rows]
    days = [
        str(row.path.parent) if moment is None else str(moment.date())
        for row, moment in zip(rows, taken, strict=True)
    ]
    if len(set(days)) >= config.MIN_GROUPS:
        return _named(rows, days), "day or folder" if None in taken else "day"
    series = _series(rows, taken)
    return (
        (_named(rows, series), "series")
        if len(set(series)) >= config.MIN_GROUPS
        else (
            list(rows),
            None,
        )
    )


def _named(rows: Sequence[Label], names: Sequence[str]) -> list[Label]:
    return [replace(row, group=name) for row, name in zip(rows, names, strict=True)]


def _series(rows: Sequence[Label], taken: Sequence[datetime | None]) -> list[str]:
    """Names of series: photos between which no pause lies."""
    names = [str(row.path.parent) for row in rows]
    known = sorted((moment, index) for index, moment in enumerate(taken) if moment is not None)
    count, before = 0, known[0][0] if known else None
    for moment, index in known:
        count += before is not None and moment - before > _PAUSE
        names[index], before = f"series {count}", moment
    return names


# ---------------------------------------------------------------------------------- fit


def fit_stars(
    gathered: Dataset,
    info: EncoderInfo,
    known: Regressor,
    *,
    blend: float = 0.0,
    provenance: Mapping[str, object],
    on_split: Callable[[int, int], None] | None = None,
) -> tuple[Taste, Regressor]:
    """Fit a regressor to a person's stars.

    Args:
        gathered: features and stars.
        info: of the encoder that made the features.
        known: a regressor of the same encoder and working size, whose taste is compared, and kept
            as far as `blend` says.
        blend: share of the known taste in every score, from 0 to below 1.
        provenance: plain facts to keep beside those of the fit.
        on_split: told how many splits of how many are done.

    Raises:
        BadLabels: too few groups.
        RegressorMismatch: the known taste is of other features.
    """
    known.check(encoder=info.fingerprint, max_side=known.max_side)
    report, mine = fit.fit_dataset(
        gathered,
        encoder=info.fingerprint,
        max_side=known.max_side,
        higher_is_better=True,
        provenance={**provenance, "blend": blend},
    )
    out_of_fold = _out_of_fold(gathered)
    theirs = known.to_quality(known.predict(gathered.features))
    taste = _measure(gathered, report, (theirs, out_of_fold), blend=blend, on_split=on_split)
    return taste, mine if not blend else _blend(mine, known, out_of_fold, theirs, blend)


def _out_of_fold(gathered: Dataset) -> np.ndarray:
    """Predictions for every photo by a ridge that did not see its fold, (N,)."""
    predicted = np.empty(len(gathered.mos))
    everything = np.arange(len(predicted))
    for fold in fit.folds(gathered.mos, gathered.groups):
        predicted[fold] = fit.predict_left_out(gathered, np.setdiff1d(everything, fold), fold)
    return predicted


def _measure(
    gathered: Dataset,
    report: FitReport,
    predictions: tuple[np.ndarray, np.ndarray],
    *,
    blend: float,
    on_split: Callable[[int, int], None] | None,
) -> Taste:
    """Agreement on the same splits of the known taste, of fits to ever more photos, of a blend.

    Args:
        gathered, blend, on_split: see `fit_stars`.
        report: of the fit to all.
        predictions: of all photos by the known taste, and by ridges that did not see their folds.
    """
    theirs, out_of_fold = predictions
    splits = fit.splits(gathered)
    fewest = min(len(train) for train, _ in splits)
    sizes = [size for size in config.CURVE if size < fewest]
    steps: dict[int | None, list[float]] = {size: [] for size in (*sizes, None)}
    known, mixed = [], []
    rng = np.random.default_rng(config.SEED)
    for done, (train, test) in enumerate(splits, start=1):
        shuffled = rng.permutation(train)
        stars = gathered.mos[test]
        known.append(_agree(theirs[test], stars))
        for size, several in steps.items():
            predicted = fit.predict_left_out(gathered, np.sort(shuffled[:size]), test)
            several.append(_agree(predicted, stars))
        # The spreads of both tastes are taken from photos that have no part in the test.
        mine = predicted / (_deviation(out_of_fold[train]) or 1.0)
        other = theirs[test] / (_deviation(theirs[train]) or 1.0)
        mixed.append(_agree((1.0 - blend) * mine + blend * other, stars))
        if on_split is not None:
            on_split(done, len(splits))
    interval = metrics.bootstrap(
        out_of_fold,
        gathered.mos,
        groups=gathered.groups,
        resamples=config.RESAMPLES,
        confidence=config.CONFIDENCE,
        seed=config.SEED,
    )["srocc"]
    return Taste(
        report=report,
        known=_middle(known),
        curve=[CurvePoint(n=size, srocc=_middle(several)) for size, several in steps.items()],
        blended=_middle(mixed) if blend else None,
        interval=interval,
    )


def _agree(predicted: np.ndarray, stars: np.ndarray) -> float:
    """Rank correlation; 0 where one side is constant, which agrees with nothing."""
    found = metrics.measure(predicted, stars).srocc
    return 0.0 if found is None else found


def _middle(several: Sequence[float]) -> Range:
    return Range(*(float(value) for value in np.percentile(several, (50, 25, 75))))


def _deviation(values: np.ndarray) -> float:
    return float(values.std())


def _blend(
    mine: Regressor, known: Regressor, out_of_fold: np.ndarray, theirs: np.ndarray, share: float
) -> Regressor:
    """One regressor whose raw value is the mean of two, each in its own standard deviations.

    Both are linear in the features, so the mean is an ordinary regressor. Its unit is the
    deviation of the person's own predictions: stars, as without a blend.
    """
    unit = _deviation(out_of_fold) or 1.0
    scale = unit / (_deviation(theirs) or 1.0) * (1.0 if known.higher_is_better else -1.0)
    middle = float(theirs.mean()) * unit / (_deviation(theirs) or 1.0)
    offset = float(out_of_fold.mean()) - middle
    raw = (1.0 - share) * out_of_fold + share * (theirs * abs(scale) + offset)
    knots, scores = regressor.percentile_scale(raw, higher_is_better=True)
    return replace(
        mine,
        weights=((1.0 - share) * mine.weights + share * scale * known.weights).astype(np.float32),
        bias=(1.0 - share) * mine.bias + share * (scale * known.bias + offset),
        knots=knots,
        scores=scores,
    )
