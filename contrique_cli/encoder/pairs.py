"""Reference and distorted photos side by side: matched by name, and their features."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contrique_cli.encoder import backend
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.recall import Shelf
from contrique_cli.encoder.model import Contrique
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadOption, NoImagesFound, Unreadable
from contrique_cli.photos import finding


class Pair(NamedTuple):
    """A distorted photo and the one it was made from."""

    reference: Path
    path: Path


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What two sources of photos have in common.

    Attributes:
        pairs: at least one, in the order of the distorted photos.
        unmatched: photos of either side without a partner, and why.
    """

    pairs: Sequence[Pair]
    unmatched: Sequence[Unreadable]


def match(reference: Path, distorted: Path, left_out: Counter[str]) -> Matched:
    """Find the reference of each distorted photo.

    Of two folders, photos with the same path below them belong together; where suffixes differ,
    those with the same path but for the suffix, if only one reference has it. One reference may
    serve several distorted photos, a single file all of them.

    Args:
        reference: a photo, or a folder searched to any depth.
        distorted: a photo where the reference is one; or a folder.
        left_out: counts, by reason, what was left out on purpose; see `finding.find`.

    Raises:
        NoImagesFound: there is not a single pair.
        BadOption: a folder of references for one photo.
    """
    if not reference.is_dir():
        listed = list(finding.find([distorted], left_out))
        paths = [path for path in listed if isinstance(path, Path)]
        unmatched = [path for path in listed if isinstance(path, Unreadable)]
        couples = [Pair(reference, path) for path in paths]
    elif not distorted.is_dir():
        raise BadOption(f"{reference} is a folder, {distorted} is not: give two folders, or files")
    else:
        couples, unmatched = _match_folders(reference, distorted, left_out)
    if not couples:
        first = f" ({unmatched[0]})" if unmatched else ""
        raise NoImagesFound(f"{reference} and {distorted} have no photo in common{first}")
    return Matched(pairs=couples, unmatched=unmatched)


def _match_folders(
    reference: Path, distorted: Path, left_out: Counter[str]
) -> tuple[list[Pair], list[Unreadable]]:
    couples: list[Pair] = []
    unmatched: list[Unreadable] = []
    originals: dict[Path, Path] = {}
    for original in finding.find([reference], left_out):
        if isinstance(original, Unreadable):
            unmatched.append(original)
        else:
            originals[original.relative_to(reference)] = original
    by_stem: dict[Path, list[Path]] = defaultdict(list)
    for name in originals:
        by_stem[name.with_suffix("")].append(name)
    for path in finding.find([distorted], left_out):
        if isinstance(path, Unreadable):
            unmatched.append(path)
            continue
        found = _partner(path.relative_to(distorted), originals, by_stem)
        if isinstance(found, Path):
            couples.append(Pair(found, path))
        else:
            unmatched.append(Unreadable(path, f"{found} in {reference}"))
    used = {couple.reference for couple in couples}
    unmatched += [
        Unreadable(original, f"no photo of that name in {distorted}")
        for original in originals.values()
        if original not in used
    ]
    return couples, unmatched


def _partner(
    name: Path, originals: Mapping[Path, Path], by_stem: Mapping[Path, Sequence[Path]]
) -> Path | str:
    """The reference of a name below the folder, or why there is none."""
    if name in originals:
        return originals[name]
    names = by_stem.get(name.with_suffix(""), ())
    if len(names) == 1:
        return originals[names[0]]
    if names:
        return f"it could belong to {' or '.join(str(one) for one in names)}"
    return "no photo of that name"


def extract(
    pairs: Iterable[Pair],
    model: Contrique,
    work: Work,
    *,
    shelf: Shelf | None = None,
) -> Iterator[Features | Unreadable]:
    """|f(reference) - f(distorted)| of each pair, in order; one bad pair is one `Unreadable`.

    A reference that several pairs in a row share is opened once.

    Args:
        pairs: what to compare.
        model: in evaluation mode, on the device to use.
        work: see `features.extract`.
        shelf: see `recall.extract`.

    Yields:
        Features with the path and the size of the distorted photo; both parts of an `Unreadable`
        speak of the distorted photo too, its reason names the reference where that is at fault.

    Source: Madhusudana et al., IEEE TIP 2022, section III-E.
    """
    ahead, pairs = itertools.tee(pairs)
    stream = recall.extract(_photos(ahead), lambda: backend.Embed(model), shelf, work)
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
        source=distorted.source,
        note=distorted.note or (reference.note and f"reference {reference.note}"),
    )
