"""The speed of training: what the benchmark prints last."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_the_benchmark_of_speed_ends_in_a_line_of_json():
    command = ["training/benchmark_train.py", "--arch", "tiny", "--image-size", "32", "--workers"]
    done = subprocess.run(
        [sys.executable, *command, "1", "--steps", "1", "--rounds", "1", "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert json.loads(done.stdout.splitlines()[-1])["ours_to_pure"] > 0
