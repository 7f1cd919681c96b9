"""Photos found on the disk: folders walked to any depth, each physical file once."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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


PAIR_EXTENSIONS = frozenset([".jpg", ".jpeg", ".heic"])
"""Lower-case suffixes of what cameras write beside the RAW file of the same shot."""


def find(
    sources: Iterable[Path], left_out: Counter[str], companions: dict[Path, Path] | None = None
) -> Iterator[Path | Unreadable]:
    """Walk files and folders to photos, lazily, each physical file once.

    Folders are searched to any depth in name order, through symbolic links but never round a loop.

    Args:
        sources: files and folders; a file is taken whatever its suffix.
        left_out: counts, by reason, what was left out on purpose; filled while iterating.
        companions: gets, under a photo of a folder and before that is yielded, the RAW file of the
            same shot beside it, which is left out then; None takes both as photos.

    Yields:
        A photo's path, or an `Unreadable` for a path that cannot be one.
    """
    seen: set[tuple[int, int]] = set()
    for source in sources:
        for path in _walk(source, left_out, seen, companions):
            if isinstance(path, Unreadable):
                yield path
                continue
            identity = _identity(path)
            if isinstance(identity, Unreadable):
                yield identity
            elif identity in seen:
                left_out["listed already"] += 1
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
    source: Path,
    left_out: Counter[str],
    seen: set[tuple[int, int]],
    companions: dict[Path, Path] | None,
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
            left_out["searched already"] += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        inner, photos = [], []
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                left_out["hidden"] += 1
            elif _is_folder(entry):
                inner.append(path)
            elif (reason := _left_out(path.suffix.lower())) is None:
                photos.append(path)
            else:
                left_out[reason] += 1
        yield from photos if companions is None else _paired(photos, left_out, seen, companions)
        pending.extend(reversed(inner))


def _paired(
    photos: Sequence[Path],
    left_out: Counter[str],
    seen: set[tuple[int, int]],
    companions: dict[Path, Path],
) -> Iterator[Path]:
    """The photos of one folder without the RAW files that become companions of others."""
    beside = _pairs(photos)
    for photo, raw_file in list(beside.items()):
        found = {_identity(photo), _identity(raw_file)}
        is_pair = all(isinstance(one, tuple) and one not in seen for one in found)
        if not is_pair or len(found) == 1:  # named one by one as well, say: each for itself
            del beside[photo]
    hidden = set(beside.values())
    for photo in photos:
        if photo in hidden:
            left_out["RAW of a pair (--no-pairs scores each)"] += 1
        else:
            if photo in beside:
                companions[photo] = beside[photo]
            yield photo


def _pairs(photos: Iterable[Path]) -> dict[Path, Path]:
    """The RAW file of each JPEG or HEIC, where of one stem there is just one of either kind."""
    kinds: dict[tuple[str, str], list[Path]] = {}
    for photo in photos:
        suffix = photo.suffix.lower()
        kind = "raw" if suffix in raw.EXTENSIONS else "jpeg" if suffix in PAIR_EXTENSIONS else None
        if kind is not None:
            kinds.setdefault((photo.stem.casefold(), kind), []).append(photo)
    return {
        jpegs[0]: raws[0]
        for (stem, kind), jpegs in kinds.items()
        if kind == "jpeg" and len(jpegs) == len(raws := kinds.get((stem, "raw"), [])) == 1
    }


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
