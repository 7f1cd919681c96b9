"""Which photos are taken: every condition alone, and together."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from contrique_cli import picks
from contrique_cli.config import Pick
from contrique_cli.errors import BadOption, BadReport
from contrique_cli.report import Row


def row(path: str, score: float | None, flaw: str | None = None) -> Row:
    return Row(path=Path(path), score=score, flaw=flaw)


ROWS = [
    row("a/1", 90.0, "none"),
    row("a/2", 80.0, "blur"),
    row("a/3", 70.0, "none"),
    row("b/1", 75.0, "noise"),
    row("b/2", 20.0, "none"),
    row("c/1", 75.0, "none"),
    row("c/2", None),
]


def names(**conditions) -> list[str]:
    return [str(one.path) for one in picks.choose(ROWS, Pick(**conditions))]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, "a/1 a/2 b/1 c/1 a/3 b/2"),
        ({"top": "2"}, "a/1 a/2"),
        ({"top": "99"}, "a/1 a/2 b/1 c/1 a/3 b/2"),
        ({"top": "50%"}, "a/1 a/2 b/1"),
        ({"top": "1%"}, "a/1"),
        ({"top": "0.5%"}, "a/1"),
        ({"top": "100%"}, "a/1 a/2 b/1 c/1 a/3 b/2"),
        ({"top": "2", "reverse": True}, "b/2 a/3"),
        ({"min_score": 75.0}, "a/1 a/2 b/1 c/1"),
        ({"max_score": 75.0}, "b/1 c/1 a/3 b/2"),
        ({"min_score": 60.0, "max_score": 75.0}, "b/1 c/1 a/3"),
        ({"per_folder": 1}, "a/1 b/1 c/1"),
        ({"per_folder": 1, "reverse": True}, "b/2 a/3 c/1"),
        ({"per_folder": 2, "top": "3"}, "a/1 a/2 b/1"),
        ({"flaws": ("none",)}, "a/1 c/1 a/3 b/2"),
        ({"flaws": ("none",), "per_folder": 1}, "a/1 c/1 b/2"),
        ({"flaws": ("blur", "noise")}, "a/2 b/1"),
        ({"flaws": ("none",), "top": "2"}, "a/1 c/1"),
        ({"top": "50%", "min_score": 85.0}, "a/1"),
        ({"min_score": 99.0}, ""),
    ],
)
def test_conditions_choose(conditions, expected):
    assert " ".join(names(**conditions)) == expected


def test_the_order_of_the_rows_does_not_matter():
    expected = names(per_folder=2, top="4")
    for order in itertools.islice(itertools.permutations(ROWS), 0, 5040, 97):
        chosen = picks.choose(order, Pick(per_folder=2, top="4"))
        assert [str(one.path) for one in chosen] == expected


def test_random_conditions_hold_for_every_photo_taken():
    rng = random.Random(0)  # noqa: S311 - no secret
    for _ in range(200):
        rows = [
            row(f"{rng.choice('abc')}/{number}", rng.choice([None, rng.uniform(0, 100)]), "none")
            for number in range(rng.randrange(1, 40))
        ]
        low, limit, top = rng.uniform(0, 60), rng.randrange(1, 5), rng.randrange(1, 101)
        pick = Pick(min_score=low, per_folder=limit, top=f"{top}%")
        chosen = picks.choose(rows, pick)
        scored = [one for one in rows if one.score is not None]
        assert len(chosen) <= -(-len(scored) * top // 100)
        assert all(one.score >= round(low, 2) - 0.01 for one in chosen)
        folders = [one.path.parent for one in chosen]
        assert all(folders.count(folder) <= limit for folder in folders)
        assert [one.score for one in chosen] == sorted((o.score for o in chosen), reverse=True)


@pytest.mark.parametrize("top", ["0", "-1", "0%", "101%", "ten", "", "1.5", "10 %%", "1e9%", "∞"])
def test_a_top_that_makes_no_sense_is_refused(top):
    with pytest.raises(BadOption, match="--top"):
        Pick(top=top)


@pytest.mark.parametrize("bounds", [{"per_folder": 0}, {"min_score": 9.0, "max_score": 8.0}])
def test_bounds_that_make_no_sense_are_refused(bounds):
    with pytest.raises(BadOption):
        Pick(**bounds)


def test_a_bound_copied_from_the_report_holds():
    rows = [row("a", 74.996), row("b", 75.004)]
    assert len(picks.choose(rows, Pick(min_score=75.0, max_score=75.0))) == 2


def test_a_flaw_cannot_choose_where_none_is_known():
    with pytest.raises(BadReport, match="column flaw is empty"):
        picks.choose([row("a", 1.0)], Pick(flaws=("none",)))
