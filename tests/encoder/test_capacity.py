"""How much at once: all cores, within half the memory."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.encoder import capacity
from contrique_cli.encoder.work import Work
from tests import cgroups
from tests.cgroups import (
    ALONE_1,
    ALONE_2,
    GB,
    HIDDEN_1,
    INSIDE_2,
    MACHINE,
    UNLIMITED,
    version_1,
    version_2,
)

CPU = torch.device("cpu")
REAL = {name: getattr(capacity, name) for name in ("_folders", "_machine_memory")}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Of 8 cores and 16 GB."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(capacity, "_folders", lambda controller: iter(()))
    monkeypatch.setattr(capacity, "_machine_memory", lambda: 16 * 10**9)


def test_a_cpu_gives_each_core_a_photo():
    load = capacity.choose(Work(max_side=1024), CPU)
    assert (load.workers, load.cores, load.batch_size) == (8, 1, None)


def test_a_single_photo_gets_every_core():
    load = capacity.choose(Work(max_side=1024), CPU, photos=1)
    assert (load.workers, load.cores) == (1, 8)


def test_little_memory_puts_more_cores_on_fewer_photos(monkeypatch):
    monkeypatch.setattr(capacity, "_machine_memory", lambda: 10**9)
    load = capacity.choose(Work(max_side=1024), CPU)
    assert (load.workers, load.cores) == (2, 4)


def test_full_resolution_takes_few_photos_at_once():
    assert capacity.choose(Work(max_side=0), CPU).workers == 1


def test_what_the_user_wants_holds():
    assert capacity.choose(Work(max_side=1024, workers=3), CPU).workers == 3
    assert capacity.choose(Work(max_side=1024, batch_size=5, workers=2), CPU).batch_size == 5


def test_a_gpu_gets_batches_by_its_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8e9, 24e9))
    gpu = torch.device("cuda")
    assert capacity.choose(Work(max_side=1024), gpu).batch_size == 19
    assert capacity.choose(Work(max_side=256), gpu).batch_size == capacity.MOST_AT_ONCE
    assert capacity.choose(Work(max_side=0), gpu).batch_size == 1
    assert capacity.choose(Work(max_side=512), gpu).workers == 8


def test_this_machine_has_memory_and_cores(monkeypatch):
    monkeypatch.undo()
    assert capacity.free_memory() > 1e8
    assert capacity.count_cores() >= 1


# ------------------------------------------------------------------------- limits of containers


@pytest.fixture
def system(monkeypatch, tmp_path):
    """Writes the system's files: those of a machine of 8 cores with 10 GB free, to begin with."""
    for name, real in REAL.items():
        monkeypatch.setattr(capacity, name, real)
    monkeypatch.setattr(capacity, "_ROOT", tmp_path)

    cgroups.write(tmp_path, MACHINE)
    return lambda files: cgroups.write(tmp_path, files)


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 10),
        (ALONE_2, 10),
        (ALONE_2 | version_2("", 4 * GB, used=3 * GB, cached=2 * GB), 3),
        (ALONE_2 | version_2("", "max", used=3 * GB), 10),
        (ALONE_2 | version_2("", 64 * GB), 10),
        (ALONE_2 | version_2("", GB, used=2 * GB), 0),
        (INSIDE_2 | version_2("outer/inner/", "max") | version_2("outer/", 2 * GB), 2),
        (INSIDE_2 | version_2("outer/inner/", GB) | version_2("outer/", 2 * GB), 1),
        (ALONE_1 | version_1("", 4 * GB, used=3 * GB, cached=2 * GB), 3),
        (ALONE_1 | version_1("", UNLIMITED, used=3 * GB), 10),
        (HIDDEN_1 | version_1("", 4 * GB, used=1 * GB), 3),
        (HIDDEN_1 | version_1("docker/abc/", 2 * GB) | version_1("", UNLIMITED), 2),
        ({"proc/self/cgroup": "nonsense"}, 10),
    ],
)
def test_free_memory_is_that_of_the_container_where_it_has_less(system, files, free):
    system(files)
    assert capacity.free_memory() == pytest.approx(free * GB, abs=1024)


def test_a_container_that_does_not_tell_of_cached_files_has_its_limit(system, tmp_path):
    system(ALONE_1 | version_1("", 4 * GB, used=1 * GB))
    (tmp_path / "sys/fs/cgroup/memory/memory.stat").unlink()
    assert capacity.free_memory() == 3 * GB


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        (ALONE_2 | version_2("", "max", cpu="max 100000"), 8),
        (ALONE_2 | version_2("", "max", cpu="200000 100000"), 2),
        (ALONE_2 | version_2("", "max", cpu="150000 100000"), 2),
        (ALONE_2 | version_2("", "max", cpu="1600000 100000"), 8),
        (INSIDE_2 | version_2("outer/", "max", cpu="50000 100000"), 1),
        (ALONE_1 | version_1("", UNLIMITED, quota=-1), 8),
        (HIDDEN_1 | version_1("", UNLIMITED, quota=300000), 3),
    ],
)
def test_cores_are_those_that_the_container_may_keep_busy(system, files, cores):
    system(files)
    assert capacity.count_cores() == cores


def test_a_system_without_such_files_has_memory_all_the_same(system, tmp_path):
    (tmp_path / "proc/meminfo").unlink()
    assert capacity.free_memory() > 1e8


def test_scoring_keeps_within_the_container(system, contrique, photos, tiny_regressor, monkeypatch):
    system(ALONE_2 | version_2("", GB, used=GB - 13_200_000, cpu="400000 100000"))
    chosen = []
    real = capacity.choose

    def choose(*args, **options):
        chosen.append(real(*args, **options))
        return chosen[-1]

    monkeypatch.setattr(capacity, "choose", choose)
    done = contrique("score", photos, "--regressor", "tiny", "--device", "cpu", "--no-cache")
    assert done.status == 0
    # Half of 13.2 MB holds two photos of 128 x 128, and four cores are two for each.
    assert [(one.workers, one.cores) for one in chosen] == [(2, 2)]
