"""`score --gallery` and `gallery`: the page of a report, and the report whatever happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contrique_cli.reports import gallery as report_gallery
from contrique_cli.reports import thumbnails
from tests.conftest import without_privileges

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")


def paths(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))
    return [photo["path"] for photo in found["photos"]]


def reported(text: str) -> list[str]:
    return [line.split(",")[1] for line in text.splitlines()[1:]]


def test_the_gallery_shows_the_photos_in_the_order_of_the_report(contrique, photos, tmp_path):
    page = tmp_path / "out.html"
    done = contrique("score", photos, "--gallery", page, *TINY)
    assert done.status == 0
    assert paths(page) == reported(done.out)
    size = f"{page.stat().st_size / 1e6:.1f} MB"
    assert f"gallery of 3 photos in {page} ({size})" in done.err


def test_the_report_is_the_same_with_a_gallery(contrique, photos, tmp_path):
    plain = contrique("score", photos, *TINY)
    assert contrique("score", photos, "--gallery", tmp_path / "g.html", *TINY).out == plain.out


def test_a_stream_of_lines_and_a_gallery_go_together(contrique, photos, tmp_path):
    page = tmp_path / "g.html"
    done = contrique("score", photos, "--gallery", page, "--format", "jsonl", *TINY)
    assert len(done.out.splitlines()) == 3
    assert len(paths(page)) == 3


def test_a_photo_that_failed_is_listed_with_its_reason(contrique, photos, tmp_path):
    (photos / "bad.jpg").write_bytes(b"")
    page = tmp_path / "g.html"
    assert contrique("score", photos, "--gallery", page, *TINY).status == 3
    assert "the file is empty" in page.read_text()
    assert len(paths(page)) == 3


def test_quiet_says_nothing_of_the_gallery_either(contrique, photos, tmp_path):
    page = tmp_path / "g.html"
    assert contrique("score", photos, "--gallery", page, "--quiet", *TINY).err == ""
    assert page.exists()


def test_a_name_that_is_no_page_is_wrong_usage(contrique, photos):
    done = contrique("score", photos, "--gallery", photos / "a.jpg", *TINY)
    assert done.status == 2
    assert "end it in .html" in done.err


def test_page_and_report_in_one_file_is_wrong_usage(contrique, photos, tmp_path):
    page = tmp_path / "g.html"
    done = contrique("score", photos, "--gallery", page, "-o", page, "-f", "csv", *TINY)
    assert done.status == 2
    assert "name the same file" in done.err


def test_a_place_that_cannot_be_written_is_known_before_the_work(contrique, photos, tmp_path):
    done = contrique("score", photos, "--gallery", tmp_path / "no" / "g.html", *TINY)
    assert done.status == 1
    assert done.out == ""
    assert "cannot be written" in done.err


def test_a_folder_without_permission_is_known_before_the_work(contrique, photos, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    with without_privileges(tmp_path):
        done = contrique("score", photos, "--gallery", locked / "g.html", *TINY)
    assert (done.status, done.out) == (1, "")


def test_a_full_disk_costs_the_gallery_not_the_report(contrique, photos, tmp_path, monkeypatch):
    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report_gallery, "write", fail)
    page = tmp_path / "g.html"
    page.write_text("the old one")
    done = contrique("score", photos, "--gallery", page, *TINY)
    assert done.status == 1
    assert len(reported(done.out)) == 3
    assert "no space left" in done.err
    assert page.read_text() == "the old one"


def test_an_interruption_costs_the_gallery_not_the_report(contrique, photos, tmp_path, monkeypatch):
    def interrupt(*_args, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(thumbnails, "make", interrupt)
    done = contrique("score", photos, "--gallery", tmp_path / "g.html", *TINY)
    assert done.status == 130
    assert len(reported(done.out)) == 3
    assert "the report is complete" in done.err
    assert not (tmp_path / "g.html").exists()


def test_an_interruption_while_photos_are_scored_writes_no_page(
    contrique, photos, tmp_path, monkeypatch
):
    from contrique_cli.scoring import score as verb

    real = verb.score

    def interrupted(*args, **options):
        yield next(iter(real(*args, **options)))
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "score", interrupted)
    page = tmp_path / "g.html"
    done = contrique("score", photos, "--gallery", page, "--xmp", *TINY)
    assert (done.status, len(reported(done.out))) == (130, 1)
    assert "the report holds 1 photo done so far" in done.err
    assert (page.exists(), list(photos.glob("*.xmp"))) == (False, [])


# ------------------------------------------------------------------------------ of a report


@pytest.fixture
def report(contrique, photos, tmp_path, monkeypatch):
    """report.csv of three photos and a broken one, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (photos / "bad.jpg").write_bytes(b"")
    contrique("score", "photos", "--output", "report.csv", *TINY)
    return tmp_path / "report.csv"


