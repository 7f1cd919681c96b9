"""Which photo a file holds: every byte counts, and when the system's word for it is enough."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from contrique_cli.encoder.cache import identity
from contrique_cli.photos import content

LARGE = 300_000


def digest(path: Path) -> bytes:
    return identity.read_digest(path, identity.read_status(path))[0]


def write(path: Path, data: bytes) -> Path:
    """Write a file and set its date to one long ago."""
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18))
    return path


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_file_is_its_bytes_whatever_its_name_and_date(tmp_path, size):
    first = digest(write(tmp_path / "a", b"x" * size))
    (tmp_path / "b").write_bytes(b"x" * size)
    assert digest(tmp_path / "b") == first


@pytest.mark.parametrize("offset", [0, 20_000, 77_777, LARGE // 2, LARGE - 1])
def test_one_changed_byte_makes_another_photo_at_equal_size_and_date(tmp_path, offset):
    data = bytearray(os.urandom(LARGE))
    before = digest(write(tmp_path / "a", data))
    status = identity.read_status(tmp_path / "a")
    data[offset] ^= 1
    time.sleep(0.02)  # longer than the system's clock stands still
    write(tmp_path / "a", data)
    assert digest(tmp_path / "a") != before
    after = identity.read_status(tmp_path / "a")
    assert (after.inode, after.size, after.mtime_ns) == (status.inode, LARGE, status.mtime_ns)
    assert after.state != status.state


def test_a_file_too_large_for_memory_has_the_same_hash(tmp_path, monkeypatch):
    path = write(tmp_path / "a", os.urandom(LARGE))
    whole = digest(path)
    monkeypatch.setattr(content, "MAX_IN_MEMORY", 1000)
    assert digest(path) == whole


def test_a_status_is_no_proof_while_it_is_fresh_or_on_a_card(tmp_path):
    status = identity.Status(1, 1, 1, mtime_ns=0, ctime_ns=10**18 + 1)
    assert identity.is_proof(status, 10**18 + 2 * 10**9)
    assert not identity.is_proof(status, 10**18 + 5 * 10**8)
    assert not identity.is_proof(status, 10**18 - 10**9)  # a clock that was set back
    whole_seconds = status._replace(ctime_ns=10**18)
    assert not identity.is_proof(whole_seconds, 10**18 + 10**12)


def test_a_file_just_written_is_not_taken_at_its_word(tmp_path):
    path = write(tmp_path / "a", b"x")
    assert identity.read_digest(path, identity.read_status(path)) == (content.digest(b"x"), False)


def test_a_file_that_changed_since_its_status_was_read_is_not_taken_at_its_word(tmp_path):
    path = write(tmp_path / "a", b"x")
    status = identity.read_status(path)._replace(ctime_ns=10**17 + 1)
    assert identity.read_digest(path, status) == (content.digest(b"x"), False)


def test_what_is_no_regular_file_has_no_status(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone", "pipe", ".", "nul\0"):
        assert identity.read_status(tmp_path / name) is None


def test_a_name_that_makes_a_raw_file_of_it_is_part_of_the_key():
    raw, other = (identity.make_key(b"k" * 16, Path(name)) for name in ("a.NEF", "a.tif"))
    assert raw != other
    assert other == identity.make_key(b"k" * 16, Path("b.jpg"))
