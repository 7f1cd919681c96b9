"""Plans of batches: fair, repeatable and the same for any number of processes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from contrique_cli.distortions.bank import CLASSES, class_of
from contrique_cli.pretraining.batchplan import Halves, plan_batch, split, steps_per_epoch

HALVES = Halves(20, 30)


def make(step=0, halves=HALVES, batch_size=16, seed=0, **more):
    return plan_batch(step, halves=halves, batch_size=batch_size, seed=seed, **more)


def same(first, second):
    return all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name))
        for field in dataclasses.fields(first)
    )


def test_a_step_has_one_plan_and_the_next_step_another():
    assert same(make(5), make(5))
    assert not same(make(5), make(6))
    assert not same(make(5), make(5, seed=1))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_shares_of_processes_make_up_the_plan(world):
    plan = make(3)
    shares = [plan.share(rank, world) for rank in range(world)]
    rows = sorted(seed for share in shares for seed in share.seeds.tolist())
    assert rows == sorted(plan.seeds.tolist())
    assert [share.is_authentic.sum() for share in shares] == [8 // world] * world


def test_every_photo_passes_once_before_any_comes_again():
    seen = np.concatenate([make(step).photos[8:] for step in range(15)])  # 8 of 30 per step
    for start in range(0, 120, 30):
        assert sorted(seen[start : start + 30]) == list(range(30))


def test_an_epoch_is_one_pass_over_the_larger_half():
    assert steps_per_epoch(16, Halves(20, 30)) == 4
    assert steps_per_epoch(16, Halves(20, 0)) == 2


@pytest.mark.parametrize(
    ("halves", "expected"), [((5, 5), (8, 8)), ((5, 0), (16, 0)), ((0, 5), (0, 16))]
)
def test_a_missing_half_leaves_the_batch_to_the_other(halves, expected):
    assert split(16, Halves(*halves)) == Halves(*expected)


def test_ordinary_photos_are_not_distorted_and_have_no_class_of_distortion():
    plan = make()
    assert (plan.kinds[plan.is_authentic] == 0).all()
    assert (plan.classes[plan.is_authentic] == -1).all()


def test_all_126_draws_are_equally_likely():
    plans = [make(step, batch_size=200, halves=Halves(200, 200)) for step in range(126)]
    cells = np.concatenate([plan.kinds[:100] * 10 + plan.levels[:100] for plan in plans])
    values, counts = np.unique(cells, return_counts=True)
    assert len(values) == CLASSES
    assert (abs(counts - 100) < 5 * 10).all()  # five standard deviations of a Poisson count


def test_classes_are_those_of_the_distortions():
    plan = make(batch_size=200, halves=Halves(200, 200))
    expected = [class_of(int(k), int(v)) for k, v in zip(plan.kinds, plan.levels, strict=True)]
    assert plan.classes[:100].tolist() == expected[:100]


def test_photos_per_class_repeats_each_distortion_with_other_photos_and_seeds():
    plan = make(photos_per_class=4)
    assert len({tuple(row) for row in plan.kinds[:8].reshape(2, 4)}) == 2
    assert all(len(set(group)) == 1 for group in plan.classes[:8].reshape(2, 4).tolist())
    assert len(set(plan.seeds[:8].tolist())) == 8


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (1.0, 100, 100), (0.5, 30, 70)])
def test_the_share_of_undistorted_photos_can_be_chosen(share, low, high):
    plan = make(batch_size=200, halves=Halves(200, 200), pristine_share=share)
    assert low <= (plan.kinds[:100] == 0).sum() <= high


def test_photos_distorted_beforehand_are_left_as_they_are():
    assert (make(is_distorting=False).kinds == 0).all()


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.8, 0.8), (1.0, 1.0)])
def test_the_share_of_recoloured_views_can_be_chosen(share, expected):
    colours = make(batch_size=400, halves=Halves(400, 400), recoloured_share=share).colours
    assert (colours > 0).mean() == pytest.approx(expected, abs=0.08)  # five standard deviations
    assert share < 1 or sorted(set(colours.ravel().tolist())) == [1, 2, 3, 4]
