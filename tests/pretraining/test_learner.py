"""One step: gradient caching, memory running out, momentum kept."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.encoder import backend
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadOption, BadRun
from contrique_cli.pretraining.learner import Learner, choose_precision
from contrique_cli.pretraining.ranks import Process

OPTIONS = {
    "device": torch.device("cpu"),
    "process": Process(),
    "precision": "fp32",
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "temperature": 0.1,
    "patches": 2,
}


def make(micro_batch=0, seed=0, **more):
    torch.manual_seed(seed)
    return Learner(Contrique("tiny"), **(OPTIONS | {"micro_batch": micro_batch} | more))


def freeze_statistics(learner):
    """Batch norm by running statistics, so that a micro-batch computes what the batch does."""
    learner.model.train = lambda mode=True: learner.model
    for norm in learner.model.encoder.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.eval()


@pytest.fixture
def batch():
    torch.manual_seed(7)
    return torch.rand(8, 3, 64, 64), torch.tensor([0, 1, 130, 131])


def gradients(learner):
    return {name: p.grad.clone() for name, p in learner.model.named_parameters()}


@pytest.mark.parametrize("micro_batch", [2, 3, 4])
def test_micro_batches_give_the_loss_and_gradients_of_the_whole_batch(batch, micro_batch):
    whole, cached = make(), make(micro_batch)
    for learner in (whole, cached):
        freeze_statistics(learner)
    losses = [learner.step(*batch, 0.0) for learner in (whole, cached)]
    torch.testing.assert_close(losses[1], losses[0])
    expected, actual = gradients(whole), gradients(cached)
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("micro_batch", [3, 5, 7])
def test_no_micro_batch_is_left_with_one_view(micro_batch):
    """Maps of 32-pixel views are one cell, of which batch norm cannot take statistics alone."""
    torch.manual_seed(7)
    loss = make(micro_batch).step(torch.rand(10, 3, 32, 32), torch.arange(5), 0.1)
    assert loss.isfinite()


def test_micro_batches_count_once_in_the_running_statistics(batch):
    cached = make(4)
    cached.step(*batch, 0.0)
    assert int(cached.model.encoder[1].num_batches_tracked) == 2


def test_when_memory_runs_out_the_micro_batch_is_halved_and_the_step_done_again(batch, monkeypatch):
    learner = make()
    cells = learner.model.cells
    sizes = []

    def starved(images, patches):
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("not enough")
        return cells(images, patches)

    monkeypatch.setattr(learner.model, "cells", starved)
    loss = learner.step(*batch, 0.1)
    assert learner.micro_batch == 2
    assert sizes == [8, 4] + [2] * 8
    assert loss.isfinite()


def test_memory_too_small_for_the_smallest_micro_batch_names_what_to_lower(batch, monkeypatch):
    learner = make()

    def starved(images, patches):
        raise torch.OutOfMemoryError("not enough")

    monkeypatch.setattr(learner.model, "cells", starved)
    with pytest.raises(BadRun, match="--image-size"):
        learner.step(*batch, 0.1)


def test_vectors_get_no_weight_decay():
    decays = {
        p.ndim > 1: group["weight_decay"]
        for group in make().optimiser.param_groups
        for p in group["params"]
    }
    assert decays == {True: 1e-4, False: 0.0}


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_taking_up_tensors_goes_on_bit_by_bit(batch, optimiser):
    first = make(optimiser=optimiser)
    first.step(*batch, 0.1)
    kept = first.tensors()
    second = make(seed=9, optimiser=optimiser)
    second.load_tensors(kept)
    for learner in (first, second):
        learner.step(*batch, 0.1)
    expected, actual = first.tensors(), second.tensors()
    assert expected.keys() == actual.keys()
    assert all(torch.equal(expected[name], actual[name]) for name in expected)


def test_a_step_in_bf16_stays_near_float32(batch, monkeypatch):
    monkeypatch.setattr(backend, "_can_compute", lambda precision: True)  # slowly, if need be
    losses = [make(precision=precision).step(*batch, 0.0) for precision in ("fp32", "bf16")]
    torch.testing.assert_close(losses[1], losses[0], rtol=0.02, atol=0)  # 8 bits of mantissa


def test_embedding_leaves_batch_norm_as_it_was(batch):
    learner = make()
    before = learner.tensors()
    features = learner.embed(batch[0])
    assert features.shape == (8, 16)
    assert learner.model.training
    assert all(torch.equal(before[name], value) for name, value in learner.tensors().items())


def test_automatic_precision_is_what_the_processor_has(monkeypatch):
    for has, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(backend, "has_bf16_instructions", lambda has=has: has)
        monkeypatch.setattr(backend, "_can_compute", lambda precision: True)
        assert choose_precision("auto", torch.device("cpu")) == expected
    assert choose_precision("fp32", torch.device("cpu")) == "fp32"
    with pytest.raises(BadOption, match="GPU only"):
        choose_precision("fp16", torch.device("cpu"))
    assert choose_precision("auto", torch.device("mps")) == "fp32"


def test_features_learn_to_tell_two_kinds_of_picture_apart():
    torch.manual_seed(0)
    learner = make()
    classes = torch.tensor([0, 1] * 4)
    smooth = torch.rand(16, 3, 4, 4).repeat_interleave(16, 2).repeat_interleave(16, 3)
    rough = torch.rand(16, 3, 64, 64)
    views = torch.where((classes.repeat(2) == 0).view(-1, 1, 1, 1), smooth, rough)
    losses = [float(learner.step(views, classes, 0.05)) for _ in range(30)]
    assert losses[-1] < losses[0] - 0.5


def test_class_centres_learn_and_are_taken_up_again(batch):
    views, classes = batch
    learner = make(has_centres=True)
    before = learner.model.get_parameter("centres").detach().clone()
    learner.step(views, classes, 0.05)
    learned = learner.model.get_parameter("centres").detach()
    assert not torch.equal(before, learned)
    again = make(has_centres=True, seed=1)
    again.load_tensors(learner.tensors())
    torch.testing.assert_close(again.model.get_parameter("centres").detach(), learned)


def test_class_centres_begin_where_the_seed_puts_them():
    seeds = (0, 0, 1)
    learners = [Learner(Contrique("tiny"), has_centres=True, seed=s, **OPTIONS) for s in seeds]
    first, again, other = (learner.model.get_parameter("centres") for learner in learners)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_layers_at_the_ends_and_norms_can_be_left_as_they_are(batch):
    learner = make(frozen_first=1, frozen_last=3, has_frozen_norm=True)
    before = {name: value.clone() for name, value in learner.model.encoder.state_dict().items()}
    learner.step(*batch, 0.1)
    after = learner.model.encoder.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"1.weight", "1.bias", "3.weight", "4.weight", "4.bias"}


def test_the_encoder_gets_its_share_of_the_learning_rate(batch):
    whole, still = make(), make(encoder_lr=0.0)
    for learner in (whole, still):
        before = learner.model.encoder[0].weight.clone(), learner.model.projector[0].weight.clone()
        learner.step(*batch, 0.1)
        moved = [
            not torch.equal(old, new)
            for old, new in zip(
                before,
                (learner.model.encoder[0].weight, learner.model.projector[0].weight),
                strict=True,
            )
        ]
        assert moved == [learner is whole, True]


@pytest.mark.parametrize("micro_batch", [0, 2])
def test_an_anchor_keeps_features_of_undistorted_photos_where_they_were(batch, micro_batch):
    views, classes = batch
    learners = [
        make(micro_batch, anchor=anchor, has_frozen_norm=True, optimiser="adamw")
        for anchor in (0.0, 100.0)
    ]
    start = learners[0].embed(views)
    moved = []
    for learner in learners:
        for _ in range(5):
            learner.step(views, classes, 1e-3)
        moved.append(float((learner.embed(views) - start)[[0, 2, 3]].norm()))
    assert 0 < moved[1] < moved[0] / 2
