"""Copies, moves and links: exact, exclusive, and nothing lost when something goes wrong."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from contrique_cli.collection import transfer
from contrique_cli.files import writing
from tests.conftest import without_privileges

BYTES = os.urandom(3 * 2**20 + 17)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jpg"
    path.write_bytes(BYTES)
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 1_234_567_890_123_456_789))
    return path


@pytest.fixture(params=["real disk", "other disk", "no hard links"])
def disk(request, monkeypatch) -> str:
    """The same behaviour is expected of every kind of file system."""
    codes = {"other disk": errno.EXDEV, "no hard links": errno.EPERM}
    if request.param in codes:
        real = os.link

        def refuse(one, other, **options) -> None:
            if request.param == "other disk" and str(one).endswith(".part"):
                real(one, other, **options)  # within a folder there are no two disks
            else:
                raise OSError(codes[request.param], "refused", str(one), None, str(other))

        monkeypatch.setattr(os, "link", refuse)
    return request.param


def litter(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".part")]


def test_a_copy_is_exact_and_keeps_time_and_permissions(source, tmp_path, disk):
    target = tmp_path / "target.jpg"
    transfer.copy(source, target)
    assert target.read_bytes() == source.read_bytes() == BYTES
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert target.stat().st_mode == source.stat().st_mode
    assert litter(tmp_path) == []


def test_a_move_leaves_one_file_with_time_and_permissions(source, tmp_path, disk):
    before, target = source.stat(), tmp_path / "target.jpg"
    transfer.move(source, target)
    assert sorted(os.listdir(tmp_path)) == ["target.jpg"]
    assert target.read_bytes() == BYTES
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    assert target.stat().st_mode == before.st_mode


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")  # noqa: S108 - a disk, not a name
def test_a_move_between_two_real_file_systems(source):
    before = source.stat()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        target = Path(folder) / "target.jpg"
        transfer.move(source, target)
        assert target.read_bytes() == BYTES
        assert target.stat().st_mtime_ns == before.st_mtime_ns
        assert os.listdir(folder) == ["target.jpg"]
    assert not source.exists()


@pytest.mark.parametrize("work", [transfer.copy, transfer.move])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "broken link"])
def test_what_stands_at_the_target_stays(source, tmp_path, disk, work, kind):
    target = tmp_path / "target.jpg"
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(source if kind == "link" else tmp_path / "nowhere")
    before = target.lstat()
    with pytest.raises(FileExistsError):
        work(source, target)
    assert target.lstat() == before
    assert source.read_bytes() == BYTES
    assert litter(tmp_path) == []


def test_a_link_never_takes_a_taken_name(source, tmp_path):
    (tmp_path / "target.jpg").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        transfer.link(source, tmp_path / "target.jpg", root=tmp_path)


@pytest.mark.parametrize("work", [transfer.copy, transfer.move])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_regular_files_are_taken(tmp_path, work, kind):
    source = tmp_path / "source"
    source.mkdir() if kind == "folder" else os.mkfifo(source)
    with pytest.raises(OSError, match=r"folder|not a regular file"):
        work(source, tmp_path / "target")
    assert os.listdir(tmp_path) == ["source"]


def test_a_linked_photo_is_copied_but_never_moved(source, tmp_path):
    (tmp_path / "link.jpg").symlink_to(source)
    transfer.copy(tmp_path / "link.jpg", tmp_path / "copy.jpg")
    assert (tmp_path / "copy.jpg").read_bytes() == BYTES
    with pytest.raises(OSError, match="a symbolic link; move what it leads to"):
        transfer.move(tmp_path / "link.jpg", tmp_path / "moved.jpg")


@pytest.mark.parametrize("disk", ["other disk"], indirect=True)
@pytest.mark.parametrize("fault", ["damaged", "short", "changed"])
def test_a_bad_copy_is_not_kept_and_the_original_stays(source, tmp_path, monkeypatch, disk, fault):
    real = os.fsync

    def fault_in_the_middle(descriptor: int) -> None:
        real(descriptor)
        part = next(tmp_path.glob(".*.part"))
        if fault == "damaged":
            part.write_bytes(BYTES[:-1] + bytes([BYTES[-1] ^ 1]))
        elif fault == "short":
            part.write_bytes(BYTES[:-1])
        else:
            source.write_bytes(BYTES + b"more")

    monkeypatch.setattr(writing.os, "fsync", fault_in_the_middle)
    with pytest.raises(OSError, match=r"differs|changed while"):
        transfer.move(source, tmp_path / "target.jpg")
    assert os.listdir(tmp_path) == ["source.jpg"]


@pytest.mark.parametrize("disk", ["other disk"], indirect=True)
def test_an_original_that_cannot_be_removed_is_said_to_remain(tmp_path, disk, source):
    closed, opened = tmp_path / "closed", tmp_path / "open"
    closed.mkdir()
    opened.mkdir()
    source.rename(closed / "a.jpg")
    (closed / "a.jpg").chmod(0o644)
    closed.chmod(0o555)
    opened.chmod(0o777)
    with without_privileges(closed), pytest.raises(OSError, match="both remain"):
        transfer.move(closed / "a.jpg", opened / "a.jpg")
    assert (closed / "a.jpg").read_bytes() == (opened / "a.jpg").read_bytes() == BYTES


def test_a_move_out_of_a_closed_folder_changes_nothing(tmp_path):
    closed, opened = tmp_path / "closed", tmp_path / "open"
    for folder in (closed, opened):
        folder.mkdir()
    (closed / "a.jpg").write_bytes(b"x")
    (closed / "a.jpg").chmod(0o666)
    closed.chmod(0o555)
    opened.chmod(0o777)
    with without_privileges(closed), pytest.raises(PermissionError):
        transfer.move(closed / "a.jpg", opened / "a.jpg")
    assert (os.listdir(closed), os.listdir(opened)) == (["a.jpg"], [])


@pytest.mark.parametrize("disk", ["other disk", "real disk"], indirect=True)
def test_an_interruption_leaves_the_original(source, tmp_path, monkeypatch, disk):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        transfer.copy(source, tmp_path / "target.jpg")
    assert os.listdir(tmp_path) == ["source.jpg"]


def test_links_are_relative_inside_the_root_and_absolute_outside(tmp_path):
    root = tmp_path / "root"
    (root / "photos").mkdir(parents=True)
    (root / "best").mkdir()
    (root / "photos" / "a.jpg").write_bytes(b"x")
    inside = transfer.link_text(root / "photos" / "a.jpg", root / "best", root=root)
    assert inside == "../photos/a.jpg"
    outside = transfer.link_text(root / "photos" / "a.jpg", tmp_path, root=root)
    assert outside == str(root / "photos" / "a.jpg")


def test_relative_links_lead_home_through_linked_folders(tmp_path):
    (tmp_path / "deep" / "er" / "best").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    (tmp_path / "best").symlink_to("deep/er/best")
    transfer.link(tmp_path / "photos" / "a.jpg", tmp_path / "best" / "a.jpg", root=tmp_path)
    assert (tmp_path / "best" / "a.jpg").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("other", "expected"),
    [(BYTES, True), (BYTES[:-1], False), (b"\0" + BYTES[1:], False), (None, False)],
)
def test_same_content_is_the_same_bytes(source, tmp_path, other, expected):
    if other is not None:
        (tmp_path / "other").write_bytes(other)
    assert transfer.is_same_content(source, tmp_path / "other") is expected
