"""Shards scored by a Ray cluster: read in tasks, judged in actors, results written by the driver.

On purpose without Ray's own readers, measured with Ray 2.60 by `training/ray_readers.py` on three
shards of ten photos, one of them bad. One name twice in a tar file, a tar or Parquet file cut short
and a file that vanished fail the whole job. Where failed blocks may be passed over, a bad tar file
costs all of its ten photos, of which nine and six are whole, the vanished file four, of which three
are there, nobody says which, and the Parquet file still ends the job. And none says which row of
its file a photo was, which is the key of Hugging Face's tables, nor where a shard ends, when its
result is whole. The tasks read with `score.read` instead, so that broken pictures and shards are
the same rows as without Ray, nothing is ever unpickled (Ray's default decoder of WebDataset does:
CVE-2026-57516), and a run is resumed by the results that are there.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contrique_cli.errors import ClusterError, MissingExtra, ShardError
from contrique_cli.files import reading
from contrique_cli.reports.rows import Row
from contrique_cli.shards import listing, parquets, places
from contrique_cli.shards.actors import Actor, Judging, Share
from contrique_cli.shards.listing import Shard
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.results import Folder, kept_name
from contrique_cli.shards.score import Scored
from contrique_cli.shards.tasks import BLOCK, MARK, read_batch
from contrique_cli.words import plural

OLDEST = (2, 56)
"""Version of Ray, the first whose datasets do all that is needed."""

LEAST_CPUS = 4
"""Logical CPUs: with fewer, actors leave none for the tasks that read, and all wait for ever."""

CORES = 4
"""CPUs that an actor takes at least, where there are as many: each has a model of its own."""

STALL = 900.0
"""Seconds without a finished block after which the run is given up and the cause is named."""

_STARTS = 3
"""Tries: Ray ends a cluster whose agents take 15 seconds to start, as on a busy machine they do; no
option of its changes that (ray-project/ray#65983)."""

_OBJECT_STORE = 1 << 30  # bytes of a local cluster's memory for photos on their way
_READER_CPUS = 0.25  # a task that reads mostly waits


def score(
    shards: list[Shard],
    folder: Folder,
    judging: Judging,
    *,
    columns: Columns,
    left_out: Counter[str],
    unreached: list[ShardError],
) -> Iterator[Scored]:
    """Score shards on the cluster at RAY_ADDRESS, or on one that this machine starts for itself.

    Args:
        shards, folder, columns, left_out, unreached: see `score.score`.
        judging: what the actors judge with.

    Yields:
        Each photo, shard by shard as they end.

    Raises:
        MissingExtra: Ray is not installed, or too old.
        ClusterError: the cluster is too small, or does nothing.
    """
    if not shards:
        return
    with _connected() as ray:
        share = share_of(ray.nodes())
        blocks = _watched(_start(ray, shards, judging, columns, share), share, ray)
        yield from _gather(
            blocks, shards, folder, columns=columns, left_out=left_out, unreached=unreached
        )


def share_of(nodes: list[Mapping[str, Any]]) -> Share:
    """Divide a cluster among actors, so that every machine has room for one and for reading.

    Args:
        nodes: as `ray.nodes()` has them.

    Raises:
        ClusterError: it is too small.
    """
    found = [node["Resources"] for node in nodes if node["Alive"]]
    cpus = [int(resources["CPU"]) for resources in found if resources.get("CPU", 0) >= 1]
    gpus = sum(int(resources.get("GPU", 0)) for resources in found)
    if sum(cpus) < LEAST_CPUS:
        raise ClusterError(
            f"the Ray cluster has {plural(sum(cpus), 'CPU')}; with fewer than {LEAST_CPUS} its "
            "actors starve the tasks that read, and nothing ever ends: start it with "
            f"--num-cpus {LEAST_CPUS}"
        )
    least = min(cpus)
    if gpus:
        return Share(cpus=1, gpus=1, part=1 / max(1, gpus // len(cpus)), actors=gpus)
    per_node = max(1, (least - 1) // CORES)
    each = max(1, (least - 1) // per_node)
    actors = max(1, sum(count // each for count in cpus) - (each == 1))
    return Share(cpus=each, gpus=0, part=min(1.0, each / least), actors=actors)


# ---------------------------------------------------------------------------------- the driver


@contextmanager
def _connected() -> Iterator[Any]:
    """The module ray, connected to a cluster; a local one ends with the block."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read at import: nothing is reported to anybody
    try:
        import ray  # noqa: PLC0415 - the optional extra
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("--ray needs an extra package: pip install 'contrique[ray]'") from error
    version = tuple(int(part) for part in ray.__version__.split(".")[:2])
    if version < OLDEST:
        raise MissingExtra(
            f"Ray {ray.__version__} is too old: pip install 'contrique[ray]' brings a newer one"
        )
    if ray.is_initialized():
        yield ray
        return
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    _join(ray, os.environ.get("RAY_ADDRESS"))
    try:
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, address: str | None) -> None:
    """Connect to a cluster; one of this machine's own that does not come up is started again."""
    local: dict[str, Any] = {
        "num_cpus": max(LEAST_CPUS, os.cpu_count() or 1),
        "object_store_memory": _OBJECT_STORE,
        "include_dashboard": False,
    }
    for left in range(0 if address else _STARTS - 1, -1, -1):
        try:
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level="error",
                **({} if address else local),
            )
        except Exception as error:  # Ray raises bare ones too
            ray.shutdown()
            if left:
                continue
            raise ClusterError(
                f"the Ray cluster {address or 'of this machine'} cannot be reached: "
                f"{reading.why(error)}; see RAY_ADDRESS"
            ) from error
        return


def _start(ray: Any, shards: list[Shard], judging: Judging, columns: Columns, share: Share) -> Any:
    """The dataset of judged records; nothing runs before it is iterated."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = BLOCK
    records = [
        {"number": number, **vars(shard), "source": _everywhere(shard.source)}
        for number, shard in enumerate(shards)
    ]
    found = ray.data.from_items(records, override_num_blocks=min(len(records), 10_000))
    photos = found.map_batches(
        read_batch,
        batch_size=1,
        batch_format="pyarrow",
        fn_kwargs={"image": columns.image},
        num_cpus=_READER_CPUS,
    )
    return photos.map_batches(
        Actor,
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=share.actors),
        fn_constructor_args=(judging, share),
        num_cpus=share.cpus,
        **({"num_gpus": share.gpus} if share.gpus else {}),
    )


def _everywhere(source: str) -> str:
    """The same place for processes that run in another folder."""
    return source if places.is_store(source) else os.fspath(Path(source).absolute())


def _watched(dataset: Any, share: Share, ray: Any) -> Iterator[list[dict[str, Any]]]:
    """Blocks of records as they come, or why none comes any more."""
    blocks: queue.Queue[Any] = queue.Queue(maxsize=4)

    def pull() -> None:
        try:
            for block in dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=1
            ):
                blocks.put(block.to_pylist())
        except ray.exceptions.RayError as error:
            blocks.put(ClusterError(f"the Ray cluster gave up: {_last_words(error)}"))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            blocks.put(error)
        else:
            blocks.put(None)

    threading.Thread(target=pull, daemon=True).start()
    while True:
        try:
            block = blocks.get(timeout=STALL)
        except queue.Empty:
            raise ClusterError(_stalled(share, ray)) from None
        if block is None:
            return
        if isinstance(block, BaseException):
            raise block
        yield block


def _last_words(error: Exception) -> str:
    """What was raised on another machine, of all the text around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith(f"{ClusterError.__module__}.")]
    return ours[-1].partition(": ")[2] if ours else (lines or [type(error).__name__])[-1]


def _stalled(share: Share, ray: Any) -> str:
    free = ray.available_resources()
    lost = sum(not node["Alive"] for node in ray.nodes())
    needed = f"{share.cpus} CPUs" + (" and a GPU" if share.gpus else "")
    return (
        f"the Ray cluster has finished nothing for {STALL:g} seconds: an actor needs {needed} and "
        f"reading {_READER_CPUS:g}, and {free.get('CPU', 0):g} CPUs and {free.get('GPU', 0):g} "
        f"GPUs are free, {lost} machines lost; stop what else runs there, or start a cluster of "
        f"{LEAST_CPUS} CPUs or more, and run the same command again"
    )


@dataclass(kw_only=True)
class _Arrived:
    """What has come of a shard."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    mark: dict[str, Any] = field(default_factory=dict)

    def add(self, record: dict[str, Any]) -> bool:
        """Take a record, and say whether it was the last; the same again changes nothing."""
        if record["index"] == MARK:
            self.mark = record
        else:
            self.rows[record["index"]] = record
        return len(self.rows) == self.mark.get("total")


def _gather(
    blocks: Iterator[list[dict[str, Any]]],
    shards: list[Shard],
    folder: Folder,
    *,
    columns: Columns,
    left_out: Counter[str],
    unreached: list[ShardError],
) -> Iterator[Scored]:
    """Write the result of each shard when all of its rows are there, in whichever order."""
    parts: dict[int, _Arrived] = {}
    finished: set[int] = set()
    for block in blocks:
        for record in block:
            number = record["number"]
            if number in finished or not parts.setdefault(number, _Arrived()).add(record):
                continue
            part = parts[number]
            del parts[number]
            finished.add(number)
            left_out.update(json.loads(part.mark["left_out"]))
            if part.mark["problem"] is None:
                yield from _write(shards[number], part, folder, columns)
            else:
                unreached.append(ShardError(part.mark["problem"]))


def _write(shard: Shard, part: _Arrived, folder: Folder, columns: Columns) -> Iterator[Scored]:
    shown = places.shown(shard.source)
    with _kept(shard, columns) as (kinds, values), folder.written(shard, kinds) as result:
        for index in range(len(part.rows)):
            record = part.rows[index]
            ours = {name: record[name] for name in folder.columns[1:]}
            kept = {} if record["member"] is None else next(values, {})
            result.add_cells(ours | {kept_name(name): value for name, value in kept.items()})
            row = Row(path=Path(shown), score=record["score"], error=record["error"])
            yield Scored(row=row, shard=shown, member=record["member"])


@contextmanager
def _kept(
    shard: Shard, columns: Columns
) -> Iterator[tuple[Mapping[str, Any], Iterator[dict[str, Any]]]]:
    """Types and values of the columns to keep: on purpose read here, not sent around."""
    if not columns.keep or shard.kind != listing.PARQUET:
        yield {}, iter(())
        return
    with places.opened(shard.source) as file, parquets.opened(file, columns) as table:
        yield table.kept, table.values()
