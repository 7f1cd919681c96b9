"""The encoder's layers merged for speed: convolution, batch norm, addition and ReLU in one step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from contrique_cli.encoder.efficientnet import SCALE, SHIFT, Centred, InvertedBottleneck


class Activation(NamedTuple):
    """What comes after a convolution, as oneDNN and as PyTorch call it."""

    name: str
    limits: list[float]

    def take(self, maps: torch.Tensor) -> torch.Tensor:
        """Take the activation; in place."""
        if self.limits:
            return functional.hardtanh_(maps, *self.limits)
        return functional.relu_(maps) if self.name == RELU.name else maps


RELU, RELU6, NOTHING = (
    Activation("relu", []),
    Activation("hardtanh", [0.0, 6.0]),
    Activation("none", []),
)

_LAYOUTS = 4
"""Sizes of maps whose weights are kept as oneDNN wants them: of upright and lying photos, twice."""

_STRIP = 2**24
"""Bytes of a widened map at once."""

_LEAST_ROWS = 8
"""Fewest rows of a strip: those above and below it are computed twice."""

_SUM_KEPT = 8
"""Channels whose rounded weights keep their sum where a kernel has a single pixel."""


class MergedConvolution(nn.Module):
    """A convolution with its batch norm folded in, then an addition and an activation where wanted.

    On a CPU with oneDNN that is one call; elsewhere it is PyTorch's own operations in turn. Both
    give the same maps within rounding.
    """

    def __init__(
        self,
        convolution: nn.Conv2d,
        norm: nn.BatchNorm2d,
        *,
        activation: Activation,
        device: torch.device,
        dtype: torch.dtype,
        unit: float = 1.0,
        is_lopsided: bool = False,
    ) -> None:
        """Fold, in float32; then move to the device and precision.

        Args:
            convolution, norm: in evaluation mode; they stay as they are.
            activation: what comes last.
            device: where the maps will be.
            dtype: of the maps and the weights; the bias stays in float32.
            unit: what 1 in the maps that come in stands for.
            is_lopsided: whether the maps are padded before by as much as stride 2 asks for, one
                more right and below than left and above. A larger kernel with zeros left and above
                does the same: no copy of the map is made, which took twice as long as convolving.
        """
        super().__init__()
        with torch.no_grad():
            folded, bias = fuse_conv_bn_weights(
                convolution.weight,
                convolution.bias,
                norm.get_buffer("running_mean"),
                norm.get_buffer("running_var"),
                norm.eps,
                norm.weight,
                norm.bias,
            )
            weight = round_weights(folded * unit, dtype).to(device)
            self.bias: torch.Tensor | None = bias.detach().to(device)
        padding = convolution.padding
        if is_lopsided:
            weight = functional.pad(weight, (1, 0, 1, 0))
            padding = tuple((side - 1) // 2 for side in weight.shape[2:])
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.steps = (
            padding,
            convolution.stride,
            convolution.dilation,
            convolution.groups,
        )
        self.activation = activation
        self.is_one_call = _has_one_call(device, dtype)
        if self.is_one_call:
            # For the size of the map: what suits one size made some layers five times slower at
            # another. Laying out anew at each call costs a tenth of the time of a small photo.
            lay_out = torch.ops.mkldnn._reorder_convolution_weight  # noqa: SLF001 - what torch.compile emits
            self.lay_out = lru_cache(_LAYOUTS)(partial(lay_out, self.weight, *self.steps))

    def forward(self, maps: torch.Tensor, added: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (B, C, H, W), and what to add before the activation, to maps of the new shape."""
        if not self.is_one_call:
            padding, stride, dilation, groups = self.steps
            maps = functional.conv2d(maps, self.weight, None, stride, padding, dilation, groups)
            return self._finish(maps, self.bias, added)
        call = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001 - what torch.compile emits
        last = self.activation
        terms = (self.lay_out(maps.shape), self.bias, *self.steps)
        if added is None:
            return torch.as_tensor(call(maps, *terms, *last, ""))
        if self.bias is None or self.bias.dtype == maps.dtype:
            named = (None, []) if last == NOTHING else last
            return torch.as_tensor(call.binary(maps, added, *terms, "add", 1.0, *named, ""))
        # That call takes no float32 bias with half precision, and a rounded one costs 0.2 points.
        maps = call(maps, *terms, *NOTHING, "")
        return self._finish(maps, None, added)

    def add_bias_of(self, other: MergedConvolution) -> None:
        """Take over the bias of what will be added: one sum instead of two."""
        assert self.bias is not None  # noqa: S101 - nobody else takes it
        assert other.bias is not None  # noqa: S101 - nobody else takes it
        self.bias, other.bias = self.bias + other.bias, None

    def _finish(self, maps: torch.Tensor, *terms: torch.Tensor | None) -> torch.Tensor:
        """Add what there is, and take the activation; in place."""
        for term in terms:
            if term is not None:
                maps += term if term.ndim == maps.ndim else term[:, None, None]
        return self.activation.take(maps)


