"""A person's stars as opinions: found, fitted, blended with a known taste, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from contrique_cli import config
from contrique_cli.collection import bursts, ratings
from contrique_cli.collection.likeness import Shot
from contrique_cli.encoder.checkpoint import EncoderInfo
from contrique_cli.errors import BadLabels, BadSidecar, Unreadable
from contrique_cli.files.reading import why
from contrique_cli.files.tables import PHOTO, Position
from contrique_cli.models import regressor
from contrique_cli.models.regressor import Regressor
from contrique_cli.opinions import fit, metrics
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.fit import FitReport
from contrique_cli.opinions.labels import Label, Labels, LeftOut
from contrique_cli.opinions.metrics import Range
from contrique_cli.photos import finding
from contrique_cli.words import plural

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


def find_stars(folder: Path, *, on_photo: Callable[[int, int], None] | None = None) -> Labels:
    """Photos of a folder that a person has rated, grouped by burst and by day.

    Photos of one day, or of one burst, are one group; where all were taken on fewer days than are
    needed to keep some out, a pause parts two groups instead. A photo that does not say when it was
    taken has the day of another of its burst, else its folder for a day. A RAW file and its JPEG
    are one photo, and the stars of either are its stars.

    Args:
        folder: searched to any depth.
        on_photo: told how many rated photos of how many have been looked at.

    Raises:
        BadLabels: no photo has stars.
    """
    rows: list[Label] = []
    left_out: list[LeftOut] = []
    companions: dict[Path, Path] = {}
    seen = 0
    for found in finding.find([folder], Counter(), companions):
        seen += 1
        given = _look(found)
        if given is None and isinstance(found, Path) and found in companions:
            given = _look(companions[found])
        if isinstance(given, Unreadable):
            left_out.append(
                LeftOut(position=Position(seen, PHOTO), path=given.path, reason=given.reason)
            )
        elif given is not None and not isinstance(found, Unreadable):
            rows.append(Label(position=Position(seen, PHOTO), path=found, mos=given))
    if not rows:
        raise BadLabels(
            f"{folder}: of {plural(seen, 'photo')} none has stars that a person gave, in a sidecar "
            "or inside; rate some in your photo program, and let it save them to XMP"
        )
    grouped, column = _group(rows, on_photo or (lambda _done, _total: None))
    return Labels(rows=grouped, left_out=left_out, notes=[], mos_column=STARS, group_column=column)


def _look(photo: Path | Unreadable) -> float | Unreadable | None:
    """A photo's stars, or why they cannot be read."""
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


def _group(
    rows: Sequence[Label], on_photo: Callable[[int, int], None]
) -> tuple[list[Label], str | None]:
    """The rows with their groups, and what those are; without them where there are too few."""
    shots: dict[int, Shot] = {}
    for index, shot in enumerate(bursts.look([row.path for row in rows])):
        if shot is not None:
            shots[index] = shot
        on_photo(index + 1, len(rows))
    indices = list(shots)
    together = [[indices[one] for one in found] for _, found in bursts.groups(list(shots.values()))]
    taken = [shots[index].taken if index in shots else None for index in range(len(rows))]
    folders = [str(row.path.parent) for row in rows]
    days = [None if moment is None else str(moment.date()) for moment in taken]
    for names, what in ((days, "day"), (_series(taken), "series")):
        groups = _joined(names, folders, together)
        if len(set(groups)) >= config.MIN_GROUPS:
            column = f"burst, {what} or folder" if None in names else f"burst and {what}"
            return [
                replace(row, group=group) for row, group in zip(rows, groups, strict=True)
            ], column
    return list(rows), None


def _series(taken: Sequence[datetime | None]) -> list[str | None]:
    """Names of series: photos between which no pause lies; None for those without a time."""
    names: list[str | None] = [None] * len(taken)
    known = sorted((moment, index) for index, moment in enumerate(taken) if moment is not None)
    count, before = 0, known[0][0] if known else None
    for moment, index in known:
        count += before is not None and moment - before > _PAUSE
        names[index], before = f"series {count}", moment
    return names


def _joined(
    names: Sequence[str | None], folders: Sequence[str], together: Sequence[Sequence[int]]
) -> list[str]:
    """A group for each photo: those of one name are in one, and so are those of one burst.

    Args:
        names: of days or series; None where a photo says neither.
        folders: that stand in for a name that no other photo of the burst has.
        together: bursts, by indices in `names`.
    """
    full = list(names)
    for burst in together:
        known = next((full[index] for index in burst if full[index] is not None), None)
        for index in burst:
            full[index] = full[index] or known
    labels = [name or folder for name, folder in zip(full, folders, strict=True)]
    root = {label: label for label in labels}

    def find(label: str) -> str:
        while root[label] != label:
            label = root[label]
        return label

    for burst in together:
        for index in burst[1:]:
            root[find(labels[index])] = find(labels[burst[0]])
    return [find(label) for label in labels]


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
