"""How often the maps of `contrique explain` find the quarter of a photo that was made worse.

    python training/explain_check.py ../shared/data/pristine
    python training/explain_check.py ../shared/data/pristine --regressor mine --photos 60

Of each photo one quarter, drawn by lot, is distorted, and both maps are made of the photo before
and after. Two hit rates per kind and level of distortion: "fell most", the quarter whose mean fell
most against the untouched photo's map is the distorted one; "lowest", the quarter with the lowest
mean is, whatever the photo shows there by nature. Chance is 0.25 for both. "drop" is the median
fall of the photo's whole score, in points: where the score does not see a flaw, no map can.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli import config
from contrique_cli.distortions.bank import KINDS, apply_kind
from contrique_cli.encoder.model import pick_device
from contrique_cli.photos import finding, opening
from contrique_cli.photos import pixels as photo_pixels
from contrique_cli.scoring import contributions
from contrique_cli.scoring import pipeline as scoring_pipeline

TRIED = (1, 10, 11)
"""Gaussian blur, JPEG, white noise: kinds that leave the light as it is."""

LEVELS = (2, 4)
SEED = 0
MAPS: dict[str, Callable[..., torch.Tensor]] = {
    config.WINDOWS: contributions.windows,
    config.SHARES: contributions.shares,
}


def quarter_of(height: int, width: int, number: int) -> tuple[slice, slice]:
    """Rows and columns of a quarter: 0 upper left, 1 upper right, 2 lower left, 3 lower right."""
    down = slice(0, height // 2) if number in (0, 1) else slice(height - height // 2, height)
    across = slice(0, width // 2) if number in (0, 2) else slice(width - width // 2, width)
    return down, across


def worsen(pixels: torch.Tensor, number: int, kind: int, level: int, seed: int) -> torch.Tensor:
    """A copy with one quarter distorted.

    Args:
        pixels: uint8 RGB, shape (3, H, W).
        number: of the quarter.
        kind, level, seed: see `bank.apply_kind`.
    """
    down, across = quarter_of(pixels.shape[1], pixels.shape[2], number)
    part = photo_pixels.to_unit(pixels[None, :, down, across])  # (1, 3, H // 2, W // 2)
    worse = apply_kind(part, kind, torch.tensor([level]), torch.tensor([seed]))
    result = pixels.clone()
    result[:, down, across] = (worse[0].clamp(0, 1) * 255).round().to(torch.uint8)
    return result


class Judge:
    """The maps and the scores of one pipeline."""

    def __init__(self, pipeline: scoring_pipeline.Pipeline, device: torch.device) -> None:
        self.regressor = pipeline.regressor
        self.model = pipeline.model.to(device)
        self.device = device

    def quarters(self, pixels: torch.Tensor) -> tuple[float, dict[str, np.ndarray]]:
        """The photo's score, and by map the mean quality of each quarter, shape (4,)."""
        parts = torch.from_numpy(self.regressor.weights), pixels.to(self.device)
        layers = list(contributions.layers(self.model, *parts))
        size = contributions.size(pixels.shape[1], pixels.shape[2], contributions.CELLS)
        sign = 1 if self.regressor.higher_is_better else -1
        means, raw = {}, 0.0
        for method, find in MAPS.items():
            grid = find(layers, self.regressor.bias, size).numpy()
            means[method] = sign * np.array([grid[quarter_of(*size, n)].mean() for n in range(4)])
            raw = grid.mean()  # of the shares, the last: exactly the photo's
        return float(self.regressor.to_score(np.array(raw))), means


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="clean photos")
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--model")
    parser.add_argument("--regressor")
    parser.add_argument("--device")
    options = parser.parse_args()
    pipeline = scoring_pipeline.load_pipeline(options.model, options.regressor)
    judge = Judge(pipeline, pick_device(options.device))
    rng = np.random.default_rng(SEED)
    paths = sorted(path for path in options.folder.iterdir() if path.suffix in finding.EXTENSIONS)
    chosen = [paths[at] for at in rng.permutation(len(paths))[: options.photos]]
    outcomes: dict[tuple[int, int], list[list[float]]] = {}
    for path in chosen:
        photo = opening.open_rgb(path, max_side=pipeline.regressor.max_side)
        pixels = photo_pixels.to_tensor(photo.image)
        score, before = judge.quarters(pixels)
        for kind in TRIED:
            for level in LEVELS:
                number = int(rng.integers(4))
                worse = worsen(pixels, number, kind, level, int(rng.integers(2**31)))
                worse_score, after = judge.quarters(worse)
                line = [score - worse_score]
                for method in MAPS:
                    fell, lowest = after[method] - before[method], after[method]
                    line += [float(np.argmin(each) == number) for each in (fell, lowest)]
                outcomes.setdefault((kind, level), []).append(line)
    show(outcomes, len(chosen))


def show(outcomes: dict[tuple[int, int], list[list[float]]], count: int) -> None:
    """Print the table as Markdown."""
    titles = [f"{method}: {what}" for method in MAPS for what in ("fell most", "lowest")]
    print(f"{count} photos; chance is 0.25")
    print(f"| kind | level | drop | {' | '.join(titles)} |")
    print("|---|---|---|" + "---|" * len(titles))
    for (kind, level), lines in outcomes.items():
        found = np.array(lines)
        rates = " | ".join(f"{rate:.2f}" for rate in found[:, 1:].mean(axis=0))
        title = KINDS[kind - 1].title
        print(f"| {title} | {level} | {np.median(found[:, 0]):.1f} | {rates} |")


if __name__ == "__main__":
    main()
