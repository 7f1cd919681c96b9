"""Pictures of a shard: their names, and bytes that are too many or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from contrique_cli.errors import Unreadable
from contrique_cli.shards import picture


@pytest.mark.parametrize(
    ("member", "key"),
    [
        ("00/12.jpg", "00/12"),
        ("./12.seg.png", "12"),
        ("a.b/12.jpg", "a.b/12"),
        ("12", "12"),
    ],
)
def test_a_key_is_the_name_up_to_its_first_dot(member, key):
    assert picture.key_of(member) == key


@pytest.mark.parametrize(
    ("member", "is_one"),
    [("a/b.JPG", True), ("b.json", False), ("a/.b.jpg", False), ("jpg", False)],
)
def test_a_picture_has_a_suffix_of_one_and_is_not_hidden(member, is_one):
    assert picture.is_picture(member) is is_one


def test_bytes_that_are_none_or_too_many_are_a_reason(monkeypatch):
    monkeypatch.setattr(picture, "MAX_BYTES", 1_000_000)
    name = Path("s.tar/a.jpg")
    assert picture.held(name, b"x" * 1_000_000).data == b"x" * 1_000_000
    for data, words in ((None, "no bytes"), (b"x" * 2_000_000, "2 MB is over the limit of 1 MB")):
        found = picture.held(name, data)
        assert isinstance(found, Unreadable)
        assert words in found.reason
