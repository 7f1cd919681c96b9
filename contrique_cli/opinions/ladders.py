"""Clean photos and the same photos made worse level by level, as the encoder sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from contrique_cli import config
from contrique_cli.distortions import bank, tone
from contrique_cli.distortions.bank import KIND_COUNT, KINDS, LEVELS, apply_kind
from contrique_cli.encoder import backend
from contrique_cli.encoder.features import embed_scales
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadLabels, Unreadable
from contrique_cli.photos import finding, opening
from contrique_cli.photos.pixels import to_tensor, to_unit

ORDERED = tuple(kind.number for kind in KINDS if kind.ordered)
"""Kinds of which a higher level is a worse photo."""

UNDEREXPOSED, OVEREXPOSED = EXPOSURES = (KIND_COUNT + 1, KIND_COUNT + 2)
"""Ladders of their own beside the 25 kinds, whose darkening and brightening bend the middle tones
only and leave white as it is: less light or more, as a camera would have taken it."""

STOPS = (0.5, 1.0, 1.5, 2.5, 4.0)
"""Exposure values that levels 1 to 5 of `EXPOSURES` take away or add."""

TAUGHT = (*ORDERED, *EXPOSURES)
"""Kinds of ladders that a regressor learns from."""

UNSEEN = 255.0**2 / 10**5
"""Mean squared difference of 8-bit samples (PSNR of 50 dB) up to which a version is its photo."""


@dataclass(frozen=True, kw_only=True)
class Ladders:
    """Features of M ladders: a clean photo and its five distorted versions of one kind.

    Attributes:
        photos: which photo, numbered from 0, int64, shape (M,).
        kinds: of the distortion, 1 to 25, or one of `EXPOSURES`, int64, shape (M,).
        features: of the clean photo, then of levels 1 to 5, float32, shape (M, 6, 2F).
        unreadable: photos left out, with reasons.
    """

    photos: np.ndarray
    kinds: np.ndarray
    features: np.ndarray
    unreadable: Sequence[Unreadable] = ()

    def only(self, kinds: Sequence[int]) -> Ladders:
        """The ladders of some kinds."""
        chosen = np.isin(self.kinds, list(kinds))
        return replace(
            self,
            photos=self.photos[chosen],
            kinds=self.kinds[chosen],
            features=self.features[chosen],
        )


def flaw_of(kind: int, level: int) -> str:
    """What a photographer would call the version of a ladder; see `bank.flaw_of`.

    Args:
        kind: 1 to 25, or one of `EXPOSURES`.
        level: 1 to 5.
    """
    named = {UNDEREXPOSED: "dark", OVEREXPOSED: "bright"}
    return named.get(kind) or bank.flaw_of(kind, level)


def choose(folder: Path, most: int = config.LADDER_PHOTOS) -> list[Path]:
    """Photos of a folder, evenly thinned to `most`.

    Raises:
        BadLabels: there is no photo.
    """
    found = [path for path in finding.find([folder], Counter()) if isinstance(path, Path)]
    if not found:
        raise BadLabels(f"{folder} holds no photos; give a folder of clean, sharp ones")
    indices = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))
    return [found[index] for index in indices]


def climb(
    paths: Sequence[Path],
    model: Contrique,
    *,
    kinds: Sequence[int] = TAUGHT,
    kinds_per_photo: int = config.LADDER_KINDS,
    max_side: int = config.LADDER_SIDE,
    seed: int = config.SEED,
    on_photo: Callable[[int, int], None] | None = None,
) -> Ladders:
    """Distort photos in several ways each, taking the kinds in turn, and embed them.

    What changes nothing in a photo at any level gives no ladder: a grey one has no colour to lose.

    Args:
        paths: clean photos.
        model: in evaluation mode, on the device to use.
        kinds: to take, numbers of `bank.KINDS` and of `EXPOSURES`.
        kinds_per_photo: how many of them each photo gets; at most all.
        max_side: long side in pixels at which photos are distorted and judged.
        seed: of the distortions.
        on_photo: told how many photos of how many are done.

    Raises:
        BadLabels: not one photo can be read, or not one changes.
    """
    photos: list[int] = []
    climbed: list[int] = []
    values: list[np.ndarray] = []
    unreadable: list[Unreadable] = []
    count = min(kinds_per_photo, len(kinds))
    embed = backend.Embed(model)
    for index, path in enumerate(paths):
        own = [kinds[(index * count + turn) % len(kinds)] for turn in range(count)]
        try:
            photo = opening.open_rgb(path, max_side=max_side)
        except Unreadable as problem:
            unreadable.append(problem)
        else:
            clean = to_tensor(photo.image)[None]  # (1, 3, H, W) uint8
            start = _look(embed, clean)
            for kind, worse in _made_worse(clean, own, seed + index):
                if not _is_changed(clean, worse):
                    continue
                photos.append(index)
                climbed.append(kind)
                values.append(np.concatenate([start, _look(embed, worse)]))  # (6, 2F)
        if on_photo is not None:
            on_photo(index + 1, len(paths))
    if not values:
        raise _useless(unreadable, len(paths))
    return Ladders(
        photos=np.array(photos),
        kinds=np.array(climbed),
        features=np.stack(values),
        unreadable=unreadable,
    )


def _useless(unreadable: Sequence[Unreadable], count: int) -> BadLabels:
    """Why photos gave no ladder."""
    if len(unreadable) < count:
        return BadLabels(
            "no clean photo can be used: distortions change none of those that can be read; give "
            "a folder of photos with detail and colour"
        )
    first = f" (the first: {unreadable[0]})" if unreadable else ""
    return BadLabels(f"no clean photo can be used{first}; give a folder of readable photos")


def _made_worse(
    clean: torch.Tensor, kinds: Sequence[int], seed: int
) -> Iterator[tuple[int, torch.Tensor]]:
    """All levels of each kind as saved files would hold them, uint8, shape (5, 3, H, W)."""
    several = to_unit(clean).expand(LEVELS, -1, -1, -1)
    for kind in kinds:
        if kind in EXPOSURES:
            sign = -1 if kind == UNDEREXPOSED else 1
            worse = tone.expose(several, sign * torch.tensor(STOPS).view(-1, 1, 1, 1))
        else:
            seeds = torch.full((LEVELS,), seed)  # one pattern, stronger from level to level
            worse = apply_kind(several, kind, torch.arange(1, LEVELS + 1), seeds)
        yield kind, worse.mul(255.0).round_().to(torch.uint8)


def _is_changed(clean: torch.Tensor, worse: torch.Tensor) -> bool:
    """Whether any of the versions (5, 3, H, W) differs from the photo (1, 3, H, W)."""
    squares = (worse.float() - clean.float()).square().mean(dim=(1, 2, 3))  # (5,)
    return bool(squares.amax() > UNSEEN)


def _look(embed: backend.Embed, pixels: torch.Tensor) -> np.ndarray:
    values: np.ndarray = embed_scales(embed, pixels).cpu().numpy()
    return values
