"""Processes that train together: two of them equal one with the doubled batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from contrique_cli.encoder.model import Contrique
from contrique_cli.pretraining import ranks
from contrique_cli.pretraining.learner import Learner
from contrique_cli.pretraining.ranks import GlobalBatchNorm, Process
from tests.conftest import ROOT

PROGRAM = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from contrique_cli.pretraining import ranks
from tests.pretraining.test_ranks import take_steps

process = ranks.read_process()
device = ranks.join(process, torch.device("cpu"))
told = ranks.agree(f"rank {process.rank}", process)
assert told == "rank 0", told
for micro_batch in (0, 4):
    tensors = take_steps(process, micro_batch)
    if process.is_first:
        save_file(tensors, f"{sys.argv[1]}/{micro_batch}")
ranks.leave(process)
threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
assert "pt_gloo_runloop" not in threads, threads  # those left abort now and then at the end
"""


def make_batch():
    torch.manual_seed(3)
    return torch.rand(16, 3, 64, 64), torch.tensor([0, 1, 2, 0, 130, 131, 132, 133])


def take_steps(process, micro_batch=0):
    """Two steps on this process's share; gradients of the second, loss and state."""
    torch.manual_seed(process.rank)  # other weights at first, until the learner shares them
    model = Contrique("tiny")
    learner = Learner(
        model,
        device=torch.device("cpu"),
        process=process,
        precision="fp32",
        momentum=0.9,
        weight_decay=1e-4,
        temperature=0.1,
        patches=2,
        micro_batch=micro_batch,
    )
    views, classes = make_batch()
    share = slice(process.rank, None, process.world)
    first, second = views.chunk(2)
    own = torch.cat([first[share], second[share]])
    losses = [learner.step(own, classes[share], 0.1) for _ in range(2)]
    tensors = {f"grad.{name}": p.grad.contiguous() for name, p in model.named_parameters()}
    state = {name: value.contiguous() for name, value in learner.tensors().items()}
    return {"losses": torch.stack(losses), **tensors, **state}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The folder in which two gloo processes left what they got, by micro-batch."""
    folder = tmp_path_factory.mktemp("pair")
    script = folder / "program.py"
    script.write_text(PROGRAM)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WORLD_SIZE": "2"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, script, folder],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return folder


@pytest.mark.parametrize("micro_batch", [0, 4])
def test_two_processes_equal_one_with_the_doubled_batch(pair, micro_batch):
    """Loss, every gradient, weights, momentum and batch norm's statistics after two steps."""
    together, alone = load_file(pair / str(micro_batch)), take_steps(Process(), 2 * micro_batch)
    assert together.keys() == alone.keys()
    for name, expected in alone.items():  # 1e-4: sums in another order, over two steps
        torch.testing.assert_close(together[name], expected, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5, 3)])
def test_global_batch_norm_is_batch_norm(monkeypatch, shape):
    """With one process, whose sum is its own."""
    monkeypatch.setattr(ranks.distributed, "all_reduce", lambda tensor: None)
    torch.manual_seed(0)
    own = nn.BatchNorm2d(4) if len(shape) == 4 else nn.BatchNorm1d(4)
    nn.init.normal_(own.weight)
    shared = GlobalBatchNorm.like(own)
    inputs = (torch.randn(shape) * 3 + 1).requires_grad_()
    twin = inputs.detach().clone().requires_grad_()
    for norm, values in ((own, inputs), (shared, twin)):
        (norm(values) ** 3).sum().backward()
    torch.testing.assert_close(twin.grad, inputs.grad, rtol=1e-4, atol=1e-3)  # a cube's sums
    for name, buffer in own.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], buffer)
    own.eval(), shared.eval()
    torch.testing.assert_close(shared(inputs), own(inputs))


def test_global_batch_norm_keeps_a_small_spread_far_from_zero(monkeypatch):
    monkeypatch.setattr(ranks.distributed, "all_reduce", lambda tensor: None)
    torch.manual_seed(0)
    own = nn.BatchNorm2d(4)
    shared = GlobalBatchNorm.like(own)
    inputs = torch.randn(6, 4, 5, 3) * 0.1 + 1000
    torch.testing.assert_close(shared(inputs), own(inputs), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(shared.running_var, own.running_var)


def test_one_process_needs_no_others():
    rows = torch.ones(2, 3)
    assert ranks.gather(rows, Process()) is rows
    assert ranks.agree("x", Process()) == "x"
    module = nn.BatchNorm2d(2)
    assert ranks.with_shared_statistics(module, Process(), torch.device("cpu")) is module


def test_rank_and_world_are_read_from_torchrun(monkeypatch):
    assert ranks.read_process() == Process()
    for name, value in (("RANK", "3"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert ranks.read_process() == Process(3, 8, 1)
    assert not ranks.read_process().is_first
