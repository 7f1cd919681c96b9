"""`contrique score` over shards: equal rows whatever holds the photos, whole results, resuming."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from contrique_cli.files import writing
from contrique_cli.models import flaws
from contrique_cli.shards import listing
from tests.conftest import ROOT
from tests.shards.samples import (
    BROKEN,
    MODEL,
    by_name,
    few,
    jpeg,
    make_probe,
    member,
    photos,
    rows_of,
    scoring,
    tar_bytes,
    write_folder,
    write_parquet,
    write_tar,
)

pa = pytest.importorskip("pyarrow")


@pytest.fixture
def score(contrique, tiny_regressor, tmp_path, monkeypatch):
    """Score in the test's own folder, with the tiny model."""
    monkeypatch.chdir(tmp_path)

    return scoring(contrique)


def split(files, parts: int) -> list[dict[str, bytes]]:
    names = list(files)
    return [{name: files[name] for name in names[part::parts]} for part in range(parts)]


def test_files_tar_and_parquet_give_equal_rows_for_the_same_200_photos(score, tmp_path):
    files = photos()
    write_folder(tmp_path / "files", files)
    for number, part in enumerate(split(files, 3)):
        write_tar(tmp_path / "tar" / f"{number:05}.tar", part)
        write_tar(tmp_path / "gz" / f"{number:05}.tar.gz", part, "w:gz")
        write_parquet(tmp_path / "jpg" / f"{number:05}.parquet", part)
    write_parquet(tmp_path / "image" / "train-00000.parquet", files, "image")
    report = score("files", "--output", "report.jsonl")
    expected = {
        Path(row["path"]).stem: (row["score"], row["error"])
        for row in map(json.loads, Path("report.jsonl").read_text().splitlines())
    }
    assert report.status == 3
    assert sum(error is not None for _, error in expected.values()) == BROKEN
    for source in ("files", "tar", "gz", "jpg", "image"):
        done = score(source, "--output", f"scores/{source}/")
        assert done.status == 3, done.err
        rows = by_name(rows_of(tmp_path / "scores" / source))
        if source == "image":  # Hugging Face's rows have no key but their number
            rows = {f"{int(key):06}": row for key, row in rows.items()}
        assert rows.keys() == expected.keys()
        for name, row in rows.items():
            assert row["score"] == pytest.approx(expected[name][0], abs=0.01), name
            assert row["error"] == expected[name][1]
        assert "195 of 200 photos scored" in done.err


def test_a_row_names_shard_member_and_key(score, tmp_path):
    write_tar(tmp_path / "a.tar", {"deep/0001.x.jpg": jpeg(1)})
    assert score("a.tar", "--output", "scores/").status == 0
    (row,) = rows_of(tmp_path / "scores")
    assert (row["shard"], row["member"], row["key"]) == ("a.tar", "deep/0001.x.jpg", "deep/0001")
    assert (row["width"], row["height"], row["source"], row["error"]) == (64, 48, "photo", None)


def test_the_metadata_holds_the_models_fingerprint_and_the_schemas_version(
    score, tmp_path, tiny_regressor
):
    from pyarrow import parquet

    write_tar(tmp_path / "a.tar", few(2))
    score("a.tar", "--output", "scores/")
    facts = json.loads(parquet.read_schema("scores/a.parquet").metadata[b"contrique"])
    assert facts["encoder"] == tiny_regressor.encoder
    assert facts["schema"] == 1
    assert facts == json.loads(Path("scores/_contrique.json").read_text())


def test_results_join_to_img2datasets_table_by_key(score, tmp_path):
    import pandas as pd

    write_tar(tmp_path / "00000.tar", few(4))
    write_parquet(tmp_path / "00000.parquet", few(4))
    score("00000.tar", "00000.parquet", "--output", "scores/")
    joined = pd.read_parquet("00000.parquet").merge(pd.read_parquet("scores"), on="key")
    assert [row.caption for row in joined.itertuples()] == [f"photo {name}" for name in few(4)]
    assert joined.score.notna().all()


def test_columns_are_kept_on_demand_under_names_of_their_own(score, tmp_path):
    write_parquet(tmp_path / "a.parquet", few(3))
    assert score("a.parquet", "--output", "plain/").status == 0
    assert "caption" not in rows_of(tmp_path / "plain")[0]
    assert score("a.parquet", "--output", "all/", "--keep-columns", "*").status == 0
    row = rows_of(tmp_path / "all")[1]
    assert (row["caption"], row["width"], row["kept_width"]) == ("photo 000001.jpg", 64, 1)


