"""Tar files: pictures with names and keys; whatever is hostile is a row or an end, never harm."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections import Counter

import pytest

from contrique_cli.errors import DamagedShard, ShardError, Unreadable
from contrique_cli.photos.opening import Encoded
from contrique_cli.shards import picture, tars
from tests.shards.samples import jpeg, member, tar_bytes


def read(data: bytes) -> list[picture.Picture]:
    return list(tars.pictures(io.BytesIO(data), Counter()))


def test_pictures_come_in_order_with_name_key_and_bytes():
    left_out: Counter[str] = Counter()
    data = tar_bytes(
        [
            member("a/0001.jpg", jpeg(1)),
            member("a/0001.json", b"{}"),
            member("0002.mask.PNG", b"x"),
            member("._0002.png", b"of a Mac"),
        ]
    )
    found = list(tars.pictures(io.BytesIO(data), left_out))
    assert [(one.member, one.key) for one in found] == [
        ("a/0001.jpg", "a/0001"),
        ("0002.mask.PNG", "0002"),
    ]
    assert found[0].photo == Encoded(path=found[0].photo.path, data=jpeg(1))
    assert left_out == {"not a picture": 2}


def test_a_compressed_tar_is_the_same():
    members = [member(f"{seed}.jpg", jpeg(seed)) for seed in range(3)]
    plain = read(tar_bytes(members))
    assert read(tar_bytes(members, "w:gz")) == plain
    assert len(plain) == 3


def test_it_is_read_once_from_a_pipe():
    receiver, sender = os.pipe()
    os.write(sender, tar_bytes([member("a.jpg", b"x" * 100)]))
    os.close(sender)
    with os.fdopen(receiver, "rb") as file:
        assert [one.member for one in tars.pictures(file, Counter())] == ["a.jpg"]


def test_hostile_members_are_only_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = [
        member("/etc/passwd.jpg", jpeg(1)),
        member("../../outside.jpg", jpeg(2)),
        member("link.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard.jpg", type=tarfile.LNKTYPE, linkname="../../outside.jpg"),
        member("device.jpg", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        member("pipe.jpg", type=tarfile.FIFOTYPE),
        member("folder.jpg", type=tarfile.DIRTYPE),
        member("twice.jpg", jpeg(3)),
        member("twice.jpg", jpeg(4)),
    ]
    found = read(tar_bytes(hostile))
    whole = [one.member for one in found if isinstance(one.photo, Encoded)]
    assert whole == ["/etc/passwd.jpg", "../../outside.jpg", "twice.jpg", "twice.jpg"]
    refused = {one.member: one.photo.reason for one in found if isinstance(one.photo, Unreadable)}
    assert set(refused) == {"link.jpg", "hard.jpg", "device.jpg", "pipe.jpg"}
    assert "a link" in refused["link.jpg"]
    assert "a device or pipe" in refused["device.jpg"]
    assert list(tmp_path.iterdir()) == []


def test_a_member_over_the_limit_is_passed_over_unread(monkeypatch):
    monkeypatch.setattr(tars, "MAX_BYTES", 1 << 20)
    found = read(tar_bytes([member("bomb.jpg", bytes(2 << 20)), member("b.jpg", jpeg(1))], "w:gz"))
    assert "over the limit" in found[0].photo.reason
    assert isinstance(found[1].photo, Encoded)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_wants_the_whole_memory_ends_the_shard(kind):
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, 1 << 33
    data = (
        tar_bytes([member("a.jpg", b"x" * 512)])[:1024]
        + info.tobuf(tarfile.GNU_FORMAT)
        + bytes(4096)
    )
    stream = tars.pictures(io.BytesIO(data), Counter())
    assert next(stream).member == "a.jpg"
    with pytest.raises(DamagedShard, match="a header promises 8,589,934,592 bytes"):
        next(stream)


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (512 + 100, "end"),  # inside of a member
        (512 + 2048 + 200, "without the mark of its end"),  # inside of a header
        (512 + 2048, "without the mark of its end"),  # between two members
    ],
)
def test_a_tar_that_is_cut_short_gives_what_came_before_and_says_so(cut, reason):
    data = tar_bytes([member("a.jpg", b"x" * 2048), member("b.jpg", b"y" * 2048)])
    found = []
    with pytest.raises(DamagedShard, match=reason):
        found.extend(tars.pictures(io.BytesIO(data[:cut]), Counter()))
    stream = tars.pictures(io.BytesIO(data[:cut]), Counter())
    if cut > 512 + 2048 - 1:
        assert next(stream).member == "a.jpg"


def test_kinds_of_compression_that_hold_gigabytes_in_a_few_bytes_are_not_opened():
    data = tar_bytes([member("a.jpg", bytes(1 << 20))], "w:xz")
    with pytest.raises(DamagedShard):
        read(data)


def test_a_header_that_is_overwritten_does_not_pass_for_the_end():
    data = bytearray(tar_bytes([member("a.jpg", b"x" * 512), member("b.jpg", b"y" * 512)]))
    data[1024:1100] = b"z" * 76
    with pytest.raises(DamagedShard):
        read(bytes(data))


@pytest.mark.parametrize("data", [b"no tar file " * 100, gzip.compress(b"x" * 5000), b"\x1f\x8b1"])
def test_what_is_no_tar_is_a_damaged_shard(data):
    with pytest.raises(DamagedShard, match=r"no tar file, or damaged|without the mark"):
        read(data)


def test_a_sparse_member_is_not_blown_up():
    info = tarfile.TarInfo("sparse.jpg")
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40)}
    info.size = 1
    found = read(tar_bytes([(info, b"x")]))
    assert "a sparse file" in found[0].photo.reason


def test_a_store_that_fails_in_the_middle_is_no_damage():
    class Broken(io.BytesIO):
        def readinto(self, buffer):
            if self.tell() > 20000:
                raise ShardError("gone")
            return super().readinto(buffer)

    data = tar_bytes([member(f"{n}.jpg", bytes(20000)) for n in range(5)])
    with pytest.raises(ShardError, match="gone"):
        list(tars.pictures(Broken(data), Counter()))


def test_memory_does_not_grow_with_the_members():
    data = tar_bytes([member(f"{n}.txt") for n in range(2000)])
    read(data)
    peaks = []
    for _ in range(3):  # a thread that an earlier test left may come to its end meanwhile
        tracemalloc.start()
        read(data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < 1 << 20
