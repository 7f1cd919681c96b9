"""A growing report: whole lines, continued, mended, and never made of something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from contrique_cli.errors import CannotWrite
from contrique_cli.files import writing
from contrique_cli.reports import journal, rows
from contrique_cli.reports.rows import Row


def line(name: str, score: float | None = 1.0) -> bytes:
    error = None if score is not None else "bad"
    return rows.to_json_line(Row(path=Path(name), score=score, error=error))


def test_a_new_report_is_begun_and_continued(tmp_path):
    path = tmp_path / "r.jsonl"
    with journal.opened(path) as book:
        assert book.states == {}
        book.append(line("a.jpg"))
    with journal.opened(path) as book:
        assert set(book.states) == {"a.jpg"}
        book.append(line("b.jpg", None))
    with journal.opened(path) as book:
        assert set(book.states) == {"a.jpg"}
    assert path.read_bytes() == line("a.jpg") + line("b.jpg", None)


def test_a_name_that_is_not_utf8_is_known_again(tmp_path):
    name = os.fsdecode(b"\xff.jpg")
    (tmp_path / "r.jsonl").write_bytes(line(name))
    with journal.opened(tmp_path / "r.jsonl") as book:
        assert set(book.states) == {name}


def test_each_line_says_which_state_of_the_file_it_is_of_and_the_last_one_holds(tmp_path):
    path = tmp_path / "r.jsonl"
    with journal.opened(path) as book:
        book.append(line("a.jpg"), "10-20-30")
        book.append(line("b.jpg"), "1-2-3")
        book.append(line("a.jpg"), "11-21-31")
        book.append(line("b.jpg", None), "4-5-6")
        book.append(line("c.jpg"))
    with journal.opened(path) as book:
        assert book.states == {"a.jpg": "11-21-31", "c.jpg": None}
    assert json.loads(path.read_bytes().splitlines()[0])["state"] == "10-20-30"


def test_a_report_that_grows_already_is_refused(tmp_path):
    with (
        journal.opened(tmp_path / "r.jsonl"),
        pytest.raises(CannotWrite, match="another watch"),
        journal.opened(tmp_path / "r.jsonl"),
    ):
        pass


@pytest.mark.parametrize("keep", [1, 20, -2])
def test_a_last_line_cut_short_is_removed(tmp_path, keep):
    path = tmp_path / "r.jsonl"
    path.write_bytes(line("a.jpg") + line("b.jpg")[:keep])
    with journal.opened(path) as book:
        assert book.is_mended
        book.append(line("c.jpg"))
    assert path.read_bytes() == line("a.jpg") + line("c.jpg")


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(line("a.jpg") + line("b.jpg")[:-1])
    with journal.opened(path) as book:
        assert set(book.states) == {"a.jpg", "b.jpg"}
        book.append(line("c.jpg"))
    assert path.read_bytes() == line("a.jpg") + line("b.jpg") + line("c.jpg")


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"path,score\n",
        b'{"a": 1}\n',
        b"[]\n",
        line("a.jpg") + b"x\n",
        b"\xff\xfe\n",
        b"[" * 99_999 + b"\n",
    ],
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    with pytest.raises(CannotWrite, match="cannot be continued"), journal.opened(path):
        pass
    assert path.read_bytes() == content


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "r.jsonl")
    with pytest.raises(CannotWrite, match="a named pipe"), journal.opened(tmp_path / "r.jsonl"):
        pass


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path, real = tmp_path / "r.jsonl", os.write

    def fill(descriptor: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:-10])

    with journal.opened(path) as book:
        book.append(line("a.jpg"))
        monkeypatch.setattr(writing.os, "write", fill)
        with pytest.raises(CannotWrite, match="no space left on device"):
            book.append(line("b.jpg"))
    assert [json.loads(one)["path"] for one in path.read_bytes().splitlines()] == ["a.jpg"]
