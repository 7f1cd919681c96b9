"""The encoder's layers merged for speed: convolution, batch norm, addition and ReLU in one step."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

_SUM_KEPT = 8
"""Channels whose rounded weights keep their sum where a kernel has a single pixel."""


class Convolution(nn.Module):
    """A convolution with its batch norm folded in, then an addition and a ReLU where wanted.

    On a CPU with oneDNN that is one call, on weights laid out for it once; elsewhere it is
    PyTorch's own operations in turn. Both give the same maps within rounding.
    """

    def __init__(
        self,
        convolution: nn.Conv2d,
        norm: nn.BatchNorm2d,
        *,
        has_relu: bool,
        device: torch.device,
        dtype: torch.dtype,
        unit: float = 1.0,
    ) -> None:
        """Fold, in float32; then move to the device and precision.

        Args:
            convolution, norm: in evaluation mode; they stay as they are.
            has_relu: whether a ReLU comes last.
            device: where the maps will be.
            dtype: of the maps and the weights; the bias stays in float32.
            unit: what 1 in the maps that come in stands for.
        """
        super().__init__()
        with torch.no_grad():
            folded = fuse_conv_bn_eval(convolution, norm)
            weight = round_weights(folded.weight * unit, dtype).to(device)
            assert folded.bias is not None  # noqa: S101 - of the batch norm
            self.bias: torch.Tensor | None = folded.bias.detach().to(device)
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.steps = (folded.padding, folded.stride, folded.dilation, folded.groups)
        self.has_relu = has_relu
        self.is_one_call = _has_one_call(device, dtype)
        if self.is_one_call:
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *self.steps)  # noqa: SLF001 - what torch.compile emits

    def forward(self, maps: torch.Tensor, added: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (B, C, H, W), and what to add before the ReLU, to maps of the new shape."""
        if not self.is_one_call:
            padding, stride, dilation, groups = self.steps
            maps = functional.conv2d(maps, self.weight, None, stride, padding, dilation, groups)
            return self._finish(maps, self.bias, added)
        call = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001 - what torch.compile emits
        last = "relu" if self.has_relu else None
        if added is None:
            return torch.as_tensor(
                call(maps, self.weight, self.bias, *self.steps, last or "none", [], "")
            )
        if self.bias is None or self.bias.dtype == maps.dtype:
            terms = (self.weight, self.bias, *self.steps, "add", 1.0, last)
            return torch.as_tensor(call.binary(maps, added, *terms, [], ""))
        # That call takes no float32 bias with half precision, and a rounded one costs 0.2 points.
        maps = call(maps, self.weight, self.bias, *self.steps, "none", [], "")
        return self._finish(maps, None, added)

    def add_bias_of(self, other: Convolution) -> None:
        """Take over the bias of what will be added: one sum instead of two."""
        assert self.bias is not None  # noqa: S101 - nobody else takes it
        assert other.bias is not None  # noqa: S101 - nobody else takes it
        self.bias, other.bias = self.bias + other.bias, None

    def _finish(self, maps: torch.Tensor, *terms: torch.Tensor | None) -> torch.Tensor:
        """Add what there is, and take the ReLU; in place."""
        for term in terms:
            if term is not None:
                maps += term if term.ndim == maps.ndim else term[:, None, None]
        return functional.relu_(maps) if self.has_relu else maps


