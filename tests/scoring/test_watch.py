"""What counts as arrived in a watched folder."""

from __future__ import annotations

import os
from pathlib import Path

from contrique_cli.scoring.watch import Watcher, state


class Look:
    """A watcher with a clock of its own: each look is a second after the last."""

    def __init__(self, *folders: Path, known: dict[Path, str] | None = None) -> None:
        known = known or {}
        self.now = 0.0
        self.watcher = Watcher(
            folders, is_known=lambda path, state: state == known.get(path), settle=1.0
        )

    def __call__(self, seconds: float = 1.0) -> list[str]:
        self.now += seconds
        ready, self.companions, troubles = self.watcher.poll(self.now)
        return [path.name for path in ready] + [f"!{one.reason}" for one in troubles]


def write(path: Path, content: bytes = b"x", at: int = 1) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(at, at))


def test_a_photo_is_ready_once_it_stood_still(tmp_path):
    look = Look(tmp_path)
    write(tmp_path / "a.jpg")
    assert [look(), look(0.5), look(0.5), look(), look()] == [[], [], ["a.jpg"], [], []]


def test_a_photo_still_being_written_waits(tmp_path):
    look = Look(tmp_path)
    for size in range(1, 5):
        write(tmp_path / "a.jpg", b"x" * size, at=size)
        assert look() == []
    assert look() == ["a.jpg"]


def test_a_changed_photo_is_ready_again(tmp_path):
    look = Look(tmp_path)
    write(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]
    write(tmp_path / "a.jpg", b"xy", at=2)
    assert [look(), look(), look()] == [[], ["a.jpg"], []]


def test_a_photo_put_in_place_of_another_of_equal_size_and_time_is_a_change(tmp_path):
    look = Look(tmp_path)
    write(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]
    write(tmp_path / "b.part")
    (tmp_path / "b.part").replace(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]


def test_temporary_names_wait_for_their_rename(tmp_path):
    look = Look(tmp_path)
    for name in (".a.jpg.Xy12", "b.jpg.part", "c.jpg.crdownload", "notes.txt"):
        write(tmp_path / name)
    assert [look(), look()] == [[], []]
    (tmp_path / ".a.jpg.Xy12").rename(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]


def test_new_subfolders_are_watched_too(tmp_path):
    look = Look(tmp_path)
    assert look() == []
    (tmp_path / "day" / "one").mkdir(parents=True)
    write(tmp_path / "day" / "one" / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]


def test_deleted_photos_are_forgotten_and_count_anew(tmp_path):
    look = Look(tmp_path)
    write(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]
    (tmp_path / "a.jpg").unlink()
    assert look() == []
    assert look.watcher._seen == {}
    write(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]


def test_known_photos_are_ready_only_if_they_changed(tmp_path):
    """An older date is a change, too: a photo put back from a backup, say."""
    known = {}
    for name in ("same.jpg", "newer.jpg", "older.jpg", "larger.jpg", "replaced.jpg"):
        write(tmp_path / name, at=20)
        known[tmp_path / name] = state(tmp_path / name)
    write(tmp_path / "newer.jpg", at=30)
    write(tmp_path / "older.jpg", at=10)
    write(tmp_path / "larger.jpg", b"xx", at=20)
    write(tmp_path / "new", at=20)
    (tmp_path / "new").replace(tmp_path / "replaced.jpg")
    look = Look(tmp_path, known=known)
    assert look() == []
    assert sorted(look()) == ["larger.jpg", "newer.jpg", "older.jpg", "replaced.jpg"]
    assert look() == []


def test_a_raw_file_that_comes_beside_its_jpeg_makes_the_pair_ready_again(tmp_path):
    look = Look(tmp_path)
    write(tmp_path / "a.jpg")
    assert [look(), look()] == [[], ["a.jpg"]]
    assert look.companions == {}
    write(tmp_path / "a.dng")
    assert [look(), look()] == [[], ["a.jpg"]]
    assert look.companions == {tmp_path / "a.jpg": tmp_path / "a.dng"}
    assert [look(), look()] == [[], []]
    (tmp_path / "a.dng").unlink()
    assert [look(), look()] == [[], ["a.jpg"]]


def test_a_folder_that_comes_back_is_told_once_and_its_photos_stay_known(tmp_path):
    folder, away = tmp_path / "card", tmp_path / "away"
    folder.mkdir()
    write(folder / "a.jpg")
    look = Look(folder)
    assert [look(), look()] == [[], ["a.jpg"]]
    folder.rename(away)
    assert [look(), look()] == [["!no such file"], []]
    away.rename(folder)
    assert [look(), look()] == [[], []]
    folder.rename(away)
    assert look() == ["!no such file"]
