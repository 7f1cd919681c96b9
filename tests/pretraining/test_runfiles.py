"""The folder of a run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from contrique_cli.errors import BadRun, CannotWrite
from contrique_cli.pretraining.runfiles import RunFiles, read_config
from contrique_cli.pretraining.trainconfig import TrainConfig
from tests.conftest import ROOT


def test_the_configuration_comes_back_as_it_was_written(tmp_path):
    files = RunFiles(tmp_path / "deep" / "run")
    files.write_config(TrainConfig(authentic=("a",)).as_dict(), {"device": "cpu"})
    stored = read_config(files.folder)
    assert stored["config"] == TrainConfig(authentic=("a",)).as_dict()
    assert stored["device"] == "cpu"


def test_a_new_folder_holds_no_configuration(tmp_path):
    assert read_config(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"config": {"colour": 1}}', '{"format": 1}'])
def test_a_damaged_configuration_is_an_error_in_words(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadRun, match="damaged"):
        read_config(tmp_path)


def test_a_change_that_matters_is_refused_and_one_that_does_not_is_not(tmp_path):
    files = RunFiles(tmp_path)
    files.write_config(TrainConfig().as_dict(), {"resolved_precision": "bf16"})
    files.check_config(TrainConfig(seed=3).as_dict(), {})  # no step was done
    (files.checkpoints / "step-00000001").mkdir(parents=True)
    files.check_config(TrainConfig(workers=7).as_dict(), {"resolved_precision": "bf16"})
    with pytest.raises(BadRun, match="seed was 0, is now 3"):
        files.check_config(TrainConfig(seed=3).as_dict(), {"resolved_precision": "bf16"})
    with pytest.raises(BadRun, match="resolved_precision was 'bf16'"):
        files.check_config(TrainConfig().as_dict(), {"resolved_precision": "fp32"})


def test_a_configuration_without_settings_is_told_in_a_line_of_their_first(tmp_path):
    files = RunFiles(tmp_path)
    files.write_config({}, {})
    (files.checkpoints / "step-00000001").mkdir(parents=True)
    with pytest.raises(BadRun, match=r"anchor was None, is now 0.0; .* and [0-9]+ more; give"):
        files.check_config(TrainConfig().as_dict(), {})


def test_metrics_of_steps_to_be_done_again_are_forgotten(tmp_path):
    files = RunFiles(tmp_path)
    for step in range(1, 5):
        files.add_metrics({"step": step, "loss": 1.0 / step})
    with files.metrics.open("a") as file:
        file.write('{"step": 5, "lo')  # killed while writing
    files.forget_metrics_after(2)
    assert [row["step"] for row in files.read_metrics()] == [1, 2]


def test_metrics_that_cannot_be_written_are_an_error_in_words(tmp_path):
    with pytest.raises(CannotWrite, match="free space"):
        RunFiles(tmp_path / "gone").add_metrics({"step": 1})


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    files = RunFiles(tmp_path / "file" / "run")
    with pytest.raises(CannotWrite, match="cannot be made"), files.locked():
        pass


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path):
    first, second = RunFiles(tmp_path), RunFiles(tmp_path)
    with first.locked(), pytest.raises(CannotWrite, match="another process"), second.locked():
        pass
    with RunFiles(tmp_path).locked():
        pass


@pytest.mark.parametrize("target", ["precious", "missing"])
def test_a_lock_that_is_a_link_is_not_followed(tmp_path, target):
    (tmp_path / "precious").write_text("mine")
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").symlink_to(tmp_path / target)
    with pytest.raises(BadRun, match=r"\.lock is a link"), RunFiles(run).locked():
        pass
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_lock_that_is_no_file_is_refused(tmp_path, make):
    make(tmp_path / ".lock")
    with pytest.raises(BadRun, match=r"\.lock .* remove it"), RunFiles(tmp_path).locked():
        pass


def test_a_killed_process_leaves_no_claim(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from contrique_cli.pretraining.runfiles import RunFiles\n"
        "with RunFiles(Path(sys.argv[1])).locked():\n    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=False)
    assert done.returncode == -9
    with RunFiles(tmp_path).locked():
        pass
