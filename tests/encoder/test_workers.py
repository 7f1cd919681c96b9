"""Workers: results as of any pool, and one that does not come back is left behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from contrique_cli.encoder.workers import THREADS, Workers

PATH = Path("a.jpg")


def count_threads() -> int:
    return sum(one.name.startswith(THREADS) for one in threading.enumerate())


def wait_for_threads(count: int) -> None:
    deadline = time.monotonic() + 10
    while count_threads() > count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert count_threads() <= count


def test_work_is_done_in_order_and_its_errors_are_raised():
    workers = Workers(1, lambda: None)
    done: list[int] = []
    tasks = [workers.submit(lambda n=number: done.append(n), PATH) for number in range(5)]
    failing = workers.submit(lambda: 1 // 0, PATH)
    for task in tasks:
        task.result(10)
    with pytest.raises(ZeroDivisionError):
        failing.result(10)
    assert done == [0, 1, 2, 3, 4]
    workers.close()


def test_another_thread_takes_the_place_of_one_that_is_left():
    before = count_threads()
    workers = Workers(1, lambda: None)
    release = threading.Event()
    stuck = workers.submit(lambda: release.wait(30), PATH)
    behind = workers.submit(lambda: "done", PATH)
    while stuck.started is None:
        time.sleep(0.01)
    workers.leave(stuck, "left")
    assert behind.result(10) == "done"
    release.set()
    assert stuck.result() == "left"
    workers.close()
    wait_for_threads(before)


def test_closing_drops_what_nobody_has_begun():
    before = count_threads()
    workers = Workers(2, lambda: None)
    release = threading.Event()
    for _ in range(2):
        workers.submit(lambda: release.wait(30), PATH)
    time.sleep(0.1)
    dropped = workers.submit(lambda: "never", PATH)
    workers.close()
    release.set()
    wait_for_threads(before)
    assert not dropped.done()


def test_threads_that_are_done_have_ended_once_the_workers_are_closed():
    before = count_threads()
    for _ in range(20):  # one that goes on until Python ends may abort it
        workers = Workers(4, lambda: None)
        for task in [workers.submit(lambda: None, PATH) for _ in range(4)]:
            task.result(10)
        workers.close()
        assert count_threads() == before


def test_closing_does_not_wait_for_what_was_left():
    workers = Workers(1, lambda: None)
    release = threading.Event()
    stuck = workers.submit(lambda: release.wait(60), PATH)
    while stuck.started is None:
        time.sleep(0.01)
    workers.leave(stuck, "left")
    began = time.monotonic()
    workers.close()
    assert time.monotonic() - began < 20
    release.set()