def test_a_column_of_pictures_can_be_named(score, tmp_path):
    from pyarrow import parquet

    parquet.write_table(pa.table({"thumb": [jpeg(1)]}), tmp_path / "a.parquet")
    refused = score("a.parquet", "--output", "scores/")
    assert refused.status == 1
    assert "no result: a.parquet: no column jpg or image" in refused.err
    assert "name one with --image-column (thumb)" in refused.err
    assert not Path("scores/a.parquet").exists()
    assert score("a.parquet", "--output", "scores/", "--image-column", "thumb").status == 0


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_results_are_csv_or_json_lines_where_wanted(score, tmp_path, kind):
    files = {"=1+2.jpg": jpeg(1), "b.jpg": b"no photo"}
    write_tar(tmp_path / "a.tar", files)
    assert score("a.tar", "--output", "scores/", "--format", kind).status == 3
    text = Path(f"scores/a.{kind}").read_text()
    if kind == "csv":
        first, second = csv.DictReader(text.splitlines())
        assert first["member"] == "'=1+2.jpg"
    else:
        first, second = map(json.loads, text.splitlines())
        assert first["member"] == "=1+2.jpg"
    assert second["error"]
    assert not second["score"]


def test_finished_shards_are_skipped_and_damaged_results_never_appear(score, tmp_path):
    for number in range(3):
        write_tar(tmp_path / "in" / f"{number}.tar", few(2, number))
    assert score("in", "--output", "scores/").status == 0
    times = {path: path.stat().st_mtime_ns for path in Path("scores").iterdir()}
    assert len(times) == 4
    Path("scores/1.parquet").unlink()
    again = score("in", "--output", "scores/")
    assert "2 of 3 shards done before" in again.err
    assert "2 of 2 photos scored, results of 1 shard in" in again.err
    for path, before in times.items():
        assert (path.stat().st_mtime_ns == before) == (path.name != "1.parquet")
    third = score("in", "--output", "scores/")
    assert (third.status, third.out) == (0, "")


def test_results_below_the_shards_are_no_shards_of_the_next_run(score, tmp_path):
    write_tar(tmp_path / "in" / "0.tar", few(2))
    write_folder(tmp_path / "in" / "trip", few(2, 1))
    for words in ("4 of 4 photos scored, results of 2 shards", "2 of 2 shards done before"):
        done = score("in", "--output", "in/scores/")
        assert (done.status, words in done.err) == (0, True), done.err
    assert len(rows_of(Path("in/scores"))) == 4


@pytest.mark.parametrize("output", ["in", "in/", "./in/../in/"])
def test_results_never_go_among_the_shards_themselves(score, tmp_path, output):
    write_folder(tmp_path / "in", few(2))
    done = score("in", "--output", output)
    assert (done.status, "is searched for shards: give another folder" in done.err) == (2, True)
    assert len(list(Path("in").iterdir())) == 2


def test_a_table_that_lies_where_a_result_would_is_neither_taken_for_one_nor_replaced(
    score, tmp_path
):
    """Of img2dataset, say: its shard once counted as done."""
    write_tar(tmp_path / "in" / "0.tar", few(2))
    Path("in/0.parquet").write_bytes(b"a table")
    done = score("in/0.tar", "--output", "in/")
    assert (done.status, "in/ holds 0.parquet and no _contrique.json" in done.err) == (1, True)
    assert sorted(path.name for path in Path("in").iterdir()) == ["0.parquet", "0.tar"]
    assert Path("in/0.parquet").read_bytes() == b"a table"


def test_a_large_folder_is_gone_on_with_in_the_middle_and_shared(score, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "PART", 10)
    write_folder(tmp_path / "trip", few(24))
    assert score("trip", "--output", "scores/", "--shard", "2/2").status == 0
    done = sorted(path.name for path in Path("scores").glob("*.parquet"))
    assert done == ["trip.00001-of-00004.parquet", "trip.00003-of-00004.parquet"]
    before = len(rows_of(Path("scores")))
    assert 0 < before < 24
    again = score("trip", "--output", "scores/")
    assert "2 of 4 shards done before" in again.err
    assert f"{24 - before} of {24 - before} photos scored, results of 2 shards" in again.err
    rows = by_name(rows_of(Path("scores")))
    assert sorted(row["member"] for row in rows.values()) == list(few(24))
    for name, data in few(30, start=100).items():
        (tmp_path / "trip" / name).write_bytes(data)
    assert score("trip", "--output", "scores/").err == "4 of 4 shards done before\n"


