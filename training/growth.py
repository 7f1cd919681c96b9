"""Score 1,000, 10,000 and 100,000 small photos without and with the cache: time and memory.

    python training/growth.py --work /tmp/growth --encoder tiny
    python training/growth.py --draw

writes training/growth.csv, a line per run as soon as it is there, and training/growth.png. Photos
are generated, 64 x 64 pixels, each file its own. `--encoder tiny` takes a network of three random
layers, so that the program around the encoder is what is measured; `default` takes the bundled one.
Seconds of processor time tell more than seconds of wall clock where a machine is shared.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.architectures import STAGES
from contrique_cli.encoder.model import Contrique
from contrique_cli.models import regressor

HERE = Path(__file__).parent
COUNTS = (1_000, 10_000, 100_000)
SIDE = 64  # pixels
CANVAS = 1024  # pixels: the texture that photos are cut from
PER_FOLDER = 1_000
COLUMNS = "encoder cache photos seconds cpu_seconds peak_mb".split()
RUNS = {"off": ["--no-cache"], "empty": [], "full": []}
"""The cache's state to the options; the second run with a cache finds it full."""

SIZE = (1100, 460)  # pixels, of the picture
COLOURS = {"off": "#c0392b", "empty": "#d68910", "full": "#1f5fbf"}
WORDS = {"off": "--no-cache", "empty": "cache, first run", "full": "cache, second run"}


