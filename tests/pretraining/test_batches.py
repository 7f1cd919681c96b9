"""Batches: the same for any number of threads and processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contrique_cli.distortions.bank import CLASSES
from contrique_cli.pretraining import batches
from contrique_cli.pretraining.batchplan import Halves, plan_batch
from contrique_cli.pretraining.photostore import PhotoStore
from tests.conftest import make_photo

SIDE = 32


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    paths = []
    for seed in range(12):
        paths.append(folder / f"{seed:02}.png")
        make_photo(seed, 90, 72).save(paths[-1])
    return paths[:6], paths[6:]


def make_store(halves, **more):
    options = {
        "region": 2 * SIDE,
        "least": (1, 1),
        "max_side": 0,
        "memory_budget": 10**8,
        "device": torch.device("cpu"),
    }
    return PhotoStore(halves, **(options | more))


def plan(step):
    return plan_batch(step, halves=Halves(6, 6), batch_size=8, seed=0)


def cut_all(store, workers, plan=plan, **more):
    cuttings = batches.cut_ahead(
        store, plan, steps=iter(range(4)), side=SIDE, workers=workers, **more
    )
    return [(batches.make_views(cutting, SIDE), cutting.classes) for cutting in cuttings]


def test_any_number_of_threads_gives_the_same_batches(halves):
    one, three = (cut_all(make_store(halves), workers) for workers in (1, 3))
    for first, second in zip(one, three, strict=True):
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1])


def test_views_made_in_the_threads_are_the_same(halves):
    after, ahead = (
        cut_all(make_store(halves), 2, is_making_views=is_ahead) for is_ahead in (False, True)
    )
    assert all(torch.equal(a[0], b[0]) for a, b in zip(after, ahead, strict=True))


def test_a_store_without_room_gives_the_same_batches(halves):
    kept, again = (cut_all(make_store(halves, memory_budget=budget), 2) for budget in (10**8, 0))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(kept, again, strict=True))


def test_shares_of_processes_are_rows_of_the_whole_batch(halves):
    whole, classes = cut_all(make_store(halves), 1)[2]
    for rank in range(2):
        share, own = cut_all(make_store(halves), 1, lambda step: plan(step).share(rank, 2))[2]  # noqa: B023 - used at once
        rows = torch.cat([torch.arange(rank, 8, 2), torch.arange(8 + rank, 16, 2)])
        torch.testing.assert_close(share, whole[rows], atol=2e-3, rtol=0)  # half a grey level
        assert torch.equal(own, classes[rank::2])


def test_views_have_the_promised_shape_and_range(halves):
    views, classes = cut_all(make_store(halves), 1)[0]
    assert views.shape == (16, 3, SIDE, SIDE)
    assert views.dtype == torch.float32
    assert 0 <= views.min() <= views.max() <= 1
    assert (classes[:4] < CLASSES).all()
    assert (classes[4:] >= CLASSES).all()


def test_the_class_of_a_replaced_ordinary_photo_is_that_of_its_stand_in(halves, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    others = [broken, *halves[1][1:]]
    cutting = batches.cut(make_store((halves[0], others)), plan(0), SIDE)
    asked = plan(0).photos[4:].tolist()
    expected = [CLASSES + (1 if index == 0 else index) for index in asked]
    assert cutting.classes[4:].tolist() == expected


def test_classes_of_a_list_are_used_as_they_are(halves):
    store = make_store(halves, classes=[9, 8, 7, 6, 5, 4])
    asked = plan_batch(0, halves=Halves(6, 6), batch_size=8, seed=0, is_distorting=False)
    cutting = batches.cut(store, asked, SIDE)
    assert cutting.classes[:4].tolist() == [9 - index for index in asked.photos[:4]]


def test_an_undistorted_photo_and_its_region_are_the_same_picture(halves):
    """The full-scale view is a square of the region, pixel for pixel."""
    asked = plan_batch(0, halves=Halves(6, 0), batch_size=4, seed=0, pristine_share=1.0)
    asked.colours[:], asked.flips[:], asked.is_full_first[:] = 0, False, True
    cutting = batches.cut(make_store((halves[0], ())), asked, SIDE)
    full = batches.make_views(cutting, SIDE)[:4]
    for row in range(4):
        top, left = (asked.corners[row, 2:] * (SIDE + 1)).astype(np.int64)
        expected = cutting.regions[row, :, top : top + SIDE, left : left + SIDE] / 255
        torch.testing.assert_close(full[row], expected)


def test_an_error_in_a_thread_reaches_the_caller(halves):
    def broken(step):
        raise RuntimeError("plan")

    with pytest.raises(RuntimeError, match="plan"):
        cut_all(make_store(halves), 2, broken)


@pytest.mark.gpu
@pytest.mark.parametrize("device_budget", [0, 10**9])
def test_batches_on_a_gpu_are_those_on_the_cpu(halves, device_budget):
    cuda = torch.device("cuda", 0)
    here = cut_all(make_store(halves), 1)
    there = cut_all(make_store(halves, device=cuda, device_budget=device_budget), 2)
    for (expected, classes), (actual, own) in zip(here, there, strict=True):
        assert torch.equal(classes, own)
        # A grey level, and more where a stretched channel (local contrast) was nearly flat.
        close = ((actual.cpu() - expected).abs() <= 3 / 255).float().mean()
        assert close > 0.99
