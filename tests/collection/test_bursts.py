"""Groups of near-duplicates in a report, and the best of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from contrique_cli.collection import bursts
from contrique_cli.reports.rows import Row
from tests.shots import make_shoot


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    return make_shoot(tmp_path / "shoot")


def test_of_equal_scores_the_better_raw_value_is_the_best_of_a_burst(shoot):
    qualities = {"a": 3.0, "b": 5.0, "d": 4.0}
    rows = [
        Row(path=shoot / f"{name}.jpg", score=100.0, quality=quality)
        for name, quality in qualities.items()
    ]
    assert [row.is_burst_best for row in bursts.mark(rows)] == [False, True, False]


def test_a_photo_gone_since_it_was_scored_is_in_no_group(shoot):
    rows = [Row(path=path, score=1.0) for path in sorted(shoot.iterdir())]
    rows.append(Row(path=shoot / "gone.jpg", score=9.0))
    marked = bursts.mark(rows)
    assert [row.burst for row in marked] == [1, 1, None, 1, 2, 2, None]
    assert marked[0].is_burst_best  # of equal scores the first path
