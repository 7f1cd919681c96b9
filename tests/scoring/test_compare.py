"""Comparing photos with their originals: rows like those of a report."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from contrique_cli.encoder import checkpoint, pairs
from contrique_cli.encoder.work import Work
from contrique_cli.errors import RegressorMismatch
from contrique_cli.models.regressor import FULL_REFERENCE
from contrique_cli.scoring import compare
from contrique_cli.scoring.pipeline import Pipeline
from tests.conftest import blurred, make_photo

CPU = torch.device("cpu")


@pytest.fixture
def pipeline(tiny, tiny_regressor) -> Pipeline:
    falling = replace(
        tiny_regressor,
        task=FULL_REFERENCE,
        weights=-np.ones(2 * tiny.channels, np.float32),
        bias=0.5,
        knots=np.array([-3.0, 1.0]),
        max_side=0,
    )
    info = checkpoint.EncoderInfo(
        arch="tiny", pooling="last", preprocessing=1, fingerprint=falling.encoder, provenance={}
    )
    return Pipeline(
        load=lambda: tiny, info=info, regressor=falling, regressor_path=Path("fr.safetensors")
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    photo = make_photo(0, 96, 72)
    for number, radius in enumerate((0.0, 0.7, 1.5, 3.0)):
        photo.save(old / f"{number}.png")
        (blurred(photo, radius) if radius else photo).save(new / f"{number}.bmp")
    make_photo(0, 72, 96).save(new / "4.png")
    photo.save(old / "4.png")
    photo.save(new / "5.png")
    return old, new


def work(pipeline: Pipeline) -> Work:
    return pipeline.sized(Work(device=CPU))


def test_rows_come_in_order_with_errors_for_what_cannot_be_compared(folders, pipeline):
    old, new = folders
    rows = list(compare.compare(pairs.match(old, new, Counter()), pipeline, work(pipeline)))
    assert [row.path.name for row in rows] == ["0.bmp", "1.bmp", "2.bmp", "3.bmp", "4.png", "5.png"]
    assert [row.reference and row.reference.name for row in rows] == [
        *(f"{n}.png" for n in range(5)),
        None,
    ]
    scores = [row.score for row in rows[:4]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4
    assert (rows[1].width, rows[1].height, rows[1].error) == (96, 72, None)
    assert rows[4].error == (
        f"72x96, but its reference {old / '4.png'} has 96x72: "
        "only photos of one size can be compared"
    )
    assert rows[5].error == f"no photo of that name in {old}"
    assert rows[4].score is rows[4].raw is None


def test_identical_photos_score_the_intercept(folders, pipeline):
    matched = pairs.match(folders[0] / "0.png", folders[1] / "0.bmp", Counter())
    (row,) = compare.compare(matched, pipeline, work(pipeline))
    assert row.raw == pipeline.regressor.bias
    assert row.score == pipeline.regressor.to_score(np.array(row.raw))


def test_a_no_reference_regressor_is_refused_with_the_way_to_fit_one(
    folders, pipeline, tiny_regressor
):
    plain = replace(pipeline, regressor=tiny_regressor)
    with pytest.raises(
        RegressorMismatch, match=r"fit-regressor --mos scores\.csv --reference-column"
    ):
        compare.compare(pairs.match(*folders, Counter()), plain, work(plain))
