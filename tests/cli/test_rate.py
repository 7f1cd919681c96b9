"""`score --xmp` and `contrique rate`: options, summary and exit statuses."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from contrique_cli.collection import ratings
from tests.sidecars import rated

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")


@pytest.fixture
def report(contrique, photos, tmp_path, monkeypatch):
    """report.csv of photos/, three of them, in the current folder."""
    monkeypatch.chdir(tmp_path)
    contrique("score", "photos", "--output", "report.csv", *TINY)
    return Path("report.csv")


def test_scoring_can_give_stars_and_the_report_is_as_ever(contrique, photos):
    plain = contrique("score", photos, *TINY)
    done = contrique("score", photos, "--xmp", *TINY)
    assert (done.status, done.out) == (0, plain.out)
    assert "sidecars: 3 written, 0 unchanged, 0 kept (rated by a person), 0 failed" in done.err
    assert sorted(path.name for path in photos.glob("*.xmp")) == [f"{n}.jpg.xmp" for n in "abc"]
    again = contrique("score", photos, "--xmp", *TINY)
    assert "sidecars: 0 written, 3 unchanged" in again.err


def test_a_stream_writes_sidecars_too(contrique, photos):
    done = contrique("score", photos, "--xmp", "--format", "jsonl", *TINY)
    assert len(done.out.splitlines()) == len(list(photos.glob("*.jpg.xmp"))) == 3


def test_a_failed_sidecar_is_named_and_the_status_is_3(contrique, photos):
    (photos / "b.jpg.xmp").write_text("<")
    done = contrique("score", photos, "--xmp", *TINY)
    assert done.status == 3
    assert "2 written, 0 unchanged, 0 kept (rated by a person), 1 failed" in done.err
    assert "  not written: " in done.err
    quiet = contrique("score", photos, "--xmp", "--quiet", *TINY)
    assert (quiet.status, quiet.err) == (3, "")


def test_a_report_gives_the_stars_that_scoring_gives(contrique, report, photos):
    assert contrique("rate", "--from", report).status == 0
    done = contrique("score", photos, "--xmp", *TINY)
    assert "sidecars: 0 written, 3 unchanged" in done.err


def test_the_score_in_the_sidecar_is_the_reports_and_decides_the_stars(contrique, report):
    contrique("rate", "--from", report, "--thresholds", "0,0,0,0,101")
    for row in csv.DictReader(io.StringIO(report.read_text())):
        text = Path(row["path"] + ".xmp").read_text()
        assert float(re.search('Score="(.*?)"', text)[1]) == float(row["score"])
        assert 'xmp:Rating="4"' in text


def test_a_dry_run_names_every_sidecar_and_writes_none(contrique, report):
    Path("photos/a.jpg.xmp").write_text(rated("<xmp:Rating>1</xmp:Rating>"))
    Path("photos/b.jpg.xmp").write_text("<")
    before = sorted(os.listdir("photos"))
    done = contrique("rate", "--from", report, "--dry-run")
    assert (done.status, sorted(os.listdir("photos"))) == (3, before)
    assert "photos/a.jpg.xmp keeps the rating of a person\n" in done.out
    assert "photos/b.jpg.xmp cannot be written: not well-formed XML" in done.out
    assert re.search(r"c.jpg.xmp would get \d stars?, score \d+(\.\d+)? \(a new file\)", done.out)
    assert "sidecars: 1 would be written, 0 unchanged, 1 kept (rated by a person), 1" in done.err


def test_adobes_names_are_shared_and_the_summary_says_so(contrique, report, photos):
    shutil.copy(photos / "b.jpg", photos / "a.jpeg")
    contrique("score", "photos", "--output", report, *TINY)
    done = contrique("rate", "--from", report, "--names", "stem")
    assert sorted(path.name for path in photos.glob("*.xmp")) == ["a.xmp", "b.xmp", "c.xmp"]
    assert "1 belong to several photos each: the best score counts" in done.err


def test_a_photo_that_is_gone_gets_no_sidecar(contrique, report, photos):
    (photos / "b.jpg").unlink()
    done = contrique("rate", "--from", report)
    assert (done.status, "b.jpg: no such file" in done.err) == (3, True)
    assert sorted(path.name for path in photos.glob("*.xmp")) == ["a.jpg.xmp", "c.jpg.xmp"]


def test_a_report_made_elsewhere_needs_its_base(contrique, report, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    arguments = ("rate", "--from", tmp_path / "report.csv")
    done = contrique(*arguments)
    assert (done.status, "give --base" in done.err) == (1, True)
    assert contrique(*arguments, "--base", tmp_path).status == 0
    assert len(list(photos.glob("*.xmp"))) == 3


def test_photos_outside_of_the_folder_need_a_base_that_holds_them(
    contrique, photos, tmp_path, monkeypatch
):
    """A stranger's report names what it likes, and sidecars are written there."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    contrique("score", photos, "--output", "report.csv", *TINY)
    done = contrique("rate", "--from", "report.csv")
    assert (
        done.status,
        f"give --base, a folder that holds them all, such as {photos}" in done.err,
    ) == (1, True)
    assert not list(photos.glob("*.xmp"))
    assert contrique("rate", "--from", "report.csv", "--base", photos).status == 0
    assert len(list(photos.glob("*.xmp"))) == 3


def test_an_interruption_sums_up_and_exits_with_130(contrique, report, monkeypatch):
    real = ratings.rate

    def interrupted(*args, **options):
        yield next(real(*args, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(ratings, "rate", interrupted)
    done = contrique("rate", "--from", report)
    assert (done.status, "sidecars: 1 written" in done.err) == (130, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--names", "adobe"), "choose full"),
        (("--thresholds", "1,2,x,4,5"), "five rising scores"),
        (("--thresholds", "1,2,3"), "five rising scores"),
    ],
)
def test_wrong_usage_exits_with_2_before_any_work(contrique, report, photos, options, message):
    done = contrique("rate", "--from", report, *options)
    assert (done.status, message in done.err) == (2, True)
    assert len(os.listdir(photos)) == 3


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
def test_a_rating_changed_with_exiftool_is_kept(contrique, report):
    contrique("rate", "--from", report, "--thresholds", "0,0,101,101,101")
    sidecar = "photos/a.jpg.xmp"
    read = ["exiftool", "-s3", "-Rating", sidecar]
    assert subprocess.run(read, capture_output=True, check=True).stdout.strip() == b"2"
    write = ["exiftool", "-q", "-overwrite_original", "-Rating=5", sidecar]
    subprocess.run(write, check=True)
    done = contrique("rate", "--from", report)
    assert "1 kept (rated by a person), 0 failed" in done.err
    assert subprocess.run(read, capture_output=True, check=True).stdout.strip() == b"5"


@pytest.mark.parametrize(("theirs", "ours"), [("a.xmp", "a.jpg.xmp"), ("a.jpg.xmp", "a.xmp")])
def test_no_sidecar_is_made_that_hides_a_persons_stars(contrique, photos, report, theirs, ours):
    human = rated("<xmp:Rating>5</xmp:Rating>")
    (photos / theirs).write_text(human)
    names = "full" if ours == "a.jpg.xmp" else "stem"
    shown = contrique("rate", "--from", report, "--names", names, "--dry-run")
    assert f"{ours} is not made: a person's rating is in {theirs}" in shown.out
    done = contrique("rate", "--from", report, "--names", names)
    assert "2 written, 0 unchanged, 1 kept" in done.err
    assert not (photos / ours).exists()
    assert (photos / theirs).read_text() == human
