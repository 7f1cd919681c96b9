"""The command `contrique train`: options to configuration, what happens to words."""

from __future__ import annotations

import math
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from contrique_cli.cli import console
from contrique_cli.cli.options import Device
from contrique_cli.errors import BadOption
from contrique_cli.pretraining import runevents, trainconfig
from contrique_cli.pretraining.runevents import Event
from contrique_cli.pretraining.runfiles import read_config
from contrique_cli.pretraining.trainconfig import TrainConfig
from contrique_cli.words import plural

LINE_SECONDS = 30.0
"""Seconds between two lines of progress where no bar can be shown."""

EXIT_BY_SIGNAL = 128
"""Added to a signal's number, as shells do."""


def train(  # noqa: PLR0917 - options of a command
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder of the run; if it holds one, go on.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder with the subfolders pristine and authentic."),
    ] = None,
    pristine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR", help="Folder of clean photos to distort; may be given several times."
        ),
    ] = None,
    authentic: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="Folder of ordinary photos; may be given several times."),
    ] = None,
    pristine_list: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="CSV (File_names, labels) of distorted photos."),
    ] = None,
    authentic_list: Annotated[
        str | None, typer.Option(metavar="TABLE", help="CSV (File_names) of ordinary photos.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file of settings; options win over it."),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="resnet50, resnet18, resnet18-c4, lite0, lite0-branched or tiny.",
            show_default=TrainConfig.arch,
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Encoder file to start from, or imagenet.",
            show_default="random weights",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Passes over the larger half.",
            show_default=str(TrainConfig.epochs),
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="N", help="Plan the run to end after this long, not by epochs."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Photos per step, over all processes.",
            show_default=str(TrainConfig.batch_size),
        ),
    ] = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Views per forward pass, to save memory.", show_default="all"
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE", help="Peak learning rate.", show_default="0.6 x views per step / 1024"
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Side of a view.", show_default=str(TrainConfig.image_size)
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Seed of all randomness.", show_default=str(TrainConfig.seed)
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Threads that decode and cut photos.", show_default="by processors"
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="auto, fp32, bf16 or fp16.", show_default=TrainConfig.precision
        ),
    ] = None,
    split_checkpoint: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Write checkpoints in parts of this size, as 15MiB."),
    ] = None,
    device: Device = None,
) -> None:
    """Pre-train an encoder on your photos, without scores.

    Example: contrique train --data photos --output run --arch resnet18 --minutes 20
    """
    given = {
        name: value
        for name, value in locals().items()
        if value not in (None, []) and name not in {"output", "recipe", "device"}
    }
    run(output, recipe, given, device)


def run(output: Path, recipe: Path | None, given: dict[str, Any], device: str | None) -> None:
    """Train and tell.

    Args:
        output: the run's folder.
        recipe: TOML file.
        given: options the user gave, by field.
        device: asked for.

    Raises:
        ContriqueError: what the user can mend.
    """
    from contrique_cli.encoder.model import pick_device
    from contrique_cli.pretraining.ranks import read_process
    from contrique_cli.pretraining.train import train as pretrain

    config = resolve(output, recipe, given)
    process = read_process()
    with stopping_on_signals() as received:
        events = pretrain(
            config,
            output,
            device=pick_device(device),
            process=process,
            should_stop=lambda: bool(received),
        )
        tell(events, is_quiet=not process.is_first)
    if received:
        raise typer.Exit(EXIT_BY_SIGNAL + received[0])


def resolve(output: Path, recipe: Path | None, given: dict[str, Any]) -> TrainConfig:
    """Defaults, or the settings of the run that goes on; over them the recipe, then the options.

    Raises:
        BadOption: something cannot be used, or there is no data.
    """
    stored = read_config(output)
    values = dict(stored["config"]) if stored else {}
    if recipe is not None:
        values |= trainconfig.read_recipe(recipe)
    values |= trainconfig.checked(given, "the command line")
    config = TrainConfig(**trainconfig.checked(values, "the configuration"))
    sources = (
        config.data,
        config.pristine,
        config.authentic,
        config.pristine_list,
        config.authentic_list,
    )
    if not any(sources):
        raise BadOption(
            "no photos are given; name a folder with the subfolders 'pristine' and 'authentic' by "
            "--data, or folders one by one by --pristine and --authentic"
        )
    return config


