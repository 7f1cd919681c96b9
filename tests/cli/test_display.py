"""Tables on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contrique_cli.cli import display
from contrique_cli.opinions.metrics import Range
from contrique_cli.reports.rows import Row
from tests.conftest import ROOT, make_photo

pytestmark = pytest.mark.usefixtures("tiny_regressor")


TINY = ("--regressor", "tiny", "--device", "cpu")


def test_table_shows_both_ends_of_a_long_report(contrique, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # a folded path shows its suffix or not
    for seed in range(25):
        make_photo(seed, 40, 40).save(tmp_path / f"{seed:02}.png")
    done = contrique("score", tmp_path, "--format", "table", *TINY)
    assert "… 5 more …" in done.out
    assert done.out.count(".png") == 20


def test_columns_that_no_shown_photo_needs_are_left_out(capsys):
    def header(rows: list[Row], by: str | None = None) -> list[str]:
        display.show_table(rows, by)
        return capsys.readouterr().out.splitlines()[1].replace("┃", "").split()

    ranked = [Row(path=Path(f"{n}.jpg"), rank=n, score=50.0, flaw="none") for n in range(1, 40)]
    assert header(ranked) == ["rank", "score", "photo", "size"]
    ranked[20] = replace(ranked[20], flaw="blur", rating=3.0)  # in the middle, which is not shown
    assert header(ranked) == ["rank", "score", "photo", "size"]
    assert header(ranked, "score") == ["rank", "score", "photo", "size"]
    ranked[0] = replace(ranked[0], flaw="noise", burst=1)
    assert header(ranked) == ["rank", "score", "flaw", "photo", "burst", "size"]


def test_a_figure_that_is_undefined_is_no_0(capsys):
    display.show_curve("median", [("0", Range(None, None, None)), ("20", Range(0.5, 0.25, 0.75))])
    lines = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines()]
    cells = [[cell.strip() for cell in line] for line in lines if line]
    assert cells == [["0", "undefined", ""], ["20", "0.500", "0.250 - 0.750"]]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (80, "rank score stars flaw photo burst size"),
        (60, "rank score stars photo burst"),
        (40, "rank score photo"),
        (24, "score photo"),
    ],
)
def test_a_narrow_terminal_still_shows_names(capsys, monkeypatch, width, columns):
    monkeypatch.setenv("COLUMNS", str(width))
    row = Row(path=Path("photos/IMG_0001.jpg"), rank=1, score=50.0, width=6000, height=4000)
    display.show_table([replace(row, rating=4.0, flaw="motion_blur", burst=12, is_burst_best=True)])
    shown = capsys.readouterr().out
    assert shown.splitlines()[1].replace("┃", "").split() == columns.split()
    cells = [line.split("│") for line in shown.splitlines()[3:-1]]
    place = columns.split().index("photo") + 1
    assert "".join(cell[place].strip() for cell in cells) == "photos/IMG_0001.jpg"
    assert "…" not in shown


def test_a_terminal_shows_what_photos_are_sorted_by(tmp_path):
    lines = ["path,score,flaw_blur,width", "a.jpg,50,0.25,40", "b.jpg,60,,80", "c.jpg,70,0.5,60"]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    command = [sys.executable, "-m", "contrique_cli", "select", "--from", tmp_path / "r.csv"]
    for by, values in (("flaw_blur", ["0.25", "0.5", ""]), ("width", ["80", "60", "40"])):
        mine, theirs = pty.openpty()
        environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
        subprocess.run([*command, "--by", by], stdout=theirs, cwd=ROOT, check=True, env=environment)
        table = [line.split("│") for line in os.read(mine, 65536).decode().splitlines()]
        os.close(mine)
        os.close(theirs)
        assert [cells[3].strip() for cells in table if len(cells) > 3] == values
