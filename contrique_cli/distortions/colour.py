"""Colour spaces: RGB to and from CIE Lab and YCbCr, RGB to HSV and to grey.

Every function takes and gives float32 images of shape (B, 3, H, W) on any device.
RGB is sRGB in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

# sRGB, IEC 61966-2-1: the transfer curve.
SRGB_KNEE = 0.04045
SRGB_LINEAR_KNEE = 0.0031308
SRGB_SLOPE = 12.92
SRGB_OFFSET = 0.055
SRGB_GAMMA = 2.4

# sRGB primaries to CIE XYZ under D65 (IEC 61966-2-1), each row divided by the white point
# (0.95047, 1, 1.08883), so that white becomes (1, 1, 1).
RGB_TO_XYZ = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)

# CIE 15: the cube root of Lab is replaced by a line below (6/29)^3.
LAB_KNEE = (6 / 29) ** 3
LAB_SLOPE = (29 / 6) ** 2 / 3
LAB_OFFSET = 4 / 29
LAB_L_SCALE, LAB_L_SHIFT = 116.0, 16.0
LAB_A_SCALE, LAB_B_SCALE = 500.0, 200.0

# ITU-R BT.601: weights of red, green and blue in luma; JFIF uses them at full range.
LUMA = (0.299, 0.587, 0.114)
CB_SCALE = 0.5 / (1 - LUMA[2])
CR_SCALE = 0.5 / (1 - LUMA[0])

# ITU-R BT.601 at studio range, as in MATLAB's rgb2ycbcr, 8-bit steps.
STUDIO_BLACK, STUDIO_Y_SPAN, STUDIO_C_SPAN = 16, 219, 224

CODE_MAX = 255
"""Largest code of an 8-bit sample."""

CODE_ZERO = 128
"""Code of an 8-bit sample that stands for no chroma, and for the middle of luma."""

LIGHTNESS_MAX = 100.0
"""Largest L of Lab."""

HUE_SECTORS = 6
"""Parts of the colour circle, each between a pure and a mixed colour."""


def rgb_to_grey(images: Tensor) -> Tensor:
    """Weigh red, green and blue into BT.601 luma.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).

    Returns:
        Luma in [0, 1], shape (B, 1, H, W).
    """
    red, green, blue = images.chunk(3, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def rgb_to_ycbcr(images: Tensor) -> Tensor:
    """Convert to full-range YCbCr as JPEG files use it, chroma centred on 0.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).

    Returns:
        Y in [0, 1], Cb and Cr in [-0.5, 0.5], shape (B, 3, H, W).

    Source: ITU-T T.871 (JFIF), section 7.
    """
    luma = rgb_to_grey(images)
    red, _, blue = images.chunk(3, dim=1)
    return torch.cat([luma, (blue - luma) * CB_SCALE, (red - luma) * CR_SCALE], dim=1)


def ycbcr_to_rgb(images: Tensor) -> Tensor:
    """Convert full-range YCbCr (chroma centred on 0) to RGB, without clipping.

    Args:
        images: Y in [0, 1], Cb and Cr in [-0.5, 0.5], shape (B, 3, H, W).

    Returns:
        RGB, shape (B, 3, H, W); colours outside the cube lie outside [0, 1].
    """
    luma, blue_difference, red_difference = images.chunk(3, dim=1)
    red = luma + red_difference / CR_SCALE
    blue = luma + blue_difference / CB_SCALE
    green = (luma - LUMA[0] * red - LUMA[2] * blue) / LUMA[1]
    return torch.cat([red, green, blue], dim=1)


def rgb_to_studio_ycbcr(images: Tensor) -> Tensor:
    """Convert to studio-range YCbCr, which keeps headroom as video does.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).

    Returns:
        Y in [16, 235] / 255, Cb and Cr in [16, 240] / 255, shape (B, 3, H, W).
    """
    scale, shift = _studio(images)
    return rgb_to_ycbcr(images) * scale + shift


def studio_ycbcr_to_rgb(images: Tensor) -> Tensor:
    """Undo `rgb_to_studio_ycbcr`, without clipping."""
    scale, shift = _studio(images)
    return ycbcr_to_rgb((images - shift) / scale)


def rgb_to_lab(images: Tensor) -> Tensor:
    """Convert to CIE Lab under D65.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).

    Returns:
        L in [0, 100], a and b in about [-110, 110], shape (B, 3, H, W).

    Source: CIE 15:2004; sRGB from IEC 61966-2-1.
    """
    bent = ((images + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_GAMMA
    linear = torch.where(images > SRGB_KNEE, bent, images / SRGB_SLOPE)
    xyz = _mix_channels(linear, torch.tensor(RGB_TO_XYZ))
    root = xyz.clamp_min(LAB_KNEE) ** (1 / 3)
    root = torch.where(xyz > LAB_KNEE, root, LAB_SLOPE * xyz + LAB_OFFSET)
    x, y, z = root.chunk(3, dim=1)
    lightness = LAB_L_SCALE * y - LAB_L_SHIFT
    return torch.cat([lightness, LAB_A_SCALE * (x - y), LAB_B_SCALE * (y - z)], dim=1)


def lab_to_rgb(images: Tensor) -> Tensor:
    """Convert CIE Lab under D65 to RGB; colours no screen can show are clipped.

    Args:
        images: L in [0, 100], a and b around 0, shape (B, 3, H, W).

    Returns:
        RGB in [0, 1], shape (B, 3, H, W).
    """
    lightness, a, b = images.chunk(3, dim=1)
    y = (lightness + LAB_L_SHIFT) / LAB_L_SCALE
    root = torch.cat([y + a / LAB_A_SCALE, y, y - b / LAB_B_SCALE], dim=1)
    xyz = torch.where(root**3 > LAB_KNEE, root**3, (root - LAB_OFFSET) / LAB_SLOPE)
    inverse = torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64)).float()
    linear = _mix_channels(xyz, inverse).clamp(0, 1)
    bent = (1 + SRGB_OFFSET) * linear ** (1 / SRGB_GAMMA) - SRGB_OFFSET
    return torch.where(linear > SRGB_LINEAR_KNEE, bent, linear * SRGB_SLOPE).clamp(0, 1)


def rgb_to_hsv(images: Tensor) -> Tensor:
    """Convert to hue, saturation and value.

    Args:
        images: RGB in [0, 1], shape (B, 3, H, W).

    Returns:
        HSV in [0, 1], shape (B, 3, H, W); greys get hue 0.
    """
    value, _ = images.max(dim=1, keepdim=True)
    chroma = value - images.min(dim=1, keepdim=True).values
    red, green, blue = images.chunk(3, dim=1)
    safe = torch.where(chroma > 0, chroma, 1)
    from_red = ((green - blue) / safe) % HUE_SECTORS
    from_green = (blue - red) / safe + HUE_SECTORS / 3
    from_blue = (red - green) / safe + 2 * HUE_SECTORS / 3
    sector = torch.where(value == green, from_green, from_blue)
    sector = torch.where(value == red, from_red, sector)
    hue = torch.where(chroma > 0, sector / HUE_SECTORS, 0)
    saturation = chroma / torch.where(value > 0, value, 1)
    return torch.cat([hue, saturation, value], dim=1)


def _mix_channels(images: Tensor, matrix: Tensor) -> Tensor:
    """Multiply each pixel's channels by a 3x3 matrix."""
    matrix = matrix.to(images.device, non_blocking=True)
    return torch.einsum("dc,bchw->bdhw", matrix, images)


def _studio(images: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift from full to studio range, shape (3, 1, 1)."""
    scale = _column((STUDIO_Y_SPAN, STUDIO_C_SPAN, STUDIO_C_SPAN), images.device)
    shift = _column((STUDIO_BLACK, CODE_ZERO, CODE_ZERO), images.device)
    return scale / CODE_MAX, shift / CODE_MAX


def _column(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """Put one number per channel on a device, shape (3, 1, 1), without waiting for it."""
    return torch.tensor(values)[:, None, None].to(device, non_blocking=True)
