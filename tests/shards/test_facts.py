"""What results of one folder have in common: equal where rows are, and told where they are not."""

from __future__ import annotations

import dataclasses
import json

import pytest

from contrique_cli.scoring.pipeline import load_pipeline
from contrique_cli.shards import facts

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
