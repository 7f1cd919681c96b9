"""Ratings on disk: which sidecar, how many stars, and a file that is never harmed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from contrique_cli import config
from contrique_cli.collection import ratings, xmp
from contrique_cli.errors import BadOption
from contrique_cli.reports.rows import Row
from tests.conftest import make_photo, without_privileges
from tests.sidecars import DARKTABLE, packet, rated

HUMAN = rated("<xmp:Rating>5</xmp:Rating>")


def rate(*photos: tuple[Path, float | None], **options) -> list[ratings.Outcome]:
    options = {"naming": "full", "thresholds": config.XMP_THRESHOLDS} | options
    return list(ratings.rate([Row(path=path, score=score) for path, score in photos], **options))


def results(outcomes: list[ratings.Outcome]) -> list[str]:
    return [outcome.result for outcome in outcomes]


def identity(path: Path) -> tuple[int, int, int]:
    """Changes with any write, be it in place or a replacement."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


@pytest.mark.parametrize(
    ("score", "stars"),
    [(0, 0), (19.99, 0), (20, 1), (40, 2), (60, 3), (80, 4), (94.99, 4), (95, 5), (100, 5)],
)
def test_stars_are_the_thresholds_reached(score, stars):
    assert ratings.count_stars(score, config.XMP_THRESHOLDS) == stars


@pytest.mark.parametrize(
    "thresholds", [(), (1,), (1, 2, 3, 4), (5, 4, 3, 2, 1), (1, 2, 3, 4, float("nan"))]
)
def test_thresholds_that_make_no_sense_are_refused(thresholds):
    with pytest.raises(BadOption, match="five rising scores"):
        config.Ratings(thresholds=thresholds)


@pytest.mark.parametrize(
    ("naming", "photo", "sidecar"),
    [
        ("full", "IMG.JPG", "IMG.JPG.xmp"),
        ("stem", "IMG.JPG", "IMG.xmp"),
        ("stem", "a.b.jpg", "a.b.xmp"),
        ("stem", "none", "none.xmp"),
        ("stem", ".jpg", ".jpg.xmp"),
        ("full", "new\nline", "new\nline.xmp"),
    ],
)
def test_a_sidecar_lies_beside_its_photo_under_the_name_asked_for(tmp_path, naming, photo, sidecar):
    assert ratings.find_sidecar(tmp_path / photo, naming) == tmp_path / sidecar


def test_an_existing_sidecar_in_capitals_is_the_sidecar(tmp_path):
    (tmp_path / "a.jpg.XMP").write_text(HUMAN)
    assert results(rate((tmp_path / "a.jpg", 50.0))) == ["kept"]
    assert os.listdir(tmp_path) == ["a.jpg.XMP"]


def test_written_then_unchanged_without_touching_the_file(tmp_path):
    photo, sidecar = tmp_path / "a.jpg", tmp_path / "a.jpg.xmp"
    first = rate((photo, 61.234))
    assert (results(first), first[0].is_new, first[0].mark) == (["written"], True, (3, 61.23))
    os.utime(sidecar, ns=(1, 1))
    before = identity(sidecar)
    assert results(rate((photo, 61.234))) == ["unchanged"]
    assert identity(sidecar) == before
    assert results(rate((photo, 90.0))) == ["written"]
    assert os.listdir(tmp_path) == ["a.jpg.xmp"]


def test_photos_without_a_score_get_no_sidecar(tmp_path):
    assert rate((tmp_path / "a.jpg", None)) == []


def test_a_persons_rating_stays_and_so_does_the_file(tmp_path):
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_text(HUMAN)
    before = identity(sidecar)
    assert results(rate((tmp_path / "a.jpg", 10.0))) == ["kept"]
    assert identity(sidecar) == before


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path):
    (tmp_path / "b.jpg.xmp").write_text(DARKTABLE)
    photos = [(tmp_path / name, 50.0) for name in ("a.jpg", "b.jpg")]
    assert results(rate(*photos, is_dry_run=True)) == ["written", "written"]
    assert os.listdir(tmp_path) == ["b.jpg.xmp"]
    assert (tmp_path / "b.jpg.xmp").read_text() == DARKTABLE


def test_photos_that_share_a_sidecar_get_the_best_of_their_scores(tmp_path):
    photos = [(tmp_path / "IMG.JPG", 30.0), (tmp_path / "x.JPG", 1.0), (tmp_path / "IMG.RAF", 85.0)]
    done = rate(*photos, naming="stem")
    assert [outcome.sidecar.name for outcome in done] == ["IMG.xmp", "x.xmp"]
    assert (done[0].mark, len(done[0].photos)) == ((4, 85.0), 2)
    assert results(rate(*photos[::-1], naming="stem")) == ["unchanged", "unchanged"]


