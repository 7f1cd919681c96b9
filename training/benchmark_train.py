"""How fast pre-training is, in ratios measured in one run.

    python training/benchmark_train.py --data ../shared/data --arch resnet18 --image-size 96

Three ways take turns, `--rounds` times each, on the same machine and the same network:

* pure: forward, loss, backward and optimiser on views that are ready on the device;
* ours: the whole path of `contrique train`, from decoded photos on (the first epoch's decoding is
  done before);
* plain: a straightforward DataLoader that opens, distorts, halves, crops and recolours one photo
  after the other in worker processes, as the published recipe reads.

The last line on standard output is JSON. Without `--data`, photos are generated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.distortions.bank import CLASSES, class_of, distort
from contrique_cli.encoder.model import pick_device
from contrique_cli.photos import opening
from contrique_cli.photos import pixels as photo_pixels
from contrique_cli.pretraining import runparts, trainphotos, views
from contrique_cli.pretraining.batches import Cuttings, cut_ahead, make_views
from contrique_cli.pretraining.batchplan import Halves, plan_batch
from contrique_cli.pretraining.learner import choose_precision
from contrique_cli.pretraining.photostore import mirror_outwards
from contrique_cli.pretraining.ranks import Process
from contrique_cli.pretraining.trainconfig import TrainConfig

LR = 1e-4
GENERATED = 64


class PlainPhotos(Dataset):
    """One photo at a time: open, distort, two views; index 2i is synthetic, 2i + 1 ordinary."""

    def __init__(self, photos: trainphotos.TrainPhotos, side: int, max_side: int) -> None:
        self.photos = photos
        self.side = side
        self.max_side = max_side

    def __len__(self) -> int:
        return 2 * max(len(self.photos.synthetic), len(self.photos.authentic))

    def __getitem__(self, item: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        rng = np.random.default_rng(item)
        half = self.photos.authentic if item % 2 else self.photos.synthetic
        index = item // 2 % len(half)
        photo = opening.open_rgb(half[index], max_side=self.max_side).image
        pixels = mirror_outwards(photo_pixels.to_tensor(photo), 2 * self.side)
        pixels = photo_pixels.to_unit(pixels)[None]  # (1, 3, H, W)
        label = CLASSES + index
        if not item % 2:
            kind, level = int(rng.integers(1, 26)), int(rng.integers(1, 6))
            label = class_of(kind, level)
            pixels = distort(
                pixels, torch.tensor([kind]), torch.tensor([level]), torch.tensor([item])
            )
        pair = [self._view(pixels, rng), self._view(photo_pixels.halve(pixels), rng)]
        first = int(rng.integers(2))
        return pair[first], pair[1 - first], label

    def _view(self, pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        top, left = (int(rng.integers(size - self.side + 1)) for size in pixels.shape[2:])
        square = pixels[:, :, top : top + self.side, left : left + self.side]
        square = views.recolour(square, torch.tensor([int(rng.integers(5))]))
        return views.mirror(square, torch.tensor([bool(rng.integers(2))]))[0]


def read_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description="Speed of pre-training, in ratios.")
    parser.add_argument("--data", help="folder with pristine and authentic; default: generated")
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--device")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--workers", type=int, default=2, help="threads or worker processes")
    parser.add_argument("--steps", type=int, default=10, help="per way and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch on the CPU")
    parser.add_argument("--peak-tflops", type=float, help="of the device, for its utilisation")
    parser.add_argument("--no-plain", action="store_true", help="leave the plain DataLoader out")
    return parser.parse_args()


def generate_photos(folder: Path, side: int) -> str:
    """JPEGs of smooth texture, at least twice the view's side."""
    rng = np.random.default_rng(0)
    for half in ("pristine", "authentic"):
        (folder / half).mkdir()
        for index in range(GENERATED):
            coarse = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            size = (max(640, 2 * side), max(512, 2 * side))
            photo = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
            photo.save(folder / half / f"{index}.jpg", quality=92)
    return str(folder)


