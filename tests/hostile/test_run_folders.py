"""`contrique train --output RUN` on folders that no run left so: one clear line, and no file lost."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from contrique_cli.pretraining import train
from contrique_cli.pretraining.trainconfig import TrainConfig
from tests.conftest import make_photo
from tests.hostile.counting import LONG, Count

DEEP = "[" * 100_000

MOST_SECONDS = 300
"""After which a run counts as hanging."""

VALUES = (None, True, -1, 10**30, 0.5, 1e999, "x", "../../secret", [], {}, [[1]], {"a": {}})
"""In the place of any other value of a JSON file."""


# ---------------------------------------------------------------------------- what stands there


def put(write):
    """Damage that replaces what stands at a path by what `write` puts there."""

    def damage(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        write(path)

    return damage


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


KINDS = {
    "nothing": lambda path: None,
    "empty": Path.touch,
    "noise": lambda path: path.write_bytes(hashlib.shake_128(b"1").digest(5000)),
    "utf-16": lambda path: path.write_text("{}", encoding="utf-16"),
    "a list": lambda path: path.write_text("[1, 2]\n"),
    "no keys": lambda path: path.write_text("{}\n"),
    "a deep list": lambda path: path.write_text(DEEP),
    "many digits": lambda path: path.write_text("9" * 5000),
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to(path.parent / "nowhere"),
    "circle": lambda path: path.symlink_to(path),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link out": lambda path: path.symlink_to(path.parents[len(path.parents) - 2] / "precious"),
}

PLACES = (
    *(".lock", "config.json", "metrics.jsonl", "encoder.safetensors", "loss.png", "checkpoints"),
    *("checkpoints/step-00000002", "checkpoints/step-00000002/state.json"),
    "checkpoints/step-00000002/tensors.safetensors",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was stopped after two of four steps."""
    folder = tmp_path_factory.mktemp("hostile")
    for half in ("pristine", "authentic"):
        (folder / half).mkdir()
        for seed in range(4):
            make_photo(seed, 72, 70).save(folder / half / f"{seed}.png")
    config = TrainConfig(
        data=str(folder),
        arch="tiny",
        image_size=32,
        batch_size=4,
        epochs=2,
        workers=1,
        precision="fp32",
        checkpoint_minutes=0.0,
    )
    steps = iter(range(100))
    list(
        train.train(
            config,
            folder / "run",
            device=torch.device("cpu"),
            should_stop=lambda: next(steps) >= 2,
        )
    )
    return folder / "run"


@pytest.fixture
def go_on(run, tmp_path, contrique):
    """Copy the run, let `damage` do its work there, go on, and give status and words."""

    def act(place, damage):
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(run, folder)
        precious = tmp_path / "precious"
        precious.write_text("mine")
        damage(folder / place)
        before = content(folder)
        signal.signal(signal.SIGALRM, hang)
        signal.alarm(MOST_SECONDS)
        try:
            args = ("--output", folder, "--data", run.parent, "--device", "cpu")
            outcome = contrique("train", *args)
        except Hanging as error:
            raise AssertionError(error) from error
        finally:
            signal.alarm(0)
        assert precious.read_text() == "mine"
        assert not (folder / "nowhere").exists()
        check(outcome)
        if outcome.status:
            assert content(folder).keys() >= before.keys() - {place}
        return outcome

    return act


class Hanging(BaseException):
    """Not an Exception, since the program takes those of files for what is wrong with one."""


def hang(*_):
    raise Hanging(f"no end after {MOST_SECONDS} seconds")


def content(folder):
    return {str(path.relative_to(folder)): None for path in folder.rglob("*")}


def check(outcome):
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    if outcome.status == 0:
        assert "Done after 4 steps" in outcome.err
        return
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert outcome.status in (1, 2)
    assert len(errors) == 1
    assert errors[0] == outcome.err.splitlines()[-1]
    assert len(errors[0]) < 500


@pytest.mark.parametrize("kind", [*KINDS, "cut"])
@pytest.mark.parametrize("place", PLACES)
def test_what_stands_in_the_place_of_a_file_is_refused_or_replaced(go_on, place, kind):
    def damage(path):
        if kind != "cut":
            put(KINDS[kind])(path)
        elif path.is_file():
            cut(path)

    go_on(place, damage)


