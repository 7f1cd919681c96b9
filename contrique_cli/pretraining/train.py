"""Pre-training, in story order: photos, batches, steps, checkpoints, an encoder file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import torch

from contrique_cli.encoder import capacity, checkpoint
from contrique_cli.errors import BadRun
from contrique_cli.pretraining import lossplot, ranks, runparts, runstate, trainphotos
from contrique_cli.pretraining.batches import cut_ahead, make_views
from contrique_cli.pretraining.batchplan import BatchPlan, Halves, plan_batch, steps_per_epoch
from contrique_cli.pretraining.learner import choose_precision
from contrique_cli.pretraining.pace import Pace, learning_rate
from contrique_cli.pretraining.probe import Probe
from contrique_cli.pretraining.ranks import Process
from contrique_cli.pretraining.runevents import (
    Event,
    Finished,
    MemoryShort,
    Saved,
    Skipped,
    Started,
    StepReport,
)
from contrique_cli.pretraining.runfiles import RunFiles
from contrique_cli.pretraining.trainconfig import TrainConfig

READ_EVERY = 10
"""Steps between two looks at a GPU's losses: each look makes the GPU wait."""

MOST_WORKERS = 8
"""Threads that cut and decode, unless asked for more."""

OF_THE_MACHINE = ("data", "pristine", "authentic", "workers", "memory_budget")
"""Settings that an encoder's provenance leaves out: they tell of a machine, not of the weights."""


