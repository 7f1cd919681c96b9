"""Results: whole or not there, in three formats, with what is needed to join and to trust them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contrique_cli.errors import CannotWrite
from contrique_cli.reports.rows import Row
from contrique_cli.shards import results
from contrique_cli.shards.listing import TAR, Shard
from contrique_cli.shards.picture import Picture
from contrique_cli.shards.results import Folder

pytest.importorskip("pyarrow")
SHARD = Shard(source="in/0.tar", name="deep/0", kind=TAR)


def add(result: results.Result, number: int) -> None:
    path = Path(f"{number}.jpg")
    row = Row(path=path, score=number + 0.12345, raw=0.123456789, width=4, height=3)
    result.add(Picture(member=str(path), key=str(number), photo=path), row)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_result_appears_when_it_is_whole_and_not_before(tmp_path, kind):
    folder = Folder(place=str(tmp_path), format=kind)
    with pytest.raises(RuntimeError), folder.written(SHARD, {}) as result:
        for number in range(results.ROWS_AT_ONCE + 1):  # so that some are written already
            add(result, number)
        assert folder.finished() == set()
        raise RuntimeError
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with folder.written(SHARD, {}) as result:
        add(result, 1)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"0.{kind}"]
    assert folder.finished() == {"deep/0"}


def test_rows_are_rounded_as_reports_are(tmp_path):
    folder = Folder(place=str(tmp_path), format="jsonl")
    with folder.written(SHARD, {}) as result:
        add(result, 7)
    row = json.loads((tmp_path / "deep/0.jsonl").read_text())
    assert list(row) == list(results.COLUMNS)
    assert (row["score"], row["raw"], row["key"]) == (7.12, 0.123457, "7")


def test_many_rows_are_written_in_order_a_few_at_a_time(tmp_path, monkeypatch):
    from pyarrow import parquet

    monkeypatch.setattr(results, "ROWS_AT_ONCE", 10)
    folder = Folder(place=str(tmp_path), format="parquet", about={"encoder": "abc"})
    with folder.written(SHARD, {}) as result:
        for number in range(25):
            add(result, number)
            assert len(result._rows) < 10
    found = parquet.ParquetFile(tmp_path / "deep/0.parquet")
    assert found.num_row_groups == 3
    assert found.read().column("key").to_pylist() == [str(number) for number in range(25)]


def test_the_first_run_says_which_model_it_is_and_a_newer_contrique_may_go_on(tmp_path):
    about = {"contrique": "1", "encoder": "abc"}
    Folder(place=str(tmp_path), format="csv", about=about).claim(set())
    Folder(place=str(tmp_path), format="csv", about=about | {"contrique": "2"}).claim(set())
    other = Folder(place=str(tmp_path), format="csv", about=about | {"encoder": "def"})
    with pytest.raises(CannotWrite, match="holds other results"):
        other.claim(set())
    (tmp_path / results.ABOUT).write_text("no JSON")
    with pytest.raises(CannotWrite, match="holds other results"):
        other.claim(set())
