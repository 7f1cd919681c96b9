"""What a campaign has tried, and how many of these survived."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

Trial = TypeVar("Trial")

LONG = 100
"""Seconds of one campaign behind `-m slow`; the nine of them take a quarter of an hour."""


class Count:
    """Prints its counts at the end, and fails with the first few that were lost.

    Args:
        what: is tried.
        seconds: after which no further trial begins.
    """

    def __init__(self, what: str, *, seconds: float = float("inf")) -> None:
        self.what = what
        self.seconds = seconds
        self.tried = 0
        self.lost: list[str] = []
        self.end = ""

    def within(self, trials: Iterable[Trial]) -> Iterator[Trial]:
        """The trials, as many as the seconds allow and at least one."""
        start = time.monotonic()
        for trial in trials:
            yield trial
            if time.monotonic() - start > self.seconds:
                self.end = f", more left after {self.seconds} s"
                return

    @contextmanager
    def one(self, *, about: object = "") -> Iterator[None]:
        """One trial: whatever the block raises counts as lost."""
        self.tried += 1
        try:
            yield
        except Exception:  # noqa: BLE001 - whatever it is, it is lost
            self.lost.append(f"{about}\n{traceback.format_exc(limit=-4)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        survived = self.tried - len(self.lost)
        print(
            f"{self.what}: {self.tried} tried, {survived} survived, {len(self.lost)} lost{self.end}"
        )
        if kind is None:
            assert not self.lost, "\n".join(self.lost[:5])
            assert self.tried
