"""One photo as the encoder sees it: the numbers that everything else works on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrique_cli.photos import decoding


@dataclass(frozen=True, kw_only=True)
class Features:
    """One photo as the encoder sees it.

    Attributes:
        path: as found.
        width, height: of the file, in upright pixels.
        values: [full scale, half scale], each of length 1; shape (2F,), float32.
        source: what was decoded; see `decoding.Photo`.
        note: what is wrong with it; see `decoding.Photo`.
        rating: a person's stars inside it; see `decoding.Photo`.
        digest: of the bytes decoded; None unless asked for, see `decoding.Photo`.
    """

    path: Path
    width: int
    height: int
    values: np.ndarray
    source: str = decoding.PHOTO
    note: str | None = None
    rating: float | None = None
    digest: bytes | None = None
