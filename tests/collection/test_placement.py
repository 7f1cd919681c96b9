"""Plans: a safe name for every photo, sidecars that stay with theirs, reruns that find their work."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from contrique_cli.collection import placement, select
from contrique_cli.collection.placement import COPY, MOVE, SYMLINK


def touch(root: Path, *names: str) -> list[Path]:
    """Files whose content is their own name, so that no two are the same."""
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(path))
    return paths


def plan(root: Path, *names: str, operation: str = COPY, **options) -> list[placement.Placement]:
    photos = [root / name for name in names]
    return placement.plan(photos, root / "to", operation=operation, root=root, **options)


def targets(plan: list[placement.Placement]) -> list[str]:
    return [os.path.basename(one.target) for one in plan]


def carry_out(plan: list[placement.Placement], root: Path) -> None:
    (root / "to").mkdir(exist_ok=True)
    assert [
        reason for _, reason in select.carry_out(plan, root=root, undo_file=None) if reason
    ] == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ("a/x.jpg b/y.jpg", "x.jpg y.jpg"),
        ("a/x.jpg b/x.jpg c/x.jpg", "x.jpg x-2.jpg x-3.jpg"),
        ("a/x.jpg b/X.JPG", "x.jpg X-2.JPG"),
        ("a/x.jpg b/x-2.jpg c/x.jpg", "x.jpg x-2.jpg x-3.jpg"),
        ("a/x.jpg b/x.jpg c/x-2.jpg", "x.jpg x-2.jpg x-2-2.jpg"),
        ("a/x b/x", "x x-2"),
        ("a/.x b/.x", ".x .x-2"),
        ("a/x.tar.gz b/x.tar.gz", "x.tar.gz x.tar-2.gz"),
        ("a/straße.jpg b/STRASSE.jpg", "straße.jpg STRASSE-2.jpg"),
        ("a/-r.jpg b/-r.jpg", "-r.jpg -r-2.jpg"),
    ],
)
@pytest.mark.parametrize("operation", [COPY, MOVE, SYMLINK])
def test_names_that_meet_get_a_number(tmp_path, sources, expected, operation):
    touch(tmp_path, *sources.split())
    assert targets(plan(tmp_path, *sources.split(), operation=operation)) == expected.split()


def test_a_companion_keeps_the_case_of_its_name_and_shares_the_number(tmp_path):
    names = ["a/IMG.jpg", "a/img.RAF", "b/IMG.jpg", "b/img.RAF"]
    touch(tmp_path, *names)
    beside = {tmp_path / f"{one}/IMG.jpg": tmp_path / f"{one}/img.RAF" for one in "ab"}
    found = plan(tmp_path, "a/IMG.jpg", "b/IMG.jpg", companions=beside)
    assert targets(found) == ["IMG.jpg", "img.RAF", "IMG-2.jpg", "img-2.RAF"]
    carry_out(found, tmp_path)
    again = plan(tmp_path, "a/IMG.jpg", "b/IMG.jpg", companions=beside)
    assert (targets(again), {one.is_there for one in again}) == (targets(found), {True})


def test_a_companion_of_another_name_or_folder_goes_under_its_own(tmp_path):
    touch(tmp_path, "a/x.jpg", "b/x.raf", "a/y.jpg", "a/other.raf")
    beside = {
        tmp_path / "a/x.jpg": tmp_path / "b/x.raf",
        tmp_path / "a/y.jpg": tmp_path / "a/other.raf",
    }
    found = plan(tmp_path, "a/x.jpg", "a/y.jpg", companions=beside)
    assert targets(found) == ["x.jpg", "x-2.raf", "y.jpg", "other.raf"]


@pytest.mark.parametrize("suffix", ["xmp", "XMP", "aae", "AAE", "pp3", "dop"])
def test_sidecars_of_either_kind_of_name_go_along(tmp_path, suffix):
    touch(tmp_path, "a/x.jpg", f"a/x.jpg.{suffix}", f"a/x.{suffix}", "a/x.txt.pp3")
    found = plan(tmp_path, "a/x.jpg", operation=MOVE, has_sidecars=True)
    assert sorted(targets(found)) == sorted(["x.jpg", f"x.jpg.{suffix}", f"x.{suffix}"])
    assert {one.operation for one in found} == {MOVE}


@pytest.mark.parametrize(("photo", "goes"), [("x.heic", True), ("x.JPG", True), ("x.png", False)])
def test_the_film_of_a_live_photo_goes_along(tmp_path, photo, goes):
    touch(tmp_path, f"a/{photo}", "a/x.MOV")
    found = plan(tmp_path, f"a/{photo}", operation=MOVE, has_sidecars=True)
    assert targets(found) == [photo, *(["x.MOV"] if goes else [])]


def test_accents_spelled_in_two_ways_are_one_name(tmp_path):
    names = [
        "a/" + unicodedata.normalize("NFC", "é.jpg"),
        "b/" + unicodedata.normalize("NFD", "é.jpg"),
    ]
    touch(tmp_path, *names)
    assert [name.count("-2") for name in targets(plan(tmp_path, *names))] == [0, 1]


@pytest.mark.parametrize("operation", [COPY, MOVE, SYMLINK])
def test_names_on_the_disk_are_taken(tmp_path, operation):
    touch(tmp_path, "a/x.jpg", "to/X.jpg", "to/x-2.JPG")
    assert targets(plan(tmp_path, "a/x.jpg", operation=operation)) == ["x-3.jpg"]


@pytest.mark.parametrize("operation", [COPY, SYMLINK])
@pytest.mark.parametrize("has_sidecars", [True, False])
def test_a_second_run_finds_what_the_first_one_did(tmp_path, operation, has_sidecars):
    names = ["a/x.jpg", "b/x.jpg", "b/y.jpg"]
    touch(tmp_path, *names, "a/x.jpg.xmp", "b/x.xmp")
    options = {"operation": operation, "has_sidecars": has_sidecars}
    first = plan(tmp_path, *names, **options)
    carry_out(first, tmp_path)
    second = plan(tmp_path, *names, **options)
    assert targets(second) == targets(first)
    assert {one.is_there for one in first} == {False}
    assert {one.is_there for one in second} == {True}


def test_two_photos_of_the_same_bytes_stay_two(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_bytes(b"same")
    for _ in range(2):
        made = plan(tmp_path, "a/x.jpg", "b/x.jpg")
        assert targets(made) == ["x.jpg", "x-2.jpg"]
        carry_out(made, tmp_path)


def test_a_photo_that_lies_there_already_stays(tmp_path):
    touch(tmp_path, "to/x.jpg")
    (made,) = plan(tmp_path, "to/x.jpg", operation=MOVE)
    assert (made.is_there, made.target) == (True, made.source)


def test_sidecars_of_both_kinds_go_along_and_keep_their_stem(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/x.jpg.xmp", "a/x.xmp", "a/xy.xmp", "to/x.jpg")
    made = plan(tmp_path, "a/x.jpg", operation=MOVE, has_sidecars=True)
    assert targets(made) == ["x-2.jpg", "x-2.jpg.xmp", "x-2.xmp"]
    assert [one.is_photo for one in made] == [True, False, False]
    assert targets(plan(tmp_path, "a/x.jpg", operation=MOVE)) == ["x-2.jpg"]


def test_a_sidecar_in_capitals_goes_along(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/x.XMP")
    assert targets(plan(tmp_path, "a/x.jpg", has_sidecars=True)) == ["x.jpg", "x.XMP"]


def test_photos_of_one_stem_stay_together_and_share_one_sidecar(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/x.raf", "a/x.xmp", "to/x.raf")
    made = plan(tmp_path, "a/x.jpg", "a/x.raf", operation=MOVE, has_sidecars=True)
    assert targets(made) == ["x-2.jpg", "x-2.raf", "x-2.xmp"]
    assert {one.operation for one in made} == {MOVE}


def test_a_sidecar_that_a_photo_left_behind_shares_is_copied(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/x.raf", "a/x.xmp", "a/x.jpg.xmp")
    made = plan(tmp_path, "a/x.jpg", operation=MOVE, has_sidecars=True)
    assert [one.operation for one in made] == [MOVE, MOVE, COPY]


def test_a_photo_never_lands_beside_a_sidecar_of_another(tmp_path):
    touch(tmp_path, "a/x.jpg", "a/x.xmp", "b/x.raf", "to/y.xmp", "c/y.jpg")
    made = plan(tmp_path, "a/x.jpg", "b/x.raf", "c/y.jpg", has_sidecars=True)
    assert targets(made) == ["x.jpg", "x.xmp", "x-2.raf", "y-2.jpg"]


def test_a_folder_that_does_not_exist_is_empty_and_is_not_made(tmp_path):
    touch(tmp_path, "a/x.jpg")
    assert targets(plan(tmp_path, "a/x.jpg")) == ["x.jpg"]
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "name", ["new\nline", "..x", "...", "a\\b", "~", "$(x)", "\udcff", " ", "*"]
)
@pytest.mark.parametrize("has_sidecars", [True, False])
def test_no_name_leads_out_of_the_folder(tmp_path, name, has_sidecars):
    touch(tmp_path, f"a/{name}", f"a/{name}.xmp", f"b/{name}")
    made = plan(tmp_path, f"a/{name}", f"b/{name}", has_sidecars=has_sidecars)
    assert {os.path.dirname(one.target) for one in made} == {str(tmp_path / "to")}
    carry_out(made, tmp_path)
    assert len(os.listdir(tmp_path / "to")) == len(made)
