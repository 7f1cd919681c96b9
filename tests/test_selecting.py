"""Photos of a report found on the disk, and plans carried out file by file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contrique_cli import placement, selecting, transfer, undofile
from contrique_cli.errors import BadReport, CannotWrite
from contrique_cli.report import Row


def rows(*names: str) -> list[Row]:
    return [Row(path=Path(name), score=1.0) for name in names]


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a, b and c."""
    for name in "abc":
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_relative_paths_start_from_the_base_and_absolute_ones_do_not(three, tmp_path, monkeypatch):
    assert selecting.locate(rows("a", "b"), None).paths == [Path("a"), Path("b")]
    monkeypatch.chdir("/")
    located = selecting.locate(rows("a", str(three / "b")), three)
    assert located.paths == [three / "a", three / "b"]


def test_each_photo_is_found_once_however_it_is_spelled(three):
    assert len(selecting.locate(rows("a", "x/../a", str(three / "a"), "b"), None).paths) == 2


def test_what_is_missing_or_no_file_has_its_reason(three):
    (three / "folder").mkdir()
    os.mkfifo(three / "pipe")
    (three / "broken").symlink_to("nowhere")
    located = selecting.locate(rows("a", "folder", "pipe", "gone", "..", "broken", "x" * 300), None)
    assert located.paths == [Path("a")]
    reasons = [problem.reason for problem in located.missing]
    assert reasons[:4] == ["not a regular file"] * 2 + ["no such file or directory"] + [
        "not a regular file"
    ]
    assert reasons[4:] == ["no such file or directory", "file name too long"]


def test_nothing_there_names_the_folder_and_the_option(three):
    with pytest.raises(BadReport, match=r"none of the 2 photos chosen is there.*--base"):
        selecting.locate(rows("x", "y"), None)


@pytest.mark.parametrize(
    ("name", "in_report"),
    [
        ("=x", "./=x"),
        ("'x", "'x"),
        ("=x", "'=x"),
        ("\udcff\udcfe", "\\udcff\\udcfe"),
        ("-r", "./-r"),
    ],
)
def test_a_name_as_a_spreadsheet_may_see_it_is_found(three, name, in_report):
    (three / name).write_text("x")
    assert selecting.locate(rows(in_report), None).paths == [Path(name)]


def test_a_name_that_looks_escaped_is_itself_where_it_exists(three):
    for name in ("\\udcff", "\udcff"):
        (three / name).write_text("x")
    assert selecting.locate(rows("\\udcff"), None).paths == [Path("\\udcff")]


def carry_out(root: Path, operation: str, journal: undofile.Journal | None = None) -> list:
    plan = placement.plan(
        [root / name for name in "abc"], root / "to", operation=operation, root=root
    )
    (root / "to").mkdir()
    return [reason for _, reason in selecting.place(plan, root=root, journal=journal)]


@pytest.mark.parametrize("operation", ["copy", "move", "symlink"])
def test_trouble_with_one_file_is_its_own(three, operation, monkeypatch):
    name = {"copy": "copy", "move": "move", "symlink": "link"}[operation]
    real = getattr(transfer, name)

    def fail(source: Path, target: Path, **options) -> None:
        if source.name == "b":
            raise OSError(28, "No space left on device")
        real(source, target, **options)

    monkeypatch.setattr(transfer, name, fail)
    assert carry_out(three, operation) == [None, "no space left on device", None]
    assert sorted(os.listdir("to")) == ["a", "c"]
    assert (three / "b").read_text() == "b"


@pytest.mark.parametrize("operation", ["copy", "move", "symlink"])
def test_a_name_taken_between_plan_and_work_is_not_overwritten(three, operation):
    plan = placement.plan([three / "a"], three / "to", operation=operation, root=three)
    (three / "to").mkdir()
    (three / "to" / "a").write_text("mine")
    ((_, reason),) = selecting.place(plan, root=three, journal=None)
    assert reason == f"{three / 'to' / 'a'} came to stand in its way; run again"
    assert ((three / "to" / "a").read_text(), (three / "a").read_text()) == ("mine", "a")


def test_every_move_is_written_down_before_it_is_made(three, monkeypatch):
    real, seen = transfer.move, []

    def look(source: Path, target: Path) -> None:
        seen.append([move.source.name for move in undofile.read(three / "undo")])
        real(source, target)

    monkeypatch.setattr(transfer, "move", look)
    with undofile.create(three / "undo") as journal:
        carry_out(three, "move", journal)
    assert seen == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_what_cannot_be_written_down_is_not_moved(three, monkeypatch):
    calls = []

    def full(_: int) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")

    with undofile.create(three / "undo") as journal:
        monkeypatch.setattr(undofile.os, "fsync", full)
        with pytest.raises(CannotWrite):
            carry_out(three, "move", journal)
    assert os.listdir(three / "to") == ["a"]
    assert (three / "b").exists()
