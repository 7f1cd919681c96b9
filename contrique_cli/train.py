"""Pre-training, in story order: photos, batches, steps, checkpoints, an encoder file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch

from contrique_cli import checkpoint, lossplot, ranks, runstate, trainphotos
from contrique_cli.batches import cut_ahead, make_views
from contrique_cli.batchplan import BatchPlan, Halves, plan_batch, split, steps_per_epoch
from contrique_cli.errors import BadOption, BadRun, BadTrainingData
from contrique_cli.learner import Learner, choose_precision
from contrique_cli.model import Contrique
from contrique_cli.photostore import PhotoStore, free_memory
from contrique_cli.probe import Probe, ProbeResult
from contrique_cli.ranks import Place
from contrique_cli.runfiles import RunFiles
from contrique_cli.schedule import learning_rate
from contrique_cli.trainconfig import TrainConfig

READ_EVERY = 10
"""Steps between two looks at a GPU's losses: each look makes the GPU wait."""

DEVICE_SHARE = 0.25
"""Share of a GPU's free memory that decoded photos may fill."""

RATE_MEMORY = 0.9
"""Weight of the past in the photos per second shown."""

MOST_WORKERS = 8
"""Threads that cut and decode, unless asked for more."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """The run is about to do its first step here.

    Attributes:
        halves: photos in training, by half.
        probed: photos kept out for the probe.
        total_steps: of the run; None when it is planned by minutes.
        step: done before, in the run that is resumed.
        damaged: checkpoints that could not be used, in words.
        left_out: files left out on purpose, by reason.
    """

    device: str
    precision: str
    halves: Halves
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
    """A linear probe was made after `step` steps."""

    step: int
    result: ProbeResult


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A photo cannot be used; training goes on without it."""

    path: Path
    reason: str


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
    curve: Path | None
    skipped: int


Event = Started | StepReport | Probed | Skipped | Saved | Finished