def test_results_have_the_columns_of_a_report(score, tiny_regressor, home, tmp_path):
    """Bytes have neither a rank among all shards nor sidecars, companions or a burst."""
    from pyarrow import parquet

    (home / "flaws").mkdir()
    probe = make_probe(tiny_regressor, "blur", "motion blur")
    flaws.save(home / "flaws" / "tiny.safetensors", probe)
    write_folder(tmp_path / "files", few(3) | {"broken.jpg": b"no photo"})
    write_tar(tmp_path / "in.tar", few(3) | {"broken.jpg": b"no photo"})
    assert score("files", "--output", "report.parquet").status == 3
    assert score("in.tar", "--output", "scores/").status == 3
    assert score("in.tar", "--output", "lines/", "--format", "jsonl").status == 3
    assert score("in.tar", "--output", "sheets/", "--format", "csv").status == 3
    report = parquet.ParquetFile("report.parquet").read()
    result = parquet.ParquetFile("scores/in.parquet").read()
    own = "rank path rating burst burst_best burst_kind companion".split()
    expected = [field for field in report.schema if field.name not in own]
    assert [field.name for field in expected].count("flaw_blur") == 1
    assert list(result.schema)[3:] == expected
    assert result.schema.names[:3] == ["shard", "member", "key"]
    rows = {Path(row["path"]).name: row for row in report.to_pylist()}
    for row in result.to_pylist():
        assert {name: rows[row["member"]][name] for name in result.schema.names[3:]} == {
            name: row[name] for name in result.schema.names[3:]
        }
    lines = [json.loads(line) for line in Path("lines/in.jsonl").read_text().splitlines()]
    assert lines == result.to_pylist()
    with Path("sheets/in.csv").open(newline="") as file:
        assert not [name for name in next(csv.reader(file)) if name.startswith("flaw_bl")]


def test_a_result_given_to_a_command_about_photos_is_called_what_it_is(score, contrique, tmp_path):
    write_tar(tmp_path / "in.tar", few(2))
    assert score("in.tar", "--output", "scores/", "--format", "jsonl").status == 0
    for command in (("select", "--list"), ("rate",), ("gallery", "--output", "page.html")):
        done = contrique(*command, "--from", "scores/in.jsonl")
        assert done.status == 1
        assert "scores/in.jsonl is the result of shards" in done.err


def test_machines_share_a_list(score, tmp_path):
    for number in range(5):
        write_tar(tmp_path / "in" / f"{number}.tar", few(1, number))
    assert score("in", "--output", "scores/", "--shard", "2/3").status == 0
    assert {path.stem for path in Path("scores").glob("*.parquet")} == {"1", "4"}
    for turn in ("1/3", "3/3"):
        assert score("in", "--output", "scores/", "--shard", turn).status == 0
    assert len(by_name(rows_of(tmp_path / "scores"))) == 5
    idle = score("in", "--output", "idle/", "--shard", "7/9")
    assert (idle.status, "no shard is left for part 7/9" in idle.err) == (0, True)
    assert rows_of(tmp_path / "idle") == []


def test_a_folder_of_shards_without_one_for_results_is_told_what_to_give(score, tmp_path):
    write_tar(tmp_path / "in" / "a.tar", few(1))
    done = score("in")
    assert (done.status, "left out: 1 .tar" in done.err) == (1, True)
    assert "give --output scores/" in done.err


def test_a_list_of_shards_comes_from_standard_input(score, tmp_path):
    write_tar(tmp_path / "a.tar", few(1))
    write_tar(tmp_path / "b.tar", few(1, 1))
    done = score("-", "--output", "scores/", stdin=b"a.tar\nb.tar\n")
    assert done.status == 0
    assert len(rows_of(tmp_path / "scores")) == 2


@pytest.mark.parametrize(
    ("allowed", "status"),
    [(None, 3), ("25%", 0), ("2", 0), ("24.9%", 5), ("1", 5), ("0%", 5)],
)
def test_more_failures_than_allowed_have_a_status_of_their_own(score, tmp_path, allowed, status):
    write_tar(tmp_path / "a.tar", few(6) | {"x.jpg": b"", "y.jpg": b"?"})
    options = [] if allowed is None else ["--max-failures", allowed]
    done = score("a.tar", "--output", "scores/", *options)
    assert done.status == status
    assert ("more than --max-failures" in done.err) == (status == 5)
    assert len(rows_of(tmp_path / "scores")) == 8


