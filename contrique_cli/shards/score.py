"""Shards to results: one stream of photos through all of them, a result as each one ends."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from contrique_cli.errors import DamagedShard, Refused, ShardError, Unreadable
from contrique_cli.photos.opening import Pending
from contrique_cli.reports.rows import Row
from contrique_cli.shards import listing, parquets, places, tars
from contrique_cli.shards.listing import Shard
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.picture import MAX_BYTES, Picture, held, is_picture, key_of
from contrique_cli.shards.results import Folder, Result

Judge = Callable[[Iterable[Pending]], Iterator[Row]]
"""Photos to unranked rows, in order; see `score.score` of the room `scoring`."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A photo that was scored, or could not be.

    Attributes:
        row: its row.
        shard: where it lies, as reports call it.
        member: its name there; None where the shard itself is damaged.
    """

    row: Row
    shard: str
    member: str | None


class Begin(NamedTuple):
    """A shard begins."""

    shard: Shard
    kept: Mapping[str, Any]


class End(NamedTuple):
    """A shard was read to its end, or to a fault that more reading does not mend."""

    problem: ShardError | None = None


def score(
    shards: Iterable[Shard],
    folder: Folder,
    judge: Judge,
    *,
    columns: Columns,
    left_out: Counter[str],
    unreached: list[ShardError],
) -> Iterator[Scored]:
    """Score shards one after the other, without a pause between them.

    Memory is bounded by the photos under way. The result of a shard appears when it is whole; a
    shard that cannot be read to its end for reasons outside of it gets none.

    Args:
        shards: what to score.
        folder: where results go.
        judge: what scores.
        columns: of Parquet files.
        left_out: counts, by reason, what is no picture; filled while iterating.
        unreached: gets the trouble of each shard without a result.

    Yields:
        Each photo as it is scored.

    Raises:
        CannotWrite: a result cannot be written; those before stand.
    """
    waiting: deque[Begin | Picture | End] = deque()

    def photos() -> Iterator[Pending]:
        for shard in shards:
            for item in read(shard, columns, left_out):
                waiting.append(item)
                if isinstance(item, Picture):
                    yield item.photo

    writer = _Writer(folder, unreached)
    try:
        for row in judge(photos()):
            while not isinstance(item := waiting.popleft(), Picture):
                writer.take(item)
            yield writer.add(item, row)
        for item in waiting:
            if not isinstance(item, Picture):
                writer.take(item)
    except BaseException as error:  # also an interruption, or a caller that wants no more
        writer.abandon(error)
        raise


class _Writer:
    """Puts rows into the result of the shard that they belong to."""

    def __init__(self, folder: Folder, unreached: list[ShardError]) -> None:
        self._folder = folder
        self._unreached = unreached
        self._open = ExitStack()
        self._result: Result  # there from the first mark on

    def take(self, mark: Begin | End) -> None:
        if isinstance(mark, Begin):
            self._result = self._open.enter_context(self._folder.written(mark.shard, mark.kept))
        elif mark.problem is None:
            self._open.close()
        else:
            self._unreached.append(mark.problem)
            self.abandon(mark.problem)

    def add(self, picture: Picture, row: Row) -> Scored:
        self._result.add(picture, row)
        return Scored(row=row, shard=self._result.shard, member=picture.member)

    def abandon(self, reason: BaseException) -> None:
        """Drop what was written of the open result."""
        self._open.__exit__(type(reason), reason, reason.__traceback__)


def read(shard: Shard, columns: Columns, left_out: Counter[str]) -> Iterator[Begin | Picture | End]:
    """A shard's pictures between its beginning and its end; a damaged one has that as a last row.

    Args:
        shard: see `listing.find`.
        columns: of Parquet files.
        left_out: see `score`.
    """
    begun = False
    try:
        for item in _KINDS[shard.kind](shard, columns, left_out):
            begun = True
            yield item
    except DamagedShard as problem:
        if not begun:
            yield Begin(shard, {})
        reason = f"the shard is damaged: {problem}"
        photo = Unreadable(Path(shard.source), reason)
        yield Picture(member=None, key=None, photo=photo)
        yield End()
    except (ShardError, Refused) as problem:
        if not begun:
            yield Begin(shard, {})
        if isinstance(problem, Refused):
            problem = ShardError(f"{places.shown(shard.source)}: {problem}")
        yield End(problem)
    else:
        yield End()


def _tar(shard: Shard, _columns: Columns, left_out: Counter[str]) -> Iterator[Begin | Picture]:
    with places.opened(shard.source) as file:
        yield Begin(shard, {})
        yield from tars.pictures(file, left_out)


def _parquet(shard: Shard, columns: Columns, _left_out: Counter[str]) -> Iterator[Begin | Picture]:
    with places.opened(shard.source) as file, parquets.opened(file, columns) as table:
        yield Begin(shard, table.kept)
        yield from table.pictures()


def _folder(shard: Shard, _columns: Columns, _left_out: Counter[str]) -> Iterator[Begin | Picture]:
    """Photos of a disk are opened where they are decoded; those of a store are read here."""
    yield Begin(shard, {})
    for name in places.files(shard.source):
        if is_picture(name) and shard.holds(name):
            place = places.join(shard.source, name)
            photo: Pending = Path(place)
            if places.is_store(place):
                with places.opened(place) as file:
                    photo = held(Path(name), file.read(MAX_BYTES + 1))
            yield Picture(member=name, key=key_of(name), photo=photo)


_KINDS = {listing.TAR: _tar, listing.PARQUET: _parquet, listing.FOLDER: _folder}
