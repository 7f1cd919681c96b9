"""Which model is meant: bundled, the user's own by name, or a file; and which belong together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contrique_cli.encoder import checkpoint
from contrique_cli.errors import UnknownModel
from contrique_cli.models import locating


def test_a_missing_file_and_an_unknown_name_are_told_apart(tmp_path):
    with pytest.raises(UnknownModel, match="no such file"):
        locating.locate(checkpoint.KIND, str(tmp_path / "gone.safetensors"))
    with pytest.raises(UnknownModel, match="no encoder is called 'nope'; there is: default"):
        locating.locate(checkpoint.KIND, "nope")


def test_a_name_becomes_a_file_in_the_users_folder_and_a_path_stays_one(home):
    assert locating.destination("regressor", "mine") == home / "regressors" / "mine.safetensors"
    assert locating.destination("regressor", "./x/mine.safetensors") == Path("x/mine.safetensors")
    with pytest.raises(UnknownModel, match="bundled"):
        locating.destination("regressor", "default")


def test_the_users_model_never_hides_a_bundled_one(tiny_regressor, home):
    shutil.copy(home / "encoders" / "tiny.safetensors", home / "encoders" / "default.safetensors")
    assert locating.load_encoder()[1].arch != "tiny"
