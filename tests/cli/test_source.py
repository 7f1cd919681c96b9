"""Reports that commands act on."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.mark.parametrize("kind", ["csv with sep", "csv from powershell", "parquet", "xlsx"])
def test_a_report_of_every_kind_is_acted_on(contrique, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for name in ("ä.jpg", "b;c.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0")
    table = pd.DataFrame({"path": ["ä.jpg", "b;c.jpg", "bad.jpg"], "score": [80.5, 90, None]})
    path = tmp_path / f"report.{kind.split()[0]}"
    if kind == "csv with sep":
        text = "\ufeffsep=;\r\n" + table.to_csv(index=False, sep=";", decimal=",")
        path.write_text(text, encoding="utf-8")
    elif kind == "csv from powershell":
        path.write_text(table.to_csv(index=False, quoting=1), encoding="utf-16")
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_excel(path, index=False)
    done = contrique("select", "--from", path, "--list")
    assert (done.status, done.out.split("\n")) == (0, ["b;c.jpg", "ä.jpg", ""]), done.err


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_wrong_cell_is_named_by_the_row_that_a_spreadsheet_shows(contrique, tmp_path, kind):
    """Behind blank rows and cells of several lines, however the sheet was saved."""
    notes = ["two\nlines", None, "three\r\n\nlines", ""]
    table = pd.DataFrame({"path": ["a.jpg", None, "b.jpg", "c.jpg"], "note": notes})
    table["score"] = [1, None, 2, "good"]
    path = tmp_path / f"report.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_excel(path, index=False)
    for command in (("select", "--list"), ("rate", "--dry-run"), ("gallery", "--output", "p.html")):
        done = contrique(*command, "--from", path)
        assert (done.status, done.out) == (1, "")
        assert f"report.{kind}, row 5: the score 'good' is not a number" in done.err
    done = contrique("fit-regressor", "--mos", path, "--model", "tiny", "-o", "mine")
    assert (done.status, "the score is not a number: row 5; mend" in done.err) == (1, True)


@pytest.mark.parametrize(
    "command", [("select",), ("rate", "--dry-run"), ("gallery", "--output", "p.html")]
)
def test_a_report_without_scores_is_refused_by_what_people_call_it(contrique, command):
    done = contrique(*command, "--from", "-", stdin=b"path,score,error\na.jpg,,bad\n")
    words = "error: the report on standard input has 1 photo, and none with a score\n"
    assert (done.status, done.err) == (1, words)


def test_photos_of_a_report_and_of_a_list_that_are_not_there_are_named(
    contrique, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "report.csv"
    report.write_text("path,score\nphotos/a.jpg,50\nphotos/gone.jpg,40\n")
    picks = tmp_path / "picks.json"
    picks.write_text(
        '{"format": "contrique-picks", "version": 1, "photos": '
        '[{"path": "photos/a.jpg", "rating": 1}, {"path": "photos/gone.jpg", "rating": 2}]}'
    )
    for command in (
        ("select", "--from", report, "--list"),
        ("rate", "--from", report, "--dry-run"),
        ("rate", "--from", picks, "--dry-run"),
        ("gallery", "--from", report, "--output", "page.html"),
    ):
        done = contrique(*command)
        assert done.status == 3
        assert done.err.startswith("not there: 1 photo\n  photos/gone.jpg: no such file\n")
        assert contrique(*command, "--quiet").err == ""
