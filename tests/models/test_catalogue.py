"""What is imported is listed, bound to its encoder and usable; what is damaged is still listed."""

from __future__ import annotations

import os

import pytest
import torch

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.models import catalogue, importing, locating, regressor
from tests.official_files import flipped, tiny_ridge, write


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    """No test reads or writes the home folder or what came with the package."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(locating, "_BUNDLED", tmp_path / "bundled")
    return tmp_path / "home" / "contrique"


@pytest.fixture
def tiny(tmp_path):
    """A sound encoder of ours outside the data folder."""
    torch.manual_seed(0)
    path = tmp_path / "tiny one.safetensors"
    checkpoint.save(path, Contrique("tiny").eval(), provenance={"licence": "Apache-2.0"})
    return path


def names(rows):
    return [(row.kind, row.name) for row in rows]


# ------------------------------------------------------------------------------ listing


def test_a_fresh_machine_has_no_models_of_the_users_own():
    assert catalogue.list_installed() == []


def test_the_list_says_what_each_model_is(tmp_path, tiny):
    importing.import_file(tiny, name="mine")
    importing.import_file(tiny_ridge(tmp_path / "LIVE_FR.save"), model="mine")
    encoder_row, regressor_row = catalogue.list_installed()
    assert (encoder_row.arch, encoder_row.provenance["licence"]) == ("tiny", "Apache-2.0")
    assert encoder_row.fingerprint == checkpoint.read_info(tiny).fingerprint[:12]
    assert regressor_row.fingerprint == encoder_row.fingerprint
    assert regressor_row.encoder == "mine"
    assert regressor_row.task == regressor.FULL_REFERENCE
    assert regressor_row.max_side == 0
    assert regressor_row.provenance["licence"].startswith("none")
    assert regressor_row.provenance["source"] == "LIVE_FR.save"
    assert {row.problem for row in (encoder_row, regressor_row)} == {None}


def test_a_regressor_whose_encoder_is_gone_is_listed_without_one(tmp_path, tiny):
    importing.import_file(tiny_ridge(tmp_path / "LIVE.save"), model=str(tiny))
    (row,) = catalogue.list_installed()
    assert (row.name, row.encoder, row.problem) == ("live", None, None)


def test_damaged_files_are_rows_with_their_problem(tiny, data_home):
    good = importing.import_file(tiny, name="good").path
    encoders, regressors = good.parent, data_home / "regressors"
    regressors.mkdir()
    sound = good.read_bytes()
    write(encoders / "empty.safetensors", b"")
    write(encoders / "flipped.safetensors", flipped(good))
    write(encoders / "half.safetensors", sound[: len(sound) // 2])
    write(encoders / "odd.safetensors", sound.replace(b'"format":"1"', b'"format":"NaN"'))
    write(regressors / "text.safetensors", b"hello")
    write(regressors / "wrong.safetensors", sound)
    (encoders / "folder.safetensors").mkdir()
    os.mkfifo(encoders / "pipe.safetensors")
    (encoders / "nowhere.safetensors").symlink_to("nothing")
    rows = catalogue.list_installed()
    assert names(rows) == [
        *((checkpoint.KIND, name) for name in ("empty", "flipped", "folder", "good", "half")),
        *((checkpoint.KIND, name) for name in ("nowhere", "odd", "pipe")),
        *((regressor.KIND, name) for name in ("text", "wrong")),
    ]
    assert [row.name for row in rows if row.problem is None] == ["good"]
    assert all(row.problem for row in rows if row.name != "good")
