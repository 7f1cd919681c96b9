"""EfficientNet-Lite0 as a row of layers: what enters is RGB in [0, 1], as for every encoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from contrique_cli.encoder.architectures import TRUNK

STEM = 32
"""Channels of the first convolution."""

WIDEN = 6
"""How many times wider a block is inside, but for the first."""

EPSILON = 1e-3
"""What every batch norm adds to a variance."""

MOMENTUM = 0.01
"""Share of the newest batch in the statistics of every batch norm, as PyTorch counts it."""


SCALE, SHIFT = 255.0 / 128.0, 127.0 / 128.0
"""What takes samples in [0, 1] to those that the published weights know."""


class Stage(NamedTuple):
    """Blocks in a row, of which the first takes the stride and the new width."""

    depth: int
    kernel: int
    stride: int
    width: int


TABLE = (
    Stage(1, 3, 1, 16),
    Stage(2, 3, 2, 24),
    Stage(2, 5, 2, 40),
    Stage(3, 3, 2, 80),
    Stage(3, 5, 1, 112),
    Stage(4, 5, 2, 192),
    Stage(1, 3, 1, 320),
)
"""Source: Tan and Le, "EfficientNet", ICML 2019, table 1, with the stem's and the first stage's
width kept and no squeeze-and-excitation, as in EfficientNet-Lite."""


class Centred(nn.Module):
    """Samples as the published weights know them: (x * 255 - 127) / 128, any shape."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """RGB in [0, 1] to about [-1, 1]."""
        return images * SCALE - SHIFT


class Convolution(nn.Sequential):
    """Padding where it is lopsided, a convolution, batch norm, and ReLU6 where wanted.

    With stride 2 one more pixel of padding lies right and below than left and above, as the
    published weights were trained ("static same padding" of sides divisible by 32).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        groups: int = 1,
        has_relu: bool = True,
    ) -> None:
        left = (kernel - stride) // 2
        right = kernel - stride - left
        is_even = left == right
        layers: list[nn.Module] = [] if is_even else [nn.ZeroPad2d((left, right, left, right))]
        layers += [
            nn.Conv2d(
                inputs,
                outputs,
                kernel,
                stride=stride,
                padding=left if is_even else 0,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM),
        ]
        if has_relu:
            layers.append(nn.ReLU6(inplace=True))
        super().__init__(*layers)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to (B, outputs, H, W) by stride.

        A norm of fixed statistics goes into the weights, gradients included: that saves two passes
        over the map.
        """
        layers = list(self)
        first = next(n for n, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
        convolution, norm = layers[first : first + 2]
        for layer in layers[:first]:
            maps = layer(maps)
        maps = norm(convolution(maps)) if norm.training else _folded(convolution, norm, maps)
        for layer in layers[first + 2 :]:
            maps = layer(maps)
        return maps


def _folded(convolution: nn.Module, norm: nn.Module, maps: torch.Tensor) -> torch.Tensor:
    """A convolution and a batch norm of fixed statistics as one convolution."""
    assert isinstance(convolution, nn.Conv2d)  # noqa: S101 - as `Convolution` builds it
    assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - as `Convolution` builds it
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)  # (outputs,)
    return functional.conv2d(
        maps,
        convolution.weight * scale.view(-1, 1, 1, 1),
        norm.bias - mean * scale,
        convolution.stride,
        convolution.padding,
        convolution.dilation,
        convolution.groups,
    )


class InvertedBottleneck(nn.Module):
    """Widen, a convolution per channel, narrow; added to what came in where the shape stays.

    Source: Sandler et al., "MobileNetV2", CVPR 2018, figure 4, with ReLU6.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, widen: int) -> None:
        super().__init__()
        inner = inputs * widen
        rows = [] if widen == 1 else [Convolution(inputs, inner, 1)]
        rows.append(Convolution(inner, inner, kernel, stride, groups=inner))
        rows.append(Convolution(inner, outputs, 1, has_relu=False))
        self.row = nn.Sequential(*rows)
        self.is_added = stride == 1 and inputs == outputs

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to (B, outputs, H, W) by stride."""
        inner: torch.Tensor = self.row(maps)
        return inner + maps if self.is_added else inner


def build() -> nn.Sequential:
    """The network without its classifier, from random weights.

    Returns:
        `Centred`, the stem, then one `nn.Sequential` of `InvertedBottleneck` per stage; images
        (B, 3, H, W) to a map (B, 320, H / 32, W / 32).
    """
    return _initialised(Centred(), Convolution(3, STEM, 3, 2), *_stages(0))


def build_branched() -> nn.Sequential:
    """The network with its last stages twice: both branches begin at the map of stage `TRUNK`.

    Returns:
        The layers of `build`, then those of the second branch; see `Architecture.branches`.
    """
    return _initialised(*build(), *_stages(TRUNK))


def _stages(first: int) -> Iterator[nn.Sequential]:
    """The stages of `TABLE` from an index on."""
    inputs = TABLE[first - 1].width if first else STEM
    for index, stage in enumerate(TABLE[first:], first):
        blocks = []
        for depth in range(stage.depth):
            block = InvertedBottleneck(
                inputs,
                stage.width,
                kernel=stage.kernel,
                stride=stage.stride if depth == 0 else 1,
                widen=WIDEN if index else 1,
            )
            blocks.append(block)
            inputs = stage.width
        yield nn.Sequential(*blocks)


def _initialised(*layers: nn.Module) -> nn.Sequential:
    network = nn.Sequential(*layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
