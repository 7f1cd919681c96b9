"""An encoder and a regressor find each other, or say why not."""

from __future__ import annotations

import dataclasses

import pytest

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadModelFile, RegressorMismatch
from contrique_cli.models import regressor
from contrique_cli.scoring import pipeline as scoring_pipeline


def test_the_bundled_pair_loads_without_being_named():
    pipeline = scoring_pipeline.load_pipeline()
    assert pipeline.regressor.encoder == pipeline.info.fingerprint
    assert pipeline.regressor_path.parent.parent.name == "bundled"


def test_a_regressor_finds_its_encoder_and_an_encoder_its_regressor(tiny_regressor, home):
    by_regressor = scoring_pipeline.load_pipeline(regressor_name="tiny")
    by_model = scoring_pipeline.load_pipeline(model="tiny")
    assert by_regressor.info == by_model.info
    assert by_regressor.regressor_path == by_model.regressor_path
    path = home / "regressors" / "tiny.safetensors"
    assert scoring_pipeline.load_pipeline(regressor_name=str(path)).info == by_model.info


def test_a_pair_that_does_not_belong_together_is_refused(tiny_regressor):
    with pytest.raises(RegressorMismatch, match="was fitted on encoder"):
        scoring_pipeline.load_pipeline(model="default", regressor_name="tiny")


def test_an_encoder_without_a_regressor_says_how_to_fit_one(tmp_path):
    path = tmp_path / "lonely.safetensors"
    checkpoint.save(path, Contrique("tiny"), provenance={})
    with pytest.raises(RegressorMismatch, match=f"fit-regressor --mos scores.csv --model {path}"):
        scoring_pipeline.load_pipeline(model=str(path))
    with pytest.raises(RegressorMismatch, match="--reference-column"):
        scoring_pipeline.load_pipeline(model=str(path), task=regressor.FULL_REFERENCE)


def test_a_regressor_without_its_encoder_says_so(tiny_regressor, home):
    (home / "encoders" / "tiny.safetensors").unlink()
    with pytest.raises(RegressorMismatch, match="give its file as --model"):
        scoring_pipeline.load_pipeline(regressor_name="tiny")


def test_a_damaged_file_among_the_users_models_stops_nobody_else(tiny_regressor, home):
    (home / "regressors" / "a-broken.safetensors").write_bytes(b"x")
    (home / "encoders" / "a-broken.safetensors").write_bytes(b"x")
    assert scoring_pipeline.load_pipeline(model="tiny").info.arch == "tiny"
    assert scoring_pipeline.load_pipeline(regressor_name="tiny").info.arch == "tiny"


def test_weights_of_another_length_are_refused(tiny_regressor, home):
    short = dataclasses.replace(tiny_regressor, weights=tiny_regressor.weights[:-2])
    regressor.save(home / "regressors" / "short.safetensors", short)
    with pytest.raises(BadModelFile, match="does not fit its encoder"):
        scoring_pipeline.load_pipeline(regressor_name="short")


def test_the_regressor_called_fast_is_taken_by_its_name_only(tiny_regressor, home):
    smaller = dataclasses.replace(tiny_regressor, max_side=64)
    regressor.save(home / "regressors" / "fast.safetensors", smaller)
    assert scoring_pipeline.load_pipeline("tiny").regressor.max_side == 128
    sides = [
        scoring_pipeline.load_pipeline(None, name).regressor.max_side for name in (None, "fast")
    ]
    assert sides[1] < sides[0]


def test_of_several_regressors_of_an_encoder_none_is_taken_unasked(
    tiny_regressor, home, contrique, photos
):
    regressor.save(home / "regressors" / "second.safetensors", tiny_regressor)
    done = contrique("score", photos, "--model", "tiny", "--device", "cpu")
    assert done.status == 1
    assert "several no-reference regressors are installed for the encoder tiny" in done.err
    assert "second" in done.err
    named = contrique(
        "score", photos, "--model", "tiny", "--regressor", "second", "--device", "cpu"
    )
    assert named.status == 0
