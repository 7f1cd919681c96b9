"""Random numbers that depend on (seed, index) alone."""

from __future__ import annotations

import torch

from contrique_cli.distortions.randomness import fork, normal, uniform

COUNT = 20_000
SEEDS = torch.arange(50)
# Five standard errors of a mean over all numbers: one run in two million fails by chance, and
# with fixed seeds none does.
FIVE_ERRORS = 5 / (COUNT * len(SEEDS)) ** 0.5


def naive_splitmix(state: int) -> int:
    """Splitmix64's finishing steps in Python's whole numbers."""
    word = state % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


def test_numbers_are_those_of_splitmix64() -> None:
    golden = 0x9E3779B97F4A7C15
    key = naive_splitmix(-3)
    words = [naive_splitmix(key + golden * (i + 1)) for i in range(4)]
    expected = [(word >> 32 >> 8) / 2**24 for word in words]
    expected += [(word % 2**32 >> 8) / 2**24 for word in words]
    assert expected == uniform(torch.tensor([-3]), (8,))[0].tolist()


def test_uniform_numbers_have_the_mean_and_variance_of_their_law() -> None:
    numbers = uniform(SEEDS, (COUNT,)).double()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 1 / 2) < FIVE_ERRORS * (1 / 12) ** 0.5
    assert abs(numbers.var() - 1 / 12) < FIVE_ERRORS * (1 / 180) ** 0.5


def test_normal_numbers_have_the_moments_of_their_law() -> None:
    numbers = normal(SEEDS, (COUNT,)).double()
    assert abs(numbers.mean()) < FIVE_ERRORS
    assert abs(numbers.var() - 1) < FIVE_ERRORS * 2**0.5
    assert abs((numbers**4).mean() - 3) < FIVE_ERRORS * 96**0.5
    assert 4.5 < numbers.abs().max() < 6.7


def test_neighbouring_seeds_are_not_correlated() -> None:
    correlation = torch.corrcoef(normal(SEEDS, (COUNT,)))
    correlation.fill_diagonal_(0)
    assert correlation.abs().max() < 5 / COUNT**0.5


def test_neighbouring_places_are_not_correlated() -> None:
    numbers = normal(SEEDS, (COUNT,))
    for lag in (1, 2, COUNT // 2):  # half the count: the partner within Box and Muller's pair
        product = (numbers[:, lag:] * numbers[:, :-lag]).double()
        assert abs(product.mean()) < 5 / product.numel() ** 0.5


def test_forked_seeds_draw_unrelated_numbers() -> None:
    first, second = normal(fork(SEEDS, 0), (COUNT,)), normal(fork(SEEDS, 1), (COUNT,))
    assert abs((first * second).double().mean()) < FIVE_ERRORS


def test_a_longer_draw_of_one_seed_is_the_same_in_any_batch() -> None:
    together = normal(SEEDS, (7, 3))
    alone = normal(SEEDS[4:5], (7, 3))
    assert torch.equal(together[4:5], alone)


def test_extreme_seeds_work() -> None:
    extremes = torch.tensor([-(2**63), -1, 0, 2**63 - 1])
    numbers = uniform(extremes, (1000,))
    assert numbers.isfinite().all()
    assert (numbers.mean(dim=1) - 1 / 2).abs().max() < 0.05
