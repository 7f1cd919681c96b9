"""An encoder's convolutions in eight bits, calibrated on photos so that features stay the same.

Plain rounding moves scores by up to 18 points. Three things keep them:

* units: every channel of a map counts in steps of its own, chosen so that the map's numbers are 0
  to 255; they go into the weights before and after, and cancel where features are scaled to length;
* weights are rounded one after the other, and each error is made up for by the weights to come, as
  far as the calibration photos tell (Frantar et al., GPTQ, 2022); what shifts a whole photo's mean
  counts `SHIFT` times, since features are means;
* last, each bias takes over what is left of the mean difference to float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock

from contrique_cli.encoder.model import Contrique

TOP = 255
"""Largest number in a map."""

MOST = 127
"""Largest rounded weight, of both signs."""

SHIFT = 1000.0
"""How much more a photo's mean counts than a single pixel."""

_EVENNESS = 0.5  # of channels' units: 0 is one unit for all, 1 lets each channel fill 0 to 255
_DAMPING = 0.003  # of the mean diagonal, as the paper has it
_PATCHES = 1200  # per photo and layer
_COLUMNS = 64  # weights rounded before the rest is told


@dataclass
class Layer:
    """A convolution with its batch norm folded in.

    Attributes:
        weight: shape (O, I, h, w); rounded ones are whole multiples of `step`.
        bias: shape (O,).
        step: of the rounded weights, shape (O,).
        stride, padding: of the convolution.
        unit: numbers in the map that comes out per 1 of the encoder's own, shape (O,).
    """

    weight: torch.Tensor
    bias: torch.Tensor
    step: torch.Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    unit: torch.Tensor

    @classmethod
    def fold(cls, convolution: nn.Conv2d, norm: nn.BatchNorm2d, white: float = 1.0) -> Layer:
        """Of an encoder in evaluation mode; `white` stands for 1 in the maps that come in."""
        folded = fuse_conv_bn_eval(convolution, norm)
        weight, ones = folded.weight.detach() / white, torch.ones(folded.out_channels)
        bias = folded.bias.detach().clone()
        return cls(weight, bias, ones / MOST, folded.stride, tuple(folded.padding), ones)

    def __call__(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, I, H, W) to (B, O, h, w), before any ReLU."""
        return functional.conv2d(maps, self.weight, self.bias, self.stride, self.padding)

    def change_units(self, before: torch.Tensor, after: torch.Tensor) -> None:
        """Take maps in units `before`, shape (I,), and give them in units `after`, shape (O,)."""
        self.weight = self.weight * after[:, None, None, None] / before[:, None, None]
        self.bias, self.unit = self.bias * after, after


@dataclass
class Block:
    """A residual block."""

    first: Layer
    second: Layer
    shortcut: Layer | None


class Network:
    """The encoder as folded layers, for pixels from 0 to 255."""

    def __init__(self, model: Contrique) -> None:
        layers = list(model.encoder)
        self.stem = Layer.fold(layers[0], layers[1], white=255.0)
        self.groups = [
            [_fold(block) for block in one] for one in layers if isinstance(one, nn.Sequential)
        ]

    def units(self) -> list[torch.Tensor]:
        """Of every stage's map."""
        return [self.stem.unit, *(group[-1].second.unit for group in self.groups)]

    def run(self, pixels: torch.Tensor) -> Iterator[tuple[Layer, torch.Tensor]]:
        """Every layer with a ReLU, and its map before that, in float32."""
        maps = self.stem(pixels.float())
        yield self.stem, maps
        maps = functional.max_pool2d(maps.relu(), 3, 2, 1)
        for block in (block for group in self.groups for block in group):
            inner = block.first(maps)
            yield block.first, inner
            added = maps if block.shortcut is None else block.shortcut(maps)
            inner = block.second(inner.relu()) + added
            yield block.second, inner
            maps = inner.relu()


def _fold(block: nn.Module) -> Block:
    if not isinstance(block, BasicBlock):
        raise TypeError("only ResNets of basic blocks are quantised")
    shortcut = None if block.downsample is None else Layer.fold(*block.downsample)
    return Block(Layer.fold(block.conv1, block.bn1), Layer.fold(block.conv2, block.bn2), shortcut)


@torch.inference_mode()
def quantise(model: Contrique, photos: Sequence[torch.Tensor]) -> Network:
    """The encoder with weights in 8 bits, for maps in 8 bits.

    Args:
        model: in evaluation mode, of basic blocks; it stays as it is.
        photos: to calibrate on, uint8, shape (1, 3, H, W) each.
    """
    network = Network(model)
    layers, tops, means = _observe(network, photos)
    wanted = {id(layer): mean for layer, mean in zip(layers, means, strict=True)}
    _choose_units(network, {id(layer): top for layer, top in zip(layers, tops, strict=True)})

    def settle(
        layer: Layer, inputs: list[torch.Tensor], added: Callable[[int], torch.Tensor] | None
    ) -> list[torch.Tensor]:
        """Round a layer, mend its bias, and give its maps."""
        _round(layer, inputs)
        maps = [layer(one) for one in inputs]
        if added is not None:
            maps = [one + added(place) for place, one in enumerate(maps)]
        mean = torch.stack([one.mean((0, 2, 3)) for one in maps]).mean(0)
        shift = wanted[id(layer)] * layer.unit - mean
        layer.bias = layer.bias + shift
        return [(one + shift[:, None, None]).round().clamp(0, TOP) for one in maps]

    maps = settle(network.stem, [one.float() for one in photos], None)
    maps = [functional.max_pool2d(one, 3, 2, 1) for one in maps]
    for block in (block for group in network.groups for block in group):
        added = maps
        if block.shortcut is not None:
            _round(block.shortcut, maps)
            added = [block.shortcut(one) for one in maps]
        inner = settle(block.first, maps, None)
        maps = settle(block.second, inner, added.__getitem__)
    return network


