"""The parts of a run, made from its configuration."""

from __future__ import annotations

from pathlib import Path

import torch

from contrique_cli.encoder import capacity, checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadOption, BadTrainingData
from contrique_cli.pretraining import imagenet
from contrique_cli.pretraining.batchplan import Halves, split
from contrique_cli.pretraining.learner import Learner
from contrique_cli.pretraining.photostore import PhotoStore
from contrique_cli.pretraining.ranks import Process
from contrique_cli.pretraining.runfiles import RunFiles
from contrique_cli.pretraining.trainconfig import TrainConfig
from contrique_cli.pretraining.trainphotos import TrainPhotos

DEVICE_SHARE = 0.25
"""Share of a GPU's free memory that decoded photos may fill."""


def check_config(config: TrainConfig, files: RunFiles, precision: str, process: Process) -> None:
    """Compare the configuration with that of the run that goes on.

    Raises:
        BadRun: it differs in what changes the weights.
    """
    if process.is_first:
        files.check_config(config.as_dict(), {"resolved_precision": precision})


def write_config(
    config: TrainConfig, files: RunFiles, precision: str, device: torch.device, process: Process
) -> None:
    """Write the configuration down, once a run can begin: what could not leaves none behind.

    Raises:
        CannotWrite: the run's folder cannot be written.
    """
    if not process.is_first:
        return
    facts = {"resolved_precision": precision, "device": str(device)}
    more = {"processes": process.world, "peak_lr": config.peak_lr}
    files.write_config(config.as_dict(), {**facts, **more})


def check_batch(batch_size: int, halves: Halves, process: Process) -> None:
    """See that a batch can be filled and shared.

    Raises:
        BadOption: it cannot be shared evenly among the processes.
        BadTrainingData: it takes more photos than there are.
    """
    parts = split(batch_size, halves)
    if any(part % process.world for part in parts):
        raise BadOption(
            f"--batch-size {batch_size} cannot be shared evenly among {process.world} processes; "
            f"choose a multiple of {2 * process.world}"
        )
    for name, has, needs in zip(("pristine", "authentic"), halves, parts, strict=True):
        if has < needs:
            raise BadTrainingData(
                f"too few photos: {has} {name}, and a batch of {batch_size} takes {needs}; add "
                "photos or lower --batch-size"
            )


def make_store(
    config: TrainConfig, photos: TrainPhotos, device: torch.device, process: Process
) -> PhotoStore:
    """The photos, with half of the free memory and a part of the GPU's to keep them in."""
    budget = config.memory_budget * 1e9 or capacity.SHARE * capacity.free_memory()
    on_device = 0
    if device.type == "cuda":
        on_device = int(torch.cuda.mem_get_info(device)[0] * DEVICE_SHARE)
    halves = Halves(len(photos.synthetic), len(photos.authentic))
    return PhotoStore(
        (photos.synthetic, photos.authentic),
        region=2 * config.image_size,
        least=split(config.batch_size, halves),
        max_side=config.max_side,
        memory_budget=int(budget / process.world),
        device=device,
        device_budget=on_device,
        classes=photos.classes,
    )


def make_learner(
    config: TrainConfig, precision: str, device: torch.device, process: Process
) -> Learner:
    """The network with its optimiser; `--seed` decides every random weight.

    Raises:
        BadOption, BadModelFile, MissingExtra: see `_make_model`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = _make_model(config)
    return Learner(
        model,
        device=device,
        process=process,
        precision=precision,
        temperature=config.temperature,
        patches=config.patches,
        optimiser=config.optimiser,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        micro_batch=config.micro_batch,
        has_centres=config.class_centres,
        seed=config.seed,
        is_compiled=config.compile,
        encoder_lr=config.encoder_lr,
        frozen_first=config.frozen_first,
        frozen_last=config.frozen_last,
        has_frozen_norm=config.frozen_norm,
        anchor=config.anchor,
    )


def _make_model(config: TrainConfig) -> Contrique:
    """Random weights, or those of `--init`, with a random projector where that has none.

    Raises:
        BadOption: those are of another architecture.
        BadModelFile: see `checkpoint.load` and `imagenet.load_into`.
        MissingExtra: see `imagenet.load_into`.
    """
    model = Contrique(config.arch, config.pooling)
    if config.init == imagenet.NAME:
        if config.arch not in imagenet.ARCHS:
            known = " or ".join(imagenet.ARCHS)
            raise BadOption(f"ImageNet weights are for {known}; give --arch {imagenet.ARCHS[0]}")
        imagenet.load_into(model.encoder)
    elif config.init is not None:
        start, info = checkpoint.load(Path(config.init))
        if info.arch != config.arch:
            raise BadOption(f"{config.init} is a {info.arch}; give --arch {info.arch}")
        model.encoder.load_state_dict(start.encoder.state_dict())
        if len(start.projector) and start.length == model.length:
            model.projector.load_state_dict(start.projector.state_dict())
    return model
