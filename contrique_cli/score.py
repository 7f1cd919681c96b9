"""Score photos: paths to report rows, on one encoder and one regressor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from contrique_cli import config, features
from contrique_cli.errors import Unreadable
from contrique_cli.regressor import Regressor
from contrique_cli.report import Row
from contrique_cli.weights import Scorer


def score(
    paths: Iterable[Path | Unreadable],
    scorer: Scorer,
    *,
    device: torch.device,
    max_side: int | None = None,
    max_megapixels: float = config.MAX_MEGAPIXELS,
    batch_size: int | None = None,
    workers: int | None = None,
    precision: str = config.PRECISION,
) -> Iterator[Row]:
    """Score photos as they come, in the order of the paths.

    Args:
        paths: see `images.find`.
        scorer: see `weights.load_scorer`.
        device: see `model.pick_device`.
        max_side: working size in pixels; None takes the regressor's own.
        max_megapixels, batch_size, workers, precision: see `features.extract`.

    Yields:
        One unranked row per path; a photo that cannot be scored has its reason as `error`.

    Raises:
        RegressorMismatch: the regressor was fitted at another working size.
    """
    size = scorer.regressor.max_side if max_side is None else max_side
    scorer.regressor.check(encoder=scorer.info.fingerprint, max_side=size)
    stream = features.extract(
        paths,
        scorer.model.to(device),
        max_side=size,
        max_megapixels=max_megapixels,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
    )
    return (_row(item, scorer.regressor) for item in stream)


def _row(item: features.Features | Unreadable, regressor: Regressor) -> Row:
    if isinstance(item, Unreadable):
        return Row(path=item.path, error=item.reason)
    raw = regressor.predict(item.values[None])  # (1, 2D) -> (1,)
    return Row(
        path=item.path,
        score=float(regressor.to_score(raw)[0]),
        raw=float(raw[0]),
        width=item.width,
        height=item.height,
    )