def train(
    config: TrainConfig,
    output: Path,
    *,
    device: torch.device,
    process: Process | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Pre-train, or go on with the run that `output` holds.

    Args:
        config: every choice.
        output: RUN, the run's folder.
        device: to train on.
        process: among the processes that torchrun started.
        should_stop: asked after every step; True saves and ends.

    Yields:
        What happens, as it happens; only the first process reports.

    Raises:
        BadTrainingData: too few usable photos.
        BadRun: the run cannot go on: other settings, a loss that is not finite, no memory.
        CannotWrite: `output` cannot be written.
    """
    process = process or Process()
    device = ranks.join(process, device)
    files = RunFiles(output)
    try:
        with files.locked() if process.is_first else nullcontext():
            for event in _Run(config, files, device, process, should_stop).events():
                if process.is_first:
                    yield event
    finally:
        ranks.leave(process)


class _Run:
    """The parts of one run, joined."""

    def __init__(
        self,
        config: TrainConfig,
        files: RunFiles,
        device: torch.device,
        process: Process,
        should_stop: Callable[[], bool],
    ) -> None:
        self.config = config
        self.files = files
        self.device = device
        self.process = process
        self.should_stop = should_stop
        self.precision = choose_precision(config.precision, device)
        runparts.check_config(config, files, self.precision, process)
        self.photos = trainphotos.gather(config)
        self.halves = Halves(len(self.photos.synthetic), len(self.photos.authentic))
        runparts.check_batch(config.batch_size, self.halves, process)
        self.store = runparts.make_store(config, self.photos, device, process)
        self.learner = runparts.make_learner(config, self.precision, device, process)
        self.per_epoch = steps_per_epoch(config.batch_size, self.halves)
        self.total_steps = None if config.minutes else config.epochs * self.per_epoch
        self.pace = Pace(
            minutes=config.minutes, total_steps=self.total_steps, batch_size=config.batch_size
        )
        self.step = 0
        self.is_complete = False
        self.damaged: list[str] = []
        self._resume()
        runparts.write_config(config, files, self.precision, device, process)
        self.saved_step = self.step
        self.probe: Probe | None = None
        self.pending: list[tuple[int, torch.Tensor, float]] = []
        self.reported: set[Path] = set()

    def _resume(self) -> None:
        """Take up the last whole checkpoint; the first process reads it for all."""
        state = None
        if self.process.is_first:
            state = runstate.load_last(self.files.checkpoints, self.damaged)
            if state is None and self.damaged:
                raise BadRun(f"{'; '.join(self.damaged)}; none is left: choose another --output")
            self.files.forget_metrics_after(state.step if state else -1)
        state = ranks.agree(state, self.process)
        if state is None:
            return
        if state.photos != self.photos.digest():
            raise BadRun(
                f"the photos are no longer those that the run in {self.files.folder} began with; "
                "put them back, or choose another --output (and --init to start from its encoder)"
            )
        try:
            self.learner.load_tensors(state.tensors)
        except ValueError as error:
            raise BadRun(
                f"{self.files.checkpoints} holds {error} at step {state.step}; choose another "
                "--output"
            ) from error
        self.learner.load_scale(state.scale)
        self.learner.micro_batch = state.micro_batch
        self.step = state.step
        self.pace.resume(state.seconds)
        self.is_complete = state.is_complete

    # ------------------------------------------------------------------------ the story

    def events(self) -> Iterator[Event]:
        """Everything that happens, in order."""
        yield self._started()
        for unreadable in self.photos.unreadable:
            yield Skipped(path=unreadable.path, reason=unreadable.reason)
        if self.is_complete:
            yield self._finished()
            return
        if not self.step:
            yield from self._probe()
        yield from self._loop()
        if self.is_complete:
            yield from self._probe()
        if self.is_complete or self.step > self.saved_step:
            yield self._save()  # at once after a signal: whoever sent it may not wait long
        yield self._finished()

    def _loop(self) -> Iterator[Event]:
        """Step by step until the end or until asked to stop."""
        config = self.config
        steps = iter(range(self.step, self.total_steps)) if self.total_steps else count(self.step)
        workers = config.workers or min(MOST_WORKERS, capacity.count_cores())
        cuttings = cut_ahead(
            self.store,
            self._plan,
            steps=steps,
            side=config.image_size,
            workers=workers,
            is_making_views=self.device.type == "cpu" and capacity.count_cores() == 1,
        )
        with closing(cuttings):
            for cutting in cuttings:
                is_stopping, is_saving, is_probing = self._agree()
                if self.pace.progress >= 1.0 or is_stopping:
                    break
                if is_saving:
                    yield from self._read_losses()
                    yield self._save()
                if is_probing:
                    yield from self._probe()
                lr = learning_rate(self.pace.progress, peak=config.peak_lr, warmup=config.warmup)
                views = make_views(cutting, config.image_size)
                before = self.learner.micro_batch
                loss = self.learner.step(views, cutting.classes, lr)
                if self.learner.micro_batch != before:
                    yield MemoryShort(micro_batch=self.learner.micro_batch)
                self.step += 1
                self.pending.append((self.step, loss, lr))
                if self.device.type != "cuda" or len(self.pending) >= READ_EVERY:
                    yield from self._read_losses()
                    yield from self._new_skips()
        yield from self._read_losses()
        yield from self._new_skips()
        self.is_complete = self.pace.progress >= 1.0 or self.step == self.total_steps

    def _plan(self, step: int) -> BatchPlan:
        """This process's share of a step's plan."""
        return plan_batch(
            step,
            halves=self.halves,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            photos_per_class=self.config.photos_per_class,
            pristine_share=self.config.pristine_share,
            recoloured_share=self.config.recoloured_share,
            is_distorting=self.photos.classes is None,
        ).share(self.process.rank, self.process.world)

    def _agree(self) -> tuple[bool, bool, bool]:
        """Set the progress, and say whether to stop, save and probe: the same on all processes."""
        config, pace = self.config, self.pace
        has_news = self.step > self.saved_step
        own = (
            pace.measure(self.step),
            self.should_stop(),
            has_news and pace.is_due("save", config.checkpoint_minutes),
            config.probe_minutes > 0 and pace.is_due("probe", config.probe_minutes),
        )
        pace.progress, is_stopping, is_saving, is_probing = ranks.agree(own, self.process)
        return is_stopping, is_saving, is_probing

    def _read_losses(self) -> Iterator[StepReport]:
        """Look at the losses not yet seen, write them down, and stop at one that is not finite."""
        if not self.pending:
            return
        losses = torch.stack([loss for _, loss, _ in self.pending]).tolist()
        rate = self.pace.count(len(losses))
        for (step, _, lr), loss in zip(self.pending, losses, strict=True):
            if not math.isfinite(loss):
                raise self._not_finite(f"the loss is not finite at step {step}, lr {lr:.4g}")
            report = StepReport(
                step=step,
                epoch=step / self.per_epoch,
                loss=loss,
                lr=lr,
                photos_per_second=rate,
                progress=self.pace.measure(step),
                seconds_left=self.pace.seconds_left(step),
            )
            self._write_metrics({"seconds": round(self.pace.seconds(), 2), **asdict(report)})
            yield report
        self.pending.clear()

    def _new_skips(self) -> Iterator[Skipped]:
        """Photos found unusable since the last look."""
        for path, reason in list(self.store.skipped.items()):
            if path not in self.reported:
                self.reported.add(path)
                yield Skipped(path=path, reason=reason)

    def _probe(self) -> Iterator[Event]:
        """Judge the network; the other processes wait at the next agreement."""
        if not self.process.is_first or not self.photos.probe_synthetic:
            self.pace.note("probe")
            return
        yield from self._read_losses()
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
            probed = self.probe.run(self.learner.embed, self.step)
            self._write_metrics({"probe": True, **asdict(probed)})
            yield probed
        self.pace.note("probe", reserve=time.monotonic() - start)

    # ------------------------------------------------------------------------ what is written

    def _write_metrics(self, row: dict[str, Any]) -> None:
        if self.process.is_first:
            self.files.add_metrics(row)

    def _save(self) -> Saved:
        """Write a checkpoint and an encoder file that can be used at once."""
        tensors = self.learner.tensors()
        if not all(bool(value.isfinite().all()) for value in tensors.values()):
            raise self._not_finite(f"the weights are not finite after step {self.step}")
        path = self.files.checkpoints
        if self.process.is_first:
            state = runstate.RunState(
                step=self.step,
                photos=self.photos.digest(),
                scale=self.learner.scale(),
                micro_batch=self.learner.micro_batch,
                seconds=self.pace.seconds(),
                is_complete=self.is_complete,
                tensors=tensors,
            )
            path = runstate.save(path, state, part_size=self.config.split_checkpoint)
            checkpoint.save(self.files.encoder, self.learner.model, provenance=self._provenance())
        self.pace.note("save")
        self.saved_step = self.step
        return Saved(step=self.step, path=path)

    def _provenance(self) -> dict[str, Any]:
        """How the weights came to be: facts that are the same whenever the run is repeated."""
        settings = self.config.as_dict()
        return {
            "made_by": "contrique train",
            "photos": self.halves._asdict(),
            "steps": self.step,
            "is_complete": self.is_complete,
            "precision": self.precision,
            "config": {k: v for k, v in settings.items() if k not in OF_THE_MACHINE},
        }

    def _not_finite(self, what: str) -> BadRun:
        kept = self.saved_step
        good = f"the checkpoint of step {kept} is good" if kept else "no checkpoint was made yet"
        start = f" and --init {self.files.encoder}" if kept else ""
        return BadRun(
            f"{what}; {good}. Lower --lr (its peak is {self.config.peak_lr:.4g}) or give "
            f"--precision fp32, with another --output{start}"
        )

    def _started(self) -> Started:
        return Started(
            device=str(self.device),
            precision=self.precision,
            synthetic=self.halves.synthetic,
            authentic=self.halves.authentic,
            probed=len(self.photos.probe_synthetic) + len(self.photos.probe_authentic),
            total_steps=self.total_steps,
            step=self.step,
            damaged=tuple(self.damaged),
            left_out=self.photos.left_out,
        )

    def _finished(self) -> Finished:
        if self.process.is_first:
            rows = [row for row in self.files.read_metrics() if "loss" in row]
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
