"""Where a photo's raw value comes from: exact shares of its cells, or windows judged alone.

The regressor is linear on features that are pooled from maps, so both follow from its weights and
from the maps that scoring computes anyway.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from contrique_cli.distortions import filters
from contrique_cli.encoder.architectures import LAST
from contrique_cli.encoder.model import Contrique
from contrique_cli.photos.pixels import halve, to_unit

CELLS = 32
"""Cells of the grid along the photo's long side."""

SPREAD = 1.25
"""Standard deviation of a Gaussian window in cells: nine tenths of its weight lie within an eighth
of the photo's long side."""

_CHUNK = 32
"""Channels taken at once, so that a large photo's maps are not held several times over."""

_LEAST_LENGTH = 1e-12
"""Least length that features are divided by, as in `torch.nn.functional.normalize`."""

_LEAST_VARIANCE = 1e-30
"""Least variance to divide by: a constant channel then deviates nowhere, 0, not 0 / 0."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One map of one scale with the weights of what is pooled from it; on the CPU.

    Attributes:
        values: shape (C, h, w), float32.
        means: weights of the channels' means, shape (C,), float64.
        deviations: weights of their standard deviations, shape (C,); None where not pooled.
    """

    values: torch.Tensor
    means: torch.Tensor
    deviations: torch.Tensor | None

    def chunks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """Values in float64 with both weights, a few channels at a time."""
        for start in range(0, len(self.values), _CHUNK):
            part = slice(start, start + _CHUNK)
            deviations = None if self.deviations is None else self.deviations[part]
            yield self.values[part].double(), self.means[part], deviations


@torch.inference_mode()
def layers(model: Contrique, weights: torch.Tensor, pixels: torch.Tensor) -> Iterator[Layer]:
    """Maps of both scales and all stages, each with its part of the regressor's weights.

    Args:
        model: in evaluation mode.
        weights: of a no-reference regressor, shape (2F,), on the CPU.
        pixels: uint8 RGB on the model's device, shape (3, H, W).
    """
    full = pixels[None]  # (1, 3, H, W)
    has_deviations = model.pooling != LAST
    rest = weights.double()
    for scale in (full, halve(full))[: model.scales]:
        for found in model.maps(to_unit(scale)):
            values = found[0].float().cpu()  # (C, h, w)
            channels = len(values)
            means, rest = rest[:channels], rest[channels:]
            deviations = None
            if has_deviations:
                deviations, rest = rest[:channels], rest[channels:]
            yield Layer(values=values, means=means, deviations=deviations)


def shares(found: Iterable[Layer], bias: float, size: tuple[int, int]) -> torch.Tensor:
    """Exact decomposition: what each cell adds to the photo's raw value.

    A channel's mean adds to the raw value the mean over positions x of w f(x) / n, its standard
    deviation s that of v (f(x) - m)^2 / (s n), where w and v are their weights, m is the mean, and
    n the length that the photo's features were divided by. So the mean of the shares of all
    positions is the raw value itself, on this grid too. Shares are noisy from cell to cell and are
    smoothed by the Gaussian of the windows.

    Args:
        found: see `layers`.
        bias: of the regressor, counted to every cell.
        size: rows and columns of the grid, see `size`.

    Returns:
        Raw units, shape (rows, columns), float64.
    """
    total = torch.full(size, bias, dtype=torch.float64)
    for layer in found:
        down, across = map(cells, size, layer.values.shape[1:])
        total += down @ _shares_of(layer) @ across.T
    down, across = (smoothing(count, SPREAD) for count in size)
    smooth: torch.Tensor = down @ total @ across.T
    return smooth


def _shares_of(layer: Layer) -> torch.Tensor:
    """Shares of one map's positions, shape (h, w)."""
    total = torch.zeros(layer.values.shape[1:], dtype=torch.float64)
    squares = 0.0
    for values, means, deviations in layer.chunks():
        middle = values.mean(dim=(1, 2), keepdim=True)  # (c, 1, 1)
        total += torch.einsum("c,chw->hw", means, values)
        squares += float((middle**2).sum())
        if deviations is not None:
            apart = (values - middle) ** 2  # (c, h, w)
            variance = apart.mean(dim=(1, 2))  # (c,)
            scaled = deviations / variance.clamp(min=_LEAST_VARIANCE).sqrt()
            total += torch.einsum("c,chw->hw", scaled, apart)
            squares += float(variance.sum())
    return total / max(math.sqrt(squares), _LEAST_LENGTH)


def windows(found: Iterable[Layer], bias: float, size: tuple[int, int]) -> torch.Tensor:
    """Raw value that a window round each cell would have by itself, from the photo's own maps.

    Means, standard deviations and lengths are those of the window, which fades out as a Gaussian:
    it is judged as a photo is, but for what the network saw around it.

    Args:
        found, bias, size: see `shares`.

    Returns:
        Raw units, shape (rows, columns), float64. Their mean is near the photo's raw value but not
        equal to it.
    """
    total = torch.full(size, bias, dtype=torch.float64)
    for layer in found:
        down, across = (
            smoothing(count, SPREAD) @ cells(count, inputs)
            for count, inputs in zip(size, layer.values.shape[1:], strict=True)
        )
        total += _windows_of(layer, down, across)
    return total


def _windows_of(layer: Layer, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """One map's part of the raw value of each window, shape (rows, columns)."""
    total = torch.zeros(len(down), len(across), dtype=torch.float64)
    squares = torch.zeros_like(total)
    for values, means, deviations in layer.chunks():
        middle = down @ values @ across.T  # (c, rows, columns)
        total += torch.einsum("c,cij->ij", means, middle)
        squares += (middle**2).sum(dim=0)
        if deviations is not None:
            variance = (down @ values**2 @ across.T - middle**2).clamp(min=0.0)
            total += torch.einsum("c,cij->ij", deviations, variance.sqrt())
            squares += variance.sum(dim=0)
    return total / squares.sqrt().clamp(min=_LEAST_LENGTH)


_REACH = 9.0
"""Standard deviations beyond which a Gaussian is nothing in float64."""


def size(height: int, width: int, longest: int) -> tuple[int, int]:
    """Rows and columns of a grid with so many cells on the long side, as square as can be."""
    share = longest / max(height, width)
    return max(1, round(height * share)), max(1, round(width * share))


def cells(count: int, inputs: int) -> torch.Tensor:
    """Means over the cells of a grid, by the share of each input that they cover.

    The mean over the grid is that of the map, whether it is reduced or enlarged.

    Args:
        count: cells of the grid along this axis.
        inputs: of the map along this axis; both divide the same length evenly.

    Returns:
        Rows that sum to 1, columns that all sum to the same, shape (count, inputs), float64.
    """
    ends = torch.arange(count + 1, dtype=torch.float64)[:, None] / count
    edges = torch.arange(inputs + 1, dtype=torch.float64) / inputs
    covered = torch.minimum(ends[1:], edges[1:]) - torch.maximum(ends[:-1], edges[:-1])
    return covered.clamp(min=0.0) * count  # (count, inputs)


def smoothing(count: int, sigma: float) -> torch.Tensor:
    """Gaussian smoothing that keeps the mean: what leaves at an end is mirrored back inside.

    Args:
        count: cells along this axis.
        sigma: in cells, above 0.

    Returns:
        Rows and columns that sum to 1, shape (count, count), float64.
    """
    weights = filters.gaussian(sigma, math.ceil(_REACH * sigma), dtype=torch.float64)
    return filters.matrix(weights, count, filters.mirror)