def make_photos(folder: Path, count: int) -> None:
    """Cut so many photos from one texture, PER_FOLDER to a folder; goes on where it stopped."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft2(rng.standard_normal((3, CANVAS, CANVAS)))
    distance = np.hypot(np.fft.fftfreq(CANVAS)[:, None], np.fft.rfftfreq(CANVAS))
    distance[0, 0] = 1.0
    texture = np.fft.irfft2(spectrum / distance, s=(CANVAS, CANVAS))
    pixels = np.clip(128 + 50 * texture / texture.std(), 0, 255).astype(np.uint8)
    canvas = Image.fromarray(pixels.transpose(1, 2, 0))
    for number in range(count):
        left, top = divmod(number * 7919 % (CANVAS - SIDE) ** 2, CANVAS - SIDE)
        path = folder / f"{number // PER_FOLDER:03}" / f"{number:06}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            canvas.crop((left, top, left + SIDE, top + SIDE)).save(path, quality=85)


def install_tiny(home: Path) -> None:
    """Put a random encoder and a random regressor, both called tiny, into a data folder."""
    torch.manual_seed(0)
    model = Contrique("tiny", STAGES).eval()
    for kind in ("encoders", "regressors"):
        (home / "contrique" / kind).mkdir(parents=True, exist_ok=True)
    made = checkpoint.save(home / "contrique/encoders/tiny.safetensors", model, provenance={})
    weights = np.random.default_rng(0).normal(size=2 * model.length).astype(np.float32)
    line = regressor.Regressor(
        weights=weights,
        bias=0.0,
        knots=np.array([-5.0, 5.0]),
        scores=np.array([0.0, 100.0]),
        higher_is_better=True,
        task=regressor.NO_REFERENCE,
        encoder=made.fingerprint,
        max_side=1024,
    )
    regressor.save(home / "contrique/regressors/tiny.safetensors", line)


def measure(work: Path, encoder: str, count: int, options: list[str]) -> list[float]:
    """Run `contrique score` once: seconds, seconds of processor time, peak memory in MB."""
    homes = {"XDG_DATA_HOME": str(work / "data"), "XDG_CACHE_HOME": str(work / "cache")}
    folders = sorted((work / "photos").iterdir())[: count // PER_FOLDER]
    command = [sys.executable, "-m", "contrique_cli", "score", *folders, "--device", "cpu"]
    command += ["--regressor", encoder, "--quiet", "--output", work / "report.csv", *options]
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=HERE.parent, env=os.environ | homes)  # noqa: S603 - ours
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"contrique score ended with status {status}")
    return [seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000]


def draw(table: Path, picture: Path, encoder: str) -> None:
    """Two panels over the number of photos, both axes logarithmic: processor time and memory."""
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["encoder"] == encoder]
    image = Image.new("RGB", SIZE, "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    width = SIZE[0] // 2
    panels = {"cpu_seconds": "processor time, s", "peak_mb": "peak memory, MB"}
    for index, (column, title) in enumerate(panels.items()):
        frame = (index * width + 70, 40, (index + 1) * width - 30, SIZE[1] - 80)
        low = 10.0 ** math.floor(math.log10(min(float(row[column]) for row in rows)))
        high = 10.0 ** math.ceil(math.log10(max(float(row[column]) for row in rows)))
        draw_frame(pen, font, frame, (low, high), title)
        for state in RUNS:
            points = [
                (
                    between(float(row["photos"]), (COUNTS[0], COUNTS[-1]), (frame[0], frame[2])),
                    between(float(row[column]), (low, high), (frame[3], frame[1])),
                )
                for row in rows
                if row["cache"] == state
            ]
            pen.line(points, COLOURS[state], 3)
            for x, y in points:
                pen.ellipse((x - 4, y - 4, x + 4, y + 4), COLOURS[state])
    for index, (state, words) in enumerate(WORDS.items()):
        corner = (70 + 200 * index, SIZE[1] - 30)
        pen.text(corner, f"- {words}", COLOURS[state], font)
    pen.text((700, SIZE[1] - 30), f"encoder: {encoder}, photos of 64 x 64", "black", font)
    image.save(picture, optimize=True)


def draw_frame(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    frame: tuple[int, int, int, int],
    bounds: tuple[float, float],
    title: str,
) -> None:
    """Title, border, and a labelled line at each power of ten."""
    left, top, right, bottom = frame
    pen.text((left, top - 24), title, "black", font)
    value = bounds[0]
    while value <= bounds[1]:
        y = between(value, bounds, (bottom, top))
        pen.line((left, y, right, y), "#e4e7eb")
        pen.text((left - 8, y), f"{value:,.15g}", "black", font, anchor="rm")
        value *= 10
    for count in COUNTS:
        x = between(count, (COUNTS[0], COUNTS[-1]), (left, right))
        pen.line((x, top, x, bottom), "#e4e7eb")
        pen.text((x, bottom + 8), f"{count:,}", "black", font, anchor="mt")
    pen.rectangle(frame, outline="black")


def between(value: float, bounds: tuple[float, float], ends: tuple[float, float]) -> float:
    """Position of a value on a logarithmic axis, pixels."""
    share = math.log(value / bounds[0]) / math.log(bounds[1] / bounds[0])
    return ends[0] + share * (ends[1] - ends[0])


def main() -> None:
    """Read the command line, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("growth"), help="for photos and cache")
    parser.add_argument("--encoder", default="tiny", help="tiny, or an installed regressor's name")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="thousands")
    parser.add_argument("--draw", action="store_true", help="only draw what is in the table")
    arguments = parser.parse_args()
    table = HERE / "growth.csv"
    if not arguments.draw:
        make_photos(arguments.work / "photos", max(arguments.counts))
        install_tiny(arguments.work / "data")
        if not table.exists():
            table.write_text(",".join(COLUMNS) + "\n")
        for count in arguments.counts:
            shutil.rmtree(arguments.work / "cache", ignore_errors=True)
            for state, options in RUNS.items():
                found = measure(arguments.work, arguments.encoder, count, options)
                line = [arguments.encoder, state, str(count), *(f"{one:.1f}" for one in found)]
                print(",".join(line), flush=True)
                with table.open("a") as file:
                    file.write(",".join(line) + "\n")
    draw(table, HERE / "growth.png", arguments.encoder)


if __name__ == "__main__":
    main()
