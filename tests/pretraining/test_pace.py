"""The clock of a run."""

from __future__ import annotations

import pytest

from contrique_cli.pretraining import pace as module
from contrique_cli.pretraining.pace import Pace, learning_rate


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_progress_by_steps(clock):
    pace = Pace(minutes=None, total_steps=10, batch_size=4)
    assert [pace.measure(step) for step in (0, 5, 10)] == [0.0, 0.5, 1.0]


def test_progress_by_minutes_counts_earlier_sessions_and_keeps_time_for_the_end(clock):
    pace = Pace(minutes=2.0, total_steps=None, batch_size=4)
    clock[0] += 30
    assert pace.measure(7) == 0.25
    pace.resume(30.0)
    assert pace.measure(7) == 0.5
    pace.note("probe", reserve=20.0)
    assert pace.measure(7) == 0.6
    clock[0] += 90
    assert pace.measure(7) == 1.0


def test_a_run_without_a_plan_is_a_mistake():
    with pytest.raises(ValueError, match="planned"):
        Pace(minutes=None, total_steps=None, batch_size=4).measure(1)


def test_saving_does_not_count_as_training_speed(clock):
    pace = Pace(minutes=None, total_steps=10, batch_size=4)
    clock[0] += 2
    assert pace.count(1) == 2.0
    clock[0] += 50
    pace.note("save")
    clock[0] += 2
    assert pace.count(1) == pytest.approx(2.0)
    assert pace.seconds_left(6) == pytest.approx(8.0)


def test_what_is_due_is_due_again_after_its_time(clock):
    pace = Pace(minutes=None, total_steps=10, batch_size=4)
    assert pace.is_due("save", 0.0)
    assert not pace.is_due("save", 1.0)
    clock[0] += 60
    assert pace.is_due("save", 1.0)
    pace.note("save")
    assert not pace.is_due("save", 1.0)
    assert pace.is_due("probe", 1.0)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.0), (0.05, 0.3), (0.1, 0.6), (0.55, 0.3), (1.0, 0.0), (1.5, 0.0)],
)
def test_the_rate_rises_linearly_then_falls_as_half_a_cosine(progress, expected):
    assert learning_rate(progress, peak=0.6, warmup=0.1) == pytest.approx(expected, abs=1e-12)


def test_without_warm_up_the_run_begins_at_the_peak():
    assert learning_rate(0.0, peak=0.5, warmup=0.0) == 0.5
