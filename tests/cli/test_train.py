"""`contrique train` as people meet it: words, exit codes, signals."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import contrique_cli
from contrique_cli.cli import train
from contrique_cli.encoder.architectures import ARCHITECTURES
from contrique_cli.errors import BadOption, BadRun, BadTrainingData, ContriqueError
from tests.conftest import ROOT, make_photo


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for half in ("pristine", "authentic"):
        (folder / half).mkdir()
        for seed in range(6):
            make_photo(seed, 72, 70).save(folder / half / f"{seed:02}.png")
    return folder


def invoke(*args):
    import typer

    app = typer.Typer()
    app.command()(train.train)
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


SMALL = ("--arch", "tiny", "--image-size", 32, "--batch-size", 8, "--workers", 1, "--device", "cpu")


def test_a_run_tells_what_it_does_and_where_things_are(data, tmp_path):
    result = invoke("--data", data, "--output", tmp_path / "run", "--epochs", 2, *SMALL)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "6 photos to distort, 6 ordinary ones" in result.stderr
    assert "loss" in result.stderr
    assert "Done after 4 steps" in result.stderr
    encoder = tmp_path / "run" / "encoder.safetensors"
    assert f"contrique fit-regressor --mos scores.csv --model {encoder}" in result.stderr


def test_a_narrow_terminal_does_not_break_the_command_that_comes_next(data, tmp_path):
    args = ["--data", data, "--output", tmp_path / "run", "--epochs", 2, *SMALL]
    command = [sys.executable, "-m", "contrique_cli", "train", *map(str, args)]
    mine, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "50", "TERM": "xterm", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=theirs, cwd=ROOT, env=environment)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # what Linux says at the end
        while block := os.read(mine, 65536):
            said += block
    os.close(mine)
    assert process.wait(timeout=60) == 0
    encoder = tmp_path / "run" / "encoder.safetensors"
    assert f"contrique fit-regressor --mos scores.csv --model {encoder}\r\n" in said.decode()


def test_running_again_with_the_output_alone_goes_on(data, tmp_path):
    invoke("--data", data, "--output", tmp_path, "--epochs", 1, *SMALL)
    result = invoke("--output", tmp_path)
    assert "Going on after step 2" in result.stderr


def test_one_half_only_is_said(data, tmp_path):
    folder = data / "authentic"
    result = invoke(
        "--authentic", folder, "--output", tmp_path, "--epochs", 1, *SMALL[:4], "--batch-size", 4
    )
    assert "Only authentic photos are given, no pristine ones" in result.stderr


def test_a_recipe_is_read_and_options_win_over_it(data, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'data = "{data}"\narch = "tiny"\nimage_size = 32\nbatch_size = 8\nepochs = 9\n'
    )
    result = invoke("--recipe", recipe, "--epochs", 1, "--output", tmp_path / "run")
    assert "Done after 2 steps" in result.stderr


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((), BadOption, "no photos are given"),
        (("--output", __file__), BadRun, "test_train.py is a file; --output takes a folder"),
        (("--data", "/nowhere"), BadTrainingData, "is no folder"),
        (("--epochs", 0), BadOption, "epochs is 0"),
        (("--split-checkpoint", "huge"), BadOption, "15MiB"),
        (("--batch-size", 8, "--arch", "vgg"), BadOption, "no architecture"),
    ],
)
def test_what_the_user_can_mend_is_said(data, tmp_path, args, error, message):
    more = ("--data", data) if args and args[0] != "--data" else ()
    with pytest.raises(error, match=message):
        invoke("--output", tmp_path / "run", *more, *args)


def test_other_settings_for_the_same_run_are_refused(data, tmp_path):
    invoke("--data", data, "--output", tmp_path, "--epochs", 1, *SMALL)
    with pytest.raises(BadRun, match="seed was 0, is now 1"):
        invoke("--output", tmp_path, "--seed", 1)


@pytest.mark.parametrize(
    "mistake",
    [
        ("--arch", "vgg"),
        ("--batch-size", 64),
        ("--init", "nowhere.safetensors"),
        ("--image-size", 99),
    ],
    ids=lambda pair: pair[0],
)
def test_a_start_that_failed_does_not_stand_in_the_way_of_the_next(data, tmp_path, mistake):
    start = ("--data", data, "--output", tmp_path / "run", "--epochs", 1, *SMALL)
    with pytest.raises(ContriqueError):
        invoke(*start, *mistake)
    assert "Done after 2 steps" in invoke(*start).stderr


def test_a_run_goes_on_when_its_photos_have_moved(data, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after" / "below"
    shutil.copytree(data, before)
    invoke("--data", before, "--output", tmp_path / "run", "--epochs", 1, *SMALL)
    after.parent.mkdir()
    before.rename(after)
    result = invoke("--output", tmp_path / "run", "--data", after)
    assert "Going on after step 2" in result.stderr
    assert "Going on after step 2" in invoke("--output", tmp_path / "run").stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_once_and_the_handlers_come_back(number):
    before = signal.getsignal(number)
    with train.stopping_on_signals() as received:
        os.kill(os.getpid(), number)
        assert received == [number]
        assert signal.getsignal(number) == before  # a second one would end the process
    assert signal.getsignal(number) == before


def test_ctrl_c_saves_and_stops(data, tmp_path):
    number = signal.SIGINT
    output = tmp_path / "run"
    args = ["--data", data, "--output", output, "--epochs", 10**6, *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-m", "contrique_cli", "train", *map(str, args)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for line in process.stderr:
        if b"step 1," in line:
            break
    process.send_signal(number)
    rest = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 128 + number
    assert "everything is saved" in rest
    assert list((output / "checkpoints").glob("step-*/state.json"))


def test_the_clock_shows_hours_minutes_seconds():
    assert train._clock(3725.4) == "1:02:05"


def test_help_names_every_architecture():
    shown = invoke("--help").stdout
    assert [name for name in ARCHITECTURES if name not in shown] == []


def test_help_needs_no_torch():
    program = (
        "import sys, contrique_cli.cli.train\n"
        "print([name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


BUNDLED = contrique_cli.__path__[0] + "/models/bundled/encoders/default.safetensors"
"""Without a projector, which training has to make."""

FROM_BUNDLED = ("--init", BUNDLED, "--arch", "lite0-branched", "--precision", "fp32", "--epochs", 1)
FROM_BUNDLED += ("--image-size", 32, "--batch-size", 4, "--workers", 1, "--device", "cpu")

LEAVING_TENSORS = """
import os, torch
from contrique_cli.__main__ import main
from contrique_cli.pretraining.learner import Learner

