"""`contrique score --gallery`: the page beside the report, and the report whatever happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contrique_cli.cli import gallery as cli_gallery
from contrique_cli.reports import gallery as report_gallery
from contrique_cli.reports import rows as report_rows
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


@pytest.mark.parametrize("options", [("--top", "2"), ("--reverse",), ("--min-score", "50")])
def test_the_gallery_shows_what_the_report_selects(contrique, photos, tmp_path, options):
    page = tmp_path / "g.html"
    done = contrique("score", photos, "--gallery", page, *options, *TINY)
    assert paths(page) == reported(done.out)


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


def test_the_size_of_the_thumbnails_can_be_chosen(contrique, photos, tmp_path):
    for size in ("64", "160"):
        contrique(
            "score", photos, "--gallery", tmp_path / f"{size}.html", "--gallery-size", size, *TINY
        )
    sizes = [(tmp_path / f"{size}.html").stat().st_size for size in ("64", "160")]
    assert sizes[0] < sizes[1]


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
    assert "no gallery" in done.err
    assert not (tmp_path / "g.html").exists()


def test_a_thumbnail_that_fails_is_named_and_its_photo_stays(
    contrique, photos, tmp_path, monkeypatch
):
    original = report_rows.rank
    lost = []

    def rank(rows, selection=None):
        if not lost:
            lost.append((photos / "b.jpg").unlink())
        return original(rows, selection)

    monkeypatch.setattr(cli_gallery.report, "rank", rank)
    done = contrique("score", photos, "--gallery", tmp_path / "g.html", *TINY)
    assert "no thumbnail: " in done.err
    assert "b.jpg: no such file" in done.err
    assert len(paths(tmp_path / "g.html")) == 3