@contextmanager
def stopping_on_signals() -> Iterator[list[int]]:
    """Note SIGTERM and Ctrl-C instead of dying; a second one dies as usual."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, before[number])

    before = {int(n): signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(events: Iterator[Event], *, is_quiet: bool) -> None:
    """Show what happens: a bar where there is a terminal, else a line now and then.

    Args:
        events: of the run; they are what makes it go.
        is_quiet: say nothing, as all processes but the first.
    """
    shown = -math.inf
    end: list[str] = []  # said below the bar, which would break lines at the terminal's edge
    with console.described(quiet=is_quiet) as show:
        for event in events:
            if is_quiet:
                continue
            words = describe(event)
            if isinstance(event, runevents.StepReport):
                now = time.monotonic()
                if show(words, event.progress) or now - shown < LINE_SECONDS:
                    continue
                shown = now
            if isinstance(event, runevents.Finished):
                end = words.splitlines()
                continue
            for line in words.splitlines():
                console.say(line)
    for line in end:
        console.say(line)


def describe(event: Event) -> str:  # noqa: PLR0911 - one return per kind of event
    """One event in words."""
    match event:
        case runevents.Started():
            return _describe_start(event)
        case runevents.StepReport():
            return (
                f"step {event.step}, epoch {event.epoch:.2f}, {_clock(event.seconds_left)} left: "
                f"loss {event.loss:.4f}, lr {event.lr:.4g}, {event.photos_per_second:.1f} photos/s"
            )
        case runevents.Probed():
            origin = "" if event.origin is None else f", origin {event.origin:.0%} (50 %)"
            return (
                f"step {event.step}, linear probe on held-out photos: distortion "
                f"{event.kind:.0%} right (chance 4 %), level {event.level:.0%} (20 %){origin}"
            )
        case runevents.Skipped():
            return f"left out: {event.path}: {event.reason}"
        case runevents.MemoryShort():
            return (
                "the device's memory ran out: from now on "
                f"{plural(event.micro_batch, 'view')} at once, the contrastive batch stays whole "
                "(--micro-batch sets this beforehand)"
            )
        case runevents.Saved():
            return f"step {event.step}: saved in {event.path}"
        case runevents.Finished():
            return _describe_end(event)


def _describe_start(event: runevents.Started) -> str:
    synthetic, authentic = event.synthetic, event.authentic
    lines = [f"Warning: {words}; the one before is used" for words in event.damaged]
    lines += [f"{plural(n, 'file')} left out: {reason}" for reason, n in event.left_out.items()]
    if not synthetic or not authentic:
        has, lacks = ("pristine", "authentic") if synthetic else ("authentic", "pristine")
        lines.append(f"Only {has} photos are given, no {lacks} ones: training on these alone.")
    lines.append(
        f"Training on {event.device} in {event.precision}: "
        f"{plural(synthetic, 'photo')} to distort, {plural(authentic, 'ordinary one')}, "
        f"{event.probed} kept out for the probe."
    )
    if event.step:
        lines.append(f"Going on after step {event.step}.")
    return "\n".join(lines)


def _describe_end(event: runevents.Finished) -> str:
    skipped = f" {plural(event.skipped, 'photo')} left out." if event.skipped else ""
    if event.is_complete:
        steps = plural(event.step, "step")
        return (
            f"Done after {steps}: {event.encoder}; curve: {event.curve}.{skipped}\n"
            "to score with it, give it opinions: contrique fit-regressor --mos scores.csv --model "
            f"{shlex.quote(str(event.encoder))}"
        )
    return (
        f"Stopped after step {event.step}; everything is saved: run the same command again to go "
        f"on.{skipped}"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
