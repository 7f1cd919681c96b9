"""Which photos are taken: every condition alone, and together."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest

from contrique_cli.collection import placement, select, transfer, undo
from contrique_cli.config import Pick
from contrique_cli.errors import BadOption, BadReport, CannotWrite
from contrique_cli.reports.rows import Row


def row(path: str, score: float | None, flaw: str | None = None) -> Row:
    return Row(path=Path(path), score=score, flaw=flaw)


ROWS = [
    row("a/1", 90.0, "none"),
    row("a/2", 80.0, "blur"),
    row("a/3", 70.0, "none"),
    row("b/1", 75.0, "noise"),
    row("b/2", 20.0, "none"),
    row("c/1", 75.0, "none"),
    row("c/2", None),
]


def names(**conditions) -> list[str]:
    return [str(one.path) for one in select.choose(ROWS, Pick(**conditions))]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, "a/1 a/2 b/1 c/1 a/3 b/2"),
        ({"top": "2"}, "a/1 a/2"),
        ({"top": "99"}, "a/1 a/2 b/1 c/1 a/3 b/2"),
        ({"top": "50%"}, "a/1 a/2 b/1"),
        ({"top": "1%"}, "a/1"),
        ({"top": "0.5%"}, "a/1"),
        ({"top": "100%"}, "a/1 a/2 b/1 c/1 a/3 b/2"),
        ({"top": "2", "reverse": True}, "b/2 a/3"),
        ({"min_score": 75.0}, "a/1 a/2 b/1 c/1"),
        ({"max_score": 75.0}, "b/1 c/1 a/3 b/2"),
        ({"min_score": 60.0, "max_score": 75.0}, "b/1 c/1 a/3"),
        ({"per_folder": 1}, "a/1 b/1 c/1"),
        ({"per_folder": 1, "reverse": True}, "b/2 a/3 c/1"),
        ({"per_folder": 2, "top": "3"}, "a/1 a/2 b/1"),
        ({"flaws": ("none",)}, "a/1 c/1 a/3 b/2"),
        ({"flaws": ("none",), "per_folder": 1}, "a/1 c/1 b/2"),
        ({"flaws": ("blur", "noise")}, "a/2 b/1"),
        ({"flaws": ("none",), "top": "2"}, "a/1 c/1"),
        ({"top": "50%", "min_score": 85.0}, "a/1"),
        ({"min_score": 99.0}, ""),
    ],
)
def test_conditions_choose(conditions, expected):
    assert " ".join(names(**conditions)) == expected


def test_the_order_of_the_rows_does_not_matter():
    expected = names(per_folder=2, top="4")
    for order in itertools.islice(itertools.permutations(ROWS), 0, 5040, 97):
        chosen = select.choose(order, Pick(per_folder=2, top="4"))
        assert [str(one.path) for one in chosen] == expected


def test_random_conditions_hold_for_every_photo_taken():
    rng = random.Random(0)
    for _ in range(200):
        rows = [
            row(f"{rng.choice('abc')}/{number}", rng.choice([None, rng.uniform(0, 100)]), "none")
            for number in range(rng.randrange(1, 40))
        ]
        low, limit, top = rng.uniform(0, 60), rng.randrange(1, 5), rng.randrange(1, 101)
        pick = Pick(min_score=low, per_folder=limit, top=f"{top}%")
        chosen = select.choose(rows, pick)
        scored = [one for one in rows if one.score is not None]
        assert len(chosen) <= -(-len(scored) * top // 100)
        assert all(one.score >= round(low, 2) - 0.01 for one in chosen)
        folders = [one.path.parent for one in chosen]
        assert all(folders.count(folder) <= limit for folder in folders)
        assert [one.score for one in chosen] == sorted((o.score for o in chosen), reverse=True)


@pytest.mark.parametrize("top", ["0", "-1", "0%", "101%", "ten", "", "1.5", "10 %%", "1e9%", "∞"])
def test_a_top_that_makes_no_sense_is_refused(top):
    with pytest.raises(BadOption, match="--top"):
        Pick(top=top)


@pytest.mark.parametrize("bounds", [{"per_folder": 0}, {"min_score": 9.0, "max_score": 8.0}])
def test_bounds_that_make_no_sense_are_refused(bounds):
    with pytest.raises(BadOption):
        Pick(**bounds)


def test_a_bound_copied_from_the_report_holds():
    rows = [row("a", 74.996), row("b", 75.004)]
    assert len(select.choose(rows, Pick(min_score=75.0, max_score=75.0))) == 2


def test_a_flaw_cannot_choose_where_none_is_known():
    with pytest.raises(BadReport, match="column flaw is empty"):
        select.choose([row("a", 1.0)], Pick(flaws=("none",)))


def rows(*names: str) -> list[Row]:
    return [Row(path=Path(name), score=1.0) for name in names]


JPEG = b"\xff\xd8\xff\xe0"


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a, b and c."""
    for name in "abc":
        (tmp_path / name).write_bytes(JPEG + name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_relative_paths_start_from_the_base_and_absolute_ones_do_not(three, tmp_path, monkeypatch):
    assert select.locate(rows("a", "b"), None).paths == [Path("a"), Path("b")]
    monkeypatch.chdir("/")
    assert select.locate(rows(str(three / "a").lstrip("/")), three / "none").paths != []
    located = select.locate(rows("a", str(three / "b")), three)
    assert located.paths == [three / "a", three / "b"]


def test_each_photo_is_found_once_however_it_is_spelled(three):
    assert len(select.locate(rows("a", "x/../a", str(three / "a"), "b"), None).paths) == 2


def test_what_is_missing_or_no_file_has_its_reason(three):
    (three / "folder").mkdir()
    os.mkfifo(three / "pipe")
    (three / "broken").symlink_to("nowhere")
    located = select.locate(rows("a", "folder", "pipe", "gone", "..", "broken", "x" * 300), None)
    assert located.paths == [Path("a")]
    reasons = [problem.reason for problem in located.missing]
    folder, pipe = (f"not a regular file but {kind}" for kind in ("a folder", "a named pipe"))
    assert reasons == [folder, pipe, "no such file", folder, "no such file", "file name too long"]


def test_nothing_there_names_the_folder_and_the_option(three):
    with pytest.raises(BadReport, match=r"of 2 chosen photos none is there.*--base"):
        select.locate(rows("x", "y"), None)


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
    (three / name).write_bytes(JPEG)
    assert select.locate(rows(in_report), None).paths == [Path(name)]


def test_a_name_that_looks_escaped_is_itself_where_it_exists(three):
    for name in ("\\udcff", "\udcff"):
        (three / name).write_bytes(JPEG)
    assert select.locate(rows("\\udcff"), None).paths == [Path("\\udcff")]


def carry_out(root: Path, operation: str, book: undo.UndoFile | None = None) -> list:
    plan = placement.plan(
        [root / name for name in "abc"], root / "to", operation=operation, root=root
    )
    (root / "to").mkdir()
    return [reason for _, reason in select.carry_out(plan, root=root, undo_file=book)]


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
    assert (three / "b").read_bytes() == JPEG + b"b"


@pytest.mark.parametrize("operation", ["copy", "move", "symlink"])
def test_a_name_taken_between_plan_and_work_is_not_overwritten(three, operation):
    plan = placement.plan([three / "a"], three / "to", operation=operation, root=three)
    (three / "to").mkdir()
    (three / "to" / "a").write_text("mine")
    ((_, reason),) = select.carry_out(plan, root=three, undo_file=None)
    assert reason == f"{three / 'to' / 'a'} came to stand in its way; run again"
    assert (three / "to" / "a").read_text() == "mine"
    assert (three / "a").read_bytes() == JPEG + b"a"


def test_every_move_is_written_down_before_it_is_made(three, monkeypatch):
    real, seen = transfer.move, []

    def look(source: Path, target: Path) -> None:
        seen.append([move.source.name for move in undo.read(three / "undo").moves])
        real(source, target)

    monkeypatch.setattr(transfer, "move", look)
    with undo.create(three / "undo", source=three, target=three) as book:
        carry_out(three, "move", book)
    assert seen == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_what_cannot_be_written_down_is_not_moved(three, monkeypatch):
    calls = []

    def full(_: int) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")

    with undo.create(three / "undo", source=three, target=three) as book:
        monkeypatch.setattr(undo.os, "fsync", full)
        with pytest.raises(CannotWrite):
            carry_out(three, "move", book)
    assert os.listdir(three / "to") == ["a"]
    assert (three / "b").exists()
