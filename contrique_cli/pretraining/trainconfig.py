"""What a user may choose about pre-training: defaults, checks and recipe reading; stdlib only."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from contrique_cli.config import PRECISIONS
from contrique_cli.errors import BadOption

LEAST_IMAGE_SIZE = 32
"""Pixels; one cell of the encoder's map."""

OPTIMISERS = ("sgd", "adamw")

CONVENIENCE = frozenset(
    {
        "data",
        "pristine",
        "authentic",
        "checkpoint_minutes",
        "memory_budget",
        "probe_minutes",
        "split_checkpoint",
        "workers",
    }
)
"""Fields that may differ when a run is resumed: they change no weight, if folders hold the same
photos, which `TrainPhotos.digest` tells."""

MOST_WHOLE = 2**63 - 1
"""PyTorch and numpy take no larger number, seeds included."""

MOST_IMAGE_SIZE = 4096
"""Pixels; a larger view is a mistake."""

MOST_PATCHES = 16
"""Side of the grid; a cell of the map is 32 pixels wide."""

MOST_MEMORY = 1e9
"""Gigabytes; beyond lies no machine, only a mistake."""

_WORDS = {int: "a whole number", float: "a finite number", str: "text", bool: "true or false"}

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Every choice of a pre-training run; the defaults are the paper's, at a modest batch."""

    data: str | None = None
    """Folder with the subfolders `pristine` and `authentic`."""
    pristine: tuple[str, ...] = ()
    """Further folders or files of clean photos, to be distorted."""
    authentic: tuple[str, ...] = ()
    """Further folders or files of ordinary photos, each its own class."""
    pristine_list: str | None = None
    """CSV (File_names, labels) of photos distorted beforehand, with their classes."""
    authentic_list: str | None = None
    """CSV (File_names) of ordinary photos."""
    arch: str = "resnet50"
    """Architecture: a key of `model.ARCHITECTURES`."""
    pooling: str = "stages"
    """What features the encoder gives, of whole photos and of the patches that the loss compares:
    see `model.POOLINGS`; the paper's is `last`."""
    init: str | None = None
    """Encoder file to start from, or `imagenet`; None starts from random weights, as the paper
    does."""
    image_size: int = 256
    """Side of a view in pixels; regions of twice this side are cut from the photos."""
    batch_size: int = 64
    """Photos per step over all processes; each gives two views."""
    micro_batch: int = 0
    """Views per forward pass of one process; 0 for all at once."""
    photos_per_class: int = 1
    """Synthetic photos of a batch that share one distortion class; 1 draws each by itself."""
    pristine_share: float | None = None
    """Share of undistorted photos among the synthetic; None: as often as any other class."""
    recoloured_share: float = 0.8
    """Share of views in a colour space other than RGB; 0.8 makes all five equal, as published."""
    epochs: int = 25
    """Passes over the larger half of the photos."""
    minutes: float | None = None
    """Train for this long instead of `epochs`; how far that gets depends on the machine, so such a
    run is repeated in kind, not bit by bit."""
    lr: float | None = None
    """Peak learning rate; None: `base_lr` x views per step / 1024."""
    base_lr: float = 0.6
    """Peak learning rate at 1024 views per step."""
    encoder_lr: float = 1.0
    """Share of the learning rate that the encoder gets; the projector always has the whole."""
    frozen_first: int = 0
    """So many of the encoder's first layers do not learn."""
    frozen_last: int = 0
    """So many of the encoder's last layers do not learn."""
    frozen_norm: bool = False
    """Keep the statistics of the encoder's batch norm as they are."""
    anchor: float = 0.0
    """Weight of how far the features of undistorted photos move from those at the start, in shares
    of their variance: what the encoder knows of photographs stays."""
    optimiser: str = "sgd"
    """Optimiser: sgd, the paper's, or adamw (with an lr of about 3e-4)."""
    momentum: float = 0.9
    """Momentum of SGD; AdamW has its own two."""
    weight_decay: float = 1e-4
    """Weight decay of parameters with two and more dimensions."""
    warmup: float = 0.1
    """Share of the run in which the learning rate rises; then it falls as a cosine."""
    temperature: float = 0.1
    """Temperature of the contrastive loss."""
    patches: int = 2
    """Side of the grid of patches per view."""
    class_centres: bool = False
    """Also contrast with a learnt centre per distortion class, so that a small batch meets all
    classes at every step; the paper's large batches do without."""
    seed: int = 0
    """Seed of all randomness."""
    precision: str = "auto"
    """Precision: fp32, bf16, fp16, or auto, what the processor is quick at."""
    compile: bool = False
    """Pass the encoder through torch.compile."""
    max_side: int = 1024
    """Longest side at which photos are kept, in pixels."""
    workers: int = 0
    """Threads that decode and cut photos; 0: as many as processors, at most 8."""
    memory_budget: float = 0.0
    """Gigabytes of decoded photos kept in memory; 0: half of what is free."""
    checkpoint_minutes: float = 5.0
    """Minutes between two checkpoints."""
    probe_minutes: float = 10.0
    """Minutes between two linear probes; 0: only at the end."""
    probe_photos: int = 32
    """Photos per half kept out of training for the probe; at most a twentieth; 0: no probe."""
    split_checkpoint: int = 0
    """Write checkpoints in parts of at most so many bytes; 0: whole."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, by the option's name.

        Raises:
            BadOption: a value is out of range.
        """
        checks = {
            "image_size": (
                LEAST_IMAGE_SIZE <= self.image_size <= MOST_IMAGE_SIZE,
                f"between {LEAST_IMAGE_SIZE} and {MOST_IMAGE_SIZE}",
            ),
            "batch_size": (self.batch_size >= 4, "at least 4"),  # noqa: PLR2004 - two per half
            "micro_batch": (self.micro_batch == 0 or self.micro_batch > 1, "0 or at least 2"),
            "photos_per_class": (self.photos_per_class >= 1, "at least 1"),
            "pristine_share": (
                self.pristine_share is None or 0 <= self.pristine_share <= 1,
                "between 0 and 1",
            ),
            "recoloured_share": (0 <= self.recoloured_share <= 1, "between 0 and 1"),
            "epochs": (self.epochs >= 1, "at least 1"),
            "minutes": (self.minutes is None or self.minutes > 0, "more than 0"),
            "lr": (self.lr is None or self.lr > 0, "more than 0"),
            "base_lr": (self.base_lr > 0, "more than 0"),
            "encoder_lr": (self.encoder_lr >= 0, "0 or more"),
            "frozen_first": (self.frozen_first >= 0, "0 or more"),
            "frozen_last": (self.frozen_last >= 0, "0 or more"),
            "anchor": (self.anchor >= 0, "0 or more"),
            "optimiser": (self.optimiser in OPTIMISERS, f"one of {', '.join(OPTIMISERS)}"),
            "momentum": (0 <= self.momentum < 1, "at least 0 and below 1"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "warmup": (0 <= self.warmup < 1, "at least 0 and below 1"),
            "temperature": (self.temperature > 0, "more than 0"),
            "patches": (1 <= self.patches <= MOST_PATCHES, f"between 1 and {MOST_PATCHES}"),
            "seed": (0 <= self.seed <= MOST_WHOLE, f"between 0 and {MOST_WHOLE}"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "max_side": (
                self.max_side == 0 or self.max_side >= self.image_size,
                f"0 or at least image_size, {self.image_size}",
            ),
            "workers": (self.workers >= 0, "0 or more"),
            "memory_budget": (
                0 <= self.memory_budget <= MOST_MEMORY,
                f"between 0 and {MOST_MEMORY:g}",
            ),
            "checkpoint_minutes": (self.checkpoint_minutes >= 0, "0 or more"),
            "probe_minutes": (self.probe_minutes >= 0, "0 or more"),
            "probe_photos": (self.probe_photos >= 0, "0 or more"),
            "split_checkpoint": (self.split_checkpoint >= 0, "0 or more"),
        }
        for name, (is_good, wish) in checks.items():
            if not is_good:
                raise BadOption(f"{name} is {getattr(self, name)}; it must be {wish}")

    @property
    def peak_lr(self) -> float:
        """Learning rate at the end of the warm-up."""
        return self.lr if self.lr is not None else self.base_lr * 2 * self.batch_size / 1024

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON stores them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def read_recipe(path: Path) -> dict[str, Any]:
    """Fields of a recipe file.

    Args:
        path: TOML; its keys are fields of `TrainConfig`.

    Raises:
        BadOption: no such file, not TOML, or an unknown key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadOption(f"the recipe {path} cannot be read: {error}") from error
    return checked(table, str(path))


def checked(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Values by field name, with the types that `TrainConfig` has.

    Args:
        values: from a recipe, a stored configuration or options.
        source: where they come from, for messages.

    Raises:
        BadOption: an unknown name, or a value of another type.
    """
    types = get_type_hints(TrainConfig)
    result = {}
    for name, value in values.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BadOption(f"{source} has the unknown key {name!r}{hint}")
        result[name] = _cast(name, value, types[name], source)
    return result


def _cast(name: str, value: Any, wanted: Any, source: str) -> Any:
    """A value in the type of its field; whole numbers stand for floats, lists for tuples."""
    if get_origin(wanted) in {Union, UnionType}:  # every one is `X | None`
        if value is None:
            return None
        wanted = get_args(wanted)[0]
    if name == "split_checkpoint" and isinstance(value, str):
        return parse_size(value)
    if get_origin(wanted) is tuple:
        if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
            return tuple(value)
    elif wanted is float:
        if type(value) in {int, float} and abs(value) <= sys.float_info.max:
            return float(value)
    elif type(value) is wanted and (wanted is not int or abs(value) <= MOST_WHOLE):
        return value  # a bool is no int here
    words = _WORDS.get(wanted, "a list of texts")
    raise BadOption(f"{source}: {name} must be {words}, not {value!r}")


def parse_size(text: str) -> int:
    """Bytes from words such as `15MiB`, `2 GB` or `4096`.

    Raises:
        BadOption: not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match[2].upper()) if match else None
    size = float(match[1]) * unit if match and unit else math.inf
    if not math.isfinite(size):
        raise BadOption(f"{text!r} is not a size; write it like 15MiB")
    return int(size)
