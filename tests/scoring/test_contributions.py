"""Maps on a common grid: by areas, smoothed, the mean kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from contrique_cli import config
from contrique_cli.distortions.bank import apply_kind
from contrique_cli.encoder import backend
from contrique_cli.encoder.architectures import FULL, LAST, STAGES
from contrique_cli.encoder.checkpoint import EncoderInfo
from contrique_cli.encoder.features import embed_scales
from contrique_cli.encoder.model import Contrique
from contrique_cli.models.regressor import NO_REFERENCE, Regressor
from contrique_cli.photos import pixels as photo_pixels
from contrique_cli.scoring import contributions
from contrique_cli.scoring.pipeline import Pipeline
from tests.conftest import make_photo
from training.explain_check import Judge, quarter_of, worsen


@pytest.mark.parametrize("inputs", [1, 3, 24, 32, 100])
def test_the_cells_of_a_grid_have_the_mean_of_the_map(inputs):
    values = torch.rand(inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((contributions.cells(24, inputs) @ values).mean(), values.mean())


def test_a_cell_takes_of_each_input_the_share_that_it_covers():
    expected = torch.tensor([[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], dtype=torch.float64)
    torch.testing.assert_close(contributions.cells(2, 3), expected)


@pytest.mark.parametrize(("count", "sigma"), [(1, 1.25), (2, 1.25), (32, 1.25), (5, 40.0)])
def test_smoothing_keeps_the_mean_and_what_is_constant(count, sigma):
    matrix = contributions.smoothing(count, sigma)
    ones = torch.ones(count, dtype=torch.float64)
    torch.testing.assert_close(matrix.sum(dim=0), ones)
    torch.testing.assert_close(matrix.sum(dim=1), ones)


def test_a_very_wide_smoothing_is_the_mean():
    torch.testing.assert_close(contributions.smoothing(4, 1e3), torch.full((4, 4), 0.25).double())


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(768, 1024, (24, 32)), (90, 60, (32, 21)), (9, 999, (1, 32))]
)
def test_the_long_side_has_the_cells_asked_for(height, width, expected):
    assert contributions.size(height, width, 32) == expected


BIAS = 0.25


@pytest.fixture(scope="module", params=[LAST, STAGES, FULL])
def model(request) -> Contrique:
    torch.manual_seed(0)
    return Contrique("tiny", request.param).eval()


@pytest.fixture
def linear(model) -> torch.Tensor:
    return torch.randn(model.scales * model.length, generator=torch.Generator().manual_seed(1))


def raw_of(model: Contrique, linear: torch.Tensor, pixels: torch.Tensor) -> float:
    return float(
        embed_scales(backend.Embed(model, "fp32"), pixels[None]).numpy()[0].astype(float)
        @ linear.double().numpy()
        + BIAS
    )


def map_of(find, model: Contrique, linear: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    layers = contributions.layers(model, linear, pixels)
    return find(layers, BIAS, contributions.size(*pixels.shape[1:], contributions.CELLS))


def pixels_of(width: int, height: int, seed: int = 3) -> torch.Tensor:
    return photo_pixels.to_tensor(make_photo(seed, width, height))


@pytest.mark.parametrize("size", [(160, 120), (97, 131), (40, 300), (33, 33)])
def test_the_mean_of_all_shares_is_the_raw_value_itself(model, linear, size):
    pixels = pixels_of(*size)
    found = map_of(contributions.shares, model, linear, pixels)
    # float32 rounding of the maps' means and deviations
    assert float(found.mean()) == pytest.approx(raw_of(model, linear, pixels), abs=2e-5)


def test_each_scale_has_its_own_shares(model, linear):
    pixels = pixels_of(160, 120)
    for half in (slice(None, model.length), slice(model.length, None)):
        alone = torch.zeros_like(linear)
        alone[half] = linear[half]
        found = map_of(contributions.shares, model, alone, pixels)
        assert float(found.mean()) == pytest.approx(raw_of(model, alone, pixels), abs=2e-5)


def test_a_share_is_the_weighted_value_and_squared_distance_over_the_length():
    rng = np.random.default_rng(0)
    values, means, deviations = rng.normal(size=(3, 2, 4)), rng.normal(size=3), rng.normal(size=3)
    middle, spread = values.mean((1, 2)), values.std((1, 2))
    length = np.sqrt((middle**2).sum() + (spread**2).sum())
    expected = np.zeros((2, 4))
    for y in range(2):
        for x in range(4):
            for c in range(3):
                apart = (values[c, y, x] - middle[c]) ** 2 / spread[c]
                expected[y, x] += (means[c] * values[c, y, x] + deviations[c] * apart) / length
    layer = contributions.Layer(
        values=torch.from_numpy(values),
        means=torch.from_numpy(means),
        deviations=torch.from_numpy(deviations),
    )
    torch.testing.assert_close(contributions._shares_of(layer), torch.from_numpy(expected))


def test_a_window_as_large_as_the_photo_has_the_raw_value_of_the_photo(model, linear, monkeypatch):
    monkeypatch.setattr(contributions, "SPREAD", 1e3)
    pixels = pixels_of(160, 128)
    found = map_of(contributions.windows, model, linear, pixels)
    expected = torch.full((26, 32), raw_of(model, linear, pixels), dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_a_small_window_is_pooled_and_scaled_to_length_1_as_a_photo_is(monkeypatch):
    values = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(0))
    linear = torch.randn(10, generator=torch.Generator().manual_seed(1)).double()
    layer = contributions.Layer(values=values, means=linear[:5], deviations=linear[5:])
    halves = torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]], dtype=torch.float64)
    found = contributions._windows_of(layer, halves, halves)
    window = values[:, 2:, :2].double().flatten(1)
    pooled = torch.cat([window.mean(dim=1), window.std(dim=1, correction=0)])
    torch.testing.assert_close(found[1, 0], functional.normalize(pooled, dim=0) @ linear)


@pytest.mark.parametrize("find", [contributions.shares, contributions.windows])
def test_a_plain_grey_photo_has_a_finite_map(model, linear, find):
    found = map_of(find, model, linear, torch.full((3, 64, 64), 128, dtype=torch.uint8))
    assert bool(found.isfinite().all())


@pytest.fixture(scope="module", params=[1, 11], ids=["blur", "noise"])
def critic(request, model) -> tuple[int, Judge]:
    """A kind of distortion, and a judge fitted to generated photos with more and less of it."""
    kind, rows, levels = request.param, [], []
    for seed in range(40):
        pixels, level = pixels_of(160, 128, seed), 4 * (seed % 2)
        if level:
            worse = apply_kind(
                pixels[None] / 255, kind, torch.tensor([level]), torch.tensor([seed])
            )
            pixels = (worse[0] * 255).to(torch.uint8)
        rows.append(
            embed_scales(backend.Embed(model, "fp32"), pixels[None]).numpy()[0].astype(float)
        )
        levels.append(level)
    values, target = np.stack(rows), -np.array(levels, dtype=float)
    centred = values - values.mean(axis=0)
    penalty = 1e-4 * np.eye(values.shape[1])
    linear = np.linalg.solve(centred.T @ centred + penalty, centred.T @ target)
    fitted = Regressor(
        weights=linear.astype(np.float32),
        bias=float(target.mean() - values.mean(axis=0) @ linear),
        knots=np.array([-5.0, 0.0]),
        scores=np.array([0.0, 100.0]),
        higher_is_better=True,
        task=NO_REFERENCE,
        encoder="",
        max_side=0,
    )
    info = EncoderInfo(
        arch="tiny", pooling=model.pooling, preprocessing=1, fingerprint="", provenance={}
    )
    pipeline = Pipeline(load=lambda: model, info=info, regressor=fitted, regressor_path=Path())
    return kind, Judge(pipeline, torch.device("cpu"))


def test_the_quarter_that_was_made_worse_falls_most(critic):
    kind, judge = critic
    hits = 0
    for seed in range(100, 112):
        pixels, number = pixels_of(160, 128, seed), seed % 4
        worse = worsen(pixels, number, kind, level=4, seed=seed)
        fall = judge.quarters(worse)[1][config.WINDOWS] - judge.quarters(pixels)[1][config.WINDOWS]
        hits += int(np.argmin(fall)) == number
    # of 12, where chance is 3; the tiny encoder's 16 channels of the last map tell little
    assert hits >= {LAST: 6, STAGES: 10, FULL: 6}[judge.model.pooling]


def test_worsening_changes_one_quarter_only():
    pixels = pixels_of(101, 77)
    for number in range(4):
        changed = (worsen(pixels, number, kind=11, level=3, seed=0) != pixels).any(dim=0)
        inside = torch.zeros_like(changed)
        inside[quarter_of(77, 101, number)] = True
        assert not changed[~inside].any()
        assert changed[inside].float().mean() > 0.9
