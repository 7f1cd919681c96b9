"""Make the bundled model: export an encoder, fit its regressor, measure it, put both in place.

    python training/bundle.py RUN/encoder.safetensors ../shared/data --run NAME \
        --told "resnet18, 70 minutes on two CPU cores"

The regressor that ships is fitted on the training part of `splits.py` alone and is the very one
that is measured on the held-out fifth, so the figures are those of what people use. The one that
`--fast` takes is the same at a smaller working size.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import checkpoint, config, evaluate, fit, regressor
from contrique_cli.config import Opinions
from contrique_cli.model import pick_device
from contrique_cli.weights import DEFAULT, FAST, Scorer
from training import baselines, splits

BUNDLED = Path(__file__).parent.parent / "contrique_cli" / "bundled"
ENCODER = BUNDLED / "encoders" / f"{DEFAULT}.safetensors"
REGRESSOR = BUNDLED / "regressors" / f"{DEFAULT}.safetensors"
FAST_REGRESSOR = BUNDLED / "regressors" / f"{FAST}.safetensors"
LICENCE = "Apache-2.0; trained on photos under mixed licences, none of which are included"


def export(source: Path, told: str, run: str) -> None:
    """Write the encoder in half precision, without projector, with its story."""
    model, info = checkpoint.load(source)
    provenance = {
        "run": run,
        "training": told,
        "photos": "pristine and authentic photos of ../shared/data without every fifth pristine "
        "one, BIQ2021's training part without its scores",
        "licence": LICENCE,
        "trained_with": info.provenance.get("contrique", ""),
    }
    ENCODER.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(ENCODER, model, provenance=provenance, half=True, projector=False)


def table(rows: list[splits.Rated], folder: Path, name: str) -> Path:
    """One part of the split as the commands take it."""
    splits.write(folder / name, rows)
    return folder / name


def main() -> None:
    """Export, fit, measure, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoder", type=Path, help="what `contrique train` made")
    parser.add_argument("data", type=Path, help="folder of biq2021.csv")
    parser.add_argument("--run", required=True, help="name in the results table")
    parser.add_argument("--told", required=True, help="how it was trained, in a few words")
    parser.add_argument("--max-side", type=int, default=config.MAX_SIDE)
    parser.add_argument("--device")
    args = parser.parse_args()

    device = pick_device(args.device)
    export(args.encoder, args.told, args.run)
    model, info = checkpoint.load(ENCODER)
    rows = splits.read(args.data)
    with tempfile.TemporaryDirectory() as folder:
        train, test = (
            Opinions(
                table=table([row for row in rows if row.is_held_out == part], Path(folder), name),
                photos=args.data,
                group_column="group",
            )
            for part, name in ((False, "train.csv"), (True, "test.csv"))
        )
        report, found = fit.fit(train, model, info, device=device, max_side=args.max_side)
        scorer = Scorer(model=model, info=info, regressor=found, regressor_path=REGRESSOR)
        held_out = evaluate.evaluate(test, scorer, device=device).figures
    print(f"inside the training part: {report.figures}")
    figures = {
        "data": f"BIQ2021, held-out fifth by scene ({splits.NAME}), never fitted or tuned on",
        **{
            name: [round(value, 4) for value in held_out[name] if value is not None]
            for name in held_out
        },
        "spread": f"{config.CONFIDENCE} % bootstrap interval by scene",
        "n": sum(row.is_held_out for row in rows),
        "fitted_on": report.n,
    }
    provenance = {**found.provenance, "licence": LICENCE, "run": args.run}
    REGRESSOR.parent.mkdir(parents=True, exist_ok=True)
    made = dataclasses.replace(found, figures=figures, provenance=provenance)
    regressor.save(REGRESSOR, made)
    # BIQ2021's photos are 512 x 512: neither size reduces them, so one fit serves both.
    regressor.save(FAST_REGRESSOR, dataclasses.replace(made, max_side=config.FAST_SIDE))
    baselines.record(args.run, f"{info.arch} + ridge", dict(held_out), args.told, "bundled form")


if __name__ == "__main__":
    main()
