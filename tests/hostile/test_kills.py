"""Processes killed at chosen system calls: no photo lost, no report halved, all of it taken back."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contrique_cli.collection import ratings
from contrique_cli.files import writing
from contrique_cli.reports import journal, rows
from contrique_cli.reports.rows import Row
from tests.hostile import forks
from tests.hostile.counting import LONG, Count
from tests.hostile.test_undo import JPEG, contents, lacks, make

CALLS = ("link", "unlink", "replace", "fsync", "write", "open", "chmod", "utime", "mkdir")
MOST = 400  # calls of one piece of work: it has fewer

SHARED = "/dev/shm"  # noqa: S108 - a disk, not a name


def every_kill(prepare: Callable[[], Callable[[], object]], step: int) -> Iterator[int]:
    """Prepare some work and kill it, at each of its calls in turn, until it runs to its end."""
    for call in range(0, MOST, step):
        status = forks.killed(prepare(), CALLS, call)
        yield call
        if status != -signal.SIGKILL:
            assert status == 0
            return
    raise AssertionError("it never ends")


def kill_moves(
    tmp_path, contrique, monkeypatch, folder: str, *, step: int, seconds: float = float("inf")
) -> None:
    before, root = None, tmp_path

    def prepare() -> Callable[[], object]:
        nonlocal before, root
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        make(root, monkeypatch)
        before = contents(root)
        target = tempfile.mkdtemp(dir=folder) if folder else "to"
        if folder:
            (root / "desk" / "to").symlink_to(target)
        options = ("--to", "to", "--move", "--sidecars", "--undo-file", "u", "--quiet")
        return lambda: contrique("select", "--from", "r.csv", *options)

    with Count(f"kills of a move to {folder or 'the same disk'}", seconds=seconds) as count:
        for call in count.within(every_kill(prepare, step)):
            desk = root / "desk"
            with count.one(about=call):
                there = contents(root) + contents((desk / "to").resolve())
                assert not [one for one in before - there if one.startswith((JPEG, b"rated"))]
                done = contrique("undo", "u", "--to", (desk / "to").resolve())
                assert done.status == 0 or not Path("u").exists() or Path("u").stat().st_size == 0
                assert not lacks(before, root)
                names = sorted(path.name for path in desk.rglob("*.jpg") if "/to/" not in str(path))
                assert names == ["x.jpg", "x.jpg", "y.jpg", "z.jpg"]


def test_a_killed_move_loses_nothing_and_is_taken_back(tmp_path, contrique, monkeypatch):
    kill_moves(tmp_path, contrique, monkeypatch, "", step=7)


@pytest.mark.skipif(not os.access(SHARED, os.W_OK), reason="needs a second disk")
def test_a_killed_move_to_another_disk_loses_nothing(tmp_path, contrique, monkeypatch):
    with tempfile.TemporaryDirectory(dir=SHARED) as folder:
        kill_moves(tmp_path, contrique, monkeypatch, folder, step=11)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["", SHARED])
def test_a_move_killed_anywhere_loses_nothing(tmp_path, contrique, monkeypatch, folder):
    kill_moves(tmp_path, contrique, monkeypatch, folder, step=1, seconds=LONG)


def test_a_killed_report_is_the_old_or_the_new_one_and_its_rest_goes(tmp_path):
    path = tmp_path / "r.csv"

    def write() -> None:
        with writing.replacing(path) as file:
            file.write(b"new" * 999)

    def prepare() -> Callable[[], object]:
        path.write_bytes(b"old")
        return write

    with Count("kills of a report") as count:
        for call in every_kill(prepare, 1):
            with count.one(about=call):
                assert path.read_bytes() in (b"old", b"new" * 999)
                writing.check_writable(path)
                assert os.listdir(tmp_path) == ["r.csv"]


def test_a_killed_rating_is_whole_or_not_there(tmp_path):
    scored = [Row(path=tmp_path / f"{name}.jpg", score=50.0) for name in "abc"]

    def rate() -> None:
        list(ratings.rate(scored, naming="full", thresholds=(20.0, 40.0, 60.0, 80.0, 95.0)))

    def prepare() -> Callable[[], object]:
        for path in tmp_path.iterdir():
            path.unlink()
        return rate

    with Count("kills of ratings") as count:
        for call in every_kill(prepare, 1):
            with count.one(about=call):
                for path in tmp_path.glob("*.xmp"):
                    assert path.read_bytes().endswith(b'<?xpacket end="w"?>\n')
                rate()
                assert sorted(os.listdir(tmp_path)) == ["a.jpg.xmp", "b.jpg.xmp", "c.jpg.xmp"]


def test_a_killed_watch_leaves_whole_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    lines = [rows.to_json_line(Row(path=Path(f"{n}.jpg"), score=1.0)) for n in range(3)]

    def watch() -> None:
        with journal.opened(path) as book:
            for line in lines:
                book.append(line, "1-2-3")

    def prepare() -> Callable[[], object]:
        path.unlink(missing_ok=True)
        return watch

    with Count("kills of a watch") as count:
        for call in every_kill(prepare, 1):
            with count.one(about=call):
                with journal.opened(path) as book:
                    known = len(book.states)
                text = path.read_bytes()
                assert text.count(b"\n") == known
                assert text.endswith(b"\n") or not text
