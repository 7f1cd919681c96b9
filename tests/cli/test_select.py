"""`contrique select` as people and pipelines use it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contrique_cli.collection import transfer
from contrique_cli.files import writing
from contrique_cli.reports.rows import Row
from tests.conftest import ROOT
from tests.reported import JPEG, SCORES, files, write


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), "a/x.jpg b/x.jpg a/y.jpg b/z.jpg"),
        (("--top", "50%"), "a/x.jpg b/x.jpg"),
        (("--top", 1), "a/x.jpg"),
        (("--per-folder", 1), "a/x.jpg b/x.jpg"),
        (("--min-score", 70, "--max-score", 80), "b/x.jpg a/y.jpg"),
        (("--flaw", "none", "--flaw", "blur", "--top", 1), "a/x.jpg"),
        (("--reverse", "--top", 1), "b/z.jpg"),
    ],
)
def test_lists_what_passes_best_first(desk, contrique, form, conditions, expected):
    done = contrique("select", "--from", f"report.{form}", "--list", *conditions)
    assert (done.status, done.out, done.err) == (0, expected.replace(" ", "\n") + "\n", "")


def test_without_an_action_the_rows_are_shown_with_their_ranks(desk, contrique):
    done = contrique("select", "--from", "report.csv", "--max-score", 80)
    assert done.out.splitlines()[0] == Path("report.csv").read_text().splitlines()[0]
    assert [line.split(",")[:2] for line in done.out.splitlines()[1:]] == [
        ["2", "b/x.jpg"], ["3", "a/y.jpg"], ["4", "b/z.jpg"],
    ]  # fmt: skip


def test_a_selection_becomes_a_report_of_its_own(desk, contrique):
    for form in ("csv", "json", "jsonl"):
        done = contrique("select", "--from", "report.csv", "--top", 2, "--output", f"best.{form}")
        assert (done.status, done.out) == (0, "")
        listed = contrique("select", "--from", f"best.{form}", "--list")
        assert listed.out == "a/x.jpg\nb/x.jpg\n"


def test_equal_scores_come_in_the_order_of_the_report(desk, contrique):
    qualities = {"a/x.jpg": 1.0, "a/y.jpg": 3.0, "b/x.jpg": 2.0, "b/z.jpg": 4.0}
    write([Row(path=Path(name), score=100.0, raw=q, quality=q) for name, q in qualities.items()]
          + [Row(path=Path("gone.jpg"), score=5.0, raw=0.0)])  # fmt: skip
    for form in ("csv", "jsonl"):
        done = contrique("select", "--from", f"report.{form}", "--top", 4, "--list")
        assert done.out.split() == ["b/z.jpg", "a/y.jpg", "b/x.jpg", "a/x.jpg"]


def test_the_best_of_each_burst_and_what_is_in_none_are_taken(desk, contrique):
    bursts = {"a/x.jpg": True, "a/y.jpg": False, "b/x.jpg": False, "b/z.jpg": None}
    arguments = ("select", "--from", "report.csv", "--burst-best-only", "--list")
    assert "no photo of the report is in a burst" in contrique(*arguments).err
    write([
        Row(path=Path(name), score=SCORES[name], burst=None if best is None else 1, is_burst_best=best)
        for name, best in bursts.items()
    ])  # fmt: skip
    done = contrique(*arguments)
    assert (done.out.split(), done.err) == (["a/x.jpg", "b/z.jpg"], "")
    assert contrique(*arguments, "--top", 2).out.split() == ["a/x.jpg", "b/z.jpg"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_reports_joined_by_cat_are_one(desk, contrique, form):
    for folder in "ab":
        where = ("--where", f"path={folder}/x.jpg", "--output", f"{folder}.{form}")
        assert contrique("select", "--from", "report.csv", *where).status == 0
    joined = b"".join(Path(f"{folder}.{form}").read_bytes() for folder in "ba")
    done = contrique("select", "--from", "-", "--list", stdin=joined)
    assert done.out.split() == ["a/x.jpg", "b/x.jpg"]


def test_a_report_comes_through_a_pipe(desk, contrique):
    stdin = Path("report.csv").read_bytes()
    done = contrique("select", "--from", "-", "--list", "--top", 1, stdin=stdin)
    assert done.out == "a/x.jpg\n"


def test_listed_names_are_exact_bytes_and_no_option(desk, contrique):
    names = [b"\xff.jpg", b"new\nline.jpg", b"-r.jpg", b"=1.jpg", b"'q.jpg", "ü.jpg".encode()]
    rows = []
    for number, name in enumerate(names):
        Path(os.fsdecode(name)).write_bytes(JPEG)
        rows.append(Row(path=Path(os.fsdecode(name)), score=50.0 - number))
    write(rows)
    for form in ("csv", "json", "jsonl"):
        command = [sys.executable, "-m", "contrique_cli", "select", "--list", "-0"]
        done = subprocess.run(
            [*command, "--from", f"report.{form}"],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        listed = done.stdout.split(b"\0")
        assert listed == [b"./-r.jpg" if name == b"-r.jpg" else name for name in names] + [b""]


@pytest.mark.parametrize("action", ["copy", "move", "symlink"])
def test_photos_go_to_the_folder_under_safe_names(desk, contrique, action):
    done = contrique("select", "--from", "report.csv", "--to", "to/deep", f"--{action}")
    word = {"copy": "copied", "move": "moved", "symlink": "linked"}[action]
    assert done.status == 0
    assert f"4 of 5 photos chosen for to/deep: 4 {word}" in done.err
    assert files("to/deep") == ["x-2.jpg", "x.jpg", "y.jpg", "z.jpg"]
    assert Path("to/deep/x-2.jpg").read_bytes() == JPEG + b"b/x.jpg"
    assert Path("b/x.jpg").exists() == (action != "move")


def test_a_second_copy_does_nothing(desk, contrique):
    for _ in range(2):
        done = contrique("select", "--from", "report.csv", "--to", "to", "--copy")
    assert done.err.startswith("4 of 5 photos chosen for to: 4 there already")
    assert len(files("to")) == 4


@pytest.mark.parametrize("action", ["copy", "move", "symlink"])
def test_a_dry_run_shows_all_and_does_nothing(desk, contrique, action):
    before = sorted(map(str, Path().rglob("*")))
    done = contrique(
        "select", "--from", "report.csv", "--to", "to", f"--{action}", "--dry-run", "--top", 2
    )
    assert done.status == 0
    assert done.out == f"{action} a/x.jpg -> to/x.jpg\n{action} b/x.jpg -> to/x-2.jpg\n"
    assert sorted(map(str, Path().rglob("*"))) == before


def test_sidecars_go_along_and_come_back(desk, contrique):
    for name in ("a/x.jpg.xmp", "a/x.xmp"):
        Path(name).write_text("rated")
    done = contrique(
        *("select", "--from", "report.csv", "--top", 1, "--to", "to", "--move", "--sidecars")
    )
    assert "1 moved, with 2 sidecars" in done.err
    assert files("to") == ["x.jpg", "x.jpg.xmp", "x.xmp"]
    contrique("undo", *Path("to").glob("*.jsonl"))
    assert files("a") == ["x.jpg", "x.jpg.xmp", "x.xmp", "y.jpg"]


def test_missing_photos_are_named_and_the_status_is_3(desk, contrique):
    Path("a/x.jpg").unlink()
    for action in (("--list",), ("--to", "to", "--copy"), ("--to", "to", "--copy", "--dry-run")):
        done = contrique("select", "--from", "report.csv", *action)
        assert done.status == 3
        assert "a/x.jpg: no such file" in done.err
    assert files("to") == ["x.jpg", "y.jpg", "z.jpg"]


def test_a_report_made_elsewhere_needs_its_base(desk, contrique, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("select", "--from", desk / "report.csv", "--list")
    done = contrique(*arguments)
    assert (done.status, done.out) == (1, "")
    assert "of 4 chosen photos none is there" in done.err
    assert "give --base, the folder it was made in" in done.err
    done = contrique(*arguments, "--base", "desk", "--top", 1)
    assert (done.status, done.out) == (0, "desk/a/x.jpg\n")


def test_links_inside_the_base_are_relative(desk, contrique):
    contrique("select", "--from", "report.csv", "--top", 1, "--to", "to", "--symlink")
    assert os.readlink("to/x.jpg") == "../a/x.jpg"


def test_quiet_says_nothing(desk, contrique):
    done = contrique("select", "--from", "report.csv", "--to", "to", "--move", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


USAGE = {
    "nothing": (),
    "report and action": ("--from", "report.csv", "--list", "--output", "x.csv"),
    "odd report": ("--from", "report.csv", "--output", "x.xls"),
    "no folder": ("--from", "report.csv", "--copy"),
    "two actions": ("--from", "report.csv", "--to", "to", "--copy", "--move"),
    "no report": ("--list",),
    "folder to list": ("--from", "report.csv", "--list", "--to", "to"),
    "sidecars to list": ("--from", "report.csv", "--list", "--sidecars"),
    "odd top": ("--from", "report.csv", "--list", "--top", "ten"),
    "odd bounds": ("--from", "report.csv", "--list", "--min-score", 9, "--max-score", 8),
    "odd per folder": ("--from", "report.csv", "--list", "--per-folder", 0),
    "unknown option": ("--delete",),
}
NOTHING = {
    "gone report": (("--from", "gone.csv", "--list"), "gone.csv cannot be read"),
    "folder as report": (("--from", "a", "--list"), "a cannot be read"),
    "no report": (("--from", "a/x.jpg", "--list"), "is not UTF-8 text"),
    "none passes": (("--from", "report.csv", "--list", "--min-score", 99), "loosen"),
    "unknown flaw": (("--from", "report.csv", "--list", "--flaw", "blurr"), "flaws are none"),
    "empty column": (("--from", "report.csv", "--list", "--by", "rating"), "has a rating"),
    "none scored": (("--from", "failed.csv", "--list"), "none with a score"),
    "no flaws": (("--from", "plain.csv", "--list", "--flaw", "none"), "flaw is empty"),
    "to a file": (("--from", "report.csv", "--to", "report.csv", "--copy"), "cannot be made"),
    "taken undo file": (
        ("--from", "report.csv", "--to", "to", "--move", "--undo-file", "report.csv"),
        "report.csv cannot be made (file exists)",
    ),
}


@pytest.mark.parametrize("options", USAGE.values(), ids=USAGE)
def test_wrong_usage_exits_with_2(desk, contrique, options):
    done = contrique("select", *options)
    assert (done.status, done.out) == (2, "")
    assert sorted(os.listdir()) == ["a", "b", "report.csv", "report.json", "report.jsonl"]


@pytest.mark.parametrize(("options", "message"), NOTHING.values(), ids=NOTHING)
def test_what_cannot_be_done_exits_with_1_and_says_why(desk, contrique, options, message):
    Path("failed.csv").write_text("path,score,error\na/x.jpg,,bad\n")
    Path("plain.csv").write_text("path,score\na/x.jpg,5\n")
    done = contrique("select", *options)
    assert (done.status, done.out) == (1, "")
    assert message in done.err
    assert files("a") == ["x.jpg", "y.jpg"]


def test_every_file_failing_exits_with_1(desk, contrique, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "copy", fail)
    done = contrique("select", "--from", "report.csv", "--to", "to", "--copy")
    assert done.status == 1
    assert "4 failed" in done.err
    assert "failed: a/x.jpg: no space left on device" in done.err


def test_an_interruption_exits_with_130_and_the_moves_so_far_can_be_undone(
    desk, contrique, monkeypatch
):
    real = transfer.move

    def interrupt(source: Path, target: Path) -> None:
        if source.name == "y.jpg":
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(transfer, "move", interrupt)
    done = contrique("select", "--from", "report.csv", "--to", "to", "--move", "--undo-file", "u")
    assert done.status == 130
    assert "4 of 5 photos chosen for to: 2 moved" in done.err
    assert "interrupted: the rest was left where it is" in done.err
    monkeypatch.undo()
    monkeypatch.chdir(desk)
    undone = contrique("undo", "u")
    assert undone.err.startswith("files: 2 moved back, 1 there already")
    assert sorted(map(str, Path().rglob("*.jpg"))) == sorted(SCORES)


def test_photos_outside_of_the_folder_need_a_base_that_holds_them(desk, contrique, tmp_path):
    """Through `..` and absolute paths a stranger's report once took any file of the user's."""
    (tmp_path / "outside.jpg").write_bytes(JPEG)
    for number, path in enumerate([Path("../outside.jpg"), tmp_path / "outside.jpg"]):
        write([Row(path=path, score=1.0), Row(path=Path("a/.."), score=2.0)])
        for action in ("copy", "move", "symlink"):
            done = contrique("select", "--from", "report.csv", "--to", "to", f"--{action}")
            assert done.status == 1
            assert f"give --base, a folder that holds them all, such as {tmp_path}" in done.err
            assert not Path("to").exists()
        to = f"to{number}"
        done = contrique("select", "--from", "report.csv", "--to", to, "--copy", "--base", tmp_path)
        assert done.status == 3
        assert files(to) == ["outside.jpg"]
    assert contrique("select", "--from", "report.csv", "--list").out != ""


def test_a_folder_of_photos_that_is_a_link_is_no_way_out(desk, contrique, tmp_path):
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "c.jpg").write_bytes(JPEG)
    Path("card").symlink_to(tmp_path / "card")
    write([Row(path=Path("card/c.jpg"), score=1.0)])
    take = ("select", "--from", "report.csv", "--to", "to", "--move")
    asked = contrique(*take)
    assert (asked.status, f"such as {tmp_path / 'card'}" in asked.err) == (1, True)
    done = contrique(*take, "--base", tmp_path / "card")
    assert done.status == 0
    assert f"--base {tmp_path / 'card'}" in done.err
    undo_file = next(Path("to").glob("*.jsonl"))
    refused = contrique("undo", undo_file)
    assert (refused.status, f"--base {tmp_path / 'card'}" in refused.err) == (1, True)
    assert contrique("undo", undo_file, "--base", tmp_path / "card").status == 0
    assert Path("card/c.jpg").read_bytes() == JPEG


def test_only_photos_are_taken_whatever_their_name(desk, contrique):
    Path("a/key.jpg").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    Path("a/empty.jpg").write_text("")
    os.mkfifo("a/pipe.jpg")
    names = ("a/key.jpg", "a/empty.jpg", "a/pipe.jpg", "report.json", "a/x.jpg", "a/nul\0.jpg")
    Path("report.csv").write_text("path,score\n" + "".join(f"{name},9\n" for name in names[:-1]))
    done = contrique("select", "--from", "report.csv", "--to", "to", "--copy")
    assert (done.status, files("to")) == (3, ["x.jpg"])
    assert "a/key.jpg: not a photo" in done.err


def test_an_undo_file_on_a_device_or_pipe_is_refused(desk, contrique):
    os.mkfifo("pipe")
    for place in ("pipe", os.devnull):
        done = contrique(
            *("select", "--from", "report.csv", "--to", "to", "--move", "--undo-file", place)
        )
        assert (done.status, "cannot be made" in done.err) == (1, True)
        assert contrique("undo", place).status == 1
    assert files("to") == []


def test_a_full_disk_ends_a_move_in_words_and_loses_nothing(desk, contrique, monkeypatch):
    """Closing the undo file once wrote its last line again, and ended in a traceback."""
    real, written = os.write, []

    def fill(descriptor: int, data: bytes) -> int:
        written.append(data)
        if len(written) > 3:
            real(descriptor, data[:7])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    monkeypatch.setattr(writing.os, "write", fill)
    done = contrique("select", "--from", "report.csv", "--to", "to", "--move", "--undo-file", "u")
    monkeypatch.undo()
    monkeypatch.chdir(desk)
    assert (done.status, "u cannot be written (no space left on device)" in done.err) == (1, True)
    assert len(list(Path().rglob("*.jpg"))) == len(SCORES)
    assert Path("u").read_bytes().endswith(b"}\n")
    assert contrique("undo", "u").status == 0
    assert sorted(map(str, Path().rglob("*.jpg"))) == sorted(SCORES)


def test_names_that_differ_in_case_only_get_places_with_sidecars_too(desk, contrique):
    """Looking for a number once never ended."""
    for name in ("a/IMG_1.jpg", "a/IMG_1.JPG"):
        Path(name).write_bytes(JPEG + name.encode())
        Path(f"{name}.xmp").write_text(name)
    Path("a/IMG_1.xmp").write_text("shared")
    Path("a/x.xmp").write_text("one")
    Path("a/x.XMP").write_text("two")
    names = ("a/IMG_1.jpg", "a/IMG_1.JPG", "a/x.jpg")
    write([Row(path=Path(name), score=9.0 - index) for index, name in enumerate(names)])
    command = ("select", "--from", "report.csv", "--to", "to", "--sidecars")
    assert contrique(*command, "--copy", "--dry-run").status == 0
    assert contrique(*command, "--move").status == 0
    assert files("to") == [
        *("IMG_1-2.JPG", "IMG_1-2.JPG.xmp", "IMG_1-2.xmp", "IMG_1.jpg", "IMG_1.jpg.xmp"),
        *("IMG_1.xmp", "x-2.XMP", "x.jpg", "x.xmp"),
    ]
    assert Path("to/IMG_1-2.JPG.xmp").read_text() == "a/IMG_1.JPG"
    assert files("a") == ["y.jpg"]
    assert contrique("undo", *Path("to").glob("*.jsonl")).status == 0
    assert len(files("a")) == 9


def test_the_sidecar_of_another_photo_stays_with_it(desk, contrique):
    """a.jpg.xmp is that of a.jpg, and only by its name that of a.jpg.jpg."""
    for name in ("c.jpg", "c.jpg.jpg"):
        Path(name).write_bytes(JPEG + name.encode())
    Path("c.jpg.xmp").write_text("the ratings of c.jpg")
    write([Row(path=Path("c.jpg.jpg"), score=90.0), Row(path=Path("c.jpg"), score=10.0)])
    command = ("select", "--from", "report.csv", "--move", "--sidecars")
    assert contrique(*command, "--to", "to", "--top", 1).status == 0
    assert (files("to"), Path("c.jpg.xmp").exists()) == (["c.jpg.jpg"], True)
    contrique("undo", *Path("to").glob("*.jsonl"))
    assert contrique(*command, "--to", "to2").status == 0
    assert files("to2") == ["c.jpg", "c.jpg.jpg", "c.jpg.xmp"]
