"""Weights that are the same numbers in float32 and in bfloat16, once merged with their norms."""

from __future__ import annotations

import torch
from torch import nn

from contrique_cli.encoder import merged
from contrique_cli.encoder.efficientnet import Convolution


@torch.no_grad()
def settle(encoder: nn.Sequential) -> None:
    """Round an EfficientNet's weights so that scoring in bfloat16 rounds maps alone.

    All numbers become ones of half precision, as they are stored. Each convolution but the first,
    which is float32 in any precision, then gives numbers of bfloat16 when its norm is folded into
    it, but for the rounding of half precision, a tenth of that of bfloat16.

    Args:
        encoder: changed in place.
    """
    for layer in encoder.modules():
        if isinstance(layer, Convolution):
            convolution = next(one for one in layer if isinstance(one, nn.Conv2d))
            norm = next(one for one in layer if isinstance(one, nn.BatchNorm2d))
            _settle(convolution, norm)


def _settle(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    for numbers in (norm.weight, norm.bias, mean, variance):
        numbers.copy_(numbers.half())
    weight = convolution.weight
    if convolution.in_channels != 3:  # noqa: PLR2004 - of colour
        scale = (norm.weight * torch.rsqrt(variance + norm.eps)).view(-1, 1, 1, 1)
        rounded = merged.round_weights(weight * scale, torch.bfloat16).float()
        weight.copy_(torch.where(scale != 0, rounded / scale, weight))
    weight.copy_(weight.half())
