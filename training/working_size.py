"""What the working size costs and brings: scores, ranks and flaws seen at several long sides.

    python training/working_size.py ../shared/data --photos 60 --rated 2700
    python training/working_size.py ../shared/data --photos 12 --rated 300    # a first look

Two questions, for the bundled encoder or `--model`:

* rated: BIQ2021 (512 x 512, so that larger sizes need photos that were enlarged, Lanczos, as a
  camera's interpolation would). A regressor is refitted at each size on the training part of
  `splits.py` and judged on the held-out fifth.
* known flaws: photos of 768 pixels, enlarged to 1024 where a size asks for it, made worse in
  `--kinds` ways at five levels. With the bundled regressor, unchanged: how well its order follows
  the levels (mean Spearman), how scores agree with those at 1024 (SROCC, mean difference).

Features of rated photos are kept in `--cache` for the next run. Prints a table per question.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.distortions.bank import KINDS, LEVELS, distort
from contrique_cli.encoder import backend, checkpoint, features
from contrique_cli.encoder.model import pick_device
from contrique_cli.models import locating
from contrique_cli.opinions import evaluate, fit
from contrique_cli.photos import opening, pixels
from contrique_cli.scoring import scorer as scoring_scorer
from training import baselines, splits

SIDES = (384, 512, 768, 1024)
"""Working sizes in pixels to compare."""

NATIVE = 512
"""Long side in pixels of BIQ2021's photos."""


def at_side(image: Image.Image, side: int) -> torch.Tensor:
    """A photo with a long side of exactly `side` pixels, uint8, shape (1, 3, H, W)."""
    longest = max(image.size)
    size = tuple(round(length * side / longest) for length in image.size)
    fitted = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
    return pixels.to_tensor(fitted)[None]


# ---------------------------------------------------------------------------------- rated photos


def rated_features(
    embed: backend.Embed, data: Path, rows: list[splits.Rated], side: int, cache: Path | None
) -> np.ndarray:
    """Shape (N, 2F), from the cache where there is one."""
    kept = cache / f"rated-{side}-{len(rows)}.npz" if cache else None
    if kept and kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            return file["features"]
    found = []
    for row in rows:
        image = opening.open_rgb(data / row.path, max_side=0).image
        found.append(features.embed_scales(embed, at_side(image, side)).cpu().numpy()[0])
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, features=np.stack(found))
    return np.stack(found)


def study_rated(embed: backend.Embed, args: argparse.Namespace) -> None:
    """Refit at each size, and apply the fit of the native size to each."""
    rows = splits.read(args.data)
    rows = rows[:: max(1, len(rows) // args.rated)]
    places = splits.parts(rows)
    parts = {
        side: [baselines.gathered([rows[place] for place in part], values[part]) for part in places]
        for side in SIDES
        for values in [rated_features(embed, args.data, rows, side, args.cache)]
    }
    fitted = {
        side: fit.fit_samples(
            train, encoder="", max_side=side, higher_is_better=True, provenance={}
        )[1]
        for side, (train, _) in parts.items()
    }
    print(f"rated: {len(rows)} photos of BIQ2021, {len(places[1])} held out")
    print("side\trefitted_srocc\trefitted_plcc\tfit_of_512_srocc\tfit_of_512_mean_score")
    for side, (_, test) in parts.items():
        figures = [
            evaluate.evaluate_samples(test, one, path=Path("-"), higher_is_better=True).figures
            for one in (fitted[side], fitted[NATIVE])
        ]
        scores = fitted[NATIVE].to_score(fitted[NATIVE].predict(test.features))
        print(
            f"{side}\t{figures[0]['srocc'].value:.3f}\t{figures[0]['plcc'].value:.3f}"
            f"\t{figures[1]['srocc'].value:.3f}\t{scores.mean():.1f}",
            flush=True,
        )


# ---------------------------------------------------------------------------------- known flaws


def ladder(image: Image.Image, number: int, seed: int) -> list[Image.Image]:
    """A photo as it is, then worse at each of five levels of one kind."""
    unit = pixels.to_unit(pixels.to_tensor(image)[None])
    levels = torch.arange(1, LEVELS + 1)
    worse = distort(
        unit.repeat(LEVELS, 1, 1, 1),
        torch.full((LEVELS,), number),
        levels,
        torch.full((LEVELS,), seed),
    )
    codes = worse.mul(255).round().byte().permute(0, 2, 3, 1).numpy()
    return [image, *(Image.fromarray(one) for one in codes)]


def study_flaws(
    embed: backend.Embed, scorer: scoring_scorer.Scorer, args: argparse.Namespace
) -> None:
    """Scores of photos of known flaws at each size, by the scorer as it is."""
    paths = sorted((args.data / "pristine").iterdir())
    photos = [opening.open_rgb(path, max_side=0).image for path in paths[:: args.every]]
    photos = [photo for photo in photos if max(photo.size) >= args.native][: args.photos]
    kinds = [kind for kind in KINDS if kind.ordered][:: max(1, 23 // args.kinds)][: args.kinds]
    scores = np.zeros((len(SIDES), len(photos), len(kinds), LEVELS + 1))
    for at, photo in enumerate(photos):
        for column, kind in enumerate(kinds):
            for level, image in enumerate(ladder(photo, kind.number, at)):
                for row, side in enumerate(SIDES):
                    values = features.embed_scales(embed, at_side(image, side)).cpu().numpy()
                    scores[row, at, column, level] = scorer.regressor.to_score(
                        scorer.regressor.predict(values)
                    )[0]
    print(f"known flaws: {len(photos)} photos, {len(kinds)} kinds: {[kind.name for kind in kinds]}")
    print("side\tlevels_spearman\tsrocc_with_1024\tmean_difference\tmean_of_pristine")
    last = scores[-1].ravel()
    for row, side in enumerate(SIDES):
        ladders = scores[row].reshape(-1, LEVELS + 1)
        order = np.nan_to_num([spearmanr(-np.arange(LEVELS + 1), one)[0] for one in ladders])
        print(
            f"{side}\t{order.mean():.3f}\t{spearmanr(scores[row].ravel(), last)[0]:.3f}"
            f"\t{(scores[row].ravel() - last).mean():+.1f}\t{scores[row, :, :, 0].mean():.1f}"
        )


def main() -> None:
    """Both studies."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of biq2021.csv and pristine/")
    parser.add_argument("--model", type=Path, help="an encoder's file [the bundled one]")
    parser.add_argument("--regressor", help="for the known flaws [the encoder's own]")
    parser.add_argument("--rated", type=int, default=2700, help="photos of BIQ2021")
    parser.add_argument("--photos", type=int, default=40, help="photos to make worse")
    parser.add_argument("--kinds", type=int, default=8, help="ways to make them worse")
    parser.add_argument(
        "--every", type=int, default=5, help="of the pristine photos, one in so many"
    )
    parser.add_argument("--native", type=int, default=768, help="least long side of those photos")
    parser.add_argument("--cache", type=Path, help="folder that keeps the features of rated photos")
    parser.add_argument("--device", help="cpu, cuda ...")
    args = parser.parse_args()

    device = pick_device(args.device)
    model = checkpoint.load(args.model)[0] if args.model else locating.load_encoder()[0]
    embed = backend.Embed(model.to(device))
    with np.errstate(invalid="ignore"):
        study_rated(embed, args)
        if args.model is None or args.regressor:
            scorer = scoring_scorer.load_scorer(
                str(args.model) if args.model else None, args.regressor
            )
            study_flaws(embed, scorer, args)


if __name__ == "__main__":
    main()
