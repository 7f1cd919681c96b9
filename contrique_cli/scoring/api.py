"""The Python side: `Scorer`, which gives typed results for paths, pictures and arrays."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from io import IOBase, TextIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from PIL.Image import Image

from contrique_cli import config
from contrique_cli.encoder.work import Work
from contrique_cli.errors import Unreadable
from contrique_cli.files import reading
from contrique_cli.photos import finding, opening
from contrique_cli.photos.decoding import Photo
from contrique_cli.photos.opening import IN_MEMORY, Encoded, Pending
from contrique_cli.reports import frames
from contrique_cli.reports.rows import Row
from contrique_cli.scoring import pipeline
from contrique_cli.scoring import score as verb

if TYPE_CHECKING:
    import pandas as pd

Item: TypeAlias = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | Image
    | np.ndarray
    | torch.Tensor
)
"""One photo: a path, the bytes of a file, a binary file, a Pillow image, an array (H, W, 3) or
(H, W), or a tensor (3, H, W); samples uint8 in [0, 255] or floats in [0, 1]."""

_BYTES = (bytes, bytearray, memoryview)
_KINDS = (str, os.PathLike, *_BYTES, IOBase, Image, np.ndarray, torch.Tensor)
_PICTURE_AXES, _BATCH_AXES = 3, 4


@dataclass(frozen=True, kw_only=True)
class Score:
    """What is known of one photo after scoring.

    Attributes:
        path: of the file; None for a picture that came from memory.
        score: 0-100, higher is better; None where the photo could not be scored.
        raw: the regressor's own value; None without a score.
        flaw, flaw_probability: see `rows.Row`.
        width, height: in upright pixels, before any reduction.
        companion: in folders, the other file of the same shot: the RAW file of a JPEG.
        note: what is wrong with a photo that has a score: parts of it are missing.
        error: why there is no score; None where there is one.
    """

    path: Path | None
    score: float | None
    raw: float | None
    flaw: str | None
    flaw_probability: float | None
    width: int | None
    height: int | None
    companion: Path | None
    note: str | None
    error: str | None


class Scorer:
    """An encoder and a regressor, loaded once; scores are those of `contrique score`.

    Args:
        model, regressor: names or files, as for the command; by default the bundled ones.
        device: such as "cpu" or "cuda:1"; by default the fastest there is.
        max_side: working size in pixels; by default what the regressor was fitted at.
        max_megapixels: larger photos are refused.

    Raises:
        ContriqueError: no such model or device, or parts that do not belong together.
    """

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] | None = None,
        regressor: str | os.PathLike[str] | None = None,
        device: str | None = None,
        max_side: int | None = None,
        max_megapixels: float = config.MAX_MEGAPIXELS,
    ) -> None:
        self._again = partial(
            Scorer,
            model=model,
            regressor=regressor,
            device=device,
            max_side=max_side,
            max_megapixels=max_megapixels,
        )
        work = Work(device=device, max_megapixels=max_megapixels)
        work.check(None)
        names = (None if name is None else os.fspath(name) for name in (model, regressor))
        self._pipeline = pipeline.load_pipeline(*names)
        judge = self._pipeline.regressor
        side = judge.max_side if max_side is None else max_side
        judge.check(encoder=self._pipeline.info.fingerprint, max_side=side)
        self._work = self._pipeline.sized(work)

    def __reduce__(self) -> tuple[Callable[[], Scorer], tuple[()]]:
        """Goes to another process as its choices, which are loaded there."""
        return self._again, ()

    @property
    def about(self) -> dict[str, str | int]:
        """Which model gives the scores: versions and fingerprints, as in a JSON report."""
        return pipeline.describe(self._pipeline)

    def score(self, items: Item | Iterable[Item]) -> list[Score]:
        """Score photos.

        Args:
            items: one photo or several, of the kinds of `Item`, mixed as you like. A folder stands
                for the photos in it, at any depth, in name order, a RAW file and its JPEG for one
                as for the command, while each file that is named stands for itself; an array or
                tensor with four axes for the pictures along its first.

        Returns:
            One result per photo, in the order of the items. What is no photo is a result with an
            `error`, not an exception.
        """
        if isinstance(items, _KINDS) or _is_file(items):
            return list(self.stream([cast("Item", items)]))
        return list(self.stream(items))

    def frame(self, items: Item | Iterable[Item]) -> pd.DataFrame:
        """Score photos into a pandas data frame.

        Args:
            items: see `score`.

        Returns:
            One row per photo, in the order of the items; the attributes of `Score` as columns,
            paths as text, and `about` as `attrs`.
        """
        found = self.score(items)
        columns = {one.name: [getattr(row, one.name) for row in found] for one in fields(Score)}
        for name in ("path", "companion"):
            columns[name] = [None if path is None else str(path) for path in columns[name]]
        return frames.to_frame(columns, self.about)

    def score_one(self, item: Item) -> Score:
        """Score one photo; as `score`, without the list.

        Raises:
            ValueError: the item is a folder or a batch and stands for more or less than one photo.
        """
        found = self.score(item)
        if len(found) != 1:
            raise ValueError(f"this stands for {len(found)} photos, not one: use score()")
        return found[0]

    def stream(self, items: Iterable[Item]) -> Iterator[Score]:
        """Score photos as they come, in order, with a few read ahead; see `score`.

        Args:
            items: taken one after the other; may be endless.
        """
        origins: deque[_Origin] = deque()

        def opened() -> Iterator[Pending]:
            for item in items:
                for origin, found in self._open(item):
                    origins.append(origin)
                    yield found

        score = partial(verb.score, pipeline=self._pipeline, work=self._work)
        for row in score(opened()):
            origin = origins.popleft()
            if origin.companion is None:
                yield _result(row, origin.path)
            else:
                (pair,) = verb.pair([row], {row.path: origin.companion}, score)
                yield _result(pair, pair.path)

    def _open(self, item: Any) -> Iterator[tuple[_Origin, Pending]]:
        """The photos an item stands for, each with what to report of it."""
        if isinstance(item, str) and not item:  # to `Path` the current folder
            yield _Origin(), Unreadable(IN_MEMORY, "an empty path; the current folder is .")
        elif isinstance(item, str | os.PathLike):
            yield from _walk(Path(item))
        elif isinstance(item, _BYTES) or _is_file(item):
            yield _Origin(), _read(item)
        elif isinstance(item, np.ndarray | torch.Tensor) and item.ndim == _BATCH_AXES:
            for one in item:
                yield _Origin(), self._take(one)
        else:
            yield _Origin(), self._take(item)

    def _take(self, item: Any) -> Photo | Unreadable:
        """A picture in memory at working size, or why it is none."""
        try:
            picture = item if isinstance(item, Image) else _to_picture(item)
            return opening.take(
                picture,
                IN_MEMORY,
                max_side=self._work.max_side,
                max_megapixels=self._work.max_megapixels,
            )
        except Unreadable as problem:
            return problem


class _Origin(NamedTuple):
    """Where a photo comes from: nowhere, from memory; or a file, and the companion beside it."""

    path: Path | None = None
    companion: Path | None = None


def _walk(source: Path) -> Iterator[tuple[_Origin, Path | Unreadable]]:
    """A file as it is, however often it is named; a folder as the command searches it."""
    if not source.is_dir():
        yield _Origin(source), source
        return
    companions: dict[Path, Path] = {}
    for found in finding.find([source], Counter(), companions):
        path = found.path if isinstance(found, Unreadable) else found
        yield _Origin(path, companions.get(path)), found


def _is_file(item: Any) -> bool:
    """Whether it is read as a binary file is, also where it is none of Python's own."""
    return hasattr(item, "read") and not isinstance(item, TextIOBase | Image)


