"""Photos kept in memory: within budget, by index, around those that cannot be used."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.errors import BadTrainingData
from contrique_cli.pretraining.photostore import PhotoStore, mirror_outwards
from tests.conftest import make_photo


def make_store(paths, **more):
    options = {
        "region": 64,
        "least": (2,),
        "max_side": 256,
        "memory_budget": 10**8,
        "device": torch.device("cpu"),
    }
    return PhotoStore([paths], **(options | more))


@pytest.fixture
def paths(photos):
    return sorted(photos.iterdir())


def test_a_photo_within_the_budget_is_decoded_once(paths):
    store = make_store(paths)
    _, first = store.get(0, 1)
    paths[1].unlink()
    index, second = store.get(0, 1)
    assert index == 1
    assert second is first
    assert store.kept_bytes == first.numel() == 3 * 120 * 160


def test_beyond_the_budget_photos_are_decoded_again(paths):
    store = make_store(paths, memory_budget=3 * 120 * 160)
    store.get(0, 0)
    first, second = store.get(0, 1)[1], store.get(0, 1)[1]
    assert second is not first
    assert torch.equal(first, second)
    assert store.kept_bytes == 3 * 120 * 160


def test_a_corrupt_photo_is_named_and_the_next_takes_its_place(paths):
    paths[1].write_bytes(b"not a photo")
    store = make_store(paths)
    index, pixels = store.get(0, 1)
    assert index == 2
    assert torch.equal(pixels, store.get(0, 2)[1])
    assert list(store.skipped) == [paths[1]]


def test_too_few_usable_photos_are_an_error_that_says_how_many_are_needed(paths):
    paths[0].write_bytes(b"")
    paths[1].write_bytes(b"")
    store = make_store(paths)
    with pytest.raises(BadTrainingData, match=r"1 are left where at least 2 are needed"):
        store.get(0, 0)


def test_a_photo_smaller_than_a_view_is_left_out(paths):
    make_photo(0, 300, 40).save(paths[0])
    store = make_store(paths, region=96)
    assert store.get(0, 0)[0] == 1
    assert "too small" in store.skipped[paths[0]]


def test_a_small_photo_is_mirrored_outwards_and_never_padded_with_black():
    photo = torch.arange(1, 13, dtype=torch.uint8).view(1, 3, 4).expand(3, -1, -1)
    result = mirror_outwards(photo, 7)
    assert result.shape == (3, 7, 7)
    assert result[0, 0].tolist() == [1, 2, 3, 4, 3, 2, 1]
    assert result[0, :, 0].tolist() == [1, 5, 9, 5, 1, 5, 9]
    assert (result > 0).all()
