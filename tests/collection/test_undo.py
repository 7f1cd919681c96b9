"""Moves taken back, or left where they are and said to be."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from contrique_cli.collection import placement, select
from contrique_cli.collection import undo as collection_undo
from contrique_cli.errors import BadReport, CannotWrite
from contrique_cli.files import writing

JPEG = b"\xff\xd8\xff\xe0"


def begin(path: Path, root: Path) -> AbstractContextManager[collection_undo.UndoFile]:
    """An undo file of moves from anywhere to anywhere in `root`."""
    return collection_undo.create(path, source=root, target=root)


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Three photos moved from photos/ to to/; the undo file is "undo"."""
    photos = [tmp_path / "photos" / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    photos[0].parent.mkdir()
    (tmp_path / "to").mkdir()
    for photo in photos:
        photo.write_bytes(JPEG + photo.name.encode())
        os.utime(photo, ns=(1, 10**18))
    plan = placement.plan(photos, tmp_path / "to", operation="move", root=tmp_path)
    with begin(tmp_path / "undo", tmp_path) as book:
        outcomes = list(select.carry_out(plan, root=tmp_path, undo_file=book))
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
    assert (moved / "to" / "b.jpg").read_bytes() == JPEG + b"b.jpg"


def test_a_move_killed_before_it_took_the_original_away_leaves_both(moved):
    """Across disks the copy is another file; a mount may show one file as two, so both stay."""
    shutil.copy2(moved / "to" / "b.jpg", moved / "photos" / "b.jpg")
    assert undo(moved)["b.jpg"] == ("back", None)
    assert os.listdir(moved / "to") == ["b.jpg"]


def test_a_file_that_is_gone_is_said_to_be(moved):
    (moved / "to" / "b.jpg").unlink()
    assert undo(moved)["b.jpg"] == ("failed", "it is no longer there")


def test_a_move_that_was_killed_between_its_two_names_is_finished_backwards(moved):
    os.link(moved / "to" / "b.jpg", moved / "photos" / "b.jpg")
    assert undo(moved)["b.jpg"] == ("restored", None)
    assert (moved / "photos" / "b.jpg").read_bytes() == JPEG + b"b.jpg"
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


# ------------------------------------------------------------------------------ issue 16


def alias(moved: Path, kind: str) -> None:
    """Make the old place lead to the new one."""
    if kind == "link":
        (moved / "photos").rmdir()
        (moved / "photos").symlink_to("to")
    elif kind == "undo file":
        text = (moved / "undo").read_text()
        (moved / "undo").write_text(text.replace(f"{moved}/photos/", f"{moved}/to/"))
    else:
        (moved / "photos").rmdir()
        (moved / "photos").symlink_to("to")
        for name in os.listdir(moved / "to"):
            os.link(moved / "to" / name, moved / f"another-{name}")


@pytest.mark.parametrize("kind", ["link", "undo file", "link, and more names"])
def test_a_photo_is_never_removed_by_its_other_path(moved, kind):
    """Both paths of a move once were one file, which was removed as if it were the second."""
    alias(moved, kind)
    assert results(moved) == ["back"] * 3
    assert sorted(os.listdir(moved / "to")) == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_photo_is_never_removed_by_a_mount_of_its_folder(moved):
    done = subprocess.run(
        ["mount", "--bind", moved / "to", moved / "photos"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no mounts here: {done.stderr}")
    try:
        os.link(moved / "to" / "b.jpg", moved / "more")
        assert results(moved) == ["back"] * 3
        assert sorted(os.listdir(moved / "to")) == ["a.jpg", "b.jpg", "c.jpg"]
    finally:
        subprocess.run(["umount", moved / "photos"], check=True)


def rewrite(moved: Path, **changes: str) -> None:
    """Change the header, or the places of b.jpg, in the undo file."""
    lines = [json.loads(line) for line in (moved / "undo").read_text().splitlines()]
    for name, value in changes.items():
        lines[0 if name in ("source", "target") else 2][
            {"source": "from", "target": "to", "back": "from", "away": "to"}[name]
        ] = value
    (moved / "undo").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_nothing_moves_outside_of_the_folders_that_the_header_names(moved):
    rewrite(moved, source=f"{moved}/photos", target=f"{moved}/to", back=f"{moved}/home/b.jpg")
    assert undo(moved)["b.jpg"] == (
        "failed",
        "it lies outside of the folders that the undo file names",
    )
    assert os.listdir(moved / "to") == ["b.jpg"]


def test_nothing_moves_out_of_those_folders_through_a_link(moved):
    (moved / "home").mkdir()
    (moved / "photos" / "sub").symlink_to(moved / "home")
    rewrite(moved, source=f"{moved}/photos", target=f"{moved}/to", back=f"{moved}/photos/sub/b.jpg")
    assert undo(moved)["b.jpg"][0] == "failed"
    assert os.listdir(moved / "home") == []


def test_only_photos_and_sidecars_move_and_their_suffix_stays(moved):
    at = 10**18
    (moved / "to" / "b.jpg").write_bytes(b"x" * len(JPEG + b"b.jpg"))
    os.utime(moved / "to" / "b.jpg", ns=(at, at))
    (moved / "to" / "c.jpg").rename(moved / "to" / "c.desktop")
    text = (moved / "undo").read_text()
    (moved / "undo").write_text(text.replace("/photos/c.jpg", "/photos/c.sh"))
    (moved / "to" / "c.desktop").rename(moved / "to" / "c.jpg")
    reason = "it is no photo, nor the sidecar of one"
    assert undo(moved) == {
        "a.jpg": ("restored", None),
        "b.jpg": ("failed", reason),
        "c.sh": ("failed", reason),
    }


def test_a_header_without_folders_is_damaged(tmp_path):
    for head in (b"/", b"..", b"7"):
        text = HEAD.replace(b', "to": "/"', b', "to": "' + head * (head != b"/") + b'"')
        (tmp_path / "undo").write_bytes(text + LINE)
        with pytest.raises(BadReport, match="line 1 is damaged"):
            collection_undo.read(tmp_path / "undo")


def test_an_undo_file_that_cannot_be_begun_is_not_left_behind(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "write", full)
    with pytest.raises(CannotWrite, match="no space left"), begin(tmp_path / "undo", tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_pipe_is_no_undo_file_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "undo")
    with pytest.raises(BadReport, match="a named pipe"):
        collection_undo.read(tmp_path / "undo")


def test_copies_stay(tmp_path):
    move = collection_undo.Move(
        source=tmp_path / "a", target=tmp_path / "b", size=0, mtime_ns=0, is_copy=True
    )
    (tmp_path / "b").write_bytes(b"")
    moves = collection_undo.Moves(source=tmp_path, target=tmp_path, moves=[move])
    assert [result for _, result, _ in collection_undo.undo(moves)] == ["copied"]
    assert os.listdir(tmp_path) == ["b"]


HEAD = b'{"format": "contrique-undo", "version": 2, "from": "/", "to": "/"}\n'
LINE = b'{"operation": "move", "from": "/a", "to": "/b", "size": 1, "mtime_ns": 2}\n'


def test_what_is_written_is_read_and_every_line_is_on_the_disk_at_once(tmp_path):
    path, names = tmp_path / "undo.jsonl", [b"a.jpg", b"\xff\n.jpg", b"-r", "\N{CAMERA}".encode()]
    with collection_undo.create(path, source=tmp_path, target=tmp_path / "to") as journal:
        found = collection_undo.read(path)
        assert found == collection_undo.Moves(source=tmp_path, target=tmp_path / "to", moves=[])
        for number, name in enumerate(names, start=1):
            source = tmp_path / os.fsdecode(name)
            source.write_bytes(b"x" * number)
            journal.record(source, tmp_path / "to" / source.name, is_copy=number == 2)
            moves = collection_undo.read(path).moves
            assert [os.fsencode(move.source.name) for move in moves] == names[:number]
            assert (moves[-1].size, moves[-1].mtime_ns) == (number, source.stat().st_mtime_ns)
    assert [move.is_copy for move in moves] == [False, True, False, False]


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"")
    with begin(Path("undo"), Path()) as journal:
        journal.record(Path("a"), Path("to/a"))
    (move,) = collection_undo.read(Path("undo")).moves
    assert (move.source, move.target) == (tmp_path / "a", tmp_path / "to" / "a")


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_line_cut_short_is_left_out(tmp_path, cut):
    (tmp_path / "undo").write_bytes(HEAD + LINE + LINE[:-cut])
    assert len(collection_undo.read(tmp_path / "undo").moves) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        LINE,
        b"path,score\na,1\n",
        HEAD.replace(b"2", b"1") + LINE,
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
        LINE.replace(b'"/b"', b'"/to/../b"'),
        LINE.replace(b'"/b"', b'"/b\\u0000"'),
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
        begin(tmp_path / "undo", tmp_path),
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

    with begin(tmp_path / "undo", tmp_path) as journal:
        monkeypatch.setattr(collection_undo.os, "fsync", full)
        with pytest.raises(CannotWrite, match="no space left"):
            journal.record(tmp_path / "a", tmp_path / "b")


def test_json_is_plain_ascii(tmp_path):
    (tmp_path / "\N{CAMERA}").write_bytes(b"")
    with begin(tmp_path / "undo", tmp_path) as journal:
        journal.record(tmp_path / "\N{CAMERA}", tmp_path / "b")
    text = (tmp_path / "undo").read_bytes().decode("ascii")
    assert json.loads(text.splitlines()[1])["operation"] == "move"
