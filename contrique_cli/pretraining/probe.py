"""A linear probe: what held-out photos' features tell about distortion, level and origin.

Every held-out clean photo is distorted in all 25 ways, at a level that turns with the photo. Half
of the photos fit three linear classifiers in closed form, the other half tests them, so neither
a photo nor a distorted picture of the test has been seen by the network or by the classifiers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from contrique_cli.distortions.bank import KINDS, LEVELS, distort
from contrique_cli.errors import Unreadable
from contrique_cli.photos import opening
from contrique_cli.photos.pixels import to_tensor, to_unit
from contrique_cli.pretraining.photostore import mirror_outwards
from contrique_cli.pretraining.runevents import Probed

RIDGE = 1e-2
"""Penalty relative to the mean square length of a feature vector times the number of rows."""

BATCH = 64
"""Pictures per forward pass."""


class Probe:
    """Pictures prepared once, judged as often as wanted."""

    def __init__(
        self,
        synthetic: Sequence[Path],
        authentic: Sequence[Path],
        *,
        side: int,
        max_side: int,
        device: torch.device,
    ) -> None:
        """Decode and distort.

        Args:
            synthetic: clean photos kept out of training.
            authentic: ordinary photos kept out of training.
            side: of the squares to judge, in pixels.
            max_side: longest side of a photo.
            device: where to distort.
        """
        clean = _centres(synthetic, side, max_side)  # (N, 3, S, S) uint8
        self.is_possible = len(clean) > 1
        if not self.is_possible:
            return
        photos = torch.arange(len(clean)).repeat_interleave(len(KINDS))  # (25N,)
        self.kinds = torch.arange(1, len(KINDS) + 1).repeat(len(clean))
        self.levels = (photos + self.kinds) % LEVELS + 1
        seeds = torch.arange(len(photos))
        parts: list[torch.Tensor] = [
            distort(
                to_unit(clean[photos[rows]].to(device)),
                self.kinds[rows],
                self.levels[rows],
                seeds[rows],
            )
            for rows in torch.split(seeds, BATCH)
        ]
        # (25N, 3, S, S) uint8, a quarter of the memory
        self.distorted = torch.cat([_to_bytes(part) for part in parts])
        self.is_test = photos % 2 == 1
        self.ordinary = _centres(authentic, side, max_side)

    def run(self, embed: Callable[[torch.Tensor], torch.Tensor], step: int) -> Probed:
        """Judge the network as it is.

        Args:
            embed: RGB in [0, 1], shape (B, 3, S, S), to features, shape (B, F).
            step: steps that it has done.
        """
        features = _features(self.distorted, embed)
        kind = _accuracy(features, self.kinds, self.is_test)
        level = _accuracy(features, self.levels, self.is_test)
        if len(self.ordinary) < 2:  # noqa: PLR2004 - one to fit, one to test
            return Probed(step=step, kind=kind, level=level, origin=None)
        others = _features(self.ordinary, embed)
        is_test = torch.arange(len(others)) % 2 == 1
        # As many distorted pictures as ordinary ones, spread over photos and kinds.
        chosen = torch.cat(
            [
                _spread(torch.nonzero(self.is_test == part)[:, 0], int((is_test == part).sum()))
                for part in (False, True)
            ]
        )
        both = torch.cat([features[chosen], others])
        is_ordinary = torch.arange(len(both)) >= len(chosen)
        origin = _accuracy(both, is_ordinary.long(), torch.cat([self.is_test[chosen], is_test]))
        return Probed(step=step, kind=kind, level=level, origin=origin)


def _spread(rows: torch.Tensor, count: int) -> torch.Tensor:
    """`count` of the rows, evenly apart."""
    return rows[torch.linspace(0, len(rows) - 1, count).long()]


def _centres(paths: Sequence[Path], side: int, max_side: int) -> torch.Tensor:
    """Middle squares, uint8, shape (N, 3, side, side); unreadable photos are left out here.

    They are no loss to anybody: the probe is a gauge, and training never sees these photos.
    """
    squares = [torch.empty((0, 3, side, side), dtype=torch.uint8)]
    for path in paths:
        try:
            photo = opening.open_rgb(path, max_side=max_side)
        except Unreadable:
            continue
        pixels = mirror_outwards(to_tensor(photo.image), side)
        top, left = (pixels.shape[1] - side) // 2, (pixels.shape[2] - side) // 2
        squares.append(pixels[None, :, top : top + side, left : left + side])
    return torch.cat(squares)


def _to_bytes(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.mul(255.0).round_().to(torch.uint8).cpu()


def _features(
    pictures: torch.Tensor, embed: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    parts = [embed(to_unit(part)).double().cpu() for part in torch.split(pictures, BATCH)]
    return torch.cat(parts)  # (N, F)


def _accuracy(features: torch.Tensor, labels: torch.Tensor, is_test: torch.Tensor) -> float:
    """Share of right answers of a ridge classifier, fitted where not `is_test`."""
    known = features[~is_test]
    centre = known.mean(dim=0)
    known = known - centre
    targets = torch.nn.functional.one_hot(labels).double()
    kernel = known @ known.T  # (n, n): the dual form, since n is often below F
    penalty = RIDGE * kernel.diagonal().mean().clamp(min=1e-12)
    eye = torch.eye(len(known), dtype=kernel.dtype)
    weights = known.T @ torch.linalg.solve(
        kernel + penalty * eye, targets[~is_test] - targets[~is_test].mean(dim=0)
    )
    answers = ((features[is_test] - centre) @ weights + targets[~is_test].mean(dim=0)).argmax(1)
    return float((answers == labels[is_test]).double().mean())
