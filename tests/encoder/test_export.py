"""Features on disk: they load elsewhere, without pickle, with the photos they belong to."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import numpy as np
import pytest

from contrique_cli.encoder import export
from contrique_cli.encoder.features import Features
from contrique_cli.errors import BadOption, MissingExtra, Unreadable

ODD = "\udcff\n=.jpg"


@pytest.fixture
def photos() -> list[Features]:
    rng = np.random.default_rng(0)
    return [
        Features(path=Path(name), width=40, height=30, values=rng.random(8, dtype=np.float32))
        for name in ("a.jpg", ODD)
    ]


FAILED = [Unreadable(Path("bad.jpg"), "the file is empty")]


def test_npz_loads_without_pickle(photos, tmp_path):
    export.save(tmp_path / "f.npz", photos, FAILED, encoder="e" * 64, max_side=512)
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["path"].tolist() == ["a.jpg", ODD]
        np.testing.assert_array_equal(file["features"], [photo.values for photo in photos])
        assert file["features"].dtype == np.float32
        assert file["width"].tolist() == [40, 40]
        assert file["failed_path"].tolist() == ["bad.jpg"]
        assert file["failed_reason"].tolist() == ["the file is empty"]
        assert str(file["encoder"]) == "e" * 64
        assert int(file["max_side"]) == 512


def test_parquet_reads_in_pandas(photos, tmp_path):
    pd = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    export.save(tmp_path / "f.parquet", photos, FAILED, encoder="e" * 64, max_side=512)
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert table["path"].tolist() == ["a.jpg", "\\udcff\n=.jpg"]
    np.testing.assert_array_equal(np.stack(table["features"]), [one.values for one in photos])
    facts = json.loads(parquet.read_schema(tmp_path / "f.parquet").metadata[b"contrique"])
    assert facts["encoder"] == "e" * 64
    assert facts["failed"] == {"bad.jpg": "the file is empty"}


def test_another_suffix_is_refused_before_the_work():
    with pytest.raises(BadOption, match=r"\.npz or \.parquet"):
        export.check_suffix(Path("f.csv"))


def test_parquet_without_pyarrow_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'contrique\[parquet\]'"):
        export.check_suffix(Path("f.parquet"))
