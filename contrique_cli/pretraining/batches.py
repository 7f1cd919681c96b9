"""Plans to batches: regions cut ahead in threads, distorted and made into views on the device."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from contrique_cli.distortions.bank import CLASSES, distort
from contrique_cli.files.ahead import ahead
from contrique_cli.photos import pixels
from contrique_cli.pretraining.batchplan import BatchPlan
from contrique_cli.pretraining.photostore import PhotoStore
from contrique_cli.pretraining.views import crop, two_views


@dataclass(frozen=True, kw_only=True)
class Cuttings:
    """What threads prepare: the pixels of one process's share of a batch.

    Attributes:
        plan: the share.
        classes: int64, shape (B,), ordinary photos from `bank.CLASSES` on.
        regions: uint8, shape (B, 3, 2S, 2S), on the device.
        closeups: ordinary photos' squares at full scale, uint8, shape (A, 3, S, S).
        views: what `make_views` gives, where a thread has made them already.
    """

    plan: BatchPlan
    classes: torch.Tensor
    regions: torch.Tensor
    closeups: torch.Tensor
    views: torch.Tensor | None = None


def cut_ahead(
    store: PhotoStore,
    plan: Callable[[int], BatchPlan],
    *,
    steps: Iterator[int],
    side: int,
    workers: int,
    is_making_views: bool = False,
) -> Generator[Cuttings]:
    """Cuttings of one step after another, as many ahead as there are threads, at least one.

    Args:
        store: the photos.
        plan: gives this process's share by step.
        steps: which, in order.
        side: S, of a view.
        workers: threads.
        is_making_views: let the threads make the views too. That pays where the network leaves
            processors idle, as it does when it computes with one thread of several.

    Raises:
        BadTrainingData: see `PhotoStore.get`.
    """

    def prepare(step: int) -> Cuttings:
        _settle_thread(store.device)
        cuttings = cut(store, plan(step), side)
        return replace(cuttings, views=make_views(cuttings, side)) if is_making_views else cuttings

    return ahead(prepare, steps, workers=workers, most=workers + 1)


def _settle_thread(device: torch.device) -> None:
    """A thread's pinned memory belongs to its current GPU, which is the first unless it is told."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def cut(store: PhotoStore, plan: BatchPlan, side: int) -> Cuttings:
    """Cut the regions and close-ups of one share.

    Args:
        store: the photos.
        plan: the share.
        side: S, of a view.
    """
    regions, closeups = [], []
    classes = torch.from_numpy(plan.classes.copy())
    for row in range(len(plan.photos)):
        half = int(plan.is_authentic[row])
        index, photo = store.get(half, int(plan.photos[row]))
        regions.append(_square(photo, plan.corners[row, :2], 2 * side))
        if half:
            classes[row] = CLASSES + index
            closeups.append(_square(photo, plan.corners[row, 2:], side))
        elif store.classes is not None:
            classes[row] = store.classes[index]
    return Cuttings(
        plan=plan,
        classes=classes,
        regions=_gather(regions, 2 * side, store.device),
        closeups=_gather(closeups, side, store.device),
    )


def _square(photo: torch.Tensor, corner: np.ndarray, side: int) -> torch.Tensor:
    """A square of a photo; `corner` as fractions of what is free."""
    top = int(corner[0] * (photo.shape[1] - side + 1))
    left = int(corner[1] * (photo.shape[2] - side + 1))
    return photo[:, top : top + side, left : left + side]


def _gather(squares: list[torch.Tensor], side: int, device: torch.device) -> torch.Tensor:
    """One uint8 tensor (n, 3, side, side) on the device, from squares there and in main memory."""
    is_cuda = device.type == "cuda"
    staged = [(row, square) for row, square in enumerate(squares) if square.device != device]
    result = torch.empty((len(squares), 3, side, side), dtype=torch.uint8, device=device)
    if staged:
        buffer = torch.empty((len(staged), 3, side, side), dtype=torch.uint8, pin_memory=is_cuda)
        torch.stack([square for _, square in staged], out=buffer)
        rows = torch.tensor([row for row, _ in staged], device=device)
        result[rows] = buffer.to(device, non_blocking=True)
    for row, square in enumerate(squares):
        if square.device == device:
            result[row] = square
    return result


def make_views(cuttings: Cuttings, side: int) -> torch.Tensor:
    """Distort the synthetic photos and take both views of all.

    The full-scale view of a distorted photo is a square out of its region, so that the two views
    share one distorted picture; that of an ordinary photo lies anywhere in it.

    Args:
        cuttings: of one share of B photos.
        side: S, of a view.

    Returns:
        Shape (2B, 3, S, S): the first views of all photos, then the second ones.
    """
    if cuttings.views is not None:
        return cuttings.views
    plan = cuttings.plan
    regions = pixels.to_unit(cuttings.regions)  # (B, 3, 2S, 2S)
    synthetic = torch.from_numpy(np.flatnonzero(~plan.is_authentic))
    ordinary = torch.from_numpy(np.flatnonzero(plan.is_authentic))
    full = regions.new_empty((len(regions), 3, side, side))
    if len(synthetic):
        rows = synthetic.numpy()
        chosen = synthetic.to(regions.device, non_blocking=True)
        distorted = distort(
            regions[chosen],
            torch.from_numpy(plan.kinds[rows]),
            torch.from_numpy(plan.levels[rows]),
            torch.from_numpy(plan.seeds[rows]),
        )
        regions[chosen] = distorted
        corners = torch.from_numpy((plan.corners[rows, 2:] * (side + 1)).astype(np.int64))
        full[chosen] = crop(distorted, corners[:, 0], corners[:, 1], side)
    if len(ordinary):
        full[ordinary.to(regions.device, non_blocking=True)] = pixels.to_unit(cuttings.closeups)
    return two_views(
        full,
        regions,
        is_full_first=torch.from_numpy(plan.is_full_first.copy()),
        colours=torch.from_numpy(plan.colours.copy()),
        flips=torch.from_numpy(plan.flips.copy()),
    )
