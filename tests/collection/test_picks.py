"""Lists of picks: what the gallery downloads is read, what a stranger wrote is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from contrique_cli.collection import picks
from contrique_cli.errors import BadReport
from tests.hostile import mutations


def listed(*photos: object, **more: object) -> bytes:
    head = {"format": "contrique-picks", "version": 1, "folder": "/photos"}
    return json.dumps({**head, "photos": list(photos), **more}).encode()


def test_a_list_says_photos_stars_and_where_it_was_made():
    raw = "b" + os.fsdecode(b"\xff") + ".jpg"
    found = picks.parse(
        listed(
            {"path": "a.jpg", "rating": 5, "companion": "a.raf"},
            {"path": raw, "rating": -1},
            {"path": "c.jpg", "rating": 0},
        ),
        "picks.json",
    )
    assert found.folder == Path("/photos")
    assert [(row.path, row.companion, row.rating) for row in found.rows] == [
        (Path("a.jpg"), Path("a.raf"), 5),
        (Path(raw), None, -1),
        (Path("c.jpg"), None, 0),
    ]
    assert found.moved_to(Path("x"))[0].path == Path("x/a.jpg")


def test_of_a_photo_listed_twice_the_later_holds():
    found = picks.parse(
        listed({"path": "a", "rating": 1}, {"path": "b", "rating": 2}, {"path": "a", "rating": 3}),
        "picks.json",
    )
    assert [(row.path.name, row.rating) for row in found.rows] == [("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    "data",
    [
        b"path,score\na.jpg,5\n",
        b'{"schema": 1, "photos": [{"path": "\\"format\\": \\"contrique-picks\\""}]}',
        b'path,score\n"{""format"": ""contrique-picks""}",5\n',
        b"",
    ],
)
def test_a_report_is_no_list(data):
    assert not picks.is_list(data)


@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf", b"\n "])
def test_a_list_is_one_whatever_was_put_before_it(head):
    data = head + listed({"path": "a", "rating": 1})
    assert picks.is_list(data)
    assert len(picks.parse(data, "picks.json").rows) == 1


BAD = {
    "no JSON": (listed({"path": "a", "rating": 1})[:-2], "damaged"),
    "not UTF-8": (b'{"format": "contrique-picks", "x": "\xff"}', "damaged"),
    "deep": (b'{"format": "contrique-picks", "x": ' + b"[" * 100_000, "damaged"),
    "not a number": (listed(x=float("nan")), "damaged"),
    "a list": (b'["contrique-picks"]', "no list of picks"),
    "another version": (listed({"path": "a", "rating": 1}, version=2), "version"),
    "a true version": (listed({"path": "a", "rating": 1}, version=True), "version"),
    "empty": (listed(), "lists no photo"),
    "no photos": (listed(photos={"path": "a"}), "lists no photo"),
    "no photo": (listed("a.jpg"), "photo 1 is no photo"),
    "no path": (listed({"rating": 1}), "photo 1 has no path"),
    "a NUL": (listed({"path": "a\0b", "rating": 1}), "photo 1 has no path"),
    "half a character": (listed({"path": "\ud800", "rating": 1}), "photo 1 has no path"),
    "no rating": (listed({"path": "a"}), "photo 1: its rating"),
    "six stars": (listed({"path": "a", "rating": 6}), "photo 1: its rating"),
    "half a star": (listed({"path": "a", "rating": 2.5}), "photo 1: its rating"),
    "a true rating": (listed({"path": "a", "rating": True}), "photo 1: its rating"),
    "text": (listed({"path": "a", "rating": "5"}), "photo 1: its rating"),
    "a companion": (listed({"path": "a", "rating": 1, "companion": 3}), "photo 1 has no path"),
    "a relative folder": (listed({"path": "a", "rating": 1}, folder="x"), "not absolute"),
    "a folder": (listed({"path": "a", "rating": 1}, folder=[]), "folder has no path"),
    "large": (listed({"path": "a", "rating": 1}) + b" " * picks.LIMIT, "larger than 16 MB"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_makes_no_sense_is_refused_in_one_line(case):
    data, word = BAD[case]
    with pytest.raises(BadReport, match=word) as caught:
        picks.parse(data, "picks.json")
    assert "\n" not in str(caught.value)


def test_mutated_lists_are_read_or_refused():
    from random import Random

    rng = Random(0)
    whole = listed(*({"path": f"{n}.jpg", "rating": n % 7 - 1} for n in range(6)))
    for _ in range(300):
        data = mutations.bytes_of(whole, rng)
        try:
            found = picks.parse(data, "picks.json")
        except BadReport:
            continue
        assert all(row.rating in picks.RATINGS for row in found.rows)
