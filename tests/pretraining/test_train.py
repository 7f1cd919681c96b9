"""Runs from end to end with a tiny network: resume, kill, stop, errors."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadRun, BadTrainingData
from contrique_cli.pretraining import pace, runevents, train, trainconfig
from contrique_cli.pretraining.learner import Learner
from contrique_cli.pretraining.ranks import Process
from contrique_cli.pretraining.trainconfig import TrainConfig
from tests.conftest import ROOT, make_photo

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for half, n in (("pristine", 10), ("authentic", 14)):
        (folder / half).mkdir()
        for seed in range(n):
            make_photo(seed + n, 80, 70).save(folder / half / f"{seed:02}.png")
    return folder


def make_config(folder, **more):
    options = {
        "data": str(folder),
        "arch": "tiny",
        "image_size": 32,
        "batch_size": 8,
        "epochs": 3,
        "lr": 0.05,
        "workers": 1,
        "checkpoint_minutes": 0.0,
        "probe_photos": 0,
        "precision": "fp32",
    }
    return TrainConfig(**(options | more))


def run(config, output, **more):
    return list(train.train(config, output, device=CPU, **more))


def of_type(events, kind):
    return [event for event in events if isinstance(event, kind)]


def same_weights(first, second):
    states = [
        checkpoint.load(path / "encoder.safetensors")[0].state_dict() for path in (first, second)
    ]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An uninterrupted run of 12 steps."""
    output = tmp_path_factory.mktemp("whole")
    return output, run(make_config(data), output)


def test_a_run_ends_in_an_encoder_that_loads(whole):
    output, events = whole
    model, info = checkpoint.load(output / "encoder.safetensors")
    assert model.arch == info.arch == "tiny"
    assert info.provenance["steps"] == 12
    assert info.provenance["is_complete"] is True
    assert events[-1].is_complete
    assert (output / "loss.png").exists()


def test_every_step_is_reported_and_written_down(whole):
    output, events = whole
    reports = of_type(events, runevents.StepReport)
    assert [report.step for report in reports] == list(range(1, 13))
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in rows] == [report.loss for report in reports]
    assert reports[0].lr == 0.0
    assert max(report.lr for report in reports) <= 0.05


def test_the_configuration_is_written_before_the_first_step(data, tmp_path):
    config = make_config(data)
    events = train.train(config, tmp_path / "run", device=CPU)
    next(events)
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert TrainConfig(**trainconfig.checked(stored["config"], "x")) == config
    events.close()


def test_the_same_settings_give_the_same_weights_with_other_threads(whole, data, tmp_path):
    run(make_config(data, workers=3, checkpoint_minutes=5.0), tmp_path / "run")
    assert same_weights(tmp_path / "run", whole[0])


def test_a_stopped_run_goes_on_bit_by_bit(whole, data, tmp_path):
    output = tmp_path / "run"
    steps = iter(range(100))
    events = run(make_config(data), output, should_stop=lambda: next(steps) >= 7)
    assert not events[-1].is_complete
    assert events[-1].step == 7
    events = run(make_config(data), output)
    assert of_type(events, runevents.Started)[0].step == 7
    assert same_weights(output, whole[0])
    rows = (output / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == list(range(1, 13))


def test_a_run_killed_in_mid_epoch_goes_on_bit_by_bit_from_a_split_checkpoint(
    whole, data, tmp_path
):
    output = tmp_path / "run"
    config = make_config(data, split_checkpoint=5_000)
    (tmp_path / "config.json").write_text(json.dumps(config.as_dict()))
    program = (
        "import json, sys, torch\n"
        "from pathlib import Path\n"
        "from contrique_cli.pretraining import train\n"
        "from contrique_cli.pretraining import runevents, trainconfig\n"
        "values = json.loads(Path(sys.argv[1]).read_text())\n"
        "config = trainconfig.TrainConfig(**trainconfig.checked(values, 'test'))\n"
        "torch.set_num_threads(1)\n"
        "for event in train.train(config, Path(sys.argv[2]), device=torch.device('cpu')):\n"
        "    if isinstance(event, runevents.Saved): print(event.step, flush=True)\n"
        "    if getattr(event, 'step', 0) > 6: sys.stdin.read()\n"  # until it is killed
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "config.json", output],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for line in process.stdout:
        if int(line) >= 6:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    parts = list((output / "checkpoints").glob("step-*/tensors.[0-9]*"))
    assert len(parts) > 2
    assert max(part.stat().st_size for part in parts) <= 5_000
    assert not events_complete(output)
    events = run(config, output)
    assert 6 <= of_type(events, runevents.Started)[0].step < 12
    assert same_weights(output, whole[0])


def events_complete(output):
    return checkpoint.read_info(output / "encoder.safetensors").provenance["is_complete"]


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(whole, data, tmp_path):
    output = tmp_path / "run"
    steps = iter(range(100))
    run(make_config(data), output, should_stop=lambda: next(steps) >= 7)
    last = max((output / "checkpoints").iterdir())
    (last / "tensors.safetensors").write_bytes(b"damaged")
    events = run(make_config(data), output)
    started = of_type(events, runevents.Started)[0]
    assert started.step == 6
    assert last.name in started.damaged[0]
    assert same_weights(output, whole[0])


def test_no_whole_checkpoint_left_is_an_error(data, tmp_path):
    run(make_config(data, epochs=1), tmp_path)
    for path in (tmp_path / "checkpoints").glob("*/state.json"):
        path.unlink()
    with pytest.raises(BadRun, match="none is left"):
        run(make_config(data, epochs=1), tmp_path)


def test_a_complete_run_has_nothing_left_to_do(whole, data):
    events = run(make_config(data), whole[0])
    assert not of_type(events, runevents.StepReport)
    assert events[-1].is_complete


def test_other_settings_are_refused_and_named(whole, data):
    with pytest.raises(BadRun, match=r"lr was 0.05, is now 0.1"):
        run(make_config(data, lr=0.1), whole[0])


def test_settings_of_convenience_may_change(whole, data):
    run(make_config(data, workers=2, split_checkpoint=10**6), whole[0])


def test_minutes_plan_the_schedule_to_end_on_time(data, tmp_path, monkeypatch):
    """By a clock that goes on by 50 ms at each look, however busy the machine is."""
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.05 * next(looks))
    monkeypatch.setattr(pace, "time", clock)
    events = run(make_config(data, minutes=0.05, checkpoint_minutes=5.0), tmp_path)
    assert 3 <= clock.monotonic() < 4
    rates = [report.lr for report in of_type(events, runevents.StepReport)]
    assert max(rates) > 0.04
    assert rates[-1] < 0.01
    assert events[-1].is_complete


