"""Reference and distorted photos side by side: the features of the full-reference task."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contrique_cli import config, features
from contrique_cli.errors import Unreadable
from contrique_cli.features import Features
from contrique_cli.model import Contrique


class Pair(NamedTuple):
    """A distorted photo and the one it was made from."""

    reference: Path
    path: Path


def extract(
    pairs: Iterable[Pair],
    model: Contrique,
    *,
    max_side: int,
    max_megapixels: float = config.MAX_MEGAPIXELS,
) -> Iterator[Features | Unreadable]:
    """|f(reference) - f(distorted)| of each pair, in order; one bad pair is one `Unreadable`.

    A reference that several pairs in a row share is opened once.

    Args:
        pairs: what to compare.
        model: in evaluation mode, on the device to use.
        max_side, max_megapixels: see `images.open_rgb`.

    Yields:
        Features with the path and the size of the distorted photo; both parts of an `Unreadable`
        speak of the distorted photo too, its reason names the reference where that is at fault.

    Source: Madhusudana et al., IEEE TIP 2022, section III-E.
    """
    ahead, pairs = itertools.tee(pairs)
    stream = features.extract(
        _photos(ahead), model, max_side=max_side, max_megapixels=max_megapixels
    )
    last: Path | None = None
    reference: Features | Unreadable | None = None
    for pair in pairs:
        if pair.reference != last:
            last, reference = pair.reference, next(stream)
        assert reference is not None  # noqa: S101 - the first pair has set it
        yield _difference(reference, next(stream))


def _photos(pairs: Iterable[Pair]) -> Iterator[Path]:
    """Every path to open, each run of one reference once."""
    last: Path | None = None
    for pair in pairs:
        if pair.reference != last:
            last = pair.reference
            yield pair.reference
        yield pair.path


def _difference(
    reference: Features | Unreadable, distorted: Features | Unreadable
) -> Features | Unreadable:
    if isinstance(distorted, Unreadable):
        return distorted
    if isinstance(reference, Unreadable):
        return Unreadable(distorted.path, f"reference {reference.path}: {reference.reason}")
    if (reference.width, reference.height) != (distorted.width, distorted.height):
        return Unreadable(
            distorted.path,
            f"{distorted.width}x{distorted.height}, but its reference {reference.path} has "
            f"{reference.width}x{reference.height}: only photos of one size can be compared",
        )
    return Features(
        path=distorted.path,
        width=distorted.width,
        height=distorted.height,
        values=np.abs(reference.values - distorted.values),
    )
