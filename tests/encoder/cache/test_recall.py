"""Recall: the order of the paths, whatever was known before, and no work done twice."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from contrique_cli.encoder import backend, checkpoint, features
from contrique_cli.encoder.cache import identity, recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.work import Work
from contrique_cli.errors import Unreadable
from contrique_cli.photos import content, opening
from tests.conftest import make_photo

INFO = checkpoint.EncoderInfo(
    arch="tiny", pooling="last", preprocessing=1, fingerprint="f", provenance={}
)
SIDE = 128


@pytest.fixture
def cache(tmp_path):
    with FeatureCache(tmp_path / "features.sqlite") as found:
        yield found


@pytest.fixture
def nine(tmp_path):
    paths = [tmp_path / f"{seed}.png" for seed in range(9)]
    for seed, path in enumerate(paths):
        make_photo(seed, *((60, 40) if seed % 3 else (40, 60))).save(path)
    return paths


@pytest.fixture
def extract(cache, tiny):
    """Recall with the tiny encoder."""

    def run(paths, *, load=lambda: backend.Embed(tiny), shelf=True, **options):
        found = recall.find_shelf(cache if shelf else None, INFO, Work(device="cpu", max_side=SIDE))
        return recall.extract(paths, load, found, Work(device="cpu", max_side=SIDE, **options))

    return run


@pytest.fixture
def opened(monkeypatch):
    """Names of the photos that were decoded, in time."""
    names, real = [], opening.open_rgb

    def counting(path, **options):
        names.append(path.name)
        return real(path, **options)

    monkeypatch.setattr(opening, "open_rgb", counting)
    return names


def never():
    raise AssertionError("nothing is to be computed")


def no_encoder():
    pytest.fail("loaded")


def names(items) -> list[str]:
    return [item.path.name for item in items]


def test_known_and_new_and_unreadable_photos_come_in_the_order_of_the_paths(extract, nine, opened):
    list(extract([nine[1], nine[4], nine[5]]))
    opened.clear()
    broken = nine[6]
    broken.write_bytes(b"no photo")
    passed = Unreadable(nine[0].with_name("passed.png"), "told before")
    paths = [passed, *nine]
    found = list(extract(paths))
    assert names(found) == ["passed.png", *map("{}.png".format, range(9))]
    assert [item.path.name for item in found if isinstance(item, Unreadable)] == [
        "passed.png",
        "6.png",
    ]
    assert sorted(opened) == ["0.png", "2.png", "3.png", "6.png", "7.png", "8.png"]


def test_photos_seen_before_need_neither_decoder_nor_encoder(extract, nine, opened):
    first = list(extract(nine))
    opened.clear()
    second = list(extract(nine, load=never))
    assert opened == []
    for before, after in zip(first, second, strict=True):
        assert (before.path, before.width, before.height) == (after.path, after.width, after.height)
        np.testing.assert_array_equal(before.values, after.values)
        assert after.values.dtype == np.float32


def test_all_new_photos_go_through_one_extraction(extract, nine, monkeypatch):
    calls, real = [], features.extract
    monkeypatch.setattr(
        features, "extract", lambda *args, **options: calls.append(1) or real(*args, **options)
    )
    list(extract(nine[::2]))
    assert len(calls) == 1
    list(extract(nine))
    assert len(calls) == 2


def test_many_known_photos_between_two_new_ones_do_not_pile_up(extract, nine, monkeypatch):
    monkeypatch.setattr(recall, "MOST_AHEAD", 3)
    list(extract(nine[1:]))
    pulled = []

    def endless():
        yield nine[0]
        while True:
            for path in nine[1:]:
                pulled.append(path)
                yield path

    stream = extract(endless())
    assert names(islice(stream, 5)) == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert len(pulled) <= 5 + 3
    stream.close()


def test_new_photos_far_apart_are_all_computed(extract, nine, monkeypatch):
    monkeypatch.setattr(recall, "MOST_AHEAD", 1)
    list(extract([*nine[1:4], *nine[5:8]]))
    assert names(extract(nine)) == [path.name for path in nine]


def test_an_extraction_may_take_the_photos_in_another_thread(extract, nine, monkeypatch):
    real = features.extract

    def ahead(paths, *args, **options):
        with ThreadPoolExecutor(1) as pool:
            listed = pool.submit(lambda: list(paths))
            yield from real(listed.result(), *args, **options)

    monkeypatch.setattr(features, "extract", ahead)
    list(extract(nine[::3]))
    assert names(extract(nine)) == [path.name for path in nine]


def test_a_changed_photo_is_computed_again_and_a_moved_one_is_not(extract, nine, opened):
    list(extract(nine))
    make_photo(100, 60, 40).save(nine[0])
    nine[1].rename(nine[1].with_name("moved.png"))
    opened.clear()
    list(extract([nine[0], nine[1].with_name("moved.png"), *nine[2:]]))
    assert opened == ["0.png"]


def test_a_photo_rewritten_during_a_run_with_its_date_restored_poisons_nothing(
    extract, nine, opened, monkeypatch
):
    real = opening.open_rgb
    first, other = nine[0].read_bytes(), nine[3].read_bytes()
    status = nine[0].stat()

    def swap(data):
        nine[0].write_bytes(data)
        os.utime(nine[0], ns=(status.st_atime_ns, status.st_mtime_ns))

    def disturbed(path, **options):
        swap(other)
        photo = real(path, **options)
        swap(first)
        return photo

    with monkeypatch.context() as patch:
        patch.setattr(opening, "open_rgb", disturbed)
        list(extract(nine[:1]))
    (right,) = extract(nine[:1], shelf=False)
    (found,) = extract(nine[:1])
    np.testing.assert_array_equal(found.values, right.values)
    opened.clear()
    list(extract([nine[3]]))  # whose bytes were decoded under another name
    assert opened == []


def test_a_large_file_that_changes_while_it_is_decoded_is_not_kept(
    extract, nine, opened, monkeypatch
):
    monkeypatch.setattr(content, "MAX_IN_MEMORY", 10)
    real = content.digest_file

    def disturbed(file):
        digest = real(file)
        nine[0].write_bytes(nine[0].read_bytes() + b"x")
        return digest

    with monkeypatch.context() as patch:
        patch.setattr(content, "digest_file", disturbed)
        list(extract(nine[:1]))
    list(extract(nine[:1]))
    list(extract(nine[:1]))
    assert opened == ["0.png", "0.png"]


@pytest.mark.parametrize("is_settled", [True, False])
def test_a_file_changed_in_place_with_its_date_restored_is_computed_anew(
    extract, nine, opened, is_settled, monkeypatch
):
    if is_settled:
        monkeypatch.setattr(identity, "_SETTLED_NS", -1)
    list(extract(nine[:1]))
    opened.clear()
    data, status = bytearray(nine[0].read_bytes()), nine[0].stat()
    data[-20] ^= 1  # in the last chunk's checksum or behind
    time.sleep(0.02)
    nine[0].write_bytes(data)
    os.utime(nine[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    list(extract(nine[:1]))
    assert opened == ["0.png"]


def test_a_file_known_by_its_status_is_not_read_again(extract, nine, monkeypatch):
    monkeypatch.setattr(identity, "_SETTLED_NS", -1)
    list(extract(nine))
    monkeypatch.setattr(identity, "read_digest", lambda *_: pytest.fail("read"))
    assert len(list(extract(nine, load=no_encoder))) == 9


def test_a_note_survives_the_cache(extract, nine):
    rows = np.asarray(make_photo(7)).copy()
    rows[90:] = 128
    Image.fromarray(rows).save(nine[0])
    notes = [next(extract(nine[:1])).note for _ in range(2)]
    assert notes[0] == notes[1]
    assert re.fullmatch(r"damaged: the last 2\d % of the picture are missing", notes[0])


def test_unreadable_photos_are_tried_again(extract, nine, opened):
    nine[0].write_bytes(b"not yet")
    assert isinstance(next(extract(nine[:1])), Unreadable)
    assert isinstance(next(extract(nine[:1])), Unreadable)
    assert opened == ["0.png", "0.png"]


def test_a_known_photo_over_the_limit_of_megapixels_is_refused_all_the_same(extract, nine):
    list(extract(nine[:1]))
    (found,) = extract(nine[:1], max_megapixels=0.001)
    assert "over the limit" in found.reason


def test_a_stream_that_is_left_early_keeps_what_it_computed(extract, nine, opened):
    stream = extract(nine, workers=1, batch_size=1)
    assert len(list(islice(stream, 5))) == 5
    stream.close()
    opened.clear()
    list(extract(nine))
    assert sorted(opened) == ["5.png", "6.png", "7.png", "8.png"]


def test_the_encoder_is_loaded_once_however_far_apart_new_photos_are(
    extract, nine, tiny, monkeypatch
):
    monkeypatch.setattr(recall, "MOST_AHEAD", 1)
    list(extract([*nine[1:4], *nine[5:8]]))
    loads = []
    list(extract(nine, load=lambda: loads.append(1) or backend.Embed(tiny)))
    assert len(loads) == 1
