"""The bundled model: what it must hold whatever its weights."""

from __future__ import annotations

import csv
import io
import json

import torch

from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.work import Work
from contrique_cli.models import regressor
from contrique_cli.scoring import pipeline as scoring_pipeline
from contrique_cli.scoring import score
from tests.conftest import make_photo

CPU = torch.device("cpu")


def scores(text: str) -> dict[str, float]:
    return {row["path"]: float(row["score"]) for row in csv.DictReader(io.StringIO(text))}


def test_its_scores_do_not_depend_on_batch_order_workers_or_neighbours(contrique, tmp_path):
    for seed in range(5):
        size = (200, 150) if seed % 2 else (150, 220)
        make_photo(seed, *size).save(tmp_path / f"{seed}.png")
    paths = sorted(tmp_path.glob("*.png"))
    cpu = ("--device", "cpu")
    alone = {}
    for path in paths:
        alone |= scores(contrique("score", path, *cpu).out)
    for args in ([*paths[::-1]], [*paths, "--workers", 4]):
        together = scores(contrique("score", *args, *cpu).out)
        assert together.keys() == alone.keys()
        assert max(abs(together[path] - alone[path]) for path in alone) <= 0.01


def test_it_says_what_it_is_and_how_good():
    pipeline = scoring_pipeline.load_pipeline()
    assert pipeline.info.provenance["training"]
    assert pipeline.info.provenance["licence"].startswith("Apache-2.0")
    assert {"data", "srocc", "plcc", "n", "spread"} <= pipeline.regressor.figures.keys()
    assert pipeline.regressor.task == regressor.NO_REFERENCE
    assert pipeline.regressor.max_side == 768


def test_the_cache_does_not_move_its_scores_by_a_single_bit(tmp_path):
    pipeline = scoring_pipeline.load_pipeline()
    for seed in range(5):
        make_photo(seed, 150 + 20 * seed, 160).save(tmp_path / f"{seed}.png")
    paths = sorted(tmp_path.glob("*.png"))
    with FeatureCache(tmp_path / "features.sqlite") as cache:
        runs = [
            [
                row.score
                for row in score.score(
                    paths, pipeline, pipeline.sized(Work(device=CPU)), cache=used
                )
            ]
            for used in (None, cache, cache)
        ]
    assert runs[0] == runs[1] == runs[2]


def test_its_scale_spans_zero_to_hundred():
    found = scoring_pipeline.load_pipeline().regressor
    assert (found.scores[0], found.scores[-1]) == (0, 100)


def test_a_json_report_names_the_model(contrique, photos):
    document = json.loads(contrique("score", photos, "--format", "json").out)
    pipeline = scoring_pipeline.load_pipeline()
    assert document["encoder"] == pipeline.info.fingerprint
    assert document["max_side"] == 768
