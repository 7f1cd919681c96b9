"""Photos with both opinions and features: what a regressor is fitted to and judged on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrique_cli.encoder import backend, pairs
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.recall import Shelf
from contrique_cli.encoder.model import Contrique
from contrique_cli.encoder.pairs import Pair
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadLabels, Unreadable
from contrique_cli.files import reading
from contrique_cli.models.regressor import FULL_REFERENCE, NO_REFERENCE
from contrique_cli.opinions.labels import Label, Labels, LeftOut

_MARK_BYTES = 6  # 8 characters: among 10,000 photos the odds of two alike are 1 in 5 million


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The photos of a table that can be used.

    Attributes:
        features: shape (N, 2F), float32; of the difference to the reference where there is one.
        mos: opinions on the table's own scale, shape (N,), float64.
        groups: number of each photo's group, shape (N,); None without groups.
        group_column: what the groups are called in the table; None without groups.
        task: `regressor.NO_REFERENCE` or `regressor.FULL_REFERENCE`.
        marks: 8 characters that tell each photo by its content, however it is called.
        left_out: rows whose photo or reference is missing or cannot be used, in its order.
        notes: what the user should know about the table.
        weights: how much each photo counts in a fit, shape (N,); None: all alike.
    """

    features: np.ndarray
    mos: np.ndarray
    groups: np.ndarray | None
    group_column: str | None
    task: str
    marks: Sequence[str]
    left_out: Sequence[LeftOut]
    notes: Sequence[str]
    weights: np.ndarray | None = None

    @property
    def group_count(self) -> int | None:
        """How many groups there are; None without groups."""
        return None if self.groups is None else len(np.unique(self.groups))


def gather(
    labels: Labels,
    model: Contrique,
    work: Work,
    *,
    at_least: int,
    shelf: Shelf | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Features of the photos of a table.

    Args:
        labels: the table.
        model: in evaluation mode, on the device to use.
        work: see `features.extract`.
        at_least: photos needed to go on.
        shelf: see `recall.extract`.
        on_photo: told how many photos of how many are done.

    Raises:
        BadLabels: too few photos can be used, or all have one and the same score.
    """
    _require(len(labels.rows), at_least, labels.left_out)
    used: list[Label] = []
    values: list[np.ndarray] = []
    left_out = list(labels.left_out)
    rows = sorted(labels.rows, key=lambda row: (str(row.reference or ""), row.position))
    for done, (row, found) in enumerate(
        zip(rows, _extract(rows, model, work, shelf), strict=True), start=1
    ):
        if isinstance(found, Unreadable):
            left_out.append(LeftOut(position=row.position, path=row.path, reason=found.reason))
        else:
            used.append(row)
            values.append(found.values)
        if on_photo is not None:
            on_photo(done, len(rows))
    left_out.sort(key=lambda one: one.position)
    _require(len(used), at_least, left_out)
    return _dataset(labels, used, np.stack(values), left_out)


def _dataset(
    labels: Labels, used: list[Label], values: np.ndarray, left_out: list[LeftOut]
) -> Dataset:
    """Put together, in the order of the table."""
    order = np.argsort([row.position.number for row in used], kind="stable")
    used = [used[index] for index in order]
    mos = np.array([row.mos for row in used])
    if np.ptp(mos) == 0.0:
        raise BadLabels(
            f"all {len(mos)} photos have the score {mos[0]:g} in column {labels.mos_column}: "
            "there is nothing to tell good from bad by; name another with --mos-column"
        )
    groups = None
    if labels.group_column is not None:
        groups = np.unique([str(row.group) for row in used], return_inverse=True)[1]
    return Dataset(
        features=values[order],
        mos=mos,
        groups=groups,
        group_column=labels.group_column,
        task=NO_REFERENCE if used[0].reference is None else FULL_REFERENCE,
        marks=[_mark(row.path) for row in used],
        left_out=left_out,
        notes=labels.notes,
    )


def _extract(
    rows: Iterable[Label], model: Contrique, work: Work, shelf: Shelf | None
) -> Iterator[Features | Unreadable]:
    """Features of each row, of the difference where it has a reference."""
    rows = list(rows)
    couples = [Pair(row.reference, row.path) for row in rows if row.reference is not None]
    if couples:
        return pairs.extract(couples, model, work, shelf=shelf)
    photos = (row.path for row in rows)
    return recall.extract(photos, lambda: backend.Embed(model), shelf, work)


def _mark(path: Path) -> str:
    """The start of the file's sha256, in base 64; nothing where it has gone meanwhile."""
    try:
        with reading.opened(path) as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    except (OSError, Unreadable):
        return ""
    return base64.b64encode(digest[:_MARK_BYTES]).decode("ascii")


def _require(there: int, at_least: int, left_out: Sequence[LeftOut]) -> None:
    if there >= at_least:
        return
    message = f"{at_least} photos with a score are needed, and only {there} can be used"
    if left_out:
        message += f"; {len(left_out)} left out, the first in {left_out[0]}"
        if not reading.exists(left_out[0].path):
            message += " (relative paths start from --photos)"
    raise BadLabels(message)
