"""Tasks and actors, called without a cluster."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest

from contrique_cli.encoder.work import Work
from contrique_cli.errors import ClusterError
from contrique_cli.shards import actors, cluster, listing, tasks
from contrique_cli.shards.actors import Share
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.results import Folder
from tests.shards.samples import (
    photos,
    rows_of,
    write_all,
)

pa = pytest.importorskip("pyarrow")


def judging_by(model, about) -> actors.Judging:
    return actors.Judging(
        model=model["model"],
        regressor=model["regressor"],
        work=Work(device=model["device"]),
        about=about,
    )


def test_the_tasks_and_actors_give_the_rows_of_one_machine(contrique, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "BLOCK", 20_000)
    write_all(tmp_path / "in", photos(30))
    whole = (tmp_path / "in/tar/0.tar").read_bytes()
    (tmp_path / "in/tar/0.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/z.parquet").write_bytes(pa_bytes())
    names = [f"--{name}={value}" for name, value in model.items()]
    done = contrique("score", "in", "--output", "here/", "--keep-columns", "*", *names)
    assert done.status == 3
    from contrique_cli.scoring.pipeline import load_pipeline
    from contrique_cli.shards import facts

    about = facts.of(load_pipeline(model["model"], model["regressor"]))
    judging = judging_by(model, about)
    left_out: Counter[str] = Counter()
    shards = listing.find(["in"], left_out)
    actor = actors.Actor(judging, Share(cpus=1, gpus=0, part=1.0, actors=1))
    blocks = [
        actor(table).to_pylist()
        for number, shard in enumerate(shards)
        for table in tasks.read_batch(
            pa.Table.from_pylist([{"number": number, **vars(shard)}]), None
        )
    ]
    assert len(blocks) > len(shards)
    blocks = [*blocks[::-1], *blocks]  # in any order, and from tasks that ran twice
    unreached: list = []
    gathered = cluster._gather(
        iter(blocks),
        shards,
        Folder(place="there", format="parquet", about=about),
        columns=Columns(keep=("*",)),
        left_out=left_out,
        unreached=unreached,
    )
    scored = list(gathered)
    assert rows_of(Path("there")) == rows_of(Path("here"))
    assert len(scored) == len(rows_of(Path("here")))
    assert [f"  no result: {problem}" for problem in unreached] == [
        line for line in done.err.splitlines() if "no result:" in line
    ]


def pa_bytes() -> bytes:
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table({"no_pictures": [1]}), file)
    return file.getvalue()


def test_an_actor_with_another_model_refuses(model):
    judging = judging_by(model, {"encoder": "another"})
    with pytest.raises(ClusterError, match="has another model"):
        actors.Actor(judging, Share(cpus=1, gpus=0, part=1.0, actors=1))
