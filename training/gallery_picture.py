"""README's picture: landscapes drawn by numbers, some made worse, as the gallery shows them.

    python training/gallery_picture.py

Draws them, scores them with the bundled model, has a headless Chromium take the picture of the
page, and writes `training/gallery.webp`. No photograph is in it.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

WIDTH, HEIGHT = 1200, 800
PICTURE = (1200, 640)

SKIES = (  # above, at the horizon
    ((0.25, 0.50, 0.85), (0.80, 0.88, 0.95)),
    ((0.20, 0.30, 0.60), (0.95, 0.75, 0.55)),
    ((0.35, 0.55, 0.80), (0.90, 0.90, 0.85)),
    ((0.45, 0.35, 0.60), (0.98, 0.70, 0.60)),
    ((0.30, 0.60, 0.75), (0.85, 0.95, 0.95)),
)
NEAR = ((0.16, 0.25, 0.30), (0.25, 0.20, 0.28), (0.20, 0.28, 0.20))
GROUND = ((0.30, 0.42, 0.16), (0.50, 0.40, 0.20), (0.20, 0.35, 0.38), (0.36, 0.46, 0.24))
SUN, TREE, TRUNK = (1.0, 0.9, 0.6), (0.10, 0.24, 0.12), (0.2, 0.13, 0.08)
STEM = 0.08  # of a tree


def main() -> None:
    """Draw, score, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "gallery.webp")
    parser.add_argument("--chromium", default="chromium", help="the browser's command")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for seed, (title, spoil) in enumerate(SPOILT.items()):
            spoil(landscape(seed)).save(folder / "photos" / f"{title}.jpg", quality=92)
        page, shot = folder / "gallery.html", folder / "shot.png"
        score = [sys.executable, "-m", "contrique_cli", "score", str(folder / "photos"), "--quiet"]
        score += ["--no-cache", "--output", str(folder / "report.csv"), "--gallery", str(page)]
        subprocess.run(score, check=True)  # noqa: S603 - our own
        look = [args.chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        look += [f"--window-size={PICTURE[0]},{PICTURE[1]}", f"--screenshot={shot}", page.as_uri()]
        subprocess.run(look, check=True, capture_output=True)  # noqa: S603 - the one asked for
        with Image.open(shot) as picture:
            picture.convert("RGB").save(args.output, quality=85, method=6)


def landscape(seed: int) -> Image.Image:
    """Sky and sun, ridges that fade with distance, a meadow, and conifers."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    above, low = map(np.array, SKIES[seed % len(SKIES)])
    down = np.clip(y / 0.62, 0, 1)[..., None]
    image = (1 - down) * above + down * low
    clouds = np.clip(texture(rng, 1.7, wide=2.9) - 0.4, 0, 1.2)
    image += 0.35 * clouds[..., None] * (1 - down)
    sun = np.hypot(x - rng.uniform(0.2, 1.3), y - rng.uniform(0.15, 0.45))[..., None]
    image += (np.exp(-((sun / 0.05) ** 6)) + 0.25 * np.exp(-sun / 0.12)) * SUN
    for near in (0, 1 / 3, 2 / 3, 1):
        edge = 0.4 + 0.27 * near + (0.16 - 0.06 * near) * skyline(rng)
        colour = (1 - near) * 0.75 * low + near * np.array(NEAR[seed % len(NEAR)])
        rock = (0.75 + 0.25 * near) * colour * (1 + 0.35 * texture(rng, 1.1)[..., None])
        image = np.where((y > edge)[..., None], rock, image)
    grass = 1 + 0.5 * texture(rng, 0.6, wide=0.25)[..., None]
    is_meadow = y > 0.78 + 0.03 * skyline(rng)
    image = np.where(is_meadow[..., None], grass * GROUND[seed % len(GROUND)], image)
    for _ in range(rng.integers(3, 8)):
        grow(image, rng)
    image += rng.normal(0, 0.006, image.shape)
    return to_pillow(image)


def grow(image: np.ndarray, rng: np.random.Generator) -> None:
    """Put a conifer with a shadow side into an image of shape (HEIGHT, WIDTH, 3)."""
    base, middle = rng.uniform(0.8, 0.95) * HEIGHT, rng.uniform(0.03, 0.97) * WIDTH
    tall = rng.uniform(0.18, 0.4) * HEIGHT
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    up, aside = (base - y) / tall, x - middle
    reach = 0.18 * tall * (1 - up) * (0.7 + 0.3 * np.cos(40 * up))
    reach *= 0.9 + 0.35 * texture(rng, 0.5)
    is_tree = (up > STEM) & (up < 1) & (abs(aside) < reach)
    light = np.clip(0.75 + 0.5 * aside / np.maximum(reach, 1), 0.3, 1.3) + 0.35 * texture(rng, 0.4)
    image[is_tree] = light[is_tree][:, None] * TREE
    image[(up > 0) & (up <= STEM) & (abs(aside) < 0.012 * tall + 2)] = TRUNK


def skyline(rng: np.random.Generator) -> np.ndarray:
    """A ridge, shape (WIDTH,), within -1 to 1."""
    frequency = np.fft.rfftfreq(WIDTH)
    frequency[0] = np.inf
    line = np.fft.irfft(np.fft.rfft(rng.standard_normal(WIDTH)) / frequency**1.25, WIDTH)
    return line / np.abs(line).max()


def texture(rng: np.random.Generator, slope: float, *, wide: float = 1) -> np.ndarray:
    """1/f noise, shape (HEIGHT, WIDTH), standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH) * wide)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) / frequency**slope
    grain = np.fft.irfft2(spectrum, (HEIGHT, WIDTH))
    return grain / grain.std()


def to_pillow(image: np.ndarray) -> Image.Image:
    """An image of shape (H, W, 3), black 0 and white 1, as Pillow's."""
    return Image.fromarray((255 * image.clip(0, 1)).round().astype(np.uint8))


def as_is(photo: Image.Image) -> Image.Image:
    """Nothing made worse."""
    return photo


def blur(photo: Image.Image) -> Image.Image:
    """Out of focus."""
    return photo.filter(ImageFilter.GaussianBlur(5))


def shake(photo: Image.Image) -> Image.Image:
    """The camera moved by 25 pixels."""
    moved = (np.roll(np.asarray(photo, float), (step // 2, step), (0, 1)) for step in range(25))
    return to_pillow(sum(moved) / 25 / 255)


def darken(photo: Image.Image) -> Image.Image:
    """Three stops less, in samples as they are."""
    return ImageEnhance.Brightness(photo).enhance(0.12)


def brighten(photo: Image.Image) -> Image.Image:
    """More than a stop too much, in samples as they are."""
    return ImageEnhance.Brightness(photo).enhance(2.3)


def roughen(photo: Image.Image) -> Image.Image:
    """Noise of an eighth of the range."""
    noise = np.random.default_rng(1).normal(0, 32 / 255, (HEIGHT, WIDTH, 3))
    return to_pillow(np.asarray(photo) / 255 + noise)


def compress(photo: Image.Image) -> Image.Image:
    """JPEG of quality 6."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=6)
    return Image.open(file)


SPOILT: dict[str, Callable[[Image.Image], Image.Image]] = {
    "ridge": as_is,
    "pines": as_is,
    "dawn": blur,
    "fjord": as_is,
    "evening": roughen,
    "meadow": compress,
    "pass": as_is,
    "dusk": darken,
    "lake": shake,
    "noon": brighten,
    "valley": as_is,
    "autumn": as_is,
}
"""What is done to each landscape, by its name."""

if __name__ == "__main__":
    main()
