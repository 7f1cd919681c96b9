"""Networks by name, as numbers alone: what a header's reader knows without loading PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_RESIDUAL = (2, 4, 5, 6, 7)
"""Places in a residual network's row of maps worth pooling: the stem before its pooling, then the
groups conv2_x to conv5_x."""


@dataclass(frozen=True)
class Architecture:
    """The maps of an encoder; `model.build` gives the encoder itself.

    Attributes:
        stages: indices of its layers whose outputs are maps worth pooling, the last layer
            included.
        widths: channels of those maps.
        branches: layers that take the map of an earlier layer instead of the one before them, by
            index.
        exact: so many layers at the front keep their maps in float32 where others have bfloat16.
    """

    stages: tuple[int, ...]
    widths: tuple[int, ...]
    branches: Mapping[int, int] = field(default_factory=dict)
    exact: int = 0

    @property
    def channels(self) -> int:
        """D, channels of the last map."""
        return self.widths[-1]


_LITE = (16, 24, 40, 80, 112, 192, 320)
"""Widths of the seven stages of EfficientNet-Lite0."""

TRUNK = 3
"""Stages that both branches of the two-branch network share."""

_EXACT = 2 + TRUNK
"""Layers of the stem and of those stages, a quarter of the work. Rounding their maps is like noise
in the photo: with it 95 % of 200 scores moved by up to 0.91 points, without it by up to 0.14."""

ARCHITECTURES = {
    "resnet50": Architecture(_RESIDUAL, (64, 256, 512, 1024, 2048)),
    "resnet18": Architecture(_RESIDUAL, (64, 64, 128, 256, 512)),
    "resnet18-c4": Architecture(_RESIDUAL[:-1], (64, 64, 128, 256)),
    "lite0": Architecture(tuple(range(2, 9)), _LITE, exact=_EXACT),
    "lite0-branched": Architecture(
        tuple(range(2, 13)), (*_LITE, *_LITE[TRUNK:]), {9: 4}, exact=_EXACT
    ),
    "tiny": Architecture((2, 5, 8), (8, 16, 16)),
}
"""The encoders by name; -c4 ends with the fourth group of convolutions, as in "ResNet-C4" of He et
al. 2017; -branched has the last four stages twice, side by side on the first three, so that one
branch may know objects and the other distortions, as the two networks of Re-IQA (Saha et al., CVPR
2023)."""

LAST, STAGES, FULL = POOLINGS = ("last", "stages", "stages-full")
"""What a photo's features are taken from: the last map's mean, as published; the mean and the
standard deviation of every stage's map; or the latter of the photo at full scale alone."""

SCALES = {LAST: 2, STAGES: 2, FULL: 1}
"""Number of scales that each takes of a photo: full and half, or full alone."""


def length(arch: str, pooling: str) -> int:
    """F, numbers per photo and scale."""
    found = ARCHITECTURES[arch]
    return found.channels if pooling == LAST else 2 * sum(found.widths)


def numbers(arch: str, pooling: str) -> int:
    """Numbers per photo: F of each scale."""
    return SCALES[pooling] * length(arch, pooling)