class Block(nn.Module):
    """A residual block of merged convolutions."""

    def __init__(self, block: Any, *, device: torch.device, dtype: torch.dtype) -> None:
        """Merge a block in evaluation mode, which stays as it is.

        Args:
            block: a `BasicBlock` or `Bottleneck` of torchvision, known by its parts: other
                networks shall not need torchvision.
        """
        super().__init__()
        pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
        if hasattr(block, "conv3"):
            pairs.append((block.conv3, block.bn3))
        row = [Convolution(*pair, has_relu=True, device=device, dtype=dtype) for pair in pairs]
        self.row = nn.ModuleList(row)
        self.shortcut = None
        if block.downsample is not None:
            self.shortcut = Convolution(
                *block.downsample, has_relu=False, device=device, dtype=dtype
            )
            self.shortcut.add_bias_of(row[-1])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to those of the block that was merged."""
        added = maps if self.shortcut is None else self.shortcut(maps)
        for layer in self.row[:-1]:
            maps = layer(maps)
        return torch.as_tensor(self.row[-1](maps, added))


def merge(
    encoder: nn.Sequential, *, device: torch.device, dtype: torch.dtype, white: float = 1.0
) -> nn.Sequential:
    """An encoder that gives the same maps, sooner; for inference only.

    Every place of the row keeps its map, but that of a convolution or batch norm in front of a
    ReLU is the ReLU's already. The first map stays in float32: in bfloat16 it alone moved scores
    by up to 0.7 points, and is no slower.

    Args:
        encoder: of `model.ARCHITECTURES`, in evaluation mode; it stays as it is.
        device: where it will run.
        dtype: of images and maps; sums inside a convolution are float32 all the same.
        white: what stands for 1 in the images that it will be given.

    Returns:
        Takes images (B, 3, H, W), best in `torch.channels_last`.
    """
    layers = list(encoder)
    row: list[nn.Module] = []
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            norm = layers[place + 1]
            assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - so are all our architectures
            is_first = place == 0
            own = torch.float32 if is_first else dtype
            made = Convolution(
                layer,
                norm,
                has_relu=True,
                device=device,
                dtype=own,
                unit=1 / white if is_first else 1.0,
            )
            row.append(nn.Sequential(Cast(own), made))
        elif isinstance(layer, nn.BatchNorm2d | nn.ReLU):
            row.append(nn.Identity())
        elif isinstance(layer, nn.Sequential):
            blocks = (Block(one, device=device, dtype=dtype) for one in layer)
            row.append(nn.Sequential(Cast(dtype), *blocks))
        else:
            row.append(nn.Sequential(Cast(dtype), layer))
    return nn.Sequential(*row).eval()


class Cast(nn.Module):
    """Maps in another precision; the very same where they are in it already."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Any shape."""
        return maps.to(self.dtype)


def round_weights(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Weights in another precision, each kernel's sum kept: a rounding error is passed on.

    What follows a ReLU has a mean, which rounded sums would shift everywhere in a map alike: on
    photos of 192 x 128 that moved scores by 0.4 points in bfloat16, and so it is 0.05.

    Args:
        weight: shape (C_out, C_in, h, w), float32.
        dtype: of the result.

    Returns:
        The same shape.
    """
    if dtype == weight.dtype:
        return weight
    outputs, inputs, height, width = weight.shape
    side = height * width
    if side == 1 and inputs % _SUM_KEPT == 0:
        side = _SUM_KEPT
    rows = weight.reshape(outputs, -1, side)
    rounded = torch.empty_like(rows, dtype=dtype)
    error = torch.zeros_like(rows[..., 0])
    for place in range(side):
        wanted = rows[..., place] + error
        rounded[..., place] = wanted.to(dtype)
        error = wanted - rounded[..., place].float()
    return rounded.reshape(weight.shape)


def _has_one_call(device: torch.device, dtype: torch.dtype) -> bool:
    return device.type == "cpu" and _takes_one_call(dtype)


@cache
def _takes_one_call(dtype: torch.dtype) -> bool:
    """Whether oneDNN computes a layer of one pixel; its private calls may refuse, or be gone."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    maps, bias = torch.zeros(1, 1, 1, 1, dtype=dtype), torch.zeros(1)
    steps = ([0, 0], [1, 1], [1, 1], 1)
    try:
        weight = torch.ops.mkldnn._reorder_convolution_weight(maps, *steps)  # noqa: SLF001 - to find out
        call = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001 - to find out
        call(maps, weight, bias, *steps, "relu", [], "")
        call.binary(maps, maps, weight, None, *steps, "add", 1.0, "relu", [], "")
    except (AttributeError, RuntimeError):
        return False
    return True
