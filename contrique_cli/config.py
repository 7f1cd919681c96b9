"""What a user may choose and what holds otherwise; standard library only: help is instant."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, isfinite
from pathlib import Path

from contrique_cli.errors import BadOption

MAX_SIDE = 768
"""Working size in pixels on the long side, for fitting; scoring takes the regressor's own. It is
the largest at which scores were compared with those of 512 pixels, where people gave opinions."""

FAST_SIDE = 512
"""Working size in pixels of the bundled regressor called fast."""

MAX_MEGAPIXELS = 300
"""Photos whose header promises more are refused unread; a 200-megapixel phone passes."""

MAX_SECONDS = 60.0
"""Time that decoding one photo may take; honest ones of 300 megapixels take up to 20."""

CACHE_BYTES = 2_000_000_000
"""Size of the feature cache's file beyond which photos go, those unused for longest first."""

MIN_THUMBNAIL, MAX_THUMBNAIL = 64, 2048
"""Long side in pixels that a gallery's thumbnails may have."""

BURST_GAP = 3.0
"""Seconds between two photos up to which they can be of one burst."""

WATCH_INTERVAL = 2.0
"""Seconds between two looks at a watched folder."""

WATCH_SETTLE = 1.0
"""Seconds that a file in a watched folder must not change to count as complete."""

PRECISION = "auto"
"""What the encoder computes in: what the device is quick at, but float32 for scoring on a GPU."""

PRECISIONS = (PRECISION, "fp32", "bf16", "fp16")
"""What the encoder's maps may be computed in; their means and deviations always take float32."""

FORMATS = ("table", "csv", "json", "jsonl", "parquet")
"""What a report can be written as."""

SHARD_FORMATS = ("parquet", "csv", "jsonl")
"""What the results of shards can be written as; the first unless told."""

WINDOWS, SHARES = METHODS = ("windows", "shares")
"""How `explain` judges: windows by themselves, or exact shares of the photo's score."""

MIN_LABELS = 20
"""Photos with a score below which no regressor is fitted: 5 folds inside an 80 % part of them."""

MIN_GROUPS = 5
"""Groups below which none is split off to test on: one fifth of them must be at least one."""

MIN_EVALUATED = 10
"""Photos with a score below which `evaluate` gives no figures."""

LADDER_SIDE = 512
"""Long side in pixels at which clean photos are distorted to teach a regressor their order: that of
the photos of KADID, for which the levels are made."""

LADDER_KINDS = 4
"""Kinds of distortion that each clean photo goes through."""

LADDER_PHOTOS = 400
"""Clean photos used at most; all 25 kinds then come 64 times."""

LADDER_MARGIN = 0.05
"""Standard deviations of the opinions by which a version must score less than the one before it."""

LADDER_WEIGHT = 100.0
"""Weight of all pairs of versions together, relative to all opinions together: only what falls
short of the margin counts."""

LADDER_SHRINKAGE = 1.0
"""Ridge strength with ladders, in units of the one that suits opinions alone."""

SPLITS = 10
"""Random 80/20 splits behind the figures of `fit-regressor`, as in the published protocol."""

CURVE = (100, 300, 1000)
"""Photos with a person's stars from which `fit-regressor --ratings` tells how good a fit is."""

FOLDS = 5
"""Parts that take turns in choosing the ridge strength and in making out-of-fold predictions."""

SEED = 0
"""Seed of every random split and resample of `fit-regressor` and `evaluate`."""

RESAMPLES = 1000
"""Bootstrap resamples behind the intervals of `evaluate`."""

CONFIDENCE = 95
"""Percent of the bootstrap resamples that lie within the intervals of `evaluate`."""

WEAK_SROCC = 0.3
"""Rank correlation below which a fit is doubted; its negative, below which its direction is."""

TABLE_ROWS = 10
"""Best rows, and worst rows, that a terminal's table shows of a long report."""


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


XMP_NAMES = ("full", "stem")
"""Names of sidecars: name.ext.xmp as darktable and digiKam have it, name.xmp as Adobe has it."""

