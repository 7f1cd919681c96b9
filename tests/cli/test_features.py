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


@pytest.mark.usefixtures("tiny_regressor")
def test_what_was_not_read_or_left_out_is_named(contrique, photos, tmp_path):
    (photos / "notes.txt").write_text("")
    (photos / "bad.jpg").write_bytes(b"")
    done = contrique("features", photos, "-o", tmp_path / "f.npz", *TINY)
    assert (done.status, "3 of 4 photos" in done.err) == (3, True)
    assert f"not read: {photos / 'bad.jpg'}: the file is empty" in done.err
    assert "left out: 1 .txt" in done.err
    none = contrique("features", photos / "bad.jpg", "-o", tmp_path / "g.npz", *TINY)
    assert none.status == 1
    assert f"of 1 photo none could be read, such as {photos / 'bad.jpg'}: the" in none.err
    (photos / "notes").mkdir()
    (photos / "notes" / "a.txt").write_text("")
    none = contrique("features", photos / "notes", "-o", tmp_path / "g.npz", *TINY)
    assert (none.status, "no photo found (left out: 1 .txt)" in none.err) == (1, True)
    assert not (tmp_path / "g.npz").exists()
