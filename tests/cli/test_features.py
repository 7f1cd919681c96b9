"""The command features."""

from __future__ import annotations

import numpy as np
import pytest

TINY = ("--model", "tiny", "--device", "cpu")


@pytest.mark.usefixtures("tiny_regressor")
def test_features_are_written_and_failures_named(contrique, photos, tmp_path):
    (photos / "bad.jpg").write_bytes(b"")
    done = contrique("features", photos, "-o", tmp_path / "f.npz", *TINY)
    assert done.status == 3
    assert "bad.jpg: the file is empty" in done.err
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["features"].shape == (3, 32)
    assert contrique("features", photos, "-o", tmp_path / "f.txt", *TINY).status == 2
    assert contrique("features", photos / "bad.jpg", "-o", tmp_path / "g.npz", *TINY).status == 1
    assert not (tmp_path / "g.npz").exists()
