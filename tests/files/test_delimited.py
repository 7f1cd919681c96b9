"""Delimited text: its cells as they stand, by the row that a spreadsheet shows."""

from __future__ import annotations

import pytest

from contrique_cli.files import delimited


def cells(text: str) -> list[list[str]]:
    """Those that are there, of each row."""
    frame, _ = delimited.read(text)
    assert list(frame.index) == list(range(len(frame)))
    return [[cell for cell in row if cell is not None] for row in frame.to_numpy()]


def test_blank_rows_stay_and_a_cell_of_several_lines_is_in_one_row():
    text = '\n\r\na,b\r\n"x\ny\r\n",1\n,\n\n2,3'
    assert cells(text) == [[], [], ["a", "b"], ["x\ny\r\n", "1"], ["", ""], [], ["2", "3"]]


def test_cells_stay_as_they_stand():
    assert cells("a,b\n007,NA\n 1e3 ,2024-01-02\nnan,\n") == [
        ["a", "b"],
        ["007", "NA"],
        [" 1e3 ", "2024-01-02"],
        ["nan", ""],
    ]


def test_rows_may_be_short_or_long():
    text = "a,b\n1\n,2,3\n4,5,,6,7,8\n,,,\n"
    assert cells(text) == [line.split(",") for line in text.splitlines()]


def test_a_header_may_be_of_several_lines_and_narrower_than_what_is_above_it():
    text = "\n" + ";" * 40 + '\n"a\nb";"c;d"\n1;2\n'
    assert cells(text)[2:] == [["a\nb", "c;d"], ["1", "2"]]
    assert delimited.read(text)[1] == 2


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a;b\n1,5;2,5\n", ["a", "b"]),
        ("a,b;c\n", ["a,b", "c"]),
        ('"a;x",b,c\n', ["a;x", "b", "c"]),
        ("a\tb\n1,5\t2,5\n", ["a", "b"]),
        ("a b   c\n1 2 3\n", ["a", "b", "c"]),
        ("a b,c\n", ["a b", "c"]),
        ("path\na b.jpg\n", ["path"]),
        ("sep=|\na,b|c\n", ["a,b", "c"]),
        ('"sep=\t"\r\na,b\tc\n', ["a,b", "c"]),
        ("sep=\na\n", ["sep="]),
        ("sep=§\na,b§c\n", ["a,b", "c"]),
        ("sep=*\na,b*c\n", ["a,b", "c"]),
    ],
)
def test_the_separator_is_found_or_told(text, header):
    assert cells(text)[0] == header


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", " is empty; its first line must name the columns"),
        ("sep=;\n \n", " is empty"),
        ('a,b\n"x\n",1\n\n"x"y,1\n1,2\n', ", row 4: not readable as CSV .*; mend or remove"),
        ('a,b\n1,2\n"x,1\n1,2\n', ", row 3: not readable as CSV"),
        ("a,b\n1," + "x" * 200_000 + "\n", ", row 2: not readable as CSV .*field limit"),
        ("x" * 200_000 + ",b\n1,2\n", ", row 1: not readable as CSV"),
        ('a,b\n"1\n",2\n1' + "," * 20, ", row 3: .* saw 21"),
        ("a,b\n" + "1,2\n" * 20_000 + "," * 100_000, ", row 20002: .* saw 100001"),
        ("a," * 100_000 + "\n1\n", " is larger than any table"),
        ("a," * 10_000 + "\n" + "1\n" * 1_000, " is larger than any table"),
    ],
)
def test_what_cannot_be_taken_apart_is_said_with_its_row(text, said):
    """Also where a frame would be far larger than the text."""
    with pytest.raises(ValueError, match=f"^{said}"):
        delimited.read(text)
