"""What shards cost beside files, in ratios measured in one run.

    python training/benchmark_shards.py                    # files, tar and Parquet; growth
    python training/benchmark_shards.py --only ray         # Ray's overhead (needs the extra ray)
    python training/benchmark_shards.py --share 0.1        # of all photos, for a first look

The same generated JPEGs of 0.2 megapixels as a folder, as tar files and as Parquet files, scored by
the bundled model in one process, in many short turns. Growth: the peak memory of `contrique score`
for 100,000 small photos in ten tar files against that for 10,000 in one. Ray: the wall time of 200
and 5,000 smaller photos in shards against the same without it, by turns. The last two take a tiny
network, so that the program around it is what is measured. The last line on standard output is
JSON; rates of a busy machine are no rates, their ratios hold.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from functools import partial
from operator import truediv
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import torch
from benchmark_score import photograph
from growth import install_tiny
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.encoder.work import Work
from contrique_cli.scoring import pipeline
from contrique_cli.scoring import score as verb
from contrique_cli.shards import listing
from contrique_cli.shards import score as shards_score
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.results import Folder
from contrique_cli.shards.score import Judge

ROOT = Path(__file__).parent.parent
WAYS = ("files", "tar", "parquet")
SIZE = (512, 384)
PHOTOS = 48
ROUNDS = 12
RAY_ROUNDS = 3
SHARDS = 4
SMALL = (64, 48)
FEW, MANY = 10_000, 100_000
RAY_PHOTOS = (200, 5_000)
RAY_SIZE = (256, 192)
RAY_SHARDS = 16
DISTINCT = 50
"""Photos that differ; more of them are the same again under other names."""


def jpegs(count: int, size: tuple[int, int]) -> list[tuple[str, bytes]]:
    """Photos by name."""
    made = []
    for seed in range(min(count, DISTINCT)):
        file = io.BytesIO()
        photograph(seed, *size).save(file, "JPEG", quality=90)
        made.append(file.getvalue())
    return [(f"{number:07}.jpg", made[number % len(made)]) for number in range(count)]


def write(folder: Path, way: str, photos: list[tuple[str, bytes]], shards: int) -> Path:
    """The photos as a folder, or as shards in one."""
    folder.mkdir(parents=True)
    if way == "files":
        for name, data in photos:
            (folder / name).write_bytes(data)
        return folder
    for number in range(shards):
        part = photos[number::shards]
        path = folder / f"{number:05}.{way}"
        if way == "parquet":
            keys = [name.removesuffix(".jpg") for name, _ in part]
            table = pa.table({"key": keys, "jpg": pa.array([data for _, data in part])})
            parquet.write_table(table, path, row_group_size=100)
            continue
        with tarfile.open(path, "w") as tar:
            for name, data in part:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return folder


class Cost(NamedTuple):
    """What one run took."""

    wall: float  # seconds
    cpu: float  # seconds of the processor, of the process itself
    peak: float  # megabytes


def score(source: Path, data: Path, *options: str) -> Cost:
    """Score with the tiny network in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(data)}
    environment["RAY_worker_niceness"] = "0"  # else a busy machine lets its workers wait
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "contrique_cli", "score", str(source), *options]
        command += ["--output", f"{target}/scores/", "--quiet", "--device", "cpu"]
        command += ["--model", str(data / "contrique/encoders/tiny.safetensors")]
        command += ["--regressor", str(data / "contrique/regressors/tiny.safetensors")]
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment)  # noqa: S603 - ourselves
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, _megabytes(usage))


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def rates(desk: Path, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Photos per second of tar and Parquet as a part of that of files, by both clocks.

    In one process, since what its start takes is not asked for. Each is the median of the rounds'
    own ratios, since a busy machine changes from one round to the next.
    """
    photos = jpegs(count, SIZE)
    sources = {way: write(desk / way, way, photos, SHARDS) for way in WAYS}
    model = pipeline.load_pipeline()
    judge = partial(verb.score, pipeline=model, work=model.sized(Work()))
    seconds: dict[str, dict[str, list[float]]] = {way: {"wall": [], "cpu": []} for way in WAYS}
    for turn in range(-1, rounds):
        for way in (*WAYS[turn % len(WAYS) :], *WAYS[: turn % len(WAYS)]):
            began = time.perf_counter(), time.process_time()
            _score_here(sources[way], desk / f"{way}{turn}", judge)
            if turn >= 0:  # the first round warms up
                seconds[way]["wall"].append(time.perf_counter() - began[0])
                seconds[way]["cpu"].append(time.process_time() - began[1])
    found: dict[str, dict[str, float]] = {}
    for clock in ("wall", "cpu"):
        medians = {way: count / statistics.median(seconds[way][clock]) for way in WAYS}
        words = ", ".join(f"{way} {rate:.2f}" for way, rate in medians.items())
        print(f"photos per second by {clock} clock, on {torch.get_num_threads()} threads: {words}")
        if clock == "cpu":
            print(f"100 million take {1e8 / medians['files'] / 86400:.0f} days of one such core")
        found[clock] = {
            way: round(
                statistics.median(map(truediv, seconds["files"][clock], seconds[way][clock])), 3
            )
            for way in WAYS[1:]
        }
    return found


def _score_here(source: Path, target: Path, judge: Judge) -> None:
    left_out: Counter[str] = Counter()
    shards = listing.find([str(source)], left_out)
    stream = shards_score.score(
        shards,
        Folder(place=str(target), format="parquet"),
        judge,
        columns=Columns(),
        left_out=left_out,
        unreached=[],
    )
    failed = [one.row.error for one in stream if one.row.error is not None]
    if failed:
        raise SystemExit(f"{source}: {failed[0]}")


def growth(desk: Path, share: float) -> float:
    """Peak memory with ten times as many photos, as a multiple."""
    few, many = max(50, int(FEW * share)), max(500, int(MANY * share))
    costs = []
    for count, shards in ((few, 1), (many, 10)):
        source = write(desk / f"small{count}", "tar", jpegs(count, SMALL), shards)
        costs.append(score(source, desk))
        wall, cpu, peak = costs[-1]
        print(f"{count:,} photos: {peak:.0f} MB at most, {wall:.0f} s, {cpu:.0f} s of processor")
    return round(costs[1].peak / costs[0].peak, 3)


def ray(desk: Path, share: float, rounds: int) -> dict[int, float]:
    """Wall time with Ray as a multiple of that without, by photos: the median of the rounds'."""
    found = {}
    for count in RAY_PHOTOS:
        photos = jpegs(max(8, int(count * share)), RAY_SIZE)
        source = write(desk / f"ray{count}", "tar", photos, RAY_SHARDS)
        ratios = []
        for _ in range(rounds):
            with_ray, without = score(source, desk, "--ray").wall, score(source, desk).wall
            print(f"{len(photos):,} photos: {with_ray:.0f} s with Ray, {without:.0f} s without")
            ratios.append(with_ray / without)
        found[len(photos)] = round(statistics.median(ratios), 2)
    return found


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of all photos")
    parser.add_argument("--rounds", type=int, help="of files, tar and Parquet, or of Ray")
    parser.add_argument("--only", choices=("rates", "growth", "ray"))
    options = parser.parse_args()
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        desk = Path(name)
        install_tiny(desk)
        if options.only in (None, "rates"):
            count = max(8, int(PHOTOS * options.share))
            result["rate against files"] = rates(desk, count, options.rounds or ROUNDS)
        if options.only in (None, "growth"):
            result["peak memory of ten times the photos"] = growth(desk, options.share)
        if options.only == "ray":
            result["time with Ray against without"] = ray(
                desk, options.share, options.rounds or RAY_ROUNDS
            )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
