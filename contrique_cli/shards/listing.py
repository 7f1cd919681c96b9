"""Sources to shards: which there are, in one order on every machine, and whose turn each is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contrique_cli.errors import BadOption, NoImagesFound
from contrique_cli.shards import places
from contrique_cli.shards.picture import is_picture

TAR, PARQUET, FOLDER = "tar", "parquet", "folder"
"""Kinds of shards; a folder is one of the photos that lie directly in it."""

SUFFIXES = {".tar": TAR, ".tar.gz": TAR, ".tgz": TAR, ".parquet": PARQUET}


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file or folder of photos that are scored together.

    Attributes:
        source: path or URL.
        name: of its result, without suffix; holds slashes where it lay in inner folders.
        kind: one of `TAR`, `PARQUET` and `FOLDER`.
    """

    source: str
    name: str
    kind: str


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
        """From "3/16".

        Raises:
            BadOption: it is none.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        number, of = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= of:
            raise BadOption(f"--shard {text}: give the number of this machine and of all, as 3/16")
        return cls(number=number, of=of)

    def take(self, shards: list[Shard]) -> list[Shard]:
        """Its part of all shards, finished or not, so that the parts never overlap."""
        return shards[self.number - 1 :: self.of]


def kind_of(source: str) -> str | None:
    """What kind of shard a file is by its name; None for no shard."""
    name = places.base_name(source).lower()
    return next((kind for end, kind in SUFFIXES.items() if name.endswith(end)), None)


def find(sources: Iterable[str], left_out: Counter[str]) -> list[Shard]:
    """Shards named, and those in folders at any depth, each once, in the order of the sources.

    A Parquet file beside a tar file of its name is img2dataset's table of it and no shard.

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
            left_out["tables of tar files"] += 1
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
    photos = set()
    for name in places.walk(source):
        kind = kind_of(name)
        folder = name.rpartition("/")[0]
        if kind is not None:
            yield Shard(source=places.join(source, name), name=_stem(name), kind=kind)
        elif is_picture(name) and folder not in photos:
            photos.add(folder)
            yield Shard(
                source=places.join(source, folder) if folder else source.rstrip("/"),
                name=folder or _own_name(source),
                kind=FOLDER,
            )
        elif not is_picture(name):
            left_out["neither shard nor photo"] += 1


def _own_name(folder: str) -> str:
    """Of a folder, also where it is given as `.`."""
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
