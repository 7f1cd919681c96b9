"""How far a run is: its clock over all sessions, speed, learning rate, and what is due."""

from __future__ import annotations

import math
import time

RATE_MEMORY = 0.9
"""Weight of the past in the photos per second shown."""


class Pace:
    """The clock of one run.

    Attributes:
        progress: share of the run that is done, in [0, 1]; the run sets it from `measure`, to
            the same value in all processes.
        rate: photos per second, smoothed; None before the first losses were read.
    """

    def __init__(self, *, minutes: float | None, total_steps: int | None, batch_size: int) -> None:
        """Start the clock.

        Args:
            minutes: the run is planned to take; None: `total_steps` count.
            total_steps: of the run; None where minutes are given.
            batch_size: photos per step.
        """
        self.minutes = minutes
        self.total_steps = total_steps
        self.batch_size = batch_size
        self.progress = 0.0
        self.rate: float | None = None
        self._before = 0.0
        self._reserve = 0.0
        self._began = self._read = time.monotonic()
        self._done = {"save": self._began, "probe": self._began}

    def resume(self, seconds: float) -> None:
        """Count on from what earlier sessions took."""
        self._before = seconds

    def seconds(self) -> float:
        """Seconds of training, over all sessions."""
        return self._before + time.monotonic() - self._began

    def measure(self, step: int) -> float:
        """Progress after `step` steps: by steps, or by minutes less what the end will take."""
        if self.minutes is not None:
            planned = max(self.minutes * 60 - self._reserve, 1e-9)
            return min(self.seconds() / planned, 1.0)
        if self.total_steps is None:
            raise ValueError("a run is planned by minutes or by steps")
        return step / self.total_steps

    def is_due(self, what: str, minutes: float) -> bool:
        """Whether "save" or "probe" was last done so long ago."""
        return time.monotonic() - self._done[what] >= minutes * 60

    def note(self, what: str, reserve: float | None = None) -> None:
        """Remember that "save" or "probe" is done; it does not count as training speed.

        Args:
            what: which.
            reserve: seconds to keep free for it at the end of a run planned by minutes.
        """
        self._done[what] = self._read = time.monotonic()
        if reserve is not None:
            self._reserve = reserve

    def count(self, steps: int) -> float:
        """Update the rate by steps done since the last look.

        Returns:
            Photos per second.
        """
        now = time.monotonic()
        rate = steps * self.batch_size / max(now - self._read, 1e-9)
        past = rate if self.rate is None else self.rate
        self.rate = RATE_MEMORY * past + (1 - RATE_MEMORY) * rate
        self._read = now
        return self.rate

    def seconds_left(self, step: int) -> float:
        """Forecast of the seconds until the run ends; 0 where nothing tells."""
        if self.minutes is not None:
            return max(self.minutes * 60 - self.seconds(), 0.0)
        if self.total_steps is None or not self.rate:
            return 0.0
        return (self.total_steps - step) * self.batch_size / self.rate


def learning_rate(progress: float, *, peak: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to zero.

    Args:
        progress: of the run, in [0, 1]: steps over all steps, or seconds over all seconds.
        peak: rate at the end of the warm-up.
        warmup: share of the run that the warm-up takes.
    """
    if progress < warmup:
        return peak * progress / warmup
    fall = (min(progress, 1.0) - warmup) / (1.0 - warmup)
    return peak * 0.5 * (1.0 + math.cos(math.pi * fall))
