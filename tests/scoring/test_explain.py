"""`contrique explain`: the score of `score`, and where in the photo it is lost."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contrique_cli import config
from contrique_cli.cli import explain as cli_explain
from contrique_cli.encoder.work import Work
from contrique_cli.photos import opening
from contrique_cli.reports.rows import Row
from contrique_cli.scoring import explain as scoring_explain
from contrique_cli.scoring import pipeline as scoring_pipeline
from contrique_cli.scoring import score as score_verb

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")
CPU = torch.device("cpu")


def explained(points: np.ndarray) -> scoring_explain.Explanation:
    photo = opening.Photo(path=Path("a.jpg"), image=Image.new("RGB", (64, 64)), width=64, height=64)
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


def test_the_command_writes_a_map_and_says_where_it_is_worst(
    contrique, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = contrique("explain", "photos/a.jpg", "--output", "map.png", *TINY)
    assert done.status == 0, done.err
    words = dict(line.split(None, 1) for line in done.out.splitlines())
    assert {"photo", "score", "worst", "best"} <= set(words)
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size[0] == 640


def test_plain_leaves_the_photo_out(contrique, photos, tmp_path):
    for option in ("--overlay", "--plain"):
        contrique("explain", photos / "a.jpg", "-o", tmp_path / f"{option}.png", option, *TINY)
    first, second = (np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("--*.png")))
    assert (first != second).any()


def test_json_holds_the_map_as_numbers(contrique, photos):
    done = contrique("explain", photos / "a.jpg", "--format", "json", *TINY)
    facts = json.loads(done.out)
    grid = np.array(facts["raw_grid"])
    assert grid.shape == (facts["rows"], facts["columns"]) == (24, 32)
    assert grid.mean() == pytest.approx(facts["raw"], abs=1e-5)
    assert facts["schema"] == 1
    assert facts["regressor"] == "tiny"


@pytest.mark.parametrize(
    ("options", "status", "word"),
    [
        (("--method", "magic"), 2, "windows, shares"),
        (("--format", "xml"), 2, "text, json"),
        (("--output", "map.gif"), 2, ".png"),
        (("--output", "no/such/folder/map.png"), 1, "cannot be written"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(contrique, photos, options, status, word):
    done = contrique("explain", photos / "a.jpg", *options, *TINY)
    assert done.status == status
    assert word in done.err


def test_a_file_that_is_no_photo_is_an_error_and_no_map(contrique, tmp_path):
    (tmp_path / "a.jpg").write_text("no photo")
    done = contrique("explain", tmp_path / "a.jpg", "-o", tmp_path / "map.png", *TINY)
    assert done.status == 1
    assert "not a photo" in done.err
    assert not (tmp_path / "map.png").exists()


def test_a_photo_alike_everywhere_is_called_so():
    assert "alike everywhere" in cli_explain._words(explained(np.full((9, 9), 0.1)))["worst"]


def test_a_flaw_is_named_where_the_row_has_one():
    found = explained(np.zeros((9, 9)))
    row = dataclasses.replace(found.row, flaw="blur", flaw_probability=0.825)
    flawed = dataclasses.replace(found, row=row)
    assert cli_explain._words(flawed)["flaw"] == "blur (0.82)"
    assert flawed.to_facts()["flaw_probability"] == 0.825
