"""Paths to features: photos decoded ahead in threads, embedded at two scales, in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from contrique_cli.encoder import backend, capacity
from contrique_cli.encoder.capacity import Load
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.encoder.workers import Task, Workers
from contrique_cli.errors import Unreadable, lacks_memory
from contrique_cli.photos import decoding, opening
from contrique_cli.photos.memory import Room
from contrique_cli.photos.pixels import halve, to_tensor

AHEAD = 4
"""Photos per worker begun before the oldest is done, so that a slow one leaves others busy."""

_MOMENT = 1.0
"""Seconds between two looks at which photos take too long."""

T = TypeVar("T")

_NO_MEMORY = "not enough memory to judge it at this working size (see --max-side)"

WINDOW = 2
"""Batches' worth of photos among which equal shapes are looked for."""


class _Decoded(NamedTuple):
    path: Path
    pixels: torch.Tensor  # uint8, (3, H, W)
    to_features: Callable[..., Features]  # takes the values


_Decode = Callable[[opening.Pending], _Decoded | Unreadable]


def extract(
    paths: Iterable[opening.Pending],
    embed: backend.Embed,
    work: Work,
    *,
    is_hashed: bool = False,
) -> Iterator[Features | Unreadable]:
    """Features of photos, in the order of the paths; one bad photo is one `Unreadable`.

    Memory is bounded by the photos under way, not by the number of paths.

    Args:
        paths: photos; bytes are decoded, what is opened or `Unreadable` already is taken as it is.
        embed: the encoder, on the device to use.
        work: working size, limits and how many at once.
        is_hashed: see `opening.open_rgb`.
    """
    paths = iter(paths)
    most = work.workers or capacity.count_cores()
    first = list(islice(paths, most))  # a few photos get several cores each
    load = capacity.choose(work, embed.device, photos=len(first))
    paths = chain(first, paths)
    capacity.check_limit()
    free = capacity.free_memory()
    room = Room(capacity.SHARE * free, capacity.MOST * free)
    decode = partial(
        _decode,
        max_side=work.max_side,
        max_megapixels=work.max_megapixels,
        room=room,
        is_hashed=is_hashed,
    )
    patience = _Patience(work.max_seconds, room)
    if load.batch_size is None:
        yield from _one_by_one(paths, decode, embed, load, patience, room=room)
    else:
        yield from _in_batches(paths, decode, embed, load, patience)


@torch.inference_mode()
def embed_scales(embed: backend.Embed, pixels: torch.Tensor) -> torch.Tensor:
    """Features at full scale, and at half scale where the encoder looks at that, too.

    Args:
        embed: see `backend.Embed`.
        pixels: uint8 RGB, shape (B, 3, H, W).

    Returns:
        Shape (B, 2F), or (B, F) with one scale, float32, on the encoder's device; each scale's
        part of a row has length 1, or each stage's part of that.

    Source: Madhusudana et al., IEEE TIP 2022, section III-D.
    """
    if embed.scales == 1:
        return embed(pixels)
    half = halve(pixels)  # (B, 3, H // 2, W // 2)
    return torch.cat([embed(pixels), embed(half)], dim=1)  # (B, 2F)


# ---------------------------------------------------------------------------------- a CPU


def _one_by_one(
    paths: Iterator[opening.Pending],
    decode: _Decode,
    embed: backend.Embed,
    load: Load,
    patience: _Patience,
    *,
    room: Room,
) -> Iterator[Features | Unreadable]:
    """Each thread decodes a photo and embeds it: no core waits for another, none for a batch."""

    def look(path: opening.Pending) -> Features | Unreadable:
        photo = decode(path)
        if isinstance(photo, Unreadable):
            return photo
        try:
            wanted = capacity.needed(*photo.pixels.shape[1:])
            with room.take(min(wanted, room.most)):  # one that is alone is tried in any case
                values = embed_scales(embed, photo.pixels[None])
        except (RuntimeError, MemoryError) as error:
            return _out_of_memory(photo.path, error)
        return photo.to_features(values=values[0].numpy())

    with _threads(load) as pool:
        waiting: deque[Task[Features | Unreadable]] = deque()
        while True:
            while waiting and waiting[0].done():
                yield waiting.popleft().result()
            busy = [future for future in waiting if not future.done()]
            more = min(load.workers + 1 - len(busy), AHEAD * load.workers - len(waiting))
            added = [_submit(pool, look, path) for path in islice(paths, max(0, more))]
            waiting.extend(added)
            if not waiting:
                return
            patience.wait([*busy, *added], pool)


# ---------------------------------------------------------------------------------- a GPU


def _in_batches(
    paths: Iterator[opening.Pending],
    decode: _Decode,
    embed: backend.Embed,
    load: Load,
    patience: _Patience,
) -> Iterator[Features | Unreadable]:
    """Threads decode a window of photos ahead; those of equal shape are embedded together."""
    batches = _Batches(embed, load.batch_size or 1)
    with _threads(load) as pool:
        waiting: deque[Task[_Decoded | Unreadable]] = deque()
        while True:
            window = WINDOW * batches.size
            ahead = islice(paths, max(0, max(2 * window, load.workers) - len(waiting)))
            waiting.extend(_submit(pool, decode, path) for path in ahead)
            if not waiting:
                return
            first = list(islice(waiting, window))
            while not all(task.done() for task in first):
                patience.wait([task for task in waiting if not task.done()], pool)
            ready = [waiting.popleft().result() for _ in first]
            yield from batches.run(ready)


