"""The bank as a whole: every kind at every level."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from contrique_cli.distortions.bank import (
    CLASSES,
    IDENTITIES,
    KINDS,
    LEVELS,
    Kind,
    apply_kind,
    class_of,
    distort,
)
from tests.synthetic_photos import make_photo, psnr

each_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
ALL_LEVELS = torch.arange(1, LEVELS + 1)
SAME_SEED = torch.full((LEVELS,), 7)
# Levels of these need not be worse and worse in PSNR on every image: where green comes from, and
# what patches fall on, decides. They may gain this much, dB.
MAY_GAIN = {"colour_shift": 0.5, "stray_patches": 0.5}


def at_all_levels(kind: Kind, photo: Tensor) -> Tensor:
    """Apply a kind at levels 1 to 5 with one seed."""
    return apply_kind(photo.expand(LEVELS, -1, -1, -1), kind.number, ALL_LEVELS, SAME_SEED)


def mixed_batch(size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Make one image of every kind, and an undistorted one in front."""
    photos = torch.cat([make_photo(i, *size) for i in range(4)]).repeat(7, 1, 1, 1)[:26]
    kinds = torch.arange(26)
    return photos, kinds, kinds % LEVELS + 1, kinds * 31 + 5


def test_the_table_is_in_the_order_of_kadid() -> None:
    assert list(range(1, 26)) == [kind.number for kind in KINDS]
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.name.isidentifier() for kind in KINDS)
    assert all(len(kind.levels) == LEVELS for kind in KINDS)
    assert {18, 25} == {kind.number for kind in KINDS if not kind.ordered}


@each_kind
@pytest.mark.parametrize("size", [(65, 97), (33, 40)])
def test_every_level_gives_an_image_of_the_same_shape_in_range(
    kind: Kind, size: tuple[int, int]
) -> None:
    images = at_all_levels(kind, make_photo(0, *size))
    assert images.shape == (LEVELS, 3, *size)
    assert images.dtype == torch.float32
    assert images.isfinite().all()
    assert images.min() >= 0
    assert images.max() <= 1


@each_kind
def test_flat_images_do_no_harm(kind: Kind) -> None:
    values = torch.tensor([0, 0.25, 0.5, 0.75, 1])[:, None, None, None]
    images = values.expand(-1, 3, 40, 48)
    for levels in (ALL_LEVELS, ALL_LEVELS.flip(0)):
        assert apply_kind(images, kind.number, levels, SAME_SEED).isfinite().all()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.ordered], ids=lambda kind: kind.name
)
def test_higher_levels_are_farther_from_the_photo(kind: Kind) -> None:
    photo = make_photo(3, 192, 192)
    quality = [psnr(image, photo[0]) for image in at_all_levels(kind, photo)]
    gain = max(after - before for before, after in pairwise(quality))
    assert gain < MAY_GAIN.get(kind.name, 0)


@each_kind
def test_identities_are_those_that_leave_photos_as_they_are(kind: Kind) -> None:
    photo = make_photo(4, 96, 96)
    same = {
        (kind.number, level)
        for level, image in enumerate(at_all_levels(kind, photo), start=1)
        if psnr(image, photo[0]) >= 50
    }
    assert {pair for pair in IDENTITIES if pair[0] == kind.number} == same


@each_kind
def test_a_seed_gives_the_same_image_again_and_another_seed_another(kind: Kind) -> None:
    photo = make_photo(5, 64, 64)
    level = torch.tensor([5])
    first, again, other = (
        apply_kind(photo, kind.number, level, torch.tensor([seed])) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    random = {3, 5, 11, 12, 13, 14, 15, 19, 20, 23}
    assert (kind.number in random) != torch.equal(first, other)


def test_an_image_does_not_depend_on_its_neighbours_or_its_place() -> None:
    images, kinds, levels, seeds = mixed_batch((48, 64))
    together = distort(images, kinds, levels, seeds)
    shuffled = torch.randperm(26, generator=torch.Generator().manual_seed(0))
    reordered = distort(images[shuffled], kinds[shuffled], levels[shuffled], seeds[shuffled])
    # Sums of products may be rounded otherwise in another batch.
    assert_close(reordered, together[shuffled], atol=1e-5, rtol=0)
    half = slice(None, 13)
    fewer = distort(images[half], kinds[half], levels[half], seeds[half])
    assert_close(fewer, together[half], atol=1e-5, rtol=0)


@each_kind
def test_images_of_one_kind_do_not_depend_on_each_other(kind: Kind) -> None:
    photos = torch.cat([make_photo(i, 48, 64) for i in range(LEVELS)])
    seeds = torch.arange(LEVELS)
    together = apply_kind(photos, kind.number, ALL_LEVELS, seeds)
    for i in range(LEVELS):
        one = slice(i, i + 1)
        alone = apply_kind(photos[one], kind.number, ALL_LEVELS[one], seeds[one])
        assert_close(alone, together[one], atol=1e-5, rtol=0)


def test_kind_zero_leaves_the_image_as_it_is() -> None:
    photo = make_photo(6, 33, 40).expand(2, -1, -1, -1)
    nothing = torch.zeros(2, dtype=torch.int64)
    assert torch.equal(photo, distort(photo, nothing, nothing + 5, nothing))


def test_the_images_given_are_not_changed() -> None:
    images, kinds, levels, seeds = mixed_batch((48, 48))
    before = images.clone()
    distort(images, kinds, levels, seeds)
    assert torch.equal(before, images)


def test_classes_are_numbered_by_kind_then_level() -> None:
    assert class_of(0, 0) == 0
    assert class_of(1, 2) == 2
    assert class_of(2, 1) == 6
    assert class_of(25, 5) == CLASSES - 1


def test_identities_count_as_undistorted() -> None:
    assert all(class_of(*pair) == 0 for pair in IDENTITIES)


def test_all_other_pairs_have_a_class_of_their_own() -> None:
    pairs = [(kind.number, level) for kind in KINDS for level in range(1, LEVELS + 1)]
    classes = [class_of(*pair) for pair in pairs if pair not in IDENTITIES]
    assert len(set(classes)) == len(classes) == 25 * LEVELS - len(IDENTITIES)
    assert min(classes) > 0


@pytest.mark.parametrize("pair", [(26, 1), (-1, 1), (1, 0), (1, 6)])
def test_no_class_without_a_kind_and_a_level(pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no distortion"):
        class_of(*pair)


@pytest.mark.parametrize("level", [0, 6])
def test_a_level_that_does_not_exist_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match="levels run from 1 to 5"):
        apply_kind(make_photo(0, 33, 40), 1, torch.tensor([level]), torch.tensor([0]))


def test_mixed_precision_does_not_reach_the_distortions() -> None:
    images, kinds, levels, seeds = mixed_batch((33, 40))
    expected = distort(images, kinds, levels, seeds)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = distort(images, kinds, levels, seeds)
    assert torch.equal(expected, actual)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@each_kind
def test_a_gpu_gives_the_same_images(kind: Kind) -> None:
    photos = torch.cat([make_photo(i, 96, 128) for i in range(LEVELS)])
    seeds = torch.arange(LEVELS)
    expected = apply_kind(photos, kind.number, ALL_LEVELS, seeds)
    actual = apply_kind(photos.cuda(), kind.number, ALL_LEVELS, seeds.cuda()).cpu()
    # Where values are rounded to codes, a few may fall on the other side.
    assert (actual - expected).abs().mean() < 1e-3
    assert psnr(actual, expected) > 45