def timed(step: Callable[[], object], n: int, device: torch.device) -> float:
    """Steps per second."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(n):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return n / (time.perf_counter() - start)


def plain_batches(dataset: PlainPhotos, batch_size: int, workers: int) -> Iterator[list]:
    """Batches of the plain DataLoader, epoch after epoch."""
    while True:
        yield from DataLoader(
            dataset,
            batch_size,
            shuffle=True,
            num_workers=workers,
            drop_last=True,
            pin_memory=torch.cuda.is_available(),
        )


def main() -> None:
    """Find photos, then measure."""
    args = read_arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        data = args.data or generate_photos(Path(folder), args.image_size)
        measure(args, data, pick_device(args.device))


def measure(args: argparse.Namespace, data: str, device: torch.device) -> None:
    """Take turns and print the medians and ratios."""
    if device.type == "cuda":
        device = torch.device("cuda", 0)
    names = ("arch", "image_size", "batch_size", "compile", "workers", "precision")
    given = {name: getattr(args, name) for name in names}
    config = TrainConfig(data=data, probe_photos=0, memory_budget=8.0, **given)
    precision = choose_precision(config.precision, device)
    photos = trainphotos.gather(config)
    learner = runparts.make_learner(config, precision, device, Process())
    cuttings = prepared_cuttings(config, photos, device)
    first = next(cuttings)
    ready = make_views(first, config.image_size)

    def ours() -> object:
        cutting = next(cuttings)
        views_ = make_views(cutting, config.image_size)
        return learner.step(views_, cutting.classes, LR)

    def plain() -> object:
        one, two, classes = next(loader)
        both = torch.cat([one, two]).to(device, non_blocking=True)
        return learner.step(both, classes, LR)

    ways = {"pure": lambda: learner.step(ready, first.classes, LR), "ours": ours}
    if not args.no_plain:
        dataset = PlainPhotos(photos, config.image_size, config.max_side)
        loader = plain_batches(dataset, config.batch_size, args.workers)
        ways["plain"] = plain
    rates = take_turns(ways, args.steps, args.rounds, device)
    with FlopCounterMode(display=False) as counter:
        ways["pure"]()
    in_pairs = {name: [rate * config.batch_size for rate in all_] for name, all_ in rates.items()}
    report(args, device, precision, in_pairs, counter.get_total_flops() / config.batch_size)
    cuttings.close()


def prepared_cuttings(
    config: TrainConfig, photos: trainphotos.TrainPhotos, device: torch.device
) -> Generator[Cuttings]:
    """Cuttings without end, from photos that are all decoded already."""
    halves = Halves(len(photos.synthetic), len(photos.authentic))
    store = runparts.make_store(config, photos, device, Process())
    for half, n in enumerate(halves):
        for index in range(n):
            store.get(half, index)
    return cut_ahead(
        store,
        lambda step: plan_batch(step, halves=halves, batch_size=config.batch_size, seed=0),
        steps=count(),
        side=config.image_size,
        workers=config.workers,
    )


def take_turns(
    ways: dict[str, Callable[[], object]], steps: int, rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Steps per second of each way, round by round."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        timed(way, 3, device)  # warm up
    for _ in range(rounds):
        for name, way in ways.items():
            rates[name].append(timed(way, steps, device))
    return rates


def report(
    args: argparse.Namespace,
    device: torch.device,
    precision: str,
    rates: dict[str, list[float]],
    flops: float,
) -> None:
    """Print medians over rounds, ratios within rounds, and the JSON line."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    result = {
        "device": name,
        "threads": torch.get_num_threads(),
        "precision": precision,
        **{key: getattr(args, key) for key in ("arch", "image_size", "batch_size", "compile")},
        "pairs_per_second": {k: round(statistics.median(v), 1) for k, v in rates.items()},
        "gflop_per_pair": round(flops / 1e9, 1),
    }
    pairs = {"ours_to_pure": ("ours", "pure"), "ours_to_plain": ("ours", "plain")}
    for key, (top, bottom) in pairs.items():
        if bottom in rates:
            ratios = [a / b for a, b in zip(rates[top], rates[bottom], strict=True)]
            result[key] = round(statistics.median(ratios), 3)
    tflops = flops * statistics.median(rates["ours"]) / 1e12
    result["tflops"] = round(tflops, 2)
    if args.peak_tflops:
        result["utilisation"] = round(tflops / args.peak_tflops, 3)
    for key, value in result.items():
        print(f"{key:18} {value}", file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
