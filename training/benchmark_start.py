"""How long a command takes to start, beside the import of PyTorch that it may or may not need.

    python training/benchmark_start.py

One run measures everything in turn, several times: `import torch` alone; one photo of 64 pixels
scored without the cache, so that start-up is nearly all of it; 100 photos that the cache knows. The
last line on standard output is JSON: the median seconds of each, and ratios to the first. Time
is the processor's, which other work on the machine disturbs less; `--wall` takes the clock's.
Modules are compiled before, as pip leaves them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

KNOWN = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--wall", action="store_true", help="the clock's time")
    parser.add_argument("--regressor", default="default", help="a name from `contrique models`")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        rng = np.random.default_rng(0)
        (folder / "known").mkdir()
        for number in range(KNOWN):
            pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "known" / f"{number}.png")
        score = [sys.executable, "-m", "contrique_cli", "score", "--quiet", "--regressor"]
        score += [args.regressor, "--output", str(folder / "r.csv")]
        commands = {
            "torch": [sys.executable, "-c", "import torch"],
            "one": [*score, "--no-cache", str(folder / "known" / "0.png")],
            "known": [*score, str(folder / "known")],
        }
        subprocess.run(commands["known"], check=True)  # noqa: S603 - fills the cache, and compiles
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(args.rounds):
            for what, command in commands.items():
                times[what].append(measure(command, is_wall=args.wall))
    usual = {what: statistics.median(each) for what, each in times.items()}
    for what, seconds in usual.items():
        print(f"{what:6} {seconds:6.2f} s  {seconds / usual['torch']:5.2f} times import torch")
    ratios = {f"{what}_ratio": round(usual[what] / usual["torch"], 3) for what in ("one", "known")}
    print(json.dumps({what: round(seconds, 3) for what, seconds in usual.items()} | ratios))


def measure(command: list[str], *, is_wall: bool) -> float:
    """Seconds that a command takes, of the processor or by the clock."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)  # noqa: S603 - our own
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    if is_wall:
        return end - start
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
