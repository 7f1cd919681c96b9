"""Draw the 25 distortions at 5 levels of one photo on one sheet, or time them.

    python training/distortion_sheet.py photo.jpg --out sheet.png
    python training/distortion_sheet.py photo.jpg --time

A row is a kind, a column a level; the PSNR to the photo stands under each tile.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.distortions.bank import KINDS, LEVELS, Kind, apply_kind

LABEL_HEIGHT = 16  # px
GAP = 4  # px
TIMED_BATCH = 5  # one image per level
TIMED_ROUNDS = 5
SEED = 0


def open_square(path: Path, size: int) -> Tensor:
    """Read the middle of a photo, shape (1, 3, size, size), without scaling it."""
    with Image.open(path) as photo:
        rgb = ImageOps.exif_transpose(photo).convert("RGB")
    left, top = (rgb.width - size) // 2, (rgb.height - size) // 2
    pixels = np.asarray(rgb.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def distort_levels(image: Tensor, kind: Kind) -> Tensor:
    """Apply one kind at each of its levels, shape (5, 3, H, W)."""
    levels = torch.arange(1, LEVELS + 1)
    seeds = torch.full_like(levels, SEED).to(image.device)
    return apply_kind(image.expand(LEVELS, -1, -1, -1), kind.number, levels, seeds)


def draw_sheet(image: Tensor, kinds: tuple[Kind, ...]) -> Image.Image:
    """Draw one row of five tiles for each kind."""
    size = image.shape[-1]
    step = (size + GAP, size + LABEL_HEIGHT + GAP)
    sheet = Image.new("RGB", (step[0] * LEVELS, step[1] * len(kinds)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, kind in enumerate(kinds):
        tiles = distort_levels(image, kind)
        errors = (tiles - image).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
        for column, (tile, error) in enumerate(zip(tiles, errors, strict=True)):
            codes = (tile * 255).round().byte().permute(1, 2, 0).numpy()
            corner = (column * step[0], row * step[1])
            sheet.paste(Image.fromarray(codes), corner)
            psnr = -10 * float(error.log10())
            words = f"{kind.number} {kind.name}  {kind.levels[column]:g}  {psnr:.1f} dB"
            pen.text((corner[0], corner[1] + size), words, fill="black")
    return sheet


def time_kinds(image: Tensor) -> list[tuple[Kind, float]]:
    """Measure milliseconds per image for each kind, one image per level in a batch.

    On a CPU these are milliseconds of one core, so that a busy machine does not spoil them.
    """
    clock = time.perf_counter if image.is_cuda else time.process_time
    torch.set_num_threads(1)
    table = []
    for kind in KINDS:
        distort_levels(image, kind)
        spans = []
        for _ in range(TIMED_ROUNDS):
            start = clock()
            distort_levels(image, kind)
            if image.is_cuda:
                torch.cuda.synchronize()
            spans.append(clock() - start)
        table.append((kind, 1000 * min(spans) / TIMED_BATCH))
    return table


def main() -> None:
    """Read the command line and draw or time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--size", type=int, default=256, help="side of the square, px")
    parser.add_argument("--out", type=Path, default=Path("distortion-sheet.png"))
    parser.add_argument("--time", action="store_true", help="print ms per image instead")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    image = open_square(arguments.photo, arguments.size).to(arguments.device)
    if arguments.time:
        for kind, milliseconds in time_kinds(image):
            print(f"{kind.number:2d} {kind.name:22s} {milliseconds:7.2f} ms")
    else:
        draw_sheet(image.cpu(), KINDS).save(arguments.out)


if __name__ == "__main__":
    main()
