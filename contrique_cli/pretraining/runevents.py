"""What a training run reports, as it happens; standard library only, for the roof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Started:
    """The run is about to do its first step here.

    Attributes:
        synthetic, authentic: photos in training.
        probed: photos kept out for the probe.
        total_steps: of the run; None when it is planned by minutes.
        step: done before, in the run that is resumed.
        damaged: checkpoints that could not be used, in words.
        left_out: files left out on purpose, by reason.
    """

    device: str
    precision: str
    synthetic: int
    authentic: int
    probed: int
    total_steps: int | None
    step: int
    damaged: tuple[str, ...]
    left_out: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step done; `seconds_left` is a forecast."""

    step: int
    epoch: float
    loss: float
    lr: float
    photos_per_second: float
    progress: float
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A linear probe was made: shares of right answers on held-out photos.

    Attributes:
        step: steps done.
        kind: which of the 25 distortions; chance is 0.04.
        level: which of the 5 levels; chance is 0.2.
        origin: ordinary photo or synthetically distorted; chance is 0.5; None without ordinary
            photos.
    """

    step: int
    kind: float
    level: float
    origin: float | None


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A photo cannot be used; training goes on without it."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class MemoryShort:
    """The device's memory ran out; from now on the encoder takes so many views at once."""

    micro_batch: int


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A checkpoint and an encoder file were written."""

    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The run ended, by itself or because it was asked to stop."""

    step: int
    is_complete: bool
    encoder: Path
    curve: Path
    skipped: int


Event = Started | StepReport | Probed | Skipped | MemoryShort | Saved | Finished
