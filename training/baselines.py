"""What a trained encoder must beat: classical statistics, and the same network untrained.

    python training/baselines.py ../shared/data --brisque
    python training/baselines.py ../shared/data --arch resnet18-c4
    python training/baselines.py ../shared/data --model encoder.safetensors --run NAME

Fitted on the training part of `splits.py`, with every choice made inside it, and judged on the
held-out fifth by the package's own `fit` and `evaluate`; appends a line per run to results.csv.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVR

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import config
from contrique_cli.encoder import checkpoint, features
from contrique_cli.encoder.architectures import STAGES
from contrique_cli.encoder.backend import Embed
from contrique_cli.encoder.model import Contrique, pick_device
from contrique_cli.encoder.seen import Features
from contrique_cli.encoder.work import Work
from contrique_cli.models.regressor import NO_REFERENCE
from contrique_cli.opinions import evaluate, fit, metrics
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.opinions.metrics import Range
from contrique_cli.photos import opening
from training import brisque, splits

RESULTS = Path(__file__).parent / "results.csv"
COLUMNS = "run what data split srocc plcc ci date hardware note".split()


def encoder_features(
    model: Contrique, paths: Sequence[Path], device: torch.device
) -> Iterator[np.ndarray]:
    """All scales of each photo, shape (2F,), or (F,) with one scale."""
    for found in features.extract(paths, Embed(model.to(device)), Work(device=device)):
        if not isinstance(found, Features):
            raise found
        yield found.values


def brisque_features(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """Classical statistics of each photo, shape (36,)."""
    for path in paths:
        yield brisque.features(opening.open_rgb(path, max_side=config.MAX_SIDE).image)


def gathered(rows: Sequence[splits.Rated], values: np.ndarray) -> Dataset:
    """Rows of one part of the split as the package's verbs take them."""
    return Dataset(
        features=values,
        mos=np.array([row.mos for row in rows]),
        groups=np.unique([row.group for row in rows], return_inverse=True)[1],
        group_column="group",
        task=NO_REFERENCE,
        marks=[row.path for row in rows],
        left_out=[],
        notes=[],
    )


def judge_ridge(train: Dataset, test: Dataset) -> dict[str, Range]:
    """Figures of the package's own regressor on the held-out part."""
    report, found = fit.fit_dataset(
        train,
        encoder="",
        max_side=config.MAX_SIDE,
        higher_is_better=True,
        provenance={},
    )
    inside = report.figures["srocc"]
    print(f"inside the training part: SROCC {inside.value:.3f}, strength {report.strength:.3g}")
    done = evaluate.evaluate_dataset(test, found, path=Path("-"), higher_is_better=True)
    return dict(done.figures)


def judge_svr(train: Dataset, test: Dataset) -> dict[str, Range]:
    """Figures of a support vector regression, its three knobs chosen by grouped folds."""
    search = GridSearchCV(
        make_pipeline(MinMaxScaler((-1.0, 1.0)), SVR()),
        {
            "svr__C": [0.3, 1.0, 3.0, 10.0, 30.0],
            "svr__gamma": [0.01, 0.03, 0.1, 0.3],
            "svr__epsilon": [0.03, 0.1, 0.2],
        },
        cv=GroupKFold(config.FOLDS),
        scoring="neg_mean_squared_error",
    )
    search.fit(train.features, train.mos, groups=train.groups)
    print(f"chosen: {search.best_params_}")
    return metrics.bootstrap(
        search.predict(test.features),
        test.mos,
        groups=test.groups,
        resamples=config.RESAMPLES,
        confidence=config.CONFIDENCE,
        seed=config.SEED,
    )


def record(run: str, what: str, found: dict[str, Range], hardware: str, note: str) -> None:
    """Append one line to the results table."""
    srocc, plcc = found["srocc"], found["plcc"]
    row = {
        "run": run,
        "what": what,
        "data": "biq2021, 2700 photos",
        "split": splits.NAME,
        "srocc": f"{srocc.value:.3f}",
        "plcc": f"{plcc.value:.3f}",
        "ci": f"srocc {srocc.low:.3f}-{srocc.high:.3f}, plcc {plcc.low:.3f}-{plcc.high:.3f}",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "hardware": hardware,
        "note": note,
    }
    print(", ".join(f"{key} {row[key]}" for key in ("run", "what", "srocc", "plcc", "ci")))
    is_new = not RESULTS.exists()
    with RESULTS.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def collect(args: argparse.Namespace, rows: Sequence[splits.Rated]) -> np.ndarray:
    """Features of every photo, from the cache where there is one."""
    if args.cache and args.cache.exists():
        with np.load(args.cache, allow_pickle=False) as file:
            return file["features"]
    paths = [args.data / row.path for row in rows]
    if args.brisque:
        stream = brisque_features(paths)
    elif args.model:
        stream = encoder_features(checkpoint.load(args.model)[0], paths, pick_device(args.device))
    else:
        torch.manual_seed(0)
        untrained = Contrique(args.arch, STAGES).eval()
        stream = encoder_features(untrained, paths, pick_device(args.device))
    values = np.stack(list(stream))
    if args.cache:
        np.savez(args.cache, features=values)
    return values


def main() -> None:
    """Fit, judge and record one baseline."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of biq2021.csv")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--brisque", action="store_true", help="classical statistics")
    kind.add_argument("--arch", help="an untrained network, seed 0")
    kind.add_argument("--model", type=Path, help="an encoder's file")
    parser.add_argument("--run", help="name in the results table")
    parser.add_argument("--cache", type=Path, help=".npz that keeps the features")
    parser.add_argument("--device", help="cpu, cuda ...")
    parser.add_argument("--hardware", default="2-core CPU", help="for the results table")
    parser.add_argument("--note", default="", help="for the results table")
    args = parser.parse_args()

    rows = splits.read(args.data)
    values = collect(args, rows)
    parts = splits.parts(rows)
    if args.brisque:  # columns of unlike scales; an encoder's are alike and stay as they are
        inside = values[parts[0]]
        values = (values - inside.mean(axis=0)) / inside.std(axis=0)
    train, test = (gathered([rows[index] for index in part], values[part]) for part in parts)
    name = args.run or ("brisque" if args.brisque else f"{args.arch or args.model.stem}")
    untrained = f"untrained {args.arch} + ridge" if args.arch else f"{name} + ridge"
    what = "BRISQUE statistics + ridge" if args.brisque else untrained
    record(name, what, judge_ridge(train, test), args.hardware, args.note)
    if args.brisque:
        what = "BRISQUE statistics + SVR"
        record(name, what, judge_svr(train, test), args.hardware, args.note)


if __name__ == "__main__":
    main()
