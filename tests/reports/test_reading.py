"""Reports read back as they were written, and as a spreadsheet saves them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from contrique_cli.errors import BadReport
from contrique_cli.reports import reading
from contrique_cli.reports import rows as report_rows
from contrique_cli.reports.rows import Row

HOSTILE = [
    b"=cmd()|.png",
    b"+1.png",
    b"-r.png",
    b"@x.png",
    b"\ttab.png",
    b"new\nline.png",
    b"carriage\rreturn.png",
    b'q"uo,te;.png',
    b"'apostrophe.png",
    b" blank .png",
    b"\xff\xfe.png",
    "\N{CAMERA}.png".encode(),
    b"\x1b[31m.png",
    b"..\\..\\x.png",
]
ROWS = [
    Row(path=Path(os.fsdecode(name)), score=float(number), raw=0.5, flaw="blur", error=None)
    for number, name in enumerate(HOSTILE)
] + [Row(path=Path("bad.png"), error="=no photo")]
FORMS = {
    "csv": report_rows.to_csv,
    "json": lambda rows: report_rows.to_json(rows, {"version": "1"}),
    "jsonl": lambda rows: b"".join(map(report_rows.to_json_line, rows)),
}


def simple(rows: list[Row]) -> list[tuple]:
    return [(str(row.path), row.score, row.flaw, row.error) for row in rows]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_reads_back_exactly(form):
    assert simple(reading.read(FORMS[form](ROWS), "r")) == simple(ROWS)


def test_csv_reads_back_with_every_path_among_its_spellings():
    for row, original in zip(reading.read(FORMS["csv"](ROWS), "r"), ROWS, strict=True):
        assert original.path in reading.spellings(row.path)
        assert (row.score, row.flaw, row.error) == (original.score, original.flaw, original.error)


def test_a_spelling_for_formulas_is_the_same_file():
    assert list(reading.spellings(Path("./=x.jpg"))) == [Path("=x.jpg")]
    assert list(reading.spellings(Path("'=x.jpg"))) == [Path("'=x.jpg"), Path("=x.jpg")]


TABLES = {
    "other order of columns": "score,extra,path\n2,x,a.jpg\n,y,b.jpg\n",
    "semicolons and decimal commas": "path;score;flaw\na.jpg;2,0;\nb.jpg;;\n",
    "pipes": "path|score\na.jpg|2\nb.jpg|\n",
    "a line for the separator": "sep=;\r\npath;score\r\na.jpg;2,0\r\nb.jpg;\r\n",
    "quoted decimal commas": 'path,score\na.jpg,"2,0"\nb.jpg,\n',
    "columns of rows": '{"path": {"0": "a.jpg", "1": "b.jpg"}, "score": {"0": 2, "1": null}}',
    "tabs": "path\tscore\na.jpg\t2\nb.jpg\t\n",
    "capitals and blanks": " Path , SCORE \na.jpg,2\nb.jpg,\n",
    "crlf": "path,score\r\na.jpg,2\r\nb.jpg,\r\n",
    "quotes": '"path","score"\n"a.jpg","2"\n"b.jpg",""\n',
    "short lines": "path,score\na.jpg,2\nb.jpg\n",
    "long lines": "path,score\na.jpg,2,x,y\nb.jpg,,z\n",
    "empty lines": "path,score\n\na.jpg,2\n\nb.jpg,\n\n",
    "later row holds": "path,score\na.jpg,1\na.jpg,2\nb.jpg,\n",
    "array": '[{"path": "a.jpg", "score": 2}, {"path": "b.jpg", "score": null}]',
    "lines": '{"path": "a.jpg", "score": 2}\n\n{"path": "b.jpg"}',
    "pretty": json.dumps({"photos": [{"path": "a.jpg", "score": 2}, {"path": "b.jpg"}]}, indent=4),
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_other_shapes_of_the_same_report_read_the_same(text, codec):
    rows = reading.read(text.encode(codec), "r")
    assert simple(rows) == [("a.jpg", 2.0, None, None), ("b.jpg", None, None, None)]


def test_one_line_of_json_lines_is_a_report():
    assert len(reading.read(b'{"path": "a.jpg", "score": 2}\n', "r")) == 1


def test_a_report_saved_by_pandas_reads_back(tmp_path):
    rows = [row for row in ROWS if "\r" not in str(row.path)]  # which pandas does not quote
    (tmp_path / "r.csv").write_bytes(report_rows.to_csv(rows))
    table = pd.read_csv(tmp_path / "r.csv")
    again = reading.read(table.sort_index(axis=1).to_csv(index=True).encode(), "r")
    assert [row.score for row in again] == [row.score for row in rows]
    lines = table.to_json(orient="records", lines=True).encode()
    assert [row.score for row in reading.read(lines, "r")] == [row.score for row in rows]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"sep=;\n", "is empty"),
        (b"path,score,rank\na,1,0.5\n", "row 2: the rank 0.5 is not a whole number from 1"),
        (b"path,score,width\na,1,wide\n", "row 2: the width 'wide' is not a number"),
        (b"path," + b"x" * 200_000 + b"\n", "row 1: not readable as CSV"),
        (b'path,score\n\'"a,1\n"b,1', "row 3: not readable as CSV"),
        (b'{"path": "\\ud800", "score": 1}', "photo 1 has no path that a file could have"),
        (b'[{"path": "a", "score": 1' + b"0" * 400 + b"}]", "is not a number"),
        (b"PAR1" + b"x" * 99, "not readable as Parquet"),
        (b"PK\x03\x04" + b"x" * 99, "not readable as Excel"),
        (b"path,score\n", "lists no photo"),
        (b"a,b\n1,2\n", r"no column path and no column score \(but a, b\)"),
        (b"path,mos\na,1\n", "no column score"),
        (b"path,score\na,1\nb,good\n", "row 3: the score 'good' is not a number"),
        (b"path,score\na,nan\n", "row 2: the score"),
        (b"path,score\n,1\n", "row 2 has no path"),
        (b"path,score\na\0b,1\n", r"not a text file \(line 2\)"),
        (b"path,score\n\xe4.jpg,1\n", "not UTF-8 text"),
        (b"path,score\n" + b"a" * 200_000 + b",1\n", "field larger than field limit"),
        (b'{"photos": 3}', "is not a list"),
        (b'{"photos": [3]}', "photo 1 is not a row"),
        (b'{"photos": []}', "lists no photo"),
        (b'{"path": "a", "score": true}', "is not a number"),
        (b'{"path": "a", "score": 1e999}', "is not a number"),
        (b'{"path": 7, "score": 1}', "photo 1 has no path"),
        (b'{"path": "a", "score": 1}\n{"path": "b", "sc', "line 2 is not JSON"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (b'{"path": "a", "score": {}}', "is not a number"),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(data, message):
    with pytest.raises(BadReport, match=message):
        reading.read(data, "r.csv")


FULL = [
    Row(
        path=Path("a.jpg"),
        rank=1,
        score=71.5,
        raw=0.25,
        quality=0.25,
        flaw="blur",
        flaw_probability=0.75,
        width=40,
        height=30,
        source="photo",
        burst=1,
        is_burst_best=True,
    ),
    Row(path=Path("b.jpg"), rank=2, score=12.0, raw=-0.5, quality=-0.5, is_burst_best=False),
    Row(path=Path("c.jpg"), error="no picture"),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_column_comes_back(form):
    assert reading.read(FORMS[form](FULL), "r") == FULL


def test_the_direction_of_raw_values_is_that_of_the_scores():
    lines = b"path,score,raw\na,100,1.5\nb,100,0.5\nc,20,3\n"
    assert [row.quality for row in reading.read(lines, "r")] == [-1.5, -0.5, -3.0]


@pytest.mark.parametrize("cells", ["1.5,50", "x,50", "1,inf", "0,50", "1e999,50"])
def test_a_rank_that_is_none_is_named(cells):
    with pytest.raises(BadReport, match=r"r, row 2: the (rank|score)"):
        reading.read(f"rank,score,path\n{cells},a\n".encode(), "r")


def test_probabilities_of_flaws_come_back_and_notes_of_others_are_none():
    row = Row(path=Path("a.jpg"), score=1.0, flaws=(("motion blur", 0.25), ("noise", 0.5)))
    data = report_rows.to_json([row], {})
    assert b'"flaw_motion_blur": 0.25' in data
    (found,) = reading.read(data.replace(b'"note": null', b'"flaw_notes": "mine"'), "r.json")
    assert found.flaws == row.flaws