class Block(nn.Module):
    """A residual block of merged convolutions."""

    def __init__(self, block: Any, *, device: torch.device, dtype: torch.dtype) -> None:
        """Merge a block in evaluation mode, which stays as it is.

        Args:
            block: a `BasicBlock` or `Bottleneck` of torchvision, known by its parts: other
                networks shall not need torchvision.
            device, dtype: see `MergedConvolution`.
        """
        super().__init__()
        pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2)]
        if hasattr(block, "conv3"):
            pairs.append((block.conv3, block.bn3))
        row = [
            MergedConvolution(*pair, activation=RELU, device=device, dtype=dtype) for pair in pairs
        ]
        self.row = nn.ModuleList(row)
        self.shortcut = None
        if block.downsample is not None:
            self.shortcut = MergedConvolution(
                *block.downsample, activation=NOTHING, device=device, dtype=dtype
            )
            self.shortcut.add_bias_of(row[-1])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to those of the block that was merged."""
        added = maps if self.shortcut is None else self.shortcut(maps)
        for layer in self.row[:-1]:
            maps = layer(maps)
        return torch.as_tensor(self.row[-1](maps, added))


class Inverted(nn.Module):
    """An inverted bottleneck of merged convolutions.

    On a CPU strip by strip, so that the widened maps stay in the cache: those of a whole photo took
    a quarter of the time to be given memory by the system.
    """

    def __init__(
        self, block: InvertedBottleneck, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Merge a block in evaluation mode, which stays as it is; see `MergedConvolution`."""
        super().__init__()
        rows = (one.children() for one in block.row)
        row = [_merged(parts, device=device, dtype=dtype) for parts in rows]
        self.row = nn.ModuleList(row)
        self.is_added = block.is_added
        self.is_in_strips = row[-1].is_one_call
        self.width, _, self.kernel, _ = row[-2].weight.shape
        self.stride: int = row[-2].steps[1][0]

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) to those of the block that was merged."""
        batch, _, height, width = maps.shape
        rows = height // self.stride
        most = rows
        if self.is_in_strips:
            bytes_per_row = batch * self.width * width * self.stride * maps.element_size()
            most = max(_LEAST_ROWS, _STRIP // bytes_per_row)
        if most >= rows:
            return self._strip(maps, 0, rows)
        strips = [self._strip(maps, top, min(top + most, rows)) for top in range(0, rows, most)]
        return torch.cat(strips, dim=2)

    def _strip(self, maps: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
        """Rows `top` to `bottom` of the block's map, from those around them and some to spare."""
        spare = self.kernel + self.kernel % self.stride
        first = max(0, top * self.stride - spare)
        inner = maps[:, :, first : bottom * self.stride + spare]
        for layer in self.row[:-1]:
            inner = layer(inner)
        skipped = top - first // self.stride
        inner = inner[:, :, skipped : skipped + bottom - top]
        added = maps[:, :, top:bottom] if self.is_added else None
        return torch.as_tensor(self.row[-1](inner, added))


