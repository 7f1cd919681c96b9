"""Likeness: which hashes are near, and which photos make a burst."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from contrique_cli.collection import likeness
from contrique_cli.collection.likeness import Shot
from tests.conftest import blurred, make_photo

NOON = datetime(2024, 5, 6, 12)  # noqa: DTZ001 - a camera knows no zone


def hashed(image: Image.Image) -> int:
    small = image.copy()
    small.thumbnail((likeness.SIDE, likeness.SIDE))
    return likeness.perceptual_hash(np.asarray(small.convert("RGB")))


def shots(*facts: tuple[float | None, int]) -> list[Shot]:
    """Shots 0000.jpg, 0001.jpg ... of (seconds after noon, hash)."""
    return [
        Shot(
            path=Path(f"{number:04}.jpg"),
            taken=None if after is None else NOON + timedelta(seconds=after),
            hash=value,
        )
        for number, (after, value) in enumerate(facts)
    ]


def bits(count: int) -> int:
    return (1 << count) - 1


def changed(image: Image.Image) -> dict[str, Image.Image]:
    """The motif taken again: a step aside, brighter, out of focus, noisy."""
    width, height = image.size
    noise = np.random.default_rng(0).normal(0, 10, (height, width, 3))
    return {
        "aside": image.crop((width // 50, height // 50, width, height)).resize(image.size),
        "brighter": ImageEnhance.Brightness(image).enhance(1.25),
        "blurred": blurred(image, 2),
        "noisy": Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)),
    }


@pytest.mark.parametrize("how", ["aside", "brighter", "blurred", "noisy"])
@pytest.mark.parametrize("seed", range(5))
def test_the_same_motif_again_is_near(seed, how):
    image = make_photo(seed, 320, 240)
    apart = likeness.distance(hashed(image), hashed(changed(image)[how]))
    assert apart <= likeness.NEXT_DISTANCE


@pytest.mark.parametrize("seed", range(5))
def test_a_reduced_and_recompressed_copy_is_nearer_still(seed):
    image, file = make_photo(seed, 320, 240), io.BytesIO()
    image.resize((120, 90)).save(file, "JPEG", quality=40)
    assert likeness.distance(hashed(image), hashed(Image.open(file))) <= likeness.COPY_DISTANCE


def test_other_motifs_are_far():
    values = [hashed(make_photo(seed)) for seed in range(12)]
    apart = [
        likeness.distance(one, other)
        for number, one in enumerate(values)
        for other in values[:number]
    ]
    assert min(apart) > likeness.NEXT_DISTANCE


@pytest.mark.parametrize("size", [(64, 1), (1, 64), (1, 1), (64, 3)])
def test_the_thinnest_picture_has_a_hash(size):
    assert 0 <= hashed(Image.new("RGB", size, "red")) < 1 << 64


def test_photos_close_in_time_and_look_are_one_burst():
    found = likeness.group(shots((0, 0), (1, bits(6)), (2, 0), (3, bits(40))), gap=3)
    assert found == [[0, 1, 2]]


def test_a_pause_beyond_the_gap_begins_a_new_burst():
    facts = shots((0, 0), (1, 0), (4.5, 0), (5, 0))
    assert likeness.group(facts, gap=3) == [[0, 1], [2, 3]]
    assert likeness.group(facts, gap=4) == [[0, 1, 2, 3]]


def test_a_burst_is_in_order_of_time_whatever_the_names():
    assert likeness.group(shots((2, 0), (1, 0), (0.5, 0)), gap=3) == [[2, 1, 0]]


def test_two_photographers_at_one_time_make_two_bursts():
    one, other = 0, bits(32)
    facts = shots((0, one), (0.1, other), (0.5, one), (0.6, other), (1, one))
    assert likeness.group(facts, gap=3) == [[0, 2, 4], [1, 3]]


def test_a_slow_pan_does_not_chain_on():
    step = 8  # bits, well within a burst
    pan = shots(*[(number, bits(number * step)) for number in range(8)])
    groups = likeness.group(pan, gap=3)
    assert max(map(len, groups)) == 1 + likeness.DRIFT_DISTANCE // step


def test_without_a_time_only_copies_are_joined():
    facts = shots((None, 0), (None, bits(4)), (None, bits(6) << 50))
    assert likeness.group(facts, gap=3) == [[0, 1]]


def test_a_copy_that_lost_its_time_joins_the_burst_of_its_original():
    facts = shots((0, 0), (1, bits(10)), (None, bits(10)), (500, bits(30)))
    assert likeness.group(facts, gap=3) == [[0, 1, 2]]


def test_equal_photos_far_apart_in_time_are_no_burst():
    assert likeness.group(shots((0, 0), (3600, 0)), gap=3) == []


def test_groups_are_numbered_by_their_first_path():
    facts = shots(
        (100, 0), (None, bits(30)), (101, 0), (None, bits(30)), (0, bits(50)), (1, bits(50))
    )
    assert likeness.group(facts, gap=3) == [[0, 2], [1, 3], [4, 5]]


@pytest.mark.parametrize(
    "wrong", [(0, 1, 2, 3), (0, 16, 32, 48), (15, 31, 47, 63), (5, 20, 21, 40)]
)
def test_every_copy_within_the_distance_is_found(wrong):
    value = int(np.random.default_rng(0).integers(1 << 62))
    other = value
    for bit in wrong:
        other ^= 1 << bit
    assert likeness.group(shots((None, value), (None, other)), gap=3) == [[0, 1]]


def test_no_gap_is_too_large():
    assert likeness.group(shots((0, 0), (9e8, 0)), gap=float("inf")) == [[0, 1]]


@pytest.mark.parametrize("kind", ["with times", "at one time", "without times", "all alike"])
def test_each_photo_is_compared_with_a_few_only(kind, monkeypatch):
    count, compared, real = 1000, [], likeness.distance
    values = np.random.default_rng(0).integers(1 << 62, size=count).tolist()
    times = {"with times": range(count), "at one time": [0] * count}.get(kind, [None] * count)
    many = shots(*zip(times, [7] * count if kind == "all alike" else values, strict=True))

    def distance(one: int, other: int) -> int:
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr(likeness, "distance", distance)
    likeness.group(many, gap=3)
    assert len(compared) < 3 * likeness.OPEN_BURSTS * count
