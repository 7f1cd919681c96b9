"""The feature cache: what goes in comes out, and nothing that happens to its file stops a run."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from contrique_cli.encoder.cache import featurecache
from contrique_cli.encoder.cache.featurecache import FeatureCache, Origin, Remembered
from contrique_cli.encoder.cache.identity import Status
from contrique_cli.errors import CannotWrite
from tests.conftest import ROOT

ORIGIN = Origin(encoder="f" * 64, arch="tiny", preprocessing=1, max_side=1024, numbers=32)


def photo(number: int) -> bytes:
    return number.to_bytes(16, "big")


def remembered(number: int, numbers: int = 32) -> Remembered:
    values = np.full(numbers, number % 100, featurecache.STORED)
    return Remembered(60 + number, 40, "photo", values)


def fill(path: Path, numbers: range, **options: object) -> None:
    with FeatureCache(path, **options) as cache:
        for number in numbers:
            cache.keep(ORIGIN, photo(number), remembered(number))


def found(path: Path, numbers: range) -> list[int]:
    with FeatureCache(path) as cache:
        return [number for number in numbers if cache.find(ORIGIN, photo(number))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "features.sqlite"


@pytest.mark.parametrize("source", ["photo", "preview"])
def test_what_was_kept_is_found_by_the_next_run(path, source):
    kept = Remembered(6000, 4000, source, np.linspace(-1, 1, 32).astype(featurecache.STORED))
    with FeatureCache(path) as cache:
        cache.keep(ORIGIN, photo(1), kept)
    with FeatureCache(path) as cache:
        again = cache.find(ORIGIN, photo(1))
        assert cache.notes == []
    assert again[:3] == kept[:3]
    np.testing.assert_array_equal(again.values, kept.values)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": "e" * 64},
        {"preprocessing": 2},
        {"max_side": 512},
        {"numerics": "bfloat16"},
        {"numbers": 16},
    ],
)
def test_features_made_in_another_way_are_never_taken(path, change):
    fill(path, range(1))
    with FeatureCache(path) as cache:
        assert cache.find(dataclasses.replace(ORIGIN, **change), photo(0)) is None


def test_what_a_note_says_is_found_again(path):
    with FeatureCache(path) as cache:
        cache.keep(ORIGIN, photo(1), remembered(1)._replace(note="damaged: half of it"))
    with FeatureCache(path) as cache:
        assert cache.find(ORIGIN, photo(1)).note == "damaged: half of it"
        cache._file.attempt(lambda file: file.execute("UPDATE photos SET note = NULL"), None)
        assert cache.find(ORIGIN, photo(1)) is None


def test_the_hash_of_a_file_is_known_until_anything_about_it_changes(path):
    status = Status(device=-1, inode=2**64 - 1, size=5, mtime_ns=7, ctime_ns=9)
    with FeatureCache(path) as cache:
        cache.keep(ORIGIN, photo(1), remembered(1))
        cache.keep_digest(status, photo(1))
    with FeatureCache(path) as cache:
        assert cache.find_digest(status) == photo(1)
        for name in Status._fields:
            changed = status._replace(**{name: getattr(status, name) - 1})
            assert cache.find_digest(changed) is None, name
        cache.keep_digest(status._replace(ctime_ns=10), photo(2))
        cache.flush()
        assert cache.find_digest(status) is None


def test_hashes_go_with_the_photos_they_stand_for(path):
    hour = [0.0]
    status = Status(device=1, inode=1, size=1, mtime_ns=1, ctime_ns=1)
    with FeatureCache(path, limit=120_000, now=lambda: 3600 * hour[0]) as cache:
        cache.keep_digest(status, photo(0))
        for number in range(1000):
            hour[0] += 1
            cache.keep(ORIGIN, photo(number), remembered(number))
        assert cache.find(ORIGIN, photo(0)) is None
        assert cache.find_digest(status) is None


def test_a_process_that_ends_without_closing_loses_less_than_a_batch(path):
    cache = FeatureCache(path)
    for number in range(20):
        cache.keep(ORIGIN, photo(number), remembered(number))
    assert len(found(path, range(20))) >= 20 - featurecache.BATCH + 1
    cache.close()


def test_the_file_stays_within_its_limit_and_the_longest_unused_go(path):
    hour = [0.0]
    with FeatureCache(path, limit=120_000, now=lambda: 3600 * hour[0]) as cache:
        for number in range(1000):
            hour[0] += 1
            cache.keep(ORIGIN, photo(number), remembered(number))
            assert number < 110 or cache.find(ORIGIN, photo(100)) is not None
        left = [number for number in range(1000) if cache.find(ORIGIN, photo(number))]
    assert path.stat().st_size < 160_000
    assert 100 < len(left) < 900
    assert left[0] == 100  # looked at all the time
    assert left[1:] == list(range(1000 - len(left) + 1, 1000))


@pytest.mark.parametrize(
    "change",
    [
        "features = zeroblob(128)",
        "features = zeroblob(126)",
        "features = printf('%.*c', 128, 'x')",
        "features = NULL",
        "width = 7",
        "width = -1",
        "height = 'high'",
        "checksum = checksum + 1",
        "source = 'raw'",
        "source = x'ff'",
    ],
)
def test_a_row_that_cannot_be_believed_is_computed_anew(path, change):
    fill(path, range(3))
    with sqlite3.connect(path) as file:
        query = f"UPDATE photos SET {change} WHERE photo = ?"  # noqa: S608 - ours
        file.execute(query, [photo(1)])
    file.close()
    assert found(path, range(3)) == [0, 2]
    fill(path, range(1, 2))
    assert found(path, range(3)) == [0, 1, 2]


def test_numbers_that_are_not_finite_are_not_believed(path):
    with FeatureCache(path) as cache:
        values = np.full(32, np.nan, featurecache.STORED)
        cache.keep(ORIGIN, photo(1), Remembered(9, 9, "photo", values))
        cache.flush()
        assert cache.find(ORIGIN, photo(1)) is None
        assert "damaged" in cache.notes[0]


def test_another_process_in_the_middle_of_writing_costs_nothing_but_time(path, monkeypatch):
    monkeypatch.setattr("contrique_cli.encoder.cache.sqlitefile._WAIT", 0.01)
    fill(path, range(1))
    other = sqlite3.connect(path, isolation_level=None)
    with FeatureCache(path) as cache:
        other.execute("BEGIN IMMEDIATE")
        for number in range(1, 30):
            cache.keep(ORIGIN, photo(number), remembered(number))
            assert cache.find(ORIGIN, photo(0)) is not None
        with pytest.raises(CannotWrite, match="another contrique is at work"):
            cache.clear()
        other.execute("COMMIT")
    other.close()
    assert found(path, range(30)) == list(range(30))


def test_what_another_process_never_let_be_written_is_said(path, monkeypatch):
    monkeypatch.setattr("contrique_cli.encoder.cache.sqlitefile._WAIT", 0.01)
    cache = FeatureCache(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(10):
        cache.keep(ORIGIN, photo(number), remembered(number))
    cache.close()
    other.close()
    assert cache.notes == [
        f"10 photos not kept in the feature cache {path}: another process did not let go of it"
    ]


def test_processes_that_start_at_once_share_one_file(path):
    code = f"""