def train(
    config: TrainConfig,
    output: Path,
    *,
    device: torch.device,
    place: Place | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Pre-train, or go on with the run that `output` holds.

    Args:
        config: every choice.
        output: RUN, the run's folder.
        device: to train on.
        place: among the processes that torchrun started.
        should_stop: asked after every step; True saves and ends.

    Yields:
        What happens, as it happens; only the first process reports.

    Raises:
        BadTrainingData: too few usable photos.
        BadRun: the run cannot go on: other settings, a loss that is not finite, no memory.
        CannotWrite: `output` cannot be written.
    """
    place = place or Place()
    device = ranks.join(place, device)
    try:
        run = _Run(config, RunFiles(output), device, place, should_stop)
        for event in run.events():
            if place.is_first:
                yield event
    finally:
        ranks.leave(place)


class _Run:
    """The parts of one run, joined."""

    def __init__(
        self,
        config: TrainConfig,
        files: RunFiles,
        device: torch.device,
        place: Place,
        should_stop: Callable[[], bool],
    ) -> None:
        self.began = time.monotonic()
        self.config = config
        self.files = files
        self.device = device
        self.place = place
        self.should_stop = should_stop
        self.precision = choose_precision(config.precision, device)
        self._settle_config()
        self.photos = trainphotos.gather(config)
        self.halves = Halves(len(self.photos.synthetic), len(self.photos.authentic))
        self._check_batch()
        self.store = self._make_store()
        self.learner = self._make_learner()
        self.per_epoch = steps_per_epoch(config.batch_size, self.halves)
        self.total_steps = None if config.minutes else config.epochs * self.per_epoch
        self.step = 0
        self.seconds_before = 0.0
        self.progress = 0.0
        self.is_complete = False
        self.damaged: list[str] = []
        self._resume()
        self.probe: Probe | None = None
        self.reserve = 0.0  # seconds that the last probe and checkpoint will take
        self.saved_at = self.probed_at = self.began
        self.saved_step = self.step
        self.pending: list[tuple[int, torch.Tensor, float]] = []
        self.rate: float | None = None
        self.read_at = time.monotonic()
        self.reported: set[Path] = set()

    # ------------------------------------------------------------------------ setting up

    def _settle_config(self) -> None:
        """Write the configuration first thing, or compare it with the run's own."""
        facts = {"resolved_precision": self.precision}
        if self.place.is_first:
            plain = self.config.as_dict()
            self.files.check_config(plain, facts)
            self.files.write_config(
                plain, {**facts, "device": str(self.device), "processes": self.place.world}
            )

    def _check_batch(self) -> None:
        if self.config.batch_size % self.place.world:
            raise BadOption(
                f"--batch-size {self.config.batch_size} cannot be shared evenly among "
                f"{self.place.world} processes; choose a multiple"
            )
        parts = split(self.config.batch_size, self.halves)
        for name, has, needs in zip(
            ("pristine", "authentic"), self.halves, parts, strict=True
        ):
            if has < needs:
                raise BadTrainingData(
                    f"{has} {name} photos are too few: a batch of {self.config.batch_size} takes "
                    f"{needs}; add photos or lower --batch-size"
                )

    def _make_store(self) -> PhotoStore:
        config = self.config
        budget = config.memory_budget * 1e9 or free_memory() / 2
        on_device = 0
        if self.device.type == "cuda":
            on_device = int(torch.cuda.mem_get_info(self.device)[0] * DEVICE_SHARE)
        return PhotoStore(
            (self.photos.synthetic, self.photos.authentic),
            region=2 * config.image_size,
            least=split(config.batch_size, self.halves),
            max_side=config.max_side,
            memory_budget=int(budget / self.place.world),
            device=self.device,
            device_budget=on_device,
            classes=self.photos.classes,
        )

    def _make_learner(self) -> Learner:
        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            model = Contrique(config.arch)
        if config.init is not None:
            start, info = checkpoint.load(Path(config.init))
            if info.arch != config.arch:
                raise BadOption(f"{config.init} is a {info.arch}; give --arch {info.arch}")
            model.load_state_dict(start.state_dict())
        return Learner(
            model,
            device=self.device,
            place=self.place,
            precision=self.precision,
            optimiser=config.optimiser,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            temperature=config.temperature,
            patches=config.patches,
            micro_batch=config.micro_batch,
            is_compiled=config.compile,
        )

    def _resume(self) -> None:
        """Take up the last whole checkpoint; the first process reads it for all."""
        state = None
        if self.place.is_first:
            state = runstate.load_last(self.files.checkpoints, self.damaged)
            if state is None and self.damaged:
                raise BadRun(f"{'; '.join(self.damaged)}; none is left: choose another --output")
            self.files.forget_metrics_after(state.step if state else -1)
        state = ranks.agree(state, self.place)
        if state is None:
            return
        self.learner.load_tensors(state.tensors)
        self.learner.load_scale(state.facts["scale"])
        self.learner.micro_batch = state.facts["micro_batch"]
        self.step = state.step
        self.seconds_before = state.facts["seconds"]
        self.is_complete = state.facts["is_complete"]

    # ------------------------------------------------------------------------ the story

    def events(self) -> Iterator[Event]:
        """Everything that happens, in order."""
        yield self._started()
        for unreadable in self.photos.unreadable:
            yield Skipped(path=unreadable.path, reason=unreadable.reason)
        if self.is_complete:
            yield self._finished()
            return
        yield from self._probe()
        yield from self._loop()
        yield from self._new_skips()
        yield from self._probe()
        yield self._save()
        yield self._finished()

    def _loop(self) -> Iterator[Event]:
        """Step by step until the end or until asked to stop."""
        config = self.config
        workers = config.workers or min(MOST_WORKERS, torch.get_num_threads())
        steps = iter(range(self.step, self.total_steps)) if self.total_steps else count(self.step)
        cuttings = cut_ahead(
            self.store, self._plan, steps=steps, side=config.image_size, workers=workers
        )
        try:
            for cutting in cuttings:
                is_stopping, is_saving, is_probing = self._agree()
                if self.progress >= 1.0 or is_stopping:
                    break
                if is_saving:
                    yield from self._read_losses()
                    yield self._save()
                if is_probing:
                    yield from self._probe()
                lr = learning_rate(self.progress, peak=config.peak_lr, warmup=config.warmup)
                views = make_views(cutting, config.image_size)
                loss = self.learner.step(views, cutting.classes, lr)
                self.step += 1
                self.pending.append((self.step, loss, lr))
                if self.device.type != "cuda" or len(self.pending) >= READ_EVERY:
                    yield from self._read_losses()
                    yield from self._new_skips()
        finally:
            cuttings.close()
        yield from self._read_losses()
        self.is_complete = self.progress >= 1.0 or self.step == self.total_steps

    def _plan(self, step: int) -> BatchPlan:
        """This process's share of a step's plan."""
        return plan_batch(
            step,
            halves=self.halves,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            photos_per_class=self.config.photos_per_class,
            pristine_share=self.config.pristine_share,
            is_distorting=self.photos.classes is None,
        ).share(self.place.rank, self.place.world)

    def _seconds(self) -> float:
        """Of training, over all sessions of the run."""
        return self.seconds_before + time.monotonic() - self.began

    def _agree(self) -> tuple[bool, bool, bool]:
        """Set the progress, and say whether to stop, save and probe: the same on all processes."""
        now = time.monotonic()
        if self.config.minutes is None:
            assert self.total_steps is not None
            progress = self.step / self.total_steps
        else:
            planned = max(self.config.minutes * 60 - self.reserve, 1e-9)
            progress = min(self._seconds() / planned, 1.0)
        probe_after = self.config.probe_minutes * 60
        is_saving = now - self.saved_at >= self.config.checkpoint_minutes * 60
        is_probing = probe_after > 0 and now - self.probed_at >= probe_after
        own = (
            progress,
            self.should_stop(),
            is_saving and self.step > self.saved_step,
            is_probing and self.probe is not None,
        )
        self.progress, *rest = ranks.agree(own, self.place)
        return rest[0], rest[1], rest[2]

    def _read_losses(self) -> Iterator[StepReport]:
        """Look at the losses not yet seen, write them down, and stop at one that is not finite."""
        if not self.pending:
            return
        losses = torch.stack([loss for _, loss, _ in self.pending]).tolist()
        now = time.monotonic()
        rate = len(losses) * self.config.batch_size / max(now - self.read_at, 1e-9)
        self.rate = rate if self.rate is None else RATE_MEMORY * self.rate + (1 - RATE_MEMORY) * rate
        self.read_at = now
        for (step, _, lr), loss in zip(self.pending, losses, strict=True):
            if not math.isfinite(loss):
                raise self._not_finite(step, lr)
            report = StepReport(
                step=step,
                epoch=step / self.per_epoch,
                loss=loss,
                lr=lr,
                photos_per_second=self.rate,
                progress=self.progress,
                seconds_left=self._seconds_left(),
            )
            self._write_metrics({"seconds": round(self._seconds(), 2), **asdict(report)})
            yield report
        self.pending.clear()

    def _seconds_left(self) -> float:
        if self.config.minutes is not None:
            return max(self.config.minutes * 60 - self._seconds(), 0.0)
        assert self.total_steps is not None
        assert self.rate is not None
        return (self.total_steps - self.step) * self.config.batch_size / self.rate

    def _write_metrics(self, row: dict[str, Any]) -> None:
        if self.place.is_first:
            self.files.add_metrics(row)

    def _not_finite(self, step: int, lr: float) -> BadRun:
        kept = self.saved_step
        good = f"the checkpoint of step {kept} is good" if kept else "no checkpoint was made yet"
        return BadRun(
            f"the loss is not finite at step {step} (learning rate {lr:.4g}); {good}. Lower --lr "
            f"(its peak is {self.config.peak_lr:.4g}) or give --precision fp32, with another "
            f"--output{' and --init ' + str(self.files.encoder) if kept else ''}"
        )

    def _new_skips(self) -> Iterator[Skipped]:
        """Photos found unusable since the last look."""
        for path, reason in list(self.store.skipped.items()):
            if path not in self.reported:
                self.reported.add(path)
                yield Skipped(path=path, reason=reason)

    def _probe(self) -> Iterator[Probed]:
        """Judge the network; the other processes wait at the next agreement."""
        if not self.place.is_first or not self.photos.probe_synthetic:
            return
        start = time.monotonic()
        if self.probe is None:
            self.probe = Probe(
                self.photos.probe_synthetic,
                self.photos.probe_authentic,
                side=self.config.image_size,
                max_side=self.config.max_side,
                device=self.device,
            )
            start = time.monotonic()
        if self.probe.is_possible:
            yield from self._read_losses()
            result = self.probe.run(self.learner.embed)
            self._write_metrics({"step": self.step, "probe": asdict(result)})
            yield Probed(step=self.step, result=result)
        self.probed_at = self.read_at = time.monotonic()
        self.reserve = self.probed_at - start

    def _save(self) -> Saved:
        """Write a checkpoint and an encoder file that can be used at once."""
        tensors = self.learner.tensors()
        if not all(value.isfinite().all() for value in tensors.values()):
            raise self._not_finite(self.step, 0.0)
        state = runstate.RunState(
            step=self.step,
            facts={
                "scale": self.learner.scale(),
                "micro_batch": self.learner.micro_batch,
                "seconds": self._seconds(),
                "is_complete": self.is_complete,
            },
            tensors=tensors,
        )
        path = self.files.checkpoints
        if self.place.is_first:
            path = runstate.save(path, state, part_size=self.config.split_checkpoint)
            checkpoint.save(self.files.encoder, self.learner.model, provenance=self._provenance())
        self.saved_at = self.read_at = time.monotonic()
        self.saved_step = self.step
        return Saved(step=self.step, path=path)

    def _provenance(self) -> dict[str, Any]:
        """How the weights came to be: facts that are the same whenever the run is repeated."""
        names = ("data", "pristine", "authentic", "workers", "memory_budget")
        return {
            "made_by": "contrique train",
            "photos": self.halves._asdict(),
            "steps": self.step,
            "is_complete": self.is_complete,
            "precision": self.precision,
            "config": {k: v for k, v in self.config.as_dict().items() if k not in names},
        }

    def _started(self) -> Started:
        return Started(
            device=str(self.device),
            precision=self.precision,
            halves=self.halves,
            probed=len(self.photos.probe_synthetic) + len(self.photos.probe_authentic),
            total_steps=self.total_steps,
            step=self.step,
            damaged=tuple(self.damaged),
            left_out=self.photos.left_out,
        )

    def _finished(self) -> Finished:
        rows = [row for row in self.files.read_metrics() if "loss" in row]
        if self.place.is_first:
            steps, losses = [row["step"] for row in rows], [row["loss"] for row in rows]
            title = f"{self.config.arch}, {self.config.batch_size} photos per step"
            lossplot.draw(self.files.curve, steps, losses, title)
        return Finished(
            step=self.step,
            is_complete=self.is_complete,
            encoder=self.files.encoder,
            curve=self.files.curve,
            skipped=len(self.store.skipped) + len(self.photos.unreadable),
        )
