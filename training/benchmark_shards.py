"""What shards cost beside files, in ratios measured in one run.

    python training/benchmark_shards.py                        # files, tar and Parquet; growth
    python training/benchmark_shards.py --ray                  # Ray's overhead, too (the extra ray)
    python training/benchmark_shards.py --share 0.1 --clock cpu    # on a busy machine

The same generated JPEGs of 0.2 megapixels as a folder, as tar files and as Parquet files, scored by
`contrique score` in turns with the bundled model, each in a process of its own. What the start of
the program takes is measured on one photo and left out of the rates. Growth: the peak memory for
100,000 small photos in ten tar files against that for 10,000 in one. Ray: the wall time of 200 and
5,000 photos in four shards against the same without it. The last line on standard output is JSON;
rates of a busy machine are no rates, their ratios hold.
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
from pathlib import Path

import pyarrow as pa
from benchmark_score import photograph
from pyarrow import parquet

ROOT = Path(__file__).parent.parent
WAYS = ("files", "tar", "parquet")
SIZE = (512, 384)
PHOTOS = 400
SHARDS = 4
SMALL = (64, 48)
FEW, MANY = 10_000, 100_000
RAY_PHOTOS = (200, 5_000)
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


def score(source: Path, *options: str, clock: str = "wall") -> tuple[float, float]:
    """Seconds, or those of the processor, and peak megabytes of one run in its own process."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "contrique_cli", "score", str(source), *options]
        command += ["--output", f"{target}/scores/", "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S603 - ourselves
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds if clock == "wall" else usage.ru_utime + usage.ru_stime, _megabytes(usage)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def rates(desk: Path, count: int, rounds: int, clock: str) -> dict[str, float]:
    """Photos per second of tar and Parquet as a part of that of files; medians of the rounds."""
    photos = jpegs(count, SIZE)
    sources = {way: write(desk / way, way, photos, SHARDS) for way in WAYS}
    alone = write(desk / "alone", "tar", photos[:1], 1)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        start, _ = score(alone, clock=clock)
        for way in WAYS:
            found[way].append(count / max(score(sources[way], clock=clock)[0] - start, 1e-9))
    medians = {way: statistics.median(one) for way, one in found.items()}
    print({way: f"{rate:.2f} photos/s by {clock} clock" for way, rate in medians.items()})
    return {way: round(medians[way] / medians["files"], 3) for way in WAYS[1:]}


def growth(desk: Path, share: float) -> float:
    """Peak memory with ten times as many photos, as a multiple."""
    few, many = max(50, int(FEW * share)), max(500, int(MANY * share))
    small = write(desk / "few", "tar", jpegs(few, SMALL), 1)
    large = write(desk / "many", "tar", jpegs(many, SMALL), 10)
    peaks = [score(source)[1] for source in (small, large)]
    print(f"{few:,} photos {peaks[0]:.0f} MB, {many:,} photos {peaks[1]:.0f} MB at most")
    return round(peaks[1] / peaks[0], 3)


def ray(desk: Path, share: float) -> dict[int, float]:
    """Wall time with Ray as a multiple of that without, by photos."""
    found = {}
    for count in RAY_PHOTOS:
        photos = jpegs(max(8, int(count * share)), SIZE)
        source = write(desk / f"ray{count}", "tar", photos, SHARDS)
        with_ray, without = score(source, "--ray")[0], score(source)[0]
        print(f"{len(photos):,} photos: {with_ray:.0f} s with Ray, {without:.0f} s without")
        found[len(photos)] = round(with_ray / without, 2)
    return found


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of all photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="of the rates")
    parser.add_argument("--ray", action="store_true", help="measure Ray, too")
    parser.add_argument("--only", choices=("rates", "growth", "ray"))
    options = parser.parse_args()
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        desk = Path(name)
        if options.only in (None, "rates"):
            count = max(8, int(PHOTOS * options.share))
            result["rate against files"] = rates(desk, count, options.rounds, options.clock)
        if options.only in (None, "growth"):
            result["peak memory of ten times the photos"] = growth(desk, options.share)
        if options.only == "ray" or (options.ray and options.only is None):
            result["time with Ray against without"] = ray(desk, options.share)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
