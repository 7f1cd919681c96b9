"""Which photo a file holds: what makes two files the same, and what does not."""

from __future__ import annotations

import os
import shutil

import pytest

from contrique_cli.encoder.cache import identity

LARGE = 10 * identity.BLOCK
THEN = 1_600_000_000_000_000_000  # nanoseconds since 1970


def write(path, data, mtime_ns=THEN):
    path.write_bytes(data)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def is_same(before: identity.Identity, after: identity.Identity) -> bool:
    return before.key == after.key and identity.is_same(after, before.place)


@pytest.mark.parametrize("size", [1, identity.BLOCK, 3 * identity.BLOCK])
def test_a_small_file_is_its_content_whatever_its_name_and_date(tmp_path, size):
    first = identity.identify(write(tmp_path / "a", b"x" * size))
    copy = identity.identify(write(tmp_path / "b", b"x" * size, mtime_ns=THEN + 1))
    assert is_same(first, copy)


@pytest.mark.parametrize("place", [0, LARGE // 2, LARGE - 1])
def test_a_file_replaced_at_equal_size_and_date_is_another(tmp_path, place):
    data = bytearray(os.urandom(LARGE))
    first = identity.identify(write(tmp_path / "a", data))
    data[place] ^= 1
    assert not is_same(first, identity.identify(write(tmp_path / "a", data)))


def test_a_large_file_with_a_new_date_is_another(tmp_path):
    first = identity.identify(write(tmp_path / "a", bytes(LARGE)))
    later = identity.identify(write(tmp_path / "a", bytes(LARGE), mtime_ns=THEN + 1))
    assert not is_same(first, later)


def test_a_moved_large_file_is_the_same(tmp_path):
    path = write(tmp_path / "a", bytes(LARGE))
    first = identity.identify(path)
    path.rename(tmp_path / "b")
    assert is_same(first, identity.identify(tmp_path / "b"))


def test_two_large_files_that_look_alike_side_by_side_are_two(tmp_path):
    path = write(tmp_path / "a", bytes(LARGE))
    shutil.copy2(path, tmp_path / "b")
    first, second = identity.identify(path), identity.identify(tmp_path / "b")
    assert first.key == second.key
    assert not is_same(first, second)


def test_a_file_is_the_same_from_another_working_folder(tmp_path, monkeypatch):
    path = write(tmp_path / "a", bytes(LARGE))
    monkeypatch.chdir(tmp_path)
    assert identity.identify(path) == identity.identify(path.relative_to(tmp_path))


def test_what_is_no_regular_file_has_no_identity(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone", "pipe", ".", "nul\0"):
        assert identity.identify(tmp_path / name) is None


def test_a_change_while_it_was_decoded_is_noticed(tmp_path):
    path = write(tmp_path / "a", b"1")
    seen = identity.identify(path)
    assert identity.is_unchanged(path, seen)
    write(path, b"2", mtime_ns=THEN + 1)
    assert not identity.is_unchanged(path, seen)
    path.unlink()
    assert not identity.is_unchanged(path, seen)
