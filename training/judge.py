"""How well encoders serve a ridge regression, quickly, on the training part of BIQ2021 alone.

    python training/judge.py ../shared/data RUN/encoder.safetensors [MORE ...]

Prints for every encoder: SROCC out of fold (5 folds by scene run, strength chosen on them), the
same by source, and between sources: fitted on some of the collection's three sources and judged on
another, which is nearest to what other cameras would see.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import config
from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import pick_device
from contrique_cli.opinions import metrics, ridge
from training import baselines, splits

BETWEEN = (
    (("ss01", "ss02"), "ss03"),
    (("ss03",), "ss01"),
    (("ss03",), "ss02"),
    (("ss02", "ss03"), "ss01"),
    (("ss01", "ss03"), "ss02"),
)
"""Sources to fit on, and the one to judge on."""

LEAST_SPREAD = 1e-5
"""Added to each feature's deviation, by which it is divided."""


def main() -> None:
    """Print a line per encoder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of biq2021.csv")
    parser.add_argument("encoders", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=3, help="use one photo of so many")
    args = parser.parse_args()
    rows = [row for row in splits.read(args.data) if not row.is_held_out][:: args.every]
    paths = [args.data / row.path for row in rows]
    mos = np.array([row.mos for row in rows])
    weights = splits.weights(rows)
    source = np.array([row.group.partition("_")[0] for row in rows])
    splitter = GroupKFold(config.FOLDS)
    folds = [fold for _, fold in splitter.split(mos, groups=[row.group for row in rows])]
    for path in args.encoders:
        model, _ = checkpoint.load(path)
        values = np.stack(list(baselines.encoder_features(model, paths, pick_device())))
        values = values / (values.std(axis=0) + LEAST_SPREAD)
        choice = ridge.choose(values, mos, folds, weights / weights.mean())
        found = choice.out_of_fold
        by_source = {
            name: metrics.spearman(found[source == name], mos[source == name])
            for name in np.unique(source).tolist()
        }
        between = []
        for fitted_on, judged_on in BETWEEN:
            known, unknown = np.isin(source, fitted_on), source == judged_on
            linear = Ridge(alpha=choice.strength * known.mean())
            linear.fit(values[known].astype(np.float64), mos[known], sample_weight=weights[known])
            between.append(metrics.spearman(linear.predict(values[unknown]), mos[unknown]))
        parts = " / ".join(f"{value:.2f}" for value in by_source.values())
        print(
            f"{path}: SROCC {metrics.spearman(found, mos):.3f} ({parts}), "
            f"between sources {np.mean(between):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
