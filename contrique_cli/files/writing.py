"""Files on disk, written whole or not at all: beside the target, flushed, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from contrique_cli.errors import CannotWrite
from contrique_cli.files.reading import irregular, why

_NO_HARD_LINKS = {
    errno.EPERM,  # FAT, exFAT, and files of others under Linux's protected_hardlinks
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EINVAL,  # Windows, on a file system without them
}

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system without locks answers."""

_STDERR = ("/dev/stderr", "/dev/fd/2", "/proc/self/fd/2")

_PRIVATE, _USUAL = 0o600, 0o666
_LONGEST = 40  # letters of the target's name in that of a file under way, 160 bytes of at most 255
_PART = re.compile(r"\..*\.contrique-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\.part", re.DOTALL)
"""Name of a file under way: its target, the machine and the process that owns it, a number."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` when the block ends without an error.

    A full disk, a kill or an exception leaves what stood at `path` as it was. A device or a pipe
    at `path` stays one: what the block wrote is written into it.

    Args:
        path: the file to write.

    Raises:
        CannotWrite: the folder is missing, not writable or full; nobody reads the pipe.
    """
    if _is_stream(path):
        with tempfile.TemporaryFile() as scratch:
            yield scratch
            _pour(scratch, path)
        return
    target = path.resolve()  # through a symbolic link, so that the link stays one
    temporary = None
    try:
        mode = _mode(target)
        temporary, file = _begin(target, _USUAL if mode is None else _PRIVATE)
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
        temporary = None
    except OSError as error:
        if error.filename not in (None, str(temporary)) and temporary is not None:
            raise  # the block's own trouble with another file
        raise _cannot_write(path, error) from error
    finally:
        _discard(temporary)


def check_writable(path: Path) -> None:
    """Find out before the work whether `path` could be replaced, and tidy up around it.

    Raises:
        CannotWrite: see `replacing`.
    """
    if _is_stream(path):
        return
    target = path.resolve()
    try:
        temporary, file = _begin(target, _PRIVATE)
        file.close()
        temporary.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from error
    sweep(target.parent)


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
    temporary, file = _begin(path, _USUAL if mode is None else _PRIVATE)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        rename_new(temporary, path)
    except BaseException:
        _discard(temporary)
        raise


def rename_new(source: Path, target: Path) -> None:
    """Rename within one file system, but never over anything that exists.

    Plain `rename` replaces its target without asking. A second hard link cannot, so it is made
    first; where there are none, an empty file claims the name, which only one program can. The
    first name is taken away only while both are known to be of one file.

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
    if not os.path.samestat(source.lstat(), target.lstat()):
        raise OSError(errno.EBUSY, "the original was replaced meanwhile; both remain")
    try:
        source.unlink()
    except OSError:
        target.unlink()  # the second name that was given above; the file keeps its first
        raise


def append(descriptor: int, data: bytes) -> None:
    """Add bytes to a file opened for appending: all of them or, whatever happens, none.

    Raises:
        OSError: the disk is full or gone.
    """
    start = os.fstat(descriptor).st_size
    done = 0
    try:
        while done < len(data):
            done += os.write(descriptor, data[done:])
    except BaseException:
        if done < len(data):
            with suppress(OSError):
                os.ftruncate(descriptor, start)
        raise


@contextmanager
def locked(path: Path, otherwise: str, *, lock: Path | None = None) -> Iterator[None]:
    """Keep a file or folder for this process while the block runs; a killed one leaves no lock.

    Args:
        path: the file, which need not exist, or the folder.
        otherwise: what to say where another process has it.
        lock: the lock; by default a hidden file beside it, whatever links lead there.

    Raises:
        CannotWrite: another process has it, or the folder cannot be written to.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - `contrique --help` needs none

    target = path.resolve()
    held = FileLock(lock or target.with_name(f".{target.name[:_LONGEST]}.lock"), timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise CannotWrite(f"{path}: {otherwise}") from error
    except NotImplementedError:  # a file system without locks: no protection
        pass
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        held.release()


def sweep(folder: Path) -> None:
    """Remove what killed programs left under way in a folder.

    A file is left over when its name says that it is ours, of this machine, and of a process that
    is gone. Where that cannot be known, as on Windows, it stays.
    """
    if os.name != "posix":
        return
    ours = _machine()
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        match = _PART.fullmatch(entry.name)
        if match and match[1] == ours and not _is_running(int(match[2])):
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink()


def _begin(target: Path, mode: int) -> tuple[Path, IO[bytes]]:
    """A new file beside the target, and its path.

    The system itself takes the user's mask off `mode`: to ask for the mask is to change it, for
    all threads.
    """
    owner = f"contrique-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    path = target.with_name(f".{target.name[:_LONGEST]}.{owner}.part")
    file = open(path, "x+b", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115 - `Path.open` takes no opener
    return path, file


def _machine() -> str:
    """Stands for this machine, or this container in it, whose process numbers are its own."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _discard(temporary: Path | None) -> None:
    if temporary is not None:
        with suppress(OSError):
            temporary.unlink()


def _mode(target: Path) -> int | None:
    """The permissions of the file to be replaced; None where there is none."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        return None


def _is_stream(path: Path) -> bool:
    """Whether a device or a pipe stands there, which is written into.

    Raises:
        CannotWrite: a folder, a disk or a socket does, which is neither written into nor replaced.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISREG(mode):
        return False
    if stat.S_ISDIR(mode):
        raise CannotWrite(f"{path} is a folder; give the name of a file")
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise CannotWrite(f"{path} is {irregular(mode)}; give the name of a file")
    return True


def _pour(file: IO[bytes], path: Path) -> None:
    """Copy a finished file into a device or pipe; waits for a slow reader, but never for none."""
    file.seek(0)
    try:
        descriptor = (
            os.dup(sys.stderr.fileno())  # ours: see `cli.streams.settle`
            if str(path) in _STDERR
            else os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        )
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "wb") as stream:
            shutil.copyfileobj(file, stream)
    except OSError as error:
        reason = "nobody reads that pipe" if error.errno == errno.ENXIO else why(error)
        raise CannotWrite(f"{path} cannot be written ({reason}); choose another place") from error


def _cannot_write(path: Path, error: OSError) -> CannotWrite:
    if isinstance(error, FileNotFoundError):
        return CannotWrite(
            f"{path} cannot be written: there is no folder {path.parent}; make it, or choose "
            "another place"
        )
    return CannotWrite(
        f"{path} cannot be written ({why(error)}); "
        "what stood there is unchanged: free space or choose another place"
    )


def _rename_over_claim(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
    claim = os.fstat(descriptor)
    os.close(descriptor)
    try:
        if not _is_claim(target, claim):
            raise FileExistsError(errno.EEXIST, "another program wrote there", str(target))
        source.replace(target)
    except OSError:
        if _is_claim(target, claim):
            target.unlink()
        raise


def _is_claim(target: Path, claim: os.stat_result) -> bool:
    """Whether the empty file that claimed a name still stands there, empty."""
    try:
        status = target.lstat()
    except OSError:
        return False
    return os.path.samestat(status, claim) and status.st_size == 0


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where folders can be flushed."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
