"""Paths to rows: the same whatever comes with a photo."""

from __future__ import annotations

import csv
import io

import pytest

from tests.conftest import make_photo

pytestmark = pytest.mark.usefixtures("tiny_regressor")


TINY = ("--regressor", "tiny", "--device", "cpu")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_scores_do_not_depend_on_batch_order_workers_or_neighbours(contrique, tmp_path):
    for seed in range(6):
        size = (40, 60) if seed % 2 else (90, 50)
        make_photo(seed, *size).save(tmp_path / f"{seed}.png")
    paths = sorted(tmp_path.glob("*.png"))

    def scores(*args: object) -> dict[str, float]:
        found = rows(contrique("score", *args, *TINY).out)
        return {row["path"]: float(row["score"]) for row in found}

    alone = {path: score for one in paths for path, score in scores(one).items()}
    for args in (paths, paths[::-1], [*paths, "--workers", 5]):
        together = scores(*args)
        assert together.keys() == alone.keys()
        assert max(abs(together[path] - alone[path]) for path in alone) <= 0.01
