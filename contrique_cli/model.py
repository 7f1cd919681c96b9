"""The network: an encoder that pools to one unit vector per photo and scale, and its projector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from contrique_cli.errors import BadOption, UnknownDevice

try:
    from torchvision import models as vision
except (ImportError, RuntimeError) as error:  # pragma: no cover - needs a broken installation
    raise ImportError(
        f"torchvision cannot be imported ({error}). torch and torchvision do not match: they come "
        "from different builds. Make a fresh environment and install contrique there with plain "
        "pip, so that both come from one place."
    ) from error

PROJECTION = 128
"""Numbers per patch that the contrastive loss sees (paper, section III)."""


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


def _resnet(build: Callable[..., nn.Module]) -> Callable[[], nn.Sequential]:
    """A residual network without its pooling and classifier: the official files' key layout."""
    return lambda: nn.Sequential(*list(build(weights=None).children())[:-2])


@dataclass(frozen=True)
class Architecture:
    """A way to build an encoder and the number of channels D of its last map."""

    build: Callable[[], nn.Sequential]
    channels: int


ARCHITECTURES = {
    "resnet50": Architecture(_resnet(vision.resnet50), 2048),
    "resnet18": Architecture(_resnet(vision.resnet18), 512),
    "tiny": Architecture(_tiny, 16),
}


class Contrique(nn.Module):
    """Encoder and projector of CONTRIQUE.

    Attributes:
        arch: a key of `ARCHITECTURES`.
        channels: D, numbers per photo and scale.
        encoder: images (B, 3, H, W) in [0, 1] to a map (B, D, h, w).
        projector: patch features (N, D) to embeddings (N, K); used in pre-training only.

    Source: Madhusudana et al., IEEE TIP 2022, section III.
    """

    def __init__(self, arch: str) -> None:
        super().__init__()
        if arch not in ARCHITECTURES:
            raise BadOption(
                f"no architecture is called {arch!r}; choose one of {', '.join(ARCHITECTURES)}"
            )
        self.arch = arch
        self.channels = ARCHITECTURES[arch].channels
        self.encoder = ARCHITECTURES[arch].build()
        self.projector = nn.Sequential(
            nn.Linear(self.channels, self.channels, bias=False),
            nn.BatchNorm1d(self.channels),
            nn.ReLU(inplace=True),
            nn.Linear(self.channels, PROJECTION, bias=False),
            nn.BatchNorm1d(PROJECTION),
        )

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """One unit vector per image, at one scale.

        Args:
            images: RGB in [0, 1], shape (B, 3, H, W).

        Returns:
            Shape (B, D), each row of Euclidean length 1, float32.
        """
        pooled = self.encoder(images).float().mean(dim=(2, 3))  # (B, D, h, w) -> (B, D)
        return functional.normalize(pooled, dim=1)

    def cells(self, images: torch.Tensor, patches: int = 2) -> torch.Tensor:
        """Features of a grid of patches per image, before the projector.

        Args:
            images: RGB in [0, 1], shape (B, 3, H, W).
            patches: side of the grid the encoder's map is pooled to.

        Returns:
            Shape (B * patches**2, D), float32, the patches of one image side by side, each row of
            Euclidean length 1.
        """
        maps = functional.adaptive_avg_pool2d(self.encoder(images).float(), patches)  # (B, D, p, p)
        rows = maps.flatten(2).transpose(1, 2).reshape(-1, self.channels)  # (B * p * p, D)
        return functional.normalize(rows, dim=1)


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
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnknownDevice(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); "
            "try --device cpu, or leave the option out"
        ) from error
    return device
