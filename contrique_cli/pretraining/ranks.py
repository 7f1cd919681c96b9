"""The processes that train together: who writes, what they gather, average and agree on.

With one process every function here does nothing, so the training loop knows no other case.
"""

from __future__ import annotations

import importlib
import os
from datetime import timedelta
from typing import Any, NamedTuple

import torch
from torch import distributed, nn

TIMEOUT = timedelta(minutes=30)
"""A process that waits longer for the others gives up."""


class Process(NamedTuple):
    """One of the processes that train together, by its rank among all and on its machine."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Only the first process writes and reports."""
        return self.rank == 0


def read_process() -> Process:
    """This process, as `torchrun` counts it: by the environment, which is torchrun's only way."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(name in os.environ for name in names):
        return Process()
    return Process(*(int(os.environ[name]) for name in names))


def join(process: Process, device: torch.device) -> torch.device:
    """Meet the other processes, as `torchrun` set them up.

    Args:
        process: from torchrun.
        device: the kind of device asked for.

    Returns:
        The device of this process.
    """
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", process.local_rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if process.world > 1 and not distributed.is_initialized():
        # PyTorch loads this with the first optimiser, and functions in there take the group of all
        # processes, if there is one by then, as a default: it would outlive `leave`, and its
        # threads would now and then abort a process that has done its work.
        importlib.import_module("torch._dynamo")
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(
            backend, rank=process.rank, world_size=process.world, timeout=TIMEOUT
        )
    return device


def leave(process: Process) -> None:
    """Part from the other processes."""
    if process.world > 1 and distributed.is_initialized():
        distributed.destroy_process_group()


class _Sum(torch.autograd.Function):
    """The sum over processes, whose gradient is summed over processes too.

    PyTorch has this as `torch.distributed.nn.functional.all_reduce`, but from 2.14 on that warns of
    its removal and names a private function instead.
    """

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:  # noqa: ARG004 - torch's form
        return _sum(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return _sum(gradients[0])


def _sum(values: torch.Tensor) -> torch.Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def add_up(values: torch.Tensor) -> torch.Tensor:
    """The sum over all processes, with gradients to every one of them."""
    total: torch.Tensor = _Sum.apply(values)
    return total


def gather(rows: torch.Tensor, process: Process) -> torch.Tensor:
    """Rows of all processes, in order of rank, with gradients to every one of them.

    Args:
        rows: as many on each process, shape (n, ...).
        process: of this process.

    Returns:
        Shape (world * n, ...).
    """
    if process.world == 1:
        return rows
    n = len(rows)
    everyone = rows.new_zeros((process.world * n, *rows.shape[1:]))
    everyone[process.rank * n : (process.rank + 1) * n] = rows
    return add_up(everyone)


def average_gradients(module: nn.Module, process: Process) -> None:
    """Give every process the mean of all processes' gradients, in one message.

    Each process's loss is the mean over its own anchors, so this is the gradient of the mean over
    all anchors.
    """
    if process.world == 1:
        return
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= process.world
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def agree(value: Any, process: Process) -> Any:
    """The first process's value, for all of them."""
    if process.world == 1:
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))  # no GPU waits
    return box[0]


def share_state(module: nn.Module, process: Process) -> None:
    """Give every process the first one's weights and buffers."""
    if process.world > 1:
        for tensor in module.state_dict().values():
            distributed.broadcast(tensor, src=0)


def with_shared_statistics(module: nn.Module, process: Process, device: torch.device) -> nn.Module:
    """Make batch norm take its statistics over all processes (SyncBN).

    PyTorch's own works on GPUs only, so the CPU has `GlobalBatchNorm` in its place.
    """
    if process.world == 1:
        return module
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(module, name, GlobalBatchNorm.like(child))
        else:
            with_shared_statistics(child, process, device)
    return module


class GlobalBatchNorm(nn.BatchNorm2d):
    """Batch norm over all processes' rows; for the CPU."""

    @classmethod
    def like(cls, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> GlobalBatchNorm:
        """One with the weights and statistics of `norm`, under the same names."""
        twin = cls(norm.num_features, eps=norm.eps, momentum=norm.momentum)
        twin.load_state_dict(norm.state_dict())
        return twin.to(norm.running_mean.device if norm.running_mean is not None else "cpu")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalise (N, C) or (N, C, H, W) over everything but the channels C."""
        if not self.training:
            return nn.functional.batch_norm(
                inputs, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        dims = [dim for dim in range(inputs.dim()) if dim != 1]
        shape = [1, -1] + [1] * (inputs.dim() - 2)
        values = inputs.float()
        count = values.new_tensor([values.numel() / values.shape[1]])
        total = add_up(torch.cat([values.sum(dims), count]))
        n = total[-1].detach()
        mean = total[:-1] / n
        centred = values - mean.view(shape)
        # On purpose not the mean square less the squared mean: a small spread would cancel.
        variance = add_up((centred * centred).sum(dims)) / n
        self._remember(mean.detach(), variance.detach() * n / (n - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        result = centred * scale.view(shape) + self.bias.view(shape)
        return result.to(inputs.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        pairs = ((self.running_mean, mean), (self.running_var, variance))
        for kept, value in pairs:
            if kept is not None and self.momentum is not None:
                kept.lerp_(value, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
