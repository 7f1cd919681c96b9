"""The split of BIQ2021: runs of 20 numbers stay together, every fifth is held out."""

from __future__ import annotations

from pathlib import Path

from contrique_cli.opinions import labels
from training import splits


def test_runs_of_twenty_numbers_are_on_one_side(tmp_path: Path):
    names = ["ss01_0", "ss01_19", "ss01_20", "ss02_19", "ss02_99", "ss02_100", "ss03_119"]
    lines = [f"biq2021/{name}.jpg,0.5,{name[:4]}" for name in names]
    (tmp_path / "biq2021.csv").write_text("\n".join(["path,mos,subset", *lines]))
    rows = splits.read(tmp_path)
    assert [(row.group, row.is_held_out) for row in rows] == [
        ("ss01_0", True),
        ("ss01_0", True),
        ("ss01_1", False),
        ("ss02_0", True),
        ("ss02_4", False),
        ("ss02_5", True),
        ("ss03_5", True),
    ]


def test_flaws_made_on_purpose_count_less():
    groups = ["ss01_1", "ss02_1", "ss02_0", "ss03_1"]
    rows = [splits.Rated("", 0.5, group, group == "ss02_0") for group in groups]
    assert splits.parts(rows) == ([0, 1, 3], [2])
    assert splits.weights(rows).tolist() == [1.0, 0.9, 0.9, 1.0]


def test_the_fifth_that_people_rate_best():
    rows = [splits.Rated("", mos, "ss01_1", False) for mos in (0.1, 0.9, 0.5, 0.8, 0.2, 0.3, 1.0)]
    assert splits.best(rows[:6]) == [rows[1]]


def test_tables_read_back_as_labels(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    splits.write(tmp_path / "train.csv", [splits.Rated("a.jpg", 0.25, "ss01_1", False)])
    (row,) = labels.read(tmp_path / "train.csv", group_column="group").rows
    assert (row.path, row.mos, row.group) == (tmp_path / "a.jpg", 0.25, "ss01_1")
