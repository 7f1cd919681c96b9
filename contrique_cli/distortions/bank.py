"""The bank of distortions: 25 kinds at 5 levels, as one table, and the classes they form.

The kinds, their order and their levels are those of KADID-10k and KADIS-700k (Lin, Hosu and
Saupe, "KADID-10k: A Large-scale Artificially Distorted IQA Database", QoMEX 2019), with which
CONTRIQUE was trained.

A result depends on (image, kind, level, seed) alone: not on the other images of the batch, and
but for rounding not on the device. (TF32 products, where a caller allows them, round to 10 bits.)

On a CPU that others use too, one thread is faster than several, which wait for each other: run
this in data loading workers, or under `torch.set_num_threads(1)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from contrique_cli.distortions import blur, geometry, noise, palette, tone
from contrique_cli.distortions.jpeg import jpeg
from contrique_cli.distortions.jpeg2000 import jpeg2000
from contrique_cli.distortions.randomness import fork

LEVELS = 5
"""Levels of every kind."""

KIND_COUNT = 25
"""Kinds in the bank."""

CLASSES = 1 + KIND_COUNT * LEVELS
"""Classes for the contrastive loss: undistorted, then each kind at each level."""

UNDISTORTED = 0
"""Kind and class of a photo left as it is."""

NO_FLAW = "none"
"""Word for a distortion that is no flaw."""


IDENTITIES = frozenset({(1, 1), (3, 1), (8, 1), (18, 3)})
"""(kind, level) that leave a photo as it is (50 dB PSNR or more): they count as undistorted."""

Operator = Callable[[Tensor, Sequence[float], Tensor], Tensor]
"""(images, one amount per image, one seed per image) to images."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of distortion.

    Attributes:
        number: 1 to 25, as in KADID.
        name: for programs.
        title: for people.
        flaw: group of flaws that a photographer would name.
        levels: parameter of the operator at levels 1 to 5.
        source: what the parameter means and where the operator comes from.
        function: the operator.
        ordered: whether a higher level is a worse photo; not so where the parameter has a sign.
    """

    number: int
    name: str
    title: str
    flaw: str
    levels: tuple[float, ...]
    source: str
    function: Operator
    ordered: bool = True


def by_level(function: Callable[[Tensor, float], Tensor]) -> Operator:
    """Adapt an operator that takes one amount for all: call it once per distinct amount."""

    def operator(images: Tensor, amounts: Sequence[float], seeds: Tensor) -> Tensor:
        del seeds  # nothing random in these
        distinct = sorted(set(amounts))
        if len(distinct) == 1:
            return function(images, distinct[0])
        result = torch.empty_like(images)
        for amount in distinct:
            alike = [i for i, each in enumerate(amounts) if each == amount]
            index = torch.tensor(alike).to(images.device, non_blocking=True)
            result[index] = function(images[index], amount)
        return result

    return operator


def by_item(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    """Adapt an operator that takes an amount for each image as a (B, 1, 1, 1) tensor."""

    def operator(images: Tensor, amounts: Sequence[float], seeds: Tensor) -> Tensor:
        del seeds  # nothing random in these
        return function(images, _as_column(amounts, images))

    return operator


def by_chance(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Operator:
    """Adapt an operator that takes an amount and a seed for each image."""

    def operator(images: Tensor, amounts: Sequence[float], seeds: Tensor) -> Tensor:
        return function(images, _as_column(amounts, images), seeds)

    return operator


def _as_column(amounts: Sequence[float], images: Tensor) -> Tensor:
    column = torch.tensor(amounts, dtype=images.dtype)[:, None, None, None]
    return column.to(images.device, non_blocking=True)


def _count(function: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, float], Tensor]:
    return lambda images, amount: function(images, round(amount))


# fmt: off
KINDS: tuple[Kind, ...] = (
    Kind(number=1, name="gaussian_blur", title="Gaussian blur", flaw="blur",
         levels=(0.1, 0.5, 1, 2, 5), source="sigma in px; imgaussfilt",
         function=by_level(blur.gaussian_blur)),
    Kind(number=2, name="lens_blur", title="lens blur", flaw="blur",
         levels=(1, 2, 4, 6, 8), source="radius in px; fspecial disk",
         function=by_level(blur.lens_blur)),
    Kind(number=3, name="motion_blur", title="motion blur", flaw="motion blur",
         levels=(1, 2, 4, 6, 10), source="length in px, any angle; fspecial motion",
         function=by_chance(blur.motion_blur)),
    Kind(number=4, name="colour_diffusion", title="colour diffusion", flaw="colour",
         levels=(1, 3, 6, 8, 12), source="factor of blurred Lab colour",
         function=by_level(tone.diffuse_colour)),
    Kind(number=5, name="colour_shift", title="colour shift", flaw="colour",
         levels=(1, 3, 6, 8, 12), source="shift of green at edges in px",
         function=by_chance(tone.shift_green)),
    Kind(number=6, name="colour_quantisation", title="colour quantisation", flaw="banding",
         levels=(64, 48, 32, 16, 8), source="colours; rgb2ind with dithering",
         function=by_level(_count(palette.reduce_colours))),
    Kind(number=7, name="desaturation", title="too little or inverted colour", flaw="colour",
         levels=(0.4, 0.2, 0.1, 0, -0.4), source="factor of HSV saturation",
         function=by_item(tone.scale_hsv_saturation)),
    Kind(number=8, name="oversaturation", title="too much colour", flaw="colour",
         levels=(1, 2, 3, 6, 9), source="factor of Lab colour",
         function=by_item(tone.scale_lab_colour)),
    Kind(number=9, name="jpeg2000", title="JPEG 2000 compression", flaw="compression",
         levels=(16, 32, 45, 120, 400), source="compression ratio; ITU-T T.800",
         function=by_item(jpeg2000)),
    Kind(number=10, name="jpeg", title="JPEG compression", flaw="compression",
         levels=(43, 36, 24, 7, 4), source="libjpeg quality; ITU-T T.81",
         function=by_item(jpeg)),
    Kind(number=11, name="white_noise", title="white noise", flaw="noise",
         levels=(0.001, 0.002, 0.003, 0.005, 0.01), source="variance; imnoise gaussian",
         function=by_chance(noise.white_noise)),
    Kind(number=12, name="colour_noise", title="noise in colour components", flaw="noise",
         levels=(0.0001, 0.0005, 0.001, 0.002, 0.003), source="variance in YCbCr",
         function=by_chance(noise.colour_noise)),
    Kind(number=13, name="impulse_noise", title="impulse noise", flaw="noise",
         levels=(0.001, 0.005, 0.01, 0.02, 0.03), source="share; imnoise salt & pepper",
         function=by_chance(noise.impulse_noise)),
    Kind(number=14, name="multiplicative_noise", title="multiplicative noise", flaw="noise",
         levels=(0.001, 0.005, 0.01, 0.02, 0.05), source="variance; imnoise speckle",
         function=by_chance(noise.multiplicative_noise)),
    Kind(number=15, name="denoise", title="smeared by denoising", flaw="smearing",
         levels=(0.01, 0.03, 0.05, 0.1, 0.15), source="variance; DCT denoiser for DnCNN",
         function=by_chance(noise.denoise)),
    Kind(number=16, name="brighten", title="too bright", flaw="bright",
         levels=(0.1, 0.2, 0.4, 0.7, 1.1), source="lift of the middle of the tone curve",
         function=by_item(tone.brighten)),
    Kind(number=17, name="darken", title="too dark", flaw="dark",
         levels=(0.05, 0.1, 0.2, 0.4, 0.8), source="drop of the middle of the tone curve",
         function=by_item(tone.darken)),
    Kind(number=18, name="mean_shift", title="shifted brightness", flaw="bright",
         levels=(0.15, 0.08, 0, -0.08, -0.15), source="constant added", ordered=False,
         function=by_item(tone.shift_mean)),
    Kind(number=19, name="jitter", title="jitter", flaw="artefacts",
         levels=(0.05, 0.1, 0.2, 0.5, 1), source="step in px, five times; bicubic",
         function=by_chance(geometry.jitter)),
    Kind(number=20, name="stray_patches", title="stray patches", flaw="artefacts",
         levels=(20, 40, 60, 80, 100), source="patches of 16 px moved by up to 8 px",
         function=by_chance(geometry.stray_patches)),
    Kind(number=21, name="pixelate", title="pixelation", flaw="pixelation",
         levels=(0.01, 0.05, 0.1, 0.2, 0.5), source="s of the zoom 0.95 - s^0.6; nearest",
         function=by_level(geometry.pixelate)),
    Kind(number=22, name="quantisation", title="quantisation", flaw="banding",
         levels=(20, 16, 13, 10, 7), source="thresholds; multithresh on all channels",
         function=by_level(_count(palette.quantise_levels))),
    Kind(number=23, name="colour_blocks", title="colour blocks", flaw="artefacts",
         levels=(2, 4, 6, 8, 10), source="blocks of 32 px",
         function=by_chance(geometry.cover_blocks)),
    Kind(number=24, name="oversharpening", title="too much sharpening", flaw="sharpening",
         levels=(1, 2, 3, 6, 12), source="amount; imsharpen, radius 3",
         function=by_item(blur.sharpen)),
    Kind(number=25, name="contrast_change", title="contrast change", flaw="low contrast",
         levels=(0.3, 0.15, 0, -0.4, -0.6), source="bend of the tone curve", ordered=False,
         function=by_item(tone.change_contrast)),
)
# fmt: on


def class_of(kind: int, level: int) -> int:
    """Number the class of a distorted image.

    Four of the 125 pairs leave a photo as it is: Gaussian blur and motion blur at level 1, Lab
    saturation times 1, a mean shift of 0. They count as undistorted, class 0, for a contrastive
    loss that pushes equal images apart learns noise. The other numbers stay where they are, so 4
    of the 126 are never used. (25, 3) is not among them: its parameter is 0, yet its curve
    through (0.3, 0.25) and (0.7, 0.75) still adds contrast (28 dB PSNR).

    On a grey photo kinds 4, 7 and 8 change nothing at any level: draw others for it.

    Args:
        kind: 1 to 25, or 0 for an undistorted image.
        level: 1 to 5; ignored for kind 0.

    Returns:
        0 to 125.

    Raises:
        ValueError: there is no such kind or level.
    """
    if kind == UNDISTORTED or (kind, level) in IDENTITIES:
        return UNDISTORTED
    if not (1 <= kind <= KIND_COUNT and 1 <= level <= LEVELS):
        raise ValueError(f"no distortion of kind {kind} at level {level}")
    return (kind - 1) * LEVELS + level


def flaw_of(kind: int, level: int) -> str:
    """What a photographer would call a distortion; "none" for one that is no flaw.

    Kinds with a sign depend on the level: a mean shift is bright or dark, and only a lowered
    contrast is a flaw, since photos are often finished with a raised one.

    Args:
        kind: 1 to 25, or 0 for an undistorted image.
        level: 1 to 5; ignored for kind 0.
    """
    if class_of(kind, level) == UNDISTORTED:
        return NO_FLAW
    found = KINDS[kind - 1]
    if found.ordered:
        return found.flaw
    is_raised = found.levels[level - 1] >= 0
    if found.name == "mean_shift":
        return "bright" if is_raised else "dark"
    return NO_FLAW if is_raised else found.flaw


@torch.no_grad()
def distort(images: Tensor, kinds: Tensor, levels: Tensor, seeds: Tensor) -> Tensor:
    """Distort each image in its own way.

    Keep `kinds` and `levels` on the CPU: they steer which functions run, and on a GPU reading
    them waits for all work queued before.

    Args:
        images: RGB in [0, 1], float32, shape (B, 3, H, W), any device.
        kinds: 1 to 25, 0 to leave the image as it is; int64, shape (B,).
        levels: 1 to 5; int64, shape (B,).
        seeds: int64, shape (B,).

    Returns:
        RGB in [0, 1], float32, shape (B, 3, H, W), on the device of `images`.
    """
    seeds = seeds.to(images.device, non_blocking=True)
    levels = levels.cpu()
    groups: dict[int, list[int]] = {}
    for item, number in enumerate(kinds.tolist()):
        groups.setdefault(number, []).append(item)
    groups.pop(UNDISTORTED, None)
    result = images.clamp(0, 1)
    for number, items in groups.items():
        index = torch.tensor(items)
        there = index.to(images.device, non_blocking=True)
        result[there] = apply_kind(result[there], number, levels[index], seeds[there])
    return result


@torch.no_grad()
def apply_kind(images: Tensor, number: int, levels: Tensor, seeds: Tensor) -> Tensor:
    """Distort all images in one way, each at its own level.

    Args:
        images: RGB in [0, 1], float32, shape (B, 3, H, W), any device.
        number: kind, 1 to 25.
        levels: 1 to 5; int64, shape (B,), best on the CPU.
        seeds: int64, shape (B,), on the device of `images`.

    Returns:
        RGB in [0, 1], float32, shape (B, 3, H, W).

    Raises:
        ValueError: a level is not one of 1 to 5.
    """
    kind = KINDS[number - 1]
    chosen = levels.tolist()
    if not all(1 <= level <= LEVELS for level in chosen):
        raise ValueError(f"levels run from 1 to {LEVELS}, got {chosen}")
    amounts = [kind.levels[level - 1] for level in chosen]
    # Inside a mixed-precision step the products here would turn to half precision.
    with torch.autocast(images.device.type, enabled=False):
        return kind.function(images, amounts, fork(seeds, number)).clamp(0, 1)
