"""Rows: ranking, selection and the three file formats."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from contrique_cli.reports import reading
from contrique_cli.reports import rows as report_rows
from contrique_cli.reports.rows import Row


def row(name: str, score: float | None, **more) -> Row:
    return Row(path=Path(name), score=score, error=None if score is not None else "bad", **more)


def order(rows: list[Row]) -> list[tuple[str, int | None]]:
    return [(str(one.path), one.rank) for one in report_rows.rank(rows)]


ROWS = [row("c", 10.0), row("x", None), row("b", 90.0), row("a", 10.0)]


def test_best_first_equal_scores_by_path_failures_last():
    assert order(ROWS) == [("b", 1), ("a", 2), ("c", 3), ("x", None)]


def test_equal_scores_are_ranked_by_what_is_not_clipped():
    clipped = [row("a", 100.0, quality=1.5), row("b", 100.0, quality=2.5), row("c", 99.0)]
    assert order(clipped) == [("b", 1), ("a", 2), ("c", 3)]


def test_csv_reads_back_in_pandas_and_formulas_are_harmless():
    rows = [row("=SUM(A1)", 12.345, raw=0.5), Row(path=Path("a"), error="=evil")]
    table = pd.read_csv(io.BytesIO(report_rows.to_csv(rows)))
    assert list(table["path"]) == ["./=SUM(A1)", "a"]
    assert table["score"][0] == 12.35 or table["score"][0] == 12.34
    assert table["error"][1] == "'=evil"


def test_json_lines_read_in_pandas():
    lines = b"".join(map(report_rows.to_json_line, ROWS))
    table = pd.read_json(io.BytesIO(lines), lines=True)
    assert list(table["path"]) == ["c", "x", "b", "a"]


def test_a_name_that_is_not_utf_8_survives_json():
    name = b"\xff.jpg".decode("utf-8", "surrogateescape")
    line = report_rows.to_json_line(row(name, 1.0))
    line.decode("utf-8")
    assert json.loads(line)["path"] == name


def test_a_reference_gets_its_column_only_where_there_is_one():
    assert b"reference" not in report_rows.to_csv(ROWS)
    assert report_rows.to_csv([row("a", 1.0, reference=Path("r"))]).startswith(
        b"rank,reference,path"
    )


FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1+1", "\0=1+1",
    "\N{FULLWIDTH EQUALS SIGN}1+1", "\N{FULLWIDTH PLUS SIGN}1+1",
    "\N{FULLWIDTH HYPHEN-MINUS}1+1", "\N{FULLWIDTH COMMERCIAL AT}SUM(1)",
]  # fmt: skip
SEPARATED = ["x,=1+1", "x;=1+1", "x\t=1+1", '"=1+1"', '",=1+1', "x\n=1+1", "x\r=1+1", "x\r\n=1+1"]


@pytest.mark.parametrize("text", [*FORMULAS, *SEPARATED])
def test_no_text_begins_a_cell_as_a_formula_does_and_none_breaks_out_of_its_cell(text):
    row = Row(
        path=Path(text), score=1.0, flaw=text, source=text, note=text, error=text,
        companion=Path(text),
    )  # fmt: skip
    data = report_rows.to_csv([row])
    header, *lines = csv.reader(io.StringIO(data.decode(), newline=""))
    ((*cells,),) = lines
    assert [
        cell[:1] for cell in cells if cell[:1] in set("".join(one[0] for one in FORMULAS))
    ] == []
    assert len(header) == len(report_rows.COLUMNS)
    assert Path(text) in reading.spellings(Path(cells[1]))
    assert cells[header.index("companion")] == cells[1]
    words = [cells[header.index(name)] for name in ("flaw", "source", "note", "error")]
    plain = [reading.ESCAPE.sub(reading.unescape, cell) for cell in words]
    assert [cell.removeprefix("'") for cell in plain] == [text] * 4


@pytest.mark.parametrize("separator", list(",;\t|"))
@pytest.mark.parametrize("quote", ['"', None])
def test_no_reader_of_another_separator_finds_a_formula(separator, quote):
    rows = [
        Row(path=Path(f"a{within}{start}1+1{end}"), error=f"b{within} '\"{start}1+1{end}")
        for within in ";\t|\r\n"
        for start in "=+-@"
        for end in ("", ",x", '"')
    ]
    text = report_rows.to_csv(rows).decode()
    if quote is None or separator == ",":
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    else:  # a quote in mid-line is none to this reader
        lines = (line.split(separator) for line in re.split("[\r\n]", text))
    if separator == "," and quote is None:
        return  # a reader that knows no quotes is no reader of CSV
    for cell in (cell.strip(" '\"") for line in lines for cell in line):
        assert not cell.startswith(("=", "+", "-", "@")), cell


def test_numbers_stay_numbers():
    data = report_rows.to_csv([Row(path=Path("a"), score=1.0, raw=-0.5)])
    assert b",-0.5," in data


@pytest.mark.skipif(shutil.which("ssconvert") is None, reason="needs gnumeric's ssconvert")
def test_a_spreadsheet_sees_text_and_numbers_and_no_formula(tmp_path):
    names = [text for text in FORMULAS + SEPARATED if "\0" not in text]
    rows = [Row(path=Path(text), score=1.5, raw=-0.5, flaw=text, error=text) for text in names]
    (tmp_path / "r.csv").write_bytes(report_rows.to_csv(rows))
    (tmp_path / "bad.csv").write_text("path,score\n=1+1,=2+2\n")

    def cells(name: str) -> list[tuple[str, str]]:
        command = ["ssconvert", "-T", "Gnumeric_XmlIO:sax:0", f"{name}.csv", f"{name}.xml"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        text = (tmp_path / f"{name}.xml").read_text()
        return re.findall(r"<gnm:Cell ([^>]*)>([^<]*)<", text)

    formulas = [value for kind, value in cells("bad") if "ValueType" not in kind]
    assert formulas == ["=1+1", "=2+2"]
    assert [value for kind, value in cells("r") if "ValueType" not in kind] == []
    assert len([1 for kind, value in cells("r") if value == "-0.5"]) == len(names)


FULL = [
    Row(
        path=Path("a.jpg"),
        score=71.5,
        raw=0.25,
        flaw="blur",
        flaw_probability=0.75,
        width=40,
        height=30,
        source="photo",
        burst=1,
        is_burst_best=True,
    ),
    Row(path=Path("b.jpg"), score=12.0, raw=-0.5, width=40, height=30),
    Row(path=Path("c.jpg"), error="no picture"),
]


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_pandas_reads_every_form_with_the_same_columns_and_numbers(form):
    data = report_rows.to_bytes(report_rows.rank(FULL), form, {"version": "1"})
    if form == "csv":
        table = pd.read_csv(io.BytesIO(data))
    elif form == "jsonl":
        table = pd.read_json(io.BytesIO(data), lines=True)
    else:
        table = pd.json_normalize(json.loads(data), "photos")
    assert list(table.columns) == report_rows.COLUMNS
    assert list(table["path"]) == ["a.jpg", "b.jpg", "c.jpg"]
    for name in ("rank", "score", "flaw_probability", "raw", "width", "height", "burst"):
        assert table[name].dtype.kind == "f", name  # numbers, with gaps
    assert table["score"].mean() == 41.75
    assert table["burst_best"][0] in (True, "True")
    assert table["flaw"][0] == "blur"
    assert table[["flaw", "burst"]].isna().sum().to_list() == [2, 2]


def test_the_schema_is_a_number_at_the_head_of_json():
    document = json.loads(report_rows.to_json(FULL, {"version": "1"}))
    assert list(document) == ["schema", "version", "photos"]
    assert document["schema"] == report_rows.SCHEMA == 1
    assert [list(photo) for photo in document["photos"]] == [report_rows.COLUMNS] * 3
