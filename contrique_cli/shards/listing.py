"""Sources to shards: which there are, in one order on every machine, and whose turn each is."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from contrique_cli.errors import BadOption, NoImagesFound
from contrique_cli.shards import places
from contrique_cli.shards.picture import is_picture

TAR, PARQUET, FOLDER = "tar", "parquet", "folder"
"""Kinds of shards; a folder is one of the photos that lie directly in it."""

PART = 1000
"""Photos of a folder beyond which it is divided: a part is begun again where a run was killed."""

ABOUT = "_contrique.json"
"""Name of what a folder's results have in common; readers of Parquet pass over such a name."""

_PART_NAME = re.compile(r"(.+)\.\d{5,}-of-(\d{5,})")

SUFFIXES = {".tar": TAR, ".tar.gz": TAR, ".tgz": TAR, ".parquet": PARQUET}


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file or folder of photos that are scored together.

    Attributes:
        source: path or URL.
        name: of its result, without suffix; holds slashes where it lay in inner folders.
        kind: one of `TAR`, `PARQUET` and `FOLDER`.
        photos: of a folder, all that lie in it.
        part, parts: which of its photos these are, by `holds`; counted from 0.
    """

    source: str
    name: str
    kind: str
    photos: int = 0
    part: int = 0
    parts: int = 1

    def holds(self, photo: str) -> bool:
        """Whether a photo of the folder, by its name alone, is in this part of it."""
        return zlib.crc32(photo.encode("utf-8", "surrogateescape")) % self.parts == self.part


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Every n-th shard, so that n machines share one list.

    Attributes:
        number: 1 to `of`.
        of: how many machines there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Turn:
        """Read such as "3/16".

        Raises:
            BadOption: it is none.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        number, of = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= of:
            raise BadOption(f"--shard {text}: give the number of this machine and of all, as 3/16")
        return cls(number=number, of=of)

    def take(self, shards: list[Shard]) -> list[Shard]:
        """This machine's part of all shards, finished or not, so that the parts never overlap."""
        return shards[self.number - 1 :: self.of]


def kind_of(source: str) -> str | None:
    """What kind of shard a file is by its name; None for no shard."""
    name = places.base_name(source).lower()
    return next((kind for end, kind in SUFFIXES.items() if name.endswith(end)), None)


def find(sources: Iterable[str], left_out: Counter[str]) -> list[Shard]:
    """Shards named, and those in folders at any depth, each once, in the order of the sources.

    A Parquet file beside a tar file of its name is img2dataset's table of it and no shard; nor is
    anything in a folder of results.

    Args:
        sources: paths and URLs.
        left_out: counts, by reason, what was left out on purpose.

    Raises:
        BadOption: a source is no shard, or two results would have one name.
        NoImagesFound: there is no shard.
        ShardError: a folder cannot be listed.
    """
    found = {shard.source: shard for source in sources for shard in _find(source, left_out)}
    tars = {_stem(shard.source) for shard in found.values() if shard.kind == TAR}
    shards = []
    for shard in found.values():
        if shard.kind == PARQUET and _stem(shard.source) in tars:
            left_out["about a tar file"] += 1
        else:
            shards.append(shard)
    if not shards:
        raise NoImagesFound(
            "no shard found; give .tar, .tar.gz or .parquet files, or folders of them or of photos"
        )
    _check_names(shards)
    return shards


def _find(source: str, left_out: Counter[str]) -> Iterator[Shard]:
    kind = kind_of(source)
    if kind is not None:
        yield Shard(source=source, name=_stem(places.base_name(source)), kind=kind)
        return
    if not places.is_folder(source):
        raise BadOption(
            f"{places.shown(source)} is no shard: give .tar, .tar.gz or .parquet files, or "
            "folders; single photos go into a report with --output FILE"
        )
    shards, photos = _look_through(source, left_out)
    for name, found in shards.items():
        yield Shard(source=places.join(source, name), name=_stem(name), kind=found)
    for folder, count in photos.items():
        yield Shard(
            source=places.join(source, folder) if folder else source.rstrip("/"),
            name=folder or _own_name(source),
            kind=FOLDER,
            photos=count,
        )


def _look_through(source: str, left_out: Counter[str]) -> tuple[dict[str, str], dict[str, int]]:
    """Kinds of the shards in a folder by name, and numbers of photos by folder.

    Where results lie is known only once all names have passed, and there may be millions of them:
    but for shards they are counted, not kept.
    """
    results: set[str] = set()
    shards: dict[str, str] = {}
    photos: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for name in places.walk(source):
        folder = _folder(name)
        if places.base_name(name) == ABOUT:
            results.add(folder)
        if (kind := kind_of(name)) is not None:
            shards[name] = kind
        else:
            (photos if is_picture(name) else others)[folder] += 1
    seen = len(shards) + photos.total() + others.total()
    taken = {name: kind for name, kind in shards.items() if not _is_inside(_folder(name), results)}
    counted, neither = (
        {folder: count for folder, count in each.items() if not _is_inside(folder, results)}
        for each in (photos, others)
    )
    rest = sum(neither.values())
    left_out += Counter(
        {
            "neither shard nor photo": rest,
            "in a folder of results": seen - len(taken) - sum(counted.values()) - rest,
        }
    )
    return taken, counted


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _is_inside(folder: str, results: Collection[str]) -> bool:
    """Whether a folder is one of results or lies in one; "" is the folder searched."""
    return any(one in ("", folder) or folder.startswith(f"{one}/") for one in results)


def divide(shards: Iterable[Shard], results: Collection[str]) -> list[Shard]:
    """Large folders in parts, which machines share and a run that was killed goes on with.

    Which part a photo is in hangs on its name and the number of parts, a power of two, so that
    photos that come later move no other. Results that are there say how many parts there are.

    Args:
        shards: see `find`.
        results: names of results that are there, as shards have them.

    Raises:
        BadOption: two results would have one name.
    """
    begun = {match[1]: int(match[2]) for match in map(_PART_NAME.fullmatch, results) if match}
    divided = []
    for shard in shards:
        wanted = 1 << (math.ceil(shard.photos / PART) - 1).bit_length() if shard.photos else 1
        parts = 1 if shard.name in results else max(1, begun.get(shard.name, wanted))
        if shard.kind != FOLDER or parts == 1:
            divided.append(shard)
            continue
        for part in range(parts):
            name = f"{shard.name}.{part:05}-of-{parts:05}"
            divided.append(replace(shard, name=name, part=part, parts=parts))
    _check_names(divided)
    return divided


def _own_name(folder: str) -> str:
    """A folder's name, also where it is given as `.`."""
    name = places.base_name(folder)
    return Path(folder).resolve().name or "photos" if name in ("", ".", "..") else name


def _stem(name: str) -> str:
    lower = name.lower()
    end = next((end for end in SUFFIXES if lower.endswith(end)), "")
    return name[: len(name) - len(end)]


def _check_names(shards: list[Shard]) -> None:
    names: dict[str, str] = {}
    for shard in shards:
        other = names.setdefault(shard.name, shard.source)
        if other != shard.source:
            raise BadOption(
                f"{places.shown(other)} and {places.shown(shard.source)} would share the result "
                f"{shard.name}: score them into two folders, or give the folder that holds both"
            )
