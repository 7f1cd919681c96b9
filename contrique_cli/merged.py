"""The encoder's layers merged for speed: convolution, batch norm, addition and ReLU in one step."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from contrique_cli.resnet import Basic, Bottleneck

WHITE = 255
"""Of an 8-bit sample."""


class Convolution(nn.Module):
    """A convolution with its batch norm folded in, then an addition and a ReLU where wanted.

    On a CPU with oneDNN all of it is one call, on weights laid out for it once; elsewhere it is
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
            unit: what 1 in the maps that come in stands for.
            device: where the maps will be.
            dtype: of the maps.
        """
        super().__init__()
        with torch.no_grad():
            folded = fuse_conv_bn_eval(convolution, norm)
            folded.weight *= unit
        self.folded = folded.to(device, dtype).to(memory_format=torch.channels_last)
        self.has_relu = has_relu
        self.packed = _pack(self.folded) if _has_one_call(device) else None

    def forward(self, maps: torch.Tensor, added: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (B, C, H, W), and what to add before the ReLU, to maps of the new shape."""
        if self.packed is None:
            return self._in_turn(maps, added)
        one = self.folded
        ends = (one.bias, one.padding, one.stride, one.dilation, one.groups)
        call = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001 - what torch.compile emits
        if added is None:
            last = "relu" if self.has_relu else "none"
            after = call(maps, self.packed, *ends, last, [], "")
        else:
            then = "relu" if self.has_relu else None
            after = call.binary(maps, added, self.packed, *ends, "add", 1.0, then, [], "")
        return torch.as_tensor(after)

    def _in_turn(self, maps: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        maps = self.folded(maps)
        if added is not None:
            maps += added
        return functional.relu_(maps) if self.has_relu else maps


class Block(nn.Module):
    """A residual block of merged convolutions."""

    def __init__(self, block: nn.Module, *, device: torch.device, dtype: torch.dtype) -> None:
        """Merge a block in evaluation mode, which stays as it is."""
        super().__init__()
        assert isinstance(block, Basic | Bottleneck)  # noqa: S101 - so are all our groups
        pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
        if isinstance(block, Bottleneck):
            pairs.append((block.conv3, block.bn3))
        self.row = nn.ModuleList(
            Convolution(*pair, has_relu=True, device=device, dtype=dtype) for pair in pairs
        )
        self.shortcut = None
        if block.downsample is not None:
            self.shortcut = Convolution(
                *block.downsample, has_relu=False, device=device, dtype=dtype
            )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to those of the block that was merged."""
        added = maps if self.shortcut is None else self.shortcut(maps)
        for layer in self.row[:-1]:
            maps = layer(maps)
        return torch.as_tensor(self.row[-1](maps, added))


def merge(encoder: nn.Sequential, *, device: torch.device, dtype: torch.dtype) -> nn.Sequential:
    """An encoder that gives the same maps, sooner; for inference only.

    Every place of the row keeps its map, but that of a convolution or batch norm in front of a
    ReLU is the ReLU's already.

    Args:
        encoder: of `model.ARCHITECTURES`, in evaluation mode; it stays as it is.
        device: where it will run.
        dtype: of images and maps; sums inside a convolution are float32 all the same.

    Returns:
        Takes images (B, 3, H, W) of the dtype, best in `torch.channels_last`. On purpose in
        [0, 255]: whole numbers up to 256 are exact in bfloat16, their 255ths are not.
    """
    layers = list(encoder)
    row: list[nn.Module] = []
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            norm = layers[place + 1]
            assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - so are all our architectures
            unit = 1 / WHITE if place == 0 else 1.0
            row.append(
                Convolution(layer, norm, has_relu=True, device=device, dtype=dtype, unit=unit)
            )
        elif isinstance(layer, nn.BatchNorm2d | nn.ReLU):
            row.append(nn.Identity())
        elif isinstance(layer, nn.Sequential):
            blocks = (Block(one, device=device, dtype=dtype) for one in layer)
            row.append(nn.Sequential(*blocks))
        else:
            row.append(layer)
    return nn.Sequential(*row).eval()


def _has_one_call(device: torch.device) -> bool:
    return (
        device.type == "cpu"
        and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
    )


def _pack(convolution: nn.Conv2d) -> torch.Tensor:
    """Weights in the layout that oneDNN wants on this processor."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_convolution_weight(  # noqa: SLF001 - see above
        convolution.weight.detach(),
        convolution.padding,
        convolution.stride,
        convolution.dilation,
        convolution.groups,
    )
    return packed
