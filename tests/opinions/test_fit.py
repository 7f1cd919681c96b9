"""Fitting a regressor: it recovers an order, splits honestly and says what it left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from contrique_cli import config
from contrique_cli.encoder.model import Contrique
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels
from contrique_cli.models import regressor
from contrique_cli.opinions import dataset, fit, labels
from tests.opinion_tables import INFO

WORK = Work(device="cpu", max_side=0)


@pytest.fixture(scope="module")
def gathered(table: Path) -> dataset.Dataset:
    torch.manual_seed(0)
    return dataset.gather(
        labels.read(table, mos_column="mos", group_column="scene"),
        Contrique("tiny").eval(),
        WORK,
        at_least=config.MIN_LABELS,
    )


def run(gathered: dataset.Dataset, *, higher_is_better: bool = True, **provenance: object):
    return fit.fit_dataset(
        gathered,
        encoder="f" * 64,
        max_side=0,
        higher_is_better=higher_is_better,
        provenance=provenance,
    )


def test_a_fit_recovers_the_order_of_blur(table, tiny):
    told: list[tuple[int, int]] = []
    report, found = fit.fit(
        config.Opinions(table=table, mos_column="mos", group_column="scene"),
        tiny,
        INFO,
        WORK,
        on_photo=lambda done, total: told.append((done, total)),
    )
    assert report.figures["srocc"].value > 0.7
    assert report.figures["srocc"].low <= report.figures["srocc"].value
    assert (report.n, report.groups, report.task) == (64, 16, regressor.NO_REFERENCE)
    assert report.split == (
        "10 random 80/20 splits of 64 photos by scene (16 groups, none on both sides)"
    )
    assert told == [(done, 64) for done in range(1, 65)]
    assert (found.encoder, found.max_side) == (INFO.fingerprint, 0)
    assert found.figures["srocc"] == list(report.figures["srocc"])
    assert found.provenance["table"] == "scores.csv"
    assert len(found.provenance["marks"]) == 8 * 64


def test_a_saved_regressor_gives_equal_scores_and_a_fit_repeats(gathered, tmp_path):
    _, found = run(gathered)
    regressor.save(tmp_path / "one.safetensors", found)
    loaded = regressor.load(tmp_path / "one.safetensors")
    raw = found.predict(gathered.features)
    assert np.array_equal(loaded.predict(gathered.features), raw)
    assert np.array_equal(loaded.to_score(raw), found.to_score(raw))
    report, again = run(gathered)
    assert report == run(gathered)[0]
    assert np.array_equal(again.weights, found.weights)
    assert np.array_equal(again.knots, found.knots)


def test_scores_rise_with_the_prediction_and_spread_over_the_scale(gathered):
    _, found = run(gathered)
    raw = np.linspace(-5.0, 15.0, 500)
    scores = found.to_score(raw)
    assert (np.diff(scores) >= 0).all()
    assert (scores[0], scores[-1]) == (0.0, 100.0)
    assert np.ptp(found.to_score(found.predict(gathered.features))) > 80


def test_dmos_gives_the_same_scores_with_the_raw_value_upside_down(gathered):
    flipped = replace(gathered, mos=100.0 - 20.0 * gathered.mos)
    (up, high), (down, low) = run(gathered), run(flipped, higher_is_better=False)
    assert down.figures["srocc"].value == pytest.approx(up.figures["srocc"].value)
    assert not low.higher_is_better
    scores, others = (one.to_score(one.predict(gathered.features)) for one in (high, low))
    assert others == pytest.approx(scores, abs=0.01)  # weights are float32
    assert np.corrcoef(low.predict(gathered.features), gathered.mos)[0, 1] < -0.7


def test_no_group_is_on_both_sides_of_a_split_nor_in_two_folds(gathered, monkeypatch):
    seen = []
    real = fit.folds

    def spy(mos, groups):
        folds = real(mos, groups)
        seen.append([set(groups[fold]) for fold in folds])
        return folds

    monkeypatch.setattr(fit, "folds", spy)
    run(gathered)
    assert len(seen) == config.SPLITS + 1
    for folds in seen:
        assert len(folds) == config.FOLDS
        assert sum(len(fold) for fold in folds) == len(set.union(*folds))
    for folds in seen[:-1]:
        assert len(set.union(*folds)) == 12  # of 16: a test part of whole groups, rounded up


def test_groups_make_figures_honest(gathered):
    """One scene decides all its photos' opinions: to see a scene is to know them."""
    rng = np.random.default_rng(0)
    scenes = np.repeat(np.arange(16), 8)
    own = rng.normal(size=(16, 40))[scenes]
    odd = replace(
        gathered,
        features=(own + 0.01 * rng.normal(size=own.shape)).astype(np.float32),
        mos=rng.normal(size=16)[scenes] + 0.01 * rng.normal(size=len(scenes)),
        groups=scenes,
        marks=[],
    )
    honest, _ = run(odd)
    flattered, _ = run(replace(odd, groups=None, group_column=None))
    assert flattered.figures["srocc"].value > 0.95
    assert honest.figures["srocc"].value < 0.6
    assert "random" in flattered.split
    assert flattered.groups is None


def test_the_scale_comes_from_predictions_out_of_fold(gathered):
    """With more numbers than photos the fit itself follows noise; the scale must not."""
    rng = np.random.default_rng(0)
    noise = replace(gathered, features=rng.normal(size=(64, 200)).astype(np.float32), groups=None)
    report, found = run(noise)
    assert np.ptp(found.knots) < 3 * np.ptp(noise.mos)
    assert any("hardly follow" in note for note in report.notes)


def test_full_reference_beats_no_reference_and_groups_by_reference(table, tiny):
    report, found = fit.fit(
        config.Opinions(table=table, reference_column="original", mos_column="mos"),
        tiny,
        INFO,
        WORK,
    )
    assert report.task == found.task == regressor.FULL_REFERENCE
    assert (report.groups, report.n) == (16, 64)
    assert report.figures["srocc"].value > 0.9


def test_too_few_groups_are_refused(gathered):
    with pytest.raises(BadLabels, match=r"5 groups are needed .* column scene has 4"):
        run(replace(gathered, groups=gathered.groups // 4))


def test_smallest_collection_fits_without_a_warning(gathered):
    few = replace(
        gathered,
        features=gathered.features[:20],
        mos=gathered.mos[:20],
        groups=gathered.groups[:20],
        marks=gathered.marks[:20],
    )
    assert run(few)[0].n == 20
    assert run(replace(few, groups=None))[0].n == 20