def test_a_report_becomes_the_page_that_score_writes(contrique, report, tmp_path):
    done = contrique("gallery", "--from", report, "--output", "page.html")
    assert done.status == 0, done.err
    contrique("score", "photos", "--gallery", "same.html", *TINY)
    assert (tmp_path / "page.html").read_text() == (tmp_path / "same.html").read_text()


def test_a_selection_is_a_report_and_its_order_is_the_pages(contrique, report, tmp_path):
    worst = ("--reverse", "--top", 2, "--output", "worst.csv")
    assert contrique("select", "--from", report, *worst).status == 0
    contrique("gallery", "--from", "worst.csv", "--output", "page.html")
    everything = reported(report.read_text())[:3]
    assert paths(tmp_path / "page.html") == everything[:0:-1]


def test_a_stream_of_lines_becomes_a_page_too(contrique, report, tmp_path):
    contrique("score", "photos", "--output", "report.jsonl", *TINY)
    contrique("gallery", "--from", "report.jsonl", "--output", "page.html")
    assert paths(tmp_path / "page.html") == reported(report.read_text())[:3]


def test_the_size_of_the_thumbnails_can_be_chosen(contrique, report, tmp_path):
    sizes = []
    for size in (64, 160):
        contrique("gallery", "--from", report, "--output", "page.html", "--size", size)
        sizes.append((tmp_path / "page.html").stat().st_size)
    assert sizes[0] < sizes[1]


def test_photos_are_found_from_the_base_and_missing_ones_are_named(
    contrique, report, tmp_path, monkeypatch
):
    (tmp_path / "photos" / "b.jpg").unlink()
    monkeypatch.chdir(tmp_path.parent)
    arguments = ("gallery", "--from", report, "--output", tmp_path / "page.html")
    done = contrique(*arguments)
    assert (done.status, "give --base" in done.err) == (1, True)
    done = contrique(*arguments, "--base", tmp_path.name)
    assert (done.status, "b.jpg: no such file" in done.err) == (3, True)
    assert [Path(path).name for path in paths(tmp_path / "page.html")].count("b.jpg") == 0
    assert len(paths(tmp_path / "page.html")) == 2


def test_a_photo_that_opens_no_longer_has_no_thumbnail_and_stays(contrique, report, tmp_path):
    (tmp_path / "photos" / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    done = contrique("gallery", "--from", report, "--output", "page.html")
    assert (done.status, "no thumbnail: photos/b.jpg: " in done.err) == (3, True)
    assert len(paths(tmp_path / "page.html")) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--from", "report.csv", "--output", "page.txt"), 2, "end it in .html"),
        (("--from", "gone.csv", "--output", "page.html"), 1, "cannot be read"),
        (("--from", "none.csv", "--output", "page.html"), 1, "none with a score"),
        (("--from", "report.csv", "--output", "no/page.html"), 1, "cannot be written"),
        (("--from", "report.csv"), 2, "--output"),
    ],
)
def test_what_cannot_be_a_page_is_said(contrique, report, arguments, status, word):
    Path("none.csv").write_text("path,score,error\na.jpg,,bad\n")
    done = contrique("gallery", *arguments)
    assert (done.status, word in done.err) == (status, True)
    assert not list(Path().glob("*.html"))
