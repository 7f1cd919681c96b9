"""What results of one folder have in common: equal where rows are, and told where they are not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from contrique_cli.models import flaws, regressor
from contrique_cli.scoring.pipeline import load_pipeline
from contrique_cli.shards import facts
from tests.shards.samples import few, make_probe, rows_of, scoring, write_parquet, write_tar

MINE = {"contrique": "2", "encoder": "abc", "keep_columns": []}


def test_what_changes_no_row_changes_no_fact(model):
    pipeline = load_pipeline(model["model"], model["regressor"])
    found = facts.of(pipeline)
    judge = pipeline.regressor
    told = dataclasses.replace(judge, figures={"SRCC": 1}, provenance={"from": "elsewhere"})
    assert facts.of(dataclasses.replace(pipeline, regressor=told)) == found
    for change in ({"bias": judge.bias + 1}, {"knots": judge.knots * 2}, {"task": "another"}):
        refit = dataclasses.replace(pipeline, regressor=dataclasses.replace(judge, **change))
        assert facts.of(refit)["regressor_fingerprint"] != found["regressor_fingerprint"]


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (MINE, None),
        (MINE | {"contrique": "1"}, None),
        (MINE | {"encoder": "d"}, 'encoder "d" there and "abc" here'),
        (
            {"encoder": "abc", "keep_columns": ["x" * 99]},
            f'keep_columns ["{"x" * 28}... there and [] here',
        ),
        (
            MINE | {"encoder": "\x1b[2J", "new": 1},
            'encoder "\\u001b[2J" there and "abc" here, new 1 there and null here',
        ),
        ({}, 'encoder null there and "abc" here, keep_columns null there and [] here'),
        ([MINE], "which ones cannot be read"),
    ],
)
def test_what_differs_is_told(theirs, words):
    assert facts.difference(json.dumps(theirs).encode(), MINE) == words


@pytest.mark.parametrize("damaged", [b"", b"no JSON", b"\xff", b"[" * 100_000])
def test_facts_that_cannot_be_read_are_other_ones(damaged):
    assert facts.difference(damaged, MINE) == "which ones cannot be read"


@pytest.fixture
def score(contrique, tiny_regressor, tmp_path, monkeypatch):
    """Score in the test's own folder, with the tiny model."""
    monkeypatch.chdir(tmp_path)
    return scoring(contrique)


def test_results_of_another_model_are_not_mixed_in(score, contrique, tmp_path):
    write_tar(tmp_path / "a.tar", few(1))
    assert score("a.tar", "--output", "scores/").status == 0
    about = json.loads(Path("scores/_contrique.json").read_text())
    Path("scores/_contrique.json").write_text(json.dumps(about | {"encoder": "another"}))
    refused = score("a.tar", "--output", "scores/")
    assert refused.status == 1
    assert "scores/ holds other results" in refused.err
    assert 'encoder "another" there' in refused.err


def test_results_with_other_columns_are_not_mixed_in(score, tmp_path):
    for name in ("a", "b"):
        write_parquet(tmp_path / "in" / f"{name}.parquet", few(2))
    kept = ("--keep-columns", "caption")
    assert score("in", "--output", "scores/", *kept, "--shard", "1/2").status == 0
    for other in ((), ("--keep-columns", "*"), ("--keep-columns", "caption,width")):
        refused = score("in", "--output", "scores/", *other)
        assert refused.status == 1
        assert 'keep_columns ["caption"] there and [' in refused.err
        assert "--keep-columns" in refused.err
    assert [path.name for path in Path("scores").glob("*.parquet")] == ["a.parquet"]
    assert score("in", "--output", "scores/", *kept).status == 0
    assert len(rows_of(tmp_path / "scores")) == 4


def test_results_of_another_flaw_probe_or_a_regressor_of_the_same_name_are_not_mixed_in(
    score, tiny_regressor, home, tmp_path
):
    (home / "flaws").mkdir()
    probe = make_probe(tiny_regressor, "blur")
    flaws.save(home / "flaws" / "tiny.safetensors", probe)
    write_tar(tmp_path / "a.tar", few(1))
    assert score("a.tar", "--output", "scores/").status == 0
    others = [make_probe(tiny_regressor, "noise"), dataclasses.replace(probe, bias=probe.bias + 1)]
    for other in others:
        flaws.save(home / "flaws" / "tiny.safetensors", other)
        refused = score("a.tar", "--output", "scores/")
        assert refused.status == 1
        assert "scores/ holds other results (flaw_probe_fingerprint " in refused.err
    flaws.save(home / "flaws" / "tiny.safetensors", dataclasses.replace(probe, figures={"new": 1}))
    assert score("a.tar", "--output", "scores/").status == 0
    (home / "flaws" / "tiny.safetensors").unlink()
    assert "and null here" in score("a.tar", "--output", "scores/").err
    flaws.save(home / "flaws" / "tiny.safetensors", probe)
    refit = dataclasses.replace(tiny_regressor, bias=tiny_regressor.bias + 1)
    regressor.save(home / "regressors" / "tiny.safetensors", refit)
    refused = score("a.tar", "--output", "scores/")
    assert "scores/ holds other results (regressor_fingerprint " in refused.err
