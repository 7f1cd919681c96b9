"""Importing: official files become ours, and no file is lost."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadModelFile, BadOption, CannotWrite, RefusedPickle, UnknownModel
from contrique_cli.models import importing, locating, regressor
from contrique_cli.scoring import pipeline as scoring_pipeline
from tests import official_files as synthetic
from tests.official_files import flipped, tiny_ridge, write

D = 512
"""Channels of a resnet18, which stands for the official resnet50 here: a quarter of the bytes."""


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    """No test reads or writes the home folder or what came with the package."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(locating, "_BUNDLED", tmp_path / "bundled")
    return tmp_path / "home" / "contrique"


@pytest.fixture(scope="module")
def official_folder(tmp_path_factory):
    """A checkpoint and the six regressors, under their published names."""
    folder = tmp_path_factory.mktemp("official")
    torch.save(
        synthetic.official_state(synthetic.resnet("resnet18")),
        folder / "CONTRIQUE_checkpoint25.tar",
    )
    for seed, name in enumerate(["CLIVE", "Koniq", "LIVE", "CSIQ", "LIVE_FR", "CSIQ_FR"]):
        model = synthetic.ridge(2 * D, seed=seed, columns=seed % 2 == 1)
        write(folder / f"{name}.save", synthetic.ridge_pickle(model))
    return folder


@pytest.fixture(scope="module")
def imported(official_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))
        return importing.import_file(official_folder / "CONTRIQUE_checkpoint25.tar")


@pytest.fixture
def encoder(imported, data_home):
    """The imported checkpoint, in this test's data folder."""
    path = data_home / "encoders" / imported.path.name
    path.parent.mkdir(parents=True)
    os.link(imported.path, path)
    return replace(imported, path=path)


@pytest.fixture
def tiny(tmp_path):
    """A sound encoder of ours outside the data folder."""
    torch.manual_seed(0)
    path = tmp_path / "tiny one.safetensors"
    checkpoint.save(path, Contrique("tiny").eval(), provenance={"licence": "Apache-2.0"})
    return path


# ------------------------------------------------------------------------------ checkpoint


def test_the_checkpoint_becomes_the_encoder_official(official_folder, imported):
    assert imported.path.parts[-3:] == ("contrique", "encoders", "official.safetensors")
    model, info = checkpoint.load(imported.path)
    assert info.arch == "resnet18"
    assert info.provenance["source"] == "CONTRIQUE_checkpoint25.tar"
    assert len(info.provenance["source_sha256"]) == 64
    assert info.provenance["licence"].startswith("none")
    source = torch.load(official_folder / "CONTRIQUE_checkpoint25.tar", weights_only=True)
    assert torch.equal(model.encoder[0].weight, source["encoder.0.weight"])


def test_importing_the_same_checkpoint_again_gives_the_same_encoder(official_folder, encoder):
    before = checkpoint.read_info(encoder.path)
    again = importing.import_file(official_folder / "CONTRIQUE_checkpoint25.tar")
    assert again == encoder
    assert checkpoint.read_info(again.path) == before


def test_another_checkpoint_needs_another_name(tmp_path, encoder):
    path = tmp_path / "mine.tar"
    torch.save(synthetic.official_state(synthetic.resnet("resnet18", seed=1)), path)
    before = encoder.path.read_bytes()
    with pytest.raises(BadOption, match="give a new one with --name"):
        importing.import_file(path)
    assert encoder.path.read_bytes() == before


def test_a_checkpoint_has_no_direction(official_folder):
    with pytest.raises(BadOption, match="leave those options out"):
        importing.import_file(official_folder / "CONTRIQUE_checkpoint25.tar", lower_is_better=True)


# ------------------------------------------------------------------------------ regressors

OFFICIAL = [
    ("CLIVE", True, regressor.NO_REFERENCE, (0, 100)),
    ("Koniq", True, regressor.NO_REFERENCE, (0, 100)),
    ("LIVE", False, regressor.NO_REFERENCE, (0, 100)),
    ("CSIQ", False, regressor.NO_REFERENCE, (0, 1)),
    ("LIVE_FR", False, regressor.FULL_REFERENCE, (0, 100)),
    ("CSIQ_FR", False, regressor.FULL_REFERENCE, (0, 1)),
]


def test_the_six_official_regressors_know_what_they_predict(official_folder, encoder):
    for seed, (name, is_higher_better, task, (low, high)) in enumerate(OFFICIAL):
        one = importing.import_file(official_folder / f"{name}.save")
        assert one.name == name.lower()
        found = regressor.load(one.path)
        assert (found.higher_is_better, found.task) == (is_higher_better, task)
        assert found.max_side == 0
        assert found.encoder == checkpoint.read_info(encoder.path).fingerprint
        best, worst = (high, low) if is_higher_better else (low, high)
        np.testing.assert_array_equal(found.to_score(np.array([worst, best])), [0, 100])
        original = synthetic.ridge(2 * D, seed=seed, columns=seed % 2 == 1)
        x = np.random.default_rng(9).random((20, 2 * D), dtype=np.float32) / 20
        np.testing.assert_allclose(found.predict(x), original.predict(x).ravel(), atol=1e-4)
    assert "assumed" in regressor.load(encoder.path.parents[1] / "regressors" / "koniq.safetensors") \
        .provenance["scale_source"]  # fmt: skip


