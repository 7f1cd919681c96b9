"""Colours that anyone can tell apart, in the right places, with a scale."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from contrique_cli.scoring import heatmap
from tests.conftest import make_photo


def lightness(colour: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB, shape (N,), from shape (N, 3)."""
    linear = ((colour / 255 + 0.055) / 1.055) ** 2.4
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_lightness_falls_evenly_from_worst_to_best():
    steps = -np.diff(lightness(heatmap.colours(np.linspace(-1, 1, 11)).astype(float)))
    assert steps.min() > 0
    assert steps.max() < 1.7 * steps.min()


def test_the_worst_is_yellow_the_best_dark_blue_and_what_lies_beyond_too():
    found = heatmap.colours(np.array([-9.0, -1.0, 1.0, 9.0]))
    np.testing.assert_array_equal(found[0], [254, 232, 56])
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], [0, 34, 78])
    np.testing.assert_array_equal(found[3], found[2])


def test_a_photo_that_is_alike_everywhere_is_not_stretched_to_all_colours():
    assert heatmap.reach(np.full((4, 4), 0.1)) == heatmap.LEAST_REACH


def test_one_odd_cell_does_not_take_the_colours_from_the_others():
    points = np.full((10, 10), 10.0)
    points[0, 0] = 500
    assert heatmap.reach(points) < 15


@pytest.mark.parametrize("is_overlay", [True, False])
def test_the_bad_quarter_is_the_yellow_one(is_overlay):
    points = np.full((8, 8), 10.0)
    points[:4, 4:] = -30
    picture = heatmap.draw(make_photo(0, 800, 600), points, is_overlay=is_overlay)
    shown = np.asarray(picture)[:600].astype(float)
    yellowness = shown[..., 0] - shown[..., 2]
    assert yellowness[50:250, 450:750].mean() > yellowness[350:550, 50:350].mean() + 40


@pytest.mark.parametrize(
    ("size", "shown"), [((64, 32), (640, 320)), ((800, 600), (800, 600)), ((50, 5000), (16, 1600))]
)
def test_the_picture_is_as_large_as_the_photo_within_reason(size, shown):
    picture = heatmap.draw(Image.new("RGB", size), np.zeros((2, 2)), is_overlay=True)
    assert picture.size == (shown[0], shown[1] + heatmap._STRIP)


def test_a_picture_is_saved_with_what_it_shows(tmp_path):
    heatmap.save(tmp_path / "map.png", Image.new("RGB", (4, 4)), "quality of ä.jpg")
    with Image.open(tmp_path / "map.png") as saved:
        assert saved.text["Description"] == "quality of ä.jpg"
        assert saved.text["Software"].startswith("contrique ")