def test_a_shard_that_is_cut_short_keeps_its_rows_and_stops_nothing(score, tmp_path):
    whole = write_tar(tmp_path / "a.tar", few(6)).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.parquet").write_bytes(b"no table")
    (tmp_path / "c.tar").write_bytes(b"")
    write_tar(tmp_path / "d.tar", few(2, 6))
    done = score("a.tar", "b.parquet", "c.tar", "d.tar", "--output", "scores/")
    assert done.status == 3
    rows = rows_of(tmp_path / "scores")
    ends = [(row["shard"], row["error"]) for row in rows if row["member"] is None]
    assert [shard for shard, _ in ends] == ["a.tar", "b.parquet", "c.tar"]
    assert all(error.startswith("the shard is damaged: ") for _, error in ends)
    assert Counter(row["shard"] for row in rows if row["score"] is not None)["a.tar"] >= 2
    assert Counter(row["shard"] for row in rows)["d.tar"] == 2


def test_a_missing_shard_has_no_result_and_stops_nothing(score, tmp_path):
    write_tar(tmp_path / "b.tar", few(2))
    done = score("a.tar", "b.tar", "--output", "scores/")
    assert done.status == 3
    assert "no result: a.tar cannot be reached: no such file" in done.err
    assert {path.name for path in Path("scores").iterdir()} == {"_contrique.json", "b.parquet"}
    assert score("a.tar", "--output", "scores/").status == 1


def test_a_hostile_tar_leaves_nothing_but_rows(score, tmp_path):
    import tarfile

    (tmp_path / "work").mkdir()
    hostile = [
        member("/root-of-all.jpg", jpeg(1)),
        member("../../../climbing.jpg", jpeg(2)),
        member("link.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("link.jpg/under.jpg", jpeg(3)),
        member("device.jpg", type=tarfile.BLKTYPE, devmajor=8),
        member("new\nline\x1b[2J.jpg", jpeg(4)),
        member("not-utf-8-\udcff.jpg", jpeg(5)),
    ]
    Path("work/h.tar").write_bytes(tar_bytes(hostile))
    os.chdir("work")
    done = score("h.tar", "--output", "scores/")
    assert done.status == 3
    rows = rows_of(Path("scores"))
    assert [row["score"] is None for row in rows] == [False, False, True, False, True, False, False]
    assert "\x1b" not in done.err
    assert rows[6]["member"] == "not-utf-8-\\udcff.jpg"
    assert {path.name for path in Path().rglob("*")} == {
        *("h.tar", "scores", "h.parquet", "_contrique.json")
    }
    assert not Path("/root-of-all.jpg").exists()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("a.tar",), "a.tar is a shard: give a folder for the results"),
        (("a.tar", "--output", "-"), "a.tar is a shard: give a folder for the results"),
        (("a.tar", "--output", "x.csv"), "a.tar is a shard: give a folder for the results"),
        (("a.tar", "--output", "s/", "--format", "json"), "are parquet, csv, jsonl"),
        (("a.tar", "--output", "s/", "--shard", "4/3"), "as 3/16"),
        (("a.tar", "--output", "s/", "--max-failures", "5 %"), "or a share, 5%"),
        (("p.jpg", "--output", "s/"), "p.jpg is no shard"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(score, tmp_path, args, word):
    write_tar(tmp_path / "a.tar", few(1))
    (tmp_path / "p.jpg").write_bytes(jpeg(1))
    done = score(*args)
    assert done.status == 2
    assert word in done.err
    assert not Path("s").exists()


@pytest.mark.parametrize("is_folder", [False, True], ids=["tar files", "a large folder"])
def test_killed_in_the_middle_the_same_command_gives_every_photo_exactly_once(
    score, tmp_path, monkeypatch, is_folder
):
    monkeypatch.setattr(listing, "PART", 30)
    if is_folder:
        write_folder(tmp_path / "in", few(120))
    else:
        for number, part in enumerate(split(few(120), 4)):
            write_tar(tmp_path / "in" / f"{number}.tar", part)
    command = ["score", str(tmp_path / "in"), "--output", f"{tmp_path}/scores/", *MODEL]
    code = (
        f"import sys; from contrique_cli.shards import listing; listing.PART = {listing.PART}\n"
        "from contrique_cli.cli.app import app; app(sys.argv[1:], prog_name='contrique')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, *command], cwd=ROOT)
    try:
        deadline = time.monotonic() + 120
        while not list(Path("scores").glob("*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = len(list(Path("scores").glob("*-of-00004.parquet" if is_folder else "?.parquet")))
    assert done >= 1
    left = next(Path("scores").glob(".*.part"), None)
    if left is None:  # it was killed between two of them
        owner = f"{writing._machine()}-{process.pid}-00000000"
        left = Path("scores", f".1.parquet.contrique-{owner}.part")
        left.write_bytes(b"half")
    again = score(*command[1:4])
    assert not left.exists()
    assert again.status == 0
    assert f"{done} of 4 shards done before" in again.err
    assert sorted(by_name(rows_of(tmp_path / "scores"))) == [name[:6] for name in few(120)]
