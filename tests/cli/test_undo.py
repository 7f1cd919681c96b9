"""`contrique undo` as people use it, and the command that is named where there is something to undo."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contrique_cli.cli import undo
from tests.conftest import ROOT
from tests.reported import SCORES, files


@pytest.fixture
def moved(desk: Path, contrique) -> Path:
    """The current folder once all photos were moved to to/, with the undo file u."""
    done = contrique("select", "--from", "report.csv", "--to", "to", "--move", "--undo-file", "u")
    assert (done.status, len(files("to"))) == (0, 4)
    return desk


def test_moves_are_taken_back_with_the_command_that_the_summary_names(desk, contrique):
    before = {path: path.read_bytes() for path in Path().rglob("*.jpg")}
    done = contrique("select", "--from", "report.csv", "--to", "to it", "--move")
    command = re.search("contrique undo '(.*)'", done.err)
    shown = contrique("undo", command[1], "--dry-run")
    assert shown.out.splitlines()[-1] == f"move {desk}/to it/x.jpg -> {desk}/a/x.jpg"
    assert len(files("to it")) == 4
    undone = contrique("undo", command[1])
    assert (undone.status, files("to it")) == (0, [])
    assert undone.err.startswith("files: 4 moved back, 0 there already, 0 left as copies, 0 failed")
    assert {path: path.read_bytes() for path in Path().rglob("*.jpg")} == before


def test_an_undo_that_cannot_be_whole_says_what_is_left(desk, contrique):
    contrique("select", "--from", "report.csv", "--to", "to", "--move", "--undo-file", "u")
    assert files("to") == ["x-2.jpg", "x.jpg", "y.jpg", "z.jpg"]
    Path("to/y.jpg").write_text("edited")
    done = contrique("undo", "u")
    assert done.status == 3
    assert f"left: {desk}/to/y.jpg: it has changed since" in done.err
    assert contrique("undo", "u").status == 3
    Path("to/y.jpg").unlink()
    shutil.rmtree("a")
    shutil.rmtree("b")
    assert contrique("undo", "u").status == 1


@pytest.mark.parametrize(
    ("file", "word"), [("report.csv", "is not an undo file"), ("gone", "cannot be read")]
)
def test_what_is_no_undo_file_is_said(desk, contrique, file, word):
    done = contrique("undo", file)
    assert (done.status, word in done.err) == (1, True)


def test_a_kill_in_the_middle_of_a_move_can_be_undone(desk, contrique):
    code = """
import os, signal
from contrique_cli.cli.app import app
from contrique_cli.collection import transfer
from contrique_cli.files import writing
real = transfer.move
def kill(source, target):
    if source.name == "y.jpg":
        os.link(source, target)  # between its two names
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
transfer.move = kill
app(["select", "--from", "report.csv", "--to", "to", "--move", "--undo-file", "u"])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    undone = contrique("undo", "u")
    assert (undone.status, files("to")) == (0, [])
    assert sorted(map(str, Path().rglob("*.jpg"))) == sorted(SCORES)


def test_an_undo_file_of_a_stranger_moves_nothing_that_was_not_asked_for(
    desk, contrique, tmp_path, monkeypatch
):
    contrique("select", "--from", "report.csv", "--to", "to", "--move")
    undo_file = next(Path("to").glob("*.jsonl"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = contrique("undo", desk / undo_file)
    assert (done.status, f"give --base {desk}" in done.err) == (1, True)
    (desk / undo_file).rename("u")
    done = contrique("undo", "u", "--base", desk / "a")
    assert (done.status, f"give --base {desk}" in done.err) == (1, True)
    (desk / "to").rename(tmp_path / "away")
    text = Path("u").read_text().replace(f"{desk}/to", f"{tmp_path}/away")
    Path("u").write_text(text)
    done = contrique("undo", "u", "--base", desk)
    assert (done.status, f"give --to {tmp_path}/away" in done.err) == (1, True)
    done = contrique("undo", "u", "--base", desk, "--to", tmp_path / "away")
    assert (done.status, files(str(desk / "a"))) == (0, ["x.jpg", "y.jpg"])
    assert f"from {tmp_path}/away into {desk}" in done.err


def test_a_dry_run_shows_the_last_move_first_and_does_nothing(moved, contrique):
    before = sorted(map(str, Path().rglob("*")))
    done = contrique("undo", "u", "--dry-run")
    assert done.status == 0
    assert done.out.splitlines() == [
        f"move {moved}/to/{target} -> {moved}/{source}"
        for target, source in [
            *(("z.jpg", "b/z.jpg"), ("y.jpg", "a/y.jpg")),
            *(("x-2.jpg", "b/x.jpg"), ("x.jpg", "a/x.jpg")),
        ]
    ]
    assert done.err.splitlines() == [
        "files: 4 would be moved back, 0 there already, 0 left as copies, 0 failed",
        f"  from {moved}/to into {moved}",
    ]
    assert sorted(map(str, Path().rglob("*"))) == before


def test_undoing_twice_does_nothing_more(moved, contrique):
    assert contrique("undo", "u").status == 0
    again = contrique("undo", "u")
    assert again.status == 0
    assert again.err.startswith("files: 0 moved back, 4 there already, 0 left as copies, 0 failed")
    assert sorted(map(str, Path().rglob("*.jpg"))) == sorted(SCORES)


def test_quiet_says_nothing_of_what_went_well(moved, contrique):
    done = contrique("undo", "u", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert files("to") == []


def test_a_folder_that_was_renamed_since_is_named_and_gets_its_place_back(moved, contrique):
    Path("to").rename("other")
    done = contrique("undo", "u")
    assert done.status == 1
    advice = f"{moved}/to is not there: if that folder was moved or renamed, give it back its place"
    assert advice in done.err
    Path("other").rename("to")
    again = contrique("undo", "u")
    assert (again.status, files("to"), advice in again.err) == (0, [], False)


def test_what_stands_in_the_way_is_named_and_kept(moved, contrique):
    Path("a/x.jpg").write_text("another photo")
    done = contrique("undo", "u")
    assert (done.status, files("to")) == (3, ["x.jpg"])
    assert f"left: {moved}/to/x.jpg" in done.err
    assert Path("a/x.jpg").read_text() == "another photo"


def test_names_cannot_drive_the_terminal(desk, contrique):
    Path("a/x.jpg").rename("a/\x1b[31mx.jpg")
    report = Path("report.csv")
    report.write_text("path,score\na/\x1b[31mx.jpg,90\n")
    contrique("select", "--from", report, "--to", "to", "--move", "--undo-file", "u")
    done = contrique("undo", "u", "--dry-run")
    assert "x.jpg" in done.out
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize(
    ("file", "source", "target", "options"),
    [
        ("u", ".", "to", []),
        ("to/u", ".", "to", []),
        ("u", "..", "to", ["--base", ".."]),
        ("u", ".", "../to", ["--to", "../to"]),
        ("../to/u", ".", "../to", []),
        ("u", "..", "../to", ["--base", ".."]),
        ("a b", "..", "../../to", ["--base", "..", "--to", "../../to"]),
    ],
)
def test_the_command_names_the_folders_that_it_would_ask_for(desk, file, source, target, options):
    line = undo.spell(Path(file), source=Path(source), target=Path(target))
    assert shlex.split(line) == ["contrique", "undo", file, *options]
