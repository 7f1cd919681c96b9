"""The loss curve of a run as a picture, drawn with Pillow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from contrique_cli.files.writing import replacing

SIZE = (960, 540)
"""Pixels, width and height."""

MARGINS = (80, 48, 28, 64)
"""Pixels: left, top, right, bottom."""

TICKS = 6
"""Lines of the grid, about, per axis."""

SMOOTHING = 50
"""The dark line averages over the run divided by this."""

_WHITE, _GREY, _LIGHT, _BLACK = "#ffffff", "#e4e7eb", "#a9c4e6", "#24292f"
_BLUE = "#1f5fbf"
_FONT_SIZE = 16


def draw(path: Path, steps: Sequence[int], losses: Sequence[float], title: str) -> None:
    """Draw loss over steps: every step in a light line, a running mean in a dark one.

    Args:
        path: a PNG file.
        steps: rising.
        losses: finite, as many as steps.
        title: above the curve.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    picture = Image.new("RGB", SIZE, _WHITE)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_FONT_SIZE)
    left, top, right, bottom = _frame()
    pen.text((left, top - 32), title, _BLACK, font)
    if losses:
        low, high = min(losses), max(losses)
        pad = 0.05 * (high - low) or 0.5
        x_range = (min(steps), max(*steps, min(steps) + 1))
        y_range = (low - pad, high + pad)
        _grid(pen, font, x_range, y_range)
        smooth = _running_mean(losses, max(1, len(losses) // SMOOTHING))
        for values, colour, width in ((losses, _LIGHT, 1), (smooth, _BLUE, 3)):
            points = [
                (_scale(step, x_range, left, right), _scale(value, y_range, bottom, top))
                for step, value in zip(steps, values, strict=True)
            ]
            pen.line(points, colour, width, joint="curve")
    pen.rectangle((left, top, right, bottom), outline=_BLACK)
    pen.text(((left + right) / 2, SIZE[1] - 12), "step", _BLACK, font, anchor="ms")
    pen.text((12, top - 8), "loss", _BLACK, font, anchor="ls")
    with replacing(path) as file:
        picture.save(file, "PNG", optimize=True)


def _frame() -> tuple[int, int, int, int]:
    return MARGINS[0], MARGINS[1], SIZE[0] - MARGINS[2], SIZE[1] - MARGINS[3]


def _grid(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> None:
    left, top, right, bottom = _frame()
    for tick in ticks(*x_range):
        x = _scale(tick, x_range, left, right)
        pen.line((x, top, x, bottom), _GREY)
        pen.text((x, bottom + 8), f"{tick:g}", _BLACK, font, anchor="mt")
    for tick in ticks(*y_range):
        y = _scale(tick, y_range, bottom, top)
        pen.line((left, y, right, y), _GREY)
        pen.text((left - 8, y), f"{tick:g}", _BLACK, font, anchor="rm")


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two bounds, some `TICKS` of them."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * unit for unit in (1, 2, 5, 10) if power * unit >= rough)
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _scale(value: float, bounds: tuple[float, float], start: float, end: float) -> float:
    return start + (value - bounds[0]) / (bounds[1] - bounds[0]) * (end - start)


def _running_mean(values: Sequence[float], reach: int) -> list[float]:
    """Mean over `reach` values to either side, fewer at the ends."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    result = []
    for index in range(len(values)):
        start, end = max(0, index - reach), min(len(values), index + reach + 1)
        result.append((sums[end] - sums[start]) / (end - start))
    return result