def test_too_few_photos_are_an_error_that_says_how_many_are_needed(data, tmp_path):
    with pytest.raises(BadTrainingData, match=r"too few photos: 10 pristine,.*takes 16"):
        run(make_config(data, batch_size=32), tmp_path)


def test_corrupt_photos_are_named_once_and_counted(data, tmp_path):
    folder = tmp_path / "authentic"
    folder.mkdir()
    for index in range(3):
        (folder / f"{index}.jpg").write_bytes(b"junk")
    events = run(make_config(data, authentic=(str(folder),), epochs=2), tmp_path / "run")
    skipped = of_type(events, runevents.Skipped)
    assert sorted(event.path.name for event in skipped) == ["0.jpg", "1.jpg", "2.jpg"]
    assert events[-1].skipped == 3


def test_photos_all_too_small_are_an_error(data, tmp_path):
    with pytest.raises(BadTrainingData, match="too small to train on"):
        run(make_config(data, image_size=96), tmp_path)


@pytest.mark.parametrize("half", ["pristine", "authentic"])
def test_one_half_alone_trains(data, tmp_path, half):
    config = make_config(data, data=None, epochs=1, **{half: (str(data / half),)})
    events = run(config, tmp_path)
    assert events[-1].is_complete


def test_a_loss_that_is_not_finite_stops_with_the_last_good_checkpoint(data, tmp_path, monkeypatch):
    step = Learner.step

    def broken(self, views, classes, lr):
        loss = step(self, views, classes, lr)
        return loss * next(factors)

    monkeypatch.setattr(Learner, "step", broken)
    factors = iter([1.0] * 5 + [float("nan")])
    with pytest.raises(BadRun, match=r"not finite at step \d+, .* is good.*Lower --lr"):
        run(make_config(data), tmp_path)
    model, _ = checkpoint.load(tmp_path / "encoder.safetensors")
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_the_probe_is_made_at_the_start_and_at_the_end(data, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("many")
    for half in ("pristine", "authentic"):
        (folder / half).mkdir()
        for seed in range(40):
            make_photo(seed, 64, 64).save(folder / half / f"{seed:02}.png")
    events = run(make_config(folder, epochs=1, probe_photos=4), tmp_path)
    probed = of_type(events, runevents.Probed)
    assert [event.step for event in probed] == [0, 10]
    assert 0 <= probed[-1].kind <= 1
    assert events[0].probed == 4
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "probe" in row] == [0, 10]


def test_training_can_start_from_an_encoder(whole, data, tmp_path):
    start = str(whole[0] / "encoder.safetensors")
    config = make_config(data, init=start, epochs=1, lr=1e-9, momentum=0.0)
    run(config, tmp_path)
    expected = checkpoint.load(whole[0] / "encoder.safetensors")[0].encoder[0].weight
    actual = checkpoint.load(tmp_path / "encoder.safetensors")[0].encoder[0].weight
    torch.testing.assert_close(actual, expected)