import sys, numpy as np
from pathlib import Path
from contrique_cli.encoder.cache.featurecache import FeatureCache, Origin, Remembered
with FeatureCache(Path(sys.argv[1])) as cache:
    for number in range(int(sys.argv[2]), 400, 3):
        cache.keep({ORIGIN!r}, number.to_bytes(16, "big"), Remembered(9, 9, "photo", np.zeros(32)))
    assert not cache.notes
"""
    command = [sys.executable, "-c", code, path]
    workers = [subprocess.Popen([*command, str(first)], cwd=ROOT) for first in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert found(path, range(400)) == list(range(400))


def test_threads_may_share_one_cache(path):
    with FeatureCache(path) as cache:

        def work(first: int) -> None:
            for number in range(first, 400, 4):
                cache.keep(ORIGIN, photo(number), remembered(number))
                cache.find(ORIGIN, photo(number // 2))

        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found(path, range(400)) == list(range(400))


def test_clearing_forgets_everything_and_frees_the_space(path):
    fill(path, range(1000))
    large = path.stat().st_size
    with FeatureCache(path) as cache:
        assert [(part.facts["arch"], part.photos) for part in cache.list_parts()] == [
            ("tiny", 1000)
        ]
        assert cache.clear() == 1000
        assert cache.list_parts() == []
    assert path.stat().st_size < large / 4
    fill(path, range(1))
    assert found(path, range(3)) == [0]


def test_the_file_lies_in_the_users_cache_folder_alone_to_the_user(home):
    path = featurecache.location()
    assert home in path.parents
    fill(path, range(1))
    assert path.parent.stat().st_mode & 0o077 == 0
