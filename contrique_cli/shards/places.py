"""Where shards lie and results go: paths of this machine, and object stores that fsspec knows."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from urllib.parse import urlsplit

from contrique_cli.errors import ContriqueError, DamagedShard, MissingExtra, ShardError, Unreadable
from contrique_cli.files import reading, writing

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_SECRETS = (
    (re.compile(r"(://)[^/\s@]+@"), r"\1"),  # user:password@
    (re.compile(r"(\w://[^\s?'\"]*)\?[^\s'\"]+"), r"\1"),  # ?X-Amz-Signature=...
)
_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|KEY|CREDENTIAL|SAS", re.IGNORECASE)
_SECRET_LENGTH = 8  # a shorter value would take ordinary words out of messages


def is_store(source: str) -> bool:
    """Whether it is a URL such as s3://bucket/00000.tar and no path of this machine."""
    return _URL.match(source) is not None


def shown(source: str) -> str:
    """What to call it in reports and messages: a URL without what may be secret in it."""
    return scrub(source) if is_store(source) else source


def scrub(text: str) -> str:
    """A message without passwords and signatures of URLs and without the environment's secrets."""
    for pattern, rest in _SECRETS:
        text = pattern.sub(rest, text)
    for name, value in os.environ.items():
        if len(value) >= _SECRET_LENGTH and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    return text


def base_name(source: str) -> str:
    """The last part of a path or URL, without folders and without a URL's query."""
    path = urlsplit(source).path if is_store(source) else os.fspath(source)
    return path.rstrip("/").rsplit("/", 1)[-1]


# ---------------------------------------------------------------------------------- reading


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """Open a file to read; a file of a store is read as it is needed.

    Raises:
        ShardError: it cannot be opened or, later, read.
        DamagedShard: it is empty or no regular file.
    """
    with _guarded(source):
        try:
            file = _open_url(source) if is_store(source) else reading.opened(Path(source))
        except Unreadable as problem:
            raise DamagedShard(problem.reason) from problem
    with file:
        yield cast("BinaryIO", _Guarded(file, source))


def is_folder(source: str) -> bool:
    """Whether it holds files; of a store, whether it ends in a slash or there is nothing else.

    Raises:
        ShardError: the store cannot be reached.
    """
    if not is_store(source):
        return Path(source).is_dir()
    with _guarded(source):
        files, path = _file_system(source)
        return source.endswith("/") or bool(files.isdir(path))


def is_same(one: str, other: str) -> bool:
    """Whether two folders are one, whatever links lead there on this machine."""
    if is_store(one) or is_store(other):
        return one.rstrip("/") == other.rstrip("/")
    return os.path.realpath(one) == os.path.realpath(other)


def walk(folder: str) -> Iterator[str]:
    """Files below a folder, at any depth, in name order, relative to it; hidden ones left out.

    Raises:
        ShardError: the folder cannot be listed.
    """
    if not is_store(folder):
        yield from _walk_local(Path(folder))
        return
    with _guarded(folder):
        files, path = _file_system(folder)
        files.invalidate_cache()
        found = sorted(files.find(path))
    start = len(path.strip("/")) + 1 if path.strip("/") else 0
    for name in (name.strip("/")[start:] for name in found):
        if not any(part.startswith(".") for part in name.split("/")):
            yield name


def _walk_local(top: Path) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise ShardError(f"{error.filename} cannot be listed: {reading.why(error)}") from error

    seen = set()
    for folder, inner, names in os.walk(top, onerror=fail, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:  # a symbolic link round in a circle
            inner.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(top).as_posix()


def files(folder: str) -> Iterator[str]:
    """Names of the files that lie directly in a folder, in order; hidden ones left out.

    Raises:
        ShardError: the folder cannot be listed.
    """
    with _guarded(folder):
        if is_store(folder):
            store, path = _file_system(folder)
            found = [one["name"] for one in store.ls(path, detail=True) if one["type"] == "file"]
            names = [name.rstrip("/").rsplit("/", 1)[-1] for name in found]
        else:
            with os.scandir(folder) as scan:
                names = [entry.name for entry in scan if not entry.is_dir()]
    yield from sorted(name for name in names if not name.startswith("."))


def join(folder: str, name: str) -> str:
    """The file of that relative name in a folder."""
    return f"{folder.rstrip('/')}/{name}" if folder not in ("", ".") else name


def read(source: str) -> bytes | None:
    """A small file as a whole; None where there is none.

    Raises:
        ShardError: the store cannot be reached.
    """
    with suppress(FileNotFoundError), _guarded(source, FileNotFoundError):
        if not is_store(source):
            return Path(source).read_bytes()
        files, path = _file_system(source)
        return cast("bytes", files.cat_file(path))
    return None


# ---------------------------------------------------------------------------------- writing


@contextmanager
def written(target: str) -> Iterator[IO[bytes]]:
    """Open a file that appears whole, or not at all, when the block ends without an error.

    On a disk it is written beside and renamed; into a store it is uploaded when it is complete.

    Raises:
        CannotWrite: see `writing.replacing`.
        ShardError: the upload failed.
    """
    if not is_store(target):
        with _guarded(target):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
        with writing.replacing(Path(target)) as file:
            yield file
        return
    with tempfile.NamedTemporaryFile(suffix=".part") as local:
        yield cast("IO[bytes]", local)
        local.flush()
        with _guarded(target):
            files, path = _file_system(target)
            files.put_file(local.name, path)


def sweep(folder: str) -> None:
    """Remove what killed runs left half written on a disk, at any depth; see `writing.sweep`."""
    if not is_store(folder):
        for inner, _, _ in os.walk(folder):
            writing.sweep(Path(inner))


# ---------------------------------------------------------------------------------- stores


class _Guarded(io.RawIOBase):
    """A file whose troubles come as `ShardError`, so that a reader's own stay apart from them."""

    def __init__(self, file: Any, source: str) -> None:
        self._file = file
        self._source = source

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def read(self, size: int | None = -1) -> bytes:
        with _guarded(self._source):
            return cast("bytes", self._file.read(-1 if size is None else size))

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _guarded(self._source):
            return cast("int", self._file.seek(offset, whence))

    def tell(self) -> int:
        return cast("int", self._file.tell())


def _open_url(url: str) -> Any:
    files, path = _file_system(url)
    return files.open(path, "rb")


def _file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL by fsspec, with credentials from where it looks for them itself."""
    try:
        import fsspec  # noqa: PLC0415 - the optional extra
    except ImportError as error:
        raise MissingExtra(
            f"{shown(url)}: stores need an extra package: pip install 'contrique[cloud]'"
        ) from error
    files, path = fsspec.core.url_to_fs(url)
    return files, path


@contextmanager
def _guarded(source: str, passed: type[Exception] = ContriqueError) -> Iterator[None]:
    try:
        yield
    except (ContriqueError, passed):
        raise
    except ImportError as error:
        raise MissingExtra(
            f"{shown(source)} needs a package of its own ({scrub(str(error))}); "
            "pip install 'contrique[cloud]' brings those of s3, gs and https"
        ) from None  # on purpose: a traceback could show a URL's signature
    except Exception as error:  # noqa: BLE001 - stores raise anything; it is one shard
        reason = scrub(reading.why(error))
        raise ShardError(f"{shown(source)} cannot be reached: {reason}") from None
