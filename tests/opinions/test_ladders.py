"""Ladders: clean photos made worse, and the order that they teach a regressor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from contrique_cli import config
from contrique_cli.distortions.bank import KINDS, flaw_of
from contrique_cli.encoder import backend
from contrique_cli.encoder.features import embed_scales
from contrique_cli.errors import BadLabels
from contrique_cli.models.regressor import NO_REFERENCE
from contrique_cli.opinions import fit, ladders, metrics, ranking
from contrique_cli.opinions.dataset import Dataset
from contrique_cli.photos import opening
from contrique_cli.photos import pixels as photo_pixels
from tests.conftest import make_photo
from tests.ladders import made_up


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    for seed in range(3):
        make_photo(seed).save(folder / f"{seed}.png")
    return folder


def test_a_ladder_begins_with_the_photo_itself_and_goes_down_five_levels(clean, tiny):
    paths = ladders.choose(clean)
    found = ladders.climb(paths, tiny, kinds=[11, 18], kinds_per_photo=2)
    assert found.features.shape == (6, 6, 2 * tiny.length)
    assert found.kinds.tolist() == [11, 18] * 3
    assert found.photos.tolist() == [0, 0, 1, 1, 2, 2]
    pixels = photo_pixels.to_tensor(opening.open_rgb(paths[1], max_side=0).image)
    expected = embed_scales(backend.Embed(tiny), pixels[None])[0].numpy()
    np.testing.assert_allclose(found.features[2, 0], expected, atol=1e-6)
    np.testing.assert_allclose(found.features[1, 3], found.features[1, 0], atol=1e-6)  # shift of 0
    assert np.abs(found.features[0, 5] - found.features[0, 0]).max() > 1e-3


def test_photos_take_the_kinds_in_turn(clean, tiny):
    found = ladders.climb(ladders.choose(clean), tiny, kinds=[1, 10, 17], kinds_per_photo=2)
    assert found.kinds.tolist() == [1, 10, 17, 1, 10, 17]


@pytest.mark.parametrize(
    ("kind", "light", "flaw"),
    [(ladders.UNDEREXPOSED, 0.5, "dark"), (ladders.OVEREXPOSED, 2, "bright")],
)
def test_less_and_more_light_are_ladders_of_their_own(clean, tiny, kind, light, flaw):
    paths = ladders.choose(clean)[:1]
    found = ladders.climb(paths, tiny, kinds=[kind], kinds_per_photo=1)
    pixels = np.asarray(Image.open(paths[0]).convert("RGB"), dtype=np.float64) / 255
    taken = np.round(255 * np.clip(pixels**2.2 * light, 0, 1) ** (1 / 2.2))  # level 2: one stop
    expected = embed_scales(
        backend.Embed(tiny), torch.from_numpy(taken.astype(np.uint8)).permute(2, 0, 1)[None]
    )
    np.testing.assert_allclose(found.features[0, 2], expected[0].numpy(), atol=1e-3)
    assert kind in ladders.TAUGHT
    assert ladders.flaw_of(kind, 2) == flaw
    assert ladders.flaw_of(10, 2) == "compression"
    assert ranking.rungs(kind) == [0, 1, 2, 3, 4, 5]


def test_a_grey_photo_has_no_ladder_of_colour(tmp_path, tiny):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / "grey.png")
    found = ladders.climb([tmp_path / "grey.png"], tiny, kinds=[4, 7, 10], kinds_per_photo=3)
    assert found.kinds.tolist() == [10]


def test_an_unreadable_clean_photo_is_named_and_left_out(clean, tiny, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    found = ladders.climb([bad, *ladders.choose(clean)], tiny, kinds=[1], kinds_per_photo=1)
    assert [problem.path for problem in found.unreadable] == [bad]
    assert set(found.photos.tolist()) == {1, 2, 3}


def test_clean_photos_that_cannot_be_used_at_all_are_an_error(tmp_path, tiny):
    with pytest.raises(BadLabels, match="no photos"):
        ladders.choose(tmp_path)
    with pytest.raises(
        BadLabels, match=r"the first: .*gone\.jpg.*give a folder of readable photos"
    ):
        ladders.climb([tmp_path / "gone.jpg"], tiny)
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "flat.png")
    with pytest.raises(BadLabels, match="distortions change none of those that can be read"):
        ladders.climb([tmp_path / "flat.png"], tiny, kinds=[1, 7], kinds_per_photo=2)


def test_a_large_folder_is_thinned_evenly(tmp_path):
    for number in range(10):
        Image.new("RGB", (40, 40)).save(tmp_path / f"{number}.png")
    assert [path.stem for path in ladders.choose(tmp_path, 4)] == ["0", "3", "6", "9"]


def opinions(n=60, width=12):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, width))
    x[:, width // 2 :] *= 0.01  # ordinary photos hardly differ in what distortions change
    return Dataset(
        features=x.astype(np.float32),
        mos=x[:, 0] + 0.1 * rng.normal(size=n),
        groups=None,
        group_column=None,
        task=NO_REFERENCE,
        marks=[],
        left_out=[],
        notes=[],
    )


def fitted(climbed, *, higher_is_better=True):
    """Report and regressor on `opinions`."""
    return fit.fit_dataset(
        opinions(),
        encoder="f" * 64,
        max_side=0,
        higher_is_better=higher_is_better,
        provenance={},
        ladders=climbed,
    )


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_regressor_fitted_with_ladders_puts_distortions_in_order(higher_is_better):
    climbed = made_up()
    plain, taught = (fitted(one, higher_is_better=higher_is_better)[1] for one in (None, climbed))

    def order(found):
        quality = found.predict(climbed.features.reshape(-1, 12)).reshape(-1, 6)
        sign = 1.0 if higher_is_better else -1.0
        return np.mean([metrics.spearman(-np.arange(6.0), sign * row) for row in quality])

    assert order(taught) > 0.95
    assert order(taught) > order(plain)
    clean, worst = (taught.to_score(taught.predict(climbed.features[:, end])) for end in (0, -1))
    assert np.mean(worst == 0) < 0.05  # the scale has room for what is worse than its photos
    assert np.mean(clean == 100) < 0.05  # and for what is better


def test_ladders_ask_for_a_ridge_of_their_own_strength():
    plain, taught = (fitted(one)[0] for one in (None, made_up()))
    assert taught.strength == pytest.approx(config.LADDER_SHRINKAGE * plain.strength)


def test_ladders_do_not_spoil_what_the_opinions_say():
    report, _ = fitted(made_up())
    assert report.figures["srocc"].value > 0.9


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (18, ["bright", "bright", "none", "dark", "dark"]),
        (25, ["none", "none", "none", "low contrast", "low contrast"]),
    ],
)
def test_signed_kinds_have_the_flaw_of_their_sign(kind, names):
    assert [flaw_of(kind, level) for level in range(1, 6)] == names


def test_every_distortion_has_a_flaw_and_identities_have_none():
    assert {flaw_of(kind.number, 5) for kind in KINDS} >= {"blur", "noise", "compression", "dark"}
    assert flaw_of(0, 1) == flaw_of(1, 1) == "none"
