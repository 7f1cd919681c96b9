"""Undo files: valid after every line, exact, and never mistaken for something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from contrique_cli import undofile
from contrique_cli.errors import BadReport, CannotWrite

HEAD = b'{"format": "contrique-undo", "version": 1}\n'
LINE = b'{"operation": "move", "from": "/a", "to": "/b", "size": 1, "mtime_ns": 2}\n'


def test_what_is_written_is_read_and_every_line_is_on_the_disk_at_once(tmp_path):
    path, names = tmp_path / "undo.jsonl", [b"a.jpg", b"\xff\n.jpg", b"-r", "\N{CAMERA}".encode()]
    with undofile.create(path) as journal:
        assert undofile.read(path) == []
        for number, name in enumerate(names, start=1):
            source = tmp_path / os.fsdecode(name)
            source.write_bytes(b"x" * number)
            journal.record(source, tmp_path / "to" / source.name, is_copy=number == 2)
            moves = undofile.read(path)
            assert [os.fsencode(move.source.name) for move in moves] == names[:number]
            assert (moves[-1].size, moves[-1].mtime_ns) == (number, source.stat().st_mtime_ns)
    assert [move.is_copy for move in moves] == [False, True, False, False]


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"")
    with undofile.create(Path("undo")) as journal:
        journal.record(Path("a"), Path("to/a"))
    (move,) = undofile.read(Path("undo"))
    assert (move.source, move.target) == (tmp_path / "a", tmp_path / "to" / "a")


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_line_cut_short_is_left_out(tmp_path, cut):
    (tmp_path / "undo").write_bytes(HEAD + LINE + LINE[:-cut])
    assert len(undofile.read(tmp_path / "undo")) == 1


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
        undofile.read(tmp_path / "undo")


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
        undofile.read(tmp_path / "undo")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadReport, match="cannot be read"):
        undofile.read(tmp_path / "undo")


def test_an_undo_file_is_never_written_over_anything(tmp_path):
    (tmp_path / "undo").write_text("mine")
    with (
        pytest.raises(CannotWrite, match="give another --undo-file"),
        undofile.create(tmp_path / "undo"),
    ):
        pass
    assert (tmp_path / "undo").read_text() == "mine"


def test_a_new_undo_file_gets_a_free_name(tmp_path):
    first = undofile.free_path(tmp_path, "now")
    first.write_text("")
    assert undofile.free_path(tmp_path, "now").name == "contrique-undo-now-2.jsonl"


def test_a_full_disk_is_known_before_the_move(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with undofile.create(tmp_path / "undo") as journal:
        monkeypatch.setattr(undofile.os, "fsync", full)
        with pytest.raises(CannotWrite, match="no space left"):
            journal.record(tmp_path / "a", tmp_path / "b")


def test_json_is_plain_ascii(tmp_path):
    (tmp_path / "\N{CAMERA}").write_bytes(b"")
    with undofile.create(tmp_path / "undo") as journal:
        journal.record(tmp_path / "\N{CAMERA}", tmp_path / "b")
    text = (tmp_path / "undo").read_bytes().decode("ascii")
    assert json.loads(text.splitlines()[1])["operation"] == "move"
