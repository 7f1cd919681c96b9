"""A RAW file and its JPEG as one photo: scored, selected, rated and moved back together."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from contrique_cli.reports import reading
from tests.conftest import make_photo
from tests.dng import save_dng
from tests.sidecars import packet

pytest.importorskip("rawpy")
pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu", "--no-cache")


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """card/ in the current folder: two pairs, one of them in other case, a JPEG and a RAW alone."""
    monkeypatch.chdir(tmp_path)
    folder = Path("card")
    folder.mkdir()
    for seed, name in enumerate(["a.jpg", "B.JPG", "alone.jpg"]):
        make_photo(seed, 160, 120).save(folder / name, quality=90)
    for name in ("a.dng", "b.DNG", "raw.dng"):
        save_dng(folder / name, make_photo(7, 160, 120))
    return folder


def table(text: str) -> dict[str, dict[str, str]]:
    return {os.path.basename(row["path"]): row for row in csv.DictReader(io.StringIO(text))}


def files(folder: str | Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("contrique-undo"))


def test_a_pair_is_one_row_that_names_its_companion(card, contrique):
    done = contrique("score", card, *TINY)
    rows = table(done.out)
    companions = {name: row["companion"] for name, row in rows.items()}
    assert companions == {
        "a.jpg": os.path.join("card", "a.dng"),
        "B.JPG": os.path.join("card", "b.DNG"),
        "alone.jpg": "",
        "raw.dng": "",
    }
    assert rows["a.jpg"]["source"] == "photo"
    assert "left out: 2 RAW of a pair" in done.err


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_every_format_keeps_the_companion(card, contrique, tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    report = tmp_path / f"report.{form}"
    contrique("score", card, "--output", report, *TINY)
    rows = {row.path.name: row for row in reading.read(report.read_bytes(), report.name)}
    assert rows["a.jpg"].companion == card / "a.dng"
    assert rows["alone.jpg"].companion is None


def test_without_pairs_both_are_photos(card, contrique):
    done = contrique("score", card, "--no-pairs", *TINY)
    rows = table(done.out)
    assert set(rows) == {"a.jpg", "a.dng", "B.JPG", "b.DNG", "alone.jpg", "raw.dng"}
    assert {row["companion"] for row in rows.values()} == {""}
    assert "left out" not in done.err


@pytest.mark.parametrize("order", [("a.jpg", "a.dng"), ("a.dng", "a.jpg"), ("a.jpg",), ("a.dng",)])
def test_files_named_one_by_one_stay_as_named_and_none_is_lost(card, contrique, order):
    named = [card / name for name in order]
    rows = table(contrique("score", *named, *TINY).out)
    assert {name: row["companion"] for name, row in rows.items()} == dict.fromkeys(order, "")
    rows = table(contrique("score", *named, card, *TINY).out)
    assert {"a.jpg", "a.dng"} <= set(rows)


@pytest.mark.parametrize("others", [["a.heic"], ["a.raf"], ["a.jpeg", "a.nef"]])
def test_more_than_two_of_a_stem_are_no_pair(card, contrique, others):
    for name in others:
        make_photo(3, 160, 120).save(card / name, "JPEG")
    rows = table(contrique("score", card, *TINY).out)
    assert {"a.jpg", "a.dng", *others} <= set(rows)


def test_the_raw_file_is_scored_where_the_jpeg_cannot_be_read(card, contrique):
    (card / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (card / "B.JPG").write_bytes(b"")
    (card / "b.DNG").write_bytes(b"no RAW either")
    done = contrique("score", card, *TINY)
    rows = table(done.out)
    assert rows["a.dng"]["score"]
    assert rows["a.dng"]["companion"] == str(card / "a.jpg")
    assert rows["a.dng"]["note"].startswith("scored instead of a.jpg: ")
    assert "a.jpg" not in rows
    assert (rows["B.JPG"]["score"], rows["B.JPG"]["companion"]) == ("", str(card / "b.DNG"))
    assert done.status == 3


def test_a_stream_names_companions_too(card, contrique):
    done = contrique("score", "-", "--format", "jsonl", *TINY, stdin=b"card\n")
    rows = {json.loads(line)["path"]: json.loads(line) for line in done.out.splitlines()}
    assert rows["card/a.jpg"]["companion"] == "card/a.dng"


def test_bursts_see_one_photo_of_a_pair(card, contrique):
    (card / "raw.dng").unlink()
    save_dng(card / "a.dng", make_photo(0, 160, 120), preview=make_photo(0, 160, 120))
    done = contrique("score", card, "--bursts", 3, *TINY)
    assert {row["burst"] for row in table(done.out).values()} == {""}


@pytest.fixture
def report(card, contrique) -> str:
    contrique("score", card, "--output", "report.csv", *TINY)
    return "report.csv"


def test_a_list_has_both_files_of_a_pair(card, report, contrique):
    done = contrique("select", "--from", report, "--list")
    lines = done.out.split()
    assert sorted(map(os.path.basename, lines)) == files(card)
    assert lines.index("card/a.dng") == lines.index("card/a.jpg") + 1


@pytest.mark.parametrize("action", ["--copy", "--move", "--symlink"])
def test_a_pair_goes_together_under_one_new_stem(card, report, contrique, action):
    Path("to").mkdir()
    Path("to/A.jpg").write_bytes(b"\xff\xd8\xff another")
    before = files(card)
    done = contrique("select", "--from", report, "--to", "to", action)
    assert done.status == 0
    assert "4 of 4 photos chosen" in done.err
    assert "with 2 companions" in done.err
    expected = ["A.jpg", "a-2.dng", "a-2.jpg", "B.JPG", "alone.jpg", "b.DNG", "raw.dng"]
    assert files("to") == sorted(expected)
    assert files(card) == ([] if action == "--move" else before)


def test_undo_takes_both_back(card, report, contrique):
    before = {name: (card / name).read_bytes() for name in files(card)}
    contrique("select", "--from", report, "--to", "to", "--move", "--undo-file", "moves.jsonl")
    assert files(card) == []
    assert contrique("undo", "moves.jsonl").status == 0
    assert {name: (card / name).read_bytes() for name in files(card)} == before
    assert files("to") == []


def test_a_companion_that_is_gone_is_named_and_the_photo_goes(card, report, contrique):
    (card / "a.dng").unlink()
    done = contrique("select", "--from", report, "--to", "to", "--copy")
    assert done.status == 3
    assert "a.dng" in done.err
    assert "a.jpg" in files("to")


def test_a_companion_outside_of_the_folder_is_refused(card, report, contrique, tmp_path):
    outside = tmp_path / "secret.dng"
    save_dng(outside, make_photo(1, 160, 120))
    Path(report).write_text(f"path,score,companion\n{card / 'a.jpg'},9,../secret.dng\n")
    done = contrique("select", "--from", report, "--base", card, "--to", "to", "--copy")
    assert done.status == 1
    assert "outside of" in done.err
    assert not Path("to").exists()


def test_what_other_programs_left_goes_along(card, report, contrique):
    left = ["a.jpg.pp3", "a.dng.dop", "a.AAE", "a.xmp", "a.mov", "b.DNG.xmp", "B.MOV"]
    for name in left:
        (card / name).write_text(name)
    (card / "raw.mov").write_text("a film that is no Live Photo's")
    before = files(card)
    arguments = ("select", "--from", report, "--to", "to", "--move", "--undo-file", "m.jsonl")
    assert contrique(*arguments, "--sidecars", "--dry-run").status == 0
    done = contrique(*arguments, "--sidecars")
    assert (done.status, files(card)) == (0, ["raw.mov"])
    assert set(left) <= set(files("to"))
    assert f"with {len(left)} sidecars" in done.err
    assert contrique("undo", "m.jsonl").status == 0
    assert files(card) == before


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("full", "B.JPG.xmp a.dng.xmp a.jpg.xmp alone.jpg.xmp b.DNG.xmp raw.dng.xmp"),
        ("stem", "B.xmp a.xmp alone.xmp b.xmp raw.xmp"),
    ],
)
def test_both_files_of_a_pair_get_the_stars(card, report, contrique, names, expected):
    done = contrique("rate", "--from", report, "--names", names)
    assert done.status == 0
    assert [name for name in files(card) if name.endswith(".xmp")] == expected.split()
    if names == "full":
        stars = {(card / f"a.{suffix}.xmp").read_bytes() for suffix in ("jpg", "dng")}
        assert len(stars) == 1


def test_scoring_gives_both_their_stars(card, contrique):
    contrique("score", card, "--xmp", *TINY)
    assert (card / "a.dng.xmp").read_bytes() == (card / "a.jpg.xmp").read_bytes()


def test_a_persons_stars_on_one_file_of_a_pair_are_those_of_the_photo(card, report, contrique):
    (card / "a.dng.xmp").write_bytes(packet('xmp:Rating="5"'))
    make_photo(1, 160, 120).save(card / "B.JPG", quality=90, xmp=packet('xmp:Rating="2"'))
    done = contrique("rate", "--from", report)
    assert "2 written" in done.err
    assert "4 kept" in done.err
    found = [name for name in files(card) if name.endswith(".xmp")]
    assert found == ["a.dng.xmp", "alone.jpg.xmp", "raw.dng.xmp"]
