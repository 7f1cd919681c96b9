"""What a user may choose and what holds otherwise; standard library only: help is instant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contrique_cli.errors import BadOption

MAX_SIDE = 1024
"""Working size in pixels on the long side, for fitting; scoring takes the regressor's own."""

FAST_SIDE = 512
"""Working size in pixels of the regressor that `--fast` takes."""

MAX_MEGAPIXELS = 300
"""Photos whose header promises more are refused unread; a 200-megapixel phone passes."""

PRECISION = "auto"
"""What the encoder computes in: what the device is quick at."""

FORMATS = ("table", "csv", "json", "jsonl")
"""What a report can be written as."""

MIN_LABELS = 20
"""Photos with a score below which no regressor is fitted: 5 folds inside an 80 % part of them."""

MIN_GROUPS = 5
"""Groups below which none is split off to test on: one fifth of them must be at least one."""

MIN_EVALUATED = 10
"""Photos with a score below which `evaluate` gives no figures."""

SPLITS = 10
"""Random 80/20 splits behind the figures of `fit-regressor`, as in the published protocol."""

FOLDS = 5
"""Parts that take turns in choosing the ridge strength and in making out-of-fold predictions."""

SEED = 0
"""Of every random split and resample of `fit-regressor` and `evaluate`."""

RESAMPLES = 1000
"""Bootstrap resamples behind the intervals of `evaluate`."""

CONFIDENCE = 95
"""Percent of the bootstrap resamples that lie within the intervals of `evaluate`."""

WEAK_SROCC = 0.3
"""Rank correlation below which a fit is doubted; its negative, below which its direction is."""

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


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """A table of photos with opinion scores, and how to read it.

    Attributes:
        table: the CSV file.
        photos: folder that relative paths start from; None for the table's own.
        path_column, mos_column: None finds them by their usual names.
        group_column: photos of one group are never split; None for no groups.
        reference_column: path of the undistorted photo; given, the task is full-reference.
        lower_is_better: the scores are DMOS.
    """

    table: Path
    photos: Path | None = None
    path_column: str | None = None
    mos_column: str | None = None
    group_column: str | None = None
    reference_column: str | None = None
    lower_is_better: bool = False
