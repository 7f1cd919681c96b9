"""What people see: talk and progress on standard error; `display` has the tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import islice
from typing import TypeVar

from contrique_cli.cli.streams import printable

Item = TypeVar("Item")

NAMED = 5
"""Failures of one kind that are spelled out."""


def say(message: str) -> None:
    """One line of talk on standard error; a reader that went away does not matter."""
    with suppress(OSError):
        print(printable(message), file=sys.stderr, flush=True)  # noqa: T201 - this is the room that prints


def name_some(lines: Iterable[str], count: int, *, rest: str = "") -> None:
    """The first few of many lines of talk, indented, and how many more there are.

    Args:
        lines: only the first few are taken.
        count: how many there are.
        rest: what to say of the others.
    """
    for line in islice(lines, NAMED):
        say(f"  {line}")
    if count > NAMED:
        say(f"  ... and {count - NAMED:,} more{rest}")


def progress(
    label: str, total: int | None, *, quiet: bool = False, unit: str = "photos"
) -> AbstractContextManager[Callable[..., None]]:
    """A bar on standard error while the block runs; nothing where nobody watches.

    Returns:
        Enters with a function to call after each item, with the total where that was not known
        before.
    """
    if quiet or not sys.stderr.isatty():
        return nullcontext(lambda _total=None: None)
    from contrique_cli.cli import display

    return display.bar(label, total, unit)


def described(*, quiet: bool = False) -> AbstractContextManager[Callable[[str, float], bool]]:
    """A bar as `progress`, of work that is told in words.

    Returns:
        Enters with a function that takes the words and how much is done, 0-1, and says whether
        anybody saw them.
    """
    if quiet or not sys.stderr.isatty():
        return nullcontext(lambda _words, _done: False)
    from contrique_cli.cli import display

    return display.described()


def counted(items: Iterable[Item], advance: Callable[[], object]) -> Iterator[Item]:
    """The items, with a call after each that was taken."""
    for item in items:
        yield item
        advance()
