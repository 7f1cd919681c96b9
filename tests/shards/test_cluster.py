"""A Ray cluster gives the rows of one machine, whoever is killed; most of it runs without Ray."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from contrique_cli.errors import ClusterError
from contrique_cli.shards import cluster
from contrique_cli.shards.actors import Share
from contrique_cli.shards.cluster import share_of
from tests.conftest import ROOT, make_photo
from tests.shards.samples import (
    BROKEN,
    by_name,
    photos,
    rows_of,
    tar_bytes,
    write_all,
    write_tar,
)

PATIENCE = 600  # seconds; .ci/run ends all of these tests together after 180


WORK = 24  # photos that take a moment each, so that there is a middle to be killed in


def node(cpus: int, gpus: int = 0, *, is_alive: bool = True) -> dict[str, object]:
    return {"Alive": is_alive, "Resources": {"CPU": float(cpus), "GPU": float(gpus)}}


@pytest.mark.parametrize(
    ("nodes", "share"),
    [
        ([node(4)], Share(cpus=3, gpus=0, part=0.75, actors=1)),
        ([node(16)], Share(cpus=5, gpus=0, part=5 / 16, actors=3)),
        ([node(2), node(2)], Share(cpus=1, gpus=0, part=0.5, actors=3)),
        ([node(16, 4), node(8, is_alive=False)], Share(cpus=1, gpus=1, part=0.25, actors=4)),
    ],
)
def test_actors_take_their_share_and_leave_room_for_reading(nodes, share):
    assert share_of(nodes) == share


def test_a_cluster_that_would_hang_is_refused_in_words():
    with pytest.raises(ClusterError, match="has 3 CPUs; with fewer than 4 its actors starve"):
        share_of([node(3), node(8, is_alive=False)])


class SlowRay(types.ModuleType):
    """Ray on a busy machine: so many clusters do not come up."""

    def __init__(self, failures: int) -> None:
        super().__init__("ray")
        self.__version__ = "2.60.0"
        self.failures = failures
        self.calls: list[str] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, *, address: str, **_options: object) -> None:
        self.calls.append(address)
        if self.calls.count(address) <= self.failures:
            raise Exception("The current node timed out during startup.")  # noqa: TRY002 - as Ray

    def shutdown(self) -> None:
        self.calls.append("shutdown")


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")  # it is set, and restored by this
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def use(failures: int) -> SlowRay:
        ray = SlowRay(failures)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setitem(sys.modules, "ray.data", ray)
        return ray

    return use


def test_a_cluster_of_this_machine_that_does_not_come_up_is_started_again(slow):
    ray = slow(failures=2)
    with cluster._connected():
        assert ray.calls == ["local", "shutdown", "local", "shutdown", "local"]
    assert ray.calls[-1] == "shutdown"


@pytest.mark.parametrize(("address", "tries"), [(None, 3), ("head:6379", 1)])
def test_a_cluster_that_never_comes_up_is_told_in_words(slow, monkeypatch, address, tries):
    if address is not None:
        monkeypatch.setenv("RAY_ADDRESS", address)
    ray = slow(failures=9)
    with (
        pytest.raises(ClusterError, match=r"cannot be reached: .*timed out during startup"),
        cluster._connected(),
    ):
        pass
    assert ray.calls == [address or "local", "shutdown"] * tries


class RayError(Exception):
    """As all of Ray's own are."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            (
                "The actor died because of an error in its creation task, \x1b[36mray::MapWorker()\n  File "
                "actors.py, in __init__\ncontrique_cli.errors.ClusterError: another model: install\n\n"
            ),
            "gave up: another model: install",
        ),
        ("Traceback:\n  File x\nValueError: five\n", "gave up: ValueError: five"),
        ("", "gave up: RayError"),
    ],
)
def test_what_failed_on_another_machine_is_told_without_the_text_around_it(text, words):
    def blocks(**_options: object) -> Iterator[object]:
        raise RayError(text)
        yield

    ray = SimpleNamespace(exceptions=SimpleNamespace(RayError=RayError))
    share = Share(cpus=1, gpus=0, part=1.0, actors=1)
    with pytest.raises(ClusterError, match=f"{words}$"):
        next(cluster._watched(SimpleNamespace(iter_batches=blocks), share, ray))


# ---------------------------------------------------------------------------------- with Ray


