"""How much at once: all cores, within half the memory."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.encoder import capacity

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Of 8 cores and 16 GB."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(capacity, "_memory", lambda: 16e9)


def test_a_cpu_gives_each_core_a_photo():
    load = capacity.choose(CPU, max_side=1024)
    assert (load.workers, load.cores, load.batch_size) == (8, 1, None)


def test_a_single_photo_gets_every_core():
    load = capacity.choose(CPU, max_side=1024, photos=1)
    assert (load.workers, load.cores) == (1, 8)


def test_little_memory_puts_more_cores_on_fewer_photos(monkeypatch):
    monkeypatch.setattr(capacity, "_memory", lambda: 1e9)
    load = capacity.choose(CPU, max_side=1024)
    assert (load.workers, load.cores) == (2, 4)


def test_full_resolution_takes_few_photos_at_once():
    assert capacity.choose(CPU, max_side=0).workers == 1


def test_what_the_user_wants_holds():
    assert capacity.choose(CPU, max_side=1024, workers=3).workers == 3
    assert capacity.choose(CPU, max_side=1024, batch_size=5, workers=2).batch_size == 5


def test_a_gpu_gets_batches_by_its_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8e9, 24e9))
    gpu = torch.device("cuda")
    assert capacity.choose(gpu, max_side=1024).batch_size == 19
    assert capacity.choose(gpu, max_side=256).batch_size == capacity.MOST_AT_ONCE
    assert capacity.choose(gpu, max_side=0).batch_size == 1
    assert capacity.choose(gpu, max_side=512).workers == 8


def test_this_machine_has_memory(monkeypatch):
    monkeypatch.undo()
    assert capacity._memory() > 1e8
