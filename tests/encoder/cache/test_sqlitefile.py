"""The file of a cache: whole, started anew, or done without."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from contrique_cli.encoder.cache.featurecache import FeatureCache
from tests.conftest import without_privileges
from tests.encoder.cache.test_featurecache import ORIGIN, fill, found, photo, remembered


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "features.sqlite"


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def put_text(path: Path) -> None:
    path.write_text("no database at all " * 100)


def put_others_tables(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE photos (id, features)")
    file.close()


def put_trigger(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute(
            "CREATE TRIGGER t AFTER INSERT ON photos BEGIN UPDATE photos SET width = 7; END"
        )
    file.close()


@pytest.mark.parametrize("spoil", [scribble, cut, put_text, put_others_tables, put_trigger])
def test_a_damaged_file_is_started_anew_with_a_note(path, spoil):
    fill(path, range(100))
    spoil(path)
    with FeatureCache(path) as cache:
        for number in range(100):
            again = cache.find(ORIGIN, photo(number))
            assert again is None or again[:3] == remembered(number)[:3]
            cache.keep(ORIGIN, photo(number), remembered(number))
        assert [note.split(" was ")[1] for note in cache.notes] == [
            "damaged and has been started anew"
        ]
    assert found(path, range(100)) == list(range(100))


def test_a_folder_that_cannot_be_written_means_a_note_and_no_cache(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    (tmp_path / "file").touch()
    for folder in ("locked", "file"):
        with (
            without_privileges(tmp_path),
            FeatureCache(tmp_path / folder / "c" / "f.sqlite") as cache,
        ):
            cache.keep(ORIGIN, photo(1), remembered(1))
            assert cache.find(ORIGIN, photo(1)) is None
            assert "cannot be used" in cache.notes[0]


def test_a_full_disk_means_a_note_and_no_cache(path):
    with FeatureCache(path) as cache:
        cache._file._connection.execute("PRAGMA max_page_count = 20")
        for number in range(2000):
            cache.keep(ORIGIN, photo(number), remembered(number))
        assert len(cache.notes) == 1
        assert "full): going on without it" in cache.notes[0]
    assert 0 < len(found(path, range(2000))) < 2000


def test_two_runs_that_meet_one_damaged_file_rebuild_it_once(path):
    fill(path, range(100))
    first, second = FeatureCache(path), FeatureCache(path)
    second.find(ORIGIN, photo(1))
    scribble(path)
    for cache, number in ((first, 1), (second, 2)):
        cache._file.attempt(lambda file: file.execute("PRAGMA cache_size = 0"), None)
        cache.keep(ORIGIN, photo(number), remembered(number))
        cache.flush()
    first.close()
    second.close()
    assert found(path, range(100)) == [1, 2]
