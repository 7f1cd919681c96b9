"""Moves taken back, or left where they are and said to be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from contrique_cli import placement, selecting, undofile, undoing


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Three photos moved from photos/ to to/; the undo file is "undo"."""
    photos = [tmp_path / "photos" / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    photos[0].parent.mkdir()
    (tmp_path / "to").mkdir()
    for photo in photos:
        photo.write_text(photo.name)
        os.utime(photo, ns=(1, 10**18))
    plan = placement.plan(photos, tmp_path / "to", operation="move", root=tmp_path)
    with undofile.create(tmp_path / "undo") as journal:
        outcomes = list(selecting.place(plan, root=tmp_path, journal=journal))
    assert [reason for _, reason in outcomes] == [None] * 3
    assert os.listdir(tmp_path / "photos") == []
    return tmp_path


def undo(root: Path, **options) -> dict[str, tuple[str, str | None]]:
    outcomes = undoing.undo(undofile.read(root / "undo"), **options)
    return {move.source.name: (result, reason) for move, result, reason in outcomes}


def results(root: Path, **options) -> list[str]:
    return [result for result, _ in undo(root, **options).values()]


def test_every_move_is_taken_back_and_a_second_time_changes_nothing(moved):
    assert results(moved) == ["restored"] * 3
    assert sorted(os.listdir(moved / "photos")) == ["a.jpg", "b.jpg", "c.jpg"]
    assert os.listdir(moved / "to") == []
    assert (moved / "photos" / "a.jpg").stat().st_mtime_ns == 10**18
    assert results(moved) == ["back"] * 3


def test_a_dry_run_says_the_same_and_moves_nothing(moved):
    assert results(moved, is_dry_run=True) == ["restored"] * 3
    assert os.listdir(moved / "photos") == []


def test_a_folder_that_was_removed_meanwhile_is_made_again(moved):
    (moved / "photos").rmdir()
    assert results(moved) == ["restored"] * 3


@pytest.mark.parametrize("change", ["content", "time", "link", "folder"])
def test_a_file_that_changed_stays_where_it_is(moved, change):
    target = moved / "to" / "b.jpg"
    if change == "content":
        target.write_text("edited")
    elif change == "time":
        os.utime(target, ns=(1, 10**18 + 3 * 10**9))
    else:
        target.unlink()
        target.mkdir() if change == "folder" else target.symlink_to("a.jpg")
    assert undo(moved)["b.jpg"] == ("failed", "it has changed since")
    assert os.listdir(moved / "to") == ["b.jpg"]


def test_a_place_that_was_taken_meanwhile_stays_taken(moved):
    (moved / "photos" / "b.jpg").write_text("another")
    result, reason = undo(moved)["b.jpg"]
    assert (result, reason) == ("failed", f"{moved / 'photos' / 'b.jpg'} is taken")
    assert (moved / "photos" / "b.jpg").read_text() == "another"
    assert (moved / "to" / "b.jpg").read_text() == "b.jpg"


def test_a_file_that_is_gone_is_said_to_be(moved):
    (moved / "to" / "b.jpg").unlink()
    assert undo(moved)["b.jpg"] == ("failed", "it is no longer there")


def test_a_move_that_was_killed_between_its_two_names_is_finished_backwards(moved):
    os.link(moved / "to" / "b.jpg", moved / "photos" / "b.jpg")
    assert undo(moved)["b.jpg"] == ("restored", None)
    assert (moved / "photos" / "b.jpg").read_text() == "b.jpg"
    assert os.listdir(moved / "to") == []


def test_a_move_that_was_written_down_and_never_made_is_no_trouble(moved):
    assert results(moved) == ["restored"] * 3
    with (moved / "undo").open("ab") as file:
        file.write((moved / "undo").read_bytes().splitlines(keepends=True)[1][:-20])
    assert results(moved) == ["back"] * 3


def test_a_disk_that_keeps_time_in_steps_of_two_seconds_is_no_change(moved):
    os.utime(moved / "to" / "b.jpg", ns=(1, 10**18 + 10**9))
    assert undo(moved)["b.jpg"] == ("restored", None)


def test_moves_are_taken_back_across_file_systems(moved, monkeypatch):
    real = os.link

    def refuse(source, target, **options) -> None:
        if not str(source).endswith(".part"):
            raise OSError(errno.EXDEV, "refused")
        real(source, target, **options)

    monkeypatch.setattr(os, "link", refuse)
    assert results(moved) == ["restored"] * 3
    assert os.listdir(moved / "to") == []


def test_copies_stay(tmp_path):
    move = undofile.Move(
        source=tmp_path / "a", target=tmp_path / "b", size=0, mtime_ns=0, is_copy=True
    )
    (tmp_path / "b").write_bytes(b"")
    assert [result for _, result, _ in undoing.undo([move])] == ["copied"]
    assert os.listdir(tmp_path) == ["b"]
