"""What a user may choose and what holds otherwise; standard library only: help is instant."""

from __future__ import annotations

from dataclasses import dataclass

from contrique_cli.errors import BadOption

MAX_SIDE = 1024
"""Working size in pixels on the long side, for fitting; scoring takes the regressor's own."""

MAX_MEGAPIXELS = 300
"""Photos whose header promises more are refused unread; a 200-megapixel phone passes."""

FORMATS = ("table", "csv", "json", "jsonl")
"""What a report can be written as."""

MIN_LABELS = 20
"""Photos with a score below which no regressor is fitted: 5 folds inside an 80 % part of them."""

SPLITS = 10
"""Random 80/20 splits behind the figures of `fit-regressor`, as in the published protocol."""

RESAMPLES = 1000
"""Bootstrap resamples behind the intervals of `evaluate`."""

TABLE_ROWS = 10
"""Best rows, and worst rows, that a terminal's table shows of a long report."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which rows of a report to show, and in which order.

    Attributes:
        top: at most so many rows; None for all.
        min_score, max_score: inclusive bounds on the 0-100 scale; None for none.
        reverse: worst first.
    """

    top: int | None = None
    min_score: float | None = None
    max_score: float | None = None
    reverse: bool = False

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise BadOption("--top must be at least 1")
        low, high = self.min_score, self.max_score
        if low is not None and high is not None and low > high:
            raise BadOption(f"--min-score {low:g} lies above --max-score {high:g}")

    @property
    def is_partial(self) -> bool:
        """Whether rows may be left out, so that rows without a score have no place."""
        return any(bound is not None for bound in (self.top, self.min_score, self.max_score))
