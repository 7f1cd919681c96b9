"""Threads that look at photos, of which one that does not come back is left behind."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

_GRACE = 1.0
"""Seconds that closing waits for threads: one that still runs when Python ends may abort it, since
ending a thread unwinds PyTorch's own code, too."""

T = TypeVar("T")

THREADS = "photo"
"""Start of the names of the threads."""


class Task(Future[T]):
    """Work that a thread does, or will do.

    Attributes:
        path: the photo's, to name it by.
        started: when, by the monotonic clock; None while it waits for a thread.
        thread: which does it; None while it waits.
    """

    def __init__(self, work: Callable[[], T], path: Path) -> None:
        super().__init__()
        self._work = work
        self.path = path
        self.started: float | None = None
        self.thread: int | None = None

    def run(self) -> None:
        """Do the work in this thread."""
        self.thread, self.started = threading.get_ident(), time.monotonic()
        try:
            result = self._work()
        except BaseException as problem:  # noqa: BLE001 - raised again where the result is asked for
            error = problem
            self.settle(lambda: self.set_exception(error))
        else:
            self.settle(lambda: self.set_result(result))

    def settle(self, say: Callable[[], None]) -> None:
        """Say how it ended, unless that has been said."""
        with suppress(InvalidStateError):
            say()


class Workers(Generic[T]):
    """So many threads. On purpose not a `ThreadPoolExecutor`, at whose end Python waits for each.

    Args:
        count: threads at work.
        prepare: called first in each.
    """

    def __init__(self, count: int, prepare: Callable[[], None]) -> None:
        self._prepare = prepare
        self._waiting: queue.SimpleQueue[Task[T] | None] = queue.SimpleQueue()
        self._left: set[Task[T]] = set()
        self._count = count
        self._numbers = itertools.count()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            self._start()

    def submit(self, work: Callable[[], T], path: Path) -> Task[T]:
        """Have a thread do it with a photo, after what was submitted before."""
        task = Task(work, path)
        self._waiting.put(task)
        return task

    def leave(self, task: Task[T], result: T) -> None:
        """Take a result for that of a task that does not end; another thread takes its place."""
        self._left.add(task)
        task.settle(lambda: task.set_result(result))
        self._start()

    def close(self) -> None:
        """End the threads that are not at work, and the others when they are done.

        Those that are done within a moment, unless left behind, have ended then.
        """
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        for _ in range(self._count + len(self._left)):
            self._waiting.put(None)
        not_awaited = {task.thread for task in self._left} | {threading.get_ident()}
        deadline = time.monotonic() + _GRACE
        for thread in self._threads:
            if thread.ident not in not_awaited:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _start(self) -> None:
        name = f"{THREADS}-{next(self._numbers)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        self._prepare()
        while (task := self._waiting.get()) is not None:
            task.run()
            if task in self._left:
                return
