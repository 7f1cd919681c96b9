"""The flaw probe: a linear classifier of dominant flaws on the frozen encoder's features.

`bundle.py` fits it with the rest of the bundled model.
Clean photos (without those whose number is divisible by 5) are distorted in all 25 ways, and taken
with less or more light; levels 2 to 5 are examples of their flaw, the photos themselves and levels
that change nothing of "none", and so are the ordinary photos that people rate best: without these,
details of real cameras look like compression. Held-out clean photos tell how often it is right: at
levels 3 to 5 of the 25 kinds, over all and by flaw, and of wrong exposure; among untouched and
well-rated photos; and among the flaws that are named, for which a regressor's scores count.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.distortions.bank import KINDS
from contrique_cli.models.flaws import NONE, FlawProbe
from contrique_cli.opinions.ladders import EXPOSURES, Ladders, flaw_of
from training.pack_photos import HELD_OUT

Score = Callable[[np.ndarray], np.ndarray]
"""Features, shape (N, 2F), to scores from 0 to 100, shape (N,)."""

PUBLISHED = tuple(kind.number for kind in KINDS)
EVERY_KIND = (*PUBLISHED, *EXPOSURES)
"""Kinds of ladders that the probe learns from."""

STRENGTH = 5.0
"""Inverse penalty: of 5 to 100 all are about as often right on a seventh of the training photos,
and with less of a penalty a flaw is named with more confidence than it deserves."""

FAINT = 2
"""Levels below this are no examples of a flaw: often nobody sees them."""

VISIBLE = 3
"""Levels from this one on must be named."""

CONFIDENCE = 0.7
"""Probability below which no flaw is named."""

TONES = (16, 17, 18, 25, *EXPOSURES)
"""Kinds of which half of the photos give ladders of their own: brightness and contrast are what the
probe takes most often for no flaw, and raised contrast, which is none, for one."""


def examples(found: Ladders, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, 2F), names of flaws (N,) and photos (N,): clean ones and levels from `least`."""
    values, names, photos = [], [], []
    seen = set()
    for photo, kind, rungs in zip(found.photos, found.kinds, found.features, strict=True):
        if photo not in seen:
            seen.add(photo)
            values.append(rungs[0])
            names.append(NONE)
            photos.append(photo)
        for level in range(least, 6):
            values.append(rungs[level])
            names.append(flaw_of(int(kind), level))
            photos.append(photo)
    return np.stack(values), np.array(names), np.array(photos)


def fit(x: np.ndarray, names: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray, list]:
    """Weights (2F, K), bias (K,) and names of a multinomial logistic regression."""
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-4
    model = LogisticRegression(
        C=strength / len(x), max_iter=1000, tol=1e-3, class_weight="balanced"
    )
    model.fit((x - centre) / spread, names)
    inner = model.coef_.T / spread[:, None]
    return inner, model.intercept_ - centre @ inner, list(model.classes_)


def named(probe: FlawProbe, x: np.ndarray, score: Score) -> np.ndarray:
    """What users read, `NONE` where no flaw is certain enough, shape (N,)."""
    return np.array([flaw.name for flaw in probe.choose(probe.probabilities(x), score(x))])


def right(probe: FlawProbe, x: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Whether the likeliest class is the right one, confident or not, shape (N,)."""
    return np.array(probe.names)[probe.probabilities(x).argmax(axis=1)] == names


def figures(probe: FlawProbe, found: Ladders, good: np.ndarray, score: Score) -> dict[str, object]:
    """How good the probe is on photos that it was not fitted on; see `make`."""
    x, names, _ = examples(found.only(PUBLISHED), VISIBLE)
    light, exposures, _ = examples(found.only(EXPOSURES), VISIBLE)
    is_exposed = exposures != NONE
    is_right = right(probe, x, names)
    is_flawed = names != NONE
    answers = named(probe, x, score)
    is_named = is_flawed & (answers != NONE)
    return {
        "data": f"{len(np.unique(found.photos))} held-out clean photos x 25 kinds, levels 3 to 5",
        "right_at_levels_3_to_5": round(float(is_right[is_flawed].mean()), 4),
        "right_where_named": round(float((answers == names)[is_named].mean()), 4),
        "share_named": round(float(is_named[is_flawed].mean()), 4),
        "wrong_exposure_named": round(
            float((named(probe, light, score) == exposures)[is_exposed].mean()), 4
        ),
        "well_rated_called_none": round(float((named(probe, good, score) == NONE).mean()), 4),
        "clean_called_none": round(float((answers[~is_flawed] == NONE).mean()), 4),
        "right_by_flaw": {
            str(name): round(float(is_right[names == name].mean()), 3)
            for name in np.unique(names[is_flawed])
        },
    }


def confusions(probe: FlawProbe, found: Ladders) -> None:
    """Print where each flaw goes when it goes wrong."""
    x, names, _ = examples(found, VISIBLE)
    likeliest = np.array(probe.names)[probe.probabilities(x).argmax(axis=1)]
    for name in np.unique(names):
        others, counts = np.unique(likeliest[names == name], return_counts=True)
        shown = sorted(zip(counts / counts.sum(), others, strict=True), reverse=True)[:4]
        print(f"{name:14}", ", ".join(f"{other} {share:.2f}" for share, other in shown))


def make(
    known: Sequence[Ladders],
    held: Ladders,
    *,
    good: np.ndarray,
    held_good: np.ndarray,
    score: Score,
    encoder: str,
    run: str,
) -> FlawProbe:
    """Fit a probe on ladders of training photos, and measure it on those of held-out ones.

    Args:
        known: of training photos.
        held: of held-out photos, every kind of each.
        good: features of ordinary training photos that people rate best, shape (N, 2F).
        held_good: of held-out ones, shape (M, 2F).
        score: of the regressor that the probe will work beside.
        encoder: fingerprint of the encoder that made the features.
        run: for the provenance.
    """
    several = [examples(found, FAINT) for found in known]
    x = np.concatenate([*(found[0] for found in several), good])
    names = np.concatenate([*(found[1] for found in several), np.full(len(good), NONE)])
    inner, bias, classes = fit(x, names, STRENGTH)
    probe = FlawProbe(
        names=[str(name) for name in classes],
        weights=inner.astype(np.float32),
        bias=bias.astype(np.float32),
        confidence=CONFIDENCE,
        encoder=encoder,
        provenance={"run": run, "examples": len(x)},
    )
    confusions(probe, held)
    for confidence in (0.4, 0.5, 0.6, 0.7, 0.8):
        print(
            confidence,
            figures(dataclasses.replace(probe, confidence=confidence), held, held_good, score),
        )
    return dataclasses.replace(probe, figures=figures(probe, held, held_good, score))


def training_photos(data: Path, count: int) -> list[Path]:
    """Clean photos that may be learnt from, evenly chosen."""
    paths = sorted((data / "pristine").iterdir())
    paths = [path for path in paths if int(path.stem) % HELD_OUT]
    return [paths[index] for index in np.linspace(0, len(paths) - 1, count).astype(int)]
