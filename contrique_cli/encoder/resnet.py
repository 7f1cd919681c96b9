"""Residual networks as a row of layers, laid out as the official files name their weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

STEM = 64
"""Channels of the first convolution, and of conv2_x inside its blocks (He et al., table 1)."""

STAGES = (2, 4, 5, 6, 7)
"""Places in the row of maps worth pooling: the stem before its pooling, conv2_x to conv5_x."""


class Basic(nn.Module):
    """Two 3x3 convolutions, added to what came in: (B, C, H, W) to (B, width, H, W) by stride.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5 left.
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """One block; see the class."""
        inner = self.relu(self.bn1(self.conv1(maps)))
        inner = self.bn2(self.conv2(inner))
        inner += maps if self.downsample is None else self.downsample(maps)
        after: torch.Tensor = self.relu(inner)
        return after


class Bottleneck(nn.Module):
    """Narrow, 3x3, widen, added to what came in: (B, C, H, W) to (B, 4 * width, H, W) by stride.

    The stride sits on the 3x3 convolution, as in all weights of today.

    Source: He et al., CVPR 2016, figure 5 right.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = _convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """One block; see the class."""
        inner = self.relu(self.bn1(self.conv1(maps)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        inner += maps if self.downsample is None else self.downsample(maps)
        after: torch.Tensor = self.relu(inner)
        return after


def build(block: type[Basic | Bottleneck], depths: Sequence[int]) -> nn.Sequential:
    """A residual network without pooling and classifier, initialised as He et al. do (fan out).

    Args:
        block: what the groups are made of.
        depths: blocks in each group, conv2_x first; fewer than four groups end it early.

    Returns:
        Convolution, batch norm, ReLU, max pooling, then one `nn.Sequential` per group; images
        (B, 3, H, W) to a map (B, C, H / 32, W / 32) with four groups.

    Source: He et al., CVPR 2016, table 1; initialisation: He et al., ICCV 2015, equation 14.
    """
    layers: list[nn.Module] = [
        _convolution(3, STEM, 7, 2),
        nn.BatchNorm2d(STEM),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    inputs = STEM
    for group, depth in enumerate(depths):
        width, blocks = STEM * 2**group, []
        for place in range(depth):
            blocks.append(block(inputs, width, 2 if group > 0 and place == 0 else 1))
            inputs = width * block.expansion
        layers.append(nn.Sequential(*blocks))
    network = nn.Sequential(*layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """What brings the block's input to the shape of its output; None where it has it already."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
