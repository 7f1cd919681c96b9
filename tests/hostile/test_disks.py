"""Full disks, and many processes on one file."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from contrique_cli.encoder.cache.featurecache import FeatureCache, Origin, Remembered, location
from tests.conftest import make_photo
from tests.hostile import forks
from tests.hostile.counting import Count
from tests.hostile.test_undo import JPEG

TINY = ("--regressor", "tiny", "--device", "cpu")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root, and mounts")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, *, leave: int = 0) -> None:
    with (folder / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - leave))


@pytest.mark.parametrize("leave", [0, 4096])
def test_a_move_onto_a_full_disk_ends_in_words_and_is_taken_back(
    small, tmp_path, monkeypatch, contrique, leave
):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(40):
        Path(f"in/{number}.jpg").write_bytes(JPEG + os.urandom(6000))
    names = sorted(os.listdir("in"))
    Path("r.csv").write_text("path,score\n" + "".join(f"in/{name},5\n" for name in names))
    fill(small, leave=leave)
    for to, undo_file in (("best", small / "u"), (small / "best", "u")):
        done = contrique(
            *("select", "--from", "r.csv", "--to", to, "--move", "--undo-file", undo_file)
        )
        assert done.status in (0, 1, 3)
        assert "no space left" in done.err
        if Path(undo_file).exists():
            undone = contrique("undo", undo_file, "--to", to)
            assert undone.status == 0, undone.err
            Path(undo_file).unlink()
        assert sorted(os.listdir("in")) == names


@pytest.mark.usefixtures("tiny_regressor")
def test_a_full_disk_costs_no_old_report_and_its_cache_can_be_cleared(
    small, photos, monkeypatch, contrique
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(small))
    output = small / "r.csv"
    assert contrique("score", photos, "--output", output, *TINY).status == 0
    old = output.read_bytes()
    assert location().exists()
    fill(small)
    make_photo(9).save(photos / "d.jpg")
    done = contrique("score", photos, "--output", output, *TINY)
    assert done.status in (0, 1)
    assert output.read_bytes() == old or "went to standard output" not in done.err
    cleared = contrique("cache", "clear")
    assert cleared.status == 0, cleared.err
    assert contrique("cache", "info").status == 0


def test_eight_processes_share_one_cache(tmp_path):
    origin = Origin(encoder="e" * 64, arch="tiny", preprocessing=1, max_side=64, numbers=8)
    path = tmp_path / "cache.sqlite"

    def photo(number: int) -> bytes:
        return number.to_bytes(16, "big")

    def work(start: int) -> None:
        with FeatureCache(path) as cache:
            for number in range(start, start + 60):
                values = np.full(8, number, np.float32)
                cache.keep(origin, photo(number), Remembered(2, 3, "photo", values))
            assert not cache.notes, cache.notes

    children = [forks.fork(lambda start=start: work(20 * start)) for start in range(8)]
    assert [forks.wait(child) for child in children] == [0] * 8
    with Count("photos of eight processes") as count, FeatureCache(path) as cache:
        for number in range(200):
            with count.one(about=number):
                assert cache.find(origin, photo(number)).values.tolist() == [number] * 8


@pytest.mark.usefixtures("tiny_regressor")
def test_files_that_change_during_a_run_are_rows_and_poison_no_later_one(photos, contrique):
    """Each is as it was before or after, or says why not; the next run sees what is there."""
    sound = (photos / "a.jpg").read_bytes()
    other = (photos / "b.jpg").read_bytes()
    for number in range(30):
        (photos / f"{number}.jpg").write_bytes(sound)
    is_done = threading.Event()

    def change() -> None:
        while not is_done.is_set():
            for number in range(0, 30, 2):
                path = photos / f"{number}.jpg"
                path.write_bytes(other[: len(other) // 2])
                path.unlink()
                path.write_bytes(other)
                os.utime(path, (1, 1))

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(2):
            assert contrique("score", photos, "--format", "csv", *TINY).status in (0, 3)
    finally:
        is_done.set()
        changing.join()
    after, fresh = (
        contrique("score", photos, "--format", "csv", *TINY, *more).out
        for more in ((), ("--no-cache",))
    )
    assert after == fresh
