"""One optimisation step: views to loss to gradients to weights, whole or in micro-batches.

In micro-batches the contrastive batch stays whole (gradient caching): the encoder first runs
without a graph, the projector and the loss see every patch at once, and the encoder runs again,
micro-batch by micro-batch, to take the gradient of its features. The gradient is exact for what
was computed; but the encoder's batch norm takes its statistics over a micro-batch instead of the
whole batch, as it would with a smaller batch. The projector's batch norm always sees all patches.

Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
RepL4NLP 2021 (gradient caching).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn

from contrique_cli import config
from contrique_cli.distortions.bank import CLASSES
from contrique_cli.encoder import backend
from contrique_cli.encoder.model import PROJECTION, Contrique
from contrique_cli.errors import BadOption, BadRun
from contrique_cli.pretraining import ranks
from contrique_cli.pretraining.loss import anchor_loss, centre_loss, contrastive_loss
from contrique_cli.pretraining.ranks import Process

Groups = list[dict[str, Any]]

OPTIMISERS: dict[str, Callable[[Groups, float, float], torch.optim.Optimizer]] = {
    "sgd": lambda groups, momentum, decay: torch.optim.SGD(
        groups, lr=0.0, momentum=momentum, weight_decay=decay
    ),
    "adamw": lambda groups, _, decay: torch.optim.AdamW(groups, lr=0.0, weight_decay=decay),
}
"""The paper's, and one that asks for no learning rate that fits the batch."""

MEMORY = {"sgd": ("momentum_buffer",), "adamw": ("exp_avg", "exp_avg_sq", "step")}
"""What each remembers of a parameter that has learnt."""

CENTRE_SCALE = 0.01
"""Scale of class centres at first: the loss sees directions only, and short ones turn quickly."""

LEAST_MICRO_BATCH = 2
"""Views; batch norm needs more than one."""


def choose_precision(name: str, device: torch.device) -> str:
    """What to train in: as in scoring, but no fp16 on a CPU, where small gradients would vanish.

    Raises:
        BadOption: that, or what `backend.choose_precision` refuses.
    """
    if name == "fp16" and device.type == "cpu":
        raise BadOption("fp16 trains on a GPU only; give --precision bf16, fp32 or auto")
    if name == config.PRECISION:
        return backend.quickest(device)
    return backend.choose_precision(name, device)


