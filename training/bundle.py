"""Make the bundled model: export an encoder, fit its regressors and its flaw probe, measure them.

    python training/bundle.py RUN/encoder.safetensors ../shared/data --run NAME \
        --told "two runs of 24 and 26 minutes on one CPU core" --work /tmp/bundle

The regressor that ships is fitted on the training part of `splits.py` alone and is the very one
that is measured on the held-out fifth, so the figures are those of what people use. The clean
photos that teach the order along distortions, and the flaws, are those not divisible by 5; the
others measure. `fast` is the same regressor for a working size of 512: BIQ2021's photos have 512
pixels, so both are fitted on the same pixels.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import config
from contrique_cli.config import Opinions
from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.model import Contrique, pick_device
from contrique_cli.encoder.work import Work
from contrique_cli.models import flaws, regressor
from contrique_cli.models.locating import DEFAULT
from contrique_cli.opinions import dataset, evaluate, fit, labels, ladders
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.ladders import Ladders
from contrique_cli.scoring.pipeline import FAST
from training import baselines, fit_flaws, order, rounding, splits

BUNDLED = Path(__file__).parent.parent / "contrique_cli" / "models" / "bundled"
ENCODER = BUNDLED / "encoders" / f"{DEFAULT}.safetensors"
REGRESSOR = BUNDLED / "regressors" / f"{DEFAULT}.safetensors"
FAST_REGRESSOR = BUNDLED / "regressors" / f"{FAST}.safetensors"

POINTS = (5, 10, 20, 40)
"""Differences of scores of which the card says how often people agree with them."""

PROBE = BUNDLED / "flaws" / f"{DEFAULT}.safetensors"
LICENCE = "Apache-2.0; trained on photos under mixed licences, none of which are included"


def export(source: Path, told: str, run: str) -> None:
    """Write the encoder in half precision, without projector, with its story."""
    model, info = checkpoint.load(source)
    rounding.settle(model.encoder)
    provenance = {
        "run": run,
        "training": "ImageNet weights of EfficientNet-Lite0 (Google; PyTorch form: ML Illustrated, "
        "2020; Apache-2.0) in its first three stages and in one of two branches; the other had "
        f"CONTRIQUE pre-training: {told}",
        "photos": "pristine and authentic photos under free licences (training/README.md), without "
        "every fifth pristine one, BIQ2021's training part without its scores",
        "licence": LICENCE,
        "trained_with": info.provenance.get("contrique", ""),
    }
    ENCODER.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(ENCODER, model, provenance=provenance, half=True, projector=False)


def agreement(scores: np.ndarray, mos: np.ndarray) -> dict[str, float]:
    """Share of the pairs of photos about so many points apart that people order the same way.

    Pairs that people rate alike do not count.

    Args:
        scores, mos: of N photos, shape (N,).
    """
    first, second = np.triu_indices(len(scores), 1)
    gap, opinion = scores[first] - scores[second], mos[first] - mos[second]
    shares = {}
    for points in POINTS:
        near = (np.abs(np.abs(gap) - points) <= points / 4) & (opinion != 0)
        shares[str(points)] = round(float((gap[near] * opinion[near] > 0).mean()), 3)
    return shares


def table(rows: list[splits.Rated], folder: Path, name: str) -> Path:
    """One part of the split as the commands take it."""
    splits.write(folder / name, rows)
    return folder / name


def gather(
    args: argparse.Namespace,
    rated: Path,
    model: Contrique,
    info: checkpoint.EncoderInfo,
    device: torch.device,
) -> Dataset:
    """Features and opinions of a table, the features kept for the next call."""
    opinions = Opinions(table=rated, photos=args.data, group_column="group")
    rows = labels.read_opinions(opinions)
    work = Work(device=device)
    with FeatureCache(args.work / "features.sqlite") as cache:
        return dataset.gather(
            rows,
            model,
            work,
            at_least=len(rows.rows),
            shelf=recall.find_shelf(cache, info, work),
        )


def best(part: Dataset, rows: list[splits.Rated]) -> np.ndarray:
    """Features of the fifth that people rate best."""
    chosen = {row.path for row in splits.best(rows)}
    return part.features[[row.path in chosen for row in rows]]


def climbed(args: argparse.Namespace, model: Contrique, encoder: str) -> list[Ladders]:
    """Ladders of clean photos to learn from, of held-out ones, and of tones to learn from."""

    def climb(
        name: str,
        paths: list[Path],
        kinds_per_photo: int,
        kinds: tuple[int, ...] = fit_flaws.EVERY_KIND,
    ) -> Ladders:
        return order.kept_ladders(
            args.work / f"{name}-{encoder[:12]}-{len(paths)}-{kinds_per_photo}.npz",
            lambda: ladders.climb(
                paths,
                model,
                kinds=kinds,
                kinds_per_photo=kinds_per_photo,
                on_photo=lambda done, count: print(f"{name}: {done} of {count}", end="\r"),
            ),
        )

    photos = fit_flaws.training_photos(args.data, args.photos)
    others = order.held_out(args.data, args.test_photos)
    return [
        climb("known", photos, args.kinds),
        climb("held", others, len(fit_flaws.EVERY_KIND)),
        climb("tones", photos[::2], len(fit_flaws.TONES), fit_flaws.TONES),
    ]


def main() -> None:
    """Export, fit, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoder", type=Path, help="what `contrique train` made")
    parser.add_argument("data", type=Path, help="folder of biq2021.csv")
    parser.add_argument("--run", required=True, help="name in the results table")
    parser.add_argument("--told", required=True, help="how it was trained, in a few words")
    parser.add_argument("--photos", type=int, default=587, help="clean photos to learn from")
    parser.add_argument("--kinds", type=int, default=4, help="kinds of ladders of each of them")
    parser.add_argument("--test-photos", type=int, default=24, help="clean photos to measure on")
    parser.add_argument("--work", type=Path, required=True, help="folder that keeps features")
    parser.add_argument("--device")
    args = parser.parse_args()

    args.work.mkdir(parents=True, exist_ok=True)
    device = pick_device(args.device)
    export(args.encoder, args.told, args.run)
    model, info = checkpoint.load(ENCODER)
    rows = splits.read(args.data)
    parts = [[rows[index] for index in indices] for indices in splits.parts(rows)]
    gathered = [
        gather(args, table(part, args.work, name), model.to(device), info, device)
        for part, name in zip(parts, ("train.csv", "test.csv"), strict=True)
    ]
    known, held, tones = climbed(args, model, info.fingerprint)
    report, found = fit.fit_dataset(
        dataclasses.replace(gathered[0], weights=splits.weights(parts[0])),
        encoder=info.fingerprint,
        max_side=config.MAX_SIDE,
        higher_is_better=True,
        provenance={"table": "biq2021.csv", "mos_column": "mos", "arch": info.arch},
        ladders=known.only(ladders.TAUGHT),
    )
    good, held_good = (best(*part) for part in zip(gathered, parts, strict=True))
    probe = fit_flaws.make(
        [known, tones],
        held,
        good=good,
        held_good=held_good,
        score=lambda features: found.to_score(found.predict(features)),
        encoder=info.fingerprint,
        run=args.run,
    )
    PROBE.parent.mkdir(parents=True, exist_ok=True)
    flaws.save(PROBE, probe)
    held_out = evaluate.evaluate_dataset(
        gathered[1], found, path=REGRESSOR, higher_is_better=True
    ).figures
    scores = found.to_score(found.predict(gathered[1].features))
    shares = agreement(scores, gathered[1].mos)
    print(f"inside the training part: {report.figures}")
    figures = {
        "data": f"BIQ2021, held-out fifth by scene ({splits.NAME}), never fitted or tuned on",
        **{
            name: [round(value, 4) for value in held_out[name] if value is not None]
            for name in held_out
        },
        "pairs_as_people_by_points": shares,
        "spread": f"{config.CONFIDENCE} % bootstrap interval by scene",
        "n": len(parts[1]),
        "fitted_on": report.n,
    }
    provenance = {**found.provenance, "licence": LICENCE, "run": args.run}
    REGRESSOR.parent.mkdir(parents=True, exist_ok=True)
    found = dataclasses.replace(found, figures=figures, provenance=provenance)
    regressor.save(REGRESSOR, found)
    # BIQ2021's photos are 512 x 512: neither size reduces them, so one fit serves both.
    regressor.save(FAST_REGRESSOR, dataclasses.replace(found, max_side=config.FAST_SIDE))
    baselines.record(args.run, f"{info.arch} + ridge", dict(held_out), args.told, "bundled form")


if __name__ == "__main__":
    main()
