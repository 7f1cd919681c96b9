"""Rows: ranking, selection and the three file formats."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd

from contrique_cli import report
from contrique_cli.config import Selection
from contrique_cli.report import Row


def row(name: str, score: float | None, **more) -> Row:
    return Row(path=Path(name), score=score, error=None if score is not None else "bad", **more)


def order(rows: list[Row], **selection) -> list[tuple[str, int | None]]:
    return [(str(one.path), one.rank) for one in report.rank(rows, Selection(**selection))]


ROWS = [row("c", 10.0), row("x", None), row("b", 90.0), row("a", 10.0)]


def test_best_first_equal_scores_by_path_failures_last():
    assert order(ROWS) == [("b", 1), ("a", 2), ("c", 3), ("x", None)]


def test_reverse_turns_the_order_not_the_ranks():
    assert order(ROWS, reverse=True) == [("c", 3), ("a", 2), ("b", 1), ("x", None)]


def test_top_and_bounds_leave_out_the_rest_and_the_failures():
    assert order(ROWS, top=1) == [("b", 1)]
    assert order(ROWS, top=1, reverse=True) == [("c", 3)]
    assert order(ROWS, min_score=10.0, max_score=50.0) == [("a", 2), ("c", 3)]


def test_csv_reads_back_in_pandas_and_formulas_are_harmless():
    rows = [row("=SUM(A1)", 12.345, raw=0.5), Row(path=Path("a"), error="=evil")]
    table = pd.read_csv(io.BytesIO(report.to_csv(rows)))
    assert list(table["path"]) == ["./=SUM(A1)", "a"]
    assert table["score"][0] == 12.35 or table["score"][0] == 12.34
    assert table["error"][1] == "'=evil"


def test_json_lines_read_in_pandas():
    lines = b"".join(map(report.to_json_line, ROWS))
    table = pd.read_json(io.BytesIO(lines), lines=True)
    assert list(table["path"]) == ["c", "x", "b", "a"]


def test_a_name_that_is_not_utf_8_survives_json():
    name = b"\xff.jpg".decode("utf-8", "surrogateescape")
    line = report.to_json_line(row(name, 1.0))
    line.decode("utf-8")
    assert json.loads(line)["path"] == name


def test_a_reference_gets_its_column_only_where_there_is_one():
    assert b"reference" not in report.to_csv(ROWS)
    assert report.to_csv([row("a", 1.0, reference=Path("r"))]).startswith(b"rank,reference,path")
