"""Tables of opinion scores: what is understood, and what is said about what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contrique_cli.errors import BadLabels
from contrique_cli.opinions import labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "c.jpg", "ref.png"):
        (tmp_path / name).write_bytes(b"a photo")
    return tmp_path


def write(folder: Path, text: str | bytes, name: str = "scores.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def brief(found: labels.Labels) -> list[tuple[int, str, float]]:
    return [(row.position.number, row.path.name, row.mos) for row in found.rows]


THREE = [(2, "a.jpg", 1.5), (3, "b.jpg", 2.0)]


@pytest.mark.parametrize(
    "text",
    [
        "path,mos\na.jpg,1.5\nb.jpg,2\n",
        "\ufeffpath,mos\r\na.jpg,1.5\r\nb.jpg,2\r\n",
        "MOS;Image Name\n1,5;a.jpg\n2,0;b.jpg",
        "Filename\tstd\tQuality-Score\na.jpg\t9\t1.5\nb.jpg\t9\t 2 \n",
        '"dist_img","mos"\n"a.jpg","1.5"\n"./b.jpg","2"\n',
        "path,mos\na.jpg,1.5\nb.jpg,2\n,\n\n".encode("utf-16"),
        'path,mos\na.jpg,"1,5"\nb.jpg,"2,0"\n',
        "path|mos\na.jpg|1.5\nb.jpg|2\n",
        "mos   name\n1.5   a.jpg\n2  b.jpg \n",
        "mos_image,name_image,mos_patch_1,is_valid\n1.5,a.jpg,7,True\n2,b.jpg,8,True\n",
        "img_name,mos,std,split\na.jpg,1.5,0.1,-1\nb.jpg,2,0.1,-1\n",
        "hq_name,dist_name,elo_score\nref.png,a.jpg,1.5\nref.png,b.jpg,2\n",
    ],
    ids="plain,mark and CRLF,decimal comma,tabs,quotes,utf-16,quoted comma,pipes,blanks,FLIVE,pyiqa,"
    "PIPAL".split(","),
)
def test_the_usual_tables_are_understood(folder, text):
    assert brief(labels.read(write(folder, text))) == THREE


def test_blank_rows_count_and_quoted_breaks_do_not_as_in_a_spreadsheet(folder):
    text = 'path,note,mos\n\na.jpg,"two\nlines",1\n , ,\nb.jpg,,bad\n'
    with pytest.raises(BadLabels, match=r"the score is not a number: row 5;"):
        labels.read(write(folder, text))


def test_relative_paths_start_from_the_folder_given_and_absolute_ones_stay(folder, tmp_path):
    (tmp_path / "tables").mkdir()
    table = write(tmp_path / "tables", f"path,mos\na.jpg,1\n{folder / 'b.jpg'},2\n")
    assert [row.path for row in labels.read(table, photos=folder).rows] == [
        folder / "a.jpg",
        folder / "b.jpg",
    ]


def test_columns_can_be_named(folder):
    table = write(folder, "x,y,z,w\na.jpg,1,s1,ref.png\nb.jpg,2,s2,ref.png\n")
    found = labels.read(
        table, path_column="x", mos_column="Y", group_column="z", reference_column="w"
    )
    assert [row.group for row in found.rows] == ["s1", "s2"]
    assert {row.reference for row in found.rows} == {folder / "ref.png"}
    assert found.group_column == "z"


def test_references_are_the_groups_where_none_are_named(folder):
    found = labels.read(write(folder, "path,mos,r\na.jpg,1,ref.png\n"), reference_column="r")
    assert (found.group_column, found.rows[0].group) == ("r", "ref.png")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("file,path,mos\n", {}, r"the photos could be in file and path; name one with --path-col"),
        ("path,mos,dmos\n", {}, r"scores could be in mos and dmos; name one with --mos-column"),
        ("x,mos\n", {}, r"no column .* holds the photos; .*--path-column \(columns: x, mos\)"),
        ("path,x\n", {}, r"no column .* holds the opinion scores; name it with --mos-column"),
        ("a,1\nb,2\n", {}, r"its first line must name the columns, as in path,mos"),
        ("a.jpg,1,2\n", {}, r"scores could be in 2 and 3; name one with --mos-column"),
        ("path,mos\na.jpg,1_0\nb.jpg,1e999\n", {}, r"not a number: rows 2, 3;"),
        ("path,mos\na.jpg,1e300\n", {}, r"absurd number: row 2;"),
        ("path,mos\na.jpg,1,5\n", {}, r"more cells than columns \(a decimal comma .*\): row 2;"),
        ("mos,elo_score,name\n", {}, r"could be in mos and elo_score; name one with --mos-column"),
        ("path,mos\n", {"group_column": "g"}, r"no column g \(--group\); it has: path, mos"),
        ("path,g,G,mos\n", {"group_column": "Ĝ"}, r"no column Ĝ"),
        ("path,g,g,mos\n", {"group_column": "g"}, r"2 columns called g; rename one"),
        ("path,mos\n", {"mos_column": "path"}, r"cannot both be in column path"),
        ("path,mos\n", {}, r"holds no rows"),
        ("", {}, r"scores.csv: the file is empty"),
        ("\n \n", {}, r"scores.csv is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", {}, r"not UTF-8 text \(line 1\)"),
        (b"path,mos\na.jpg,1\0\n", {}, r"not a text file \(line 2\)"),
        ("path,mos\nfête.jpg,1\n".encode("latin-1"), {}, r"not UTF-8 text \(line 2\); save"),
        ('path,mos\n"a.jpg,1\n', {}, r"row 2: not readable as CSV"),
        ("path,mos\na.jpg\n", {}, r"too few columns: row 2"),
        ("path,mos\n,1\n", {}, r"no photo named: row 2"),
        ("path,mos\na.jpg,nan\nb.jpg,inf\nc.jpg,\n", {}, r"not a number: rows 2, 3, 4; mend"),
        ("path,mos\na.jpg,1,5\na.jpg,x\n", {}, r"not a number: row 3"),
        ("path,mos,g\na.jpg,1,\n", {"group_column": "g"}, r"no group named: row 2"),
        ("path,mos,r\na.jpg,1,\n", {"reference_column": "r"}, r"no reference named: row 2"),
        (
            "path,mos,g\na.jpg,1,x\na.jpg,1,y\n",
            {"group_column": "g"},
            r"than one group: rows 2, 3",
        ),
    ],
)
def test_complaints_say_what_where_and_what_to_do(folder, text, options, message):
    with pytest.raises(BadLabels, match=message):
        labels.read(write(folder, text), **options)


def test_many_bad_rows_are_counted_and_the_first_named(folder):
    rows = "".join(f"{n}.jpg,bad\n" for n in range(30))
    with pytest.raises(BadLabels, match=r"rows 2, 3, 4, 5, 6, 7, 8, 9, ... \(30 in all\)"):
        labels.read(write(folder, "path,mos\n" + rows))


def test_each_row_has_one_complaint_and_all_are_said(folder):
    rows = "a.jpg,x\n,1\nb.jpg\na.jpg,1e10\nb.jpg,1,2\n,y\nc.jpg,z\na.jpg,1,,2\n"
    with pytest.raises(BadLabels) as caught:
        labels.read(write(folder, "path,mos\n" + rows))
    said = str(caught.value).partition("scores.csv: ")[2].split("; ")
    assert said == [
        "too few columns: row 4",
        "more cells than columns (a decimal comma without quotes?): rows 6, 9",
        "no photo named: rows 3, 7",
        "the score is not a number: rows 2, 8",
        "the score is no opinion but an absurd number: row 5",
        "mend or remove these rows",
    ]


def test_opinions_in_json_are_called_by_photo_and_half_a_character_is_no_photo(folder):
    text = r"""[{"path": "a.jpg", "mos": 1}, {"path": "\ud800.jpg", "mos": 2}, {"path": "b.jpg"}]"""
    with pytest.raises(BadLabels, match="the score is not a number: photo 3; mend"):
        labels.read(write(folder, text, "scores.json"))
    found = labels.read(write(folder, text.replace(', {"path": "b.jpg"}', ""), "scores.json"))
    assert [str(row.position) for row in found.rows] == ["photo 1"]
    (left_out,) = found.left_out
    assert str(left_out.position) == "photo 2"


@pytest.mark.parametrize("name", ["gone.csv", "."])
def test_a_table_that_is_no_file_is_refused(folder, name):
    with pytest.raises(BadLabels, match=r"no such file|not a regular file but a folder"):
        labels.read(folder / name)


def test_a_photo_in_two_rows_counts_once_with_the_mean(folder):
    found = labels.read(write(folder, "path,mos\na.jpg,1\nb.jpg,5\n./a.jpg,2\n"))
    assert brief(found) == [(2, "a.jpg", 1.5), (3, "b.jpg", 5.0)]
    assert found.notes == [
        "1 photo stands in more than one row; the mean of the scores counts: rows 2, 4."
    ]


def test_missing_photos_and_references_are_left_out_by_row(folder):
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    table = write(
        folder,
        "path,mos,r\ngone.jpg,1,ref.png\na.jpg,2,ref.png\nb.jpg,3,gone.png\n"
        "pipe.jpg,3,ref.png\nfolder.jpg,3,ref.png\n" + "x" * 300 + ".jpg,3,ref.png\n",
    )
    found = labels.read(table, reference_column="r")
    assert [row.position.number for row in found.rows] == [3]
    assert [(one.position.number, one.path.name[:9], one.reason) for one in found.left_out] == [
        (2, "gone.jpg", "no such file"),
        (4, "b.jpg", f"reference {folder / 'gone.png'}: no such file"),
        (5, "pipe.jpg", "not a regular file"),
        (6, "folder.jp", "not a regular file"),
        (7, "xxxxxxxxx", "file name too long"),
    ]


@pytest.mark.parametrize(
    "text",
    ["1.5 a.jpg\n2 b.jpg\n", "a.jpg,1.5\nb.jpg,2\n", "\na.jpg;1,5\nb.jpg;2,0\n"],
    ids=["TID", "PIPAL", "semicolons"],
)
def test_a_list_without_names_of_columns_is_read_with_a_word(folder, text):
    found = labels.read(write(folder, text, "mos_with_names.txt"))
    assert [(row.path.name, row.mos) for row in found.rows] == [("a.jpg", 1.5), ("b.jpg", 2.0)]
    assert found.rows[0].position.number == text.count("\n\n") + (2 if text.startswith("\n") else 1)
    assert ["names no columns" in note for note in found.notes] == [True]


def test_columns_of_a_list_are_called_by_number(folder):
    table = write(folder, "ref.png a.jpg 7 1.5\nref.png b.jpg 8 2\n", "hw.txt")
    found = labels.read(table, path_column="2", mos_column="4", group_column="1")
    assert [(row.path.name, row.mos, row.group) for row in found.rows] == [
        ("a.jpg", 1.5, "ref.png"),
        ("b.jpg", 2.0, "ref.png"),
    ]


def test_dmos_brings_a_hint_that_names_both_directions_unless_one_is_told(folder):
    table = write(folder, "path,DMOS\na.jpg,1\n")
    (note,) = labels.read(table).notes
    assert "KADID-10k" in note
    assert "--lower-is-better" in note
    assert labels.read(table, lower_is_better=True).notes == []


def test_a_column_that_looks_like_groups_brings_a_hint(folder):
    table = write(folder, "path,mos,Scene\na.jpg,1,x\n")
    assert ["--group Scene" in note for note in labels.read(table).notes] == [True]
    assert labels.read(table, group_column="Scene").notes == []
