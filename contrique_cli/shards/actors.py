"""What runs on a cluster's machines: tasks that read shards, and actors that judge their photos."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from contrique_cli.encoder import capacity
from contrique_cli.encoder.work import Work
from contrique_cli.errors import ClusterError, Unreadable
from contrique_cli.files import reading, tables
from contrique_cli.photos.opening import Encoded, Pending
from contrique_cli.reports.rows import KINDS
from contrique_cli.scoring import pipeline
from contrique_cli.scoring import score as verb
from contrique_cli.shards.listing import Shard
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.picture import MAX_BYTES, Picture, held
from contrique_cli.shards.results import COLUMNS, cells, utf8
from contrique_cli.shards.score import Begin, End, read

BLOCK = 8 << 20
"""Bytes of photos that go to an actor at once."""

MARK = -1
"""Index of the record at a shard's end, which tells how many others it has."""


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


# ---------------------------------------------------------------------------------- the tasks


def read_batch(batch: Any, image: str | None) -> Iterator[Any]:
    """Shards to tables of photos not yet decoded, each with a mark of its end."""
    for record in batch.to_pylist():
        number = record.pop("number")
        yield from _read_shard(number, Shard(**record), Columns(image=image))


def _read_shard(number: int, shard: Shard, columns: Columns) -> Iterator[Any]:
    left_out: Counter[str] = Counter()
    records: list[dict[str, Any]] = []
    size = total = 0
    for item in read(shard, columns, left_out):
        if isinstance(item, Begin):
            continue
        if isinstance(item, End):
            mark = {
                "index": MARK,
                "total": total,
                "left_out": json.dumps(left_out),
                "problem": None if item.problem is None else str(item.problem),
            }
            records.append({"number": number, **mark})
            continue
        records.append({"number": number, "index": total, **_message(item)})
        total += 1
        size += len(records[-1]["data"] or b"")
        if size >= BLOCK:
            yield _table(records)
            records, size = [], 0
    yield _table(records)


def _message(picture: Picture) -> dict[str, Any]:
    photo = _load(picture.photo) if isinstance(picture.photo, Path) else picture.photo
    return {
        "member": None if picture.member is None else utf8(picture.member),
        "key": None if picture.key is None else utf8(picture.key),
        "name": utf8(str(photo.path)),
        "data": bytes(photo.data) if isinstance(photo, Encoded) else None,
        "problem": photo.reason if isinstance(photo, Unreadable) else None,
    }


def _load(path: Path) -> Encoded | Unreadable:
    try:
        with reading.opened(path) as file:
            return held(path, file.read(MAX_BYTES + 1))
    except Unreadable as problem:
        return problem
    except (OSError, ValueError) as error:
        return Unreadable(path, reading.why(error))


def _table(records: list[dict[str, Any]]) -> Any:
    pa, _ = tables.arrow()
    text, whole = pa.string(), pa.int64()
    schema = pa.schema(
        {
            "number": whole,
            "index": whole,
            "total": whole,
            "left_out": text,
            "problem": text,
            "member": text,
            "key": text,
            "name": text,
            "data": pa.large_binary(),
        }
    )
    return pa.Table.from_pylist(records, schema=schema)


# ---------------------------------------------------------------------------------- the actors


class Actor:
    """Judges tables of photos, with one model and its share of the machine."""

    def __init__(self, judging: Judging, share: Share) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(max(1, math.ceil(share.part * (cores or 1))))
        self._pipeline = pipeline.load_pipeline(judging.model, judging.regressor)
        found = pipeline.describe(self._pipeline)
        if found != judging.about:
            raise ClusterError(
                f"a machine of the cluster has another model: {found} instead of "
                f"{judging.about}; install the same version and models on all"
            )
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
            record |= {**cells(picture, row), "problem": None}
        return _judged(records)


def _photo(record: Mapping[str, Any]) -> Pending:
    path = Path(record["name"])
    if record["data"] is None:
        return Unreadable(path, record["problem"])
    return Encoded(path=path, data=record["data"])


def _judged(records: list[dict[str, Any]]) -> Any:
    pa, _ = tables.arrow()
    marks = {"number": "int64", "index": "int64", "total": "int64", "left_out": "string"}
    names = {name: KINDS.get(name, "string") for name in COLUMNS[1:]} | marks
    kinds = {
        name: pa.type_for_alias(kind) for name, kind in (names | {"problem": "string"}).items()
    }
    return pa.Table.from_pylist(records, schema=pa.schema(kinds))
