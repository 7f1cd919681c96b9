"""Reports as data frames: the same from every format, with numbers that are numbers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

import contrique_cli
from contrique_cli.errors import BadReport
from contrique_cli.reports import rows as report_rows
from tests.reports.test_rows import FULL

ABOUT = {"contrique": "1", "encoder": "f" * 64, "max_side": 64}


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_every_format_reads_into_the_same_frame(tmp_path, form):
    path = tmp_path / f"r.{form}"
    path.write_bytes(report_rows.to_bytes(report_rows.rank(FULL), form, ABOUT))
    frame = contrique_cli.read_report(path)
    assert list(frame.columns) == report_rows.COLUMNS
    assert frame["rank"].to_list() == [1, 2, pd.NA]
    assert frame["score"].mean() == 41.75
    assert frame["burst_best"].to_list() == [True, pd.NA, pd.NA]
    assert frame["flaw"].to_list() == ["blur", None, None]
    assert frame["error"].to_list() == [None, None, "no picture"]
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert [kinds[name] for name in ("rank", "raw", "burst_best", "path")] == [
        *("Int64", "float64", "boolean", "object")
    ]
    assert frame.attrs == ({"schema": 1, **ABOUT} if form in ("json", "parquet") else {})


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_every_column_comes_back(tmp_path, form):
    row = report_rows.Row(
        **dict.fromkeys(("score", "raw", "rating", "flaw_probability"), 0.5),
        **dict.fromkeys(("rank", "width", "height", "burst"), 7),
        **{name: f"a {name}" for name in ("flaw", "source", "burst_kind", "note")},
        path=Path("a.jpg"),
        is_burst_best=False,
        companion=Path("a.dng"),
    )
    path = tmp_path / f"r.{form}"
    path.write_bytes(report_rows.to_bytes([row], form, {}))
    (found,) = contrique_cli.read_report(path).to_dict("records")
    assert found == {name: value for name, value in report_rows.cells(row).items() if name in found}
    assert [name for name, value in found.items() if value is None] == ["error"]


def test_parquet_tells_any_reader_which_model_made_it(tmp_path):
    path = tmp_path / "r.parquet"
    path.write_bytes(report_rows.to_parquet(FULL, ABOUT))
    assert json.loads(parquet.read_schema(path).metadata[b"contrique"])["encoder"] == "f" * 64
    assert pd.read_parquet(path)["raw"].to_list()[:2] == [0.25, -0.5]


def test_a_name_that_is_not_utf_8_is_escaped_in_parquet(tmp_path):
    path = tmp_path / "r.parquet"
    name = Path(os.fsdecode(b"\xff.jpg"))
    path.write_bytes(report_rows.to_parquet([report_rows.Row(path=name, score=1.0)], {}))
    assert contrique_cli.read_report(str(path))["path"][0] == "\\udcff.jpg"


def test_what_is_no_report_names_the_file_and_the_line(tmp_path):
    (tmp_path / "r.csv").write_text("path,score\na,good\n")
    with pytest.raises(BadReport, match=r"r\.csv, row 2: the score 'good'"):
        contrique_cli.read_report(tmp_path / "r.csv")
    with pytest.raises(BadReport, match="no such file"):
        contrique_cli.read_report(tmp_path / "gone")


@pytest.mark.usefixtures("tiny_regressor")
def test_a_scorer_gives_a_frame(photos):
    (photos / "d.jpg").write_bytes(b"no photo")
    scorer = contrique_cli.Scorer(regressor="tiny", device="cpu")
    frame = scorer.frame(photos)
    assert [Path(path).name for path in frame["path"]] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert frame["score"].to_list()[:3] == [one.score for one in scorer.score(photos)][:3]
    assert frame["width"].to_list() == [160, 160, 160, pd.NA]
    assert frame["error"].notna().to_list() == [False, False, False, True]
    assert frame.attrs == scorer.about


@pytest.mark.usefixtures("tiny_regressor")
def test_a_parquet_report_is_written_and_acted_on(contrique, photos, tmp_path):
    report = tmp_path / "report.parquet"
    args = ("--regressor", "tiny", "--device", "cpu", "--output")
    assert contrique("score", photos, *args, report).status == 0
    frame = contrique_cli.read_report(report)
    assert frame["rank"].to_list() == [1, 2, 3]
    assert frame.attrs["regressor"] == "tiny"
    listed = contrique("select", "--from", report, "--list")
    assert listed.out.splitlines() == frame["path"].to_list()


@pytest.mark.usefixtures("tiny_regressor")
def test_parquet_without_pyarrow_or_a_file_is_refused_before_the_work(
    contrique, photos, tmp_path, monkeypatch
):
    args = ("score", photos, "--regressor", "tiny", "--device", "cpu")
    done = contrique(*args, "--format", "parquet")
    assert (done.status, "needs --output" in done.err) == (2, True)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = contrique(*args, "--output", tmp_path / "r.parquet")
    assert (done.status, "contrique[parquet]" in done.err) == (1, True)
    assert not (tmp_path / "r.parquet").exists()
