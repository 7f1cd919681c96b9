"""The scene-separated split of BIQ2021, fixed before any tuning and never tuned on.

    python training/splits.py ../shared/data --output splits/

writes train.csv and test.csv with the columns path, mos and group; paths are relative to the data
folder. Neighbouring numbers often show one scene, so runs of 20 numbers stay together: a file
number n (ss01_1000.jpg: 1000) belongs to group n // 20 of its subset, and every fifth group of
each subset is held out: 582 of the 2,700 photos, 122 of the 599 groups.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

RUN = 20
"""Neighbouring file numbers that stay together."""

HELD_OUT = 5
"""One group of so many is held out."""

ON_PURPOSE, WEIGHT = "ss02_", 0.9
"""How much a photo with flaws made on purpose counts in a fit. Opinions on them hardly follow what
the features show; as one of many a ridge learns to tell the three sources apart, which costs order
inside the others and on cameras not seen (training/README.md)."""

WELL_RATED = 5
"""One of so many photos counts as well rated."""

NAME = "biq2021 by runs of 20, every fifth held out"
"""What results tables call this split."""


class Rated(NamedTuple):
    """One photo of BIQ2021: its path below the data folder, opinion and group."""

    path: str
    mos: float
    group: str
    is_held_out: bool


def read(data: Path) -> list[Rated]:
    """Every photo of biq2021.csv, in the order of the table."""
    with (data / "biq2021.csv").open(encoding="utf-8", newline="") as file:
        return [_rated(row) for row in csv.DictReader(file)]


def parts(rows: list[Rated]) -> tuple[list[int], list[int]]:
    """Numbers of the rows to fit on, and of those held out."""
    training = [index for index, row in enumerate(rows) if not row.is_held_out]
    held_out = [index for index, row in enumerate(rows) if row.is_held_out]
    return training, held_out


def weights(rows: list[Rated]) -> np.ndarray:
    """How much each photo counts in a fit, shape (N,)."""
    return np.array([WEIGHT if row.group.startswith(ON_PURPOSE) else 1.0 for row in rows])


def best(rows: list[Rated]) -> list[Rated]:
    """The fifth of the photos that people rate best."""
    return sorted(rows, key=lambda row: -row.mos)[: len(rows) // WELL_RATED]


def _rated(row: dict[str, str]) -> Rated:
    subset, number = Path(row["path"]).stem.split("_")
    run = int(number) // RUN
    return Rated(row["path"], float(row["mos"]), f"{subset}_{run}", run % HELD_OUT == 0)


def write(path: Path, rows: list[Rated]) -> None:
    """A table that `contrique fit-regressor` and `contrique evaluate` take."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "mos", "group"])
        writer.writerows((row.path, row.mos, row.group) for row in rows)


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of biq2021.csv")
    parser.add_argument("--output", type=Path, required=True, help="folder of the two tables")
    args = parser.parse_args()
    rows = read(args.data)
    args.output.mkdir(parents=True, exist_ok=True)
    for name, indices in zip(("train", "test"), parts(rows), strict=True):
        part = [rows[index] for index in indices]
        write(args.output / f"{name}.csv", part)
        print(f"{name}.csv: {len(part)} photos, {len({row.group for row in part})} groups")


if __name__ == "__main__":
    main()
