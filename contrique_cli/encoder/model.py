"""The network: an encoder that pools to one unit vector per photo and scale, and its projector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from contrique_cli.encoder import efficientnet
from contrique_cli.encoder.architectures import (
    ARCHITECTURES,
    LAST,
    POOLINGS,
    SCALES,
    length,
)
from contrique_cli.errors import BadOption, MissingExtra, UnknownDevice

PROJECTION = 128
"""Numbers per patch that the contrastive loss sees (paper, section III)."""

_STEM = 4
"""Layers of a residual network before its groups of blocks: convolution to pooling."""


def _tiny() -> nn.Sequential:
    """A few convolutions for tests: one code path, milliseconds, 16 features."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, 8, 4), (8, 16, 4), (16, 16, 2)):
        layers += [
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _residual(name: str, groups: int = 4) -> nn.Sequential:
    """A residual network as the row of layers that the official files name their weights by.

    Args:
        name: of a builder in `torchvision.models`.
        groups: of blocks, conv2_x first.

    Raises:
        MissingExtra: torchvision is not there or does not fit PyTorch.
    """
    try:
        from torchvision import models  # noqa: PLC0415 - the default network does without
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another PyTorch
        raise MissingExtra(
            f"torchvision, which builds ResNets, cannot be loaded ({error}); install torch and "
            "torchvision together, from one package index"
        ) from error
    network = getattr(models, name)(weights=None)
    return nn.Sequential(*list(network.children())[: _STEM + groups])


_BUILDERS: dict[str, Callable[[], nn.Sequential]] = {
    "resnet50": partial(_residual, "resnet50"),
    "resnet18": partial(_residual, "resnet18"),
    "resnet18-c4": partial(_residual, "resnet18", groups=3),
    "lite0": efficientnet.build,
    "lite0-branched": efficientnet.build_branched,
    "tiny": _tiny,
}


def build(arch: str) -> nn.Sequential:
    """An encoder as a row of layers, from random weights.

    Args:
        arch: a key of `ARCHITECTURES`.

    Raises:
        BadOption: another word.
        MissingExtra: see `_residual`.
    """
    if arch not in _BUILDERS:
        raise BadOption(
            f"no architecture is called {arch!r}; choose one of {', '.join(ARCHITECTURES)}"
        )
    return _BUILDERS[arch]()


_DRAWING = (nn.init.kaiming_uniform_, nn.init.uniform_, torch.Tensor.normal_)
"""What the layers of our networks draw their first weights by."""


class Undrawn(TorchFunctionMode):
    """Networks built meanwhile keep whatever memory they got: the weights of a file will follow.

    Drawing weights to throw them away took 60 ms of every start. The device "meta" alone does not
    help: drawing on it loads PyTorch's compiler, which takes a second.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Anything but drawing is done."""
        given = kwargs or {}
        if func in _DRAWING:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


_FLAT = 1e-8
"""Variance below which a patch counts as flat: a root has no slope at 0."""


class Contrique(nn.Module):
    """Encoder and projector of CONTRIQUE.

    Attributes:
        arch: a key of `ARCHITECTURES`.
        pooling: one of `POOLINGS`; it changes features, not weights.
        channels: D, of the last map.
        length: F, numbers per photo and scale: D, or twice the channels of all stages.
        scales: at how many a photo is looked at; see `SCALES`.
        encoder: a row of layers, from images (B, 3, H, W) in [0, 1] to a map (B, D, h, w); see
            `maps` for one with branches.
        projector: patch features (N, F) to embeddings (N, K); used in pre-training only, and
            empty without `has_projector`.

    Source: Madhusudana et al., IEEE TIP 2022, section III.
    """

    def __init__(self, arch: str, pooling: str = LAST, *, has_projector: bool = True) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise BadOption(f"pooling {pooling!r}: choose one of {', '.join(POOLINGS)}")
        encoder = build(arch)
        self.arch = arch
        self.pooling = pooling
        self.channels = ARCHITECTURES[arch].channels
        self.length = length(arch, pooling)
        self.scales = SCALES[pooling]
        self.encoder = encoder
        self.projector = nn.Sequential()
        if has_projector:
            self.projector.extend(
                (
                    nn.Linear(self.length, self.length, bias=False),
                    nn.BatchNorm1d(self.length),
                    nn.ReLU(inplace=True),
                    nn.Linear(self.length, PROJECTION, bias=False),
                    nn.BatchNorm1d(PROJECTION),
                )
            )

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """One feature vector per image, at one scale.

        Args:
            images: RGB in [0, 1], shape (B, 3, H, W).

        Returns:
            Shape (B, F), float32; see `pool`.
        """
        return self.pool(self.maps(images))

    def maps(
        self, images: torch.Tensor, encoder: nn.Sequential | None = None
    ) -> Iterator[torch.Tensor]:
        """The maps that features are pooled from, shapes (B, C, h, w): the last, or every stage's.

        One by one, so that a map's memory is free again once it is pooled.

        Args:
            images: RGB in [0, 1], shape (B, 3, H, W).
            encoder: stands in for `self.encoder`, with the same maps at the same indices.
        """
        known = ARCHITECTURES[self.arch]
        chosen = known.stages[-1:] if self.pooling == LAST else known.stages
        forks: dict[int, torch.Tensor] = {}
        for index, layer in enumerate(encoder or self.encoder):
            if index in known.branches:
                images = forks.pop(known.branches[index])
            images = layer(images)
            if index in known.branches.values():
                forks[index] = images
            if index in chosen:
                yield images

    def pool(self, maps: Iterable[torch.Tensor]) -> torch.Tensor:
        """Features from the maps that `maps` gave.

        With pooling "last": the mean over the map, scaled to Euclidean length 1. With "stages": for
        each stage in turn the means, then the standard deviations over the map, the two together
        scaled to length 1.

        Returns:
            Shape (B, F), float32.
        """
        if self.pooling == LAST:
            return torch.cat([functional.normalize(_mean(each), dim=1) for each in maps], dim=1)
        parts = (torch.cat(_mean_and_deviation(each), dim=1) for each in maps)
        return torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1)

    def cells(self, images: torch.Tensor, patches: int = 2) -> torch.Tensor:
        """Features of a grid of patches per image, before the projector.

        They are what `embed` gives, taken over a patch instead of the whole map: with pooling
        "last" the published ones, with "stages" what a regressor will see.

        Args:
            images: RGB in [0, 1], shape (B, 3, H, W).
            patches: side of the grid that maps are pooled to.

        Returns:
            Shape (B * patches**2, F), float32, the patches of one image side by side, each row, or
            each stage's part of it, of Euclidean length 1.
        """
        rows = []
        for maps in self.maps(images):
            values = maps.float()
            part = functional.adaptive_avg_pool2d(values, patches)  # (B, C, p, p)
            if self.pooling != LAST:
                squares = functional.adaptive_avg_pool2d(values * values, patches)
                deviations = (squares - part * part).clamp(min=_FLAT).sqrt()
                part = torch.cat([part, deviations], dim=1)
            part = part.flatten(2).transpose(1, 2).flatten(0, 1)  # (B * p * p, C)
            rows.append(functional.normalize(part, dim=1))
        return torch.cat(rows, dim=1)