# ---------------------------------------------------------------------------- what stands in it


def leaves(value, path=()):
    """Paths to everything in a JSON value, the value itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from leaves(inner, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def without(value, path):
    copy = value.copy()
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(value[path[0]], path[1:])
    return copy


def mutants(value):
    """The value without each of its parts, and with each replaced by each of `VALUES`."""
    for path in leaves(value):
        yield f"no {path}", without(value, path)
        for new in VALUES:
            yield f"{path} = {new!r}", changed(value, path, new)


def survives(go_on, place, chosen, seconds=float("inf")):
    with Count(f"values in {place}", seconds=seconds) as count:
        for words, content in count.within(chosen):
            text = json.dumps(content)
            with count.one(about=words):
                go_on(place, lambda path, text=text: path.write_text(text + "\n"))


OBEYED = re.compile(
    r"'(minutes|epochs|lr|base_lr|encoder_lr|anchor|weight_decay)'.* = (10{30}|inf|0.5)"
    r"|'is_complete'.* = True"
)
"""Values with which a run does as told: no end, a loss that is not finite, or nothing more."""

JSON_FILES = ("config.json", "checkpoints/step-00000002/state.json")


@pytest.mark.parametrize("place", JSON_FILES)
def test_a_value_that_no_run_wrote_is_told(go_on, run, place):
    every = list(mutants(json.loads((run / place).read_text())))
    survives(go_on, place, random.Random(0).sample(every, 12))


@pytest.mark.slow
@pytest.mark.parametrize("place", JSON_FILES)
def test_every_value_that_no_run_wrote_is_told(go_on, run, place):
    every = [
        (words, content)
        for words, content in mutants(json.loads((run / place).read_text()))
        if not OBEYED.search(words)
    ]
    random.Random(1).shuffle(every)
    survives(go_on, place, every, seconds=LONG)


def test_a_line_of_metrics_that_no_run_wrote_is_told(go_on, run):
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    chosen = [each for each in mutants(last) if "step" in each[0] or "loss" in each[0]]
    survives(go_on, "metrics.jsonl", chosen)


NAME = "model.encoder.0.weight"
MEMORY = "optimiser.momentum_buffer.encoder.0.weight"

TENSORS = {
    "none": lambda tensors: {},
    "one less": lambda tensors: {n: v for n, v in tensors.items() if n != NAME},
    "one more": lambda tensors: tensors | {"model.encoder.99.weight": torch.zeros(1)},
    "another shape": lambda tensors: tensors | {NAME: torch.zeros(2, 2)},
    "another type": lambda tensors: tensors | {NAME: tensors[NAME].to(torch.complex64)},
    "not finite": lambda tensors: tensors | {NAME: tensors[NAME] * torch.nan},
    "memory of nothing": lambda tensors: tensors | {"optimiser.x.y": torch.zeros(1)},
    "memory without a name": lambda tensors: tensors | {"optimiser.": torch.zeros(1)},
    "memory of another shape": lambda tensors: tensors | {MEMORY: torch.zeros(())},
    "of another kind": lambda tensors: (
        tensors | {MEMORY.replace("momentum_buffer", "exp_avg"): torch.zeros(1)}
    ),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_of_another_network_are_told(go_on, kind):
    """With the right digest: whoever wrote them meant it."""

    def damage(path):
        data = save(TENSORS[kind](load_file(path / "tensors.safetensors")))
        (path / "tensors.safetensors").write_bytes(data)
        state = json.loads((path / "state.json").read_text())
        facts = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        state["files"]["tensors.safetensors"] = facts
        (path / "state.json").write_text(json.dumps(state))

    assert go_on("checkpoints/step-00000002", damage).status == 1


def test_both_checkpoints_damaged_are_both_named(go_on):
    def damage(path):
        for state in path.glob("*/state.json"):
            state.write_text("{}")

    outcome = go_on("checkpoints", damage)
    assert outcome.status == 1
    assert outcome.err.count("is damaged") == 2