def merge(
    encoder: nn.Sequential,
    *,
    device: torch.device,
    dtype: torch.dtype,
    white: float = 1.0,
    exact: int = 0,
) -> nn.Sequential:
    """An encoder that gives the same maps, sooner; for inference only.

    Every layer keeps its map, but that of a convolution or batch norm in front of a ReLU is the
    ReLU's already.

    Args:
        encoder: of `model.ARCHITECTURES`, in evaluation mode; it stays as it is.
        device: where it will run.
        dtype: of the maps but for exact ones; sums inside a convolution are float32 all the same.
        white: what stands for 1 in the images that it will be given.
        exact: so many layers at the front stay in float32; the first convolution does in any case:
            in bfloat16 it alone moved scores by up to 0.7 points, and is no slower.

    Returns:
        Takes images (B, 3, H, W), float32, best in `torch.channels_last`.
    """
    layers = list(encoder)
    row: list[nn.Module] = []
    is_first, unit = True, 1 / white
    for index, layer in enumerate(layers):
        own = torch.float32 if is_first or index < exact else dtype
        if isinstance(layer, Centred):
            row.append(Darker(SHIFT / SCALE * white))
            unit *= SCALE
        elif isinstance(layer, nn.BatchNorm2d | nn.ReLU):
            row.append(nn.Identity())
        elif (parts := _parts(layers, index)) is not None:
            made = _merged(parts, device=device, dtype=own, unit=unit)
            row.append(nn.Sequential(Cast(own), made))
            is_first, unit = False, 1.0
        elif isinstance(layer, nn.Sequential):
            blocks = (_merge_block(one, device=device, dtype=own) for one in layer)
            row.append(nn.Sequential(Cast(own), *blocks))
        else:
            row.append(nn.Sequential(Cast(own), layer))
    return nn.Sequential(*row).eval()


def _merge_block(block: nn.Module, **options: Any) -> nn.Module:
    if isinstance(block, InvertedBottleneck):
        return Inverted(block, **options)
    return Block(block, **options)


def _parts(layers: Sequence[nn.Module], index: int) -> Sequence[nn.Module] | None:
    """A convolution and what belongs to it, from an index on or in one layer; None elsewhere."""
    layer = layers[index]
    if isinstance(layer, nn.Conv2d):
        return layers[index : index + 3]
    if isinstance(layer, nn.Sequential) and any(isinstance(one, nn.Conv2d) for one in layer):
        return list(layer)
    return None


def _merged(parts: Iterable[nn.Module], **options: Any) -> MergedConvolution:
    """One layer of a padding, a convolution, its batch norm and its activation; see there."""
    by_type = {type(part): part for part in parts}
    convolution, norm = by_type[nn.Conv2d], by_type[nn.BatchNorm2d]
    assert isinstance(convolution, nn.Conv2d)  # noqa: S101 - for mypy
    assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101 - for mypy
    activation = RELU6 if nn.ReLU6 in by_type else RELU if nn.ReLU in by_type else NOTHING
    is_lopsided = nn.ZeroPad2d in by_type
    return MergedConvolution(
        convolution, norm, activation=activation, is_lopsided=is_lopsided, **options
    )


class Darker(nn.Module):
    """Images, float32, less what stands for the middle of their range."""

    def __init__(self, middle: float) -> None:
        super().__init__()
        self.middle = middle

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Any shape."""
        return images - self.middle


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
    for column in range(side):
        wanted = rows[..., column] + error
        rounded[..., column] = wanted.to(dtype)
        error = wanted - rounded[..., column].float()
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
        call = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001 - to find out
        laid_out = torch.ops.mkldnn._reorder_convolution_weight(maps, *steps, maps.shape)  # noqa: SLF001 - to find out
        for last in (RELU, RELU6, NOTHING):
            call(maps, laid_out, bias, *steps, *last, "")
        call.binary(maps, maps, laid_out, None, *steps, "add", 1.0, None, [], "")
        call.binary(maps, maps, laid_out, None, *steps, "add", 1.0, *RELU, "")
    except (AttributeError, RuntimeError):
        return False
    return True
