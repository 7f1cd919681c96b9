"""Work done ahead in threads, its results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, most: int | None = None
) -> Generator[Result, None, None]:
    """Do work in threads while earlier results are being used.

    Once nobody wants the next result, what has not begun is dropped, and what has is not waited
    for.

    Args:
        work: may raise; the exception comes in place of the item's result, and ends it.
        items: taken by the calling thread, only as far ahead as `most`.
        workers: threads.
        most: items begun, and results kept, at once; by default two for each thread.

    Yields:
        Results in the order of the items.
    """
    most = 2 * workers if most is None else most
    items = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        while True:
            waiting.extend(pool.submit(work, item) for item in islice(items, most - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