XMP_THRESHOLDS = (20.0, 40.0, 60.0, 80.0, 95.0)
"""Scores from which a photo gets 1 to 5 stars: as a score is a percentile of people's opinions, the
worst fifth gets none, the next three fifths 1 to 3, the best fifth 4 and its best quarter 5."""


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """How scores become stars in XMP sidecars.

    Attributes:
        naming: one of `XMP_NAMES`.
        thresholds: five scores that do not fall, from which 1 to 5 stars are given.
        is_dry_run: say what would be written and write nothing.
    """

    naming: str = XMP_NAMES[0]
    thresholds: tuple[float, ...] = XMP_THRESHOLDS
    is_dry_run: bool = False

    def __post_init__(self) -> None:
        if self.naming not in XMP_NAMES:
            raise BadOption(f"--names {self.naming}: choose full (name.ext.xmp) or stem (name.xmp)")
        given = self.thresholds
        is_rising = list(given) == sorted(given) and all(map(isfinite, given))
        if len(given) != len(XMP_THRESHOLDS) or not is_rising:
            raise BadOption(
                "--thresholds takes five rising scores, from which 1 to 5 stars are given, such as "
                + ",".join(f"{score:g}" for score in XMP_THRESHOLDS)
            )


ALL_PERCENT = 100
_TOP = re.compile(r"(\d+)|(\d+(?:\.\d+)?)%")


_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|==?|<|>)(?![<>=])\s*(.*?)\s*")


@dataclass(frozen=True)
class Condition:
    """What a photo must have in a column of a report.

    Attributes:
        text: as "flaw_noise>0.5", with <, <=, =, !=, >= or >, or "burst_kind=bracket".
        column, sign: its first two parts.
        value: its last part, a number where it is one.
    """

    text: str
    column: str = field(init=False)
    sign: str = field(init=False)
    value: float | str = field(init=False)

    def __post_init__(self) -> None:
        match = _CONDITION.fullmatch(self.text)
        column, sign, text = match.groups() if match else ("", "", "")
        value: float | str = text
        with suppress(ValueError):
            value = float(text)
        if not match or (isinstance(value, str) and "=" not in sign.strip("<>")):
            raise BadOption(
                f"--where {self.text}: give a column, <, <=, =, !=, >= or >, and a number, as "
                "'flaw_noise>0.5', or a word after = or !=, as burst_kind=bracket"
            )
        for name, part in (("column", column), ("sign", sign), ("value", value)):
            object.__setattr__(self, name, part)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """Which photos of a report to take; a photo must pass every condition given.

    Attributes:
        top: at most so many ("25"), or that share of all scored photos ("10%"); None for all.
        min_score, max_score: inclusive bounds on the 0-100 scale; None for none.
        per_folder: at most so many of one folder; None for all.
        flaws: dominant flaws to take; empty for any.
        where: conditions on columns, see `Condition`.
        by: column by which the best are the best; None for the score.
        burst_best_only: leave out all but the best photo of each burst.
        reverse: the worst instead of the best.
    """

    top: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    per_folder: int | None = None
    flaws: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    by: str | None = None
    burst_best_only: bool = False
    reverse: bool = False

    def __post_init__(self) -> None:
        low, high = self.min_score, self.max_score
        if low is not None and high is not None and low > high:
            raise BadOption(f"--min-score {low:g} lies above --max-score {high:g}")
        _ = self.conditions  # what makes no sense is said now
        if self.per_folder is not None and self.per_folder < 1:
            raise BadOption("--per-folder must be at least 1")
        match = None if self.top is None else _TOP.fullmatch(self.top.strip())
        number, share = match.groups() if match else (None, None)
        if self.top is not None and not (
            (number and int(number) >= 1) or (share and 0 < float(share) <= ALL_PERCENT)
        ):
            raise BadOption(f"--top {self.top}: give a number of photos, 25, or a share, 10%")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What `where` asks for."""
        return tuple(map(Condition, self.where))

    def limit(self, scored: int) -> int | None:
        """How many photos `top` allows of a report with so many scored ones; None for all."""
        if self.top is None:
            return None
        text = self.top.strip()
        if text.endswith("%"):
            return ceil(Fraction(text[:-1]) * scored / ALL_PERCENT)
        return int(text)


_FAILURES = re.compile(r"(\d+)|(\d+(?:\.\d+)?)%")


@dataclass(frozen=True)
class Failures:
    """How many photos may fail before a run over shards counts as failed.

    Attributes:
        text: a number of photos ("20"), or a share of all ("5%").
    """

    text: str

    def __post_init__(self) -> None:
        if not _FAILURES.fullmatch(self.text.strip()):
            raise BadOption(
                f"--max-failures {self.text}: give a number of photos, 20, or a share, 5%"
            )

    def limit(self, photos: int) -> float:
        """How many of so many photos may fail."""
        text = self.text.strip()
        if text.endswith("%"):
            return float(Fraction(text[:-1]) * photos / ALL_PERCENT)
        return int(text)
