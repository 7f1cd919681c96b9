"""Bursts, brackets and panoramas of a report, and the best photo of each burst."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from contrique_cli import config
from contrique_cli.collection import likeness, sequences
from contrique_cli.collection.likeness import Shot
from contrique_cli.collection.sequences import BURST, PANORAMA
from contrique_cli.errors import Unreadable
from contrique_cli.files.ahead import ahead
from contrique_cli.photos import opening
from contrique_cli.reports.rows import Row, best_first

MAX_WORKERS = 8
"""Threads beyond which a disk, not the processor, is what they wait for."""

_AHEAD = 256  # photos begun at once: each leaves a hash of a few bytes


def mark(
    rows: Sequence[Row],
    *,
    gap: float = config.BURST_GAP,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    workers: int | None = None,
    on_photo: Callable[[], object] = lambda: None,
) -> list[Row]:
    """Number the groups of photos that belong together, from 1 by their first path.

    Every photo with a score is opened once more, very small, which a JPEG does fast.

    Args:
        rows: unranked.
        gap: longest pause within a burst in seconds; see `likeness.group`.
        max_megapixels: see `opening.open_rgb`.
        workers: threads; by default one per processor.
        on_photo: called after each photo.

    Returns:
        The rows in their order, those of groups with `burst` and `burst_kind`, and those of bursts
        with `is_burst_best`: the best is the one that `rows.best_first` puts first. Of brackets and
        panoramas every photo is needed, so none is the best. A photo that can no longer be read is
        in no group.
    """
    marked = list(rows)
    scored = [index for index, row in enumerate(marked) if row.score is not None]
    shots: list[Shot] = []
    seen: list[int] = []
    paths = [marked[index].path for index in scored]
    looks = look(paths, max_megapixels=max_megapixels, workers=workers)
    for index, shot in zip(scored, looks, strict=True):
        if shot is not None:
            shots.append(shot)
            seen.append(index)
        on_photo()
    for number, (kind, members) in enumerate(groups(shots, gap=gap), start=1):
        group = [seen[member] for member in members]
        best = min(group, key=lambda index: best_first(marked[index]))
        for index in group:
            is_best = index == best if kind == BURST else None
            marked[index] = replace(
                marked[index], burst=number, is_burst_best=is_best, burst_kind=kind
            )
    return marked


def groups(shots: Sequence[Shot], *, gap: float = config.BURST_GAP) -> list[tuple[str, list[int]]]:
    """What each group is, and the indices of its shots, by the first path in each.

    Args:
        shots: in any order.
        gap: longest pause within a group in seconds.
    """
    alike = likeness.group(shots, gap=gap)
    found = [(sequences.kind([shots[one] for one in members]), members) for members in alike]
    grouped = {one for members in alike for one in members}
    moments = [
        (taken, str(shot.path), index)
        for index, shot in enumerate(shots)
        if (taken := shot.taken) is not None and index not in grouped
    ]
    alone = [index for _, _, index in sorted(moments)]
    found += [(PANORAMA, sweep) for sweep in sequences.panoramas(shots, alone, gap=gap)]
    return sorted(found, key=lambda one: min(str(shots[index].path) for index in one[1]))


def look(
    paths: Sequence[Path],
    *,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    workers: int | None = None,
) -> Iterator[Shot | None]:
    """Open photos very small.

    Args:
        paths, max_megapixels, workers: see `mark`.

    Yields:
        What grouping needs to know, in the order of the paths; None of one that cannot be read.
    """
    workers = workers or min(os.cpu_count() or 1, MAX_WORKERS)
    return ahead(partial(_look, max_megapixels=max_megapixels), paths, workers=workers, most=_AHEAD)


def _look(path: Path, max_megapixels: float) -> Shot | None:
    try:
        photo = opening.open_rgb(
            path, max_side=likeness.SIDE, max_megapixels=max_megapixels, min_side=1
        )
    except Unreadable:
        return None
    pixels = np.asarray(photo.image)  # (H, W, 3)
    return Shot(
        path=path,
        taken=photo.taken,
        hash=likeness.perceptual_hash(pixels),
        exposure=photo.exposure,
        grey=None if photo.taken is None else likeness.grey(pixels),
    )
