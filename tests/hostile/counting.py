"""What a campaign has tried, and how many of these survived."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self


class Count:
    """Prints its counts at the end, and fails with the first few that were lost."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tried = 0
        self.lost: list[str] = []

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
        print(f"{self.what}: {self.tried} tried, {survived} survived, {len(self.lost)} lost")
        if kind is None:
            assert not self.lost, "\n".join(self.lost[:5])
            assert self.tried
