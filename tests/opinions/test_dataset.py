"""Photos with opinions and features: which can be used, and what is said of the others."""

from __future__ import annotations

import os

import pytest

from contrique_cli import config
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels
from contrique_cli.opinions import dataset, fit
from tests.opinion_tables import INFO

WORK = Work(device="cpu", max_side=0)


def test_missing_and_unreadable_photos_are_listed_by_line(table, tiny, tmp_path):
    (tmp_path / "text.jpg").write_text("no photo")
    lines = table.read_text().splitlines()
    lines[1:1] = ["gone.png,3,50,s1,x.png", f"{tmp_path / 'text.jpg'},3,50,s1,x.png"]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(lines))
    report, found = fit.fit(
        config.Opinions(table=other, photos=table.parent, mos_column="mos"),
        tiny,
        INFO,
        WORK,
    )
    assert [(one.position.number, one.path.name) for one in report.left_out] == [
        (2, "gone.png"),
        (3, "text.jpg"),
    ]
    assert report.left_out[1].reason == "not a photo but a text"
    assert (report.n, found.provenance["left_out"]) == (64, 2)


@pytest.mark.parametrize("rows", [0, 5, 19])
def test_too_few_photos_are_refused_with_the_number_needed(table, tiny, tmp_path, rows):
    lines = table.read_text().splitlines()
    few = tmp_path / "few.csv"
    few.write_text("\n".join([*lines[: rows + 1], "gone.png,1,2,s,o.png"]))
    opinions = config.Opinions(table=few, photos=table.parent, mos_column="mos")
    with pytest.raises(
        BadLabels, match=rf"20 photos .* only {rows} .*; 1 left out.* row {rows + 2}"
    ):
        fit.fit(opinions, tiny, INFO, WORK)


def test_one_and_the_same_score_is_refused(table, tiny, tmp_path):
    same = tmp_path / "same.csv"
    same.write_text(
        "path,mos\n" + "".join(f"photo{n}_0.png,3\nphoto{n}_1.png,3\n" for n in range(16))
    )
    opinions = config.Opinions(table=same, photos=table.parent)
    with pytest.raises(BadLabels, match="all 32 photos have the score 3 in column mos"):
        fit.fit(opinions, tiny, INFO, WORK)


def test_a_pipe_that_took_a_photos_name_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(b"abc")
    names = ("a.jpg", "pipe.jpg", "gone.jpg")
    assert [dataset._mark(tmp_path / name) for name in names] == ["ungWv48B", "", ""]
