"""Explain a score: where in a photo quality is lost, by the encoder and regressor that score it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from contrique_cli import config
from contrique_cli.encoder import backend, features
from contrique_cli.encoder.work import Work
from contrique_cli.photos import decoding, opening
from contrique_cli.photos.pixels import to_tensor
from contrique_cli.reports.rows import PROBABILITY_DIGITS, RAW_DIGITS, SCHEMA, SCORE_DIGITS, Row
from contrique_cli.scoring import contributions
from contrique_cli.scoring.pipeline import Pipeline
from contrique_cli.version import __version__

_DOWN, _ACROSS = ("upper", "middle", "lower"), ("left", "centre", "right")
"""Names of the thirds of a photo."""


class Ninth(NamedTuple):
    """A ninth of a photo in words, and its mean difference from the photo's mean in points."""

    name: str
    points: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A photo's score and where it comes from.

    Attributes:
        row: as `contrique score` reports it.
        photo: as it was decoded.
        method: one of `config.METHODS`.
        raw: quality of each cell in raw units, shape (rows, columns); its mean is `row.raw`.
        points: the same in score points, relative to the photo's mean, higher is better.
    """

    row: Row
    photo: decoding.Photo
    method: str
    raw: np.ndarray
    points: np.ndarray

    @property
    def worst(self) -> Ninth:
        """The ninth of the photo with the lowest mean."""
        return min(self._ninths(), key=lambda ninth: ninth.points)

    @property
    def best(self) -> Ninth:
        """The ninth of the photo with the highest mean."""
        return max(self._ninths(), key=lambda ninth: ninth.points)

    def _ninths(self) -> list[Ninth]:
        rows, columns = (np.array_split(np.arange(n), 3) for n in self.points.shape)
        return [
            Ninth(_name(down, across), float(self.points[np.ix_(inside, beside)].mean()))
            for down, inside in zip(_DOWN, rows, strict=True)
            for across, beside in zip(_ACROSS, columns, strict=True)
            if inside.size and beside.size
        ]

    def to_facts(self) -> dict[str, Any]:
        """Everything but the picture, as plain values for JSON; rows of the grids from the top."""
        row = self.row
        has_flaw = row.flaw_probability is not None
        return {
            "schema": SCHEMA,
            "contrique": __version__,
            "path": str(row.path),
            "score": None if row.score is None else round(row.score, SCORE_DIGITS),
            "raw": None if row.raw is None else round(row.raw, RAW_DIGITS),
            "flaw": row.flaw,
            "flaw_probability": round(row.flaw_probability or 0.0, PROBABILITY_DIGITS)
            if has_flaw
            else None,
            "width": row.width,
            "height": row.height,
            "note": row.note,
            "method": self.method,
            "worst": self.worst.name,
            "best": self.best.name,
            "rows": self.points.shape[0],
            "columns": self.points.shape[1],
            "raw_grid": self.raw.round(RAW_DIGITS).tolist(),
            "points_grid": self.points.round(SCORE_DIGITS).tolist(),
        }


def _name(down: str, across: str) -> str:
    return across if down == "middle" else f"{down} {across}"


def explain(
    path: Path,
    pipeline: Pipeline,
    work: Work,
    *,
    method: str = config.WINDOWS,
) -> Explanation:
    """Score one photo and its parts.

    Args:
        path: the photo.
        pipeline: see `pipeline.load_pipeline`.
        work: device, working size and limit of megapixels count.
        method: `config.WINDOWS`: the raw value that a window round each cell would have alone,
            all moved by one number so that their mean is the photo's own. `config.SHARES`: what
            each cell adds to the photo's raw value, see `contributions.shares`.

    Raises:
        Unreadable: the photo cannot be judged.
        RegressorMismatch: the regressor was fitted at another working size.
    """
    judge = pipeline.regressor
    judge.check(encoder=pipeline.info.fingerprint, max_side=work.max_side)
    photo = opening.open_rgb(path, max_side=work.max_side, max_megapixels=work.max_megapixels)
    model = pipeline.model.to(work.chosen_device)
    pixels = to_tensor(photo.image).to(work.chosen_device)
    embed = backend.Embed(model, "fp32")  # on purpose exact: the shares add up to this score
    values = features.embed_scales(embed, pixels[None])[0].cpu().numpy()  # (2F,)
    size_in_file = photo.width, photo.height
    row = pipeline.judge(path, values, size=size_in_file, source=photo.source, note=photo.note)
    raw = row.raw
    assert raw is not None  # noqa: S101 - a photo that was embedded has a score
    find = contributions.shares if method == config.SHARES else contributions.windows
    layers = contributions.layers(model, torch.from_numpy(judge.weights), pixels)
    grid_size = contributions.size(pixels.shape[1], pixels.shape[2], contributions.CELLS)
    grid = find(layers, judge.bias, grid_size).numpy()
    differences = grid - grid.mean()
    return Explanation(
        row=row,
        photo=photo,
        method=method,
        raw=differences + raw,
        points=differences * judge.slope(raw),
    )
