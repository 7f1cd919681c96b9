"""One file to another folder: copied and verified, moved or linked; nothing is ever overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from contrique_cli.errors import Unreadable
from contrique_cli.files import reading, writing
from contrique_cli.files.reading import why

_BLOCK = 2**20


def copy(source: Path, target: Path) -> None:
    """Copy a regular file with its permissions and its time of modification.

    The copy appears under its name only when it is whole: flushed to the disk, read back from it,
    and of the same size and SHA-256 as what was read.

    Raises:
        FileExistsError: something stands at `target`.
        OSError: the source is no regular file or changed meanwhile, the copy differs, or the
            folder cannot be written to.
    """
    with _open(source) as original:
        before = os.fstat(original.fileno())
        with writing.creating(target, mode=before.st_mode & 0o777) as made:
            digest = hashlib.sha256()
            while block := original.read(_BLOCK):
                digest.update(block)
                made.write(block)
            made.flush()
            os.fsync(made.fileno())
            if _digest_on_disk(Path(made.name)) != (before.st_size, digest.digest()):
                raise OSError(errno.EIO, "the copy differs from the original, and was not kept")
            if not is_same_state(os.fstat(original.fileno()), before):
                raise OSError(errno.EBUSY, "the original changed while it was copied")
            os.utime(made.name, ns=(before.st_atime_ns, before.st_mtime_ns))


def move(source: Path, target: Path) -> None:
    """Rename a regular file; across file systems, copy it and then remove the original.

    Raises:
        FileExistsError: something stands at `target`.
        OSError: as for `copy`; or the original could not be removed after the copy, in which case
            both remain.
    """
    before = source.lstat()
    if not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EINVAL, _irregular(before.st_mode))
    try:
        writing.rename_new(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(source, target)
        writing.sync_folder(target.parent)
        _remove_original(source, before, target)


def link(source: Path, target: Path, *, root: Path) -> None:
    """Make a symbolic link at `target`.

    It is relative where both ends lie below `root`, so that the whole may be moved; else absolute.

    Raises:
        FileExistsError: something stands at `target`.
        OSError: the file system, or Windows without the privilege, has no such links.
    """
    target.symlink_to(link_text(source, target.parent, root=root))


def link_text(source: Path, folder: Path, *, root: Path) -> str:
    """What a link in `folder` to `source` holds."""
    file = source.absolute()
    file = file.parent.resolve() / file.name  # the folders without links, the photo's own name
    start, top = folder.resolve(), root.resolve()
    if file.is_relative_to(top) and start.is_relative_to(top):
        return os.path.relpath(file, start)
    return str(file)


def is_same_content(one: Path, other: Path) -> bool:
    """Whether two paths are regular files, links followed, that hold the same bytes."""
    try:
        first, second = one.stat(), other.stat()
        if not (stat.S_ISREG(first.st_mode) and stat.S_ISREG(second.st_mode)):
            return False
        if os.path.samestat(first, second):
            return True
        return first.st_size == second.st_size and _digest(one) == _digest(other)
    except OSError:
        return False


def is_same_state(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether they are of one file, by device and inode, of equal size and time of modification."""
    same = (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    return same and os.path.samestat(one, other)


def is_second_name(one: Path, other: Path) -> bool:
    """Whether two paths are two names that one file has, so that either may be taken away.

    Two paths may also lead to one name: through a link or a mount, or by another case of its
    letters. To take that away is to lose the file.
    """
    first, second = one.lstat(), other.lstat()
    if not os.path.samestat(first, second) or first.st_nlink < 2:  # noqa: PLR2004 - two names
        return False
    if not os.path.samestat(one.parent.stat(), other.parent.stat()):
        return True
    return one.name != other.name and {one.name, other.name} <= {
        path.name for path in one.parent.iterdir()
    }


def _open(source: Path) -> BinaryIO:
    """Open a regular file; never waits for a named pipe."""
    try:
        return reading.opened(source, may_be_empty=True)
    except Unreadable as problem:
        raise OSError(errno.EINVAL, problem.reason) from problem


def _irregular(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link; move what it leads to, or take --copy or --symlink"
    return reading.irregular(mode)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with _open(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def _digest_on_disk(path: Path) -> tuple[int, bytes]:
    """Size and SHA-256, read from the disk rather than from memory where the system lets us."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        digest = hashlib.file_digest(file, "sha256").digest()
        return file.tell(), digest


def _remove_original(source: Path, before: os.stat_result, target: Path) -> None:
    """Take the original away once another file is known to be its whole copy."""
    if not is_same_state(source.lstat(), before):
        raise OSError(errno.EBUSY, "the original changed meanwhile; it and its copy remain")
    copied = target.lstat()
    is_whole = stat.S_ISREG(copied.st_mode) and copied.st_size == before.st_size
    if not is_whole or os.path.samestat(copied, before):
        raise OSError(errno.EBUSY, "the copy is no longer there; the original remains")
    try:
        source.unlink()
    except OSError as error:
        raise OSError(
            error.errno, f"copied, but the original cannot be removed ({why(error)}); both remain"
        ) from error
