"""Photos found on the disk: folders walked to any depth, each physical file once."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from contrique_cli.errors import Unreadable
from contrique_cli.files import reading
from contrique_cli.photos import raw

_JXL_EXTENSIONS = frozenset([".jxl"])

HEIF_EXTENSIONS = frozenset([".heic", ".heics", ".heif", ".heifs", ".hif"])

EXTENSIONS = (
    frozenset(
        ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .tif .tiff .bmp .dib .gif .avif .avifs".split()
        + ".jp2 .j2k .jpc .jpf .jpx .j2c".split()
    )
    | HEIF_EXTENSIONS
    | _JXL_EXTENSIONS
    | raw.EXTENSIONS
)
"""Lower-case suffixes taken from folders; files named one by one are judged by content."""


def find(sources: Iterable[Path], left_out: Counter[str]) -> Iterator[Path | Unreadable]:
    """Walk files and folders to photos, lazily, each physical file once.

    Folders are searched to any depth in name order, through symbolic links but never round a loop.

    Args:
        sources: files and folders; a file is taken whatever its suffix.
        left_out: counts, by reason, what was left out on purpose; filled while iterating.

    Yields:
        A photo's path, or an `Unreadable` for a path that cannot be one.
    """
    seen: set[tuple[int, int]] = set()
    for source in sources:
        for path in _walk(source, left_out, seen):
            if isinstance(path, Unreadable):
                yield path
                continue
            identity = _identity(path)
            if isinstance(identity, Unreadable):
                yield identity
            elif identity in seen:
                left_out["further names of a photo already listed"] += 1
            else:
                seen.add(identity)
                yield path


def _identity(path: Path) -> tuple[int, int] | Unreadable:
    """Device and inode of a regular file, or why it is none."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        return Unreadable(path, reading.why(error))
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(path, reading.irregular(status.st_mode))
    return status.st_dev, status.st_ino


def _walk(
    source: Path, left_out: Counter[str], seen: set[tuple[int, int]]
) -> Iterator[Path | Unreadable]:
    """Photos below `source`, which is itself yielded when it is not a folder."""
    if not source.is_dir():
        yield source
        return
    pending = [source]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield Unreadable(folder, reading.why(error))
            continue
        if (status.st_dev, status.st_ino) in seen:  # a symlink loop, or a folder named twice
            left_out["folders already searched"] += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        inner = []
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                left_out["hidden"] += 1
            elif _is_folder(entry):
                inner.append(path)
            elif (reason := _left_out(path.suffix.lower())) is None:
                yield path
            else:
                left_out[reason] += 1
        pending.extend(reversed(inner))


def _left_out(suffix: str) -> str | None:
    """What to count a file of a folder as that is left out; None for a photo."""
    if suffix in _JXL_EXTENSIONS and find_spec("pylibjxl") is None:
        return f"{suffix} (pip install 'contrique[jxl]')"
    return None if suffix in EXTENSIONS else suffix or "files without a suffix"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link to itself
        return False