class Machines:
    """A cluster of two machines on this one."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.nodes = [
            self.cluster.add_node(
                num_cpus=2, object_store_memory=200 << 20, include_dashboard=False
            )
            for _ in range(2)
        ]

    @property
    def address(self) -> str:
        return self.cluster.address

    def actors(self) -> list[int]:
        """Process ids of its actors that judge."""
        raylets = {
            info.process.pid
            for one in self.cluster.list_all_nodes()
            for info in one.all_processes.get("raylet", [])
        }
        return [pid for pid in _children(raylets) if "Actor" in _command(pid)]


def _children(parents: set[int]) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent in parents:
                found.append(int(folder.name))
    return found


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.update(RAY_worker_niceness="0")  # on a busy machine its 15 means never
    for name in ("raylet_start_wait_time_s", "worker_register_timeout_seconds"):
        os.environ[f"RAY_{name}"] = str(PATIENCE)  # a busy machine is slow to start
    pytest.importorskip("ray")
    made = Machines()
    yield made
    made.cluster.shutdown()


def start(model, source: Path, target: Path, address: str | None) -> subprocess.Popen[bytes]:
    """The real program, on a cluster."""
    names = [f"--{name}={value}" for name, value in model.items()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    if address is not None:
        environment["RAY_ADDRESS"] = address
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "contrique_cli", "score", str(source)),
            *("--output", f"{target}/", "--ray", *names),
        ],
        env=environment,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes], status: int) -> str:
    text = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == status, text
    return text


def wait_for(condition, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def results(folder: Path) -> list[Path]:
    return list(folder.glob("*.parquet"))


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Shards of photos that take a moment each."""
    file = io.BytesIO()
    make_photo(1, 480, 360).resize((2400, 1800)).save(file, "PNG", compress_level=1)
    folder = tmp_path_factory.mktemp("work")
    for number in range(8):
        names = [f"{number}{index:03}.png" for index in range(WORK // 8)]
        write_tar(folder / f"{number}.tar", dict.fromkeys(names, file.getvalue()))
    return folder


def assert_every_photo_once(folder: Path) -> None:
    rows = by_name(rows_of(folder))
    assert len(rows) == WORK
    assert {row["error"] for row in rows.values()} == {None}
    assert len({row["score"] for row in rows.values()}) == 1


@pytest.mark.ray
def test_a_cluster_gives_the_rows_of_one_machine_for_the_same_200_photos(
    machines, contrique, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path / "in", photos())
    names = [f"--{name}={value}" for name, value in model.items()]
    assert contrique("score", "in", "--output", "here/", *names).status == 3
    text = finish(start(model, tmp_path / "in", tmp_path / "there", machines.address), 3)
    assert f"{3 * (200 - BROKEN)} of {3 * 200} photos scored, results of 6 shards" in text
    here = {(Path(row["shard"]).name, row["member"]): row for row in rows_of(Path("here"))}
    there = {(Path(row["shard"]).name, row["member"]): row for row in rows_of(Path("there"))}
    assert here.keys() == there.keys()
    for place, row in here.items():
        assert there[place]["score"] == pytest.approx(row["score"], abs=0.01)
        assert there[place]["error"] == row["error"]
    about = json.loads(Path("here/_contrique.json").read_text())
    assert json.loads(Path("there/_contrique.json").read_text()) == about


@pytest.mark.ray
def test_a_driver_an_actor_and_a_machine_killed_in_the_middle_cost_no_photo_and_double_none(
    machines, model, work, tmp_path
):
    target = tmp_path / "scores"
    first = start(model, work, target, machines.address)
    wait_for(lambda: results(target), first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = len(results(target))
    assert 1 <= done < 8
    machines.cluster.add_node(num_cpus=2, object_store_memory=200 << 20)  # room for what is lost
    second = start(model, work, target, machines.address)
    wait_for(lambda: machines.actors() and len(results(target)) > done, second)
    os.kill(machines.actors()[0], signal.SIGKILL)
    machines.cluster.remove_node(machines.nodes[1], allow_graceful=False)
    assert f"{done} of 8 shards done before" in finish(second, 0)
    assert_every_photo_once(target)


@pytest.mark.ray
def test_a_cluster_whose_machines_are_taken_is_told_instead_of_waited_for(
    machines, model, work, tmp_path
):
    code = (
        "import sys, ray; ray.init(log_to_driver=False, logging_level='error')\n"
        "from ray.util.placement_group import placement_group\n"
        "taken = [placement_group([{'CPU': 0.5}]) for _ in range(32)]  # more than there are\n"
        "assert taken[0].wait(600)\n"
        "from contrique_cli.shards import cluster; cluster.STALL = 2\n"
        "from contrique_cli.cli.app import app\n"
        "app(sys.argv[1:], prog_name='contrique')\n"
    )
    names = [f"--{name}={value}" for name, value in model.items()]
    done = subprocess.run(
        [
            *(sys.executable, "-c", code, "score", work, "--output", f"{tmp_path}/scores/"),
            *("--ray", *names),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": machines.address},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1, done.stderr.decode()
    assert b"has finished nothing for 2 seconds: an actor needs" in done.stderr


@pytest.mark.ray
def test_without_an_address_a_cluster_of_four_cpus_is_started_and_ended(model, tmp_path):
    pytest.importorskip("ray")
    write_tar(tmp_path / "a.tar", photos(8))
    text = finish(start(model, tmp_path / "a.tar", tmp_path / "scores", None), 3)
    assert "3 of 8 photos scored" in text
    assert len(rows_of(tmp_path / "scores")) == 8


def test_without_the_extra_it_says_what_to_install(model, tmp_path, contrique, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.tar").write_bytes(tar_bytes([]))
    names = [f"--{name}={value}" for name, value in model.items()]
    source, target = tmp_path / "a.tar", f"{tmp_path}/scores/"
    done = contrique("score", source, "--output", target, "--ray", *names)
    assert done.status == 1
    assert "pip install 'contrique[ray]'" in done.err
    assert os.environ.pop("RAY_USAGE_STATS_ENABLED") == "0"
