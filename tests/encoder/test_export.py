"""Features on disk: they load elsewhere, without pickle, with the photos they belong to."""

from __future__ import annotations

import builtins
import dataclasses
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from contrique_cli.encoder import export
from contrique_cli.encoder.seen import Features
from contrique_cli.errors import BadOption, CannotWrite, MissingExtra, Unreadable

ODD = "\udcff\n=.jpg"


@pytest.fixture
def photos() -> list[Features]:
    rng = np.random.default_rng(0)
    return [
        Features(path=Path(name), width=40, height=30, values=rng.random(8, dtype=np.float32))
        for name in ("a.jpg", ODD)
    ]


FAILED = [Unreadable(Path("bad.jpg"), "the file is empty")]


def save(path: Path, photos: list[Features]) -> None:
    with export.spooled(path) as spool:
        for one in [*photos, *FAILED]:
            spool.add(one)
        spool.save(encoder="e" * 64, max_side=512)


def test_npz_loads_without_pickle(photos, tmp_path):
    save(tmp_path / "f.npz", photos)
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
    save(tmp_path / "f.parquet", photos)
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


@pytest.mark.parametrize("suffix", export.SUFFIXES)
def test_memory_does_not_grow_with_the_number_of_photos(tmp_path, monkeypatch, suffix):
    """All features together once stood in memory, twice."""
    monkeypatch.setattr(export, "BLOCK", 64)
    values = np.arange(4096, dtype=np.float32)
    with export.spooled(tmp_path / f"f{suffix}") as spool:
        tracemalloc.start()
        for number in range(2000):
            spool.add(Features(path=Path(f"{number}.jpg"), width=1, height=1, values=values))
        spool.save(encoder="e" * 64, max_side=512)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / f"f{suffix}").stat().st_size > 1000
    assert peak < values.nbytes * 2000 / 4  # of 33 MB


@pytest.mark.parametrize("suffix", export.SUFFIXES)
def test_rows_stay_in_order_over_several_blocks(photos, tmp_path, monkeypatch, suffix):
    pd = pytest.importorskip("pandas")
    monkeypatch.setattr(export, "BLOCK", 3)
    many = [dataclasses.replace(photos[0], path=Path(f"{n}.jpg"), width=n + 1) for n in range(8)]
    path = tmp_path / f"f{suffix}"
    save(path, many)
    table = np.load(path) if suffix == ".npz" else pd.read_parquet(path)
    assert list(table["path"]) == [f"{n}.jpg" for n in range(8)]
    assert list(table["width"]) == list(range(1, 9))
    np.testing.assert_array_equal(np.stack(table["features"]), [one.values for one in many])


def test_a_folder_that_is_not_there_is_known_before_the_work(tmp_path):
    with (
        pytest.raises(CannotWrite, match="no such file"),
        export.spooled(tmp_path / "no" / "f.npz"),
    ):
        pass
