"""Files on disk, written whole or not at all: beside the target, flushed, then renamed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from contrique_cli.errors import CannotWrite

_NO_HARD_LINKS = {
    errno.EPERM,  # FAT, exFAT, and files of others under Linux's protected_hardlinks
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EINVAL,  # Windows, on a file system without them
}


@contextmanager
def replacing(path: Path, *, keep: bool = True) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` when the block ends without an error.

    A full disk, a kill or an exception leaves what stood at `path` as it was.

    Args:
        path: the file to write.
        keep: False only tries whether the place can be written to.

    Raises:
        CannotWrite: the folder is missing, not writable or full.
    """
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder; give the name of a file")
    target = path.resolve()  # through a symbolic link, so that the link stays one
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name[:80]}.", suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep:
            temporary.chmod(_mode_for(target))
            temporary.replace(target)
            temporary = None
    except OSError as error:
        if error.filename not in (None, str(temporary)) and temporary is not None:
            raise  # the block's own trouble with another file
        raise CannotWrite(
            f"{path} cannot be written ({(error.strerror or str(error)).lower()}); "
            "what stood there is unchanged: free space or choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def creating(path: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Open a binary file that appears at `path` when the block ends without an error.

    It appears whole, and only if nothing stands there: nothing is ever replaced.

    Args:
        path: the file to make.
        mode: its permissions; None gives those of any new file.

    Raises:
        FileExistsError: something stands at `path`, or came to stand there meanwhile.
        OSError: the folder is missing, not writable or full.
    """
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(_mode_for(path) if mode is None else mode)
            rename_new(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def rename_new(source: Path, target: Path) -> None:
    """Rename within one file system, but never over anything that exists.

    Plain `rename` replaces its target without asking. A second hard link cannot, so it is made
    first; where there are none, an empty file claims the name, which only one program can.

    Raises:
        FileExistsError: something stands at `target`.
        OSError: with EXDEV, the file systems differ; otherwise the source stays where it was.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename_over_claim(source, target)
        return
    try:
        source.unlink()
    except OSError:
        target.unlink()  # the second name that was given above; the file keeps its first
        raise


def _rename_over_claim(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        source.replace(target)
    except OSError:
        if target.stat().st_size == 0:
            target.unlink()
        raise


def _mode_for(target: Path) -> int:
    """The permissions a plain `open` would give, or those of the file being replaced."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
