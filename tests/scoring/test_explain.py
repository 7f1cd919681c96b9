"""`contrique explain`: the score of `score`, and where in the photo it is lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contrique_cli import config
from contrique_cli.encoder.work import Work
from contrique_cli.photos import decoding
from contrique_cli.reports.rows import Row
from contrique_cli.scoring import explain as scoring_explain
from contrique_cli.scoring import pipeline as scoring_pipeline
from contrique_cli.scoring import score as score_verb

pytestmark = pytest.mark.usefixtures("tiny_regressor")


CPU = torch.device("cpu")


def explained(points: np.ndarray) -> scoring_explain.Explanation:
    photo = decoding.Photo(
        path=Path("a.jpg"), image=Image.new("RGB", (64, 64)), width=64, height=64
    )
    row = Row(path=photo.path, score=50.0, raw=0.5, width=64, height=64)
    return scoring_explain.Explanation(
        row=row, photo=photo, method=config.WINDOWS, raw=points, points=points
    )


@pytest.mark.parametrize("method", config.METHODS)
def test_the_map_has_the_mean_that_the_command_score_gives(photos, method):
    pipeline = scoring_pipeline.load_pipeline(None, "tiny")
    work = pipeline.sized(Work(device=CPU))
    (row,) = score_verb.score([photos / "a.jpg"], pipeline, work)
    found = scoring_explain.explain(photos / "a.jpg", pipeline, work, method=method)
    assert found.row.score == pytest.approx(row.score, abs=0.2)  # `score` may compute in bf16
    assert found.raw.mean() == pytest.approx(found.row.raw)
    assert found.points.mean() == pytest.approx(0, abs=1e-9)
    assert found.points.shape == (24, 32)


def test_points_rise_with_quality_also_where_a_lower_raw_value_is_better(photos, tiny_regressor):
    pipeline = scoring_pipeline.load_pipeline(None, "tiny")
    turned = dataclasses.replace(
        pipeline.regressor,
        weights=-pipeline.regressor.weights,
        bias=-pipeline.regressor.bias,
        knots=-pipeline.regressor.knots,
        higher_is_better=False,
    )
    work = pipeline.sized(Work(device=CPU))
    one = scoring_explain.explain(photos / "a.jpg", pipeline, work)
    other = scoring_explain.explain(
        photos / "a.jpg", dataclasses.replace(pipeline, regressor=turned), work
    )
    np.testing.assert_allclose(one.points, other.points, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "columns", "name"),
    [
        (slice(0, 3), slice(0, 3), "upper left"),
        (slice(3, 6), slice(3, 6), "centre"),
        (slice(3, 6), slice(6, 9), "right"),
        (slice(6, 9), slice(3, 6), "lower centre"),
    ],
)
def test_the_worst_place_is_named(rows, columns, name):
    points = np.zeros((9, 9))
    points[rows, columns] = -8
    assert explained(points).worst == (name, -8.0)


def test_a_map_of_a_single_row_has_places_too():
    assert explained(np.array([[1.0, 0.0, -1.0]])).worst == ("upper right", -1.0)
