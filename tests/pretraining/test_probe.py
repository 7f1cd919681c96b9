"""The linear probe: perfect features score 1, features that know nothing score about chance."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.pretraining.probe import Probe
from tests.conftest import make_photo


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    for seed in range(10):
        make_photo(seed, 48, 40).save(folder / f"{seed:02}.png")
    paths = sorted(folder.iterdir())
    return Probe(paths[:6], paths[6:], side=32, max_side=0, device=torch.device("cpu"))


def test_features_that_tell_everything_are_always_right(probe):
    kinds = iter(torch.nn.functional.one_hot(probe.kinds).float().split(64))
    levels = iter(torch.nn.functional.one_hot(probe.levels, 6).float().split(64))

    def embed(images):
        if len(images) == 4:
            return torch.nn.functional.one_hot(torch.full((4,), 32)).float()
        return torch.cat([next(kinds), next(levels), torch.zeros(len(images), 1)], dim=1)

    result = probe.run(embed, 3)
    assert result.kind == 1.0
    assert result.level == 1.0
    assert result.origin == 1.0


def test_features_that_tell_nothing_are_near_chance(probe):
    torch.manual_seed(0)
    result = probe.run(lambda images: torch.randn(len(images), 8), 3)
    assert result.kind < 0.2
    assert result.level < 0.5


def test_every_kind_and_level_occurs_in_fit_and_test(probe):
    for part in (probe.is_test, ~probe.is_test):
        assert set(probe.kinds[part].tolist()) == set(range(1, 26))
        assert set(probe.levels[part].tolist()) == set(range(1, 6))


def test_without_ordinary_photos_there_is_no_origin_to_tell(tmp_path):
    paths = []
    for seed in range(2):
        paths.append(tmp_path / f"{seed}.png")
        make_photo(seed, 40, 40).save(paths[-1])
    probe = Probe(paths, [], side=32, max_side=0, device=torch.device("cpu"))
    assert probe.run(lambda images: images.mean(dim=(2, 3)), 3).origin is None


def test_unreadable_photos_make_no_probe(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    probe = Probe([tmp_path / "x.png"], [], side=32, max_side=0, device=torch.device("cpu"))
    assert not probe.is_possible