torch.manual_seed(int(os.environ["RANK"]))  # what nobody has seeded differs
step = Learner.step

def step_and_save(self, *args):
    loss = step(self, *args)
    torch.save(self.tensors(), f"{os.environ['TENSORS']}/{os.environ['RANK']}.pt")
    return loss

Learner.step = step_and_save
main()
"""


def train_from_bundled(data, output, *args):
    """Losses and the encoder's file of three steps in this process."""
    result = invoke("--data", data, "--output", output, *FROM_BUNDLED, *args)
    assert "Done after 3 steps" in result.stderr
    return losses(output), load_file(output / "encoder.safetensors")


def losses(output):
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    return train_from_bundled(data, tmp_path_factory.mktemp("alone"))


def test_the_bundled_encoder_gets_a_projector_by_the_seed(data, tmp_path, alone):
    torch.manual_seed(7)  # of no interest
    again, tensors = train_from_bundled(data, tmp_path / "again")
    assert again == alone[0]
    assert all(torch.equal(tensors[name], value) for name, value in alone[1].items())
    _, tensors = train_from_bundled(data, tmp_path / "other", "--seed", 1)
    name = "projector.0.weight"
    assert (tensors[name] - alone[1][name]).abs().mean() > 0.01


def test_processes_of_torchrun_stay_equal_from_the_bundled_encoder_on(data, tmp_path, alone):
    (tmp_path / "program.py").write_text(LEAVING_TENSORS)
    args = ("train", "--data", data, "--output", tmp_path / "run", *FROM_BUNDLED)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    subprocess.run(
        [*torchrun, tmp_path / "program.py", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TENSORS": str(tmp_path)},
        check=True,
    )
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    unequal = [name for name, value in first.items() if not torch.equal(value, second[name])]
    assert not unequal
    assert losses(tmp_path / "run") == pytest.approx(
        alone[0], rel=1e-2
    )  # sums in another order, grown in a step
