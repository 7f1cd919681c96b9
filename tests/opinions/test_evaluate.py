"""Evaluating a regressor: figures with intervals, on data that it did or did not see."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from contrique_cli import config
from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels, RegressorMismatch
from contrique_cli.opinions import evaluate, fit, labels, metrics, samples
from contrique_cli.scoring.scorer import Scorer
from tests.opinion_tables import make_collection

WORK = Work(device="cpu", max_side=0)
INFO = checkpoint.EncoderInfo(
    arch="tiny", pooling="last", preprocessing=1, fingerprint="f" * 64, provenance={}
)


@pytest.fixture(scope="module", autouse=True)
def fewer_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "RESAMPLES", 100)
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("unseen"), first_seed=100)


def fitted(table: Path, **options: object) -> Scorer:
    torch.manual_seed(0)
    model = Contrique("tiny").eval()
    opinions = config.Opinions(table=table, mos_column="mos", **options)
    _, found = fit.fit(opinions, model, INFO, WORK)
    return Scorer(
        load=lambda: model, info=INFO, regressor=found, regressor_path=Path("r.safetensors")
    )


@pytest.fixture(scope="module")
def scorer(table: Path) -> Scorer:
    return fitted(table, group_column="scene")


@pytest.fixture(scope="module")
def gathered(unseen: Path, scorer: Scorer) -> samples.Samples:
    return samples.gather(
        labels.read(unseen, mos_column="mos", group_column="scene"),
        scorer.model,
        WORK,
        at_least=10,
    )


def run(table: Path, scorer: Scorer, **options: object) -> evaluate.Evaluation:
    opinions = config.Opinions(table=table, **{"mos_column": "mos", **options})
    return evaluate.evaluate(opinions, scorer, WORK)


def test_figures_on_unseen_photos_lie_within_their_intervals(unseen, scorer):
    found = run(unseen, scorer, group_column="scene")
    assert (found.n, found.groups, found.seen, found.left_out) == (64, 16, 0, [])
    for name in metrics.NAMES:
        assert found.figures[name].low <= found.figures[name].value <= found.figures[name].high
    assert found.figures["srocc"].value > 0.6
    assert found.notes == []


def test_photos_that_took_part_in_the_fit_are_recognised_by_content(
    unseen, table, scorer, tmp_path
):
    assert run(table, scorer).seen == 64
    lines = unseen.read_text().splitlines()
    shutil.copy(table.parent / "photo0_1.png", tmp_path / "renamed.png")
    lines.append(f"{tmp_path / 'renamed.png'},3,50,s0,x.png")
    mixed = tmp_path / "mixed.csv"
    mixed.write_text("\n".join(lines))
    found = run(mixed, scorer, photos=unseen.parent, group_column="scene")
    assert found.seen == 1
    assert found.notes == [
        "The regressor was fitted to 1 of these 65 photos: the figures flatter it."
    ]


def test_photos_that_vanished_meanwhile_are_no_photos_seen(tmp_path):
    assert {samples._mark(tmp_path / name) for name in ("gone.jpg", "lost.jpg")} == {""}


def test_opinions_may_run_the_other_way_than_those_of_the_fit(unseen, scorer):
    mos = run(unseen, scorer, group_column="scene")
    dmos = run(unseen, scorer, mos_column="dmos", lower_is_better=True, group_column="scene")
    assert dmos.figures["srocc"] == pytest.approx(mos.figures["srocc"], abs=0.02)
    wrong = run(unseen, scorer, mos_column="dmos", group_column="scene")
    assert wrong.figures["srocc"].value == pytest.approx(-dmos.figures["srocc"].value)
    assert wrong.figures["plcc"].value < 0
    assert "say --lower-is-better" in wrong.notes[-1]


def test_full_reference_is_evaluated_on_pairs(table, unseen):
    scorer = fitted(table, reference_column="original")
    found = run(unseen, scorer, reference_column="original")
    assert found.figures["srocc"].value > 0.9
    assert found.groups == 16
    with pytest.raises(RegressorMismatch, match="full-reference"):
        run(unseen, scorer)


def test_too_few_photos_are_refused(unseen, scorer, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("\n".join(unseen.read_text().splitlines()[:10]))
    with pytest.raises(BadLabels, match="10 photos with a score are needed, and only 9"):
        run(few, scorer, photos=unseen.parent)


def judge(gathered: samples.Samples, scorer: Scorer) -> evaluate.Evaluation:
    return evaluate.evaluate_samples(
        gathered, scorer.regressor, path=Path("r"), higher_is_better=True
    )


def test_a_single_group_is_refused(gathered, scorer):
    with pytest.raises(BadLabels, match="column scene has one group only"):
        judge(replace(gathered, groups=gathered.groups * 0), scorer)


def test_equal_scores_for_all_have_no_figures_and_say_so(gathered, scorer):
    found = judge(replace(gathered, features=gathered.features * 0), scorer)
    assert found.figures["srocc"] == (None, None, None)
    assert "same score" in found.notes[-1]
