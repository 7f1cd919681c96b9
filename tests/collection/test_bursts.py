"""`contrique score --bursts`: groups in the report, their best, and what it does to streams."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from contrique_cli.collection import bursts
from contrique_cli.photos import opening
from contrique_cli.reports.rows import Row
from tests.conftest import blurred, make_photo
from tests.dng import save_dng

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")


def save(path: Path, image: Image.Image, taken: str = "", fraction: str = "") -> None:
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    if fraction:
        exif.get_ifd(0x8769)[0x9291] = fraction
    image.save(path, quality=90, exif=exif)


@pytest.fixture
def shoot(tmp_path: Path) -> Path:
    """a, b and d are one burst (b the sharpest), c is alone, e and f are copies without a time."""
    folder = tmp_path / "shoot"
    folder.mkdir()
    motif = make_photo(1, 320, 240)
    for name, radius, second in (("a", 1, "00"), ("b", 0, "01"), ("d", 2, "02")):
        save(folder / f"{name}.jpg", blurred(motif, radius), f"2024:05:06 12:00:{second}")
    save(folder / "c.jpg", make_photo(2, 320, 240), "2024:05:06 12:00:01")
    save(folder / "e.jpg", make_photo(3, 320, 240))
    save(folder / "f.jpg", make_photo(3, 320, 240).resize((160, 120)))
    return folder


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


def test_of_equal_scores_the_better_raw_value_is_the_best_of_a_burst(shoot):
    qualities = {"a": 3.0, "b": 5.0, "d": 4.0}
    rows = [
        Row(path=shoot / f"{name}.jpg", score=100.0, quality=quality)
        for name, quality in qualities.items()
    ]
    assert [row.is_burst_best for row in bursts.mark(rows)] == [False, True, False]


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


def test_a_photo_gone_since_it_was_scored_is_in_no_group(shoot):
    rows = [Row(path=path, score=1.0) for path in sorted(shoot.iterdir())]
    rows.append(Row(path=shoot / "gone.jpg", score=9.0))
    marked = bursts.mark(rows)
    assert [row.burst for row in marked] == [1, 1, None, 1, 2, 2, None]
    assert marked[0].is_burst_best  # of equal scores the first path


@pytest.mark.parametrize(
    ("taken", "fraction", "expected"),
    [
        ("2024:05:06 07:08:09", "", datetime(2024, 5, 6, 7, 8, 9)),  # noqa: DTZ001
        ("2024:05:06 07:08:09", "25", datetime(2024, 5, 6, 7, 8, 9, 250000)),  # noqa: DTZ001
        ("2024:05:06 07:08:09", "x", datetime(2024, 5, 6, 7, 8, 9)),  # noqa: DTZ001
        ("0000:00:00 00:00:00", "", None),
        ("    :  :     :  :  ", "12", None),
        ("yesterday", "", None),
        ("", "", None),
    ],
)
def test_the_time_is_read_to_its_fraction_or_not_at_all(tmp_path, taken, fraction, expected):
    save(tmp_path / "a.jpg", make_photo(), taken, fraction)
    assert opening.open_rgb(tmp_path / "a.jpg", max_side=64).taken == expected


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_exif_block_costs_the_time_and_not_the_photo(tmp_path):
    save(tmp_path / "a.jpg", make_photo(), "2024:05:06 07:08:09")
    data = (tmp_path / "a.jpg").read_bytes()
    at = data.index(b"Exif\0\0") + 6
    for offset in range(8, 60):
        broken = bytearray(data)
        broken[at + offset] ^= 0xFF
        (tmp_path / "b.jpg").write_bytes(broken)
        assert opening.open_rgb(tmp_path / "b.jpg", max_side=64).width > 0


@pytest.mark.skipif(find_spec("rawpy") is None, reason="needs rawpy")
def test_raw_and_jpeg_of_one_shot_are_one_group(contrique, tmp_path):
    folder = tmp_path / "pair"
    folder.mkdir()
    save_dng(folder / "a.dng", make_photo(1, 320, 240), taken="2024:05:06 12:00:00")
    save(folder / "a.jpg", make_photo(1, 320, 240), "2024:05:06 12:00:00", "40")
    done = contrique("score", folder, "--no-pairs", "--bursts", 3, *TINY)
    rows = csv.DictReader(io.StringIO(done.out))
    assert [row["burst"] for row in rows] == ["1", "1"]
