"""Tables: every kind to the same rows, and one line about everything else."""

from __future__ import annotations

import io
import json
import math
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from contrique_cli.errors import BadLabels, MissingExtra
from contrique_cli.files import tables

ROWS = [["ä b.jpg", 1.5], ["c,d;e.jpg", 2.0]]
TEXT = 'name;mos\r\nä b.jpg;1,5\r\n\r\n"c,d;e.jpg";2,0\r\n'


def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=["name", "mos"])


def packed(write) -> bytes:
    data = io.BytesIO()
    write(data)
    return data.getvalue()


KINDS = {
    "semicolons": TEXT.encode(),
    "utf-8 with a mark": TEXT.encode("utf-8-sig"),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16 from the other end": "\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"),
    "utf-32": TEXT.encode("utf-32"),
    "told separator": ("\ufeffsep=;\r\n" + TEXT).encode(),
    "told tab": ("SEP=\t\n" + TEXT.replace('"', "").replace("d;e", "d_e").replace(";", "\t"))
    .replace("d_e", "d;e")
    .encode(),
    "commas": frame().to_csv(index=False).encode(),
    "pipes": frame().to_csv(index=False, sep="|").encode(),
    "tabs": frame().to_csv(index=False, sep="\t").encode(),
    "blanks": b'name  mos\n"\xc3\xa4 b.jpg"  1.5\n  c,d;e.jpg 2\n',
    "json": frame().to_json(orient="records").encode(),
    "pandas' json": frame().to_json().encode(),
    "json lines": b"\n" + frame().to_json(orient="records", lines=True).encode(),
    "a document": json.dumps({"a": 1, "photos": frame().to_dict("records")}).encode(),
    "parquet": packed(frame().to_parquet),
    "excel": packed(lambda data: frame().to_excel(data, index=False)),
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_every_kind_gives_the_same_rows(data):
    table = tables.parse(data, "t", BadLabels)
    assert list(table.columns) == ["name", "mos"]
    assert [[row[0], tables.number(row[1])] for row in table.frame.to_numpy()] == ROWS


@pytest.mark.parametrize(
    ("kind", "unit", "places"),
    [
        ("semicolons", "row", [2, 4]),
        ("told separator", "row", [2, 4]),
        ("json", "photo", [1, 2]),
        ("json lines", "line", [2, 3]),
        ("parquet", "row", [1, 2]),
        ("excel", "row", [2, 3]),
    ],
)
def test_rows_know_where_they_stand(kind, unit, places):
    table = tables.parse(KINDS[kind], "t", BadLabels)
    found = [str(table.position(number)) for number in table.frame.index]
    assert found == [f"{unit} {place}" for place in places]


def rows(table: tables.Table) -> dict[int, list]:
    return {number: list(cells) for number, *cells in table.frame.itertuples(name=None)}


SHEET = [["a", "b"], ["x\ny", "1"], [None, None], ["2", "3"], ["\r\n\r\n", "4"], ["5", "6"]]


@pytest.mark.parametrize("kind", ["csv", "excel"])
def test_rows_are_counted_as_a_spreadsheet_shows_them(kind):
    """Behind blank rows and cells of several lines, and alike however the sheet is saved."""
    sheet = pd.DataFrame(SHEET)
    if kind == "csv":
        data = sheet.to_csv(index=False, header=False).encode()
    else:
        data = packed(lambda file: sheet.to_excel(file, index=False, header=False))
    table = tables.parse(data, "t", BadLabels)
    assert list(rows(table)) == [2, 4, 5, 6]
    assert rows(table)[6][:2] == ["5", "6"]


def test_blank_rows_of_a_sheet_count_and_are_left_out():
    sheet = pd.DataFrame([[None, None], ["name", "mos"], [None, None], [7, 1]])
    data = packed(lambda file: sheet.to_excel(file, index=False, header=False))
    table = tables.parse(data, "t", BadLabels)
    assert (list(table.header.index), table.columns) == ([2], ["name", "mos"])
    assert rows(table) == {4: [7, 1]}


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1.5", 1.5), (" -1,5 ", -1.5), (".5", 0.5), ("2e-1", 0.2), (3, 3.0), ("7.", 7.0)],
)
def test_a_number_is_what_a_spreadsheet_writes(cell, number):
    assert tables.number(cell) == number


