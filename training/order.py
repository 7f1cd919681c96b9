"""Whether scores fall along known distortions, on clean photos that nothing was trained on.

    python training/order.py ../shared/data --photos 24 --output training/order.csv

For every kind of distortion with one direction and every photo: Spearman's correlation of level
(1 to 5) with the score, upside down, so that 1 is the right order. Then four everyday flaws of the
same photos: half the JPEG quality, slight blur, sensor noise, wrong exposure; how often each lowers
the score. Held-out photos are those whose number is divisible by 5.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import config
from contrique_cli.distortions import tone
from contrique_cli.distortions.bank import KINDS
from contrique_cli.encoder import backend, features
from contrique_cli.encoder.model import pick_device
from contrique_cli.opinions import ladders, metrics
from contrique_cli.opinions.ladders import Ladders
from contrique_cli.photos import opening
from contrique_cli.photos import pixels as photo_pixels
from contrique_cli.scoring import pipeline as scoring_pipeline
from contrique_cli.scoring.pipeline import Pipeline
from training.pack_photos import HELD_OUT


def _as_jpeg(photo: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _noisy(photo: Image.Image) -> Image.Image:
    pixels = np.asarray(photo, np.float64) / 255
    grain = np.random.default_rng(0).normal(size=pixels.shape)
    sigma = 0.03 + 0.02 * np.sqrt(pixels)  # read noise and shot noise of a high ISO
    return Image.fromarray(np.uint8(np.clip(pixels + sigma * grain, 0, 1) * 255))


def _exposed(photo: Image.Image, stops: float) -> Image.Image:
    pixels = tone.expose(torch.from_numpy(np.asarray(photo) / 255), torch.tensor(stops))
    return Image.fromarray(np.uint8(pixels.numpy() * 255))


EVERYDAY: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG quality 45 instead of 90": lambda photo: _as_jpeg(photo, 45),
    "slight blur, 1 px": lambda photo: photo.filter(ImageFilter.GaussianBlur(1)),
    "ISO noise": _noisy,
    "1.5 stops too dark": lambda photo: _exposed(photo, -1.5),
    "1.5 stops too bright": lambda photo: _exposed(photo, 1.5),
}


def held_out(data: Path, count: int) -> list[Path]:
    """Clean photos that were not trained on, evenly chosen."""
    paths = sorted((data / "pristine").iterdir())
    paths = [path for path in paths if int(path.stem) % HELD_OUT == 0]
    return [paths[index] for index in np.linspace(0, len(paths) - 1, count).astype(int)]


def kept_ladders(file: Path | None, climb: Callable[[], Ladders]) -> Ladders:
    """Ladders from an earlier run, or climbed now and kept."""
    if file is not None and file.exists():
        with np.load(file, allow_pickle=False) as found:
            return Ladders(**{name: found[name] for name in ("photos", "kinds", "features")})
    made = climb()
    if file is None:
        return made
    np.savez(file, photos=made.photos, kinds=made.kinds, features=made.features)
    return made


def scored(pipeline: Pipeline, values: np.ndarray) -> np.ndarray:
    """Scores of features, shape (..., 2F) to (...)."""
    raw = pipeline.regressor.predict(values.reshape(-1, values.shape[-1]))
    return pipeline.regressor.to_score(raw).reshape(values.shape[:-1])


def along_levels(found: Ladders, pipeline: Pipeline) -> dict[int, list[float]]:
    """Spearman's correlation of each photo, by kind."""
    by_kind: dict[int, list[float]] = {}
    levels = np.arange(1, 6, dtype=np.float64)
    for kind, values in zip(found.kinds.tolist(), found.features[:, 1:], strict=True):
        scores = scored(pipeline, values)
        same = float(np.ptp(scores)) == 0.0
        by_kind.setdefault(kind, []).append(0.0 if same else metrics.spearman(levels, -scores))
    return by_kind


def everyday(paths: list[Path], pipeline: Pipeline) -> dict[str, tuple[float, float]]:
    """For each everyday flaw: share of photos that score lower with it, and the mean drop."""
    embed = backend.Embed(pipeline.model)
    drops: dict[str, list[float]] = {name: [] for name in EVERYDAY}
    for path in paths:
        photo = _as_jpeg(opening.open_rgb(path, max_side=config.MAX_SIDE).image, 90)
        versions = [photo, *(change(photo) for change in EVERYDAY.values())]
        pixels = torch.stack([photo_pixels.to_tensor(version) for version in versions])
        scores = scored(pipeline, features.embed_scales(embed, pixels).cpu().numpy())
        for name, score in zip(EVERYDAY, scores[1:], strict=True):
            drops[name].append(float(scores[0] - score))
    return {name: (float(np.mean(np.array(d) > 0)), float(np.mean(d))) for name, d in drops.items()}


def main() -> None:
    """Print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of pristine photos")
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--model")
    parser.add_argument("--regressor")
    parser.add_argument("--device")
    parser.add_argument("--ladders", type=Path, help="what bundle.py kept of the same photos")
    parser.add_argument("--output", type=Path, help="CSV of the tables")
    args = parser.parse_args()
    pipeline = scoring_pipeline.load_pipeline(args.model, args.regressor)
    pipeline.model.to(pick_device(args.device))
    paths = held_out(args.data, args.photos)
    rows: list[tuple[str, str, float]] = []
    kinds = ladders.ORDERED
    found = kept_ladders(
        args.ladders,
        lambda: ladders.climb(paths, pipeline.model, kinds=kinds, kinds_per_photo=len(kinds)),
    )
    by_kind = along_levels(found.only(kinds), pipeline)
    for kind, found in sorted(by_kind.items()):
        rows.append(("mean Spearman over levels", KINDS[kind - 1].title, float(np.mean(found))))
    every = [value for found in by_kind.values() for value in found]
    rows.append(("mean Spearman over levels", "all kinds", float(np.mean(every))))
    for name, (share, drop) in everyday(paths, pipeline).items():
        rows.append(("share of photos that score lower", name, share))
        rows.append(("mean drop in points", name, drop))
    for what, name, value in rows:
        print(f"{what:34} {name:34} {value:7.3f}")
    if args.output:
        with args.output.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["figure", "of", "value"])
            writer.writerows((what, name, f"{value:.3f}") for what, name, value in rows)


if __name__ == "__main__":
    main()
