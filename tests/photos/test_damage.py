"""Damage: what is told of broken photos, and that nothing is told of sound ones (issue 16.7)."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from contrique_cli.errors import Unreadable
from contrique_cli.photos import damage, opening
from tests import broken_photos
from tests.conftest import make_photo

PHOTO = make_photo(5, 640, 480)


def note_of(data: bytes, max_side: int = 0) -> str | None:
    return opening.open_rgb(data, max_side=max_side).note


@pytest.mark.parametrize("name", broken_photos.FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_a_sound_photo_has_no_note(name, seed):
    photo = make_photo(seed, 400 + 7 * seed, 301)
    assert note_of(broken_photos.encode(photo, name)) is None


def test_flat_and_framed_and_dark_photos_have_no_note():
    pixels = np.asarray(PHOTO)
    framed = np.pad(pixels, ((40, 40), (0, 0), (0, 0)))
    white = np.pad(pixels, ((0, 90), (0, 0), (0, 0)), constant_values=255)
    fading = pixels * np.linspace(1, -0.3, 480)[:, None, None].clip(0)
    for picture in (framed, white, fading.astype(np.uint8), np.zeros_like(pixels)):
        for name in broken_photos.FORMATS:
            assert note_of(broken_photos.encode(Image.fromarray(picture), name)) is None, name


@pytest.mark.parametrize("seed", range(3))
def test_four_fifths_of_what_is_broken_is_told(seed):
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    for name in broken_photos.FORMATS:
        whole = broken_photos.encode(make_photo(seed, 640, 480), name)
        right = np.asarray(opening.open_rgb(whole, max_side=256).image, int)
        for spoil in broken_photos.DAMAGES:
            if spoil is broken_photos.end_early and not whole.startswith(b"\xff\xd8"):
                continue
            try:
                found = opening.open_rgb(spoil(whole, rng), max_side=256)
            except Unreadable:
                counts["told"] += 1
                continue
            difference = np.abs(np.asarray(found.image, int) - right).mean()
            if difference > 1 or found.note:
                counts["told" if found.note else "silent"] += 1
    assert counts["told"] >= 0.8 * counts.total()
    assert counts.total() > 40


@pytest.mark.parametrize("name", ["baseline", "png", "lossless", "tiff"])
def test_a_missing_lower_part_is_told_with_its_share(name):
    pixels = np.asarray(PHOTO).copy()
    pixels[288:] = 128
    found = note_of(broken_photos.encode(Image.fromarray(pixels), name))
    share = int(re.fullmatch(r"damaged: the last (\d+) % of the picture are missing", found)[1])
    assert 38 <= share <= 40


@pytest.mark.parametrize("name", ["png", "baseline", "webp"])
def test_black_bands_are_told(name):
    pixels = np.asarray(PHOTO).copy()
    pixels[200:300] = 0
    found = note_of(broken_photos.encode(Image.fromarray(pixels), name))
    share = int(re.fullmatch(r"damaged: (\d+) % of the picture are missing", found)[1])
    assert 15 <= share <= 21


@pytest.mark.parametrize("name", ["baseline", "png", "webp"])
@pytest.mark.parametrize(("start", "aside"), [(250, 200), (232, 77), (310, 500)])
def test_a_shifted_band_is_told_however_it_was_saved(name, start, aside):
    noise = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
    smooth = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)
    assert note_of(broken_photos.encode(smooth, name)) is None
    shifted = np.asarray(smooth).copy()
    shifted[start:] = np.roll(shifted[start:], aside, axis=1)
    told = note_of(broken_photos.encode(Image.fromarray(shifted), name))
    assert told == "damaged: a part of the picture is shifted"


def test_a_dark_line_through_a_photo_is_no_shift():
    noise = np.random.default_rng(1).integers(100, 256, (24, 32, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC)).copy()
    pixels[250:256] //= 8
    pixels[250:256] = np.roll(pixels[250:256], 200, axis=1)
    assert damage.see(pixels) is None


def test_a_narrow_grey_edge_is_told_only_where_the_picture_breaks_off():
    """A saved copy with a grey bar below may be meant; blocks that were never decoded are not."""
    pixels = np.asarray(PHOTO).copy()
    pixels[450:] = 128
    assert note_of(broken_photos.encode(Image.fromarray(pixels), "png")) is not None
    pixels[442:450] = pixels[442:450] // 8 + 112
    assert note_of(broken_photos.encode(Image.fromarray(pixels), "png")) is None


def test_a_tilted_photo_is_told_by_its_stored_rows():
    pixels = np.asarray(PHOTO).copy()
    pixels[240:] = 128
    exif = Image.Exif()
    exif[0x0112] = 6
    data = broken_photos.io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG", exif=exif)
    assert note_of(data.getvalue()) == "damaged: the last 50 % of the picture are missing"


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_the_note_stands_in_the_report_and_survives_the_cache(contrique, tmp_path, form):
    whole = broken_photos.encode(PHOTO, "baseline")
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    options = ("--regressor", "tiny", "--device", "cpu", "--format", form)
    first, second = (contrique("score", tmp_path / "a.jpg", *options) for _ in range(2))
    assert first.status == 0
    assert re.search(r"damaged: the last \d+ % of the picture are missing", first.out)
    assert "note: " in first.err
    assert second.out == first.out
