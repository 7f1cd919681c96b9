"""The loss curve: a picture of the right size, with a line where the losses are."""

from __future__ import annotations

import pytest
from PIL import Image

from contrique_cli.pretraining import lossplot


@pytest.mark.parametrize("n", [0, 1, 2, 500])
def test_any_number_of_steps_gives_a_picture(tmp_path, n):
    path = tmp_path / "loss.png"
    lossplot.draw(path, range(1, n + 1), [6.0 - 0.01 * i for i in range(n)], "a run")
    with Image.open(path) as picture:
        assert picture.size == lossplot.SIZE


def test_a_falling_loss_is_a_falling_line(tmp_path):
    path = tmp_path / "loss.png"
    lossplot.draw(path, range(100), [10.0 - 0.1 * i for i in range(100)], "")
    with Image.open(path) as picture:
        pixels = picture.convert("RGB").load()
    heights = []
    for x in (200, 500, 800):
        blue = [y for y in range(lossplot.SIZE[1]) if pixels[x, y] == (31, 95, 191)]
        heights.append(sum(blue) / len(blue))
    assert heights == sorted(heights)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.9, 3.1, [1, 1.5, 2, 2.5, 3]), (1, 1800, [500, 1000, 1500])],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert lossplot.ticks(low, high) == expected
