"""A grid of differences as a picture: colours over a dark grey photo, with a scale below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps, PngImagePlugin

from contrique_cli.files.writing import replacing
from contrique_cli.version import __version__

ANCHORS = np.array(
    [
        (254, 232, 56), (225, 204, 85), (195, 179, 105), (165, 156, 116), (138, 134, 120),
        (112, 113, 115), (87, 93, 109), (59, 73, 108), (18, 53, 112), (0, 34, 78),
    ],
    dtype=np.float64,
)  # fmt: skip
"""Colours from worst to best, even steps: yellow marks what is bad. The table is that of cividis
(Nunez, Anderton and Renslow, PLOS ONE 2018) backwards: its lightness falls evenly, and people with
and without a colour vision deficiency see it nearly alike."""

LEAST_REACH = 5.0
"""Score points: a photo that is alike everywhere is not stretched to all colours."""

MEMBERS = 98.0
"""Percent of the cells that the colours tell apart; the few beyond have the end's colour."""

SIDE = (640, 1600)
"""Pixels: the picture's long side is brought between these."""

GREY, COLOUR = 0.8, 0.55
"""Brightness of the photo under the colours, and how much of the mixture they are."""

_STRIP, _PAD, _BAR = 64, 12, 16  # pixels: the scale's height, its margin, its bar
_FONT_SIZE = 14
_WHITE, _BLACK = "#ffffff", "#24292f"


def reach(points: np.ndarray) -> float:
    """Score points, to either side of 0, that the colours span: nearly all of a grid."""
    return max(LEAST_REACH, float(np.percentile(np.abs(points), MEMBERS)))


def colours(values: np.ndarray) -> np.ndarray:
    """Colours of values.

    Args:
        values: -1 (worst) to 1 (best), clipped; any shape.

    Returns:
        uint8 RGB, the shape of `values` and 3 more.
    """
    positions = (np.clip(values, -1.0, 1.0) + 1.0) / 2.0 * (len(ANCHORS) - 1)
    channels = [np.interp(positions, np.arange(len(ANCHORS)), column) for column in ANCHORS.T]
    mixed: np.ndarray = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return mixed


def draw(photo: Image.Image, points: np.ndarray, *, is_overlay: bool) -> Image.Image:
    """The map over the photo, or alone, and its scale.

    Args:
        photo: RGB.
        points: differences from the photo's mean in score points, shape (rows, columns).
        is_overlay: whether the photo shows through.
    """
    size = _shown(photo.size)
    span = reach(points)
    smooth = Image.fromarray(points.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    picture = Image.fromarray(colours(np.asarray(smooth) / span))
    if is_overlay:
        grey = ImageOps.autocontrast(photo.convert("L").resize(size, Image.Resampling.LANCZOS))
        dark = grey.point([round(level * GREY) for level in range(256)]).convert("RGB")
        picture = Image.blend(dark, picture, COLOUR)
    sheet = Image.new("RGB", (size[0], size[1] + _STRIP), _WHITE)
    sheet.paste(picture)
    _draw_scale(sheet, span)
    return sheet


def _shown(size: tuple[int, int]) -> tuple[int, int]:
    """Pixels of the picture: as the photo's, unless that is very small or large."""
    longest = max(size)
    factor = min(max(longest, SIDE[0]), SIDE[1]) / longest
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _draw_scale(sheet: Image.Image, span: float) -> None:
    """A bar from worst to best with its ends in score points, in the strip at the bottom."""
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    top = sheet.height - _STRIP + _PAD
    left, right = _PAD, min(sheet.width - _PAD, _PAD + SIDE[0] - 2 * _PAD)
    ramp = colours(np.linspace(-1.0, 1.0, max(2, right - left)))[None].repeat(_BAR, axis=0)
    sheet.paste(Image.fromarray(ramp), (left, top))
    below = top + _BAR + 6
    pen.text((left, below), f"worse {-span:.0f}", _BLACK, font, anchor="lt")
    pen.text(((left + right) / 2, below), "mean", _BLACK, font, anchor="mt")
    pen.text((right, below), f"{span:+.0f} better", _BLACK, font, anchor="rt")


def save(path: Path, picture: Image.Image, description: str) -> None:
    """Write a PNG, whole or not at all.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    facts = PngImagePlugin.PngInfo()
    facts.add_text("Software", f"contrique {__version__}")
    facts.add_itxt("Description", description)
    with replacing(path) as file:
        picture.save(file, "PNG", pnginfo=facts)
