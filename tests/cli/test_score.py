"""`contrique score` as people and pipelines use it: reports, streams, exit statuses, hostile names."""

from __future__ import annotations

import csv
import io
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from contrique_cli.reports import rows as report_rows
from tests.conftest import make_photo

pytestmark = pytest.mark.usefixtures("tiny_regressor")


TINY = ("--regressor", "tiny", "--device", "cpu")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_pipe_gets_ranked_csv_and_the_talk_goes_to_stderr(contrique, photos):
    done = contrique("score", photos, *TINY)
    table = rows(done.out)
    assert done.status == 0
    assert list(table[0]) == report_rows.COLUMNS
    assert [row["rank"] for row in table] == ["1", "2", "3"]
    scores = [float(row["score"]) for row in table]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= min(scores) <= max(scores) <= 100
    assert (table[0]["width"], table[0]["height"], table[0]["error"]) == ("160", "120", "")
    assert "3 of 3 photos scored" in done.err
    assert "\x1b" not in done.out + done.err


def test_quiet_says_nothing(contrique, photos):
    assert contrique("score", photos, "--quiet", *TINY).err == ""


@pytest.mark.parametrize(
    "options",
    [
        ("--output", "report.xlsx"),
        ("--format", "xml"),
        ("--output", "r.csv", "--format", "table"),
        ("--no-such-option",),
        ("--bursts", "-1"),
        ("--precision", "fp8"),
    ],
)
def test_wrong_usage_exits_with_2(contrique, photos, options):
    assert contrique("score", photos, *options, *TINY).status == 2


def test_no_path_at_all_is_wrong_usage(contrique):
    assert contrique("score").status == 2


def test_hostile_names_come_through_every_format(contrique, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = [
        b"=cmd()|.png",
        b"-r.png",
        b"@x.png",
        b"+1.png",
        b"new\nline.png",
        b"\xff\xfe.png",
        "\N{CAMERA}.png".encode(),
        b'q"uo,te.png',
        b"[red]m.png",
        b"\x1b[31m.png",
    ]
    for seed, name in enumerate(hostile):
        make_photo(seed, 40, 40).save("plain.png")
        os.rename(b"plain.png", name)
    stdin = b"\0".join(hostile)
    table = contrique("score", "-", *TINY, stdin=stdin)
    cells = [row["path"] for row in rows(table.out)]
    assert table.status == 0
    assert not [cell for cell in cells if cell[0] in "=+-@"]
    for cell in cells:
        assert os.path.exists(cell) or "\\udcff" in cell
    lines = contrique("score", "-", "--format", "jsonl", *TINY, stdin=stdin).out
    assert {os.fsencode(json.loads(line)["path"]) for line in lines.splitlines()} == set(hostile)
    document = json.loads(contrique("score", "-", "-f", "json", *TINY, stdin=stdin).out)
    assert {os.fsencode(photo["path"]) for photo in document["photos"]} == set(hostile)
    shown = contrique("score", "-", "-f", "table", *TINY, stdin=stdin).out
    assert "\x1b" not in shown
    assert "[red]m.png" in shown
    assert "new\\nline.png" in shown


def test_unknown_names_list_what_there_is(contrique, photos):
    done = contrique("score", photos, "--regressor", "nope")
    assert done.status == 1
    assert "no regressor is called 'nope'; there is: " in done.err
    assert "tiny" in done.err
    assert contrique("score", photos, "--device", "abacus", "--regressor", "tiny").status == 1


def test_every_kind_of_bad_input_at_once_is_a_report(contrique, tmp_path):
    make_photo().save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    Image.fromarray(np.full((40, 40), np.inf, np.float32)).save(tmp_path / "inf.tif")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    done = contrique("score", tmp_path, *TINY)
    table = rows(done.out)
    assert done.status == 3
    assert [row["path"].split("/")[-1] for row in table if not row["error"]] == ["good.jpg"]
    assert len([row for row in table if row["error"]]) == 6


def test_score_has_few_options_and_its_help_says_first_what_it_does(contrique, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = contrique("score", "--help").out
    assert (
        len(re.findall(r"^│ +\*? *--", text, re.MULTILINE)) - 1 <= 18
    )  # --help is every command's
    head = text[: text.index("╭─ Options")]
    assert len(head.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80
    assert [panel for panel in ("Report", "Model", "Machine") if f"╭─ {panel} ─" not in text] == []