@pytest.mark.parametrize(
    "cell",
    [*"|x|nan|inf|1_0|1e999|1,234.5|1 5|0x1|1,2,3".split("|"), None, True, [], 10**400, math.nan],
)
def test_nothing_else_is_a_number(cell):
    with pytest.raises(ValueError, match="not a number"):
        tables.number(cell)


def test_numbers_and_names_stay_as_they_stand():
    table = tables.parse(b"a,b\n007,NA\n1e3,2024-01-02\n", "t", BadLabels)
    assert [row[:2] for row in rows(table).values()] == [["007", "NA"], ["1e3", "2024-01-02"]]
    big = 2**60 + 1
    table = tables.parse(json.dumps([{"a": big, "b": "007"}, {"b": "1"}]).encode(), "t", BadLabels)
    assert rows(table) == {1: [big, "007"], 2: [None, "1"]}


LARGE = {
    "rows": [{f"a{number}": 1} for number in range(3_000)],
    "columns of rows": {f"a{number}": {f"b{number}": 1} for number in range(15_000)},
}


@pytest.mark.parametrize("document", LARGE.values(), ids=LARGE)
def test_json_whose_frame_would_be_far_larger_than_its_file_is_refused(document):
    with pytest.raises(BadLabels, match="t is larger than any table"):
        tables.parse(json.dumps(document).encode(), "t", BadLabels)


def bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(11):
            with file.open(f"{number}.xml", "w") as inner:
                for _ in range(100):
                    inner.write(bytes(1_000_000))
    return data.getvalue()


HOSTILE = {
    "nothing": b"",
    "only a mark": b"\xff\xfe",
    "half a character": b"\xff\xfea",
    "latin": "path,mos\nfête,1\n".encode("latin-1"),
    "zeros": bytes(100),
    "a picture": b"\x89PNG\r\n\x1a\n\0\0",
    "a long first cell": b"x" * 200_000 + b",y\n",
    "a long cell": b"a,b\n" + b"x" * 200_000 + b",y\n",
    "an open quote": b'a,b\n"x,1\n',
    "text behind a quote": b'a,b\n"x"y,1\n',
    "deep json": b"[" * 100_000,
    "deep json lines": b'{"a": 1}\n' + b"[" * 100_000,
    "a number of 5,000 digits": b'[{"a": ' + b"1" * 5000 + b"}]",
    "json of numbers": b"[1, 2]",
    "photos that are none": b'{"photos": {"a": 1}}',
    "half a character as a name": b'[{"\\ud800": 1}]',
    "half a document": b'{"a": 1}\n{"b"',
    "parquet that is none": b"PAR1" + bytes(100) + b"PAR1",
    "half of parquet": KINDS["parquet"][:-100],
    "scrambled parquet": KINDS["parquet"][:8] + bytes(200) + KINDS["parquet"][208:],
    "a zip that is none": b"PK\x03\x04" + bytes(100),
    "half of excel": KINDS["excel"][:-1000],
    "a zip of other things": packed(lambda data: zipfile.ZipFile(data, "w").writestr("a", "b")),
}
HOSTILE["a zip of other things"] = b"PK\x03\x04" + HOSTILE["a zip of other things"][4:]


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_table_is_one_line_that_names_the_file(data):
    with pytest.raises(BadLabels) as caught:
        tables.parse(data, "t.csv", BadLabels)
    assert str(caught.value).startswith("t.csv")
    assert "\n" not in str(caught.value)


def test_a_sheet_that_unpacks_to_gigabytes_is_refused():
    with pytest.raises(BadLabels, match="larger than any table"):
        tables.parse(bomb(), "t.xlsx", BadLabels)


@pytest.mark.parametrize(
    ("module", "kind", "extra"), [("pyarrow", "parquet", "parquet"), ("openpyxl", "excel", "excel")]
)
def test_a_missing_extra_is_named(monkeypatch, module, kind, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"contrique\[{extra}\]"):
        tables.parse(KINDS[kind], "t", BadLabels)


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path):
    for path in (tmp_path, tmp_path / "gone", tmp_path / "x\0y"):
        with pytest.raises(BadLabels, match=r"no such file|regular file|null byte|null character"):
            tables.read(path, BadLabels)
