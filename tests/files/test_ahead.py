"""Work ahead in threads: in order, bounded, and dropped once nobody wants it."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from contrique_cli.files.ahead import ahead


def test_results_come_in_the_order_of_the_items_whichever_is_done_first():
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            first_may_end.wait(30)
        if item == 3:
            first_may_end.set()
        return item * item

    assert list(ahead(work, range(6), workers=2, most=4)) == [0, 1, 4, 9, 16, 25]


def test_no_more_items_are_taken_than_may_be_begun():
    taken = count()
    results = ahead(lambda _: None, iter(lambda: next(taken), None), workers=2, most=5)
    for _ in range(3):
        next(results)
    results.close()
    assert next(taken) == 7  # three that were given out, and at most four behind them


def test_an_error_comes_in_place_of_its_item():
    results = ahead(lambda item: 1 // item, [1, 0, 1], workers=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_more_is_begun_once_nobody_wants_it():
    begun, go_on = [], threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item:
            go_on.wait(30)

    results = ahead(work, range(100), workers=1, most=50)
    next(results)
    results.close()
    go_on.set()
    assert len(begun) <= 3
