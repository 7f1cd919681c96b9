"""A collection of generated photos with opinions, for the tests of fitting and evaluating."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from contrique_cli.encoder import checkpoint
from tests.conftest import blurred, make_photo

INFO = checkpoint.EncoderInfo(
    arch="tiny", pooling="last", preprocessing=1, fingerprint="f" * 64, provenance={}
)
"""Of the untrained tiny encoder that the tests use."""

SCENES = 16
RADII = (0.0, 0.5, 1.0, 2.0)
"""Pixels of blur of the photos of one scene."""


def make_scene(seed: int, width: int = 160, height: int = 128) -> Image.Image:
    """Fine grain over coarse colours: what an untrained tiny encoder can tell blur by."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8))
    pixels = 90.0 + 0.3 * np.asarray(coarse.resize((width, height)), dtype=np.float64)
    pixels += rng.normal(0, 30, pixels.shape)
    return Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))


def make_collection(folder: Path, first_seed: int = 0) -> Path:
    """Photos of 16 scenes at 4 degrees of blur, the unblurred originals, and `scores.csv`.

    Opinions fall with the degree: `mos` from 5 to 1, `dmos` from 0 to 80.
    """
    rng = np.random.default_rng(first_seed)
    lines = ["path,mos,dmos,scene,original"]
    for scene in range(SCENES):
        original = make_scene(first_seed + scene)
        original.save(folder / f"original{scene}.png")
        for degree, radius in enumerate(RADII):
            name = f"photo{scene}_{degree}.png"
            (blurred(original, radius) if radius else original).save(folder / name)
            mos = round(5.0 - 4.0 / 3.0 * degree + rng.normal(0, 0.1), 3)
            lines.append(f"{name},{mos},{100 - 20 * mos:.2f},s{scene},original{scene}.png")
    table = folder / "scores.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


TINY = ("--model", "tiny", "--device", "cpu", "--max-side", 64, "--no-cache")
"""Options of a command that fits or judges with the tiny encoder."""


def make_rated(folder: Path) -> Path:
    """24 photos of falling sharpness; `opinions` has their opinions."""
    for number in range(24):
        blurred(make_photo(number % 6, 64, 48), number / 8).save(folder / f"I{number:02}.bmp")
    return folder


def opinions() -> pd.DataFrame:
    """One for each photo of `make_rated`, in the columns name and mos."""
    mos = [round(5 - number / 8, 3) for number in range(24)]
    return pd.DataFrame({"name": [f"I{number:02}.bmp" for number in range(24)], "mos": mos})
