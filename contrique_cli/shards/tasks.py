"""What reads on a cluster's machines: tasks that turn shards into tables of photos' bytes.

Apart from the actors, since a task must not load PyTorch: it runs in a process of its own, of which
a machine has several.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contrique_cli.errors import Unreadable
from contrique_cli.files import reading, tables
from contrique_cli.photos.opening import Encoded
from contrique_cli.shards.listing import Shard
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.picture import MAX_BYTES, Picture, held
from contrique_cli.shards.results import utf8
from contrique_cli.shards.score import Begin, End, read

BLOCK = 8 << 20
"""Bytes of photos that go to an actor at once."""

MARK = -1
"""Index of the record at a shard's end, which tells how many others it has."""


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