def test_permissions_stay_and_new_files_have_the_usual_ones(tmp_path):
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_text(DARKTABLE)
    sidecar.chmod(0o640)
    (tmp_path / "plain").write_text("")
    rate((tmp_path / "a.jpg", 50.0), (tmp_path / "b.jpg", 50.0))
    assert stat.S_IMODE(sidecar.stat().st_mode) == 0o640
    assert (tmp_path / "b.jpg.xmp").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_linked_sidecar_stays_a_link_and_its_file_gets_the_rating(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.xmp").write_text(DARKTABLE)
    (tmp_path / "a.jpg.xmp").symlink_to("store/a.xmp")
    (tmp_path / "b.jpg.xmp").symlink_to("store/b.xmp")  # leads nowhere yet
    assert results(rate(*[(tmp_path / name, 50.0) for name in ("a.jpg", "b.jpg")])) == [
        "written",
        "written",
    ]
    for name in "ab":
        assert (tmp_path / f"{name}.jpg.xmp").is_symlink()
        assert b"GivenRating" in (tmp_path / "store" / f"{name}.xmp").read_bytes()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    """A stranger's folder may hold links to anything of the user's."""
    home, photos = tmp_path / "home", tmp_path / "photos"
    home.mkdir()
    photos.mkdir()
    (home / "mine.xmp").write_text(DARKTABLE)
    (photos / "a.jpg.xmp").symlink_to("../home/mine.xmp")
    (photos / "b.jpg.xmp").symlink_to("../home/created.txt")
    (photos / "c.jpg.xmp").symlink_to(home / "none" / ".." / "other.xmp")
    done = rate(*[(photos / name, 50.0) for name in ("a.jpg", "b.jpg", "c.jpg")])
    assert results(done) == ["failed"] * 3
    assert all("a link out of its folder" in (outcome.reason or "") for outcome in done)
    assert (home / "mine.xmp").read_text() == DARKTABLE
    assert os.listdir(home) == ["mine.xmp"]


def test_trouble_with_one_sidecar_is_reported_and_the_rest_goes_on(tmp_path):
    (tmp_path / "bad.jpg.xmp").write_bytes(b"<x:xmpmeta")
    (tmp_path / "dir.jpg.xmp").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg.xmp")
    (tmp_path / "loop.jpg.xmp").symlink_to("loop.jpg.xmp")
    names = ["bad.jpg", "dir.jpg", "pipe.jpg", "loop.jpg", "no/a.jpg", "good.jpg"]
    done = rate(*[(tmp_path / name, 50.0) for name in names])
    assert results(done) == ["failed"] * 5 + ["written"]
    reasons = [outcome.reason or "" for outcome in done]
    assert "not well-formed XML" in reasons[0]
    assert reasons[1] == "not a regular file but a folder"
    assert reasons[2] == "not a regular file but a named pipe"
    assert "too many levels" in reasons[3]
    assert "no such file" in reasons[4]
    assert (tmp_path / "bad.jpg.xmp").read_bytes() == b"<x:xmpmeta"


def test_a_folder_that_may_only_be_read_is_reported_for_each_photo(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.jpg.xmp").write_text(DARKTABLE)
    closed.chmod(0o555)
    with without_privileges(closed):
        done = rate((closed / "a.jpg", 50.0), (closed / "b.jpg", 50.0))
    assert results(done) == ["failed", "failed"]
    assert all("permission denied" in (outcome.reason or "") for outcome in done)
    assert (closed / "a.jpg.xmp").read_text() == DARKTABLE


@pytest.mark.parametrize("existed", [True, False])
def test_a_sidecar_that_another_program_writes_meanwhile_is_not_overwritten(
    tmp_path, monkeypatch, existed
):
    sidecar = tmp_path / "a.jpg.xmp"
    if existed:
        sidecar.write_text(DARKTABLE)
    step = "merge" if existed else "new"
    real = getattr(xmp, step)

    def slow(*args: object) -> bytes | None:
        made = real(*args)
        sidecar.write_text(HUMAN)
        return made

    monkeypatch.setattr(xmp, step, slow)
    (outcome,) = rate((tmp_path / "a.jpg", 50.0))
    assert outcome.result == "failed"
    assert "meanwhile; run again" in (outcome.reason or "")
    assert sidecar.read_text() == HUMAN


# ------------------------------------------------------------------------- a person's stars


def give(given: dict[Path, int], **options) -> list[tuple[str, str]]:
    outcomes = ratings.give(given, **({"naming": "full"} | options))
    return [(outcome.sidecar.name, outcome.result) for outcome in outcomes]


def stars_of(photo: Path) -> float | None:
    photo.touch()
    return ratings.find_stars(photo)


@pytest.mark.parametrize("naming", ["full", "stem"])
@pytest.mark.parametrize("theirs", ["a.xmp", "a.jpg.xmp"])
def test_a_persons_stars_change_where_they_are_whatever_the_naming(tmp_path, naming, theirs):
    (tmp_path / theirs).write_text(HUMAN)
    photo = tmp_path / "a.jpg"
    assert give({photo: 2}, naming=naming) == [(theirs, "written")]
    assert os.listdir(tmp_path) == [theirs]
    assert stars_of(photo) == 2


def test_no_sidecar_is_left_that_says_otherwise(tmp_path):
    photo = tmp_path / "a.jpg"
    rate((photo, 90.0), naming="stem")
    (tmp_path / "a.jpg.xmp").write_text(HUMAN)
    assert give({photo: -1}) == [("a.jpg.xmp", "written"), ("a.xmp", "written")]
    assert (stars_of(photo), b'"-1"' in (tmp_path / "a.xmp").read_bytes()) == (-1, True)


def test_the_sidecar_of_a_photo_called_by_the_stem_is_not_that_photos(tmp_path):
    for name in ("a.jpg", "a.jpg.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "a.jpg.xmp").write_text(HUMAN)
    assert give({tmp_path / "a.jpg.jpg": 2}) == [("a.jpg.jpg.xmp", "written")]
    assert (tmp_path / "a.jpg.xmp").read_text() == HUMAN


def test_no_stars_clear_a_rating_and_make_no_file(tmp_path):
    (tmp_path / "a.jpg.xmp").write_text(HUMAN)
    rate((tmp_path / "b.jpg", 90.0))
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe0")
    given = {tmp_path / name: 0 for name in ("a.jpg", "b.jpg", "c.jpg")}
    results = ["written", "written", "unchanged"]
    assert [result for _, result in give(given, is_dry_run=True)] == results
    assert [result for _, result in give(given)] == results
    assert sorted(path.name for path in tmp_path.glob("*.xmp")) == ["a.jpg.xmp", "b.jpg.xmp"]
    assert [stars_of(photo) for photo in given] == [None] * 3


def test_no_stars_are_not_written_where_there_is_nothing_to_clear(tmp_path):
    """A sidecar of another program stays byte for byte; one with stars of Microsoft's is named."""
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    label = rated("<xmp:Label>Red</xmp:Label>")
    (tmp_path / "a.jpg.xmp").write_text(label)
    assert give({tmp_path / "a.jpg": 0}) == [("a.jpg.xmp", "unchanged")]
    assert (tmp_path / "a.jpg.xmp").read_text() == label
    (tmp_path / "a.xmp").write_bytes(packet('m:Rating="50"'))
    assert give({tmp_path / "a.jpg": 0}) == [("a.xmp", "failed")]


def test_the_sidecar_of_each_file_of_a_pair_hides_what_is_inside_that_file(tmp_path):
    pair = (tmp_path / "a.jpg", tmp_path / "a.dng")
    make_photo(0, 64, 48).save(pair[1], "JPEG", xmp=packet('xmp:Rating="5"'))
    (tmp_path / "a.jpg.xmp").write_bytes(packet('xmp:Rating="0"'))
    assert ratings.Sidecars().find(pair, inside=3.0) == 5
    assert give(dict.fromkeys(pair, 0)) == [("a.jpg.xmp", "unchanged"), ("a.dng.xmp", "written")]
    assert ratings.Sidecars().find(pair, inside=3.0) is None


def test_of_photos_that_share_a_sidecar_the_most_stars_count(tmp_path):
    given = {tmp_path / "a.jpg": -1, tmp_path / "a.raf": 3}
    assert give(given, naming="stem") == [("a.xmp", "written")]
    assert stars_of(tmp_path / "a.jpg") == 3


def test_stars_that_a_pick_label_would_hide_are_not_written(tmp_path):
    label = '<d:PickLabel xmlns:d="http://www.digikam.org/ns/1.0/">1</d:PickLabel>'
    (tmp_path / "a.jpg.xmp").write_text(rated(label))
    (outcome,) = ratings.give({tmp_path / "a.jpg": 4}, naming="full")
    assert (outcome.result, "says otherwise" in (outcome.reason or "")) == ("failed", True)
    assert (tmp_path / "a.jpg.xmp").read_text() == rated(label)


def test_neither_a_link_out_of_the_folder_nor_what_is_no_xmp_is_written_to(tmp_path):
    home, photos = tmp_path / "home", tmp_path / "photos"
    home.mkdir()
    photos.mkdir()
    (home / "mine.xmp").write_text(HUMAN)
    (photos / "a.jpg.xmp").symlink_to(home / "mine.xmp")
    (photos / "b.xmp").write_text("<")
    (photos / "c.jpg.xmp").mkdir()
    given = {photos / name: 4 for name in ("a.jpg", "b.jpg", "c.jpg")}
    assert give(given) == [("a.jpg.xmp", "failed"), ("b.xmp", "failed"), ("c.jpg.xmp", "failed")]
    assert (home / "mine.xmp").read_text() == HUMAN
    assert sorted(os.listdir(photos)) == ["a.jpg.xmp", "b.xmp", "c.jpg.xmp"]


def test_a_change_is_written_down_before_it_is_made(tmp_path):
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_text(HUMAN)
    seen = []

    def record(path: Path, before: bytes | None, after: bytes) -> None:
        seen.append((path, before))
        assert sidecar.read_bytes() == before != after

    give({tmp_path / "a.jpg": 1}, record=record)
    give({tmp_path / "a.jpg": 1}, record=record)  # unchanged
    assert seen == [(sidecar, HUMAN.encode())]


@pytest.mark.parametrize("naming", ["full", "stem"])
def test_stars_inside_the_photo_are_a_persons_and_no_sidecar_hides_them(tmp_path, naming):
    """Issue 18, the debt beside point 6."""
    make_photo(0, 64, 48).save(tmp_path / "a.jpg", xmp=packet('xmp:Rating="5"'))
    make_photo(1, 64, 48).save(tmp_path / "b.tif")
    make_photo(2, 64, 48).save(tmp_path / "c.jpg", xmp=packet('xmp:Rating="0"'))  # not rated
    make_photo(3, 64, 48).save(tmp_path / "d.jpg", xmp=b"<no XMP")
    done = rate(
        *[(tmp_path / name, 10.0) for name in ("a.jpg", "b.tif", "c.jpg", "d.jpg")], naming=naming
    )
    assert results(done) == ["kept", "written", "written", "written"]
    assert done[0].reason == "a.jpg"
    assert not [name for name in os.listdir(tmp_path) if name in ("a.xmp", "a.jpg.xmp")]


def test_stars_of_a_pair_are_found_and_a_raw_file_alone_is_not_opened(tmp_path, monkeypatch):
    make_photo(0, 64, 48).save(tmp_path / "a.dng", "JPEG", xmp=packet('xmp:Rating="5"'))
    beside = ratings.Sidecars()
    assert beside.find((tmp_path / "a.jpg", tmp_path / "a.dng"), inside=None) == 5
    assert beside.find((tmp_path / "a.jpg", tmp_path / "a.dng"), inside=3.0) == 3
    assert beside.find((tmp_path / "none" / "a.jpg",), inside=None) is None
    monkeypatch.setattr(ratings, "_stars_inside", None)
    assert beside.find((tmp_path / "a.dng",), inside=None) is None


def test_the_sidecar_of_a_namesake_is_not_taken_for_ones_own(tmp_path):
    """a.jpg.xmp is name.xmp of a.jpg.jpg and name.ext.xmp of a.jpg (`../shared/cases/14`)."""
    for name in ("a.jpg", "a.jpg.jpg"):
        make_photo(0, 64, 48).save(tmp_path / name)
    done = rate((tmp_path / "a.jpg.jpg", 90.0), (tmp_path / "a.jpg", 10.0), naming="stem")
    assert results(done) == ["failed", "written"]
    assert done[0].reason == "it would be taken for the sidecar of a.jpg: use --names full"
    assert sorted(os.listdir(tmp_path)) == ["a.jpg", "a.jpg.jpg", "a.xmp"]


def test_a_photo_without_a_suffix_is_no_namesake_of_itself(tmp_path):
    make_photo(0, 64, 48).save(tmp_path / "a", "JPEG")
    assert results(rate((tmp_path / "a", 90.0), naming="stem")) == ["written"]
    assert sorted(os.listdir(tmp_path)) == ["a", "a.xmp"]
