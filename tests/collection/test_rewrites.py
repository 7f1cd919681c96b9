"""Sidecars put back as they were before they were rated, or left and said to be."""

from __future__ import annotations

import base64
import os
import zlib
from pathlib import Path

import pytest

from contrique_cli.collection import ratings, rewrites, undo, xmp
from contrique_cli.collection.undo import BACK, FAILED, RESTORED
from tests.sidecars import DARKTABLE, rated

JPEG = b"\xff\xd8\xff\xe0"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """a.jpg with a sidecar of darktable and b.jpg without, both rated; the undo file is "undo"."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "a.jpg.xmp").write_text(DARKTABLE)
    photos = {tmp_path / "a.jpg": 4, tmp_path / "b.jpg": -1}
    with undo.create(tmp_path / "undo", source=tmp_path, target=tmp_path) as book:
        done = list(ratings.give(photos, naming="full", record=book.record_rating))
    assert [one.result for one in done] == ["written", "written"]
    return tmp_path


def results(root: Path, **options: bool) -> dict[str, tuple[str, str | None]]:
    found = undo.read(root / "undo")
    assert len(found) == len(found.rewrites)
    outcomes = undo.undo_ratings(found, **options)
    return {one.sidecar.name: (result, reason) for one, result, reason in outcomes}


def test_all_is_as_before_and_a_second_time_changes_nothing(given):
    assert results(given, is_dry_run=True) == dict.fromkeys(
        ("b.jpg.xmp", "a.jpg.xmp"), (RESTORED, None)
    )
    assert (given / "b.jpg.xmp").exists()
    assert list(results(given).values()) == [(RESTORED, None)] * 2
    assert (given / "a.jpg.xmp").read_text() == DARKTABLE
    assert not (given / "b.jpg.xmp").exists()
    assert list(results(given).values()) == [(BACK, None)] * 2


@pytest.mark.parametrize("name", ["a.jpg.xmp", "b.jpg.xmp"])
def test_what_changed_since_stays(given, name):
    (given / name).write_text(rated("<xmp:Rating>2</xmp:Rating>"))
    assert results(given)[name] == (FAILED, "it has changed since")
    assert b">2<" in (given / name).read_bytes()


def test_a_rewrite_that_was_killed_before_it_was_made_is_as_before(tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    with undo.create(tmp_path / "undo", source=tmp_path, target=tmp_path) as book:
        book.record_rating(tmp_path / "a.jpg.xmp", None, b"<")
    assert results(tmp_path) == {"a.jpg.xmp": (BACK, None)}


def test_a_link_to_a_sidecar_of_the_folder_stays_one(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "a.jpg.xmp").symlink_to("store/a.xmp")
    with undo.create(tmp_path / "undo", source=tmp_path, target=tmp_path) as book:
        list(ratings.give({tmp_path / "a.jpg": 3}, naming="full", record=book.record_rating))
    assert (tmp_path / "store" / "a.xmp").exists()
    assert results(tmp_path) == {"a.jpg.xmp": (RESTORED, None)}
    assert os.listdir(tmp_path / "store") == []
    assert (tmp_path / "a.jpg.xmp").is_symlink()


def stranger(root: Path, sidecar: Path, before: bytes | None, now: bytes) -> tuple[str, str | None]:
    with undo.create(root / "undo", source=root, target=root) as book:
        book.write(rewrites.to_record(sidecar, before, now))
    (outcome,) = results(root).values()
    return outcome


def test_a_stranger_changes_nothing_outside_and_nothing_but_sidecars(tmp_path):
    root, home = tmp_path / "photos", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    for place in (home / "mine.jpg", root / "a.jpg"):
        place.write_bytes(JPEG)
    text = xmp.new(xmp.Mark(3))
    for place in (home / "mine.jpg.xmp", root / "a.jpg.xmp", root / "lone.xmp", root / "a.sh"):
        place.write_bytes(text)
    (root / "b.jpg").write_bytes(JPEG)
    (root / "b.jpg.xmp").symlink_to(home / "mine.jpg.xmp")
    cases = [
        (home / "mine.jpg.xmp", None, "outside of the folders"),
        (root / "b.jpg.xmp", None, "a link out of its folder"),
        (root / "lone.xmp", None, "no sidecar of a photo"),
        (root / "a.sh", None, "no sidecar of a photo"),
        (root / "a.jpg.xmp", b"#!/bin/sh\n", "not well-formed"),
        (root / "a.jpg.xmp", b"<!DOCTYPE a><a/>", "DOCTYPE"),
    ]
    for sidecar, before, word in cases:
        result, reason = stranger(root, sidecar, before, text)
        assert (result, word in (reason or "")) == (FAILED, True), (sidecar, reason)
        assert sidecar.read_bytes() == text
        (root / "undo").unlink()


@pytest.mark.parametrize(
    "packed",
    [
        *(5, "?", "AAAA", ["x"]),
        base64.b64encode(zlib.compress(b"\0" * (xmp.LIMIT + 1))).decode(),
        base64.b64encode(zlib.compress(os.urandom(100))[:-9]).decode(),
    ],
    ids=str,
)
def test_bytes_that_are_none_or_too_many_are_refused(packed):
    with pytest.raises(ValueError, match=r"damaged|cut off or too large"):
        rewrites.before_of(packed)
