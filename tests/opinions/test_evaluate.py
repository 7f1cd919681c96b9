"""Evaluating a regressor: figures with intervals, on data that it did or did not see."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from contrique_cli import config
from contrique_cli.encoder.model import Contrique
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels, RegressorMismatch
from contrique_cli.opinions import dataset, evaluate, fit, labels, metrics
from contrique_cli.scoring.pipeline import Pipeline
from tests.opinion_tables import INFO, make_collection

WORK = Work(device="cpu", max_side=0)


@pytest.fixture(scope="module", autouse=True)
def fewer_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "RESAMPLES", 100)
        yield


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("unseen"), first_seed=100)


def fitted(table: Path, **options: object) -> Pipeline:
    torch.manual_seed(0)
    model = Contrique("tiny").eval()
    opinions = config.Opinions(table=table, mos_column="mos", **options)
    _, found = fit.fit(opinions, model, INFO, WORK)
    return Pipeline(
        load=lambda: model, info=INFO, regressor=found, regressor_path=Path("r.safetensors")
    )


@pytest.fixture(scope="module")
def pipeline(table: Path) -> Pipeline:
    return fitted(table, group_column="scene")


@pytest.fixture(scope="module")
def gathered(unseen: Path, pipeline: Pipeline) -> dataset.Dataset:
    return dataset.gather(
        labels.read(unseen, mos_column="mos", group_column="scene"),
        pipeline.model,
        WORK,
        at_least=10,
    )


def run(table: Path, pipeline: Pipeline, **options: object) -> evaluate.Evaluation:
    opinions = config.Opinions(table=table, **{"mos_column": "mos", **options})
    return evaluate.evaluate(opinions, pipeline, WORK)


def test_figures_on_unseen_photos_lie_within_their_intervals(unseen, pipeline):
    found = run(unseen, pipeline, group_column="scene")
    assert (found.n, found.groups, found.seen, found.left_out) == (64, 16, 0, [])
    for name in metrics.NAMES:
        assert found.figures[name].low <= found.figures[name].value <= found.figures[name].high
    assert found.figures["srocc"].value > 0.6
    assert found.notes == []


def test_photos_that_took_part_in_the_fit_are_recognised_by_content(
    unseen, table, pipeline, tmp_path
):
    assert run(table, pipeline).seen == 64
    lines = unseen.read_text().splitlines()
    shutil.copy(table.parent / "photo0_1.png", tmp_path / "renamed.png")
    lines.append(f"{tmp_path / 'renamed.png'},3,50,s0,x.png")
    mixed = tmp_path / "mixed.csv"
    mixed.write_text("\n".join(lines))
    found = run(mixed, pipeline, photos=unseen.parent, group_column="scene")
    assert found.seen == 1
    assert found.notes == [
        "The regressor was fitted to 1 of these 65 photos: the figures flatter it."
    ]


def test_photos_that_vanished_meanwhile_are_no_photos_seen(tmp_path):
    assert {dataset._mark(tmp_path / name) for name in ("gone.jpg", "lost.jpg")} == {""}


def test_opinions_may_run_the_other_way_than_those_of_the_fit(unseen, pipeline):
    mos = run(unseen, pipeline, group_column="scene")
    dmos = run(unseen, pipeline, mos_column="dmos", lower_is_better=True, group_column="scene")
    assert dmos.figures["srocc"] == pytest.approx(mos.figures["srocc"], abs=0.02)
    wrong = run(unseen, pipeline, mos_column="dmos", group_column="scene")
    assert wrong.figures["srocc"].value == pytest.approx(-dmos.figures["srocc"].value)
    assert wrong.figures["plcc"].value < 0
    assert "say --lower-is-better" in wrong.notes[-1]


def test_full_reference_is_evaluated_on_pairs(table, unseen):
    pipeline = fitted(table, reference_column="original")
    found = run(unseen, pipeline, reference_column="original")
    assert found.figures["srocc"].value > 0.9
    assert found.groups == 16
    with pytest.raises(RegressorMismatch, match="full-reference"):
        run(unseen, pipeline)


def test_too_few_photos_are_refused(unseen, pipeline, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("\n".join(unseen.read_text().splitlines()[:10]))
    with pytest.raises(BadLabels, match="10 photos with a score are needed, and only 9"):
        run(few, pipeline, photos=unseen.parent)


def judge(gathered: dataset.Dataset, pipeline: Pipeline) -> evaluate.Evaluation:
    return evaluate.evaluate_dataset(
        gathered, pipeline.regressor, path=Path("r"), higher_is_better=True
    )


def test_a_single_group_is_refused(gathered, pipeline):
    with pytest.raises(BadLabels, match="column scene has one group only"):
        judge(replace(gathered, groups=gathered.groups * 0), pipeline)


def test_equal_scores_for_all_have_no_figures_and_say_so(gathered, pipeline):
    found = judge(replace(gathered, features=gathered.features * 0), pipeline)
    assert found.figures["srocc"] == (None, None, None)
    assert "same score" in found.notes[-1]
