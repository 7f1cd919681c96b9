"""How scores depend on the working size: one photo at several sizes, and known flaws at each.

    python training/working_size.py ../shared/data

Clean photos of 768 pixels on the long side are judged at 384, 512 and 768 by the bundled model:
the mean difference in points and the rank correlation with 512, where people gave their opinions.
Some of them are made worse at 768 and judged at each size: mean Spearman along the levels, and by
how much a blur of 1.2 pixels at 768 lowers the score at each size.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.distortions.bank import KINDS, LEVELS, apply_kind
from contrique_cli.encoder import backend, features
from contrique_cli.encoder.model import pick_device
from contrique_cli.opinions import metrics
from contrique_cli.photos import opening, pixels
from contrique_cli.scoring import pipeline as scoring_pipeline
from contrique_cli.scoring.pipeline import Pipeline
from training.pack_photos import HELD_OUT

SIDES = (384, 512, 768)
NATIVE, RATED = 768, 512
SLIGHT = 1.2
"""Pixels; sigma of a blur that shows at the photo's own size and hardly at half of it."""


def at_side(image: Image.Image, side: int) -> torch.Tensor:
    """A photo reduced to a long side, uint8, shape (1, 3, H, W)."""
    share = side / max(image.size)
    size = tuple(max(1, round(length * share)) for length in image.size)
    if share < 1:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return pixels.to_tensor(image)[None]


def at_sides(images: list[Image.Image], pipeline: Pipeline, embed: backend.Embed) -> np.ndarray:
    """Scores of N photos at each of the sizes, shape (S, N)."""
    judge = pipeline.regressor
    rows = [
        [features.embed_scales(embed, at_side(image, side)).cpu().numpy()[0] for image in images]
        for side in SIDES
    ]
    return np.array([judge.to_score(judge.predict(np.stack(row))) for row in rows])


def worse(image: Image.Image, kind: int, seed: int) -> list[Image.Image]:
    """All levels of one kind."""
    several = pixels.to_unit(pixels.to_tensor(image)[None]).expand(LEVELS, -1, -1, -1)
    seeds = torch.full((LEVELS,), seed)
    found = apply_kind(several, kind, torch.arange(1, LEVELS + 1), seeds)
    codes = found.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(one) for one in codes]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of pristine/")
    parser.add_argument("--photos", type=int, default=100, help="photos at several sizes")
    parser.add_argument("--worse", type=int, default=12, help="of them, photos to make worse")
    parser.add_argument("--kinds", type=int, default=8, help="ways to make them worse")
    parser.add_argument("--device")
    args = parser.parse_args()
    pipeline = scoring_pipeline.load_pipeline()
    embed = backend.Embed(pipeline.model.to(pick_device(args.device)))
    paths = sorted((args.data / "pristine").iterdir())
    held_out = [path for path in paths if int(path.stem) % HELD_OUT == 0]
    photos = [opening.open_rgb(path, max_side=0).image for path in held_out]
    photos = [photo for photo in photos if max(photo.size) == NATIVE][: args.photos]
    scores = at_sides(photos, pipeline, embed)
    rated = scores[SIDES.index(RATED)]
    blurred = at_sides(
        [photo.filter(ImageFilter.GaussianBlur(SLIGHT)) for photo in photos[: args.worse]],
        pipeline,
        embed,
    )
    kinds = [kind.number for kind in KINDS if kind.ordered][:: max(1, 23 // args.kinds)]
    order: list[list[float]] = [[] for _ in SIDES]
    for seed, photo in enumerate(photos[: args.worse]):
        for kind in kinds[: args.kinds]:
            found = at_sides(worse(photo, kind, seed), pipeline, embed)
            for row, one in zip(order, found, strict=True):
                level = np.arange(LEVELS, dtype=np.float64)
                row.append(metrics.spearman(level, -one) if np.ptp(one) else 0.0)
    print(f"{len(photos)} photos; {args.worse} of them made worse in {kinds[: args.kinds]}")
    print("side\tmean\tdifference_from_512\tsrocc_with_512\torder\tdrop_by_blur")
    for index, side in enumerate(SIDES):
        drop = scores[index, : args.worse] - blurred[index]
        print(
            f"{side}\t{scores[index].mean():.1f}\t{np.abs(scores[index] - rated).mean():.1f}"
            f"\t{metrics.spearman(scores[index], rated):.3f}\t{np.mean(order[index]):.3f}"
            f"\t{drop.mean():.1f} ({(drop > 0).mean():.0%})"
        )


if __name__ == "__main__":
    main()
