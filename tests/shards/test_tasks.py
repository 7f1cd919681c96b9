"""Tasks turn shards into tables of bytes, with a mark of each end, and load no PyTorch for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from contrique_cli.shards import tasks
from contrique_cli.shards.listing import TAR, Shard
from tests.conftest import ROOT
from tests.shards.samples import write_tar

pa = pytest.importorskip("pyarrow")


def test_a_shard_becomes_tables_of_bytes_with_a_mark_of_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "BLOCK", 5)
    path = write_tar(tmp_path / "a.tar", {"1.jpg": b"one", "2.jpg": b"two", "3.jpg": b"three"})
    shard = Shard(source=str(path), name="a", kind=TAR)
    batch = pa.Table.from_pylist([{"number": 7, **vars(shard)}])
    tables = [table.to_pylist() for table in tasks.read_batch(batch, None)]
    assert [len(table) for table in tables] == [2, 1, 1]
    *photos, mark = [record for table in tables for record in table]
    assert [(photo["index"], photo["key"], photo["data"]) for photo in photos] == [
        *((0, "1", b"one"), (1, "2", b"two"), (2, "3", b"three"))
    ]
    assert (mark["index"], mark["total"], mark["problem"]) == (tasks.MARK, 3, None)
    assert json.loads(mark["left_out"]) == {"not a picture": 3}
    assert {record["number"] for table in tables for record in table} == {7}


def test_a_task_loads_no_pytorch():
    code = "import sys, contrique_cli.shards.tasks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"False"