def _mean(map_: torch.Tensor) -> torch.Tensor:
    """Mean of each channel, shape (B, C), float32, from shape (B, C, h, w) in any precision."""
    return map_.float().flatten(2).mean(dim=2)


def _mean_and_deviation(map_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Those of each channel, shapes (B, C), float32, from shape (B, C, h, w) in any precision."""
    if map_.device.type == "cpu" and not map_.requires_grad:
        # What batch norm measures in training, photo by photo: twenty times quicker than `var`,
        # since it reads the map as it lies.
        unused = torch.zeros(map_.shape[1])
        found = [torch.batch_norm_update_stats(one[None], unused, unused, 0.0) for one in map_]
        means, variances = (torch.stack(each) for each in zip(*found, strict=True))
    else:
        rows = map_.float().flatten(2)  # (B, C, h * w)
        means, variances = rows.mean(dim=2), rows.var(dim=2, correction=0)
    return means, variances.clamp(min=0).sqrt()


def pick_device(name: str | None = None) -> torch.device:
    """The device asked for, else CUDA, else Apple's MPS, else the CPU.

    Args:
        name: such as "cpu", "cuda", "cuda:1" or "mps"; None chooses.

    Raises:
        UnknownDevice: the machine has no such device.
    """
    if name is None or name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UnknownDevice(
            f"no device is called {name!r}: give --device cpu, cuda, cuda:1 or mps, or leave it out"
        ) from error
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnknownDevice(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); "
            "try --device cpu, or leave the option out"
        ) from error
    return device
