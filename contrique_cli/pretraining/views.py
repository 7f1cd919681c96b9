"""Two views of each photo: full and half scale, colour space, mirror; batched, on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch

from contrique_cli.distortions import colour, filters
from contrique_cli.photos.pixels import halve

MEAN_SIDE = 7
"""Pixels; window of the local mean (paper, section III)."""

MEAN_SIGMA = 7 / 6
"""Pixels; its Gaussian."""

FLAT = 1e-6
"""Range below which a channel counts as flat and becomes 0."""

AB_REACH = 128.0
"""Lab's a and b lie within plus and minus this for every RGB colour."""


def to_grey(images: torch.Tensor) -> torch.Tensor:
    """Luma in all three channels, range [0, 1], shape (B, 3, H, W)."""
    return colour.rgb_to_grey(images).expand(-1, 3, -1, -1)


def to_lab(images: torch.Tensor) -> torch.Tensor:
    """CIE Lab, each channel mapped to [0, 1], shape (B, 3, H, W)."""
    lab = colour.rgb_to_lab(images)
    shift = lab.new_tensor((0.0, AB_REACH, AB_REACH)).view(1, 3, 1, 1)
    reach = lab.new_tensor((100.0, 2 * AB_REACH, 2 * AB_REACH)).view(1, 3, 1, 1)
    return (lab + shift) / reach


def to_hsv(images: torch.Tensor) -> torch.Tensor:
    """Hue, saturation, value, each in [0, 1], shape (B, 3, H, W)."""
    return colour.rgb_to_hsv(images)


def to_local_contrast(images: torch.Tensor) -> torch.Tensor:
    """What is left when the local mean is taken away, stretched to [0, 1] per channel.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).

    Source: Madhusudana et al., IEEE TIP 2022, section III (7x7 Gaussian, sigma 7/6).
    """
    down, across = (_averages(size).to(images.device) for size in images.shape[-2:])
    mean = down @ images @ across.T  # (B, 3, H, W)
    rest = images - mean
    low = rest.amin(dim=(2, 3), keepdim=True)
    span = rest.amax(dim=(2, 3), keepdim=True) - low
    return torch.where(span > FLAT, (rest - low) / span.clamp(min=FLAT), torch.zeros_like(rest))


@lru_cache(maxsize=4)
def _averages(size: int) -> torch.Tensor:
    """The Gaussian mean along one side as a matrix (size, size), mirrored at the borders."""
    weights = filters.gaussian(MEAN_SIGMA, MEAN_SIDE // 2)
    return filters.matrix(weights, size, filters.reflect)


def _as_is(images: torch.Tensor) -> torch.Tensor:
    return images


COLOUR_SPACES: tuple[tuple[str, Callable[[torch.Tensor], torch.Tensor]], ...] = (
    ("RGB", _as_is),
    ("grey", to_grey),
    ("LAB", to_lab),
    ("HSV", to_hsv),
    ("local contrast", to_local_contrast),
)
"""The spaces a view may be in, all equally likely."""


def recolour(images: torch.Tensor, spaces: torch.Tensor) -> torch.Tensor:
    """Put each image into its colour space.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).
        spaces: indices into `COLOUR_SPACES`, shape (B,), on the CPU.

    Returns:
        Shape (B, 3, H, W), in [0, 1].
    """
    result = images.clone()
    for index, (_, convert) in enumerate(COLOUR_SPACES):
        rows = torch.nonzero(spaces == index)[:, 0]
        if index and len(rows):  # index 0 is RGB: nothing to do
            at = rows.to(images.device, non_blocking=True)
            result[at] = convert(images[at]).to(result.dtype)
    return result


def mirror(images: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Mirror left and right where `flips`, bool of shape (B,) on the CPU, says so."""
    chosen = flips.to(images.device, non_blocking=True).view(-1, 1, 1, 1)
    return torch.where(chosen, images.flip(-1), images)


def crop(images: torch.Tensor, tops: torch.Tensor, lefts: torch.Tensor, side: int) -> torch.Tensor:
    """Cut one square from each image.

    Args:
        images: shape (B, 3, H, W).
        tops, lefts: corners in pixels, int64, shape (B,), on the CPU.
        side: of the squares.

    Returns:
        Shape (B, 3, side, side).
    """
    corners = zip(tops.tolist(), lefts.tolist(), strict=True)
    return torch.stack(
        [
            image[:, top : top + side, left : left + side]
            for image, (top, left) in zip(images, corners, strict=True)
        ]
    )


def two_views(
    full: torch.Tensor,
    regions: torch.Tensor,
    *,
    is_full_first: torch.Tensor,
    colours: torch.Tensor,
    flips: torch.Tensor,
) -> torch.Tensor:
    """Both views of each photo, ready for the network.

    Args:
        full: squares at full scale, RGB in [0, 1], shape (B, 3, S, S).
        regions: RGB in [0, 1], shape (B, 3, 2S, 2S); halved, they are the other view.
        is_full_first: which scale comes first, bool, shape (B,).
        colours: indices into `COLOUR_SPACES`, shape (B, 2).
        flips: mirror, bool, shape (B, 2).

    Returns:
        Shape (2B, 3, S, S): the first views, then the second ones.
    """
    half = halve(regions)  # (B, 3, S, S)
    chosen = is_full_first.to(full.device, non_blocking=True).view(-1, 1, 1, 1)
    views = torch.cat([torch.where(chosen, full, half), torch.where(chosen, half, full)])
    views = recolour(views, colours.T.reshape(-1))  # (2B, 3, S, S)
    return mirror(views, flips.T.reshape(-1))
