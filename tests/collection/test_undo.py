"""Moves taken back, or left where they are and said to be."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from contrique_cli.collection import placement, select
from contrique_cli.collection import undo as collection_undo
from contrique_cli.errors import BadReport, CannotWrite


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
    with collection_undo.create(tmp_path / "undo") as journal:
        outcomes = list(select.place(plan, root=tmp_path, journal=journal))
    assert [reason for _, reason in outcomes] == [None] * 3
    assert os.listdir(tmp_path / "photos") == []
    return tmp_path


def undo(root: Path, **options) -> dict[str, tuple[str, str | None]]:
    outcomes = collection_undo.undo(collection_undo.read(root / "undo"), **options)
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
    move = collection_undo.Move(
        source=tmp_path / "a", target=tmp_path / "b", size=0, mtime_ns=0, is_copy=True
    )
    (tmp_path / "b").write_bytes(b"")
    assert [result for _, result, _ in collection_undo.undo([move])] == ["copied"]
    assert os.listdir(tmp_path) == ["b"]


HEAD = b'{"format": "contrique-undo", "version": 1}\n'
LINE = b'{"operation": "move", "from": "/a", "to": "/b", "size": 1, "mtime_ns": 2}\n'


def test_what_is_written_is_read_and_every_line_is_on_the_disk_at_once(tmp_path):
    path, names = tmp_path / "undo.jsonl", [b"a.jpg", b"\xff\n.jpg", b"-r", "\N{CAMERA}".encode()]
    with collection_undo.create(path) as journal:
        assert collection_undo.read(path) == []
        for number, name in enumerate(names, start=1):
            source = tmp_path / os.fsdecode(name)
            source.write_bytes(b"x" * number)
            journal.record(source, tmp_path / "to" / source.name, is_copy=number == 2)
            moves = collection_undo.read(path)
            assert [os.fsencode(move.source.name) for move in moves] == names[:number]
            assert (moves[-1].size, moves[-1].mtime_ns) == (number, source.stat().st_mtime_ns)
    assert [move.is_copy for move in moves] == [False, True, False, False]


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"")
    with collection_undo.create(Path("undo")) as journal:
        journal.record(Path("a"), Path("to/a"))
    (move,) = collection_undo.read(Path("undo"))
    assert (move.source, move.target) == (tmp_path / "a", tmp_path / "to" / "a")


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_line_cut_short_is_left_out(tmp_path, cut):
    (tmp_path / "undo").write_bytes(HEAD + LINE + LINE[:-cut])
    assert len(collection_undo.read(tmp_path / "undo")) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        LINE,
        b"path,score\na,1\n",
        HEAD.replace(b"1", b"2") + LINE,
        HEAD[:-1],
        b"\xff\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_another_file_is_refused(tmp_path, data):
    (tmp_path / "undo").write_bytes(data)
    with pytest.raises(BadReport, match="is not an undo file"):
        collection_undo.read(tmp_path / "undo")


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b"[]\n",
        LINE.replace(b"move", b"delete"),
        LINE.replace(b'"/a"', b'"a"'),
        LINE.replace(b'"/b"', b"7"),
        LINE.replace(b"1", b'"1"'),
        LINE.replace(b"1", b"true"),
        LINE.replace(b', "size": 1', b""),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / "undo").write_bytes(HEAD + LINE + line)
    with pytest.raises(BadReport, match="line 3 is damaged"):
        collection_undo.read(tmp_path / "undo")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadReport, match="cannot be read"):
        collection_undo.read(tmp_path / "undo")


def test_an_undo_file_is_never_written_over_anything(tmp_path):
    (tmp_path / "undo").write_text("mine")
    with (
        pytest.raises(CannotWrite, match="give another --undo-file"),
        collection_undo.create(tmp_path / "undo"),
    ):
        pass
    assert (tmp_path / "undo").read_text() == "mine"


def test_a_new_undo_file_gets_a_free_name(tmp_path):
    first = collection_undo.free_path(tmp_path, "now")
    first.write_text("")
    assert collection_undo.free_path(tmp_path, "now").name == "contrique-undo-now-2.jsonl"


def test_a_full_disk_is_known_before_the_move(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with collection_undo.create(tmp_path / "undo") as journal:
        monkeypatch.setattr(undo.os, "fsync", full)
        with pytest.raises(CannotWrite, match="no space left"):
            journal.record(tmp_path / "a", tmp_path / "b")


def test_json_is_plain_ascii(tmp_path):
    (tmp_path / "\N{CAMERA}").write_bytes(b"")
    with collection_undo.create(tmp_path / "undo") as journal:
        journal.record(tmp_path / "\N{CAMERA}", tmp_path / "b")
    text = (tmp_path / "undo").read_bytes().decode("ascii")
    assert json.loads(text.splitlines()[1])["operation"] == "move"
