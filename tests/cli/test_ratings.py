"""`contrique score --xmp`: options, summary and exit statuses."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sidecars import rated

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")


def test_all_scored_photos_get_a_sidecar_and_the_report_is_as_ever(contrique, photos):
    plain = contrique("score", photos, *TINY)
    done = contrique("score", photos, "--xmp", "--top", 1, *TINY)
    assert (done.status, done.out) == (0, "".join(plain.out.splitlines(keepends=True)[:2]))
    assert "sidecars: 3 written, 0 unchanged, 0 kept (rated by a person), 0 failed" in done.err
    assert sorted(path.name for path in photos.glob("*.xmp")) == [f"{n}.jpg.xmp" for n in "abc"]
    again = contrique("score", photos, "--xmp", *TINY)
    assert "sidecars: 0 written, 3 unchanged" in again.err


def test_the_score_in_the_sidecar_is_the_reports_and_decides_the_stars(contrique, photos):
    done = contrique("score", photos, "--xmp", "--xmp-stars", "0,0,0,0,101", *TINY)
    for row in csv.DictReader(io.StringIO(done.out)):
        text = Path(row["path"] + ".xmp").read_text()
        assert float(re.search('Score="(.*?)"', text)[1]) == float(row["score"])
        assert 'xmp:Rating="4"' in text


def test_a_stream_writes_sidecars_too(contrique, photos):
    done = contrique("score", photos, "--xmp", "--format", "jsonl", *TINY)
    assert len(done.out.splitlines()) == len(list(photos.glob("*.jpg.xmp"))) == 3


def test_a_dry_run_names_every_sidecar_and_writes_none(contrique, photos):
    (photos / "a.jpg.xmp").write_text(rated("<xmp:Rating>1</xmp:Rating>"))
    (photos / "b.jpg.xmp").write_text("<")
    before = sorted(os.listdir(photos))
    done = contrique("score", photos, "--xmp", "--dry-run", *TINY)
    assert (done.status, sorted(os.listdir(photos))) == (3, before)
    assert f"{photos}/a.jpg.xmp keeps the rating of a person" in done.err
    assert f"{photos}/b.jpg.xmp cannot be written: not well-formed XML" in done.err
    assert re.search(r"c.jpg.xmp would get \d stars?, score \d+(\.\d+)? \(a new file\)", done.err)
    assert "sidecars: 1 would be written, 0 unchanged, 1 kept (rated by a person), 1" in done.err


def test_adobes_names_are_shared_and_the_summary_says_so(contrique, photos):
    shutil.copy(photos / "b.jpg", photos / "a.jpeg")
    done = contrique("score", photos, "--xmp", "--xmp-name", "stem", *TINY)
    assert sorted(path.name for path in photos.glob("*.xmp")) == ["a.xmp", "b.xmp", "c.xmp"]
    assert "1 belong to several photos each: the best score counts" in done.err


def test_a_failed_sidecar_is_named_and_the_status_is_3(contrique, photos):
    (photos / "b.jpg.xmp").write_text("<")
    done = contrique("score", photos, "--xmp", *TINY)
    assert done.status == 3
    assert "2 written, 0 unchanged, 0 kept (rated by a person), 1 failed" in done.err
    assert "  not written: " in done.err
    quiet = contrique("score", photos, "--xmp", "--quiet", *TINY)
    assert (quiet.status, quiet.err) == (3, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--xmp-name", "stem"), "--xmp-name belongs to --xmp"),
        (("--xmp-stars", "1,2,3,4,5"), "--xmp-stars belongs to --xmp"),
        (("--dry-run",), "--dry-run belongs to --xmp"),
        (("--xmp", "--xmp-name", "adobe"), "choose full"),
        (("--xmp", "--xmp-stars", "1,2,x,4,5"), "five rising scores"),
        (("--xmp", "--xmp-stars", "1,2,3"), "five rising scores"),
        (("--xmp", "--dry-run", "-o", "r.csv"), "leave --output out"),
    ],
)
def test_wrong_usage_exits_with_2_before_any_work(contrique, photos, options, message):
    done = contrique("score", photos, *options, *TINY)
    assert done.status == 2
    assert message in done.err
    assert len(os.listdir(photos)) == 3


def test_absolute_makes_every_path_in_the_report_absolute(contrique, photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    found = contrique("score", "photos", *TINY).out
    assert [row["path"][:7] for row in csv.DictReader(io.StringIO(found))] == ["photos/"] * 3
    for form in ("csv", "jsonl", "json"):
        text = contrique("score", "photos", "--absolute", "--format", form, *TINY).out
        assert text.count(json.dumps(f"{photos}/a.jpg").strip('"')) == 1


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
def test_a_rating_changed_with_exiftool_is_kept(contrique, photos):
    contrique("score", photos, "--xmp", "--xmp-stars", "0,0,101,101,101", *TINY)
    sidecar = photos / "a.jpg.xmp"
    read = ["exiftool", "-s3", "-Rating", sidecar]
    assert subprocess.run(read, capture_output=True, check=True).stdout.strip() == b"2"
    write = ["exiftool", "-q", "-overwrite_original", "-Rating=5", sidecar]
    subprocess.run(write, check=True)
    done = contrique("score", photos, "--xmp", *TINY)
    assert "1 kept (rated by a person), 0 failed" in done.err
    assert subprocess.run(read, capture_output=True, check=True).stdout.strip() == b"5"
