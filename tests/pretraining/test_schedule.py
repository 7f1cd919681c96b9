"""The learning rate at hand-computed points."""

from __future__ import annotations

import pytest

from contrique_cli.pretraining.schedule import learning_rate


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.0), (0.05, 0.3), (0.1, 0.6), (0.55, 0.3), (1.0, 0.0), (1.5, 0.0)],
)
def test_the_rate_rises_linearly_then_falls_as_half_a_cosine(progress, expected):
    assert learning_rate(progress, peak=0.6, warmup=0.1) == pytest.approx(expected, abs=1e-12)


def test_without_warm_up_the_run_begins_at_the_peak():
    assert learning_rate(0.0, peak=0.5, warmup=0.0) == 0.5
