"""Where a run's photos come from: folders or the official lists, in two halves."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrique_cli.errors import BadTrainingData, Unreadable
from contrique_cli.files import tables
from contrique_cli.photos import finding
from contrique_cli.pretraining.trainconfig import TrainConfig

PROBE_SHARE = 20
"""At most one photo in so many is kept out of training for the probe."""

OFFICIAL_CLASSES = 126
"""Length of a one-hot label in the official lists."""


@dataclass(frozen=True, kw_only=True)
class TrainPhotos:
    """Paths of a run.

    Attributes:
        synthetic: to be distorted, or distorted beforehand where `classes` is given.
        authentic: ordinary photos.
        classes: of the synthetic half, from a list; None when contrique distorts them itself.
        probe_synthetic, probe_authentic: kept out of training.
        unreadable: paths that cannot be photos, with reasons.
        left_out: numbers of files left out on purpose, by reason.
    """

    synthetic: tuple[Path, ...]
    authentic: tuple[Path, ...]
    classes: tuple[int, ...] | None
    probe_synthetic: tuple[Path, ...]
    probe_authentic: tuple[Path, ...]
    unreadable: tuple[Unreadable, ...]
    left_out: dict[str, int]

    def digest(self) -> str:
        """Short identity of the photos in training, by name and order, wherever they lie."""
        names = "\n".join((*_names(self.synthetic), "", *_names(self.authentic)))
        return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()[:16]


def _names(paths: Sequence[Path]) -> list[str]:
    """Paths from the deepest folder that holds them all, which may be moved."""
    full = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - follows no link
    top = os.path.commonpath(map(os.path.dirname, full)) if full else ""
    return [os.path.relpath(path, top) for path in full]


def gather(config: TrainConfig) -> TrainPhotos:
    """Find the photos that a configuration names.

    Raises:
        BadTrainingData: no photos, too few, or an unusable list.
    """
    unreadable: list[Unreadable] = []
    left_out: Counter[str] = Counter()
    classes: tuple[int, ...] | None = None
    synthetic = _find(_sources(config.data, "pristine", config.pristine), unreadable, left_out)
    authentic = _find(_sources(config.data, "authentic", config.authentic), unreadable, left_out)
    if config.pristine_list is not None:
        if synthetic:
            raise BadTrainingData(
                "photos distorted beforehand (--pristine-list) and photos to distort "
                "(--data, --pristine) cannot be mixed; give one of them"
            )
        rows = read_list(Path(config.pristine_list), has_classes=True)
        synthetic = [path for path, _ in rows]
        classes = tuple(label for _, label in rows)
    if config.authentic_list is not None:
        rows = read_list(Path(config.authentic_list), has_classes=False)
        authentic += [path for path, _ in rows]
    _check_any(config, synthetic, authentic)
    probed = _probe_count(config, synthetic, authentic, classes)
    kept, probe_synthetic = _hold_out(synthetic, probed if classes is None else 0, config.seed)
    others, probe_authentic = _hold_out(authentic, probed, config.seed)
    return TrainPhotos(
        synthetic=kept,
        authentic=others,
        classes=classes,
        probe_synthetic=probe_synthetic,
        probe_authentic=probe_authentic,
        unreadable=tuple(unreadable),
        left_out=dict(left_out),
    )


def _sources(data: str | None, name: str, more: Sequence[str]) -> list[Path]:
    sources = [Path(source) for source in more]
    if data is not None:
        if not Path(data).is_dir():
            raise BadTrainingData(f"{data} is no folder; --data takes one with photos in it")
        if (Path(data) / name).is_dir():
            sources.insert(0, Path(data) / name)
    return sources


def _find(sources: list[Path], unreadable: list[Unreadable], left_out: Counter[str]) -> list[Path]:
    found = []
    for item in finding.find(sources, left_out):
        if isinstance(item, Unreadable):
            unreadable.append(item)
        else:
            found.append(item)
    return found


def _check_any(config: TrainConfig, synthetic: list[Path], authentic: list[Path]) -> None:
    if synthetic or authentic:
        return
    where = config.data or ", ".join((*config.pristine, *config.authentic)) or "no place"
    raise BadTrainingData(
        f"no photos were found in {where}; --data takes a folder with the subfolders 'pristine' "
        f"and 'authentic', with at least {config.batch_size // 2} photos in each for batches of "
        f"{config.batch_size}; --pristine and --authentic name folders one by one"
    )


def _probe_count(
    config: TrainConfig,
    synthetic: list[Path],
    authentic: list[Path],
    classes: tuple[int, ...] | None,
) -> int:
    """Photos per half that the probe gets: none where the halves cannot spare two."""
    sizes = [len(half) for half in (synthetic, authentic) if half]
    if classes is not None or not synthetic:
        return 0
    count = min(config.probe_photos, min(sizes) // PROBE_SHARE)
    return count if count > 1 else 0


def _hold_out(
    paths: list[Path], count: int, seed: int
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Take `count` photos out, chosen by the seed."""
    if not paths or not count:
        return tuple(paths), ()
    chosen = set(np.random.default_rng((seed, 4)).permutation(len(paths))[:count].tolist())
    kept = tuple(path for index, path in enumerate(paths) if index not in chosen)
    return kept, tuple(path for index, path in enumerate(paths) if index in chosen)


def read_list(path: Path, *, has_classes: bool) -> list[tuple[Path, int]]:
    """Read one of the method's own lists.

    Args:
        path: a table with the column `File_names` and, for distorted photos, `labels`: a one-hot
            list of 126 numbers as text. Relative names are relative to the list's folder.
        has_classes: whether `labels` is needed.

    Returns:
        Photos and classes; -1 where there are none.

    Raises:
        BadTrainingData: not such a list; the message names the row.
    """
    table = tables.read(path, BadTrainingData)
    needed = {"File_names", "labels"} if has_classes else {"File_names"}
    if missing := needed - set(table.columns):
        raise BadTrainingData(f"{path} lacks the column {', '.join(sorted(missing))}")
    cells = table.frame.rename(columns=dict(enumerate(table.columns)))
    rows = []
    for number, name in cells["File_names"].items():
        where = f"{path}, {table.position(number)}"
        if tables.is_blank(name):
            raise BadTrainingData(f"{where}: no file name")
        label = _class_of_label(str(cells["labels"][number]), where) if has_classes else -1
        rows.append((path.parent / str(name).strip(), label))
    return rows


def _class_of_label(text: str, row: str) -> int:
    numbers = [float(word) for word in re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", text)]
    ones = [index for index, number in enumerate(numbers) if number == 1.0]
    zeros = numbers.count(0.0)
    if len(ones) != 1 or zeros != OFFICIAL_CLASSES - 1 or zeros + 1 != len(numbers):
        raise BadTrainingData(
            f"{row}: labels must be {OFFICIAL_CLASSES} numbers, one of them 1 and the rest 0; "
            f"it has {len(numbers)} with {len(ones)} ones"
        )
    return ones[0]
