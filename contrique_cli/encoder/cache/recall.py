"""Features from the cache where a photo was seen before, else from the encoder, in order."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from contrique_cli.encoder.architectures import numbers
from contrique_cli.encoder.cache import identity
from contrique_cli.encoder.cache.featurecache import FeatureCache, Origin, Remembered
from contrique_cli.encoder.checkpoint import EncoderInfo
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.errors import Unreadable
from contrique_cli.photos.decoding import Photo
from contrique_cli.photos.opening import Encoded, Pending

if TYPE_CHECKING:
    from contrique_cli.encoder.backend import Embed

MOST_AHEAD = 1024
"""Photos found in the cache that may wait for one that is being computed: some 16 MB."""


@dataclass
class Shelf:
    """The part of a cache that holds what one encoder gives at one working size."""

    cache: FeatureCache
    origin: Origin
    work: Work

    def settle(self) -> None:
        """Once PyTorch is loaded, hold by what it says, should it differ from what was known."""
        self.origin = replace(self.origin, numerics=self.work.correct(self.cache))


def find_shelf(cache: FeatureCache | None, info: EncoderInfo, work: Work) -> Shelf | None:
    """Where features of an encoder at a working size are kept; None without a cache."""
    if cache is None:
        return None
    origin = Origin(
        encoder=info.fingerprint,
        arch=info.arch,
        preprocessing=info.preprocessing,
        max_side=work.max_side,
        numerics=work.recall(cache),
        numbers=numbers(info.arch, info.pooling),
    )
    return Shelf(cache, origin, work)


class _Miss(NamedTuple):
    """A photo to compute."""

    photo: Path | Encoded | Photo


def extract(
    paths: Iterable[Pending],
    load: Callable[[], Embed],
    shelf: Shelf | None,
    work: Work,
) -> Iterator[Features | Unreadable]:
    """Features of photos, in the order of the paths; one bad photo is one `Unreadable`.

    The cache gives back every bit that was computed. `Unreadable` photos are not kept.

    All misses go through one call of `features.extract`, so that it can batch them; where more than
    `MOST_AHEAD` hits lie between two misses, through several, so that memory stays bounded.

    Args:
        paths: photos; those in memory are computed and not kept, and what is `Unreadable` already
            passes through.
        load: gives the encoder; called at most once, when a photo has to be computed.
        shelf: where to look and to keep; None for neither.
        work: see `features.extract`.
    """
    load = functools.cache(load)

    def compute(photos: Iterable[Pending]) -> Iterator[Features | Unreadable]:
        from contrique_cli.encoder import features  # noqa: PLC0415 - loads PyTorch

        embed = load()
        if shelf is not None:
            shelf.settle()
        return features.extract(photos, embed, work, is_hashed=shelf is not None)

    if shelf is None:
        yield from compute(paths)
        return
    queue = _Queue(paths, shelf, work.max_megapixels)
    computed: Iterator[Features | Unreadable] = iter(())
    try:
        while (item := queue.peek()) is not None:
            if isinstance(item, _Miss):
                found = next(computed, None)
                if found is None:
                    computed = compute(queue.take_misses())
                    found = next(computed)
                _keep(shelf, found)
                item = found
            queue.pop()
            yield item
    finally:
        shelf.cache.flush()


class _Queue:
    """Photos in order, each either known or to be computed.

    On purpose with a lock: `features.extract` may take the misses in a thread of its own.
    """

    def __init__(self, paths: Iterable[Pending], shelf: Shelf, max_megapixels: float) -> None:
        self._paths = iter(paths)
        self._shelf = shelf
        self._max_pixels = max_megapixels * 1e6
        self._waiting: deque[Features | Unreadable | _Miss] = deque()
        self._misses: deque[_Miss] = deque()
        self._known = 0  # found in the cache, or unreadable, ever
        self._passed = 0  # of those, gone from the queue
        self._pulling = threading.Lock()

    def peek(self) -> Features | Unreadable | _Miss | None:
        """The first in the queue; None at the end."""
        if not self._waiting:
            self._pull()
        return self._waiting[0] if self._waiting else None

    def pop(self) -> None:
        """Drop the first."""
        self._passed += not isinstance(self._waiting.popleft(), _Miss)

    def take_misses(self) -> Iterator[Path | Encoded | Photo]:
        """Paths to compute, in order, until the end or until too much else is waiting."""
        while True:
            while not self._misses:
                if self._known - self._passed >= MOST_AHEAD or not self._pull():
                    return
            yield self._misses.popleft().photo

    def _pull(self) -> bool:
        """Look up the next path; False at the end."""
        with self._pulling:
            path: Pending | _Miss | None = next(self._paths, None)
            if path is None:
                return False
            if isinstance(path, Encoded | Photo):
                path = _Miss(path)
            item = self._look_up(path) if isinstance(path, Path) else path
            if isinstance(item, _Miss):
                self._misses.append(item)
            else:
                self._known += 1
            self._waiting.append(item)
            return True

    def _look_up(self, path: Path) -> Features | _Miss:
        cache, origin = self._shelf.cache, self._shelf.origin
        digest = _find_digest(cache, path)
        found = digest and cache.find(origin, identity.make_key(digest, path))
        if not found or found.width * found.height > self._max_pixels:
            return _Miss(path)
        return Features(
            path=path,
            width=found.width,
            height=found.height,
            values=found.values,
            source=found.source,
            note=found.note,
            rating=found.rating,
        )


def _find_digest(cache: FeatureCache, path: Path) -> bytes | None:
    """The hash of a file, from the cache where the file has not changed since, else read."""
    status = identity.read_status(path)
    if status is None:
        return None
    known = cache.find_digest(status)
    if known is not None:
        return known
    read = identity.read_digest(path, status)
    if read is None:
        return None
    digest, is_lasting = read
    if is_lasting:
        cache.keep_digest(status, digest)
    return digest


def _keep(shelf: Shelf, found: Features | Unreadable) -> None:
    """Keep what was computed under the hash of the very bytes that it was computed from."""
    if isinstance(found, Unreadable) or found.digest is None:
        return
    kept = Remembered(
        found.width, found.height, found.source, found.values, found.note, found.rating
    )
    shelf.cache.keep(shelf.origin, identity.make_key(found.digest, found.path), kept)
