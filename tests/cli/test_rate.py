"""`score --xmp` and `contrique rate`: options, summary and exit statuses."""

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

from contrique_cli.collection import ratings
from tests.conftest import make_photo
from tests.sidecars import packet, rated

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
    assert "1 of them for several photos each: the best score counts" in done.err


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


# --------------------------------------------------------------------------- a list of picks


def listed(folder: Path, *photos: tuple[str, int], **more: object) -> Path:
    """picks.json in the current folder, as a gallery of `folder` downloads it."""
    document = {
        "format": "contrique-picks",
        "version": 1,
        "folder": str(folder),
        "photos": [{"path": path, "rating": rating} for path, rating in photos],
    }
    Path("picks.json").write_text(json.dumps(document | more))
    return Path("picks.json")


@pytest.fixture
def desk(photos, tmp_path, monkeypatch):
    """The current folder, with photos/ of three; a.jpg has a person's five stars in a.xmp."""
    (photos / "a.xmp").write_text(rated("<xmp:Rating>5</xmp:Rating>"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


PICKED = (("photos/a.jpg", 2), ("photos/b.jpg", -1), ("photos/c.jpg", 0))


def test_picks_become_a_persons_stars_and_undo_takes_them_back_whole(contrique, desk, photos):
    before = state(photos)
    done = contrique("rate", "--from", listed(desk, *PICKED))
    assert done.status == 0, done.err
    assert "sidecars: 2 written, 1 unchanged, 0 failed" in done.err
    found = [ratings.find_stars(photos / name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    assert found == [2, -1, None]
    assert not (photos / "a.jpg.xmp").exists()
    kept = contrique("score", "photos", "--xmp", *TINY)
    assert "2 kept (rated by a person)" in kept.err
    (photos / "c.jpg.xmp").unlink()
    command = re.search("to take them back: contrique undo (.*)", done.err)[1]
    shown = contrique("undo", command, "--dry-run")
    assert shown.out == f"remove {photos / 'b.jpg.xmp'}\nrestore {photos / 'a.xmp'}\n"
    undone = contrique("undo", command)
    assert (undone.status, undone.err) == (
        0,
        "sidecars: 2 put back, 0 as before already, 0 failed\n",
    )
    Path(command).unlink()
    assert state(photos) == before


@pytest.mark.parametrize("names", ["full", "stem"])
@pytest.mark.parametrize("sidecar", [None, "a.xmp"])
def test_no_stars_in_the_gallery_clear_those_inside_the_photo_and_undo_shows_them_again(
    contrique, desk, photos, names, sidecar
):
    """They once showed again at the next look; the photo itself is never written to."""
    (photos / "a.xmp").unlink()
    make_photo(0).save(photos / "a.jpg", xmp=packet('xmp:Rating="4"'))
    if sidecar is not None:
        (photos / sidecar).write_text(rated("<xmp:Label>Red</xmp:Label>"))
    before = state(photos)

    def rating() -> object:
        found = json.loads(contrique("score", "photos", "--format", "json", *TINY).out)
        return next(row["rating"] for row in found["photos"] if row["path"].endswith("a.jpg"))

    assert rating() == 4
    command = ("rate", "--from", listed(desk, ("photos/a.jpg", 0), ("photos/b.jpg", 0)))
    done = contrique(*command, "--names", names, "--undo-file", "u")
    assert (done.status, "sidecars: 1 written, 1 unchanged, 0 failed" in done.err) == (0, True)
    assert (rating(), ratings.find_stars(photos / "a.jpg")) == (None, None)
    assert (photos / "a.jpg").read_bytes() == before["a.jpg"]
    assert "0 written, 2 unchanged" in contrique(*command, "--names", names).err
    kept = contrique("score", "photos", "--xmp", *TINY)
    assert "1 kept (rated by a person)" in kept.err
    for name in ("b.jpg.xmp", "c.jpg.xmp"):
        (photos / name).unlink()
    assert contrique("undo", "u").status == 0
    assert (rating(), state(photos)) == (4, before)


def test_a_sidecar_that_changed_since_is_left_by_undo(contrique, desk, photos):
    contrique("rate", "--from", listed(desk, *PICKED), "--undo-file", "u")
    changed = (photos / "b.jpg.xmp").read_text().replace("-1", "1")
    (photos / "b.jpg.xmp").write_text(changed)
    done = contrique("undo", "u")
    assert (done.status, "left: " in done.err) == (3, True)
    assert (photos / "b.jpg.xmp").read_text() == changed
    assert b">5<" in (photos / "a.xmp").read_bytes()


def test_a_dry_run_of_picks_writes_nothing(contrique, desk, photos):
    before = state(photos)
    done = contrique("rate", "--from", listed(desk, *PICKED), "--dry-run")
    assert done.out.splitlines() == [
        "photos/a.xmp would get 2 stars",
        "photos/b.jpg.xmp would get -1 (rejected) (a new file)",
        "photos/c.jpg.xmp has 0 stars already",
    ]
    assert (done.status, state(photos)) == (0, before)
    assert sorted(os.listdir(desk)) == ["home", "photos", "picks.json"]


def test_picks_through_a_pipe_and_a_pair(contrique, desk, photos):
    (photos / "b.raf").write_bytes((photos / "b.jpg").read_bytes())
    photo = {"path": "photos/b.jpg", "rating": 3, "companion": "photos/b.raf"}
    data = listed(desk, photos=[photo]).read_bytes()
    done = contrique("rate", "--from", "-", "--undo-file", "u", stdin=data)
    assert (done.status, "2 written" in done.err) == (0, True)
    assert [ratings.find_stars(photos / name) for name in ("b.jpg", "b.raf")] == [3, 3]


def test_nothing_to_write_makes_no_undo_file(contrique, desk, photos):
    done = contrique("rate", "--from", listed(desk, ("photos/c.jpg", 0)), "--undo-file", "u")
    assert (done.status, Path("u").exists()) == (0, False)
    assert "take them back" not in done.err


def test_picks_made_in_another_folder_ask_for_the_base(contrique, desk, photos, monkeypatch):
    """There may be another IMG_0001.jpg here."""
    other = desk / "other" / "photos"
    shutil.copytree(photos, other)
    monkeypatch.chdir(desk / "other")
    done = contrique("rate", "--from", listed(desk, *PICKED))
    assert (done.status, f"give --base {desk}, or --base ." in done.err) == (1, True)
    assert not list(other.glob("*.jpg.xmp"))
    done = contrique("rate", "--from", "picks.json", "--base", desk, "--undo-file", "u")
    assert (done.status, (photos / "b.jpg.xmp").exists()) == (0, True)
    assert f"contrique undo u --base {photos}" in done.err
    assert contrique("undo", "u").status == 1
    assert contrique("undo", "u", "--base", photos).status == 0
    assert not (photos / "b.jpg.xmp").exists()
    assert not list(other.glob("*.jpg.xmp"))


def test_picks_of_a_folder_below_are_found_there(contrique, desk, photos):
    shutil.copy(photos / "c.jpg", "b.jpg")  # another photo of that name
    assert contrique("rate", "--from", listed(photos, ("b.jpg", 4))).status == 0
    assert ratings.find_stars(photos / "b.jpg") == 4
    assert not Path("b.jpg.xmp").exists()


def test_a_strangers_picks_reach_nothing_outside_and_nothing_but_photos(
    contrique, desk, photos, monkeypatch
):
    (desk / "here").mkdir()
    monkeypatch.chdir(desk / "here")
    (desk / "here" / "notes.txt").write_text("mine")
    shutil.copy(photos / "b.jpg", "b.jpg")
    before = state(photos)
    for path in (str(photos / "c.jpg"), "../photos/c.jpg"):
        done = contrique("rate", "--from", listed(desk / "here", ("b.jpg", 1), (path, 5)))
        assert (done.status, "give --base" in done.err) == (1, True)
    done = contrique("rate", "--from", listed(desk / "here", ("b.jpg", 1), ("notes.txt", 5)))
    assert (done.status, "not a photo" in done.err) == (3, True)
    assert state(photos) == before
    assert sorted(path.name for path in Path().glob("*.xmp")) == ["b.jpg.xmp"]


def test_an_undo_file_that_cannot_be_written_means_no_rating(contrique, desk, photos):
    done = contrique("rate", "--from", listed(desk, *PICKED), "--undo-file", "no/u")
    assert (done.status, "give another --undo-file" in done.err) == (1, True)
    assert not list(photos.glob("*.jpg.xmp"))


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--thresholds", "1,2,3,4,5"), "has stars"), (("--names", "x"), "choose full")],
)
def test_options_that_picks_have_no_use_for_are_wrong_usage(contrique, desk, options, message):
    done = contrique("rate", "--from", listed(desk, *PICKED), *options)
    assert (done.status, message in done.err) == (2, True)


def test_scores_need_no_undo_file(contrique, report):
    done = contrique("rate", "--from", report, "--undo-file", "u")
    assert (done.status, "belongs to a list of picks" in done.err) == (2, True)


def test_a_list_of_picks_is_no_report(contrique, desk, photos):
    """Other commands take none for one, and a damaged one is a line."""
    for arguments in (("select", "--list"), ("gallery", "--output", "g.html")):
        done = contrique(arguments[0], "--from", listed(desk, *PICKED), *arguments[1:])
        assert (done.status, len(done.err.splitlines())) == (1, 1)
    Path("picks.json").write_bytes(Path("picks.json").read_bytes()[:-9])
    done = contrique("rate", "--from", "picks.json")
    assert (done.status, len(done.err.splitlines())) == (1, 1)


def test_an_interruption_leaves_what_undo_takes_back(contrique, desk, photos, monkeypatch):
    before = state(photos)
    real = ratings.give

    def interrupted(*args, **options):
        outcomes = real(*args, **options)
        if options.get("is_dry_run"):
            return list(outcomes)
        return stopped(outcomes)

    def stopped(outcomes):
        yield next(outcomes)
        raise KeyboardInterrupt

    monkeypatch.setattr(ratings, "give", interrupted)
    done = contrique("rate", "--from", listed(desk, *PICKED), "--undo-file", "u")
    assert (done.status, "sidecars: 1 written" in done.err) == (130, True)
    assert "to take them back: contrique undo u" in done.err
    assert state(photos) != before
    assert contrique("undo", "u").status == 0
    assert state(photos) == before
