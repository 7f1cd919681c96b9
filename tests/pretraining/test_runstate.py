"""Checkpoints: whole or not at all, verified, the last two kept, in parts if wanted."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from contrique_cli.errors import CannotWrite
from contrique_cli.pretraining import runstate
from contrique_cli.pretraining.runstate import RunState
from tests.conftest import without_privileges


def state(step, n=100):
    torch.manual_seed(step)
    tensors = {"model.a": torch.randn(n), "model.n": torch.tensor(step)}
    return RunState(
        step=step,
        photos="abc",
        scale=1.0,
        micro_batch=0,
        seconds=1.5,
        is_complete=False,
        tensors=tensors,
    )


def same(first, second):
    facts = ("step", "photos", "scale", "micro_batch", "seconds", "is_complete")
    return (
        all(getattr(first, name) == getattr(second, name) for name in facts)
        and first.tensors.keys() == second.tensors.keys()
        and all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)
    )


@pytest.mark.parametrize("part_size", [0, 100, 10**6])
def test_a_checkpoint_comes_back_whole_or_in_parts(tmp_path, part_size):
    path = runstate.save(tmp_path, state(3), part_size=part_size)
    sizes = [file.stat().st_size for file in path.iterdir() if file.name != "state.json"]
    assert len(sizes) == (6 if part_size == 100 else 1)
    assert part_size == 0 or max(sizes) <= part_size
    assert same(runstate.load_last(tmp_path, []), state(3))


def test_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 3, 10):
        runstate.save(tmp_path, state(step))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000003", "step-00000010"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "tensors.001").unlink(),
        lambda path: (path / "tensors.001").write_bytes(b"x" * 100),
        lambda path: (path / "tensors.000").write_bytes((path / "tensors.000").read_bytes()[:50]),
        lambda path: (path / "state.json").write_text("{"),
        lambda path: (path / "state.json").write_text("[]"),
        lambda path: (path / "state.json").unlink(),
    ],
)
def test_a_damaged_one_is_named_and_the_one_before_is_used(tmp_path, damage):
    runstate.save(tmp_path, state(1))
    damage(runstate.save(tmp_path, state(2), part_size=100))
    damaged = []
    found = runstate.load_last(tmp_path, damaged)
    assert same(found, state(1))
    assert len(damaged) == 1
    assert "step-00000002 is damaged" in damaged[0]


def test_what_only_looks_like_a_later_checkpoint_costs_no_real_one(tmp_path):
    for name in ("step-99999998", "step-99999999", "step-x"):
        (tmp_path / name).mkdir()
    for step in (1, 2, 3):
        runstate.save(tmp_path, state(step))
    damaged = []
    assert same(runstate.load_last(tmp_path, damaged), state(3))
    assert len(damaged) == 2
    assert same(runstate.load_last(tmp_path, damaged), state(3))
    assert not (tmp_path / "step-00000001").exists()


def test_a_state_names_no_files_elsewhere(tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    path = runstate.save(tmp_path / "run", state(1))
    content = json.loads((path / "state.json").read_text())
    content["files"]["../../secret"] = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    (path / "state.json").write_text(json.dumps(content))
    damaged = []
    assert runstate.load_last(tmp_path / "run", damaged) is None
    assert "no file of a checkpoint" in damaged[0]


def test_where_there_is_none_nothing_is_found(tmp_path):
    assert runstate.load_last(tmp_path / "nowhere", []) is None


def test_a_draft_left_by_a_kill_is_no_checkpoint_and_is_replaced(tmp_path):
    (tmp_path / ".step-00000002.part").mkdir()
    (tmp_path / ".step-00000002.part" / "tensors.safetensors").write_bytes(b"half")
    assert runstate.load_last(tmp_path, []) is None
    runstate.save(tmp_path, state(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    runstate.save(tmp_path, state(1))

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runstate, "_write", full)
    with pytest.raises(CannotWrite, match="no space left"):
        runstate.save(tmp_path, state(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_folder_that_may_not_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "run").mkdir(mode=0o555)
    with without_privileges(tmp_path), pytest.raises(CannotWrite, match="permission denied"):
        runstate.save(tmp_path / "run" / "checkpoints", state(1))