class Learner:
    """A model with its optimiser.

    Attributes:
        model: encoder and projector.
        micro_batch: views per forward pass; 0 for all at once.
    """

    def __init__(
        self,
        model: Contrique,
        *,
        device: torch.device,
        process: Process,
        precision: str,
        momentum: float,
        weight_decay: float,
        temperature: float,
        patches: int,
        optimiser: str = "sgd",
        micro_batch: int = 0,
        has_centres: bool = False,
        seed: int = 0,
        is_compiled: bool = False,
        encoder_lr: float = 1.0,
        frozen_first: int = 0,
        frozen_last: int = 0,
        has_frozen_norm: bool = False,
        anchor: float = 0.0,
    ) -> None:
        """Move the model to the device and make its optimiser.

        Args:
            model: as initialised; it is changed in place.
            device: of this process.
            process: of this process.
            precision: fp32, bf16 or fp16, for the encoder; the rest is float32.
            momentum: of SGD; AdamW has its own two.
            weight_decay: of parameters with two and more dimensions.
            temperature: of the loss.
            patches: side of the grid of patches.
            optimiser: a key of `OPTIMISERS`.
            micro_batch: views per forward pass; 0 for all at once.
            has_centres: also contrast with a learnt centre per distortion class.
            seed: of those centres at first.
            is_compiled: pass the encoder through torch.compile.
            encoder_lr: share of the learning rate that the encoder gets.
            frozen_first, frozen_last: so many layers at the encoder's ends do not learn.
            has_frozen_norm: keep the statistics of the encoder's batch norm.
            anchor: weight of `anchor_loss` on patches of photos that were not distorted.
        """
        self.device = device
        self.process = process
        self.precision = precision
        self.temperature = temperature
        self.patches = patches
        self.micro_batch = micro_batch
        self.has_centres = has_centres
        if has_centres:  # a parameter like others: moved, averaged, saved; no part of the encoder
            generator = torch.Generator().manual_seed(seed)
            drawn = torch.randn(CLASSES, PROJECTION, generator=generator)
            model.register_parameter("centres", nn.Parameter(CENTRE_SCALE * drawn))
        self.has_frozen_norm = has_frozen_norm
        self.anchor = anchor
        for depth, layer in enumerate(model.encoder):
            is_frozen = depth < frozen_first or depth >= len(model.encoder) - frozen_last
            layer.requires_grad_(requires_grad=not is_frozen)
        ranks.share_state(model.to(device), process)
        self.start = copy.deepcopy(model).eval() if anchor else None
        ranks.with_shared_statistics(model, process, device)
        self.model = model.to(memory_format=torch.channels_last)
        self._set_training()
        if is_compiled:
            self.model.encoder.compile()
        groups = [
            {"params": params, "share": share, **({} if is_matrix else {"weight_decay": 0.0})}
            for is_matrix in (True, False)
            for share, params in (
                (encoder_lr, _learning(self.model.encoder, is_matrix=is_matrix)),
                (1.0, _learning(self.model.projector, is_matrix=is_matrix)),
                (1.0, [model.get_parameter("centres")] if has_centres and is_matrix else []),
            )
            if params
        ]
        self.optimiser = OPTIMISERS[optimiser](groups, momentum, weight_decay)
        self.memory = MEMORY[optimiser]
        needs_scaler = precision == "fp16" and device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=needs_scaler)

    def step(self, views: torch.Tensor, classes: torch.Tensor, lr: float) -> torch.Tensor:
        """Learn from one batch.

        Args:
            views: this process's share, shape (2B, 3, S, S): first views, then second ones.
            classes: of the photos, int64, shape (B,).
            lr: learning rate.

        Returns:
            The loss over all processes' patches, a float32 scalar.

        Raises:
            BadRun: the device's memory does not suffice for the smallest micro-batch.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = lr * group["share"]
        views = views.contiguous(memory_format=torch.channels_last)
        of_patches = classes.to(self.device).repeat(2).repeat_interleave(self.patches**2)  # (2BP,)
        while True:
            try:
                # On purpose here only: the encoder's shapes stay, the distortions' change.
                with torch.backends.cudnn.flags(enabled=True, benchmark=True):
                    loss = self._differentiate(views, of_patches)
                break
            except torch.OutOfMemoryError as error:
                self._halve_micro_batch(len(views), error)
        ranks.average_gradients(self.model, self.process)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return loss

    def _halve_micro_batch(self, n: int, error: Exception) -> None:
        """Make room; batch norm's running statistics may have seen this batch: harmless."""
        smaller = (self.micro_batch or n) // 2
        if self.process.world > 1 or smaller < LEAST_MICRO_BATCH:
            wish = "--micro-batch" if self.process.world > 1 else "--image-size"
            raise BadRun(
                f"the memory of {self.device} does not suffice; lower {wish} "
                f"(now {self.micro_batch or n} views at once) or choose a smaller --arch"
            ) from error
        self.micro_batch = smaller
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _differentiate(self, views: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Set the gradients of one batch and return its loss over all processes."""
        self.optimiser.zero_grad(set_to_none=True)
        if not self.micro_batch or self.micro_batch >= len(views):
            with self._autocast():
                cells = self.model.cells(views, self.patches)
            loss = self._loss(cells, views, classes)
            torch.autograd.backward(self.scaler.scale(loss))
            return self._mean(loss)
        # On purpose not `split`, which may leave one view at the end: batch norm needs more.
        parts = torch.tensor_split(views, -(-len(views) // self.micro_batch))
        with torch.no_grad(), self._autocast(), _frozen_statistics(self.model.encoder):
            cells = torch.cat([self.model.cells(part, self.patches) for part in parts])
        cells.requires_grad_()
        loss = self._loss(cells, views, classes)
        torch.autograd.backward(self.scaler.scale(loss))
        given = torch.zeros_like(cells) if cells.grad is None else cells.grad
        gradients = torch.split(given, [len(part) * self.patches**2 for part in parts])
        for part, gradient in zip(parts, gradients, strict=True):
            with self._autocast():
                again = self.model.cells(part, self.patches)
            torch.autograd.backward(again, gradient)
        return self._mean(loss)

    def _loss(
        self, cells: torch.Tensor, views: torch.Tensor, classes: torch.Tensor
    ) -> torch.Tensor:
        """Mean over this process's anchors against all processes' embeddings."""
        own = self.model.projector(cells)  # (2BP, K)
        everyone = ranks.gather(own, self.process)  # (world * 2BP, K)
        loss = contrastive_loss(
            own,
            classes,
            everyone,
            ranks.gather(classes, self.process),
            offset=self.process.rank * len(own),
            temperature=self.temperature,
        )
        if self.has_centres:
            centres = self.model.get_parameter("centres")
            loss = loss + centre_loss(own, classes, centres, temperature=self.temperature)
        if self.start is not None:
            loss = loss + self.anchor * self._moved(self.start, cells, views, classes)
        return loss

    def _moved(
        self, start: Contrique, cells: torch.Tensor, views: torch.Tensor, classes: torch.Tensor
    ) -> torch.Tensor:
        """How far the network moved away from its start on photos that were not distorted."""
        is_kept = (classes == 0) | (classes >= CLASSES)  # (2BP,)
        if not is_kept.any():
            return cells.new_zeros(())
        chosen = views[is_kept[:: self.patches**2]]
        with torch.no_grad(), self._autocast():
            parts = torch.split(chosen, self.micro_batch or len(views))
            kept = [start.cells(part, self.patches) for part in parts]
        return anchor_loss(cells[is_kept], torch.cat(kept))

    def _mean(self, loss: torch.Tensor) -> torch.Tensor:
        return ranks.gather(loss.detach()[None], self.process).mean()

    def _autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(
            self.device.type, backend.DTYPES[self.precision], enabled=self.precision != "fp32"
        )

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Features as scoring sees them, shape (B, F), without touching batch norm's statistics."""
        self.model.eval()
        with torch.no_grad(), self._autocast():
            features = self.model.embed(images.to(self.device, memory_format=torch.channels_last))
        self._set_training()
        return features

    def _set_training(self) -> None:
        self.model.train()
        if self.has_frozen_norm:
            self.model.encoder.eval()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Weights, buffers and the optimiser's memory by name, on the CPU."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                if value is not None:
                    tensors[f"optimiser.{key}.{name}"] = value
        return {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}

    def load_tensors(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take up what `tensors` gave.

        Raises:
            ValueError: they are of another network or optimiser.
        """
        weights = {
            name.removeprefix("model."): value
            for name, value in tensors.items()
            if name.startswith("model.")
        }
        if _forms(weights) != _forms(self.model.state_dict()):
            raise ValueError("weights of another network")
        self.model.load_state_dict(weights)
        parameters = dict(self.model.named_parameters())
        memory = {
            label: value for label, value in tensors.items() if label.startswith("optimiser.")
        }
        has_memory = [n for n in parameters if f"optimiser.{self.memory[0]}.{n}" in memory]
        expected = {
            f"optimiser.{key}.{name}": torch.zeros(()) if key == "step" else parameters[name]
            for name in has_memory
            for key in self.memory
        }
        if _forms(memory) != _forms(expected):
            raise ValueError("the memory of another optimiser")
        for label, value in memory.items():
            _, key, name = label.split(".", 2)
            parameter = parameters[name]
            kept = value  # AdamW's count of steps stays on the CPU
            if key != "step":
                kept = torch.empty_like(parameter, requires_grad=False).copy_(value)
            self.optimiser.state[parameter][key] = kept

    def scale(self) -> float:
        """Scale of the gradients in fp16; 1 otherwise."""
        return float(self.scaler.get_scale())

    def load_scale(self, scale: float) -> None:
        """Take up what `scale` gave."""
        if self.scaler.is_enabled():
            self.scaler = torch.amp.GradScaler(self.device.type, init_scale=scale)


def _learning(module: nn.Module, *, is_matrix: bool) -> list[nn.Parameter]:
    """Parameters that learn, of two and more dimensions or of one."""
    return [p for p in module.parameters() if p.requires_grad and (p.ndim > 1) == is_matrix]


def _forms(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (value.shape, value.dtype) for name, value in tensors.items()}


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Leave batch norm's running statistics as they were: the second pass counts, not the first."""
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    yield
    for name, buffer in module.named_buffers():
        buffer.copy_(before[name])