def _read(item: Any) -> Encoded | Unreadable:
    """What a binary file holds from where it stands, at once: its owner may close it soon."""
    named = getattr(item, "name", None)
    path = IN_MEMORY.with_suffix(Path(named).suffix) if isinstance(named, str) else IN_MEMORY
    try:
        data = item if isinstance(item, _BYTES) else item.read(opening.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        return Unreadable(path, reading.why(error))
    if not isinstance(data, _BYTES):
        return Unreadable(path, f"reading it gives {type(data).__name__}, not bytes")
    return Encoded(path=path, data=data)


def _to_picture(item: Any) -> Image:
    if isinstance(item, torch.Tensor):
        samples = item.detach().cpu()
        array = (samples.float() if samples.is_floating_point() else samples).numpy()
        if array.ndim == _PICTURE_AXES:
            array = array.transpose(1, 2, 0)  # (3, H, W) to (H, W, 3)
    elif isinstance(item, np.ndarray):
        array = item
    else:
        raise Unreadable(IN_MEMORY, f"neither a path nor a photo but {type(item).__name__}")
    return opening.from_array(array, IN_MEMORY)


def _result(row: Row, path: Path | None) -> Score:
    return Score(
        path=path,
        score=row.score,
        raw=row.raw,
        flaw=row.flaw,
        flaw_probability=row.flaw_probability,
        width=row.width,
        height=row.height,
        companion=row.companion,
        note=row.note,
        error=row.error,
    )