def test_an_official_pair_is_found_and_scores_together(official_folder, encoder):
    importing.import_file(official_folder / "CLIVE.save")
    pipeline = scoring_pipeline.load_pipeline(regressor_name="clive")
    assert pipeline.info.arch == "resnet18"
    assert scoring_pipeline.load_pipeline(model="official").regressor_path.stem == "clive"


def test_without_the_encoder_the_message_says_to_import_it(official_folder):
    with pytest.raises(UnknownModel, match=r"models import CONTRIQUE_checkpoint25\.tar"):
        importing.import_file(official_folder / "CLIVE.save")


def test_an_encoder_that_gives_other_features_is_refused(official_folder, tiny):
    with pytest.raises(BadModelFile, match=r"1024 weights, but its encoder \(tiny\) gives 32"):
        importing.import_file(official_folder / "CLIVE.save", model=str(tiny))


def test_a_regressor_of_another_name_needs_to_be_described(tmp_path, tiny):
    path = tiny_ridge(tmp_path / "My Own.save")
    with pytest.raises(BadOption, match=r"--lower-is-better or .*, --full-reference or .*--scale"):
        importing.import_file(path, model=str(tiny))
    with pytest.raises(BadOption, match=r"predicts: --scale LOWEST HIGHEST$"):
        importing.import_file(path, model=str(tiny), lower_is_better=True, full_reference=False)
    one = importing.import_file(
        path, model=str(tiny), lower_is_better=True, full_reference=False, scale=(1, 5)
    )
    found = regressor.load(one.path)
    assert one.name == "my-own"
    np.testing.assert_array_equal(found.to_score(np.array([6.0, 5, 3, 1])), [0, 0, 50, 100])


def test_options_go_before_what_a_name_says(tmp_path, tiny):
    path = tiny_ridge(tmp_path / "koniq.save")
    one = importing.import_file(path, model=str(tiny), scale=(1, 5), full_reference=True)
    found = regressor.load(one.path)
    assert found.task == regressor.FULL_REFERENCE
    np.testing.assert_array_equal(found.to_score(np.array([1, 3, 5])), [0, 50, 100])
    assert found.provenance["scale_source"] == "given when it was imported"
    importing.import_file(path, model=str(tiny))  # again, as it is by default
    assert regressor.load(one.path).knots.tolist() == [0, 100]


@pytest.mark.parametrize("scale", [(5, 1), (1, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_scale_must_rise(tmp_path, tiny, scale):
    with pytest.raises(BadOption, match="lowest opinion"):
        importing.import_file(tiny_ridge(tmp_path / "LIVE.save"), model=str(tiny), scale=scale)


def test_a_regressor_of_the_same_name_from_elsewhere_is_not_lost(tmp_path, tiny):
    first = importing.import_file(tiny_ridge(tmp_path / "LIVE.save"), model=str(tiny))
    before = first.path.read_bytes()
    second = tiny_ridge(tmp_path / "LIVE.save", seed=1)
    with pytest.raises(BadOption, match="'live' is the name of another regressor"):
        importing.import_file(second, model=str(tiny))
    assert first.path.read_bytes() == before


def test_a_hostile_regressor_leaves_nothing_behind(tmp_path, data_home):
    marker = tmp_path / "executed"
    path = write(
        tmp_path / "CLIVE.save",
        b"\x80\x03cposix\nsystem\n" + synthetic.text(f"touch {marker}") + b"\x85R.",
    )
    with pytest.raises(RefusedPickle, match=r"posix\.system"):
        importing.import_file(path)
    assert not marker.exists()
    assert not data_home.exists()


# ------------------------------------------------------------------------------ names, own files


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "x.safetensors", "a b", "-x"])
def test_a_name_stays_inside_the_data_folder(tmp_path, tiny, name):
    with pytest.raises(BadOption, match="--name"):
        importing.import_file(tiny_ridge(tmp_path / "LIVE.save"), model=str(tiny), name=name)


def test_the_name_of_a_bundled_model_cannot_be_had(tmp_path, tiny):
    bundled = tmp_path / "bundled" / "encoders"
    bundled.mkdir(parents=True)
    shutil.copy(tiny, bundled / "default.safetensors")
    with pytest.raises(UnknownModel, match="bundled"):
        importing.import_file(tiny, name="default")


def test_our_own_files_are_checked_and_copied(tiny, data_home):
    one = importing.import_file(tiny)
    assert one.path == data_home / "encoders" / "tiny-one.safetensors"
    assert one.path.read_bytes() == tiny.read_bytes()
    assert importing.import_file(tiny) == one
    locating.load_encoder("tiny-one")


def test_a_damaged_file_of_our_own_is_not_copied(tiny, data_home):
    with pytest.raises(BadModelFile, match="fingerprint"):
        importing.import_file(write(tiny, flipped(tiny)))
    assert not data_home.exists()


def test_importing_again_mends_a_damaged_file(tiny):
    one = importing.import_file(tiny)
    write(one.path, b"damage")
    importing.import_file(tiny)
    locating.load_encoder("tiny-one")


def test_a_data_folder_that_cannot_be_made_is_an_error_in_words(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(write(tmp_path / "file", b"")))
    with pytest.raises(CannotWrite, match="XDG_DATA_HOME"):
        importing.import_file(tiny)