class _Batches:
    """Photos of equal shape embedded together, so that none is padded or stretched.

    Attributes:
        size: photos at most; halved for good where memory runs out.
    """

    def __init__(self, embed: backend.Embed, size: int) -> None:
        self.embed = embed
        self.size = size

    def run(self, photos: Sequence[_Decoded | Unreadable]) -> list[Features | Unreadable]:
        """What becomes of each photo, in order; all is launched before anything is waited for."""
        by_shape: dict[torch.Size, list[_Decoded]] = {}
        for photo in photos:
            if isinstance(photo, _Decoded):
                by_shape.setdefault(photo.pixels.shape, []).append(photo)
        launched = [one for group in by_shape.values() for one in self._launch(group)]
        found: dict[int, Features | Unreadable] = {}
        for part, rows in launched:
            if isinstance(rows, Unreadable):
                found[id(part[0])] = rows
            else:
                values = rows.cpu().numpy()
                found |= {
                    id(one): one.to_features(values=row)
                    for one, row in zip(part, values, strict=True)
                }
        return [one if isinstance(one, Unreadable) else found[id(one)] for one in photos]

    def _launch(
        self, group: list[_Decoded]
    ) -> Iterator[tuple[list[_Decoded], torch.Tensor | Unreadable]]:
        """Photos of one shape, part by part, with rows on the device or why there are none."""
        while group:
            part = group[: self.size]
            try:
                rows = embed_scales(self.embed, _stack(part))
            except (RuntimeError, MemoryError) as error:
                problem = _out_of_memory(part[0].path, error)
                if len(part) > 1:
                    self.size = len(part) // 2
                    continue
                yield part, problem
            else:
                yield part, rows
            group = group[len(part) :]


def _stack(photos: Sequence[_Decoded]) -> torch.Tensor:
    """One tensor, (B, 3, H, W), that a GPU can fetch while other work goes on."""
    pixels = torch.stack([photo.pixels for photo in photos])
    return pixels.pin_memory() if torch.cuda.is_available() else pixels


# ---------------------------------------------------------------------------------- both


@contextmanager
def _threads(load: Load) -> Iterator[Workers[Any]]:
    """The workers; what they have not begun is dropped at the end."""
    before = torch.get_num_threads()
    pool: Workers[Any] = Workers(load.workers, partial(torch.set_num_threads, load.cores))
    try:
        yield pool
    finally:
        pool.close()
        torch.set_num_threads(before)  # what one thread sets holds for threads yet to come, too


def _submit(
    pool: Workers[T], work: Callable[[opening.Pending], T], source: opening.Pending
) -> Task[T]:
    path = source if isinstance(source, Path) else source.path
    return pool.submit(partial(work, source), path)


class _Patience:
    """Waits for photos, but for none longer than allowed.

    Args:
        max_seconds: from when a photo has its thread and its memory.
        room: tells when it got its memory.
    """

    def __init__(self, max_seconds: float, room: Room) -> None:
        self._max_seconds = max_seconds
        self._room = room

    def wait(self, tasks: Sequence[Task[Any]], pool: Workers[Any]) -> None:
        """Until one of the tasks is done, or a moment; those that took too long are left."""
        wait(tasks, timeout=min(_MOMENT, self._max_seconds), return_when=FIRST_COMPLETED)
        now = time.monotonic()
        for task in tasks:
            if task.done() or task.started is None:
                continue
            if now - max(task.started, self._room.since(task.thread)) > self._max_seconds:
                reason = f"not decoded within {self._max_seconds:g} s (see --max-seconds)"
                pool.leave(task, Unreadable(task.path, reason))
                self._room.give_back(task.thread)


def _decode(source: opening.Pending, **options: Any) -> _Decoded | Unreadable:
    """Pixels of a photo, opened unless it is already, or why there are none."""
    if isinstance(source, Unreadable):
        return source
    try:
        if isinstance(source, decoding.Photo):
            photo = source
        elif isinstance(source, opening.Encoded):
            photo = opening.open_rgb(source.data, name=source.path, **options)
        else:
            photo = opening.open_rgb(source, **options)
        pixels = to_tensor(photo.image)
    except Unreadable as problem:
        return problem.with_traceback(None)  # which would hold what the decoder held
    except (RuntimeError, MemoryError) as error:
        return _out_of_memory(source if isinstance(source, Path) else source.path, error)
    to_features = partial(
        Features,
        path=photo.path,
        width=photo.width,
        height=photo.height,
        source=photo.source,
        note=photo.note,
        rating=photo.rating,
        digest=photo.digest,
    )
    return _Decoded(photo.path, pixels, to_features)


def _out_of_memory(path: Path, error: RuntimeError | MemoryError) -> Unreadable:
    """The row of a photo that the memory does not hold; any other error is raised again."""
    if not lacks_memory(error):
        raise error
    return Unreadable(path, _NO_MEMORY)
