"""How fast scoring is, in ratios measured in one run.

    python training/benchmark_score.py                      # the bundled model
    python training/benchmark_score.py --model lite0 --pooling stages --against default
    python training/benchmark_score.py --share 0.2 --rounds 5 --clock cpu    # on a busy machine

For generated JPEGs of 0.2, 2, 12 and 48 megapixels, in turns, each in a process of its own and for
some seconds at least:

* ours: files to features, as `contrique score` does it;
* encoder: the same encoder on ready pixels of the same shapes, on as many cores;
* decode: opening and reducing alone, on as many cores;
* naive: one photo after the other, decoded in full with Pillow, the plain network in float32, at
  the same working size;
* full: the same without reducing, one photo; 12 megapixels at most;
* ours and encoder of another model, by turns with the first, where one is given to compare with.

Encoder and decoder share the cores of a CPU, so that the most that both can do together is
1 / (1 / encoder + 1 / decode). Two that are compared follow each other, the other way round in
every second round; rates and ratios are medians over the rounds, each ratio being one of rates of
the same round. Peak memory is that of the whole process. The last line on standard output is JSON.
How long a command takes to start is told by `benchmark_start.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import config
from contrique_cli.encoder import backend, capacity, features
from contrique_cli.encoder.architectures import ARCHITECTURES, LAST, POOLINGS
from contrique_cli.encoder.model import Contrique, pick_device
from contrique_cli.encoder.work import Work
from contrique_cli.models import locating
from contrique_cli.photos import bounds, opening, pixels

SIZES = {0.2: (512, 384), 2: (1632, 1224), 12: (4000, 3000), 48: (8000, 6000)}
COUNTS = {0.2: 200, 2: 60, 12: 30, 48: 12}
WAYS = ("ours", "encoder", "decode", "naive", "full")
PLAIN = ("naive", "full")
COMPARED = ("ours", "encoder")  # with those of another model
RATIOS = {"times_naive": "naive", "times_full": "full", "times_other": "other_ours"}
NAIVE_SHARE = 4
MODEL = "name or file [default]; an architecture, with random weights"
FULL_LIMIT = 12


def photograph(seed: int, width: int, height: int) -> Image.Image:
    """Soft shapes with sharp edges under a grain, so that a JPEG of it is as large as a photo's."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    shapes = coarse.resize((512, 384), Image.Resampling.BICUBIC).quantize(48).convert("RGB")
    large = np.asarray(shapes.resize((width, height), Image.Resampling.BILINEAR), np.int16)
    grain = rng.normal(0, 6, (256, 256, 1)).astype(np.int16)
    tiled = np.tile(grain, (height // 256 + 1, width // 256 + 1, 1))[:height, :width]
    return Image.fromarray(np.clip(large + tiled, 0, 255).astype(np.uint8))


# ---------------------------------------------------------------------------------- the ways


def ours(model: Contrique, paths: list[Path]) -> Callable[[], object]:
    """Files to features."""
    embed = backend.Embed(model)
    return lambda: list(features.extract(paths, embed, Work()))


def spread(work: Callable[[Path], object], paths: list[Path]) -> Callable[[], object]:
    """Any work on as many cores as ours takes."""
    load = capacity.choose(Work(), torch.device("cpu"))
    pool = ThreadPoolExecutor(load.workers, initializer=torch.set_num_threads, initargs=(1,))
    return lambda: list(pool.map(work, paths))


def pixels_of(path: Path) -> torch.Tensor:
    """Shape (1, 3, H, W), uint8."""
    return pixels.to_tensor(opening.open_rgb(path, max_side=config.MAX_SIDE).image)[None]


def encoder(model: Contrique, paths: list[Path]) -> Callable[[], object]:
    """Ready pixels to features."""
    embed, ready = backend.Embed(model), pixels_of(paths[0])
    if next(model.parameters()).device.type == "cpu":
        return spread(lambda _: features.embed_scales(embed, ready), paths)
    batch = ready.repeat(32, 1, 1, 1).to(next(model.parameters()).device)

    def run() -> None:
        for _ in range(max(1, len(paths) // len(batch))):
            done = features.embed_scales(embed, batch)
        done.cpu()

    return run


def decode(_: Contrique, paths: list[Path]) -> Callable[[], object]:
    """Files to pixels."""
    return spread(pixels_of, paths)


def naive(model: Contrique, paths: list[Path], max_side: int) -> Callable[[], object]:
    """As the published demo and the usual toolboxes do it."""

    @torch.inference_mode()
    def run() -> None:
        for path in paths:
            image = Image.open(path).convert("RGB")
            size = bounds.working_size(*image.size, max_side)
            image = image.resize(size, Image.Resampling.LANCZOS) if max_side else image
            half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
            for one in (image, half):
                unit = torch.from_numpy(np.array(one)).permute(2, 0, 1)[None].float() / 255
                model.encoder(unit).mean((2, 3))

    return run


def measure(args: argparse.Namespace) -> None:
    """One way on one folder, in this process: a line of JSON."""
    model = load(args).to(pick_device(args.device))
    paths = sorted(args.folder.iterdir())
    if args.way == "full":
        paths = paths[:1]
        run = naive(model, paths, 0)
    elif args.way == "naive":
        paths = paths[: max(1, len(paths) // NAIVE_SHARE)]
        run = naive(model, paths, config.MAX_SIDE)
    else:
        run = {"ours": ours, "encoder": encoder, "decode": decode}[args.way](model, paths)
    if args.way != "full":
        run()  # the first time is another
    clock = time.process_time if args.clock == "cpu" else time.perf_counter
    began, seconds, done = clock(), 0.0, 0
    while seconds < args.seconds:
        run()
        done += len(paths)
        seconds = clock() - began
    if args.clock == "cpu":  # what all cores would do in a second, were there nobody else
        seconds /= torch.get_num_threads()
    print(json.dumps({"rate": done / seconds, "peak_mb": round(peak_memory() / 1e6)}))


def peak_memory() -> float:
    """Bytes; on Linux without what the parent process had at the fork, which `getrusage` keeps."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return next(float(line.split()[1]) * 1e3 for line in lines if line.startswith("VmHWM"))


def load(args: argparse.Namespace) -> Contrique:
    """An encoder by name or file, or one of the architecture asked for with random weights."""
    if args.model not in ARCHITECTURES:
        return locating.load_encoder(args.model)[0]
    torch.manual_seed(0)
    return Contrique(args.model, args.pooling).eval()


# ---------------------------------------------------------------------------------- the table


def ask(args: argparse.Namespace, model: str, way: str, folder: Path) -> dict[str, float]:
    """The measurement in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
    command += ["--model", model, "--pooling", args.pooling, "--clock", args.clock]
    command += ["--seconds", str(args.seconds)]
    if args.device:
        command += ["--device", args.device]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return json.loads(done.stdout.splitlines()[-1])


def rows(args: argparse.Namespace, root: Path) -> Iterator[dict[str, float]]:
    """A line of the table per size."""
    for megapixels, size in SIZES.items():
        if megapixels > args.most:
            return
        folder = root / f"{megapixels}"
        folder.mkdir()
        count = max(2, round(COUNTS[megapixels] * args.share))
        for seed in range(min(count, 4)):
            photograph(seed, *size).save(folder / f"{seed}.jpg", quality=90)
        for number in range(4, count):
            (folder / f"{number}.jpg").hardlink_to(folder / f"{number % 4}.jpg")
        left_out = set(PLAIN) if args.no_naive else set()
        left_out |= {"full"} if megapixels > FULL_LIMIT else set()
        turns = {}
        for way in WAYS:
            if way not in left_out:
                turns[way] = (args.model, way)
            if way in COMPARED and args.against:
                turns[f"other_{way}"] = (args.against, way)
        yield {"megapixels": megapixels} | summary(list(take_turns(args, turns, folder)))


def take_turns(
    args: argparse.Namespace, turns: dict[str, tuple[str, str]], folder: Path
) -> Iterator[dict[str, dict[str, float]]]:
    """What each way measured, round by round, every second one backwards."""
    for number in range(args.rounds):
        order = list(turns)[:: -1 if number % 2 else 1]
        yield {name: ask(args, *turns[name], folder) for name in order}


def summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, float]:
    """Medians over the rounds: rates, most memory, and ratios of rates of the same round."""

    def usual(value: Callable[[dict[str, float]], float], digits: int) -> float:
        rates = ({way: each["rate"] for way, each in one.items()} for one in rounds)
        return round(statistics.median(map(value, rates)), digits)

    row = {}
    for way in rounds[0]:
        row[way] = usual(lambda rate, way=way: rate[way], 3)
        row[f"{way}_mb"] = max(one[way]["peak_mb"] for one in rounds)
    row["of_slower"] = usual(lambda rate: rate["ours"] / min(rate["encoder"], rate["decode"]), 2)
    row["of_both"] = usual(
        lambda rate: rate["ours"] * (1 / rate["encoder"] + 1 / rate["decode"]), 2
    )
    for name, other in RATIOS.items():
        if other in row:
            row[name] = usual(lambda rate, other=other: rate["ours"] / rate[other], 2)
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=locating.DEFAULT, help=MODEL)
    parser.add_argument("--against", help="another, to compare with")
    parser.add_argument("--pooling", choices=POOLINGS, default=LAST, help="of an architecture")
    parser.add_argument("--device", help="cpu, cuda ...")
    parser.add_argument("--most", type=float, default=48, help="megapixels")
    parser.add_argument("--no-naive", action="store_true", help="leave out naive and full")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of photos")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many counts")
    parser.add_argument(
        "--seconds", type=float, default=4, help="that a measurement takes at least"
    )
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: if shared")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        measure(args)
        return
    columns = ["megapixels", *WAYS, "of_slower", "of_both", "times_naive", "times_full"]
    columns += ["ours_mb", "naive_mb", "full_mb"]
    if args.against:
        columns += ["other_ours", "other_encoder", "times_other", "other_ours_mb"]
    print("\t".join(columns))
    with tempfile.TemporaryDirectory() as root:
        done = []
        for row in rows(args, Path(root)):
            done.append(row)
            print("\t".join(f"{row.get(name, float('nan')):g}" for name in columns), flush=True)
    about = {
        "model": args.model,
        "against": args.against,
        "cores": torch.get_num_threads(),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "median_of_slower": statistics.median(row["of_slower"] for row in done),
    }
    print(json.dumps({"about": about, "rows": done}))


if __name__ == "__main__":
    main()