def _observe(
    network: Network, photos: Sequence[torch.Tensor]
) -> tuple[list[Layer], list[torch.Tensor], list[torch.Tensor]]:
    """Layers with a ReLU, the largest number of each channel, and its mean before the ReLU."""
    seen = [
        [(layer, maps.amax((0, 2, 3)), maps.mean((0, 2, 3))) for layer, maps in network.run(one)]
        for one in photos
    ]
    columns = list(zip(*seen, strict=True))
    layers = [column[0][0] for column in columns]
    tops = [torch.stack([top for _, top, _ in column]).amax(0) for column in columns]
    return layers, tops, [torch.stack([m for _, _, m in column]).mean(0) for column in columns]


def _choose_units(network: Network, tops: dict[int, torch.Tensor]) -> None:
    """Units in which maps are 0 to 255; what is added to one another has the same."""

    def unit(*layers: Layer) -> torch.Tensor:
        top = torch.stack([tops[id(layer)] for layer in layers]).amax(0)
        top = top.clamp(min=1e-3 * float(top.max()))
        return TOP / (top**_EVENNESS * top.max() ** (1 - _EVENNESS))

    before = unit(network.stem, *(block.second for block in network.groups[0]))
    network.stem.change_units(torch.ones(3), before)
    for group in network.groups:
        trunk = before if group[0].shortcut is None else unit(*(block.second for block in group))
        for block in group:
            inner = unit(block.first)
            block.first.change_units(before, inner)
            block.second.change_units(inner, trunk)
            if block.shortcut is not None:
                block.shortcut.change_units(before, trunk)
            before = trunk


def _round(layer: Layer, inputs: Sequence[torch.Tensor]) -> None:
    """Round the weights to whole multiples of the step that suits each kernel."""
    rows = layer.weight.flatten(1)
    layer.step = _choose_step(rows)
    rounded = _pass_errors_on(rows, _hessian(layer, inputs), layer.step)
    layer.weight = (rounded * layer.step[:, None]).reshape(layer.weight.shape)


def _choose_step(rows: torch.Tensor) -> torch.Tensor:
    """Per kernel, shape (O,), the step with the least square error, from (O, K)."""
    steps = rows.abs().amax(1) / MOST * torch.linspace(0.7, 1, 12)[:, None]  # (12, O)
    rounded = (rows / steps[..., None]).round().clamp(-MOST, MOST) * steps[..., None]
    best = (rounded - rows).square().sum(2).argmin(0)
    return steps.gather(0, best[None])[0]


def _hessian(layer: Layer, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """How much errors of two weights add up, shape (K, K)."""
    draw = torch.Generator().manual_seed(0)
    total = torch.zeros(layer.weight[0].numel(), layer.weight[0].numel())
    means, count = [], 0
    for one in inputs:
        side = tuple(layer.weight.shape[2:])
        rows = functional.unfold(one, side, padding=layer.padding, stride=layer.stride)[0]
        means.append(rows.mean(1))
        rows = rows[:, torch.randperm(rows.shape[1], generator=draw)[:_PATCHES]]
        total += rows @ rows.T
        count += rows.shape[1]
    centred = torch.stack(means, 1) - torch.stack(means, 1).mean(1, keepdim=True)
    return total / count + SHIFT * centred @ centred.T / len(means)


def _pass_errors_on(rows: torch.Tensor, hessian: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """Whole numbers, shape (O, K): GPTQ in order of falling influence."""
    hessian = hessian.double()
    hessian.diagonal().add_(_DAMPING * float(hessian.diagonal().mean()))
    order = hessian.diagonal().argsort(descending=True)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian[order][:, order]))
    factor = torch.linalg.cholesky(inverse, upper=True)
    rows, step = rows[:, order].double(), step.double()
    whole = torch.zeros_like(rows)
    for begin in range(0, rows.shape[1], _COLUMNS):
        end = min(begin + _COLUMNS, rows.shape[1])
        errors = torch.zeros_like(rows[:, begin:end])
        for place in range(begin, end):
            whole[:, place] = (rows[:, place] / step).round().clamp(-MOST, MOST)
            error = (rows[:, place] - whole[:, place] * step) / factor[place, place]
            rows[:, place:end] -= error[:, None] * factor[place, place:end]
            errors[:, place - begin] = error
        rows[:, end:] -= errors @ factor[begin:end, end:]
    return whole[:, order.argsort()].float()
