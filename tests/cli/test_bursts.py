"""`contrique score --bursts`: groups in the report, their best, and what it does to streams."""

from __future__ import annotations

import csv
import io
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from contrique_cli.cli import bursts as command
from contrique_cli.collection import bursts
from contrique_cli.reports.rows import Row
from tests.conftest import make_photo
from tests.dng import save_dng
from tests.shots import make_shoot, save

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    return make_shoot(tmp_path / "shoot")


def table(text: str) -> dict[str, dict[str, str]]:
    return {Path(row["path"]).stem: row for row in csv.DictReader(io.StringIO(text))}


def test_bursts_are_numbered_and_their_best_is_marked(contrique, shoot):
    done = contrique("score", shoot, "--bursts", 3, *TINY)
    rows = table(done.out)
    numbers = {name: row["burst"] for name, row in rows.items()}
    assert numbers == {"a": "1", "b": "1", "d": "1", "c": "", "e": "2", "f": "2"}
    assert rows["c"]["burst_best"] == ""
    for group in ("abd", "ef"):
        best = max(group, key=lambda name: float(rows[name]["score"]))
        assert {name for name in group if rows[name]["burst_best"] == "True"} == {best}
    assert "2 bursts with 5 photos" in done.err


def test_without_the_option_no_photo_is_in_a_burst(contrique, shoot):
    rows = table(contrique("score", shoot, *TINY).out)
    assert {row["burst"] for row in rows.values()} == {""}


def test_the_gap_can_be_set(contrique, shoot):
    rows = table(contrique("score", shoot, "--bursts", 0.5, *TINY).out)
    assert {rows[name]["burst"] for name in "abd"} == {""}


def test_json_lines_with_bursts_are_a_ranked_report(contrique, shoot):
    done = contrique("score", shoot, "--bursts", 3, "--format", "jsonl", *TINY)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {row["burst_best"] for row in rows} == {True, False, None}


def test_the_table_shows_bursts(contrique, shoot):
    done = contrique("score", shoot, "--bursts", 3, "--format", "table", *TINY)
    assert "burst" in done.out
    assert done.out.count("best") == 2


def test_an_interruption_while_bursts_are_sought_keeps_the_report(contrique, shoot, monkeypatch):
    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bursts, "mark", interrupt)
    done = contrique("score", shoot, "--bursts", 3, *TINY)
    assert done.status == 130
    assert len(table(done.out)) == 6


@pytest.mark.skipif(find_spec("rawpy") is None, reason="needs rawpy")
def test_raw_and_jpeg_of_one_shot_are_one_group(contrique, tmp_path):
    folder = tmp_path / "pair"
    folder.mkdir()
    save_dng(folder / "a.dng", make_photo(1, 320, 240), taken="2024:05:06 12:00:00")
    save(folder / "a.jpg", make_photo(1, 320, 240), "2024:05:06 12:00:00", "40")
    done = contrique("score", folder, "--no-pairs", "--bursts", 3, *TINY)
    rows = csv.DictReader(io.StringIO(done.out))
    assert [row["burst"] for row in rows] == ["1", "1"]


def rows_of(kinds: list[str | None]) -> list[Row]:
    """Rows as `bursts.mark` gives them: neighbours of one kind are one group."""
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds), start=1)}
    return [
        Row(
            path=Path(f"{index}.jpg"),
            score=1.0,
            burst=None if kind is None else numbers[kind],
            burst_kind=None if kind is None else kind.rstrip("2"),
        )
        for index, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("kinds", "lines"),
    [
        ([None, None], ["no burst: no photos taken within 3 seconds look alike"]),
        (["burst", "burst", None], ["1 burst with 2 photos"]),
        (["burst", "burst", "burst2", "burst2", "burst2"], ["2 bursts with 5 photos"]),
        (
            ["bracket"] * 3 + ["panorama"] * 4 + ["burst"] * 2,
            ["1 panorama with 4 photos", "1 burst with 2 photos", "1 bracket with 3 photos"],
        ),
    ],
)
def test_each_kind_of_group_is_counted_unless_all_is_to_be_quiet(monkeypatch, capsys, kinds, lines):
    monkeypatch.setattr(bursts, "mark", lambda rows, **options: rows_of(kinds))
    marked = command.mark([], gap=3.0, max_megapixels=1.0, quiet=False)
    assert marked == rows_of(kinds)
    assert capsys.readouterr().err.splitlines() == lines
    command.mark([], gap=3.0, max_megapixels=1.0, quiet=True)
    assert capsys.readouterr().err == ""