def test_losses_fall_over_a_longer_run(data, tmp_path):
    steady = make_config(data, epochs=30, checkpoint_minutes=5.0, optimiser="adamw", lr=1e-2)
    losses = [report.loss for report in of_type(run(steady, tmp_path), runevents.StepReport)]
    third = len(losses) // 3
    assert sum(losses[-third:]) < sum(losses[:third]) - 0.5 * third  # 1.1 a step with three seeds


def test_photos_that_changed_are_noticed_when_a_run_goes_on(data, tmp_path):
    folder = tmp_path / "authentic"
    folder.mkdir()
    make_photo(50, 80, 70).save(folder / "a.png")
    config = make_config(data, authentic=(str(folder),))
    steps = iter(range(100))
    run(config, tmp_path / "run", should_stop=lambda: next(steps) >= 2)
    (folder / "a.png").rename(folder / "b.png")
    with pytest.raises(BadRun, match="no longer those"):
        run(config, tmp_path / "run")


def test_memory_that_runs_out_is_told_and_remembered(data, tmp_path, monkeypatch):
    cells = Contrique.cells

    def starved(self, images, patches):
        if len(images) > 4:
            raise torch.OutOfMemoryError("not enough")
        return cells(self, images, patches)

    monkeypatch.setattr(Contrique, "cells", starved)
    steps = iter(range(100))
    events = run(make_config(data), tmp_path, should_stop=lambda: next(steps) >= 3)
    assert of_type(events, runevents.MemoryShort) == [runevents.MemoryShort(micro_batch=4)]
    events = run(make_config(data), tmp_path)
    assert not of_type(events, runevents.MemoryShort)
    assert events[-1].is_complete


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_a_run_on_a_gpu_trains_and_resumes(data, tmp_path, precision):
    config = make_config(data, precision=precision, epochs=6)
    steps = iter(range(1000))
    cuda = torch.device("cuda")
    list(train.train(config, tmp_path, device=cuda, should_stop=lambda: next(steps) >= 11))
    events = list(train.train(config, tmp_path, device=cuda))
    assert of_type(events, runevents.Started)[0].step == 11
    assert events[-1].is_complete
    losses = [event.loss for event in of_type(events, runevents.StepReport)]
    assert all(loss < 10 for loss in losses)


@pytest.mark.gpu
def test_a_first_step_on_a_gpu_has_the_loss_of_the_cpu(data, tmp_path):
    losses = []
    for name in ("cpu", "cuda"):
        events = train.train(
            make_config(data, epochs=1), tmp_path / name, device=torch.device(name)
        )
        losses.append(of_type(events, runevents.StepReport)[0].loss)
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-2, atol=0)  # TF32, rounding to 8 bits


@pytest.mark.gpu
def test_the_encoder_may_be_compiled(data, tmp_path):
    config = make_config(data, epochs=1, compile=True)
    assert list(train.train(config, tmp_path, device=torch.device("cuda")))[-1].is_complete


@pytest.mark.gpu
def test_a_batch_too_big_for_the_gpu_is_taken_in_micro_batches(data, tmp_path):
    cuda = torch.device("cuda")
    learner = Learner(
        Contrique("resnet50"),
        device=cuda,
        process=Process(),
        precision="bf16",
        momentum=0.9,
        weight_decay=1e-4,
        temperature=0.1,
        patches=2,
    )
    before = torch.cuda.get_per_process_memory_fraction()
    torch.cuda.set_per_process_memory_fraction(0.05)
    try:
        views = torch.rand(256, 3, 256, 256, device=cuda)
        loss = learner.step(views, torch.arange(128), 1e-3)
    finally:
        torch.cuda.set_per_process_memory_fraction(before)
    assert 0 < learner.micro_batch < 256
    assert loss.isfinite()


def test_the_official_lists_are_trained_on(data, tmp_path):
    def write(name, half, labels):
        rows = [
            f'{path},"{[int(i == index % 3) for i in range(126)]}"' if labels else f"{path},"
            for index, path in enumerate(sorted((data / half).iterdir()))
        ]
        (tmp_path / name).write_text("File_names,labels\n" + "\n".join(rows) + "\n")
        return str(tmp_path / name)

    config = make_config(
        data,
        data=None,
        epochs=1,
        pristine_list=write("syn.csv", "pristine", labels=True),
        authentic_list=write("ugc.csv", "authentic", labels=False),
    )
    events = run(config, tmp_path / "run")
    started = of_type(events, runevents.Started)[0]
    assert (started.synthetic, started.authentic) == (10, 14)
    assert events[-1].is_complete
