"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contrique_cli.errors import CannotWrite
from contrique_cli.files import writing
from tests.conftest import ROOT, without_privileges


def test_a_finished_block_replaces_the_file_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(0o640)
    with writing.replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_text("x")
    with writing.replacing(tmp_path / "new") as file:
        file.write(b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_exception_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), writing.replacing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_a_trial_writes_nothing(tmp_path):
    writing.check_writable(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with writing.replacing(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_folder_a_missing_folder_and_a_closed_folder_are_refused(tmp_path):
    with pytest.raises(CannotWrite, match="is a folder"), writing.replacing(tmp_path):
        pass
    with (
        pytest.raises(CannotWrite, match="there is no folder"),
        writing.replacing(tmp_path / "no" / "a"),
    ):
        pass
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with (
        without_privileges(closed),
        pytest.raises(CannotWrite, match="permission denied"),
        writing.replacing(closed / "a"),
    ):
        pass


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A file-size limit stops the write in the middle, as a full disk does."""
    path = tmp_path / "a.csv"
    path.write_text("old")
    code = f"""
import resource, signal
from pathlib import Path
from contrique_cli.files import writing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with writing.replacing(Path({str(path)!r})) as file:
        file.write(b"x" * 5000)
except writing.CannotWrite as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert b"cannot be written (file too large)" in done.stdout
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    code = f"""
import os, signal
from pathlib import Path
from contrique_cli.files import writing
with writing.replacing(Path({str(path)!r})) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2
    writing.check_writable(path)  # as the next run does
    assert os.listdir(tmp_path) == ["a.csv"]


def test_what_another_process_is_writing_is_left_to_it(tmp_path):
    with writing.replacing(tmp_path / "a.csv"):
        under_way = os.listdir(tmp_path)
        writing.sweep(tmp_path)
        assert os.listdir(tmp_path) == under_way != []
        foreign = under_way[0].replace("contrique-", "contrique-0000000", 1)[:-1]
    for name in (foreign, "a.part", ".a.csv.1234.part", ".a.contrique-x-1-2.part"):
        (tmp_path / name).write_text("not ours")
    before = sorted(os.listdir(tmp_path))
    writing.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_name_of_any_length_and_script_can_be_written(tmp_path):
    path = tmp_path / ("\N{CAMERA}" * 60 + ".csv")
    with writing.replacing(path) as file:
        file.write(b"x")
    with writing.creating(path.with_suffix(".txt")) as file:
        file.write(b"x")
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, path.with_suffix(".txt").name])


def test_threads_see_the_users_mask_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda _mask: pytest.fail("changed for all threads"))
    with writing.creating(tmp_path / "new") as file:
        file.write(b"x")
    assert (tmp_path / "new").read_bytes() == b"x"


def test_a_file_is_closed_before_it_gets_its_name(tmp_path, monkeypatch):
    """Windows renames no open file."""
    states, real = [], writing.rename_new

    def rename(source, target) -> None:
        states.append(file.closed)
        real(source, target)

    monkeypatch.setattr(writing, "rename_new", rename)
    with writing.creating(tmp_path / "new") as file:
        file.write(b"x")
    assert states == [True]


def test_a_device_stays_one(tmp_path):
    """As root, `--output /dev/null` once made a file of it."""
    before = os.stat(os.devnull)
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    writing.check_writable(link)
    with writing.replacing(link) as file:
        file.write(b"x")
        assert file.tell() == 1
    assert os.stat(os.devnull).st_rdev == before.st_rdev
    assert os.listdir(tmp_path) == ["null"]


def test_a_pipe_is_written_into_where_somebody_reads(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CannotWrite, match="nobody reads"), writing.replacing(tmp_path / "pipe"):
        pass
    data = os.urandom(300_000)  # more than a pipe holds
    command = ["cat", tmp_path / "pipe"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as reader,
        ThreadPoolExecutor(1) as pool,
    ):
        read = pool.submit(reader.stdout.read)
        for _ in range(600):
            try:
                with writing.replacing(tmp_path / "pipe") as file:
                    file.write(data)
                break
            except CannotWrite:  # cat has not begun
                time.sleep(0.05)
        assert read.result() == data
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(CannotWrite, match="a socket"), writing.replacing(tmp_path / "socket"):
            pass


def test_a_name_taken_by_another_program_is_not_taken_back(tmp_path, monkeypatch):
    """Without hard links an empty file claims the name; another program may write into it."""
    (tmp_path / "a").write_text("mine")
    monkeypatch.setattr(os, "link", _refuse)
    monkeypatch.setattr(writing, "_is_claim", lambda *_: (tmp_path / "b").write_text("theirs") < 0)
    with pytest.raises(FileExistsError):
        writing.rename_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").read_text() == "mine"
    assert (tmp_path / "b").read_text() == "theirs"


def _refuse(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_an_original_that_is_replaced_during_its_move_stays(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    real = os.link

    def link(source, target, **options) -> None:
        real(source, target, **options)
        (tmp_path / "new").write_text("new")
        (tmp_path / "new").replace(source)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="replaced meanwhile"):
        writing.rename_new(tmp_path / "a", tmp_path / "b")
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("new", "old")


def test_a_lock_is_kept_by_one_process_and_follows_no_link(tmp_path):
    with writing.locked(tmp_path / "r.jsonl", "stop the other"):
        code = f"""
from pathlib import Path
from contrique_cli.files import writing
try:
    with writing.locked(Path({str(tmp_path / "r.jsonl")!r}), "stop the other"):
        print("taken")
except writing.CannotWrite as error:
    print(error)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
        )
        assert b"stop the other" in done.stdout
