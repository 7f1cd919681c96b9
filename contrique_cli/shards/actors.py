"""What judges on a cluster's machines: actors, each with a model and its share of the machine."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from contrique_cli.encoder import capacity
from contrique_cli.encoder.work import Work
from contrique_cli.errors import ClusterError, Unreadable
from contrique_cli.files import tables
from contrique_cli.photos.opening import Encoded, Pending
from contrique_cli.scoring import pipeline
from contrique_cli.scoring import score as verb
from contrique_cli.shards import facts
from contrique_cli.shards.picture import Picture
from contrique_cli.shards.results import cells, columns, kind_of
from contrique_cli.shards.tasks import MARK


@dataclass(frozen=True, kw_only=True)
class Judging:
    """What an actor judges with; names are found on the actor's own machine.

    Attributes:
        model, regressor: as for the command.
        work: how to get features, at any working size.
        about: facts that the actor's model must have.
    """

    model: str | None
    regressor: str | None
    work: Work
    about: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Share:
    """What an actor takes of its machine.

    Attributes:
        cpus: logical ones, of Ray's count.
        gpus: 0 or 1.
        part: of the machine, in (0, 1].
        actors: how many fit into the cluster.
    """

    cpus: int
    gpus: int
    part: float
    actors: int


class Actor:
    """Judges tables of photos, with one model and its share of the machine."""

    def __init__(self, judging: Judging, share: Share) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(max(1, math.ceil(share.part * (cores or 1))))
        self._pipeline = pipeline.load_pipeline(judging.model, judging.regressor)
        found = facts.of(self._pipeline)
        if found != judging.about:
            raise ClusterError(
                f"a machine of the cluster has another model: {found} instead of "
                f"{judging.about}; install the same version and models on all"
            )
        self._names = columns(self._pipeline.flaws)
        self._work = self._pipeline.sized(judging.work)
        if self._work.workers is None and self._work.chosen_device.type == "cpu":
            workers = capacity.count_workers(self._work.max_side, part=share.part)
            self._work = replace(self._work, workers=workers)

    def __call__(self, batch: Any) -> Any:
        """Judge one table.

        Args:
            batch: of `read_batch`.

        Returns:
            A table of as many records: `results.cells`, and the marks as they came.
        """
        records = batch.to_pylist()
        photos = [record for record in records if record["index"] != MARK]
        rows = verb.score(map(_photo, photos), self._pipeline, self._work)
        for record, row in zip(photos, rows, strict=True):
            picture = Picture(member=record["member"], key=record["key"], photo=_photo(record))
            record |= {**cells(picture, row, self._names), "problem": None}
        return _judged(records, self._names)


def _photo(record: Mapping[str, Any]) -> Pending:
    path = Path(record["name"])
    if record["data"] is None:
        return Unreadable(path, record["problem"])
    return Encoded(path=path, data=record["data"])


def _judged(records: list[dict[str, Any]], columns: list[str]) -> Any:
    pa, _ = tables.arrow()
    marks = {"number": "int64", "index": "int64", "total": "int64", "left_out": "string"}
    names = {name: kind_of(name) for name in columns[1:]} | marks
    kinds = {
        name: pa.type_for_alias(kind) for name, kind in (names | {"problem": "string"}).items()
    }
    return pa.Table.from_pylist(records, schema=pa.schema(kinds))
