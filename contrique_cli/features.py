"""Paths to features: photos decoded ahead in threads, embedded at two scales, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from contrique_cli import config, images
from contrique_cli.errors import Unreadable
from contrique_cli.model import Contrique


@dataclass(frozen=True, kw_only=True)
class Features:
    """One photo as the encoder sees it.

    Attributes:
        path: as found.
        width, height: of the file, in upright pixels.
        values: [full scale, half scale], each of length 1; shape (2D,), float32.
        source: what was decoded; see `images.Photo`.
    """

    path: Path
    width: int
    height: int
    values: np.ndarray
    source: str = images.PHOTO


@dataclass(frozen=True, kw_only=True)
class _Decoded:
    path: Path
    width: int
    height: int
    pixels: torch.Tensor  # uint8, (3, H, W)
    source: str


def extract(
    paths: Iterable[Path | Unreadable | images.Photo],
    model: Contrique,
    *,
    max_side: int,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    batch_size: int | None = None,
    workers: int | None = None,
) -> Iterator[Features | Unreadable]:
    """Features of photos, in the order of the paths; one bad photo is one `Unreadable`.

    Memory is bounded by the batch and the photos decoded ahead, not by the number of paths.

    Args:
        paths: photos; what is opened or found `Unreadable` already is taken as it is.
        model: in evaluation mode, on the device to use.
        max_side, max_megapixels: see `images.open_rgb`.
        batch_size: photos of equal size embedded at once; by default 1 on a CPU, else 16.
        workers: decoding threads; by default 2 on a CPU, else 8.
    """
    device = next(model.parameters()).device
    is_cpu = device.type == "cpu"
    batch_size = batch_size or (1 if is_cpu else 16)
    workers = workers or (2 if is_cpu else 8)
    paths = iter(paths)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        pending: deque[Future[_Decoded | Unreadable]] = deque()
        try:
            while True:
                ahead = batch_size + workers - len(pending)
                pending.extend(
                    pool.submit(_decode, path, max_side, max_megapixels)
                    for path in islice(paths, ahead)
                )
                if not pending:
                    return
                batch = [pending.popleft().result() for _ in range(min(batch_size, len(pending)))]
                yield from _embed_all(model, batch, device)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _decode(
    path: Path | Unreadable | images.Photo, max_side: int, max_megapixels: float
) -> _Decoded | Unreadable:
    if isinstance(path, Unreadable):
        return path
    try:
        photo = (
            path
            if isinstance(path, images.Photo)
            else images.open_rgb(path, max_side=max_side, max_megapixels=max_megapixels)
        )
    except Unreadable as problem:
        return problem
    pixels = images.to_tensor(photo.image)
    return _Decoded(
        path=photo.path, width=photo.width, height=photo.height, pixels=pixels, source=photo.source
    )


def _embed_all(
    model: Contrique, batch: Sequence[_Decoded | Unreadable], device: torch.device
) -> Iterator[Features | Unreadable]:
    """Embed photos of equal shape together, so that no photo is padded or stretched."""
    by_shape: dict[torch.Size, list[int]] = {}
    for index, item in enumerate(batch):
        if isinstance(item, _Decoded):
            by_shape.setdefault(item.pixels.shape, []).append(index)
    values: dict[int, np.ndarray] = {}
    for indices in by_shape.values():
        stack = torch.stack(
            [item.pixels for item in map(batch.__getitem__, indices) if isinstance(item, _Decoded)]
        )
        values |= zip(indices, embed_scales(model, stack.to(device)), strict=True)
    for index, item in enumerate(batch):
        if isinstance(item, Unreadable):
            yield item
        else:
            yield Features(
                path=item.path,
                width=item.width,
                height=item.height,
                values=values[index],
                source=item.source,
            )


@torch.inference_mode()
def embed_scales(model: Contrique, pixels: torch.Tensor) -> np.ndarray:
    """Features at full and half scale.

    Args:
        model: in evaluation mode.
        pixels: uint8 RGB on the model's device, shape (B, 3, H, W).

    Returns:
        Shape (B, 2D), float32; each half of a row has length 1.

    Source: Madhusudana et al., IEEE TIP 2022, section III-D.
    """
    full = images.to_unit(pixels)  # (B, 3, H, W)
    half = images.halve(full)  # (B, 3, H // 2, W // 2)
    both = torch.cat([model.embed(full), model.embed(half)], dim=1)  # (B, 2D)
    values: np.ndarray = both.cpu().numpy()
    return values
