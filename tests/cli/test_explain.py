"""The command explain."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrique_cli import config
from contrique_cli.cli import explain as cli_explain
from contrique_cli.photos import decoding
from contrique_cli.reports.rows import Row
from contrique_cli.scoring import explain as scoring_explain

pytestmark = pytest.mark.usefixtures("tiny_regressor")


TINY = ("--regressor", "tiny", "--device", "cpu")


def explained(points: np.ndarray) -> scoring_explain.Explanation:
    photo = decoding.Photo(
        path=Path("a.jpg"), image=Image.new("RGB", (64, 64)), width=64, height=64
    )
    row = Row(path=photo.path, score=50.0, raw=0.5, width=64, height=64)
    return scoring_explain.Explanation(
        row=row, photo=photo, method=config.WINDOWS, raw=points, points=points
    )


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
