"""Settings of a run: checks, recipes, sizes."""

from __future__ import annotations

import pytest

from contrique_cli.errors import BadOption
from contrique_cli.pretraining.trainconfig import TrainConfig, checked, parse_size, read_recipe
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_size", 8),
        ("batch_size", 2),
        ("epochs", 0),
        ("minutes", 0.0),
        ("lr", -1.0),
        ("lr", float("nan")),
        ("minutes", float("nan")),
        ("warmup", 1.0),
        ("temperature", 0.0),
        ("precision", "fp8"),
        ("pristine_share", 1.5),
        ("seed", -1),
        ("seed", 2**63),
        ("micro_batch", 1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(BadOption, match=field):
        TrainConfig(**{field: value})


def test_a_longest_side_below_a_view_is_refused_in_words():
    with pytest.raises(BadOption, match=r"max_side is 100; it must be 0 or at least image_size"):
        TrainConfig(max_side=100)


def test_the_peak_rate_follows_the_batch_unless_given():
    assert TrainConfig(batch_size=512).peak_lr == pytest.approx(0.6)
    assert TrainConfig(batch_size=64).peak_lr == pytest.approx(0.075)
    assert TrainConfig(lr=0.01).peak_lr == 0.01


def test_a_recipe_gives_values_by_field(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('arch = "tiny"\nlr = 1\nauthentic = ["a", "b"]\nsplit_checkpoint = "15MiB"\n')
    expected = {
        "arch": "tiny",
        "lr": 1.0,
        "authentic": ("a", "b"),
        "split_checkpoint": 15 * 2**20,
    }
    assert read_recipe(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "did you mean epochs"),
        ('epochs = "3"', "epochs must be a whole number"),
        ("epochs = true", "epochs must be a whole number"),
        ("compile = 1", "compile must be true or false"),
        ("arch = 3", "arch must be text"),
        ("authentic = [1]", "list of texts"),
        ('authentic = "photos"', "list of texts"),
        ("lr = inf", "lr must be .* finite"),
        (f"lr = {10**400}", "lr must be .* finite"),
        (f"photos_per_class = {2**64}", "photos_per_class must be"),
        (f"patches = {2**40}", "patches is"),
        (f"image_size = {2**40}", "image_size is"),
        ("memory_budget = 1e308", "memory_budget is"),
        ("epochs =", "cannot be read"),
    ],
)
def test_a_wrong_recipe_is_an_error_in_words(tmp_path, text, message):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(BadOption, match=message):
        TrainConfig(**read_recipe(path))


def test_a_missing_recipe_is_an_error(tmp_path):
    with pytest.raises(BadOption, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")


def test_a_configuration_survives_being_stored():
    config = TrainConfig(authentic=("a", "b"), lr=0.1)
    assert TrainConfig(**checked(config.as_dict(), "stored")) == config


@pytest.mark.parametrize(
    ("text", "size"), [("15MiB", 15 * 2**20), ("1.5 kb", 1500), ("4096", 4096), ("2GB", 2 * 10**9)]
)
def test_sizes_are_read_as_written(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-3", "15 apples", "9" * 400])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(BadOption, match="15MiB"):
        parse_size(text)


@pytest.mark.parametrize("path", sorted((ROOT / "training" / "recipes").glob("*.toml")), ids=str)
def test_every_recipe_of_the_project_is_valid(path):
    TrainConfig(**read_recipe(path))
