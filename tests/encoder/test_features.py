"""Features: two unit vectors per photo, in order, whatever the batch."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
import torch

from contrique_cli.encoder import backend, features
from contrique_cli.encoder.work import Work
from contrique_cli.errors import Unreadable
from contrique_cli.photos import opening
from contrique_cli.photos import pixels as photo_pixels
from tests.conftest import make_photo


def extract(paths, model, **options):
    embed = backend.Embed(model, "fp32")
    return list(features.extract(paths, embed, Work(max_side=128, **options)))


@pytest.fixture
def mixed(tmp_path):
    paths = []
    for seed in range(7):
        paths.append(tmp_path / f"{seed}.png")
        make_photo(seed, *((60, 40) if seed % 3 else (40, 60))).save(paths[-1])
    return paths


def test_each_scale_has_length_one_and_twice_the_channels(mixed, tiny):
    values = extract(mixed[:1], tiny)[0].values
    assert values.shape == (32,)
    assert values.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(values.reshape(2, 16), axis=1), 1, atol=1e-6)


def test_features_are_those_of_the_naive_formula(mixed, tiny):
    pixels = photo_pixels.to_tensor(opening.open_rgb(mixed[0], max_side=0).image)[None]
    with torch.no_grad():
        expected = []
        for scale in (pixels, photo_pixels.halve(pixels)):
            pooled = tiny.encoder(scale / 255)[0].numpy().reshape(16, -1).mean(axis=1)
            expected.append(pooled / np.sqrt((pooled**2).sum()))
    np.testing.assert_allclose(
        extract(mixed[:1], tiny)[0].values, np.concatenate(expected), atol=1e-6
    )


@pytest.mark.parametrize("batch_size", [1, 3, 16])
@pytest.mark.parametrize("workers", [1, 4])
def test_order_and_values_do_not_depend_on_batch_or_workers(mixed, tiny, batch_size, workers):
    alone = [extract([path], tiny)[0].values for path in mixed]
    together = extract(mixed, tiny, batch_size=batch_size, workers=workers)
    assert [one.path for one in together] == mixed
    np.testing.assert_allclose([one.values for one in together], alone, atol=1e-6)


def test_a_file_deleted_during_the_run_is_one_row(mixed, tiny):
    def while_someone_deletes():
        for index, path in enumerate(mixed):
            if index == 3:
                path.unlink()
            yield path

    found = extract(while_someone_deletes(), tiny)
    assert [isinstance(one, Unreadable) for one in found] == [False] * 3 + [True] + [False] * 3
    assert found[3].reason == "no such file"


def test_problems_found_earlier_pass_through_in_place(mixed, tiny):
    problem = Unreadable(mixed[0], "a socket")
    found = extract([mixed[1], problem, mixed[2]], tiny)
    assert found[1] is problem


def test_paths_are_taken_lazily(mixed, tiny):
    taken = []

    def endless():
        while True:
            taken.append(mixed[0])
            yield mixed[0]

    stream = features.extract(
        endless(), backend.Embed(tiny), Work(max_side=128, batch_size=2, workers=2)
    )
    next(stream)
    stream.close()
    assert len(taken) <= 8


def test_half_scale_of_the_smallest_photo_works(tmp_path, tiny):
    make_photo(0, 32, 32).save(tmp_path / "a.png")
    assert np.isfinite(extract([tmp_path / "a.png"], tiny)[0].values).all()


@pytest.mark.gpu
def test_cuda_gives_the_features_of_the_cpu(mixed, tiny):
    import copy

    on_gpu = extract(mixed, copy.deepcopy(tiny).to("cuda"))
    on_cpu = extract(mixed, tiny)
    np.testing.assert_allclose(
        [one.values for one in on_gpu], [one.values for one in on_cpu], atol=1e-3
    )


def out_of_memory_beyond(limit, monkeypatch):
    """Make every batch of more than `limit` photos run out of memory; the sizes tried."""
    tried = []
    real = features.embed_scales

    def embed_scales(embed, pixels):
        tried.append(len(pixels))
        if len(pixels) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(embed, pixels)

    monkeypatch.setattr(features, "embed_scales", embed_scales)
    return tried


def test_running_out_of_memory_halves_the_batch_and_goes_on(mixed, tiny, monkeypatch):
    expected = extract(mixed, tiny)
    tried = out_of_memory_beyond(1, monkeypatch)
    found = extract(mixed, tiny, batch_size=4)
    assert tried == [3, 1, 1, 1, 1, 1, 1, 1]  # three upright, four across
    for one, other in zip(found, expected, strict=True):
        assert one.path == other.path
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_photo_that_no_memory_holds_is_one_row(mixed, tiny, monkeypatch, batch_size):
    out_of_memory_beyond(0, monkeypatch)
    found = extract(mixed[:2], tiny, batch_size=batch_size)
    assert [one.path for one in found] == mixed[:2]
    assert all("not enough memory" in one.reason for one in found)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize(
    "words", ["could not create a primitive", "[enforce fail] can't allocate memory"]
)
def test_libraries_that_lack_memory_say_so_in_words_of_their_own(
    mixed, tiny, monkeypatch, batch_size, words
):
    def full(_image):
        raise RuntimeError(words)

    monkeypatch.setattr(features, "to_tensor", full)
    (found,) = extract(mixed[:1], tiny, batch_size=batch_size)
    assert "not enough memory" in found.reason


@pytest.mark.parametrize("batch_size", [None, 2])
def test_an_error_of_ours_is_not_taken_for_a_lack_of_memory(mixed, tiny, monkeypatch, batch_size):
    def broken(embed, pixels):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(features, "embed_scales", broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        extract(mixed, tiny, batch_size=batch_size)


def test_threads_are_as_many_as_before_afterwards(mixed, tiny):
    before = torch.get_num_threads()
    extract(mixed, tiny, workers=2)
    assert torch.get_num_threads() == before


def test_a_photo_comes_out_while_the_next_is_not_known_yet(mixed, tiny):
    asked = []

    def slow():
        for index, path in enumerate(mixed):
            asked.append(index)
            yield path

    stream = features.extract(slow(), backend.Embed(tiny), Work(max_side=128, workers=1))
    next(stream)
    stream.close()
    assert len(asked) <= 3


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("workers", [1, 8])
def test_as_many_photos_are_decoded_at_once_as_there_are_workers(
    contrique, tmp_path, monkeypatch, workers, batch
):
    (tmp_path / "many").mkdir()
    for seed in range(8):
        make_photo(seed, 40, 32).save(tmp_path / "many" / f"{seed}.png")
    together = threading.Barrier(workers, timeout=20)
    real, names = opening.open_rgb, set()

    def open_rgb(*args, **options):
        names.add(threading.current_thread().name)
        together.wait()
        return real(*args, **options)

    extract = features.extract
    monkeypatch.setattr(opening, "open_rgb", open_rgb)
    monkeypatch.setattr(
        features,
        "extract",
        lambda paths, embed, work, **more: extract(
            paths, embed, dataclasses.replace(work, batch_size=batch), **more
        ),
    )
    options = ["--regressor", "tiny", "--device", "cpu", "--no-cache"]
    done = contrique("score", tmp_path / "many", *options, "--workers", workers)
    assert done.status == 0
    assert len(names) == workers
