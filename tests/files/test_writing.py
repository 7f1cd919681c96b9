"""Files are written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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
    with writing.replacing(tmp_path / "a", keep=False):
        pass
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
    with pytest.raises(CannotWrite, match="no such file"), writing.replacing(tmp_path / "no" / "a"):
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
except files.CannotWrite as error:
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
    assert os.listdir(tmp_path) != []
