"""The parts of a run: what is settled, refused and seeded before its first step."""

from __future__ import annotations

import json

import pytest
import torch

from contrique_cli.encoder import capacity, checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadOption, BadRun, BadTrainingData
from contrique_cli.pretraining import runparts
from contrique_cli.pretraining.batchplan import Halves
from contrique_cli.pretraining.ranks import Process
from contrique_cli.pretraining.runfiles import RunFiles
from contrique_cli.pretraining.trainconfig import TrainConfig
from contrique_cli.pretraining.trainphotos import TrainPhotos
from tests import cgroups
from tests.cgroups import ALONE_1, ALONE_2, GB, MACHINE, version_1, version_2

CPU = torch.device("cpu")
CONFIG = TrainConfig(arch="tiny", image_size=32, batch_size=4, precision="fp32")


def make_learner(**options):
    config = TrainConfig(**{"arch": "tiny", "image_size": 32, "batch_size": 4, **options})
    return runparts.make_learner(config, "fp32", CPU, Process())


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in other)


def test_the_first_process_alone_writes_the_configuration(tmp_path):
    files = RunFiles(tmp_path / "run")
    runparts.write_config(CONFIG, files, "fp32", CPU, Process(rank=1, world=2))
    assert not files.folder.exists()
    runparts.write_config(CONFIG, files, "fp32", CPU, Process(rank=0, world=2))
    written = json.loads(files.config.read_text())
    assert written["config"] == json.loads(json.dumps(CONFIG.as_dict()))
    facts = {"resolved_precision": "fp32", "device": "cpu", "processes": 2}
    assert {name: written[name] for name in facts} == facts


def test_a_run_goes_on_in_the_precision_it_was_begun_in(tmp_path):
    files = RunFiles(tmp_path)
    runparts.write_config(CONFIG, files, "fp32", CPU, Process())
    (files.checkpoints / "step-00000001").mkdir(parents=True)
    with pytest.raises(BadRun, match="resolved_precision was 'fp32', is now 'bf16'"):
        runparts.check_config(CONFIG, files, "bf16", Process())
    runparts.check_config(CONFIG, files, "bf16", Process(rank=1, world=2))


@pytest.mark.parametrize(
    ("batch_size", "halves", "world", "error", "message"),
    [
        (6, Halves(9, 9), 2, BadOption, "--batch-size 6 cannot be shared evenly among 2 processes"),
        (8, Halves(3, 9), 1, BadTrainingData, "too few photos: 3 pristine, .* takes 4"),
        (8, Halves(9, 3), 1, BadTrainingData, "too few photos: 3 authentic, .* takes 4"),
        (8, Halves(0, 7), 1, BadTrainingData, "too few photos: 7 authentic, .* takes 8"),
    ],
)
def test_a_batch_that_cannot_be_filled_or_shared_is_refused(
    batch_size, halves, world, error, message
):
    with pytest.raises(error, match=message):
        runparts.check_batch(batch_size, halves, Process(world=world))


@pytest.mark.parametrize(("halves", "world"), [(Halves(4, 4), 2), (Halves(0, 8), 1)])
def test_a_batch_that_fits_is_taken(halves, world):
    runparts.check_batch(8, halves, Process(world=world))


# ------------------------------------------------------------------------------ memory


def make_store(photos, world=1, **options):
    paths = tuple(sorted(photos.iterdir()))
    found = TrainPhotos(
        synthetic=paths,
        authentic=paths,
        classes=None,
        probe_synthetic=(),
        probe_authentic=(),
        unreadable=(),
        left_out={},
    )
    config = TrainConfig(batch_size=4, image_size=32, **options)
    return runparts.make_store(config, found, CPU, Process(world=world))


@pytest.mark.parametrize(
    ("limits", "free"),
    [
        ({}, 10 * GB),
        (ALONE_1 | version_1("", 4 * GB, used=1 * GB), 3 * GB),
        (ALONE_2 | version_2("", 4 * GB, used=3 * GB, cached=1 * GB), 2 * GB),
    ],
)
def test_photos_are_kept_in_half_of_what_machine_and_container_have_left(
    photos, tmp_path, monkeypatch, limits, free
):
    monkeypatch.setattr(capacity, "_ROOT", tmp_path / "root")
    cgroups.write(tmp_path / "root", MACHINE | limits)
    assert make_store(photos).memory_budget == pytest.approx(free / 2, abs=1024)
    assert make_store(photos, world=2).memory_budget == pytest.approx(free / 4, abs=1024)


def test_memory_that_a_recipe_names_is_taken_and_shared(photos):
    assert make_store(photos, world=2, memory_budget=1.0).memory_budget == GB // 2


# ------------------------------------------------------------------------------ weights


def test_the_seed_decides_every_random_weight_and_leaves_other_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = make_learner(seed=1).model.state_dict()
    assert torch.equal(torch.rand(3), expected)
    assert same(make_learner(seed=1).model.state_dict(), first)
    assert not same(make_learner(seed=2).model.state_dict(), first)


@pytest.fixture
def start(tmp_path):
    """A tiny encoder's file, with its projector, and the network in it."""
    torch.manual_seed(9)
    model = Contrique("tiny", "last")
    checkpoint.save(tmp_path / "start.safetensors", model, provenance={})
    return tmp_path / "start.safetensors", model


def test_a_run_begins_with_the_encoder_it_is_given(start):
    path, model = start
    learner = make_learner(init=str(path))
    assert same(learner.model.encoder.state_dict(), model.encoder.state_dict())


def test_a_projector_that_does_not_fit_is_made_anew_by_the_seed(start):
    path, model = start
    kept = make_learner(init=str(path), pooling="last").model
    assert same(kept.state_dict(), model.state_dict())
    anew = make_learner(init=str(path), pooling="stages", seed=1).model
    assert same(anew.encoder.state_dict(), model.encoder.state_dict())
    again = make_learner(init=str(path), pooling="stages", seed=1).model
    assert same(again.projector.state_dict(), anew.projector.state_dict())


@pytest.mark.parametrize("arch", ["resnet18", "lite0"])
def test_an_encoder_of_another_architecture_is_refused_with_what_to_give(start, arch):
    with pytest.raises(BadOption, match="is a tiny; give --arch tiny"):
        make_learner(init=str(start[0]), arch=arch)


def test_imagenet_weights_are_for_the_networks_that_have_them():
    with pytest.raises(BadOption, match="ImageNet weights are for lite0"):
        make_learner(init="imagenet")
